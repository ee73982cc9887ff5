// A type lacks a method of the interface it is asserted to be.
package main

import "fmt"

type user struct{ name string }

type named interface{ Name() string }

//go:noinline
func name(v interface{}) string {
	return v.(named).Name() // culprit: user has no method Name
}

func main() {
	fmt.Println(name(user{"bob"}))
}
