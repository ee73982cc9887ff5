// A function that the runtime executes on its system stack has a large variable: one call is enough.
package main

import "example.com/app/system"

//go:norace
//go:noinline
func report(n int) byte { // culprit: the stack has no room for its frame
	var room [100 << 10]byte
	for i := range room {
		room[i] = byte(i + n)
	}
	return room[n%len(room)]
}

var got byte

//go:norace
func hook() {
	got = report(7)
}

func main() {
	system.Run(hook)
}
