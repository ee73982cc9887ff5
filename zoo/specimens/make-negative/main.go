// A length from a header of a message is negative.
package main

import "fmt"

//go:noinline
func body(length int32) []byte {
	return make([]byte, length) // culprit: length is -1
}

func main() {
	fmt.Println(len(body(-1)))
}
