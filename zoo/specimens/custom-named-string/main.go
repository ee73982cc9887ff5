// The value of the panic is a string of a type of its own, which is an error too.
package main

type reason string

func (r reason) Error() string { return "refused: " + string(r) }

type code int

//go:noinline
func refuse(c code) {
	defer func() {
		recover()
		panic(c) // culprit: what kills
	}()
	panic(reason("no licence")) // culprit: where it began
}

func main() {
	refuse(7)
}
