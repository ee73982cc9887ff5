// Dies where its first argument says: in C, in Go below C, in Go below C below Go.
package main

/*
#include <stdint.h>

void c_outer(volatile int *p);
void c_large(volatile int *p);
void c_abort(void);
void c_jump(void (*volatile f)(void));
void c_handled(volatile int *p);
void c_back(uintptr_t depth);
void c_panics(void);
void c_blocks(void);
void c_read(void);
void c_sleep(void);
void c_wait(void);
void c_start(void);
void c_start_back(void);
void c_start_nest(void);
*/
import "C"

import (
	"os"
	"time"
)

//export goBack
func goBack(depth C.uintptr_t) {
	if depth > 0 {
		C.c_back(depth - 1)
	}
	fault()
}

//export goPanics
func goPanics() { panic("in a callback") }

//export goNests
func goNests() { C.c_panics() }

//export goQuiet
func goQuiet() {}

//export goBlocks
func goBlocks() { <-make(chan int) }

//go:noinline
func fault() { C.c_outer(nil) }

//go:noinline
func large() { C.c_large(nil) }

//go:noinline
func abort() { C.c_abort() }

//go:noinline
func jump() { C.c_jump(nil) }

//go:noinline
func handled() { C.c_handled(nil) }

//go:noinline
func nested() { C.c_back(2) }

//go:noinline
func panics() { C.c_panics() }

//go:noinline
func fromThread() { C.c_start_back() }

//go:noinline
func nestOnThread() { C.c_start_nest() }

//go:noinline
func blocked() {
	go reader()
	go sleeper()
	go waiter()
	go inCallback()
	C.c_start()
	time.Sleep(500 * time.Millisecond)
	panic("the others are blocked")
}

//go:noinline
func reader() { C.c_read() }

//go:noinline
func sleeper() { C.c_sleep() }

//go:noinline
func waiter() { C.c_wait() }

//go:noinline
func inCallback() { C.c_blocks() }

func main() {
	ways := map[string]func(){
		"fault": fault, "large": large, "abort": abort, "jump": jump, "handled": handled, "nested": nested,
		"panics": panics, "blocked": blocked, "thread": fromThread,
		"nest": nestOnThread,
	}
	ways[os.Args[1]]()
}
