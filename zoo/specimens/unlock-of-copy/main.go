// lock has a value receiver and locks a copy.
package main

import "sync"

type store struct {
	mu   sync.Mutex
	open bool
}

//go:noinline
func (s store) lock() { s.mu.Lock() }

//go:noinline
func (s *store) unlock() {
	s.mu.Unlock() // culprit: this mutex was never locked
}

func main() {
	var s store
	s.lock()
	defer s.unlock()
	s.open = true
}
