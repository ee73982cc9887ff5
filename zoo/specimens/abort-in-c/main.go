// C code gives up.
package main

/*
#include <stdio.h>
#include <stdlib.h>

static void check(int fd) {
	if (fd < 0) {
		fputs("device: bad handle\n", stderr);
		abort();
	}
}
*/
import "C"

//go:noinline
func check(fd int) {
	C.check(C.int(fd)) // culprit
}

func main() {
	check(-1)
}
