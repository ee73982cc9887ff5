// C reads memory that it has freed, under AddressSanitizer.
package main

// #include <stdlib.h>
// static int use(void) {
//	int *p = malloc(sizeof *p);
//	free(p);
//	return *p; // culprit: p was freed
// }
import "C"

func main() {
	println(C.use())
}
