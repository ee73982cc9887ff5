// A program that dies with much for its core to know. It prints where its channels and locks are.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
)

type item struct{ a, b int }

type disk struct {
	Name  string
	Parts []int
}

type failure struct {
	Code int
	Disk disk
	Err  error
	Any  interface{}
	ok   bool
	F    float32
	arr  [3]uint8
}

func (f *failure) Error() string { return fmt.Sprintf("failure %d", f.Code) }

type plain struct {
	A, B int
	S    string
}

// Its fields leave out bytes in all the ways there are, the last one for what has no size.
type padded struct {
	on   bool
	n    int
	b    byte
	half int16
	arr  [3]byte
	disk
	last struct{}
}

type text string

type spoken int

func (s spoken) String() string { return "spoken!" }

func cleanup(int) {}

//go:noinline
func throwing(n int, mu *sync.Mutex) {
	for i := 0; i < n; i++ {
		defer cleanup(i)
	}
	for i := 0; i < n; i++ {
		mu.Unlock()
	}
}

func waits() {
	c := make(chan int)
	d := make(chan *item, 4)
	full := make(chan string, 2)
	full <- "a"
	full <- "b"
	var mu sync.Mutex
	var rw sync.RWMutex
	var wg sync.WaitGroup
	mu.Lock()
	rw.RLock()
	wg.Add(1)
	for i := 0; i < 3; i++ {
		go func() { <-c }()
		go func() { mu.Lock() }()
	}
	go func() {
		select {
		case <-d:
		case full <- "d":
		}
	}()
	go func() { full <- "c" }()
	go func() { rw.Lock() }()
	go func() { wg.Wait() }()
	go func() { var none chan bool; <-none }()
	go func() { time.Sleep(time.Hour) }()
	time.AfterFunc(2*time.Hour, func() {})
	time.AfterFunc(3*time.Hour, func() {}).Stop()
	time.Sleep(300 * time.Millisecond)
	fmt.Printf("c=%p d=%p full=%p mu=%p rw=%p wg=%p\n", c, d, full, &mu, &rw, &wg)
	syscall.Kill(syscall.Getpid(), syscall.SIGABRT)
	time.Sleep(time.Second)
}

func ready() {
	for {
		runtime.Gosched()
	}
}

// There is one processor for all of these. It has room for 256 and one, and the others stand in the queue of all.
func queues() {
	debug.SetMaxStack(1 << 20)
	debug.SetMaxThreads(1234)
	runtime.GOMAXPROCS(1)
	for i := 0; i < 600; i++ {
		go ready()
	}
	panic("enough")
}

var kept []byte

// Five collections; one stretch of memory outlives them, others do not.
func collected() {
	debug.SetGCPercent(173)
	kept = make([]byte, 40<<20)
	for i := 0; i < 5; i++ {
		kept[i] = make([]byte, 20<<20)[i]
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	fmt.Printf("cycles=%d live=%d\n", stats.NumGC, stats.HeapAlloc)
	panic("enough")
}

func main() {
	f := &failure{7, disk{"sd\"a", []int{1, 2, 3}}, fmt.Errorf("inner"), 3.5, true, 1.25, [3]uint8{1, 2, 3}}
	switch os.Args[1] {
	case "error":
		panic(f)
	case "struct":
		panic(plain{1, -2, "x\ny"})
	case "pointer":
		panic(&plain{1, -2, "x"})
	case "nil":
		// From Go 1.21 on with the GODEBUG of a go.mod that asks for less.
		panic(nil)
	case "padded":
		panic(padded{true, -5, 1, -2, [3]byte{1, 2, 3}, disk{"sda", nil}, struct{}{}})
	case "text":
		panic(text("hello"))
	case "stringer":
		panic(spoken(3))
	case "float":
		panic(2.5)
	case "complex":
		panic(complex(1, -2))
	case "again":
		defer func() { panic(plain{9, 9, "second"}) }()
		panic(f)
	case "throw":
		throwing(2, &sync.Mutex{})
	case "waits":
		waits()
	case "queues":
		queues()
	case "collected":
		collected()
	}
}
