// A reader reads again while a writer waits between the two.
package main

import (
	"runtime"
	"sync"
	"time"
)

type table struct {
	mu   sync.RWMutex
	rows map[string]int
}

//go:noinline
func (t *table) get(key string) int {
	t.mu.RLock() // culprit: queued behind the writer
	defer t.mu.RUnlock()
	return t.rows[key]
}

//go:noinline
func (t *table) put(key string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows[key] = n
}

func main() {
	t := &table{rows: map[string]int{}}
	t.mu.RLock()
	go t.put("a", 1)
	for i := 0; i < 10; i++ {
		runtime.Gosched()
		time.Sleep(10 * time.Millisecond)
	}
	t.get("a")
	t.mu.RUnlock()
}
