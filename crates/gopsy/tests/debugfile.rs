//! Debug information of Go in a file of its own: of a stripped executable, by its debug link and by build id.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_testing::{BuildMode, NEWEST, each_built, has_tool, skip};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const SOURCE: &str = "package main

type ledger struct{ balance *int }

//go:noinline
func report(l *ledger) int {
	return *l.balance
}

func main() {
	report(&ledger{})
}
";

fn json(args: &[&str], folder: &Path) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gopsy"));
    let output = command.args(args).arg("--json").current_dir(folder).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

fn objcopy(args: &[&str], folder: &Path) {
    assert!(Command::new("objcopy").args(args).current_dir(folder).status().unwrap().success(), "{args:?}");
}

/// What is said of the executable and of its core.
struct Said {
    debug_size: Option<u64>,
    symbols: Option<u64>,
    debug_file: Option<String>,
    /// From where the layouts of the runtime are known.
    layouts: String,
    /// What says where the function stands.
    by: Value,
}

fn said(folder: &Path, more: &[&str]) -> Said {
    let of_file = json(&[&["info", "app"], more].concat(), folder);
    let of_core = json(&[&["info", "core"], more].concat(), folder);
    let place = json(&[&["where", "app", "main.report"], more].concat(), folder);
    Said {
        debug_size: of_file["program"]["debug_size"].as_u64(),
        symbols: of_file["program"]["symbols"].as_u64(),
        debug_file: of_file["program"]["debug_file"].as_str().map(str::to_owned),
        layouts: of_core["runtime"]["layouts"].as_str().unwrap_or_default().to_owned(),
        by: place["answers"][0]["place"]["function"][0]["by"].clone(),
    }
}

#[test]
fn a_stripped_program_has_what_its_debug_file_has() {
    if !has_tool("objcopy") {
        return skip("zoo", "there is no objcopy");
    }
    let plain = |version| (version, BuildMode::Plain);
    let ways = ["1.16", "1.18", "1.20", "1.21", "1.23", "1.24", NEWEST].map(plain);
    each_built(SOURCE, false, &[&ways[..], &[(NEWEST, BuildMode::Pie)]].concat(), |built| {
        let (folder, name) = (built.folder, &built.name);
        let path = |name: &str| folder.join(name);
        std::fs::copy(path("app"), path("whole")).unwrap();
        objcopy(&["--only-keep-debug", "whole", "app.debug"], folder);
        objcopy(&["--strip-all", "--add-gnu-debuglink=app.debug", "whole", "app"], folder);
        let died = gopsy_testing::dies(folder, "./app", &[]).unwrap();
        std::fs::rename(died.core, path("core")).unwrap();

        let with = said(folder, &[]);
        assert!(with.debug_size.is_some() && with.symbols.is_some(), "{name}");
        assert!(with.debug_file.unwrap().ends_with("app.debug (by debug link)"), "{name}");
        assert!(with.layouts.contains("debug information"), "{name}: {}", with.layouts);
        assert_eq!(with.by, serde_json::json!(["pclntab", "symbols", "debug-info"]), "{name}");

        // Another file under that name: its CRC is not the link's.
        std::fs::write(path("app.debug"), [std::fs::read(path("whole")).unwrap(), vec![0]].concat()).unwrap();
        let without = said(folder, &[]);
        assert_eq!((without.debug_size, without.symbols, without.debug_file), (None, None, None), "{name}");
        assert!(!without.layouts.is_empty() && !without.layouts.contains("debug information"), "{name}");
        assert_eq!(without.by, serde_json::json!(["pclntab"]), "{name}");

        // By build id, below a root. Go's linker writes one since 1.24.
        let Some(id) = json(&["info", "app"], folder)["program"]["build_id"].as_str().map(str::to_owned) else {
            return;
        };
        let (first, rest) = id.split_at(2);
        let of_id = path("root/usr/lib/debug/.build-id").join(first);
        std::fs::create_dir_all(&of_id).unwrap();
        objcopy(&["--only-keep-debug", "whole", of_id.join(format!("{rest}.debug")).to_str().unwrap()], folder);
        let with = said(folder, &["--root", "root"]);
        assert!(with.debug_file.unwrap().ends_with(".debug (by build id)"), "{name}");
        assert!(with.layouts.contains("debug information"), "{name}: {}", with.layouts);
        assert_eq!(with.by, serde_json::json!(["pclntab", "symbols", "debug-info"]), "{name}");
    });
}
