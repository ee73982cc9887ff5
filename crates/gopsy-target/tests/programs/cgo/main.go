// A process in which libc and the loader are mapped.
package main

/*
#include <stdlib.h>
static void die(void) { abort(); }
*/
import "C"

func main() {
	C.die()
}
