//go:build withc
// +build withc

package main

/*
static int twice(int x) { return x + x; }
*/
import "C"

func init() { println(int(C.twice(21))) }
