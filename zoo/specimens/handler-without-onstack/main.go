// A C library puts its own handler in front of Go's and forgets a flag: the handler runs on whatever stack is there.
package main

/*
#include <signal.h>
#include <string.h>

static struct sigaction before;

static void log_and_pass_on(int signal, siginfo_t *info, void *context) {
	before.sa_sigaction(signal, info, context);
}

static void watch(int signal) {
	struct sigaction own;
	memset(&own, 0, sizeof own);
	own.sa_sigaction = log_and_pass_on;
	own.sa_flags = SA_SIGINFO; // SA_ONSTACK is missing
	sigaction(signal, &own, &before);
}
*/
import "C"

import "syscall"

//go:noinline
func deep(n int) byte {
	var room [1024]byte
	if n > 0 {
		room[n] = deep(n - 1)
	}
	return room[n]
}

//go:noinline
func compute() int {
	for i := 0; ; i++ {
		if i == 1<<20 {
			syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)
		}
	}
}

func main() {
	deep(100) // the goroutine's stack is large enough for the handler
	C.watch(C.int(syscall.SIGUSR1))
	compute()
}
