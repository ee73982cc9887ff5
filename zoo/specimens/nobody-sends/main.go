// main waits for an answer that nobody sends.
package main

import "fmt"

//go:noinline
func answer(c <-chan string) string {
	return <-c // culprit
}

func main() {
	fmt.Println(answer(make(chan string)))
}
