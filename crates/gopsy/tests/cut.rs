//! An executable that was cut off (a copy that was not finished), with the recorded core of a Go program: no Go is needed.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

/// The core, and its executable as far as that many bytes go.
fn folder(keep: impl Fn(usize) -> usize) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let binary = gopsy_testing::recorded("nilfield");
    let keep = keep(binary.len());
    std::fs::write(folder.path().join("core"), gopsy_testing::recorded("core")).unwrap();
    std::fs::write(folder.path().join("nilfield"), &binary[..keep]).unwrap();
    (folder, format!("the file is cut off: {keep} of the {} bytes that its headers name are there", binary.len()))
}

/// What is said, in one line.
fn said(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gopsy"));
    let output = command.args(args).current_dir(folder).env("NO_COLOR", "1").output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_program_that_lacks_gos_tables_is_cut_off_not_stripped() {
    let (folder, cut) = folder(|len| len / 4);
    let page = said(folder.path(), &["explain", "core"]);
    assert!(page.contains(&format!("Go's structures cannot be read: ./nilfield: {cut}")), "{page}");
    assert_eq!(page.matches(&cut).count(), 1, "{page}");
    assert!(!page.contains("somebody removed") && page.contains("name the whole file with --bin: go1."), "{page}");
    let page = said(folder.path(), &["info", "nilfield"]);
    assert!(page.contains(&cut) && !page.contains("stripped") && !page.contains("no DWARF   "), "{page}");
}

#[test]
fn a_whole_one_is_looked_for() {
    let (folder, cut) = folder(|len| len / 4);
    // Where the core says that it was, below a root: the cut one; beside the core: the whole one.
    let root = folder.path().join("root/tmp/spike");
    std::fs::create_dir_all(&root).unwrap();
    std::fs::rename(folder.path().join("nilfield"), root.join("nilfield")).unwrap();
    std::fs::write(folder.path().join("nilfield"), gopsy_testing::recorded("nilfield")).unwrap();
    let page = said(folder.path(), &["explain", "core", "--root", "root"]);
    assert!(page.contains("main.report") && !page.contains(&cut), "{page}");
}

#[test]
fn what_only_debuggers_read_may_be_gone() {
    let (folder, cut) = folder(|len| len - 1000);
    let page = said(folder.path(), &["explain", "core"]);
    assert!(page.contains("main.report") && page.contains(&cut) && !page.contains("cannot be read"), "{page}");
}
