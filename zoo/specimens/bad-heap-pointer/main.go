// An address is kept as a number, and turned back when the memory is gone.
package main

import (
	"runtime"
	"unsafe"
)

type box struct{ p unsafe.Pointer }

//go:noinline
func address() uintptr {
	b := make([]byte, 4<<20)
	return uintptr(unsafe.Pointer(&b[3<<20])) // the front is soon in use again
}

var kept = new(box)

func main() {
	n := address()
	for i := 0; i < 3; i++ {
		runtime.GC() // the memory is freed: a number keeps nothing alive
	}
	kept.p = *(*unsafe.Pointer)(unsafe.Pointer(&n))
	runtime.GC()
}
