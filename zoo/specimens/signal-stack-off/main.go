// A C library switches the thread's alternate signal stack off.
package main

/*
#include <signal.h>
#include <string.h>

static void switch_off(void) {
	stack_t none;
	memset(&none, 0, sizeof none);
	none.ss_flags = SS_DISABLE;
	sigaltstack(&none, 0);
}
*/
import "C"

import (
	"runtime"
	"syscall"
)

//go:noinline
func deep(n int) byte {
	var room [1024]byte
	if n > 0 {
		room[n] = deep(n - 1)
	}
	return room[n]
}

//go:noinline
func compute() {
	for i := 0; ; i++ {
		if i == 1<<20 {
			syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)
		}
	}
}

func init() { runtime.LockOSThread() }

func main() {
	deep(100) // the goroutine's stack is large enough for the handler
	C.switch_off()
	compute()
}
