//! Cores in which the runtime's structures cannot be read: what is said of their threads is held against what the same core says
//! where they can.

#![allow(missing_docs, clippy::unwrap_used)]

mod refuted;

use gopsy_model::{Frame, Headline, Role, Stack};
use gopsy_program::{AnyCore, CoreError, CoreEvidence, CoreOptions, Evidence};
use gopsy_target::finder::Finder;
use gopsy_testing::{BuildMode, NEWEST, Toolchain, cgo_core_problem, dies, recorded, skip, versions};

/// Each way to die leaves the goroutine's stack for the system stack in another function of the runtime: `fatalpanic`, `fatalthrow`
/// (twice), `newproc`, and `asmcgocall`.
const SOURCE: &str = "package main

// #include <stdlib.h>
// static void inner(void) { abort(); }
// static void outer(void) { inner(); }
import \"C\"

import (
	\"os\"
	\"sync\"
)

//go:noinline
func way(name string) {
	switch name {
	case \"panic\":
		panic(\"given up\")
	case \"throw\":
		var mu sync.Mutex
		mu.Unlock()
	case \"asleep\":
		var nothing func()
		go nothing()
	case \"abort\":
		C.outer()
	}
}

func main() {
	way(os.Args[1])
}
";

fn functions(stack: &Stack) -> Vec<(String, Option<i64>)> {
    let of = |f: &Frame| (f.function.value().unwrap().as_str().to_owned(), f.line.value().copied());
    stack.frames.iter().map(of).collect()
}

/// What stands on the system stack and then on the goroutine's, without the lines of frames that left off: what is there of
/// those is where they go on, and the thread still stands in the call before.
fn whole(core: &CoreEvidence) -> Vec<String> {
    let system = core.crash().system_stack.map(|id| core.stack(id)).unwrap_or_default();
    let own = core.stack(core.crash().crashed.unwrap());
    let names = functions(&system).into_iter().chain(functions(&own)).map(|(name, _)| name);
    // Go 1.16 feigns a caller of systemstack; a goroutine has left off in systemstack_switch.
    names.filter(|name| !matches!(name.as_str(), "runtime.mstart" | "runtime.systemstack_switch")).collect()
}

#[test]
fn the_thread_that_died_stands_where_its_goroutine_does() {
    if let Some(problem) = cgo_core_problem() {
        return skip("zoo", &problem);
    }
    let modes = [BuildMode::Plain, BuildMode::Stripped, BuildMode::Pie];
    let all = std::env::var("GOPSY_ZOO").is_ok_and(|zoo| zoo == "all");
    for (turn, version) in versions(&["1.16", "1.20", "1.22", NEWEST]).into_iter().enumerate() {
        for mode in modes.into_iter().enumerate().filter(|(i, _)| all || turn % modes.len() == *i).map(|(_, mode)| mode)
        {
            let toolchain = match Toolchain::find(version) {
                Ok(toolchain) => toolchain,
                Err(why) => return skip("zoo", &why),
            };
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path();
            let app = toolchain.program(folder, SOURCE, mode.flags(), true).unwrap();
            for way in ["panic", "throw", "asleep", "abort"] {
                let name = format!("{} {} {way}", toolchain.release, mode.as_str());
                let core = dies(folder, &format!("./app {way}"), &[]).unwrap().core;
                let read = CoreEvidence::open(&core, Some(&app)).unwrap();
                let unread = refuted::read(&core, &app);
                let died = unread.crash().crashed.unwrap();
                let stack = unread.stack(died);
                if matches!(way, "panic" | "throw") {
                    assert_eq!(functions(&stack), functions(&read.stack(read.crash().crashed.unwrap())), "{name}");
                } else {
                    let names: Vec<String> = functions(&stack).into_iter().map(|(name, _)| name).collect();
                    assert_eq!(names, whole(&read), "{name}");
                }
                assert_eq!((stack.unavailable, stack.elided), (None, Vec::new()), "{name}");
                assert_eq!((unread.goroutine(died).role, unread.goroutines()), (Role::Thread, 0..0), "{name}");
                // Only a handler that dies tells of another signal than the one that ended the process.
                let signal = |core: &dyn Evidence| match core.crash().headlines.first() {
                    Some(Headline::Signal(signal)) => Some((signal.name.clone(), signal.pc.value().copied())),
                    _ => None,
                };
                assert_eq!(signal(&unread), signal(&read), "{name}");
                assert_eq!(unread.crash().unread, way != "abort", "{name}");
                assert!(unread.notes()[0].starts_with("Go's structures cannot be read: "), "{name}");
            }
        }
    }
}

#[test]
fn every_thread_is_there_and_only_one_has_died() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name| folder.path().join(name);
    for name in ["core", "nilfield"] {
        std::fs::write(path(name), recorded(name)).unwrap();
    }
    let unread = refuted::read(&path("core"), &path("nilfield"));
    let ids = 0..unread.stack_count();
    let threads: std::collections::BTreeSet<_> = ids.clone().map(|id| unread.goroutine(id).thread.unwrap()).collect();
    assert!(threads.len() == ids.len() && threads.len() > 1, "{threads:?}");
    assert!(ids.clone().all(|id| !unread.stack(id).frames.is_empty()));
    let named = |f: &Frame| f.function.value().is_some_and(|name| name.as_str() == "panic");
    let throwing = |id: &usize| unread.stack(*id).frames.iter().any(named);
    assert_eq!(ids.filter(throwing).collect::<Vec<_>>(), Vec::from_iter(unread.crash().crashed));
}

