// A channel that was never made is closed.
package main

type worker struct{ done chan struct{} }

//go:noinline
func (w *worker) stop() {
	close(w.done) // culprit: done is nil
}

func main() {
	var w worker
	w.stop()
}
