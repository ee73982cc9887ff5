// Add counts two workers, one is started.
package main

import "sync"

//go:noinline
func wait(wg *sync.WaitGroup) {
	wg.Wait() // culprit: the counter stays at 1
}

func main() {
	var wg sync.WaitGroup
	wg.Add(2)
	go wg.Done()
	wait(&wg)
}
