package app

import (
	"testing"
	"testing/synctest"
)

var events chan int

func publish() {
	events <- 1 // culprit: the channel belongs to the bubble
}

func TestEvents(t *testing.T) {
	made, sent := make(chan bool), make(chan bool)
	go func() {
		<-made
		publish()
		close(sent)
	}()
	synctest.Test(t, func(t *testing.T) {
		events = make(chan int, 1)
	})
	close(made)
	<-sent
}
