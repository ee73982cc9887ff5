// A walk over a menu takes the lock of the whole tree again for each submenu.
package main

import "sync"

type menu struct {
	mu    sync.Mutex
	items [][]string
}

//go:noinline
func (m *menu) count(depth int) int {
	m.mu.Lock() // culprit: the caller holds it
	defer m.mu.Unlock()
	if depth == len(m.items) {
		return 0
	}
	return len(m.items[depth]) + m.count(depth+1)
}

func main() {
	m := &menu{items: [][]string{{"file", "edit"}, {"open"}}}
	println(m.count(0))
}
