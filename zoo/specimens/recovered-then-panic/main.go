// One panic is recovered, another one kills.
package main

import "fmt"

//go:noinline
func parse(s string) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("parse: %v", v)
		}
	}()
	return fmt.Errorf("%c", s[9])
}

//go:noinline
func must(err error) {
	if err != nil {
		panic(err) // culprit
	}
}

func main() {
	must(parse("short"))
}
