// The crash text goes to a file as well, and a panic ends the program.
package main

import (
	"os"
	"runtime/debug"
)

//go:noinline
func parse(fields []string) string {
	return fields[2] // culprit: there are two
}

func main() {
	f, err := os.Create("crash.log")
	if err != nil {
		panic(err)
	}
	if err := debug.SetCrashOutput(f, debug.CrashOptions{}); err != nil {
		panic(err)
	}
	parse([]string{"a", "b"})
}
