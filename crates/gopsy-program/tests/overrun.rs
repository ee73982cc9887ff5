//! System stacks that were full: the threads of a specimen of the zoo, read with and without the runtime's structures.

#![allow(missing_docs, clippy::unwrap_used)]

mod refuted;

use gopsy_model::{Headline, Stack};
use gopsy_program::{CoreEvidence, Evidence};
use gopsy_target::Core;
use gopsy_testing::{BuildMode, NEWEST, Toolchain, cgo_core_problem, dies, skip, specimen, versions};

/// The functions of a stack, what repeats once.
fn functions(stack: &Stack) -> Vec<String> {
    let mut names: Vec<String> = stack.frames.iter().map(|f| f.function.value().unwrap().as_str().to_owned()).collect();
    names.dedup();
    names
}

#[test]
fn a_full_system_stack_is_walked_to_the_goroutine() {
    if let Some(problem) = cgo_core_problem() {
        return skip("zoo", &problem);
    }
    // Up to Go 1.21 `morestack` aborts; since 1.22 it throws, on a stack that is kept for that. Of C the system stack is 500 times as
    // large.
    let modes = [BuildMode::Plain, BuildMode::Stripped, BuildMode::Pie, BuildMode::Cgo];
    for (turn, version) in versions(&["1.16", "1.21", "1.22", NEWEST]).into_iter().enumerate() {
        let mode = modes[turn % modes.len()];
        let toolchain = match Toolchain::find(version) {
            Ok(toolchain) => toolchain,
            Err(why) => return skip("zoo", &why),
        };
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let main = specimen("recursion-on-system-stack", &["system"], folder).unwrap();
        if mode == BuildMode::Cgo {
            std::fs::write(folder.join("cgo.go"), "package main\n\nimport \"C\"\n").unwrap();
        }
        let app = toolchain.program(folder, &main, mode.flags(), mode.needs_cgo()).unwrap();
        let name = format!("{} {}", toolchain.release, mode.as_str());
        let core = dies(folder, "./app", &[]).unwrap().core;
        let read = CoreEvidence::open(&core, Some(&app)).unwrap();

        let throws = !matches!(version, "1.16" | "1.21");
        let inner: &[&str] = if throws {
            &["runtime.throw", "runtime.badmorestackg0.func1", "runtime.switchToCrashStack0"]
        } else {
            &["runtime.abort", "runtime.morestack"]
        };
        let full = ["main.deeper", "main.hook", "runtime.systemstack"];
        let system = read.stack(read.crash().system_stack.unwrap());
        // Go 1.16 feigns a caller of systemstack.
        let system: Vec<String> = functions(&system).into_iter().filter(|name| name != "runtime.mstart").collect();
        // C's stack may end before the guard that Go reckons with: then it is a fault there.
        let of_c = mode == BuildMode::Cgo;
        assert!(system.ends_with(&full.map(str::to_owned)), "{name}: {system:?}");
        assert!(of_c || system == [inner, &full].concat(), "{name}: {system:?}");

        // The walk through everything goes on to the goroutine's own frames.
        let outer = ["example.com/app/system.call", "example.com/app/system.Run", "main.main", "runtime.main"];
        let began = [&full[..], &outer, &["runtime.goexit"]].concat();
        let threads = Core::open(&core).unwrap().threads().to_vec();
        let mut stacks = threads.iter().map(|thread| functions(&read.thread_stack(thread.tid).unwrap()));
        let whole = stacks.find(|names| names.iter().any(|name| name == "main.hook")).unwrap_or_default();
        assert!(whole.len() > began.len(), "{name}");
        assert_eq!(whole[whole.len() - began.len()..], began, "{name}: {whole:?}");
        let says = if throws {
            Headline::Fatal("morestack on g0".into())
        } else {
            Headline::Native("fatal: morestack on g0".into())
        };
        assert!(of_c || read.crash().headlines[0] == says, "{name}: {:?}", read.crash().headlines);

        // Without the structures nothing tells which stack was left for that of crashes.
        let unread = refuted::read(&core, &app);
        let died = functions(&unread.stack(unread.crash().crashed.unwrap()));
        if throws {
            assert!(of_c || died == inner, "{name}: {died:?}");
        } else {
            assert!(
                died.starts_with(&["runtime.abort".to_owned(), "runtime.morestack".to_owned()]),
                "{name}: {died:?}"
            );
            assert!(died.contains(&"main.hook".to_owned()), "{name}: {died:?}");
        }
    }
}
