// Package store has the name of another package.
package store

type Item struct{ M int }

//go:noinline
func Put(m map[string]*Item, k string, v *Item) {
	m[k] = v // assign map[string]*example.com/types/other/store.Item
}
