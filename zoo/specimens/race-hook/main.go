// A function that is compiled with race hooks runs on the system stack, as one does that a tool calls from within the runtime. There
// is no race context.
package main

import "example.com/app/system"

var calls int

//go:noinline
func hook() { // culprit: it tells the race detector that it was entered
	calls++
}

func main() {
	system.Run(hook)
}
