// An index out of range in a generic function.
package main

import "fmt"

//go:noinline
func last[T any](list []T) T {
	return list[len(list)-1] // culprit: the list is empty
}

func main() {
	fmt.Println(last([]int{}))
}
