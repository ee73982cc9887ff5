// C gets a pointer to Go memory that holds a Go pointer.
package main

/*
struct request { char *body; };

static void submit(struct request *r) { (void)r; }
*/
import "C"

import "unsafe"

//go:noinline
func submit(body []byte) {
	r := &C.struct_request{body: (*C.char)(unsafe.Pointer(&body[0]))}
	C.submit(r) // culprit: r points to Go memory that points to Go memory
}

func main() {
	submit(make([]byte, 16))
}
