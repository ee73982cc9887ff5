// The program that loads it, leaves a goroutine in it and dies there.
package main

import (
	"os"
	"plugin"
	"time"
)

func main() {
	p, err := plugin.Open("./p.so")
	if err != nil {
		panic(err)
	}
	serve, err := p.Lookup("Serve")
	if err != nil {
		panic(err)
	}
	go serve.(func(chan int) int)(make(chan int))
	time.Sleep(200 * time.Millisecond)
	dies, err := p.Lookup(os.Args[1])
	if err != nil {
		panic(err)
	}
	dies.(func())()
}
