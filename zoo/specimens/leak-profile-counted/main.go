// Three senders whose channels nobody knows any more: the garbage collector proves that they will wait for ever.
package main

import (
	"os"
	"runtime/pprof"
	"time"
)

func ask() {
	answer := make(chan int)
	go func() {
		answer <- 1 // culprit: who asked has gone
	}()
}

func main() {
	for i := 0; i < 3; i++ {
		ask()
	}
	time.Sleep(200 * time.Millisecond)
	pprof.Lookup("goroutineleak").WriteTo(os.Stdout, 1)
}
