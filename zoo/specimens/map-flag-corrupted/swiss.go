//go:build go1.24
// +build go1.24

package main

// The byte writing of a map since Go 1.24, behind used, seed, dirPtr, dirLen and two shifts.
const writing = 34
