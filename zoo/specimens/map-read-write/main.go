// One goroutine reads the map that another one writes.
package main

import "runtime"

type sessions struct{ byID map[int]string }

//go:noinline
func (s *sessions) get(id int) string {
	return s.byID[id] // culprit: no lock
}

//go:noinline
func (s *sessions) put(id int) {
	s.byID[id] = "x"
}

func main() {
	runtime.GOMAXPROCS(2)
	s := &sessions{byID: map[int]string{}}
	go func() {
		for i := 0; ; i++ {
			s.put(i % 64)
		}
	}()
	for i := 0; ; i++ {
		s.get(i % 64)
	}
}
