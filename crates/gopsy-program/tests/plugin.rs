//! A program with a plugin: a module of Go that only the runtime's own list tells of. What the runtime printed is what is right.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_model::{Headline, Role, Stack};
use gopsy_program::{CoreEvidence, Evidence, Program, TextEvidence};
use gopsy_testing::{BuildMode, NEWEST, Toolchain, cgo_core_problem, dies_in_plugin, skip, versions};

/// Those at which moduledata changed; `GOPSY_ZOO=all` takes all.
const VERSIONS: [&str; 5] = ["1.16", "1.20", "1.22", "1.26", NEWEST];

/// Function, line and distance of each frame.
fn frames(stack: &Stack) -> Vec<(String, Option<i64>, Option<u64>)> {
    let frame = |f: &gopsy_model::Frame| {
        let name = f.function.value().map_or_else(String::new, |name| name.as_str().to_owned());
        (name, f.line.value().copied(), f.offset.value().copied())
    };
    stack.frames.iter().map(frame).collect()
}

/// Lets the program die in one way, and reads both accounts of it.
fn dies(toolchain: &Toolchain, mode: BuildMode, way: &str) -> (CoreEvidence, Program) {
    let folder = tempfile::tempdir().unwrap();
    let died = dies_in_plugin(folder.path(), toolchain, mode, way).unwrap();
    let dump = gopsy_text::read_bytes(&died.stderr, &gopsy_text::Options::default());
    let text = TextEvidence::programs(dump).pop().expect("it printed its death");
    (CoreEvidence::open(&died.core, Some(&folder.path().join("host"))).unwrap(), text)
}

#[test]
fn goroutines_in_a_plugin_are_as_the_runtime_printed_them() {
    if let Some(problem) = cgo_core_problem() {
        return skip("zoo", &problem);
    }
    for version in versions(&VERSIONS) {
        let toolchain = match Toolchain::find(version) {
            Ok(toolchain) => toolchain,
            Err(why) => return skip("zoo", &why),
        };
        for (mode, way) in [(BuildMode::Plain, "Boom"), (BuildMode::Stripped, "Boom"), (BuildMode::Stripped, "Throw")] {
            let name = format!("{} {} {way}", toolchain.release, mode.as_str());
            let (core, text) = dies(&toolchain, mode, way);
            assert!(core.notes().iter().all(|note| !note.contains("modules")), "{name}: {:?}", core.notes());
            let mut compared = 0;
            for id in text.stacks().filter(|id| text.goroutine(*id).role == Role::Goroutine) {
                let number = text.goroutine(id).id.value().copied().filter(|number| *number > 0);
                let Some(number) = number else { continue };
                let is_it = |id: &usize| core.goroutine(*id).id.value() == Some(&number);
                let twin = (0..core.stack_count()).find(is_it).unwrap_or_else(|| panic!("{name}: {number} is missing"));
                assert_eq!(frames(&core.stack(twin)), frames(&text.stack(id)), "{name}: goroutine {number}");
                compared += 1;
            }
            assert!(compared >= 3, "{name}: {compared}");
            // What is right by the source: who waits in the plugin, and where it died.
            let function = |id, name: &str| frames(&core.stack(id)).iter().any(|f| f.0.ends_with(name));
            assert!((0..core.stack_count()).any(|id| function(id, ".(*Thing).Wait")), "{name}");
            assert!(function(core.crash().crashed.unwrap(), &format!(".{way}")), "{name}");
            if way == "Throw" {
                let Some(Headline::Panic(panic)) = core.crash().headlines.first() else { panic!("{name}") };
                let held = panic.held.value().unwrap_or_else(|| panic!("{name}: {:?}", panic.held));
                assert_eq!((&*held.type_name, &*held.text), ("*main.Thing", "&main.Thing{N: 7}"), "{name}");
            }
        }
    }
}
