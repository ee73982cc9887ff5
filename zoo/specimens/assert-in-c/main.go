// An assertion in C fails.
package main

/*
#include <assert.h>

static void push(int depth) {
	assert(depth < 16);
}
*/
import "C"

//go:noinline
func push(depth int) {
	C.push(C.int(depth)) // culprit
}

func main() {
	push(16)
}
