// A pool collects the panic of a worker and its stack, and panics with both.
package main

import (
	"fmt"
	"runtime/debug"
)

//go:noinline
func work(list []int) int {
	return list[7] // culprit: the list is shorter
}

func run(failed chan<- string) {
	defer func() {
		v := recover()
		failed <- fmt.Sprintf("worker: %v\n\n%s", v, debug.Stack())
	}()
	work(make([]int, 3))
}

func main() {
	failed := make(chan string)
	go run(failed)
	panic(<-failed) // culprit
}
