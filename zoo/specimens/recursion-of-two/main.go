// Two methods hand the work to each other.
package main

import (
	"fmt"
	"runtime/debug"
)

type even struct{}

type odd struct{}

//go:noinline
func (e even) is(n int) bool {
	return n != 1 && !odd{}.is(n-2) // culprit: n skips the end
}

//go:noinline
func (o odd) is(n int) bool {
	return n != 1 && !even{}.is(n-2) // culprit
}

func main() {
	debug.SetMaxStack(1 << 20)
	fmt.Println(even{}.is(10))
}
