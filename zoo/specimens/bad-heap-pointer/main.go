// Addresses are kept as numbers, and turned back when the memory is gone.
package main

import (
	"runtime"
	"unsafe"
)

const count = 64

type index struct{ at [count]unsafe.Pointer }

//go:noinline
func addresses() (numbers [count]uintptr) {
	var held [count][]byte // all at a time: each has a place of its own
	for i := range numbers {
		held[i] = make([]byte, 1<<20)
		numbers[i] = uintptr(unsafe.Pointer(&held[i][len(held[i])/2]))
	}
	runtime.KeepAlive(&held)
	return numbers
}

var kept = new(index)

func main() {
	numbers := addresses()
	for i := 0; i < 3; i++ {
		runtime.GC() // the memory is freed: a number keeps nothing alive
	}
	for i := range numbers {
		kept.at[i] = *(*unsafe.Pointer)(unsafe.Pointer(&numbers[i]))
	}
	runtime.GC()
}
