// main ends its goroutine while a worker waits for work from it.
package main

import (
	"fmt"
	"runtime"
)

//go:noinline
func worker(jobs <-chan int) {
	fmt.Println(<-jobs) // culprit: nobody sends any more
}

func main() {
	go worker(make(chan int))
	runtime.Goexit()
}
