// Command gsp is gostackparse with the least around it that counts goroutines by their stacks.
package main

import (
	"fmt"
	"hash/maphash"
	"os"

	"github.com/DataDog/gostackparse"
)

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	goroutines, errs := gostackparse.Parse(file)
	groups := make(map[uint64]int)
	seed := maphash.MakeSeed()
	for _, g := range goroutines {
		var h maphash.Hash
		h.SetSeed(seed)
		frame := func(f *gostackparse.Frame) {
			h.WriteString(f.Func)
			h.WriteString(f.File)
			h.Write([]byte{byte(f.Line), byte(f.Line >> 8), byte(f.Line >> 16), 0})
		}
		for _, f := range g.Stack {
			frame(f)
		}
		if g.CreatedBy != nil {
			frame(g.CreatedBy)
		}
		groups[h.Sum64()]++
	}
	fmt.Printf("%d goroutines, %d groups, %d errors\n", len(goroutines), len(groups), len(errs))
}
