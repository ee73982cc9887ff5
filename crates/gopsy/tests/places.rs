//! `gopsy where` and `gopsy info` on the recorded core of a Go program and its binary: no Go is needed. What must be said
//! stands in the program's source and in what the runtime printed in the same run (`gopsy-program/tests/core`).
#![allow(clippy::unwrap_used)]

use serde_json::Value;
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
        for name in ["core", "nilfield"] {
            std::fs::write(folder.path().join(name), gopsy_testing::recorded(name)).unwrap();
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
    // Beside the core, or at its old place where somebody recorded it anew: its build id tells.
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
    // Where somebody recorded the specimen, the binary still lies where the core says: it gets another place.
    let mut core = std::fs::read(case.path().join("core")).unwrap();
    let (was, is) = (b"/tmp/spike/nilfield", b"/nowhere/x/nilfield");
    let places: Vec<usize> = (0..core.len() - was.len()).filter(|at| core[*at..].starts_with(was)).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| core[at..][..is.len()].copy_from_slice(is));
    std::fs::write(case.path().join("core"), core).unwrap();
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
    // Nobody writes such a map: as a function that nobody has. One of two is not enough.
    assert_eq!(status(&["where", "nilfield", "--writes", "map[string]*main.nobody"]), Some(1));
    assert_eq!(status(&["where", "nilfield", "--writes", "map[string]*main.account"]), Some(0));
    let both = ["--writes", "map[string]*main.account", "--writes", "map[string]*main.nobody"];
    assert_eq!(status(&[&["where", "nilfield"], &both[..]].concat()), Some(1));
    // Nor is an address found at which nothing of the program is; one of data is.
    assert_eq!(status(&["where", "nilfield", "0x1"]), Some(1));
    let data = case.json(&["info", "nilfield"])["program"]["modules"][0]["address"].as_str().unwrap().to_owned();
    assert_eq!(status(&["where", "nilfield", &data]), Some(0));
    let value = case.json(&["where", "nilfield", "--writes", "*main.account", "--reads"]);
    let uses = value["answers"][0]["maps"]["uses"].as_array().unwrap();
    // A literal of one element is assigned, lookup reads.
    let of = |word: &str| -> Vec<u64> {
        uses.iter().filter(|u| u["operation"] == word).map(|u| u["frames"][0]["line"].as_u64().unwrap()).collect()
    };
    assert_eq!(of("assign"), [line("byName: map[string]*account{")]);
    assert_eq!(of("read"), [line("return l.byName[name].balance")]);
}

/// What says "no" has looked: instructions of arm64 are not decoded, and a program of another language has no pclntab.
#[test]
fn what_could_not_be_looked_for_is_not_none() {
    let case = Case::new();
    let mut arm = std::fs::read(case.path().join("nilfield")).unwrap();
    arm[18..20].copy_from_slice(&183u16.to_le_bytes());
    std::fs::write(case.path().join("arm"), arm).unwrap();
    let value = case.json(&["where", "arm", "main.report", "--race", "--writes", "*main.account"]);
    let answers = value["answers"].as_array().unwrap();
    assert_eq!(answers[0]["place"]["function"][0]["name"], "main.report");
    assert!(answers[0]["place"]["race"].is_null());
    assert!(answers[0]["place"]["race_not_known"].as_str().unwrap().contains("only instructions of amd64"));
    assert_eq!((&answers[1]["found"], &answers[1]["maps"]), (&"not-known".into(), &Value::Null));
    assert_eq!(case.run(&["where", "arm", "--writes", "*main.account"]).status.code(), Some(1));
    // Of amd64 it is known: nothing is instrumented.
    let value = case.json(&["where", "nilfield", "main.report", "--race"]);
    let place = &value["answers"][0]["place"];
    assert_eq!((&place["race"], &place["race_not_known"]), (&serde_json::json!([]), &Value::Null));

    let rust = env!("CARGO_BIN_EXE_gopsy");
    let value = case.json(&["where", rust, "main.nobody", "nobody.go:7", "--writes", "int"]);
    let answers = value["answers"].as_array().unwrap();
    for answer in &answers[..2] {
        assert!(answer["why"].as_str().unwrap().contains("Not asked: pclntab (the file has no pclntab"), "{answer}");
    }
    assert_eq!(answers[2]["found"], "not-known");
    let value = case.json(&["where", "nilfield", "main.nobody"]);
    assert!(!value["answers"][0]["why"].as_str().unwrap().contains("Not asked"), "{value}");
}

