// Memory of C is freed twice.
package main

/*
#include <stdlib.h>
*/
import "C"

import "unsafe"

type buffer struct{ p unsafe.Pointer }

//go:noinline
func (b *buffer) close() {
	C.free(b.p) // culprit: the second time
}

func main() {
	b := buffer{C.malloc(32)}
	b.close()
	b.close()
}
