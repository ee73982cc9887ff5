// The value of the panic is a struct, which the runtime does not print.
package main

type exit struct {
	code int
	why  string
}

//go:noinline
func quit(code int, why string) {
	panic(exit{code, why}) // culprit
}

func main() {
	quit(3, "no licence")
}
