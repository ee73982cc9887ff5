//! Processes that a thread ended of which the Go runtime does not know, or is not known.
#![allow(clippy::unwrap_used)]

mod asked;

use asked::json;
use gopsy_testing::{BuildMode, NEWEST, dies, each_built};

/// A thread of C that no signal handler protects, while Go waits in C; and C that aborts in a goroutine's call.
const SOURCE: &str = r#"
package main

// #include <pthread.h>
// #include <signal.h>
// #include <stdlib.h>
// #include <unistd.h>
// static void *follow(void *p) { signal(SIGSEGV, SIG_DFL); *(volatile int*)8 = 1; return p; }
// static void start(void) { pthread_t t; pthread_create(&t, 0, follow, 0); sleep(30); }
// static void stop(void) { abort(); }
import "C"

import "os"

func main() {
	if os.Args[1] == "stop" {
		C.stop()
	}
	C.start()
}
"#;

const WAYS: [(&str, BuildMode); 4] =
    [("1.16", BuildMode::Cgo), ("1.20", BuildMode::Cgo), ("1.24", BuildMode::Cgo), (NEWEST, BuildMode::Cgo)];

#[test]
fn a_thread_of_c_that_go_does_not_know_is_who_failed() {
    each_built(SOURCE, true, &WAYS, |built| {
        let died = dies(built.folder, "./app thread", &[]).unwrap();
        let said = json("explain", &died.core, &[]);
        let (verdict, name) = (&said["verdict"], &built.name);
        assert_eq!(
            (&verdict["kind"], &verdict["cause"], &verdict["culprit"]["function"]),
            (&"native-fault".into(), &"null-in-c".into(), &"follow".into()),
            "{name}: {said:#}"
        );
        assert!(said["notes"].to_string().contains("none of the Go runtime's"), "{name}: {said:#}");
        // Its goroutines are there, too.
        let goroutines = json("stacks", &died.core, &[])["groups"].to_string();
        assert!(goroutines.contains("main.main") && goroutines.contains("\"follow\""), "{name}: {goroutines}");
    });
}

#[test]
fn the_kernels_signal_is_told_where_the_list_of_threads_is_lost() {
    each_built(SOURCE, true, &WAYS, |built| {
        let died = dies(built.folder, "./app stop", &[]).unwrap();
        let core = std::fs::read(&died.core).unwrap();
        let cut = built.folder.join("cut");
        let mut lost = 0;
        for part in 1..=32 {
            std::fs::write(&cut, &core[..core.len().min(part << 18)]).unwrap();
            let said = json("explain", &cut, &[]);
            let (verdict, name) = (&said["verdict"], format!("{} {part}", built.name));
            let headline = verdict["headline"].as_str().unwrap();
            assert!(headline.starts_with("SIGABRT"), "{name}: {said:#}");
            lost += u32::from(said["notes"].to_string().contains("which of the runtime's threads ended the process"));
        }
        assert!(lost > 0, "{}: it was never lost alone", built.name);
    });
}
