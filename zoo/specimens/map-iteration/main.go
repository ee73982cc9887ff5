// A map is ranged over while another goroutine writes it.
package main

import "runtime"

type registry struct{ names map[int]bool }

//go:noinline
func (r *registry) count() (n int) {
	for range r.names { // culprit: no lock
		n++
	}
	return n
}

//go:noinline
func (r *registry) add(i int) {
	r.names[i] = true
}

func main() {
	runtime.GOMAXPROCS(2)
	r := &registry{names: map[int]bool{}}
	for i := 0; i < 64; i++ {
		r.add(i)
	}
	go func() {
		for i := 0; ; i++ {
			r.add(i % 64)
		}
	}()
	for {
		r.count()
	}
}
