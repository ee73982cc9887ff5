// A panic is recovered and logged; much later the program locks up.
package main

import (
	"fmt"
	"runtime/debug"
)

type task struct{ run func() }

func try(t *task) {
	defer func() {
		if v := recover(); v != nil {
			fmt.Printf("task failed: %v\n%s\n", v, debug.Stack())
		}
	}()
	t.run()
}

//go:noinline
func await(done chan bool) bool {
	return <-done // culprit: nobody sends
}

func main() {
	try(nil)
	fmt.Println(await(make(chan bool)))
}
