// Two workers of a living server hold each other up; the rest goes on.
package main

import (
	"fmt"
	"sync"
	"time"
)

type shelf struct{ mu sync.Mutex }

//go:noinline
func move(from, to *shelf, ready *sync.WaitGroup) {
	from.mu.Lock()
	defer from.mu.Unlock()
	ready.Done()
	ready.Wait()
	to.mu.Lock() // culprit: the other one holds it
	defer to.mu.Unlock()
}

func main() {
	var a, b shelf
	var ready sync.WaitGroup
	ready.Add(2)
	go move(&a, &b, &ready)
	go move(&b, &a, &ready)
	ready.Wait()
	fmt.Println("ready")
	for range time.Tick(time.Hour) {
	}
}
