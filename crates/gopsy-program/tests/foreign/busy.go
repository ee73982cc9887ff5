// Busy until a debugger kills it: with the clock of the vDSO, with memory that is watched for races, or with new goroutines, of
// which the race detector is told on the system stack.
package main

import (
	"os"
	"runtime"
	"time"
)

var shared [64]int

//go:noinline
func clock() {
	for {
		if time.Now().IsZero() {
			shared[0]++
		}
	}
}

//go:noinline
func count(n int) {
	for {
		for i := range shared[1:] {
			shared[i] += n
		}
	}
}

//go:noinline
func spawn() {
	for {
		go func() {}()
		runtime.Gosched()
	}
}

// The first thread's system stack is the kernel's, far from goroutines'.
func init() { runtime.LockOSThread() }

func main() {
	work := clock
	switch os.Args[1] {
	case "count":
		work = func() { count(1) }
	case "spawn":
		work = spawn
	}
	// Where a goroutine left off for this is long past when it is busy.
	os.Stderr.WriteString("busy\n")
	work()
}
