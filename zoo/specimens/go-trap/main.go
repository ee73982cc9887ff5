// An unreachable place holds an undefined instruction on purpose.
package main

func unreachable()

func main() {
	unreachable()
}
