// A slice of a mapping is used after the mapping is gone.
package main

import (
	"fmt"
	"syscall"
)

//go:noinline
func first(b []byte) byte {
	return b[0] // culprit: the page is not mapped any more
}

func main() {
	b, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	keep := b[:len(b):len(b)]
	if err := syscall.Munmap(b); err != nil {
		panic(err)
	}
	fmt.Println(first(keep))
}
