// A modest buffer does not fit, because the limit of address space is low.
package main

import (
	"fmt"
	"syscall"
)

//go:noinline
func buffer() []byte {
	return make([]byte, 192<<20) // culprit: the first large request of the program
}

func main() {
	limit := syscall.Rlimit{Cur: 128 << 20, Max: 128 << 20}
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
		panic(err)
	}
	fmt.Println(len(buffer()))
}
