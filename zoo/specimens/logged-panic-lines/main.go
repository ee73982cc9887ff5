// A recovered panic is logged as zap does it in development: the stack on lines of its own, without header or arguments.
package main

import (
	"fmt"
	"os"
	"runtime"
)

type stats struct{ recent []string }

//go:noinline
func (s *stats) count(name string) {
	s.recent[0] = name // culprit: recent is empty
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
			fmt.Fprintf(os.Stderr, "2024-01-02T03:04:05.000Z\tERROR\tapp/main.go:34\thandler panicked: %v\n%s\n", v, trace())
			fmt.Fprintf(os.Stderr, "2024-01-02T03:04:05.001Z\tINFO\tapp/main.go:35\tgoing on\n")
		}
	}()
	var s stats
	s.count("a")
}

func main() {
	handle()
	os.Exit(1)
}
