// Busy until somebody kills it: with the clock of the vDSO, or with memory that is watched for races.
package main

import (
	"os"
	"time"
)

var shared [64]int

//go:noinline
func clock() {
	for {
		if time.Now().IsZero() {
			shared[0]++
		}
	}
}

//go:noinline
func count(n int) {
	for {
		for i := range shared[1:] {
			shared[i] += n
		}
	}
}

func main() {
	work := clock
	if os.Args[1] == "count" {
		work = func() { count(1) }
	}
	// Where a goroutine left off for this is long past when it is busy.
	os.Stderr.WriteString("busy\n")
	go func() { time.Sleep(300 * time.Millisecond); os.Stdout.WriteString("ready\n") }()
	work()
}
