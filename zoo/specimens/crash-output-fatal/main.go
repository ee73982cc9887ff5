// The crash text goes to a file as well, and a fatal error ends the program.
package main

import (
	"os"
	"runtime/debug"
	"sync"
)

type store struct{ mu sync.Mutex }

//go:noinline
func (s *store) release() {
	s.mu.Unlock() // culprit: it was never locked
}

func main() {
	f, err := os.Create("crash.log")
	if err != nil {
		panic(err)
	}
	if err := debug.SetCrashOutput(f, debug.CrashOptions{}); err != nil {
		panic(err)
	}
	var s store
	s.release()
}
