// C code jumps over the Go frames of a callback.
package main

/*
void run(void);
void leave(void);
*/
import "C"

//export callback
func callback() {
	C.leave() // culprit: jumps back into run
}

func main() {
	C.run() // culprit: run sets the jump that crosses callback
}
