// main waits for workers before it reads their results.
package main

import (
	"fmt"
	"sync"
)

//go:noinline
func work(n int, results chan<- int, wg *sync.WaitGroup) {
	defer wg.Done()
	results <- n * n // culprit: main reads only after Wait
}

func main() {
	results := make(chan int)
	var wg sync.WaitGroup
	for i := 0; i < 3; i++ {
		wg.Add(1)
		go work(i, results, &wg)
	}
	wg.Wait()
	fmt.Println(<-results)
}
