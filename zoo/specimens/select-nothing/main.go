// main parks itself for good, and the only other goroutine has returned.
package main

import "fmt"

func main() {
	done := make(chan bool)
	go func() {
		fmt.Println("served")
		close(done)
	}()
	<-done
	select {} // culprit
}
