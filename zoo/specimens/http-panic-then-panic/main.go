// A handler panics and is survived; the program dies later of something else.
package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
)

func user(r *http.Request) string {
	return r.URL.Query()["user"][0]
}

//go:noinline
func renew(err error) {
	if err != nil {
		panic(err) // culprit: this one kills
	}
}

func main() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(user(r)))
	}))
	http.Get(s.URL)
	renew(errors.New("lease lost"))
}
