//! Go as a library (`-buildmode=c-shared`) in a process whose executable is C's.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_testing::{NEWEST, Toolchain, cgo_core_problem, dies, run, skip};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const LIBRARY: &str = "package main

import \"C\"

type node struct {
	next *node
	n    int
}

//go:noinline
func walk(n *node) int {
	return n.next.n
}

//export Walk
func Walk() C.int { return C.int(walk(&node{})) }

//export Quiet
func Quiet() {}

func main() {}
";

/// With a word behind its name it fails itself when Go has come back: on the thread that called, or on one of which Go does not know.
const CALLER: &str = "#include <pthread.h>
#include <stdlib.h>
#ifdef WITH_GO
int Walk(void);
void Quiet(void);
#else
static int Walk(void) { abort(); }
static void Quiet(void) {}
#endif
__attribute__((noinline)) static void *follow(void *p) { return *(void *volatile *)p; }
int main(int argc, char **argv) {
	pthread_t thread;
	if (argc == 1) return Walk();
	Quiet();
	if (argv[1][0] == 'm') return follow(0) != 0;
	pthread_create(&thread, 0, follow, 0);
	return pthread_join(thread, 0);
}
";

fn gopsy(args: &[&str], folder: &Path) -> Value {
    let output =
        Command::new(env!("CARGO_BIN_EXE_gopsy")).args(args).arg("--json").current_dir(folder).output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn says(found: &Value, what: &str) -> bool {
    found["notes"].as_array().unwrap().iter().any(|note| note.as_str().unwrap().contains(what))
}

fn caller(folder: &Path, args: &[&str]) {
    std::fs::create_dir_all(folder.join("c")).unwrap();
    std::fs::write(folder.join("c/caller.c"), CALLER).unwrap();
    run(Command::new("gcc").args(["-o", "host", "c/caller.c"]).args(args).current_dir(folder)).unwrap();
}

#[test]
fn go_that_c_calls_is_the_program() {
    if let Some(problem) = cgo_core_problem() {
        return skip("zoo", &problem);
    }
    for (version, flags) in [("1.16", &[][..]), ("1.22", &["-ldflags=-s -w"]), (NEWEST, &[])] {
        let toolchain = match Toolchain::find(version) {
            Ok(toolchain) => toolchain,
            Err(why) => return skip("zoo", &why),
        };
        let name = &toolchain.release;
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        std::fs::write(folder.join("main.go"), LIBRARY).unwrap();
        std::fs::write(folder.join("go.mod"), "module example.com/library\n\ngo 1.16\n").unwrap();
        let flags = [&["-buildmode=c-shared"], flags].concat();
        run(&mut toolchain.build(folder, &folder.join("libgo.so"), &flags, true)).unwrap();
        caller(folder, &["-DWITH_GO", "-L.", "-lgo", "-Wl,-rpath,$ORIGIN"]);
        for way in ["main", "thread"] {
            std::fs::rename(dies(folder, &format!("./host {way}"), &[]).unwrap().core, folder.join("fault")).unwrap();
            let found = gopsy(&["explain", "fault"], folder);
            let verdict = &found["verdict"];
            assert_eq!(
                (&verdict["kind"], &verdict["cause"], &verdict["culprit"]["function"]),
                (&"native-fault".into(), &"null-in-c".into(), &"follow".into()),
                "{name} {way}: {found:#}"
            );
        }
        std::fs::rename(dies(folder, "./host", &[]).unwrap().core, folder.join("core")).unwrap();

        let verdict = |args: &[&str]| {
            let found = gopsy(&[&["explain", "core"], args].concat(), folder);
            let verdict = &found["verdict"];
            assert_eq!(verdict["kind"], "nil-dereference", "{name}: {found:#}");
            assert_eq!(
                (&verdict["culprit"]["function"], &verdict["culprit"]["line"]),
                (&"main.walk".into(), &12.into()),
                "{name}"
            );
            assert!(says(&found, "Go is here as a library"), "{name}: {:#}", found["notes"]);
            found
        };
        let found = verdict(&[]);
        // Walk is the library's glue, which a stripped one does not name; main is the caller's own.
        let callers = found["called_from_c"]["frames"].as_array().unwrap().iter();
        let callers: Vec<&str> = callers.filter_map(|frame| frame["function"].as_str()).collect();
        let at =
            callers.iter().position(|function| *function == "main").unwrap_or_else(|| panic!("{name}: {callers:?}"));
        assert!(at == 1 && !callers.iter().any(|function| function.starts_with("runtime.")), "{name}: {callers:?}");
        let frames = found["goroutines"].as_array().unwrap().iter().flat_map(|g| g["frames"].as_array().unwrap());
        let walk = frames.into_iter().find(|f| f["function"] == "main.walk").unwrap();
        let pc = walk["pc"].as_str().unwrap();
        let info = gopsy(&["info", "core"], folder);
        assert!(info["program"]["path"].as_str().unwrap().ends_with("libgo.so"), "{name}: {:#}", info["program"]);
        assert!(info["runtime"]["goroutines"].is_object(), "{name}: {:#}", info["runtime"]);
        for asked in ["main.walk", pc] {
            let at = gopsy(&["where", "core", asked], folder);
            assert_eq!(at["answers"][0]["found"], "place", "{name} {asked}: {at:#}");
        }
        // Neither a name for it nor the executable changes that.
        verdict(&["--bin", "libgo.so"]);
        std::fs::rename(folder.join("host"), folder.join("away")).unwrap();
        verdict(&[]);
        std::fs::rename(folder.join("away"), folder.join("host")).unwrap();
        // Without the library it is told what is missing, and nothing is made of what is left.
        std::fs::remove_file(folder.join("libgo.so")).unwrap();
        let without = gopsy(&["explain", "core"], folder);
        assert!(without["verdict"]["culprit"].is_null(), "{name}: {:#}", without["verdict"]);
        assert!(says(&without, "a library with Go in it"), "{name}: {:#}", without["notes"]);
        assert_eq!(says(&without, &format!("({name})")), version != "1.16", "{name}: {:#}", without["notes"]);
    }
}

#[test]
fn a_program_of_c_alone_has_no_library_of_go() {
    if let Some(problem) = cgo_core_problem() {
        return skip("zoo", &problem);
    }
    let folder = tempfile::tempdir().unwrap();
    caller(folder.path(), &[]);
    std::fs::rename(dies(folder.path(), "./host", &[]).unwrap().core, folder.path().join("core")).unwrap();
    let found = gopsy(&["explain", "core"], folder.path());
    assert!(!says(&found, "library"), "{:#}", found["notes"]);
}

#[test]
fn of_several_the_one_that_died_is_read() {
    if let Some(problem) = cgo_core_problem() {
        return skip("zoo", &problem);
    }
    let toolchain = match Toolchain::find(NEWEST) {
        Ok(toolchain) => toolchain,
        Err(why) => return skip("zoo", &why),
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for name in ["first", "second"] {
        let source = folder.join(name);
        std::fs::create_dir(&source).unwrap();
        let own = LIBRARY.replace("Walk", &format!("Walk_{name}")).replace("walk", &format!("walk_{name}"));
        // The first has begun when the second dies.
        let own = own.replace("return C.int(walk_first(&node{}))", "return 0");
        std::fs::write(source.join("main.go"), own).unwrap();
        std::fs::write(source.join("go.mod"), format!("module example.com/{name}\n\ngo 1.16\n")).unwrap();
        let into = folder.join(format!("lib{name}.so"));
        run(&mut toolchain.build(&source, &into, &["-buildmode=c-shared"], true)).unwrap();
    }
    std::fs::create_dir(folder.join("c")).unwrap();
    let main =
        "int Walk_first(void); int Walk_second(void);\nint main(void) { return Walk_first() + Walk_second(); }\n";
    std::fs::write(folder.join("c/caller.c"), main).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-o", "host", "c/caller.c", "-L.", "-lfirst", "-lsecond", "-Wl,-rpath,$ORIGIN"]).current_dir(folder);
    run(&mut gcc).unwrap();
    std::fs::rename(dies(folder, "./host", &[]).unwrap().core, folder.join("core")).unwrap();
    let found = gopsy(&["explain", "core"], folder);
    assert_eq!(found["verdict"]["culprit"]["function"], "main.walk_second", "{found:#}");
    assert!(says(&found, "libsecond.so; the executable is"), "{:#}", found["notes"]);
    assert!(says(&found, "libfirst.so has Go, too: it is not read"), "{:#}", found["notes"]);
}
