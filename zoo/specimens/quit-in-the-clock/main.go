// Two goroutines that read the clock all the time are asked what they do: the vDSO is called on the threads' system stacks, and they have
// left off nowhere.
package main

import (
	"fmt"
	"time"
)

//go:noinline
func expired(deadline time.Time) bool {
	return time.Now().After(deadline)
}

func poll(deadline time.Time) {
	for !expired(deadline) {
	}
}

func main() {
	deadline := time.Now().Add(time.Hour)
	go poll(deadline)
	fmt.Println("ready")
	poll(deadline)
}
