//! Threads of C, and handlers of C: whose death it was where the Go runtime does not tell.
#![allow(clippy::unwrap_used)]

mod asked;

use asked::json;
use gopsy_testing::{BuildMode, Built, NEWEST, dies, each_built};
use serde_json::Value;

/// Deaths by C: a thread of C that Go does not know, with the signal handlers of Go and without; C that aborts in a goroutine's call; a
/// fault in Go whose handler in C, installed with and without `SA_SIGINFO`, aborts; signals that C raises, or that somebody sends while
/// C runs.
const SOURCE: &str = r#"
package main

// #include <pthread.h>
// #include <signal.h>
// #include <stdlib.h>
// #include <string.h>
// #include <sys/wait.h>
// #include <unistd.h>
// static volatile int running;
// static void *follow(void *p) { if (p) signal(SIGSEGV, SIG_DFL); *(volatile int*)8 = 1; return p; }
// static void start(void *how) { pthread_t t; pthread_create(&t, 0, follow, how); sleep(30); }
// static void *sends(void *p) { usleep(100000); kill(getpid(), SIGBUS); return p; }
// static void stop(void) { abort(); }
// static void spin(void) { pthread_t t; pthread_create(&t, 0, sends, 0); for (;;) running++; }
// __attribute__((noinline)) static int deeper(volatile char *p) { volatile char own[1000]; own[9] = *p; return deeper(own) + own[9]; }
// static void deep(void) { volatile char none = 0; running = deeper(&none); }
// static const int fixed = 7;
// static void writes(void) { *(volatile int*)&fixed = 8; running++; }
// static void faults(void) { *(volatile int*)8 = 1; running++; }
// static void forks(void) { pid_t child = fork(); if (child == 0) faults(); waitpid(child, 0, 0); exit(3); }
// static void raises(void) { raise(SIGSEGV); running++; }
// static void gives_up(int number) { abort(); }
// static void gives_up_told(int number, siginfo_t *info, void *context) { abort(); }
// static void again(int number) { signal(number, SIG_DFL); raise(number); }
// static void again_told(int number, siginfo_t *info, void *context) { again(number); running++; }
// static void ends(int flags) {
//	struct sigaction own;
//	memset(&own, 0, sizeof own);
//	own.sa_flags = SA_ONSTACK | flags;
//	if (flags & SA_SIGINFO) own.sa_sigaction = again_told; else own.sa_handler = again;
//	sigaction(SIGSEGV, &own, 0);
//	faults();
// }
// static void handle(int told) {
//	struct sigaction own;
//	memset(&own, 0, sizeof own);
//	own.sa_flags = SA_ONSTACK | (told ? SA_SIGINFO : 0);
//	if (told) own.sa_sigaction = gives_up_told; else own.sa_handler = gives_up;
//	sigaction(SIGSEGV, &own, 0);
// }
import "C"

import (
	"os"
	"unsafe"
)

var none *int

//go:noinline
func fault() int { return *none }

//go:noinline
func calls(how string) {
	switch how {
	case "thread":
		C.start(nil)
	case "unhandled":
		C.start(unsafe.Pointer(&none))
	case "stop":
		C.stop()
	case "raises":
		C.raises()
	case "deep":
		C.deep()
	case "writes":
		C.writes()
	case "forks":
		C.forks()
	case "nested":
		C.handle(1)
		C.faults()
	case "ends":
		C.ends(C.SA_NODEFER)
	case "ends-told":
		C.ends(C.SA_NODEFER | C.SA_SIGINFO)
	case "ends-later":
		C.ends(C.SA_SIGINFO)
	case "spin":
		C.spin()
	}
}

func main() {
	block := make(chan int)
	go func() { <-block }()
	switch how := os.Args[1]; how {
	case "handled", "handled-told":
		C.handle(C.int(len(how) / 10))
		os.Exit(fault())
	default:
		calls(how)
	}
}
"#;

const WAYS: [(&str, BuildMode); 4] =
    [("1.16", BuildMode::Cgo), ("1.20", BuildMode::Cgo), ("1.24", BuildMode::Cgo), (NEWEST, BuildMode::Cgo)];

fn explained(built: &Built<'_>, how: &str) -> Value {
    json("explain", &dies(built.folder, &format!("./app {how}"), &[]).unwrap().core, &[])
}

/// The kind, the cause, the function to open.
fn told(said: &Value) -> [&str; 3] {
    let verdict = &said["verdict"];
    [&verdict["kind"], &verdict["cause"], &verdict["culprit"]["function"]].map(|word| word.as_str().unwrap_or(""))
}

#[test]
fn a_thread_of_c_that_go_does_not_know_is_who_failed() {
    each_built(SOURCE, true, &WAYS, |built| {
        for how in ["thread", "unhandled"] {
            let died = dies(built.folder, &format!("./app {how}"), &[]).unwrap();
            let said = json("explain", &died.core, &[]);
            assert_eq!(told(&said), ["native-fault", "null-in-c", "follow"], "{} {how}: {said:#}", built.name);
            assert!(said["notes"].to_string().contains("none of the Go runtime's"), "{} {how}: {said:#}", built.name);
            // Its goroutines are there, too.
            let goroutines = json("stacks", &died.core, &[])["groups"].to_string();
            assert!(
                goroutines.contains("main.main") && goroutines.contains("\"follow\""),
                "{}: {goroutines}",
                built.name
            );
        }
    });
}

