// The program is never reached: its environment names a memory limit that is no size.
package main

func main() {
	println("never")
}
