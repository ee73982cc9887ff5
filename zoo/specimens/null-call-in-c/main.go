// C code calls through a table whose entry is empty.
package main

/*
typedef void (*callback)(int);

static void fire(callback c) {
	callback volatile f = c;
	f(1);
}
*/
import "C"

//go:noinline
func fire(c C.callback) {
	C.fire(c) // culprit: C gets nil
}

func main() {
	fire(nil)
}
