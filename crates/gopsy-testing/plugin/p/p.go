// A plugin: its functions, and the types of its values, stand in a module of their own.
package main

type Thing struct{ N int }

//go:noinline
func (t *Thing) Wait(c chan int) int { return <-c + t.N }

var byName = map[string]*Thing{}

//go:noinline
func inner(c chan int) int {
	t := &Thing{3}
	byName["t"] = t // the only one to write such a map
	return t.Wait(c)
}

func Serve(c chan int) int { return inner(c) + 1 }

func Boom() {
	var t *Thing
	t.N = 5
}

func Throw() { panic(&Thing{7}) }
