// A method is called through a nil pointer and reads a field of it.
package main

import "fmt"

type session struct {
	user string
	hits int
}

//go:noinline
func (s *session) touch() int {
	s.hits++ // culprit: s is nil
	return s.hits
}

func find(name string) *session {
	if name == "root" {
		return &session{user: name}
	}
	return nil
}

func main() {
	fmt.Println(find("guest").touch())
}
