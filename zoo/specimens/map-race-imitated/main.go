// A checked map, as some libraries have it, panics in the words of the runtime.
package main

type guarded struct {
	data    map[string]int
	writing bool
}

//go:noinline
func (g *guarded) set(key string, value int) {
	if g.writing {
		panic("concurrent map writes") // culprit: called again from inside a write
	}
	g.writing = true
	if key == "a" {
		g.set("b", value)
	}
	g.data[key] = value
	g.writing = false
}

func main() {
	g := guarded{data: map[string]int{}}
	g.set("a", 1)
}
