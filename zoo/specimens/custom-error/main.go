// The program gives up with an error value of its own type.
package main

import "fmt"

type configError struct {
	key string
	err error
}

func (e *configError) Error() string { return fmt.Sprintf("config %q: %v", e.key, e.err) }

//go:noinline
func mustLoad(key string) {
	panic(&configError{key, fmt.Errorf("missing")}) // culprit
}

func main() {
	mustLoad("dsn")
}
