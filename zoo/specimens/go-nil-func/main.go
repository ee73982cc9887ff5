// A hook that nobody set is started as a goroutine.
package main

type server struct{ onReady func() }

//go:noinline
func (s *server) start() {
	go s.onReady() // culprit: the func is nil
}

func main() {
	(&server{}).start()
}
