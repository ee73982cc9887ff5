// A hook that nobody set is called.
package main

import "os"

type server struct {
	name string
	hook func(string)
}

//go:noinline
func (s *server) start() {
	s.hook(s.name) // culprit: hook is nil
}

func main() {
	s := &server{name: os.Args[0]}
	s.start()
}
