//! Cores whose executable is not at hand: what they say of how it was built, so that it can be found.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_testing::{BuildMode, Built, NEWEST, dies, each_built};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

const SOURCE: &str = "package main

func main() { panic(\"gone\") }
";

fn gopsy(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gopsy")).args(args).current_dir(folder).output().unwrap()
}

fn info(args: &[&str], folder: &Path) -> Value {
    serde_json::from_slice(&gopsy(&[&["info", "--json"], args].concat(), folder).stdout).unwrap()
}

#[test]
fn the_core_says_which_build_wrote_it() {
    let ways =
        [("1.16", BuildMode::Plain), ("1.18", BuildMode::Stripped), ("1.22", BuildMode::Pie), (NEWEST, BuildMode::Cgo)];
    each_built(SOURCE, false, &ways, |built| {
        let Built { name, folder, toolchain } = built;
        std::fs::rename(dies(folder, "./app", &[]).unwrap().core, folder.join("core")).unwrap();
        let mut here = info(&["core"], folder);
        // Another build stands where that one was.
        std::fs::rename(folder.join("app"), folder.join("kept")).unwrap();
        toolchain.program(folder, &SOURCE.replace("gone", "here"), &["-race"], true).unwrap();
        let mut away = info(&["core"], folder);
        assert!(away["program"].is_null(), "{name}: {away:#}");
        let (here, away) = (here["program"].take(), away["build"].take());
        let said = String::from_utf8(gopsy(&["explain", "core"], folder).stderr).unwrap();

        // Before Go 1.18 it is in the constants, which this core does not hold.
        let old = toolchain.version == "1.16";
        let known = if old {
            &["build_id", "go_build_id"][..]
        } else {
            &["go_version", "main_module", "settings", "build_id", "go_build_id"]
        };
        for field in known {
            assert_eq!(away[field], here[field], "{name}: {field}");
        }
        assert_eq!((away["go_version"].is_null(), said.contains(&toolchain.release)), (old, !old), "{name}: {said}");
        assert!(!away["go_build_id"].is_null(), "{name}");
        assert_eq!(said.contains("example.com/app (devel)"), !old, "{name}: {said}");
        // Named, it is the one.
        let named = info(&["core", "--bin", "kept"], folder);
        assert_eq!(
            (&named["program"]["go_build_id"], named["build"].is_null()),
            (&here["go_build_id"], true),
            "{name}"
        );
    });
}

#[test]
fn what_go_run_removed_is_explained() {
    each_built(SOURCE, false, &[(NEWEST, BuildMode::Plain)], |built| {
        let folder = built.folder;
        let passing = folder.join("go-build12/b001/exe");
        std::fs::create_dir_all(&passing).unwrap();
        let said = |line: &str, app: &Path| {
            std::fs::rename(dies(folder, line, &[]).unwrap().core, folder.join("core")).unwrap();
            let away = folder.join("away");
            std::fs::rename(app, &away).unwrap();
            let verbs = [&["explain", "core"][..], &["where", "core", "main.main"]];
            let said = verbs.map(|args| String::from_utf8(gopsy(args, folder).stderr).unwrap());
            std::fs::rename(away, app).unwrap();
            said
        };
        let app = folder.join("app");
        assert!(said("./app", &app).iter().all(|said| said.contains("\nhint: name it") && !said.contains("`go run`")));
        let app = passing.join("app");
        std::fs::rename(folder.join("app"), &app).unwrap();
        assert!(said("./go-build12/b001/exe/app", &app).iter().all(|said| said.contains("\nhint: `go run`")));
    });
}
