//! `gopsy where` and `gopsy info` on the recorded core of a Go program and its binary: no Go is needed. What must be said
//! stands in the program's source and in what the runtime printed in the same run (`gopsy-program/tests/core`).
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SOURCE: &str = include_str!("../../gopsy-program/tests/core/main.go");
const PRINTED: &str = include_str!("../../gopsy-program/tests/core/nilfield.stderr");

struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Case {
        let folder = tempfile::tempdir().unwrap();
        let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gopsy-program/tests/core");
        for name in ["core", "nilfield"] {
            let file = std::fs::File::open(recorded.join(format!("{name}.zst"))).unwrap();
            let mut bytes = Vec::new();
            ruzstd::decoding::StreamingDecoder::new(file).unwrap().read_to_end(&mut bytes).unwrap();
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        // The source lies where `--path-map /tmp/spike=…` says.
        std::fs::write(folder.path().join("main.go"), SOURCE).unwrap();
        Case { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gopsy"));
        command.args(args).current_dir(self.path()).env("NO_COLOR", "1").env("COLUMNS", "80").output().unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
    }
}

/// The line of the source that holds the text.
fn line(text: &str) -> u64 {
    SOURCE.lines().position(|l| l.contains(text)).unwrap() as u64 + 1
}

/// The pc of the fault, as the runtime printed it.
fn fault() -> String {
    let signal = PRINTED.lines().find(|l| l.starts_with("[signal SIGSEGV")).unwrap();
    signal.split("pc=").nth(1).unwrap().trim_end_matches(']').to_owned()
}

#[test]
fn the_place_of_a_fault() {
    let case = Case::new();
    let map = format!("/tmp/spike={}", case.path().display());
    let value = case.json(&["where", "core", &fault(), "--path-map", &map]);
    let place = &value["answers"][0]["place"];
    assert_eq!(place["function"][0]["name"], "main.report");
    assert_eq!(place["function"][0]["by"], serde_json::json!(["pclntab", "symbols", "debug-info"]));
    assert_eq!(
        place["line"],
        serde_json::json!([{
            "file": "/tmp/spike/main.go", "line": line("return l.byName[name].balance"), "by": ["pclntab", "line-table"]
        }])
    );
    // lookup is inlined into report, where it is called.
    let frames: Vec<(&str, u64)> = place["frames"][0]["frames"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["function"].as_str().unwrap(), f["line"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        frames,
        [("main.(*ledger).lookup", line("return l.byName[name]")), ("main.report", line("total += l.lookup"))]
    );
    assert_eq!(place["frames"].as_array().unwrap().len(), 1, "{}", place["frames"]);
    let page = String::from_utf8(case.run(&["where", "core", &fault(), "--path-map", &map]).stdout).unwrap();
    for text in [
        "  inlined  main.(*ledger).lookup (spike/main.go:22) in main.report",
        "  spike/main.go:22  main.(*ledger).lookup, inlined  return\n      l.byName[name].balance",
        &format!("    ▸ {}  ", fault()),
    ] {
        assert!(page.contains(text), "{text:?} is not in\n{page}");
    }
    assert!(page.lines().all(|l| l.chars().count() <= 80), "{page}");
}

#[test]
fn the_thread_that_stands_there() {
    let case = Case::new();
    let info = case.json(&["info", "core"]);
    let first = &info["process"]["threads"][0];
    assert_eq!(first["at"], "runtime.raise+0x21");
    let pc = first["pc"].as_str().unwrap();
    let value = case.json(&["where", "core", pc]);
    let place = &value["answers"][0]["place"];
    let threads = place["threads"].as_array().unwrap();
    assert_eq!(threads.len(), 1);
    assert_eq!((&threads[0]["tid"], &threads[0]["registers"]["rip"]), (&first["tid"], &first["pc"]));
    // raise does `tgkill` and returns; its symbol tells the calling convention.
    assert!(place["notes"].as_array().unwrap().iter().any(|n| n["id"] == "calling-convention"), "{place}");
}

#[test]
fn what_the_core_is() {
    let case = Case::new();
    let value = case.json(&["info", "core"]);
    let (program, process) = (&value["program"], &value["process"]);
    assert_eq!((&program["go_version"], &program["platform"]), (&"go1.27.3".into(), &"linux/amd64".into()));
    assert_eq!(program["main_module"]["path"], "example.com/nilfield");
    assert_eq!((&program["settings"]["CGO_ENABLED"], &program["interpreter"]), (&"0".into(), &Value::Null));
    assert_eq!((&process["name"], &process["arguments"]), (&"nilfield".into(), &"./nilfield".into()));
    assert!(process["signal"].as_str().unwrap().starts_with("SIGABRT, sent by process "));
    // The runtime printed as many threads as it had: each m once.
    assert_eq!(process["threads"].as_array().unwrap().len(), 5);
    let signals: Vec<bool> = process["threads"].as_array().unwrap().iter().map(|t| !t["signal"].is_null()).collect();
    assert_eq!(signals, [true, false, false, false, false]);
    let files = process["files"].as_array().unwrap();
    assert_eq!((files.len(), files[0]["path"].as_str()), (1, Some("/tmp/spike/nilfield")));
    // It is found beside the core, whatever lies at its old place.
    assert!(files[0]["at_hand"].as_str().unwrap().contains("the build ids agree"), "{}", files[0]);
    assert!(process["lost"][0].as_str().unwrap().contains("bytes of files were left out"));
    let page = String::from_utf8(case.run(&["info", "core"]).stdout).unwrap();
    assert!(page.contains("5 threads") && page.contains("found: "), "{page}");
}

#[test]
fn a_core_without_its_binary_still_says_what_it_is() {
    let case = Case::new();
    std::fs::remove_file(case.path().join("nilfield")).unwrap();
    // Another program of that name is not taken for it.
    std::fs::copy(env!("CARGO_BIN_EXE_gopsy"), case.path().join("nilfield")).unwrap();
    if Path::new("/tmp/spike/nilfield").exists() {
        // Somebody recorded the specimen here: its binary is where the core says.
        return;
    }
    let value = case.json(&["info", "core"]);
    assert_eq!((&value["program"], &value["process"]["name"]), (&Value::Null, &"nilfield".into()));
    assert!(value["no_program"].as_str().unwrap().contains("nilfield"), "{value}");
    let refused = case.run(&["where", "core", "main.main"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--bin"), "{refused:?}");
}

#[test]
fn what_is_not_found_is_said() {
    let case = Case::new();
    let status = |args: &[&str]| case.run(args).status.code();
    assert_eq!(status(&["where", "nilfield", "main.main"]), Some(0));
    assert_eq!(status(&["where", "nilfield", "main.nobody"]), Some(1));
    assert_eq!(status(&["where", "nilfield", "main.go:1"]), Some(1));
    assert_eq!(status(&["where", "nilfield"]), Some(2));
    assert_eq!(status(&["where", "main.go", "main.main"]), Some(1));
    assert_eq!(status(&["info", "no-such-file"]), Some(1));
    // Nobody writes such a map: that is an answer.
    assert_eq!(status(&["where", "nilfield", "--writes", "map[string]*main.nobody"]), Some(0));
    let value = case.json(&["where", "nilfield", "--writes", "*main.account", "--reads"]);
    let uses = value["answers"][0]["maps"]["uses"].as_array().unwrap();
    // A literal of one element is assigned, lookup reads.
    let of = |word: &str| -> Vec<u64> {
        uses.iter().filter(|u| u["operation"] == word).map(|u| u["frames"][0]["line"].as_u64().unwrap()).collect()
    };
    assert_eq!(of("assign"), [line("byName: map[string]*account{")]);
    assert_eq!(of("read"), [line("return l.byName[name].balance")]);
}

#[test]
fn cut_and_changed_files_are_survived() {
    let case = Case::new();
    let whole = std::fs::read(case.path().join("nilfield")).unwrap();
    for (n, len) in [(0, 64), (1, 4096), (2, whole.len() / 3), (3, whole.len() - 100_000)] {
        let name = format!("cut{n}");
        std::fs::write(case.path().join(&name), &whole[..len]).unwrap();
        for args in [&["info", &name][..], &["where", &name, "0x48336e", "main.go:22", "--writes", "int"]] {
            let output = case.run(args);
            assert!(matches!(output.status.code(), Some(0 | 1)), "{args:?}: {output:?}");
        }
    }
    let mut damaged = whole;
    for at in (200..damaged.len()).step_by(9973) {
        damaged[at] ^= 0x55;
    }
    std::fs::write(case.path().join("damaged"), damaged).unwrap();
    for args in [&["info", "damaged"][..], &["where", "damaged", "main.report", "main.go:22", "--writes", "int"]] {
        let output = case.run(args);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{args:?}: {output:?}");
    }
}
