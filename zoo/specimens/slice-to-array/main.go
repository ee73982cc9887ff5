// A short message is turned into a fixed array.
package main

import "fmt"

//go:noinline
func digest(b []byte) *[4]byte {
	return (*[4]byte)(b) // culprit: b has 2 bytes
}

func main() {
	fmt.Println(digest([]byte("ab")))
}
