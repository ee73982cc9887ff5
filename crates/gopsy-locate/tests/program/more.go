package main

import "os"

//go:noinline
func say(s string) { os.Stderr.WriteString(s) }

// Each text has its own length.
//
//go:noinline
func texts() {
	say("abc")
	say("The quick brown fox")
	say("yes")
}

type left struct{ n int }
type right struct{ n int }

// Both are inlined wherever they are called.
func (l *left) tiny() int  { return l.n * 3 }
func (r *right) tiny() int { return r.n * 5 }

//go:noinline
func both(l *left, r *right) int { return l.tiny() + r.tiny() }

func init() {
	texts()
	if both(&left{1}, &right{2}) != 13 {
		panic("both")
	}
}
