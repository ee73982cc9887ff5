// The value of the panic looks like the header of a goroutine.
package main

//go:noinline
func report(said string) {
	panic(said) // culprit
}

func main() {
	report("the child said:\ngoroutine 99 [chan receive]:\nmain.wait()\n\t/src/child/main.go:12 +0x1d")
}
