// A program whose writers of two map types are known by their lines.
package main

import (
	"fmt"
	"os"
	"sort"
)

type sess struct{ n int }

type store struct {
	byID  map[string]*sess
	count map[int64]int
}

//go:noinline
func (s *store) put(id string, v *sess) {
	s.byID[id] = v // assign byID
}

//go:noinline
func (s *store) evict(id string) {
	delete(s.byID, id) // delete byID
}

//go:noinline
func (s *store) reset() {
	for k := range s.byID { // clear byID
		delete(s.byID, k)
	}
}

//go:noinline
func (s *store) names() []string {
	var out []string
	for k := range s.byID { // iterate byID
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Small enough to be inlined.
func (s *store) bump(k int64) {
	s.count[k]++ // assign count
}

//go:noinline
func (s *store) bumpAll(n int64) {
	for i := int64(0); i < n; i++ {
		s.bump(i) // inlined bump
	}
}

//go:noinline
func (s *store) later() func(int64) {
	return func(k int64) {
		delete(s.count, k) // delete count
	}
}

//go:noinline
func (s *store) get(id string) *sess {
	return s.byID[id] // read byID
}

//go:noinline
func (s *store) total() (sum int) {
	for _, n := range s.count { // iterate count
		sum += n
	}
	return sum
}

func main() {
	s := &store{byID: map[string]*sess{}, count: map[int64]int{}}
	for i := 0; i < len(os.Args)*3; i++ {
		s.put(fmt.Sprint("id", i), &sess{i})
	}
	s.bumpAll(4)
	s.later()(2)
	s.evict("id0")
	fmt.Println(s.names(), s.get("id1").n, s.total())
	s.reset()
	fmt.Println("a plain string of the program", len(s.byID))
}
