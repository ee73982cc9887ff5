// A list is longer than the stack is deep.
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
	return 1 + length(n.next) // culprit: once for every node
}

func main() {
	debug.SetMaxStack(1 << 20)
	var list *node
	for i := 0; i < 1<<17; i++ {
		list = &node{"x", list}
	}
	fmt.Println(length(list))
}
