// The condition came true before anybody waited for it.
package main

import "sync"

type queue struct {
	mu   sync.Mutex
	more *sync.Cond
}

//go:noinline
func (q *queue) pop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.more.Wait() // culprit: no loop around it, and nobody signals again
}

func main() {
	q := &queue{}
	q.more = sync.NewCond(&q.mu)
	q.more.Broadcast()
	q.pop()
}
