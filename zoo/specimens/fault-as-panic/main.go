// A mapped file is cut short, and faults are turned into panics.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
)

//go:noinline
func last(b []byte) byte {
	return b[len(b)-1] // culprit: the file has become shorter
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	debug.SetPanicOnFault(true)
	f, err := os.Create("data")
	check(err)
	check(f.Truncate(8192))
	b, err := syscall.Mmap(int(f.Fd()), 0, 8192, syscall.PROT_READ, syscall.MAP_SHARED)
	check(err)
	check(f.Truncate(4096))
	fmt.Println(last(b))
}
