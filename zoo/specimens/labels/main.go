// A goroutine with labels deadlocks.
package main

import (
	"context"
	"runtime/pprof"
)

//go:noinline
func handle(answers chan int) int {
	return <-answers // culprit: nobody sends
}

func main() {
	labels := pprof.Labels("user", "bob smith", "id", "42")
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), labels))
	handle(make(chan int))
}
