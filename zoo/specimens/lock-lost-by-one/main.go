// Two goroutines wait for one lock that a third took to its grave.
package main

import "sync"

type account struct {
	mu      sync.Mutex
	balance int
}

func (a *account) freeze() {
	a.mu.Lock() // and never unlocks
}

//go:noinline
func (a *account) deposit(n int) {
	a.mu.Lock() // culprit: nobody holds it who could unlock
	defer a.mu.Unlock()
	a.balance += n
}

func main() {
	var a account
	var wg sync.WaitGroup
	wg.Add(1)
	go func() { defer wg.Done(); a.freeze() }()
	wg.Wait()
	wg.Add(2)
	go func() { defer wg.Done(); a.deposit(1) }()
	go func() { defer wg.Done(); a.deposit(2) }()
	wg.Wait()
}
