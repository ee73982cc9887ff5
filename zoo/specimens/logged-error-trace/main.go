// An error is logged with a stack as zap writes it. Its message only speaks of panics: nothing dies.
package main

import (
	"encoding/json"
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
	json.NewEncoder(os.Stderr).Encode(map[string]string{
		"level": "error", "msg": "don't panic: retrying", "error": "runtime error: told by the worker", "stacktrace": trace(),
	})
}

func main() {
	handle()
}
