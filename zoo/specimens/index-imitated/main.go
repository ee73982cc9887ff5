// A checked index: the program refuses it in its own words.
package main

import "fmt"

//go:noinline
func check(i, n int) {
	if i >= n {
		panic(fmt.Errorf("index out of range [%d] with length %d", i, n)) // culprit
	}
}

func main() {
	check(5, 3)
}
