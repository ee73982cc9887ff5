// A cache that never forgets, under a limit of address space.
package main

import (
	"runtime/debug"
	"syscall"
)

var cache [][]byte

//go:noinline
func remember() {
	cache = append(cache, make([]byte, 1<<20)) // culprit: nothing is ever dropped
}

func main() {
	debug.SetGCPercent(-1)
	limit := syscall.Rlimit{Cur: 1 << 30, Max: 1 << 30}
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
		panic(err)
	}
	for {
		remember()
	}
}
