//go:build generic
// +build generic

package main

import (
	other "example.com/types/other/store"
	"example.com/types/store"
)

type cache[K comparable, V any] struct{ m map[K]V }

type key struct {
	a string
	b int
}

type big struct{ x [200]byte }

// Two types of one shape share this; a third has code of its own.
//
//go:noinline
func (c *cache[K, V]) put(k K, v V) {
	c.m[k] = v // assign map[string]*example.com/types/store.Item | map[string]*main.sess | map[main.key]main.big
}

//go:noinline
func (c *cache[K, V]) drop(k K) {
	delete(c.m, k) // delete map[string]*example.com/types/store.Item
}

//go:noinline
func (c *cache[K, V]) each(f func(K, V)) {
	for k, v := range c.m { // iterate map[string]*example.com/types/store.Item
		f(k, v)
	}
}

// Called by another generic function, with a dictionary out of its own.
//
//go:noinline
func inner[K comparable, V any](m map[K]V, k K, v V) {
	m[k] = v // assign map[string]*example.com/types/other/store.Item | map[uint32]bool
}

//go:noinline
func outer[V any](m map[string]V, v V) {
	inner(m, "a", v)
}

// What a closure finds, it finds in its context.
//
//go:noinline
func later[K comparable, V any](m map[K]V, k K) func() {
	return func() {
		delete(m, k) // delete map[string]float64
	}
}

// Calls itself, and twice with what it was given.
//
//go:noinline
func again[K comparable](m map[K]int16, k K, n int) {
	if n > 0 {
		again(m, k, n-1)
		m[k]++ // assign map[string]int16
		again(m, k, n-2)
	}
}

type putter interface{ put(k string, v *sess) }

func generic() {
	items := &cache[string, *store.Item]{m: map[string]*store.Item{}}
	items.put("a", nil)
	items.drop("a")
	items.each(func(string, *store.Item) {})
	// By a method of an interface.
	var p putter = &cache[string, *sess]{m: map[string]*sess{}}
	p.put("a", nil)
	large := &cache[key, big]{m: map[key]big{}}
	large.put(key{}, big{})
	outer(map[string]*other.Item{}, nil)
	// By a func value.
	f := inner[uint32, bool]
	if len(items.m) == 0 {
		f = nil
	}
	if f != nil {
		f(map[uint32]bool{}, 1, true)
	}
	later(map[string]float64{}, "a")()
	again(map[string]int16{}, "a", 2)
}
