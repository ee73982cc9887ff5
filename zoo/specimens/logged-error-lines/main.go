// An error is logged as zap does it in development, the stack on lines of its own. Nothing dies.
package main

import (
	"fmt"
	"os"
	"runtime"
)

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
	fmt.Fprintf(os.Stderr, "2024-01-02T03:04:05.000Z\tERROR\tapp/main.go:30\tworker said: panic: runtime error: boom\n%s\n", trace())
	fmt.Fprintf(os.Stderr, "2024-01-02T03:04:05.001Z\tINFO\tapp/main.go:31\tgoing on\n")
}

func main() {
	handle()
}
