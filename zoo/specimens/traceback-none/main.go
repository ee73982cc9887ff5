// A nil pointer, told with GOTRACEBACK=none.
package main

import "fmt"

type item struct{ name, value string }

//go:noinline
func show(i *item) string {
	return i.value // culprit: i is nil
}

func main() {
	wait := make(chan bool)
	go func() { <-wait }()
	fmt.Println(show(nil))
}
