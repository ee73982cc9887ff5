// C code divides by zero.
package main

/*
static int ratio(int a, int b) { volatile int d = b; return a / d; }
*/
import "C"

import "fmt"

//go:noinline
func ratio(a, b int) int {
	return int(C.ratio(C.int(a), C.int(b))) // culprit: b is 0
}

func main() {
	fmt.Println(ratio(1, 0))
}
