// A pointer is made of bytes that are none.
package main

import (
	"fmt"
	"unsafe"
)

//go:noinline
func read(word uint64) byte {
	p := *(*unsafe.Pointer)(unsafe.Pointer(&word))
	return *(*byte)(p) // culprit: no address can have these bits
}

func main() {
	fmt.Println(read(0x6f77206f6c6c6568))
}
