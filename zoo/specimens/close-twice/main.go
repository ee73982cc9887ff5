// Two places close one channel.
package main

type worker struct{ done chan struct{} }

//go:noinline
func (w *worker) stop() {
	close(w.done) // culprit: the second time
}

func main() {
	w := &worker{done: make(chan struct{})}
	w.stop()
	w.stop()
}
