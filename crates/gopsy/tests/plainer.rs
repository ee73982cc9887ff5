//! `gopsy info` on executables of which less is read: of 32 bits, and without section headers.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_testing::{BuildMode, NEWEST, Toolchain, run, skip};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

const SOURCE: &str = "package main

func main() { println(\"here\") }
";

fn gopsy(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gopsy")).args(args).current_dir(folder).output().unwrap()
}

fn program(name: &str, folder: &Path) -> Value {
    let output = gopsy(&["info", "--json", name], folder);
    let mut info: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    info["program"].take()
}

/// Builds the program as `app`, and again for another machine as `other`.
fn each(goarch: &str, flags: &[&str], mut test: impl FnMut(&Toolchain, &Path)) {
    for version in ["1.16", "1.18", "1.21", "1.24", NEWEST] {
        let go = match Toolchain::find(version) {
            Ok(go) => go,
            Err(why) => return skip("zoo", &why),
        };
        let folder = tempfile::tempdir().unwrap();
        go.program(folder.path(), SOURCE, flags, false).unwrap();
        let mut command = go.build(folder.path(), &folder.path().join("other"), flags, false);
        run(command.env("GOARCH", goarch)).unwrap();
        test(&go, folder.path());
    }
}

#[test]
fn of_an_executable_of_32_bits_its_headers_and_its_build_are_read() {
    each("386", &[], |go, folder| {
        let name = &go.release;
        let (app, other) = (program("app", folder), program("other", folder));
        assert_eq!(
            (&other["go_version"], &other["go_version_by"]),
            (&app["go_version"], &app["go_version_by"]),
            "{name}"
        );
        assert_eq!(other["go_version"], *name);
        for field in ["main_package", "main_module", "position_independent", "shared_object", "interpreter"] {
            assert_eq!(other[field], app[field], "{name}: {field}");
        }
        let settings = other["settings"].as_object().unwrap();
        assert_eq!(settings.get("GOARCH").map(|arch| arch == "386"), (go.version != "1.16").then_some(true), "{name}");
        assert!(other["symbols"].as_u64() > Some(1000) && other["debug_size"].as_u64() > Some(10_000), "{name}");
        assert!(other["go_build_id"].is_string() && other["go_build_id"] != app["go_build_id"], "{name}");
        let why = "not supported yet: the tables of a 32-bit program";
        assert_eq!((&other["no_modules"], &other["modules"]), (&why.into(), &serde_json::json!([])), "{name}");
        // Nothing of its code is answered for.
        assert_eq!(gopsy(&["where", "other", "main.main"], folder).status.code(), Some(1), "{name}");

        let whole = std::fs::read(folder.join("other")).unwrap();
        for twentieths in 0..20 {
            std::fs::write(folder.join("cut"), &whole[..whole.len() * twentieths / 20]).unwrap();
            let code = gopsy(&["info", "cut"], folder).status.code();
            assert!(matches!(code, Some(0 | 1)), "{name}: {twentieths}/20: {code:?}");
        }
    });
}

#[test]
fn without_section_headers_build_information_is_found_in_the_segments() {
    each("amd64", BuildMode::Pie.flags(), |go, folder| {
        let name = &go.release;
        let mut bytes = std::fs::read(folder.join("app")).unwrap();
        // Up to where its segments end; no section headers.
        let field = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        let count = usize::from(u16::from_le_bytes([bytes[56], bytes[57]]));
        let end = (0..count).map(|i| field(32) + 56 * i).map(|at| field(at + 8) + field(at + 32)).max().unwrap();
        bytes.truncate(end);
        bytes[40..48].fill(0);
        bytes[58..64].fill(0);
        std::fs::write(folder.join("bare"), &bytes).unwrap();
        let (app, bare) = (program("app", folder), program("bare", folder));
        assert!(app["sections"] != serde_json::json!([]) && bare["sections"] == serde_json::json!([]), "{name}");
        for field in ["go_version", "go_version_by", "main_package", "main_module", "settings", "cut"] {
            assert_eq!(bare[field], app[field], "{name}: {field}");
        }
        assert_eq!((&bare["go_version"], &bare["go_version_by"]), (&name.as_str().into(), &"build information".into()));
    });
}
