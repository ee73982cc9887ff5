// A worker returns early with the lock held and is gone; then main wants it.
package main

import "sync"

type store struct {
	mu    sync.Mutex
	count map[string]int
}

func (s *store) load(ok bool) {
	s.mu.Lock()
	if !ok {
		return // the lock is still held
	}
	s.mu.Unlock()
}

//go:noinline
func (s *store) get(key string) int {
	s.mu.Lock() // culprit: nobody will unlock
	defer s.mu.Unlock()
	return s.count[key]
}

func main() {
	s := &store{count: map[string]int{}}
	done := make(chan bool)
	go func() { s.load(false); close(done) }()
	<-done
	s.get("a")
}
