// Two goroutines write to one bytes.Buffer.
package main

import (
	"bytes"
	"fmt"
	"sync"
)

//go:noinline
func note(b *bytes.Buffer, line string) {
	b.WriteString(line) // culprit: a Buffer has no lock
}

func main() {
	var b bytes.Buffer
	var wg sync.WaitGroup
	for i := 0; i < 2; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			note(&b, "x")
		}()
	}
	wg.Wait()
	fmt.Println(b.Len() > 0)
}
