// A small integer from outside is taken for a pointer.
package main

import (
	"fmt"
	"os"
	"unsafe"
)

//go:noinline
func read(handle uintptr) int64 {
	p := *(*unsafe.Pointer)(unsafe.Pointer(&handle))
	return *(*int64)(p) // culprit: a file descriptor is no pointer
}

func main() {
	fmt.Println(read(os.Stderr.Fd() + 1))
}
