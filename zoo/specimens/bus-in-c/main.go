// C code reads a mapping whose file has been cut short.
package main

/*
static char last(const volatile char *p, long n) { return p[n - 1]; }
*/
import "C"

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

//go:noinline
func last(b []byte) byte {
	return byte(C.last((*C.char)(unsafe.Pointer(&b[0])), C.long(len(b)))) // culprit
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	f, err := os.Create("data")
	check(err)
	check(f.Truncate(8192))
	b, err := syscall.Mmap(int(f.Fd()), 0, 8192, syscall.PROT_READ, syscall.MAP_SHARED)
	check(err)
	check(f.Truncate(4096))
	fmt.Println(last(b))
}
