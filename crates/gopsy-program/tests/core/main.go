// A program that dies of a nil dereference, two calls below main, one of them inlined.
// Two other goroutines are parked: one waits for a channel, one sleeps.
package main

import (
	"os"
	"time"
)

type account struct {
	owner   string
	history [4]int
	balance int
}

type ledger struct {
	byName map[string]*account
}

// lookup is small enough to be inlined into report.
func (l *ledger) lookup(name string) int {
	return l.byName[name].balance // nil *account: a fault at the offset of balance
}

//go:noinline
func report(l *ledger, name string) int {
	total := 1
	total += l.lookup(name)
	return total
}

//go:noinline
func waiter(c chan int) {
	<-c
}

//go:noinline
func sleeper() {
	time.Sleep(time.Hour)
}

func main() {
	l := &ledger{byName: map[string]*account{"ann": {owner: "ann", balance: 7}}}
	never := make(chan int)
	go waiter(never)
	go sleeper()
	time.Sleep(20 * time.Millisecond)
	os.Exit(report(l, "ann") + report(l, "bob"))
}
