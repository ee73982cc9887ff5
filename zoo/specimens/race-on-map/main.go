// A map without a lock, in a race build.
package main

import "sync"

type cache struct{ hits map[string]int }

//go:noinline
func (c *cache) set(key string) {
	c.hits[key] = 1 // culprit: no lock
}

func main() {
	c := &cache{hits: map[string]int{}}
	var wg sync.WaitGroup
	first := make(chan bool)
	wg.Add(2)
	go func() { defer wg.Done(); c.set("a"); first <- true }()
	go func() { defer wg.Done(); defer func() { <-first }(); c.set("b") }()
	wg.Wait()
}
