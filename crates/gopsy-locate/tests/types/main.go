// A program with map types that look the same, or are written in several ways. Behind each line that uses a map its
// operation and its type stand, packages by their paths.
package main

import (
	"fmt"

	other "example.com/types/other/store"
	"example.com/types/store"
)

type userID int64
type sess struct{ n int }
type registry map[userID]*sess
type roster map[userID]*sess

// As registry but for the key.
type directory map[int64]*sess

//go:noinline
func add(m registry, id userID, s *sess) {
	m[id] = s // assign main.registry
}

//go:noinline
func plain(m map[userID]*sess, id userID) {
	delete(m, id) // delete map[main.userID]*main.sess
}

//go:noinline
func list(m roster) (n int) {
	for _, s := range m { // iterate main.roster
		n += s.n
	}
	return n
}

//go:noinline
func note(m directory, id int64, s *sess) {
	m[id] = s // assign main.directory
}

//go:noinline
func set(m map[string]struct{}, k string) {
	m[k] = struct{}{} // assign map[string]struct {}
}

//go:noinline
func anything(m map[interface{}]int, k interface{}) {
	m[k] = 1 // assign map[interface {}]int
}

//go:noinline
func first(k string) int {
	type local struct{ n int }
	m := map[string]local{}
	m[k] = local{1} // assign map[string]main.local
	return len(m)
}

//go:noinline
func second(k string) int {
	type local struct{ n, m int }
	m := map[string]local{}
	m[k] = local{1, 2} // assign map[string]main.local
	return len(m)
}

func main() {
	s := &store.Store{Items: map[string]*store.Item{}, Pairs: map[[2]byte]rune{}, Any: map[string]interface{}{}}
	s.Put("a", nil)
	s.PutPair([2]byte{})
	s.PutAny("a", 1)
	items := map[string]*other.Item{}
	other.Put(items, "a", nil)
	reg := registry{}
	add(reg, 1, &sess{1})
	fmt.Println(list(roster(reg)))
	plain(reg, 1)
	note(directory{}, 1, nil)
	set(map[string]struct{}{}, "a")
	anything(map[interface{}]int{}, 1)
	fmt.Println(first("a"), second("b"))
	generic()
}
