// A size that was read from a damaged header is believed.
package main

import "fmt"

//go:noinline
func body(size int) []byte {
	return make([]byte, size) // culprit: 64 TiB
}

func main() {
	fmt.Println(len(body(1 << 46)))
}
