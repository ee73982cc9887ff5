// One goroutine hands signals on, another reads a pipe that nobody writes to: both are in system calls, entered in different ways, when a
// third fails.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func reread(fd int) {
	var b [1]byte
	n, err := syscall.Read(fd, b[:])
	fmt.Println("read", n, err)
}

func reload(c chan os.Signal) {
	for range c {
		fmt.Println("reload")
	}
}

func main() {
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		panic(err)
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	go reload(c)
	go reread(pipe[0])
	time.Sleep(50 * time.Millisecond)
	var routes []string
	fmt.Println(routes[len(os.Args)+1]) // culprit: there are none
}
