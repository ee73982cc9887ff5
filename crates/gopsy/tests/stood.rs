//! `gopsy where` at an instruction that faulted: who stood there, with which registers, and what it wanted from memory.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_testing::{BuildMode, Built, NEWEST, dies, each_built};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Since Go 1.21 the runtime does not make a panic of a fault in C: its handler stands on the thread, above the registers that the kernel saved.
const SOURCE: &str = "package main

/*
__attribute__((noinline)) static int follow(volatile int *p) {
	return p[2];
}
static int *volatile from = (int *)16;
static int far(void) {
	return follow(from);
}
*/
import \"C\"

func main() { println(C.far()) }
";

fn gopsy(args: &[&str], folder: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_gopsy")).args(args).current_dir(folder).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn json(args: &[&str], folder: &Path) -> Value {
    serde_json::from_str(&gopsy(args, folder)).unwrap()
}

#[test]
fn the_registers_are_those_of_the_fault() {
    each_built(SOURCE, true, &[("1.21", BuildMode::Pie), (NEWEST, BuildMode::Plain)], |built| {
        let Built { name, folder, .. } = built;
        std::fs::rename(dies(folder, "./app", &[]).unwrap().core, folder.join("core")).unwrap();

        let found = json(&["explain", "core", "--json"], folder);
        let frames = found["native"]["frames"].as_array().unwrap();
        let pc = frames.iter().find(|f| f["function"] == "follow").and_then(|f| f["pc"].as_str()).unwrap();
        let at = json(&["where", "core", pc, "--json"], folder);
        let threads = at["answers"][0]["place"]["threads"].as_array().unwrap();
        let [thread] = threads.as_slice() else { panic!("{name}: {at:#}") };
        assert_eq!((&thread["signal"], &thread["interrupted"]), (&"SIGSEGV".into(), &true.into()), "{name}");
        assert_eq!(thread["registers"]["rip"], pc, "{name}");
        // The third int behind 16.
        assert_eq!(thread["operand"]["address"], "0x18", "{name}: {thread:#}");
        assert!(thread["operand"]["what"].as_str().unwrap().contains("nothing is mapped"), "{name}: {thread:#}");
        let page = gopsy(&["where", "core", pc], folder);
        assert!(page.contains(" stood here when SIGSEGV came\n"), "{name}: {page}");
        // Elsewhere nobody stood, though that thread is there.
        let other = json(&["where", "core", "main.main", "--json"], folder);
        assert_eq!(other["answers"][0]["place"]["threads"].as_array().map(Vec::len), Some(0), "{name}: {other:#}");
    });
}
