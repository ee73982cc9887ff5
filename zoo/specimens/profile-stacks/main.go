// A healthy pool of workers writes its goroutine profile, each goroutine with its stack.
package main

import (
	"context"
	"os"
	"runtime/pprof"
	"time"
)

func worker(jobs chan int) {
	for range jobs {
	}
}

func main() {
	jobs := make(chan int)
	pprof.Do(context.Background(), pprof.Labels("pool", "orders"), func(context.Context) {
		for i := 0; i < 40; i++ {
			go worker(jobs)
		}
	})
	time.Sleep(200 * time.Millisecond)
	pprof.Lookup("goroutine").WriteTo(os.Stdout, 2)
}
