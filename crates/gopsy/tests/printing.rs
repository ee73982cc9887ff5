//! Panics whose value cannot be printed, and panics with nil.

#![allow(missing_docs, clippy::unwrap_used)]

mod asked;

use asked::json;
use gopsy_testing::{BuildMode, NEWEST, dies, each_built};
use std::process::Command;

const SOURCE: &str = r#"package main

import (
	"errors"
	"os"
)

type failure struct{ name *string }

func (f failure) Error() string { return *f.name }

//go:noinline
func fail(value interface{}) { panic(value) }

func main() {
	switch os.Args[1] {
	case "method":
		fail(failure{})
	case "nil":
		fail(nil)
	case "lines":
		fail(errors.New("first\nsecond\n\nthird"))
	}
}
"#;

#[test]
fn what_hides_the_first_panic_is_told() {
    let ways = [
        ("1.16", BuildMode::Plain),
        ("1.18", BuildMode::Pie),
        ("1.21", BuildMode::Stripped),
        (NEWEST, BuildMode::Plain),
    ];
    each_built(SOURCE, false, &ways, |built| {
        let asked = |how: &str| {
            let died = dies(built.folder, &format!("./app {how}"), &[]).unwrap();
            json("explain", &died.core, &[])
        };
        let name = &built.name;
        let said = asked("method");
        let verdict = &said["verdict"];
        assert_eq!(
            (&verdict["cause"], &verdict["culprit"]["function"]),
            (&"secondary-failure".into(), &"main.failure.Error".into()),
            "{name}: {verdict:#}"
        );
        assert!(said["findings"].to_string().contains("the first panic was raised in main.fail"), "{name}: {said:#}");
        // The lines of a value behind the first are not lost.
        let died = dies(built.folder, "./app lines", &[]).unwrap();
        let page = Command::new(env!("CARGO_BIN_EXE_gopsy")).arg("explain").arg(&died.core).output().unwrap().stdout;
        let page = String::from_utf8(page).unwrap();
        assert!(
            page.starts_with("panic: first …") && page.contains("  value    second\n           third\n"),
            "{name}: {page}"
        );
        let verdict = &asked("nil")["verdict"];
        assert_eq!(
            (&verdict["cause"], &verdict["culprit"]["function"]),
            (&"program-check".into(), &"main.fail".into()),
            "{name}: {verdict:#}"
        );
    });
}
