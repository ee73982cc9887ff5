// A method with a value receiver is called through a nil pointer in an interface.
package main

import "fmt"

type degrees float64

func (d degrees) kelvin() float64 { return float64(d) + 273.15 }

type temperature interface{ kelvin() float64 }

//go:noinline
func report(t temperature) float64 {
	return t.kelvin() // culprit: the wrapper has no value to copy
}

func main() {
	var broken *degrees
	fmt.Println(report(broken))
}
