// A supervisor panics with the text of another program's nil dereference.
package main

import "errors"

//go:noinline
func supervise(childSaid string) {
	panic(errors.New(childSaid)) // culprit: the child's words, this program's panic
}

func main() {
	supervise("runtime error: invalid memory address or nil pointer dereference")
}
