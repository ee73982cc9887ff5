// Command dump parks 100,000 goroutines in three stacks and panics. What it prints is what gopsy and its peers read in
// the benchmark: 100,001 goroutines in four groups with GOTRACEBACK=all; with GOTRACEBACK=crash seven goroutines of the
// runtime more (100,008), in six more groups.
//
// No function takes a number that differs from goroutine to goroutine: panicparse makes a bucket of each value, and its
// time grows with goroutines times buckets (with one such argument it did not end within seven minutes).
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"sync"
	"time"
)

// Job is what the workers wait for.
type Job struct{ Name string }

// Pool is a pool of workers that never get work.
type Pool struct {
	jobs chan Job
	quit chan struct{}
	mu   sync.Mutex
	done int
}

func (p *Pool) receive() Job { return <-p.jobs }

func (p *Pool) worker() {
	for {
		job := p.receive()
		fmt.Println(job.Name)
	}
}

func (p *Pool) wait() bool {
	select {
	case job := <-p.jobs:
		fmt.Println(job.Name)
		return true
	case <-p.quit:
		return false
	}
}

func (p *Pool) watcher() {
	for p.wait() {
	}
}

func (p *Pool) count() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
}

func (p *Pool) locker() { p.count() }

const goroutines = 100_000

func main() {
	runtime.GOMAXPROCS(2) // so that there are two workers of the collector, whatever the machine
	p := &Pool{jobs: make(chan Job), quit: make(chan struct{})}
	p.mu.Lock()
	for i := range goroutines {
		switch i % 10 {
		case 0:
			go p.watcher()
		case 1:
			go p.locker()
		default:
			go p.worker()
		}
	}
	// Two goroutines of the runtime start on demand: that of the finalizers and the collector's.
	runtime.SetFinalizer(new(Job), func(*Job) {})
	runtime.GC()
	waiting := []metrics.Sample{{Name: "/sched/goroutines/waiting:goroutines"}}
	for {
		time.Sleep(200 * time.Millisecond)
		metrics.Read(waiting)
		if waiting[0].Value.Uint64() >= goroutines {
			break
		}
	}
	time.Sleep(200 * time.Millisecond)
	fmt.Fprintln(os.Stderr, "everybody waits")
	panic("the benchmark is over")
}
