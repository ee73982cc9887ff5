// The program of tests/globals.rs: it uses goroutines, channels, maps and timers, so that the runtime's parts behind
// them are linked in.
package main

import (
	"fmt"
	"os"
	"sync"
	"time"
)

func main() {
	words := map[string]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	done := make(chan int)
	timer := time.NewTimer(time.Millisecond)
	for i := 0; i < 4; i++ {
		i := i
		wg.Add(1)
		go func() {
			defer wg.Done()
			select {
			case <-timer.C:
			case done <- i:
			case <-time.After(10 * time.Millisecond):
			}
			mu.Lock()
			words[fmt.Sprint("w", i)]++
			mu.Unlock()
		}()
	}
	<-done
	wg.Wait()
	defer func() {
		fmt.Fprintln(os.Stderr, recover(), len(words))
	}()
	panic("over")
}