/// All verbs find the executable of a core in one way, and say the same of it.
#[test]
fn the_executable_of_a_core_is_one_for_all_verbs() {
    let case = Case::new();
    let notes = |args: &[&str]| -> Vec<String> {
        let value = case.json(args);
        value["notes"].as_array().unwrap().iter().map(|n| n.as_str().unwrap().to_owned()).collect()
    };
    let verbs: [&[&str]; 4] =
        [&["explain", "core"], &["stacks", "core"], &["info", "core"], &["where", "core", "main.report"]];
    for args in verbs {
        assert!(!notes(args).iter().any(|n| n.contains("is NOT the binary")), "{args:?}");
        let named = [args, &["--bin", "main.go"]].concat();
        let said: Vec<String> = notes(&named).into_iter().filter(|n| n.contains("is NOT the binary")).collect();
        assert_eq!(said.len(), 1, "{args:?}: {said:?}");
        let (begin, end) = ("what was named is NOT the binary that wrote this core; ", "/nilfield is");
        assert!(said[0].starts_with(begin) && said[0].ends_with(end), "{args:?}: {said:?}");
        // For people it comes before all else, and once.
        let page = String::from_utf8(case.run(&named).stdout).unwrap();
        assert!(page.starts_with("what was named is NOT") && page.matches("is NOT").count() == 1, "{args:?}: {page}");
    }
    // A core without memory proves nothing of any file: the one that is named is taken, and that is said.
    let whole = std::fs::read(case.path().join("core")).unwrap();
    let word = |at: usize| u64::from_le_bytes(whole[at..at + 8].try_into().unwrap()) as usize;
    let headers = (0..).map(|i| word(32) + 56 * i);
    let first = headers.clone().find(|at| whole[*at..at + 4] == [1, 0, 0, 0]).unwrap();
    std::fs::write(case.path().join("bare"), &whole[..word(first + 8)]).unwrap();
    std::fs::create_dir(case.path().join("there")).unwrap();
    std::fs::rename(case.path().join("nilfield"), case.path().join("there/nilfield")).unwrap();
    for args in [&["info", "bare"][..], &["where", "bare", "main.report"]] {
        for bin in ["there", "there/nilfield"] {
            let said = notes(&[args, &["--bin", bin]].concat());
            assert!(
                said.iter().any(|n| n.contains("nothing proves that there/nilfield wrote it")),
                "{args:?}: {said:?}"
            );
        }
    }
    // Where it was built it may still lie at its own place.
    if !Path::new("/tmp/spike/nilfield").exists() {
        assert_eq!(case.run(&["where", "bare", "main.report"]).status.code(), Some(1));
    }
    // Below the root of a container.
    std::fs::create_dir_all(case.path().join("root/tmp/spike")).unwrap();
    std::fs::rename(case.path().join("there/nilfield"), case.path().join("root/tmp/spike/nilfield")).unwrap();
    for args in verbs {
        let output = case.run(&[args, &["--root", "root"]].concat());
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
    }
}

#[test]
fn an_address_of_the_heap_is_nobodys() {
    let case = Case::new();
    let value = case.json(&["where", "core", "0xc000012000"]);
    let place = &value["answers"][0]["place"];
    assert_eq!((&place["data"], &place["notes"][0]["id"]), (&Value::Null, &"not-mapped".into()), "{place}");
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
