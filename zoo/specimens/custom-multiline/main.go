// The message of the panic has many lines, like the output of a tool.
package main

import "strings"

//go:noinline
func compile(said []string) {
	panic("compile failed:\n" + strings.Join(said, "\n")) // culprit
}

func main() {
	compile([]string{"a.tmpl:3: index out of range", "b.tmpl:9: nil map", "", "2 errors"})
}
