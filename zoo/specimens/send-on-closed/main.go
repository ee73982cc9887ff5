// A producer sends after the owner closed the channel.
package main

//go:noinline
func produce(jobs chan<- int) {
	jobs <- 1 // culprit: jobs is closed
}

func main() {
	jobs := make(chan int, 1)
	close(jobs)
	produce(jobs)
}
