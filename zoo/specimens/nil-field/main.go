// A linked list is walked one step too far.
package main

import "fmt"

type node struct {
	name string
	next *node
	size int
}

//go:noinline
func second(n *node) int {
	return n.next.size // culprit: n.next is nil, size lies at a small offset from it
}

func main() {
	fmt.Println(second(&node{name: "only"}))
}
