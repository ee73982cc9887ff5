// The channel that is received from was never made.
package main

import "fmt"

type worker struct{ done chan bool }

//go:noinline
func (w *worker) wait() bool {
	return <-w.done // culprit: done is nil
}

func main() {
	var w worker
	fmt.Println(w.wait())
}
