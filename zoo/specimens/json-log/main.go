// A panic is recovered and logged as one JSON object, as zap does it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
)

//go:noinline
func pick(list []int, i int) int {
	return list[i] // culprit: the list is shorter
}

func main() {
	defer func() {
		line, _ := json.Marshal(map[string]string{
			"level":      "fatal",
			"msg":        fmt.Sprintf("panic: %v", recover()),
			"stacktrace": string(debug.Stack()),
		})
		fmt.Println(string(line))
		os.Exit(1)
	}()
	fmt.Println(pick([]int{1, 2, 3}, 7))
}
