//go:build !generic
// +build !generic

package main

func generic() {}
