// A server without a fault is asked for its goroutines.
package main

import (
	"fmt"
	"net"
	"sync"
	"time"
)

type server struct {
	mu    sync.Mutex
	conns int
}

func (s *server) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns++
		s.mu.Unlock()
		c.Close()
	}
}

func (s *server) report(every <-chan time.Time) {
	for range every {
		s.mu.Lock()
		fmt.Println(s.conns)
		s.mu.Unlock()
	}
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s := &server{}
	go s.serve(l)
	go s.report(time.Tick(time.Hour))
	fmt.Println("ready")
	select {}
}
