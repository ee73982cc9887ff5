// Package system executes functions on the system stack, as code does that is woven into the runtime.
package system

import (
	"reflect"
	"runtime"
)

func call(entry uintptr, f func())

// Run executes f on the system stack of its thread.
func Run(f func()) {
	call(entry("runtime.systemstack"), f)
}

// entry is where a function of the runtime begins: the linker binds no assembly to it since Go 1.27.
func entry(name string) uintptr {
	near := reflect.ValueOf(runtime.GC).Pointer()
	for distance := uintptr(0); ; distance += 16 {
		for _, pc := range []uintptr{near + distance, near - distance} {
			if f := runtime.FuncForPC(pc); f != nil && f.Name() == name {
				return f.Entry()
			}
		}
	}
}
