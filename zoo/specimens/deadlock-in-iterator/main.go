// The program takes numbers from an iterator, which runs as a coroutine and waits for one that nobody sends.
package main

import (
	"fmt"
	"iter"
)

//go:noinline
func receive(numbers <-chan int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for yield(<-numbers) { // culprit
		}
	}
}

func main() {
	next, stop := iter.Pull(receive(make(chan int)))
	defer stop()
	fmt.Println(next())
}
