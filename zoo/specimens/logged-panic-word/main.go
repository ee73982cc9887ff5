// A structured log line with a whole stack and the word panic in its message; nothing dies.
package main

import (
	"encoding/json"
	"os"
	"runtime/debug"
)

//go:noinline
func slow(name string) {
	json.NewEncoder(os.Stderr).Encode(map[string]string{
		"level": "warn", "msg": "slow request " + name + ", no panic", "stack": string(debug.Stack()),
	})
}

func main() {
	slow("/search")
}
