// C code follows a pointer to nowhere.
package main

/*
static long read_at(unsigned long where) {
	return *(volatile long *)where;
}
*/
import "C"

import "fmt"

//go:noinline
func read(where uint64) int {
	return int(C.read_at(C.ulong(where))) // culprit: C gets a number
}

func main() {
	fmt.Println(read(0x123456789000))
}
