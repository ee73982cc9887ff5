// The program was built for a processor that this machine does not have.
package main

/*
// vp4dpwssd exists on no processor but Knights Mill.
static void dot(const void *p) {
	__asm__ volatile("vp4dpwssd (%0), %%zmm0, %%zmm4" : : "r"(p) : "memory");
}
*/
import "C"

import "unsafe"

func main() {
	var b [64]byte
	C.dot(unsafe.Pointer(&b[0])) // culprit: an instruction of AVX512_4VNNIW
}
