// One index too far.
package main

import "fmt"

//go:noinline
func pick(list []string, i int) string {
	return list[i] // culprit: i is 5, there are 3
}

func main() {
	fmt.Println(pick([]string{"a", "b", "c"}, 5))
}
