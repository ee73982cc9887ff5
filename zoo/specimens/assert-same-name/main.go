// Two types of one name, made in two functions.
package main

import "fmt"

func make1() interface{} {
	type pair struct{ a, b int }
	return pair{1, 2}
}

//go:noinline
func sum(v interface{}) int {
	type pair struct{ a, b int }
	p := v.(pair) // culprit: this pair is not that pair
	return p.a + p.b
}

func main() {
	fmt.Println(sum(make1()))
}
