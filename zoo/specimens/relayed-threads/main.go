// A busy program is asked for its goroutines: each of its threads tells its own in turn.
package main

import "fmt"

var sums [3]int

//go:noinline
func spin(i int, ready chan bool) {
	ready <- true
	for {
		sums[i]++
	}
}

func main() {
	ready := make(chan bool)
	for i := range sums {
		go spin(i, ready)
		<-ready
	}
	fmt.Println("ready")
	select {}
}
