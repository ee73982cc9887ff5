// The same with log/slog: a recovered nil dereference in one line.
package main

import (
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
)

type order struct{ items []string }

//go:noinline
func (o *order) total() int {
	return len(o.items) // culprit: o is nil
}

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	defer func() {
		v := recover()
		log.Error("request failed", "err", fmt.Sprint(v), "stack", string(debug.Stack()))
		os.Exit(1)
	}()
	log.Info("start", "port", 8080)
	var o *order
	fmt.Println(o.total())
}
