// A parent became its own grandchild.
package main

import (
	"fmt"
	"runtime/debug"
)

type node struct {
	name string
	next *node
}

//go:noinline
func length(n *node) int {
	if n == nil {
		return 0
	}
	return 1 + length(n.next) // culprit: the list bites its tail
}

func main() {
	debug.SetMaxStack(1 << 20)
	a, b := &node{name: "a"}, &node{name: "b"}
	a.next, b.next = b, a
	fmt.Println(length(a))
}
