// C code follows a null pointer.
package main

/*
struct item { long id; long size; };

static long size_of(struct item *i) {
	return ((volatile struct item *)i)->size;
}
*/
import "C"

import "fmt"

//go:noinline
func size(i *C.struct_item) int {
	return int(C.size_of(i)) // culprit: C gets nil
}

func main() {
	fmt.Println(size(nil))
}
