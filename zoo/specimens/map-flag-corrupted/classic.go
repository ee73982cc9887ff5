//go:build !go1.24
// +build !go1.24

package main

// The flags of a map up to Go 1.23; bit 4 is hashWriting.
const writing = 8
