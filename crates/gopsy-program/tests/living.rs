//! The core of a process that lives on.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_program::{CoreEvidence, Evidence};
use gopsy_testing::{NEWEST, Toolchain, run, skip};
use std::io::{BufRead, BufReader};
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
    std::fs::write(folder.join("main.go"), SOURCE).unwrap();
    std::fs::write(folder.join("go.mod"), "module example.com/living\n\ngo 1.16\n").unwrap();
    let app = folder.join("app");
    run(&mut toolchain.build(folder, &app, &[], false)).unwrap();
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
    assert!(notes.iter().any(|note| note.starts_with("nothing ended the process")), "{notes:?}");
    assert!(core.stack_count() > 2);
}
