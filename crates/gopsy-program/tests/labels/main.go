// Goroutines with profiler labels, which labels.rs knows.
package main

import (
	"context"
	"fmt"
	"runtime/pprof"
	"sync"
)

func main() {
	var started sync.WaitGroup
	waits := func(context.Context) { started.Done(); select {} }
	for _, n := range []int{0, 1, 2, 8, 9, 14, 27, 100} {
		for repeat := 0; repeat < 3; repeat++ {
			var list []string
			for i := 0; i < n; i++ {
				list = append(list, fmt.Sprintf("key%03d", i), fmt.Sprintf("value %d of %d", i, n))
			}
			started.Add(1)
			go pprof.Do(context.Background(), pprof.Labels(list...), waits)
		}
	}
	for i := 0; i < 5; i++ {
		started.Add(1)
		go waits(nil)
	}
	started.Wait()
	panic("labelled")
}
