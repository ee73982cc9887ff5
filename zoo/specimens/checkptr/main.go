// A word is read from an odd address, in a build that checks.
package main

import (
	"fmt"
	"unsafe"
)

var packet = make([]byte, 64)

//go:noinline
func word(b []byte) *uint64 {
	return (*uint64)(unsafe.Pointer(&b[len(b)-4])) // culprit: the last four bytes are not eight
}

func main() {
	fmt.Println(*word(packet))
}
