// A clean-up panics because the work before it panicked.
package main

import "fmt"

type store struct{ items map[string][]int }

//go:noinline
func (s *store) first(key string) int {
	return s.items[key][0] // culprit: nothing is stored under the key
}

func (s *store) flush(n int) {
	if n == 0 {
		panic("flush: nothing was read")
	}
}

func main() {
	s := &store{}
	n := 0
	defer func() { s.flush(n) }()
	n = s.first("a")
	fmt.Println(n)
}
