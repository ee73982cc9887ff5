// The program whose death is told in ../map-race.log: a store of sessions, used by two goroutines, one of which
// forgot the lock.
package main

import (
	"fmt"
	"log"
	"sync"
	"time"
)

type Session struct{ User string }

type Store struct {
	mu   sync.Mutex
	byID map[string]*Session
}

func (s *Store) Put(id string, session *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[id] = session
}

// Evict forgets to lock.
func (s *Store) Evict(prefix string) {
	for i := 0; ; i++ {
		delete(s.byID, fmt.Sprint(prefix, i%512))
	}
}

func main() {
	log.Print("sessions: listening on :8080")
	store := &Store{byID: map[string]*Session{}}
	go store.Evict("user-")
	go func() {
		for range time.Tick(time.Minute) {
			log.Print("sessions: still here")
		}
	}()
	for i := 0; ; i++ {
		store.Put(fmt.Sprint("user-", i%512), &Session{User: fmt.Sprint(i)})
	}
}
