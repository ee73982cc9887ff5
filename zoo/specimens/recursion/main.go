// A directory walk forgets to go down.
package main

import "fmt"

type dir struct{ path string }

//go:noinline
func size(d dir, depth int) int {
	return 1 + size(d, depth+1) // culprit: it never ends
}

func main() {
	fmt.Println(size(dir{"/"}, 0))
}
