// A finalizer is set on what is no pointer.
package main

import "runtime"

type handle int

//go:noinline
func open(fd int) handle {
	h := handle(fd)
	runtime.SetFinalizer(h, func(h handle) {}) // culprit: h is no pointer
	return h
}

func main() {
	println(open(3))
}
