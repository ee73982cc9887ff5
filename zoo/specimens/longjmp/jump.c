#include <setjmp.h>

extern void callback(void);

static jmp_buf back;

void leave(void) { longjmp(back, 1); }

void run(void) {
	if (setjmp(back) == 0) {
		callback();
	}
}
