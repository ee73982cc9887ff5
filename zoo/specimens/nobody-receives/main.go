// main sends before anybody can receive.
package main

//go:noinline
func publish(c chan<- int) {
	c <- 1 // culprit: the channel has no buffer
}

func main() {
	c := make(chan int)
	publish(c)
	<-c
}
