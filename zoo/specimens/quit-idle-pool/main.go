// A pool of workers waits for work, as it should.
package main

import (
	"fmt"
	"time"
)

//go:noinline
func worker(jobs <-chan int) {
	for job := range jobs {
		fmt.Println(job)
	}
}

func main() {
	jobs := make(chan int)
	for i := 0; i < 200; i++ {
		go worker(jobs)
	}
	fmt.Println("ready")
	for i := 0; ; i++ {
		time.Sleep(time.Hour)
		jobs <- i
	}
}
