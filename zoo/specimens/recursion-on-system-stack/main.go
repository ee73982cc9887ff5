// A function that the runtime executes on its system stack calls itself. That stack does not grow, and is small.
package main

import "example.com/app/system"

//go:norace
//go:noinline
func deeper(n int) int {
	var room [256]byte
	room[n%256] = byte(n)
	return deeper(n+1) + int(room[(n+1)%256]) // culprit
}

//go:norace
func hook() {
	deeper(0)
}

func main() {
	system.Run(hook)
}
