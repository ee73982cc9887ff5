//! A text joined with a binary, and with a core: what each adds, and what is said where they do not belong together.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../gopsy-program/tests/core")
}

fn unpack(name: &str, to: &Path) {
    let packed = fs::File::open(recorded().join(format!("{name}.zst"))).unwrap();
    let mut decoder = ruzstd::decoding::StreamingDecoder::new(packed).unwrap();
    std::io::copy(&mut decoder, &mut fs::File::create(to).unwrap()).unwrap();
}

fn text() -> String {
    fs::read_to_string(recorded().join("nilfield.stderr")).unwrap()
}

fn explain(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gopsy"));
    command.arg("explain").args(arguments).current_dir(folder).env("NO_COLOR", "1").env("COLUMNS", "400");
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

#[test]
fn a_folder_with_a_core_and_its_text_is_one_death() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    unpack("core", &path.join("core"));
    unpack("nilfield", &path.join("nilfield"));
    fs::write(path.join("crash.txt"), text()).unwrap();
    let page = explain(path, &["."]);
    assert_eq!(page.matches("  why  ").count(), 1, "{page}");
    assert!(page.contains("crash.txt tells of the same death: goroutine 1, what was said, "), "{page}");
    // The program's own lines before the death are in the text alone, the release in the core's binary alone.
    assert!(page.contains("go1.27.3"), "{page}");
}

#[test]
fn a_text_of_another_death_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    unpack("core", &path.join("core"));
    unpack("nilfield", &path.join("nilfield"));
    let other = text().replace("invalid memory address or nil pointer dereference", "integer divide by zero");
    fs::write(path.join("crash.txt"), other).unwrap();
    let page = explain(path, &["."]);
    assert_eq!(page.matches("  why  ").count(), 2, "{page}");
    assert!(
        page.contains("crash.txt tells of ANOTHER death: it says \"panic: runtime error: integer divide"),
        "{page}"
    );
}

#[test]
fn a_text_and_its_binary() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    unpack("nilfield", &path.join("nilfield"));
    fs::write(path.join("crash.txt"), text()).unwrap();
    let alone = explain(path, &["crash.txt"]);
    let joined = explain(path, &["crash.txt", "--bin", "nilfield"]);
    assert!(!alone.contains("the text is of") && joined.contains("the text is of nilfield: "), "{joined}");
    // The text does not name the module, the binary does.
    let module = |page: &str| page.lines().next().unwrap().contains(" · ");
    assert!(!module(&alone) && module(&joined), "{alone}\n{joined}");
    // Lines that are not those of this build: nothing is taken from it.
    let moved = text().replace("main.go:", "main.go:1");
    fs::write(path.join("moved.txt"), moved).unwrap();
    let page = explain(path, &["moved.txt", "--bin", "nilfield"]);
    assert!(page.contains("the text is NOT of nilfield: ") && !module(&page), "{page}");
    fs::write(path.join("none.txt"), "panic: boom\n").unwrap();
    let page = explain(path, &["none.txt", "--bin", "nilfield"]);
    assert!(page.contains("nothing tells whether the text is of nilfield"), "{page}");
}
