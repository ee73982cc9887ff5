//go:build generic
// +build generic

package main

type pair[T any] struct{ a, b T }

// Its map's type stands in a dictionary: T is not known when this is compiled.
//
//go:noinline
func (p *pair[T]) count(m map[int]pair[T]) {
	m[len(m)] = *p // dictionary
}

func init() {
	(&pair[string]{"a", "b"}).count(map[int]pair[string]{})
}
