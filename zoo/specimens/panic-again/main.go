// A handler recovers, logs and panics again with the same value.
package main

import "fmt"

type request struct{ header map[string][]string }

//go:noinline
func token(r *request) string {
	return r.header["token"][0] // culprit: the header is not there
}

func guard(f func()) {
	defer func() {
		if v := recover(); v != nil {
			fmt.Println("request failed")
			panic(v)
		}
	}()
	f()
}

func main() {
	guard(func() { fmt.Println(token(&request{})) })
}
