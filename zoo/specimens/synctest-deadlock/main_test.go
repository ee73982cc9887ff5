// A goroutine of a synctest bubble is never released.
package app

import (
	"testing"
	"testing/synctest"
)

func receive(c chan int) int {
	return <-c // culprit: nobody sends
}

func TestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		receive(make(chan int))
	})
}
