// Done is called once too often.
package main

import "sync"

//go:noinline
func work(wg *sync.WaitGroup) {
	defer wg.Done()
	wg.Done() // the deferred Done is the one too many
} // culprit: where the deferred call runs

func main() {
	var wg sync.WaitGroup
	wg.Add(1)
	work(&wg)
	wg.Wait()
}
