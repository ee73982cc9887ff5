// A write lock is given back as if it were a read lock.
package main

import "sync"

type store struct{ mu sync.RWMutex }

//go:noinline
func (s *store) update() {
	s.mu.Lock()
	s.mu.Unlock()
	s.mu.RUnlock() // culprit: nobody reads
}

func main() {
	var s store
	s.update()
}
