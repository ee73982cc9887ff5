// A small number lies in a pointer variable while the stack is moved.
package main

import (
	"fmt"
	"unsafe"
)

//go:noinline
func grow(n int) int {
	var pad [1024]byte
	if n == 0 {
		return int(pad[0])
	}
	return grow(n-1) + int(pad[n%1024])
}

//go:noinline
func cast(n uintptr) *int { return *(**int)(unsafe.Pointer(&n)) }

//go:noinline
func hold(n uintptr) *int {
	p := cast(n)
	grow(100) // culprit: p is no pointer, and this frame holds it
	return p
}

func main() {
	fmt.Println(hold(7) == nil)
}
