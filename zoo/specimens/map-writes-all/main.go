// A cache without a lock, filled by two goroutines.
package main

import "runtime"

type cache struct{ hits map[int]int }

//go:noinline
func (c *cache) bump(key int) {
	c.hits[key]++ // culprit: no lock
}

func main() {
	runtime.GOMAXPROCS(2)
	c := &cache{hits: map[int]int{}}
	for g := 0; g < 2; g++ {
		go func() {
			for i := 0; ; i++ {
				c.bump(i % 64)
			}
		}()
	}
	select {}
}
