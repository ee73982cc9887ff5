// A breakpoint was left in the program.
package main

import "runtime"

//go:noinline
func debugHere() {
	runtime.Breakpoint() // culprit
}

func main() {
	debugHere()
}
