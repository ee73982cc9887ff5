// panic(nil), which means that somebody forgot to fill in an error.
package main

//go:noinline
func fail(err error) {
	panic(err) // culprit: err is nil
}

func main() {
	fail(nil)
}
