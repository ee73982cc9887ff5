// A test waits for an event that never comes.
package app

import "testing"

func wait(events chan string) string {
	return <-events // culprit: nobody sends
}

func TestFine(t *testing.T) {}

func TestEvent(t *testing.T) {
	if wait(make(chan string)) != "ready" {
		t.Fatal("not ready")
	}
}
