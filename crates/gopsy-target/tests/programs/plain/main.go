// Memory whose contents the test knows, in a process that dies or waits.
package main

import (
	"os"
	"syscall"
	"time"
	"unsafe"
)

// Another value makes another build of the same size.
const constant = "the constant of the first build"

var global = [4]uint64{0x1111, 0x2222, 0x3333, 0x4444}

func main() {
	heap := make([]byte, 1<<20)
	for i := range heap {
		heap[i] = byte(i * 7)
	}
	// With neighbours that may not be touched, so that the kernel does not make one mapping of it and others.
	around, _ := syscall.Mmap(-1, 0, 3<<20, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	secret := around[1<<20 : 2<<20]
	syscall.Mprotect(secret, syscall.PROT_READ|syscall.PROT_WRITE)
	var how string
	if len(os.Args) > 2 {
		how = os.Args[2]
	}
	switch how {
	case "untouched":
	case "read":
		global[3] += uint64(secret[0])
	case "freed":
		secret[0] = 1
		syscall.Madvise(secret, syscall.MADV_DONTNEED)
	case "dontdump":
		secret[0] = 1
		const dontDump = 16
		syscall.Madvise(secret, dontDump)
	default:
		secret[0] = 1
	}
	// To standard output, which the runtime's println is not.
	line := hex(uintptr(unsafe.Pointer(&heap[0]))) + " " + hex(uintptr(unsafe.Pointer(&global))) + " " +
		hex(uintptr(unsafe.Pointer(&secret[0]))) + " " + hex(uintptr(unsafe.Pointer(unsafe.StringData(constant)))) + "\n"
	os.Stdout.WriteString(line)
	if os.Args[1] == "wait" {
		time.Sleep(time.Hour)
	}
	global[3]++
	var none *int
	*none = int(heap[3])
}

func hex(n uintptr) string {
	if n < 16 {
		return "0123456789abcdef"[n : n+1]
	}
	return hex(n/16) + hex(n%16)
}
