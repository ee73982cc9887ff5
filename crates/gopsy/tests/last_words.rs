//! Cores that end before the heap: threads, and what the runtime printed last.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_testing::{BuildMode, NEWEST, dies, each_built};
use serde_json::Value;
use std::process::Command;

const SOURCE: &str = r#"package main

import (
	"os"
	"sync"
)

func main() {
	if os.Args[1] == "panic" {
		println("fatal error: words of the program")
		println("and others")
		panic("its own")
	}
	var mu sync.Mutex
	mu.Unlock()
}
"#;

#[test]
fn a_core_without_its_heap_says_more_than_one_without_its_variables() {
    let ways = [("1.18", BuildMode::Plain), ("1.23", BuildMode::Stripped), (NEWEST, BuildMode::Plain)];
    each_built(SOURCE, false, &ways, |built| {
        for (how, fatal) in [("unlock", true), ("panic", false)] {
            let died = dies(built.folder, &format!("./app {how}"), &[]).unwrap();
            let core = std::fs::read(&died.core).unwrap();
            let (mut told, mut lost) = (0, 0);
            // What the heap holds begins within the first megabyte of so small a program's core.
            for share in 1..48 {
                let cut = built.folder.join("cut");
                std::fs::write(&cut, &core[..core.len().min(share << 15)]).unwrap();
                let output = Command::new(env!("CARGO_BIN_EXE_gopsy")).args(["explain", "--json"]).arg(&cut).output();
                let Ok(said) = serde_json::from_slice::<Value>(&output.unwrap().stdout) else { continue };
                let (name, verdict) = (format!("{} {how} {} KiB", built.name, share << 5), &said["verdict"]);
                let headline = verdict["headline"].as_str().unwrap();
                told += u32::from(headline == "fatal error: sync: unlock of unlocked mutex");
                assert!(fatal || !headline.starts_with("fatal error"), "{name}: {headline}");
                let notes = said["notes"].to_string();
                lost += u32::from(notes.contains("the last that the runtime recorded of its words"));
            }
            if fatal {
                // Up to Go 1.17 nothing is recorded. Of a core that ends behind the variables that is all that is known.
                assert!(told > 0 && lost > 0, "{} {told} {lost}", built.name);
            } else {
                assert_eq!(lost, 0, "{}", built.name);
            }
        }
    });
}
