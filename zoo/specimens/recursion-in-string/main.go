// String formats its own receiver.
package main

import (
	"fmt"
	"runtime/debug"
)

type point struct{ x, y int }

func (p point) String() string {
	return fmt.Sprintf("point %v", p) // culprit: %v calls String
}

func main() {
	debug.SetMaxStack(1 << 20)
	fmt.Println(point{1, 2}.String())
}
