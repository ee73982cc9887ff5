// A handler panics; net/http logs it and serves on.
package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
)

//go:noinline
func user(r *http.Request) string {
	return r.URL.Query()["user"][0] // culprit: no such parameter
}

func main() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, user(r))
	}))
	_, err := http.Get(s.URL)
	fmt.Println("the request failed:", err != nil)
	os.Exit(1)
}
