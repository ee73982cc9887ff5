//! A text joined with a binary, and with a core: what each adds, and what is said where they do not belong together.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../gopsy-program/tests/core")
}

fn unpack(name: &str, to: &Path) {
    fs::write(to, gopsy_testing::recorded(name)).unwrap();
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
    assert!(page.contains("stack pointers agree"), "{page}");
    // The program's own lines before the death are in the text alone, the release in the core's binary alone.
    assert!(page.contains("go1.27.3"), "{page}");
}

#[test]
fn without_addresses_another_run_may_have_died_alike() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    unpack("core", &path.join("core"));
    unpack("nilfield", &path.join("nilfield"));
    let cut = |line: &str| line.split(" fp=0x").next().unwrap().to_owned() + "\n";
    fs::write(path.join("crash.txt"), text().lines().map(cut).collect::<String>()).unwrap();
    let page = explain(path, &["."]);
    assert_eq!(page.matches("  why  ").count(), 1, "{page}");
    assert!(page.contains("crash.txt tells of a death like this one: goroutine 1, what was said, "), "{page}");
    // The same words of another run, whose stack lay elsewhere.
    fs::write(path.join("crash.txt"), text().replace(" sp=0x", " sp=0x1")).unwrap();
    let page = explain(path, &["."]);
    assert!(page.contains("crash.txt tells of ANOTHER death: main.report stands at 0x1"), "{page}");
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
    assert!(!alone.contains("the text fits") && joined.contains("the text fits nilfield: "), "{joined}");
    // The text does not name the module, the binary does.
    let module = |page: &str| page.lines().next().unwrap().contains(" · ");
    assert!(!module(&alone) && module(&joined), "{alone}\n{joined}");
    // Lines that are not those of this build: nothing is taken from it.
    let moved = text().replace("main.go:", "main.go:1");
    fs::write(path.join("moved.txt"), moved).unwrap();
    let page = explain(path, &["moved.txt", "--bin", "nilfield"]);
    assert!(page.starts_with("the text is NOT of nilfield: ") && !module(&page), "{page}");
    // Go's own frames are the same in every program of the release.
    let own = "panic: boom\n\ngoroutine 1 [running]:\nruntime.main()\n\t/go/src/runtime/proc.go:290 +0x1\n";
    fs::write(path.join("none.txt"), own.lines().take(3).map(|l| l.to_owned() + "\n").collect::<String>()).unwrap();
    let page = explain(path, &["none.txt", "--bin", "nilfield"]);
    assert!(page.contains("nothing tells whether the text is of nilfield"), "{page}");
    fs::write(path.join("none.txt"), "panic: boom\n").unwrap();
    let page = explain(path, &["none.txt", "--bin", "nilfield"]);
    assert!(page.contains("nothing tells whether the text is of nilfield"), "{page}");
    // What was named and cannot be read is said.
    fs::write(path.join("words"), "no program").unwrap();
    for (named, why) in [("nowhere", "cannot read nowhere: not there"), ("words", "cannot read words: ")] {
        let page = explain(path, &["crash.txt", "--bin", named]);
        assert!(page.contains(why), "{page}");
    }
}

#[test]
fn each_death_of_a_text_says_whether_it_fits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    unpack("nilfield", &path.join("nilfield"));
    let moved = text().replace("main.go:", "main.go:1");
    fs::write(path.join("crash.txt"), text() + "\n" + &moved).unwrap();
    let page = explain(path, &["crash.txt", "--all", "--bin", "nilfield"]);
    assert_eq!(page.matches("  why  ").count(), 2, "{page}");
    let (fits, not) =
        (page.find("the text fits nilfield: ").unwrap(), page.find("the text is NOT of nilfield: ").unwrap());
    let second = page.rfind("  why  ").unwrap();
    // What does not belong together is said before the death that it is about.
    assert!(fits < not && not < second, "{page}");
}

#[test]
fn a_core_that_has_its_text_is_not_held_against_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    unpack("core", &path.join("core"));
    unpack("nilfield", &path.join("nilfield"));
    let other = text().replace("invalid memory address or nil pointer dereference", "integer divide by zero");
    fs::write(path.join("a.txt"), &other).unwrap();
    fs::write(path.join("b.txt"), text()).unwrap();
    fs::write(path.join("c.txt"), &other).unwrap();
    let page = explain(path, &["."]);
    assert!(page.contains("b.txt tells of the same death: ") && !page.contains("ANOTHER death"), "{page}");
    assert_eq!(page.matches("  why  ").count(), 3, "{page}");
    // Where no text is the core's, each is told apart from it, once.
    fs::remove_file(path.join("b.txt")).unwrap();
    let page = explain(path, &["."]);
    assert_eq!(page.matches("ANOTHER death").count(), 2, "{page}");
}

/// Two builds of one source have the same lines at the same distances.
#[test]
fn a_text_whose_functions_stand_at_other_addresses_is_of_another_build() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    unpack("nilfield", &path.join("nilfield"));
    let moved = |line: &str| match line.split_once(" pc=0x").filter(|_| line.starts_with("\t")) {
        Some((before, pc)) => format!("{before} pc={:#x}\n", u64::from_str_radix(pc.trim(), 16).unwrap() + 0x1000),
        None => format!("{line}\n"),
    };
    fs::write(path.join("same.txt"), text()).unwrap();
    fs::write(path.join("moved.txt"), text().lines().map(moved).collect::<String>()).unwrap();
    let page = explain(path, &["--bin", "nilfield", "same.txt"]);
    assert!(page.contains("the text fits nilfield: "), "{page}");
    let page = explain(path, &["--bin", "nilfield", "moved.txt"]);
    assert!(page.starts_with("the text is NOT of nilfield: ") && page.contains(", the binary 0x"), "{page}");
}
