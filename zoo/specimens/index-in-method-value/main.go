// A method value is called by sync.Once.
package main

import "sync"

type config struct {
	once  sync.Once
	parts []string
	name  string
}

//go:noinline
func (c *config) load() {
	c.name = c.parts[1] // culprit: there is one part
}

func main() {
	c := &config{parts: []string{"x"}}
	c.once.Do(c.load)
}
