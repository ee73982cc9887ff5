// Every request leaves a goroutine behind that cannot deliver its answer.
package main

import (
	"fmt"
	"time"
)

//go:noinline
func query(answers chan<- int) {
	answers <- 1 // culprit: the caller has gone after the first answer
}

func first() int {
	answers := make(chan int)
	go query(answers)
	go query(answers)
	return <-answers
}

func main() {
	for i := 0; i < 200; i++ {
		first()
	}
	fmt.Println("ready")
	time.Sleep(time.Hour)
}
