// A method that holds the lock calls another one that takes it.
package main

import "sync"

type store struct {
	mu    sync.Mutex
	count map[string]int
}

//go:noinline
func (s *store) get(key string) int {
	s.mu.Lock() // culprit: bump holds it
	defer s.mu.Unlock()
	return s.count[key]
}

//go:noinline
func (s *store) bump(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count[key] = s.get(key) + 1
}

func main() {
	s := &store{count: map[string]int{}}
	s.bump("a")
}
