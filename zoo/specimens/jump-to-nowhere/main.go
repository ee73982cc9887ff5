// A func value points to a code pointer that is none.
package main

import "unsafe"

type funcval struct{ code uintptr }

//go:noinline
func call(f func()) {
	f() // culprit: there is no code
} // culprit: the traceback counts from the return address, which is here

func main() {
	v := &funcval{0x123456789000}
	call(*(*func())(unsafe.Pointer(&v)))
}
