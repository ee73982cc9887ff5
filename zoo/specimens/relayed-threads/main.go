// A busy program is asked for its goroutines: each of its threads tells its own in turn.
package main

import (
	"fmt"
	"runtime"
)

var sums [4]int

//go:noinline
func spin(i int, ready chan bool) {
	ready <- true
	for {
		sums[i]++
	}
}

// The first thread, which takes the signal, runs the first goroutine.
func init() { runtime.LockOSThread() }

func main() {
	ready := make(chan bool, 1)
	for i := 1; i < len(sums); i++ {
		go spin(i, ready)
		<-ready
	}
	fmt.Println("ready")
	spin(0, ready)
}
