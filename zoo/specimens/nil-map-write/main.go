// A counter that was never made is written.
package main

type stats struct{ byName map[string]int }

//go:noinline
func (s *stats) count(name string) {
	s.byName[name]++ // culprit: byName is nil
}

func main() {
	var s stats
	s.count("a")
}
