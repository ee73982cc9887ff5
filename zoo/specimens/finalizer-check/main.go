// A finalizer whose func keeps its own object alive never runs; the runtime was asked to look for such.
package main

import "runtime"

type file struct{ name [64]byte }

//go:noinline
func open() *file {
	f := &file{}
	runtime.SetFinalizer(f, func(*file) { println(f.name[0]) })
	return f
}

func main() {
	f := open()
	runtime.GC()
	runtime.GC()
	runtime.KeepAlive(f)
}
