//! A core that comes through a pipe, or is standard input, is read as its file is.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What gopsy says, wherever it says it.
fn said(folder: &Path, verb: &str, target: &str, stdin: Stdio, bytes: &[u8]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gopsy"));
    command.args([verb, target]).current_dir(folder).env("NO_COLOR", "1").env("COLUMNS", "400");
    let mut child = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let writer = child.stdin.take().map(|mut input| {
        let bytes = bytes.to_vec();
        std::thread::spawn(move || drop(input.write_all(&bytes)))
    });
    let out = child.wait_with_output().unwrap();
    writer.into_iter().for_each(|writer| writer.join().unwrap());
    String::from_utf8([out.stdout, out.stderr].concat()).unwrap()
}

#[test]
fn a_core_is_read_from_wherever_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let core = gopsy_testing::recorded("core");
    fs::write(path.join("core"), &core).unwrap();
    // The binary lies beside: in the current folder.
    let program = gopsy_testing::recorded("nilfield");
    fs::write(path.join("nilfield"), &program).unwrap();
    let file = || Stdio::from(File::open(path.join("core")).unwrap());
    for verb in ["explain", "stacks"] {
        let expected = said(path, verb, "core", Stdio::null(), &[]);
        assert!(expected.contains("main.report"), "{expected}");
        assert_eq!(said(path, verb, "-", file(), &[]), expected, "{verb}");
        let piped = said(path, verb, "-", Stdio::piped(), &core);
        assert!(piped.contains("a pipe: "), "{piped}");
        let same = |text: &str| text.lines().filter(|line| !line.contains("a pipe: ")).collect::<String>();
        assert!(same(&piped).starts_with(&same(&expected)), "{verb}: {piped}\n{expected}");
    }
    let info = said(path, "info", "-", Stdio::piped(), &core);
    assert!(info.starts_with("standard input  core") && info.contains("a pipe, read to its end"), "{info}");
    let info = said(path, "info", "-", Stdio::from(File::open(path.join("nilfield")).unwrap()), &[]);
    assert!(info.starts_with("standard input  executable"), "{info}");
    // An executable is read here and there, and not kept: its file is asked for.
    let info = said(path, "info", "-", Stdio::piped(), &program);
    assert!(info.contains("cannot read standard input: not a regular file"), "{info}");
}
