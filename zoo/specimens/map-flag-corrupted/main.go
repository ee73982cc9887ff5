// Careless unsafe code overwrites the header of a map that no other goroutine has.
package main

import (
	"fmt"
	"unsafe"
)

//go:noinline
func put(m map[string]int, key string) {
	m[key] = 1 // culprit: the header says that somebody writes
}

func main() {
	m := map[string]int{"a": 1}
	header := *(*unsafe.Pointer)(unsafe.Pointer(&m))
	*(*byte)(unsafe.Pointer(uintptr(header) + writing)) = 4 | 1
	put(m, "b")
	fmt.Println(m)
}
