// A mapping that may only be read is written.
package main

import "syscall"

//go:noinline
func set(b []byte) {
	b[0] = 1 // culprit: the mapping is read-only
}

func main() {
	b, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	set(b)
}
