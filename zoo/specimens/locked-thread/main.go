// The goroutine of a user interface is locked to its thread and waits.
package main

import "runtime"

type loop struct{ events chan func() }

//go:noinline
func (l *loop) run() {
	runtime.LockOSThread()
	f := <-l.events // culprit: nobody sends
	f()
}

func main() {
	l := &loop{events: make(chan func())}
	l.run()
}