#[test]
fn nothing_else_that_is_wrong_with_a_core_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("core"), recorded("core")).unwrap();
    // Another program, where the core's own is not.
    let finder = Finder { bins: vec![std::env::current_exe().unwrap()], ..Finder::default() };
    let options = CoreOptions { finder, layouts_of: None };
    let opened = AnyCore::find(gopsy_target::Core::open(&folder.path().join("core")).unwrap(), &options);
    assert!(matches!(opened, Err(CoreError::NoBinary { cut: None, .. })));
    // Of a core that was cut off, that is said whether or not its program is here.
    let cut = recorded("core")[..3000].to_vec();
    let opened = AnyCore::find(gopsy_target::Core::parse(std::sync::Arc::new(cut)).unwrap(), &options);
    let said = opened.err().unwrap().to_string();
    assert!(said.contains("the core is cut off: the file ends after 3000 of "), "{said}");
    let text = folder.path().join("text");
    std::fs::write(&text, "no core").unwrap();
    assert!(matches!(CoreEvidence::open_with(&text, &options), Err(CoreError::Core(_))));
}

#[test]
fn what_a_cut_core_lacks_is_said_shortly_and_no_file_is_called_damaged() {
    let core = gopsy_target::Core::parse(std::sync::Arc::new(recorded("core")[..3000].to_vec())).unwrap();
    let parse = |bytes| gopsy_image::Image::parse(std::sync::Arc::new(bytes)).unwrap();
    let mut binary = recorded("nilfield");
    // Without its debug information the layouts of all releases are tried.
    let debug = parse(binary.clone()).section(".debug_info").unwrap().file_offset;
    binary.truncate(usize::try_from(debug).unwrap());
    let opened = AnyCore::join(
        core,
        std::sync::Arc::new(parse(binary)),
        std::path::Path::new("nilfield"),
        &CoreOptions::default(),
    )
    .unwrap();
    let notes = opened.program().notes();
    assert!(notes.iter().all(|note| !note.contains('\n') && note.len() < 300), "{notes:#?}");
    assert!(notes.iter().any(|note| note.contains(" layouts were tried, first ")), "{notes:#?}");
    let modules = notes.iter().find(|note| note.starts_with("the list of Go modules is not whole: ")).unwrap();
    assert!(modules.ends_with("was not saved"), "{notes:#?}");
    assert!(notes.iter().any(|note| note.starts_with("the core was cut off after 3000 of ")), "{notes:#?}");
}