/// The kernel tells a handler which signal it is, and where, only if it was installed with `SA_SIGINFO`.
#[test]
fn a_fault_that_c_handles_is_followed_to_the_goroutine() {
    each_built(SOURCE, true, &WAYS, |built| {
        for how in ["handled", "handled-told"] {
            let said = explained(built, how);
            let [kind, _, function] = told(&said);
            assert_eq!((kind, function), ("native-abort", "main.fault"), "{} {how}: {said:#}", built.name);
        }
    });
}

/// Handlers that send their signal once more end the process on purpose, and the program has failed before.
#[test]
fn a_handler_that_sends_its_signal_again_is_no_purpose_of_the_programs() {
    each_built(SOURCE, true, &WAYS, |built| {
        let verdict = |how: &str| {
            let said = explained(built, how);
            let told = told(&said).map(str::to_owned);
            (told, said["findings"].to_string())
        };
        // The kernel told the handler of the fault, and the signal frame has it.
        let (told, said) = verdict("ends-told");
        assert_eq!(told, ["native-fault", "null-in-c", "main.calls"], "{}: {said}", built.name);
        let (told, said) = verdict("ends");
        assert_eq!(told[..2], ["signalled", "unknown"], "{}: {said}", built.name);
        assert!(said.contains("while it handled a signal"), "{}: {said}", built.name);
        // The signal was blocked until the handler was gone.
        let (told, said) = verdict("ends-later");
        assert_eq!(told[..2], ["signalled", "unknown"], "{}: {said}", built.name);
        assert!(said.contains("where is not known"), "{}: {said}", built.name);
    });
}

/// A fault in the frame at the stack pointer is the stack's end; elsewhere it is not.
#[test]
fn a_stack_of_c_that_ran_out_is_told_from_other_faults() {
    // Before Go 1.21 the runtime throws at the fault, and says no address of it.
    each_built(SOURCE, true, &[("1.21", BuildMode::Cgo), (NEWEST, BuildMode::Cgo)], |built| {
        let said = explained(built, "deep");
        assert_eq!(told(&said), ["native-fault", "unbounded-recursion", "main.calls"], "{}: {said:#}", built.name);
        let said = explained(built, "writes");
        assert_eq!(told(&said), ["native-fault", "unknown", "main.calls"], "{}: {said:#}", built.name);
        assert!(said["findings"].to_string().contains("SEGV_ACCERR"), "{}: {said:#}", built.name);
    });
}

/// Of the parent's threads the child has the one that forked it, under another number.
#[test]
fn the_child_of_a_fork_is_read() {
    each_built(SOURCE, true, &WAYS, |built| {
        let said = explained(built, "forks");
        let [_, cause, function] = told(&said);
        assert_eq!((cause, function), ("null-in-c", "main.calls"), "{}: {said:#}", built.name);
        let notes = said["notes"].to_string();
        assert!(notes.contains(" forked this process") && !notes.contains("damaged"), "{}: {notes}", built.name);
    });
}

/// The signal that ended the process came in a handler: that stands further in than what it handled.
#[test]
fn a_handler_that_dies_is_shown_with_what_it_handled() {
    each_built(SOURCE, true, &WAYS, |built| {
        let said = explained(built, "nested");
        let [kind, _, function] = told(&said);
        assert_eq!((kind, function), ("native-abort", "main.calls"), "{}: {said:#}", built.name);
        let frames = said["native"]["frames"].as_array().unwrap();
        let at = |name: &str| frames.iter().position(|frame| frame["function"] == name);
        let order = [at("abort"), at("gives_up_told"), at("faults")];
        assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{}: {order:?} {frames:#?}", built.name);
    });
}

#[test]
fn a_signal_that_was_sent_blames_nobody_who_waits() {
    each_built(SOURCE, true, &WAYS, |built| {
        let said = explained(built, "raises");
        // Go 1.16 goes on from there on the goroutine's stack, as if that had called it.
        let old = built.name.starts_with("go1.16");
        let expected = if old { ["signalled", "unknown", ""] } else { ["signalled", "program-check", "raises"] };
        assert_eq!(told(&said), expected, "{}: {said:#}", built.name);
        // What C did on its thread is shown with the goroutine that called it.
        let said = explained(built, "spin");
        let [kind, _, function] = told(&said);
        assert_eq!(kind, "signalled", "{}: {said:#}", built.name);
        assert_ne!(function, "main.main.func1", "{}: {said:#}", built.name);
    });
}

#[test]
fn the_kernels_signal_is_told_where_the_list_of_threads_is_lost() {
    let (mut cores, mut lost) = (0, 0);
    each_built(SOURCE, true, &WAYS, |built| {
        let died = dies(built.folder, "./app stop", &[]).unwrap();
        let core = std::fs::read(&died.core).unwrap();
        let cut = built.folder.join("cut");
        cores += 1;
        for part in 1..=64 {
            std::fs::write(&cut, &core[..core.len().min(part << 17)]).unwrap();
            let said = json("explain", &cut, &[]);
            let (verdict, name) = (&said["verdict"], format!("{} {part}", built.name));
            let headline = verdict["headline"].as_str().unwrap();
            assert!(headline.starts_with("SIGABRT"), "{name}: {said:#}");
            lost += u32::from(said["notes"].to_string().contains("which of the runtime's threads ended the process"));
        }
    });
    assert!(cores == 0 || lost > 0, "it was never lost alone");
}
