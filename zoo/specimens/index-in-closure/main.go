// A closure in a table of handlers goes wrong, called through sort.
package main

import "sort"

func main() {
	scores := []int{3, 1, 2}
	names := []string{"a", "b"}
	sort.Slice(scores, func(i, j int) bool {
		return names[i] < names[j] // culprit: names is shorter than scores
	})
}
