// A recovered panic is logged with a stack as zap writes it: names without arguments, no goroutine's header.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
)

type stats struct{ byName map[string]int }

//go:noinline
func (s *stats) count(name string) {
	s.byName[name]++ // culprit: byName is nil
}

// zap's stack encoder: name, line feed, tab, file, colon, line (go.uber.org/zap@v1.28.0/internal/stacktrace/stack.go).
func trace() (text string) {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		text += fmt.Sprintf("\n%s\n\t%s:%d", frame.Function, frame.File, frame.Line)
	}
	return text[1:]
}

func handle() {
	defer func() {
		if v := recover(); v != nil {
			json.NewEncoder(os.Stderr).Encode(map[string]string{
				"level": "error", "msg": "request failed", "error": fmt.Sprint(v), "stacktrace": trace(),
			})
		}
	}()
	var s stats
	s.count("a")
}

func main() {
	handle()
	os.Exit(1)
}
