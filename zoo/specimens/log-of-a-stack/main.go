// A slow request is logged with the stack of its goroutine; nothing dies.
package main

import (
	"log"
	"os"
	"runtime/debug"
)

//go:noinline
func slow(name string) {
	log.Printf("slow request %s\n%s", name, debug.Stack())
}

func main() {
	slow("/search")
	log.Print("shutting down")
	os.Exit(0)
}
