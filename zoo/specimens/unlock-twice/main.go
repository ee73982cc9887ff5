// An early return unlocks what the deferred call unlocks again.
package main

import "sync"

type store struct {
	mu   sync.Mutex
	open bool
}

//go:noinline
func (s *store) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		s.mu.Unlock()
		return // culprit: the deferred Unlock is the second one
	}
	s.open = false
}

func main() {
	var s store
	s.shut()
}
