// The C half: nothing here may be inlined or cloned, so it is a file of its own and the functions are not static.
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

extern void goBack(uintptr_t depth);
extern void goPanics(void);
extern void goBlocks(void);
extern void goQuiet(void);
extern void goNests(void);

// None of these may be a tail call: each does something behind it.
volatile int after;

static inline __attribute__((always_inline)) void touch(volatile int *p) {
	*p = 1;
}
__attribute__((noinline)) void c_fault(volatile int *p) {
	touch(p);
	after++;
}
__attribute__((noinline)) void c_outer(volatile int *p) { c_fault(p); after++; }
__attribute__((noinline)) void c_large(volatile int *p) {
	volatile char room[100000];
	room[after & 1] = 1;
	c_outer(p);
	after += room[0];
}
__attribute__((noinline)) void c_abort(void) { abort(); }
__attribute__((noinline)) void c_jump(void (*volatile f)(void)) { f(); after++; }
__attribute__((noinline)) void c_back(uintptr_t depth) { goBack(depth); after++; }
__attribute__((noinline)) void c_panics(void) { goPanics(); after++; }
__attribute__((noinline)) void c_blocks(void) { goBlocks(); after++; }

static void c_handler(int number, siginfo_t *info, void *context) { abort(); }
__attribute__((noinline)) void c_handled(volatile int *p) {
	struct sigaction own;
	own.sa_sigaction = c_handler;
	own.sa_flags = SA_SIGINFO | SA_ONSTACK;
	sigemptyset(&own.sa_mask);
	sigaction(SIGSEGV, &own, 0);
	c_fault(p);
	after++;
}

static int ends[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

__attribute__((noinline)) void c_read(void) { char c; if (pipe(ends) == 0 && read(ends[0], &c, 1)) after++; }
__attribute__((noinline)) void c_sleep(void) { struct timespec t = {1000, 0}; nanosleep(&t, 0); after++; }
__attribute__((noinline)) void c_wait(void) {
	pthread_mutex_lock(&lock);
	pthread_cond_wait(&never, &lock);
	after++;
}
static void *c_thread(void *unused) { c_sleep(); after++; return 0; }
__attribute__((noinline)) void c_start(void) { pthread_t t; pthread_create(&t, 0, c_thread, 0); after++; }
static void *c_thread_back(void *unused) { c_back(0); after++; return 0; }
__attribute__((noinline)) void c_start_back(void) { pthread_t t; pthread_create(&t, 0, c_thread_back, 0); sleep(1000); }
static void *c_thread_nest(void *unused) { goQuiet(); goNests(); after++; return 0; }
__attribute__((noinline)) void c_start_nest(void) { pthread_t t; pthread_create(&t, 0, c_thread_nest, 0); sleep(1000); }
