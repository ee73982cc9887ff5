// More goroutines sit in system calls than the program allows threads.
package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
)

//go:noinline
func block(fd int) {
	runtime.LockOSThread()
	var b [1]byte
	_, _ = syscall.Read(fd, b[:]) // nothing ever comes
}

func main() {
	debug.SetMaxThreads(12)
	r, _, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	fd := int(r.Fd()) // a blocking descriptor
	for i := 0; i < 20; i++ {
		go block(fd)
	}
	time.Sleep(time.Minute)
}
