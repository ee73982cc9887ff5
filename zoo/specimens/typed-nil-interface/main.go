// A nil *file is put into an interface, which is then not nil.
package main

import "fmt"

type closer interface{ close() int }

type file struct {
	name, path string
	fd         int
}

//go:noinline
func (f *file) close() int {
	return f.fd // culprit: f is nil, although the caller's check held
}

func open(ok bool) closer {
	var f *file
	if ok {
		f = &file{fd: 3}
	}
	return f // never a nil interface
}

func main() {
	c := open(len("x") == 2)
	if c != nil {
		fmt.Println(c.close())
	}
}
