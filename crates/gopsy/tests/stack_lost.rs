//! Cores that end before the main thread's stack, which lies at the highest addresses: every core that was cut off lacks it.
#![allow(clippy::unwrap_used)]

mod asked;

use asked::json;
use gopsy_testing::{BuildMode, NEWEST, dies, each_built};
use serde_json::Value;

/// The goroutine that fails runs on the main thread, which dies on its system stack. In `clock` it goes to that stack again and again
/// without that it leaves off, after it left off in a system call.
const SOURCE: &str = r#"
package main

import (
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

func init() { runtime.LockOSThread() }

var lock sync.Mutex

//go:noinline
func unlocks() { lock.Unlock() }

//go:noinline
func panics(of []int) int { return of[len(os.Args)+5] }

//go:noinline
func clock() {
	for time.Now().Unix() > 0 {
	}
}

func main() {
	switch os.Args[1] {
	case "throw":
		unlocks()
	case "panic":
		panics(nil)
	case "clock":
		go func() {
			time.Sleep(50 * time.Millisecond)
			syscall.Kill(os.Getpid(), syscall.SIGABRT)
			select {}
		}()
		os.Stdout.WriteString("ready\n")
		clock()
	}
}
"#;

/// The core up to where the main thread's stack begins in the file.
fn without_main_stack(core: &[u8]) -> &[u8] {
    let word = |at: usize| u64::from_le_bytes(core[at..at + 8].try_into().unwrap());
    let half = |at: usize| u16::from_le_bytes(core[at..at + 2].try_into().unwrap());
    let segments = (0..usize::from(half(56))).map(|number| usize::try_from(word(32)).unwrap() + number * 56);
    let above = segments.filter(|at| core[*at] == 1 && word(at + 16) >= 0x7ff0_0000_0000).map(|at| word(at + 8));
    &core[..usize::try_from(above.min().unwrap()).unwrap()]
}

#[test]
fn a_goroutine_whose_thread_stands_on_a_stack_that_is_lost() {
    let ways = [
        ("1.16", BuildMode::Plain),
        ("1.18", BuildMode::Stripped),
        ("1.21", BuildMode::Pie),
        ("1.24", BuildMode::Stripped),
        (NEWEST, BuildMode::Plain),
    ];
    let (mut unseen, mut seen) = (0, 0);
    each_built(SOURCE, false, &ways, |built| {
        let cut = built.folder.join("cut");
        let dies = |how: &str| {
            let died = dies(built.folder, &format!("./app {how}"), &[]).unwrap();
            std::fs::write(&cut, without_main_stack(&std::fs::read(&died.core).unwrap())).unwrap();
        };
        // After a throw it stands on the lost stack: that its goroutine left off where its g says is inferred. After a panic it stands on
        // the goroutine's (`fatalpanic`).
        for (how, culprit, trust) in [("throw", "main.unlocks", "inferred"), ("panic", "main.panics", "table")] {
            dies(how);
            let said = json("explain", &cut, &[]);
            assert_eq!(said["verdict"]["culprit"]["function"], culprit, "{} {how}: {said:#}", built.name);
            let said = json("stacks", &cut, &["--goroutine", "1"]);
            let frames = said["groups"][0]["frames"].as_array().unwrap();
            assert!(frames.iter().all(|frame| frame["trust"] == trust), "{} {how}: {said:#}", built.name);
        }
        for _ in 0..10 {
            dies("clock");
            let said = json("stacks", &cut, &["--goroutine", "1"]);
            let frames = said["groups"][0]["frames"].as_array().unwrap();
            let names: Vec<&Value> = frames.iter().map(|frame| &frame["function"]).collect();
            let here = names.contains(&&"main.clock".into());
            assert!(here || names.is_empty(), "{}: it is not there any more: {names:?}", built.name);
            *if here { &mut seen } else { &mut unseen } += 1;
        }
    });
    assert!(unseen + seen == 0 || unseen > 0, "{seen}, {unseen}: it never stood on that stack");
}
