// Two goroutines count in one variable.
package main

import (
	"fmt"
	"sync"
)

type counter struct{ n int }

//go:noinline
func (c *counter) add() {
	c.n++ // culprit: no lock
}

func main() {
	var c counter
	var wg sync.WaitGroup
	for i := 0; i < 2; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c.add()
		}()
	}
	wg.Wait()
	fmt.Println("done")
}
