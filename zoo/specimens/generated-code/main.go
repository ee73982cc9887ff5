// A program that generates machine code and registers it with the runtime, so that stacks can be walked through it.
package main

import (
	"encoding/binary"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

//go:linkname lastmoduledatap runtime.lastmoduledatap
var lastmoduledatap *moduledata

// moduledata is as long as the longest of Go 1.16 to 1.27. Its pointers are where the offsets below say.
type moduledata [75]uintptr

// Where the members stand, in words.
const (
	pcHeaderAt    = 0
	funcnametabAt = 1
	cutabAt       = 4
	filetabAt     = 7
	pctabAt       = 10
	pclntableAt   = 13
	ftabAt        = 16
	findfunctabAt = 19
	minpcAt       = 20
	maxpcAt       = 21
	textAt        = 22
	etextAt       = 23
)

// kept is what the modules point to: the collector does not look into them.
var kept []interface{}

// minor is the release that this was built with.
func minor() int {
	digits := strings.FieldsFunc(runtime.Version(), func(r rune) bool { return r < '0' || r > '9' })
	number, err := strconv.Atoi(digits[1])
	if err != nil {
		panic(err)
	}
	return number
}

// nextAt is where the pointer to the next module stands, by the release since which it does.
var nextAt = []struct{ minor, bytes int }{{16, 528}, {18, 544}, {20, 560}, {21, 584}, {23, 576}, {26, 584}, {27, 560}}

func bytesAt(bytes []byte) uintptr {
	kept = append(kept, bytes)
	return uintptr(unsafe.Pointer(&bytes[0]))
}

// table writes numbers of four bytes (eight, if wide is set).
func table(wide bool, numbers ...int) []byte {
	var out []byte
	for _, number := range numbers {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], uint64(number))
		if wide {
			out = append(out, word[:]...)
		} else {
			out = append(out, word[:4]...)
		}
	}
	return out
}

// load makes code executable and tells the runtime which function it is, and how far its stack pointer stands below that of its
// entry: nothing at its first byte and its last, a word between.
func load(name string, code []byte) uintptr {
	page, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	copy(page, code)
	if err := syscall.Mprotect(page, syscall.PROT_READ|syscall.PROT_EXEC); err != nil {
		panic(err)
	}
	start, size, release := uintptr(unsafe.Pointer(&page[0])), len(code), minor()
	// As the runtime reads it: the change of the value (its sign in the lowest bit), then how many bytes it holds for.
	pctab := []byte{0, 2, 1, 16, byte(size - 2), 15, 1, 0}
	var header, ftab, function []byte
	record := 64
	switch {
	case release <= 17:
		// The numbers of a function: its entry, its name, 0, 0, its pctab, and what it has none of.
		header = table(false, 0xfffffffa)
		ftab = table(true, int(start), record, int(start)+size, 0)
		function = append(table(true, int(start)), table(false, 1, 0, 0, 1, 0, 0, 0, 0, 0)...)
	case release <= 19:
		header = table(false, 0xfffffff0)
		ftab = table(false, 0, record, size, 0)
		function = table(false, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0)
	default:
		header = table(false, 0xfffffff1)
		ftab = table(false, 0, record, size, 0)
		function = table(false, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	}
	header = append(header, 0, 0, 1, 8)
	header = append(header, make([]byte, 64)...)
	pclntable := append(make([]byte, record), function...)
	pclntable = append(pclntable, make([]byte, 64)...)

	module := new(moduledata)
	list := func(at int, bytes []byte, length int) {
		module[at], module[at+1], module[at+2] = bytesAt(bytes), uintptr(length), uintptr(length)+8
	}
	entries := 2
	module[pcHeaderAt] = bytesAt(header)
	list(funcnametabAt, append(append([]byte{0}, name...), 0), len(name)+2)
	list(cutabAt, make([]byte, 4), 1)
	list(filetabAt, make([]byte, 1), 1)
	list(pctabAt, pctab, len(pctab))
	list(pclntableAt, pclntable, len(pclntable))
	list(ftabAt, ftab, entries)
	module[findfunctabAt] = bytesAt(make([]byte, 64))
	module[minpcAt], module[maxpcAt] = start, start+uintptr(size)
	module[textAt], module[etextAt] = start, start+4096
	kept = append(kept, module, page)
	lastmoduledatap.next(module, release)
	return start
}

// next puts a module behind the last.
//
//go:nocheckptr
func (last *moduledata) next(module *moduledata, release int) {
	at := 0
	for _, since := range nextAt {
		if since.minor <= release {
			at = since.bytes / 8
		}
	}
	last[at] = uintptr(unsafe.Pointer(module))
	lastmoduledatap = module
}

// closure is a value of type func(): its code, and what the code finds behind it.
type closure struct {
	code   uintptr
	target func()
}

// callsItsTarget is:
//
//	push rbp; mov rbp, rsp; mov rdx, [rdx+8]; call [rdx]; pop rbp; ret
var callsItsTarget = []byte{0x55, 0x48, 0x89, 0xe5, 0x48, 0x8b, 0x52, 0x08, 0xff, 0x12, 0x5d, 0xc3}

// compile gives a function that does what the target does, through generated code.
func compile(name string, target func()) func() {
	value := &closure{load(name, callsItsTarget), target}
	kept = append(kept, value)
	return *(*func())(unsafe.Pointer(&value))
}

type cursor struct{ at int }

var sum int

//go:noinline
func (c *cursor) step() {
	sum += c.at // culprit: c is nil
}

func main() {
	input := make(chan int)
	wait := compile("jit.(*Program).read", func() { sum += <-input })
	go wait()
	time.Sleep(50 * time.Millisecond)
	var none *cursor
	step := compile("jit.(*Program).step", func() { none.step() })
	step()
	input <- sum
}
