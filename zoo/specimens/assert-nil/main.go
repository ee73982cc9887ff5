// A context value that nobody put there is asserted.
package main

import (
	"context"
	"fmt"
)

type key struct{}

//go:noinline
func user(ctx context.Context) string {
	return ctx.Value(key{}).(string) // culprit: Value returned nil
}

func main() {
	fmt.Println(user(context.Background()))
}
