//! The cores of processes that live on, or were stopped before the runtime saw why.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_model::Headline;
use gopsy_program::{CoreEvidence, Evidence};
use gopsy_testing::{NEWEST, Toolchain, skip};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const SOURCE: &str = "package main

import (
	\"fmt\"
	\"os\"
)

func main() {
	go os.Stdin.Read(make([]byte, 1))
	fmt.Println(\"up\")
	select {}
}
";

#[test]
fn nobody_died_of_what_gcore_writes() {
    let toolchain = match Toolchain::find(NEWEST) {
        Ok(toolchain) => toolchain,
        Err(why) => return skip("zoo", &why),
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let app = toolchain.program(folder, SOURCE, &[], false).unwrap();
    let mut living = Command::new(&app).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(living.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    let id = living.id();
    let mut gcore = Command::new("gcore");
    let gcore = gcore.arg("-o").arg(folder.join("core")).arg(id.to_string());
    let made = gcore.stdout(Stdio::null()).stderr(Stdio::null()).status();
    living.kill().unwrap();
    living.wait().unwrap();
    if !made.is_ok_and(|status| status.success()) {
        return skip("zoo", "there is no gcore, or it may not attach");
    }
    let core = CoreEvidence::open(&folder.join(format!("core.{id}")), Some(&app)).unwrap();
    let crash = core.crash();
    assert_eq!((crash.crashed, crash.headlines.len(), crash.unread), (None, 0, false));
    let notes = core.notes();
    assert!(notes.iter().any(|note| note.starts_with("nothing had ended the process")), "{notes:?}");
    assert!(core.stack_count() > 2);
}

const NIL: &str = "package main

type T struct {
	next *T
	n    int
}

//go:noinline
func f(t *T) int { return t.next.n }

func main() { println(f(&T{})) }
";

/// Lets gdb run the program and write its core where it stops.
fn stopped_by_gdb(folder: &Path, stop: &[&str]) -> Option<CoreEvidence> {
    let toolchain = match Toolchain::find(NEWEST) {
        Ok(toolchain) => toolchain,
        Err(why) => {
            skip("zoo", &why);
            return None;
        }
    };
    let app = toolchain.program(folder, NIL, &[], false).unwrap();
    let core = folder.join("core.gdb");
    let write = format!("generate-core-file {}", core.display());
    let mut gdb = Command::new("gdb");
    gdb.args(["-batch", "-nx", "-iex", "set auto-load off"]);
    for command in stop.iter().copied().chain(["run", &write]) {
        gdb.args(["-ex", command]);
    }
    let ran = gdb.arg(&app).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if ran.is_err() || !core.exists() {
        skip("zoo", "there is no gdb, or it may not trace");
        return None;
    }
    Some(CoreEvidence::open(&core, Some(&app)).unwrap())
}

fn innermost(core: &CoreEvidence, id: usize) -> (Option<String>, Option<u64>) {
    let frame = &core.stack(id).frames[0];
    (frame.function.value().map(|f| f.as_str().to_owned()), frame.pc.value().copied())
}

/// Under gdb a program stops where it faults; its own handler has not run.
#[test]
fn what_a_debugger_stopped_at_is_what_failed() {
    let folder = tempfile::tempdir().unwrap();
    let Some(core) = stopped_by_gdb(folder.path(), &[]) else { return };
    let crash = core.crash();
    let signal = crash.signal.as_ref().unwrap();
    // The member n stands 8 bytes into what the nil should point to.
    assert_eq!((&*signal.name, signal.address.value(), signal.in_foreign_code), ("SIGSEGV", Some(&8), false));
    assert_eq!((crash.headlines.len(), crash.unread), (0, false));
    assert_eq!(innermost(&core, crash.crashed.unwrap()), (Some("main.f".to_owned()), signal.pc.value().copied()));
    assert!(core.notes().iter().any(|note| note.starts_with("a debugger wrote the core")), "{:?}", core.notes());
}

/// At a breakpoint nobody has failed, though a goroutine ran where gdb stopped its thread.
#[test]
fn nobody_died_at_a_breakpoint() {
    let folder = tempfile::tempdir().unwrap();
    let Some(core) = stopped_by_gdb(folder.path(), &["break main.f"]) else { return };
    let crash = core.crash();
    assert_eq!((crash.crashed, &crash.signal, crash.headlines.len()), (None, &None, 0));
    let running = (0..core.stack_count()).filter(|id| innermost(&core, *id).0.as_deref() == Some("main.f"));
    assert_eq!(running.count(), 1);
    assert!(core.notes().iter().any(|note| note.starts_with("nothing had ended the process")), "{:?}", core.notes());
}

/// Delve always stops there.
#[test]
fn a_panic_that_a_debugger_stopped_is_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let stop = ["handle SIGSEGV nostop noprint pass", "break runtime.fatalpanic"];
    let Some(core) = stopped_by_gdb(folder.path(), &stop) else { return };
    let crash = core.crash();
    let [Headline::Panic(panic)] = crash.headlines.as_slice() else { panic!("{:?}", crash.headlines) };
    assert!(format!("{:?}", panic.value).contains("nil pointer dereference"), "{panic:?}");
    let stack = core.stack(crash.crashed.unwrap());
    let names: Vec<_> = stack.frames.iter().filter_map(|f| f.function.value()).map(|f| f.as_str()).collect();
    assert!(names.contains(&"main.f"), "{names:?}");
    assert!(core.notes().iter().any(|note| note.contains("about to end the process")), "{:?}", core.notes());
}
