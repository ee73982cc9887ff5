// Two goroutines take two locks in opposite orders.
package main

import "sync"

type account struct {
	mu      sync.Mutex
	balance int
}

//go:noinline
func transfer(from, to *account, ready, go1 chan bool) {
	from.mu.Lock()
	defer from.mu.Unlock()
	ready <- true
	<-go1
	to.mu.Lock() // culprit: the other transfer holds it
	defer to.mu.Unlock()
	from.balance--
	to.balance++
}

func main() {
	var a, b account
	var wg sync.WaitGroup
	ready, go1 := make(chan bool), make(chan bool)
	wg.Add(2)
	go func() { defer wg.Done(); transfer(&a, &b, ready, go1) }()
	go func() { defer wg.Done(); transfer(&b, &a, ready, go1) }()
	<-ready
	<-ready
	close(go1)
	wg.Wait()
}
