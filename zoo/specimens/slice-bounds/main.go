// The result of a search is used without a look: it is -1.
package main

import (
	"fmt"
	"strings"
)

//go:noinline
func key(line string) string {
	return line[:strings.IndexByte(line, '=')] // culprit: there is no '='
}

func main() {
	fmt.Println(key("verbose"))
}
