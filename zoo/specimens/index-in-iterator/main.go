// The body of a range over a function goes wrong.
package main

import "fmt"

func count(yield func(int) bool) {
	for i := 0; yield(i); i++ {
	}
}

func main() {
	names := []string{"a", "b"}
	for i := range count {
		fmt.Println(names[i]) // culprit: the third round
	}
}
