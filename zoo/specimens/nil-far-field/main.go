// The field lies so far from the start that the compiler checks the pointer first.
package main

import "fmt"

type table struct {
	head [8192]byte
	size int
}

//go:noinline
func size(t *table) int {
	return t.size // culprit: t is nil, and the check reads address 0
}

func main() {
	fmt.Println(size(nil))
}
