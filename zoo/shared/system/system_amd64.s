#include "textflag.h"
#include "funcdata.h"

// func call(entry uintptr, f func())
// Of the two ways to hand f over one is the release's.
TEXT ·call(SB), NOSPLIT, $8-16
	NO_LOCAL_POINTERS
	MOVQ entry+0(FP), CX
	MOVQ f+8(FP), AX
	MOVQ AX, 0(SP)
	CALL CX // culprit: all that a text tells up to Go 1.21
	RET
