// The goroutine that fails has ancestors, and the runtime was asked to keep them.
package main

type stats struct{ byName map[string]int }

//go:noinline
func (s *stats) count(name string) {
	s.byName[name]++ // culprit: byName is nil
}

//go:noinline
func inner(done chan bool) {
	var s stats
	s.count("a")
	done <- true
}

//go:noinline
func outer(done chan bool) {
	go inner(done)
	<-done
}

func main() {
	done := make(chan bool)
	go outer(done)
	<-done
}
