//! Threads that stand in C, in Go below C, in Go below C below Go: real programs that die, their cores, and the order of
//! functions that their sources (`tests/foreign/`) demand.
//!
//! By default each release is built in one mode; `GOPSY_ZOO=all` builds all of them. Where there is no Go, no C compiler, or
//! the kernel puts cores elsewhere, it says what was skipped; with `zoo` in `GOPSY_REQUIRE` a skip is a failure.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "foreign/workshop.rs"]
mod workshop;

use gopsy_model::{Frame, Stack, Trust};
use gopsy_program::{CoreEvidence, Evidence};
use workshop::{Built, Mode, each};

/// The functions of a stack that its source names, and the runtime's at the crossings: what lies between them (cgo's glue,
/// libc's insides) differs between releases.
fn told(stack: &Stack) -> Vec<&str> {
    let kept = |name: &&str| match *name {
        "runtime.asmcgocall" | "runtime.cgocallback" | "abort" => true,
        name => name.starts_with("c_") || (name.starts_with("main.") && !name.starts_with("main._Cfunc_")),
    };
    stack.frames.iter().filter_map(name).filter(kept).collect()
}

fn name(frame: &Frame) -> Option<&str> {
    frame.function.value().map(|f| f.as_str())
}

fn trusts(stack: &Stack) -> impl Iterator<Item = Trust> {
    stack.frames.iter().filter_map(|f| f.pc.trust())
}

fn stacks(evidence: &CoreEvidence) -> Vec<Stack> {
    evidence.thread_ids().map(|tid| evidence.thread_stack(tid).unwrap()).collect()
}

const C: &str = "runtime.asmcgocall";
const GO: &str = "runtime.cgocallback";

/// Lets the program die one way, and holds the one stack that it is about against what the source says.
fn dies(built: &Built, way: &str, expected: &[&str]) -> Stack {
    let core = built.core(way);
    assert!(!core.notes().iter().any(|note| note.contains("damaged")), "{} {way}: {:?}", built.name, core.notes());
    let found = stacks(&core);
    let about = |s: &&Stack| told(s).contains(&expected[0]);
    let mut matching = found.iter().filter(about);
    let all = || found.iter().map(told).collect::<Vec<_>>();
    let stack = matching.next().unwrap_or_else(|| panic!("{} {way}: {:?}", built.name, all()));
    assert!(matching.next().is_none(), "{} {way}: {:?}", built.name, all());
    assert_eq!(told(stack), expected, "{} {way}", built.name);
    assert_eq!(stack.unavailable, None, "{} {way}", built.name);
    stack.clone()
}

/// Everything was stated somewhere: nothing was inferred or looked for.
fn is_certain(stack: &Stack) -> bool {
    trusts(stack).all(|t| t <= Trust::Table)
}

#[test]
fn crossings() {
    each("crossings", &[Mode::Plain, Mode::Pie], |built| {
        let fault = dies(built, "fault", &["c_fault", "c_outer", C, "main.fault", "main.main"]);
        assert!(is_certain(&fault), "{}: {fault:?}", built.name);
        assert_eq!(fault.frames.iter().filter_map(name).next_back(), Some("runtime.goexit"));
        let large = ["c_fault", "c_outer", "c_large", C, "main.large", "main.main"];
        assert!(is_certain(&dies(built, "large", &large)));
        assert!(is_certain(&dies(built, "abort", &["abort", "c_abort", C, "main.abort", "main.main"])));
        // A handler in C, and what it interrupted.
        let handled = ["abort", "c_handler", "c_fault", "c_handled", C, "main.handled", "main.main"];
        assert!(is_certain(&dies(built, "handled", &handled)));
        let inner = ["c_fault", "c_outer", C, "main.fault", "main.goBack", GO, "c_back"];
        let again = [C, "main.goBack", GO, "c_back"];
        let nested = [&inner[..], &again, &again, &[C, "main.nested", "main.main"]].concat();
        assert!(is_certain(&dies(built, "nested", &nested)));
        // A thread that C made ends in C.
        let thread = dies(built, "thread", &[&inner[..], &["c_thread_back"]].concat());
        assert!(thread.frames.last().is_some_and(|f| f.foreign));
    });
}

/// What `crosscall2` saves of C's registers is what C finds its frames by.
#[test]
fn c_that_counts_from_its_frame_pointer() {
    each("crossings", &[Mode::Unoptimised], |built| {
        let inner = ["c_fault", "c_outer", C, "main.fault", "main.goBack", GO, "c_back"];
        let thread = dies(built, "thread", &[&inner[..], &["c_thread_back"]].concat());
        assert!(is_certain(&thread), "{}: {thread:?}", built.name);
        let again = [C, "main.goBack", GO, "c_back"];
        let nested = [&inner[..], &again, &again, &[C, "main.nested", "main.main"]].concat();
        assert!(is_certain(&dies(built, "nested", &nested)), "{}", built.name);
    });
}

/// The function, the line in `crossings.c`, whether it is inlined.
type Place<'a> = (&'a str, Option<u64>, bool);

/// The innermost frames of C.
fn innermost(stack: &Stack) -> Vec<Place<'_>> {
    let in_source = |f: &Frame| f.file.value().is_some_and(|file| file.ends_with("/crossings.c"));
    let line = |f: &Frame| f.line.value().filter(|_| in_source(f)).and_then(|line| u64::try_from(*line).ok());
    stack.frames.iter().filter(|f| f.foreign).map(|f| (name(f).unwrap(), line(f), f.inlined)).take(3).collect()
}

#[test]
fn lines_of_c() {
    let source = include_str!("foreign/crossings.c");
    let line = |text: &str| source.lines().position(|l| l.contains(text)).map(|at| at as u64 + 1);
    let described = [
        ("touch", line("*p = 1;"), true),
        ("c_fault", line("touch(p);"), false),
        ("c_outer", line("{ c_fault(p)"), false),
    ];
    // Without debug information there are functions and no lines; nor is it known what was inlined.
    let bare = [("c_fault", None, false), ("c_outer", None, false)];
    each("crossings", &[Mode::Plain, Mode::Pie, Mode::NoTables], |built| {
        let stack = dies(built, "fault", &["c_fault", "c_outer", C, "main.fault", "main.main"]);
        let found = innermost(&stack);
        match built.mode {
            Mode::NoTables => assert_eq!(found[..2], bare, "{}", built.name),
            _ => assert_eq!(found, described, "{}", built.name),
        }
        let module = |f: &Frame| f.module.value().map(ToString::to_string);
        assert!(stack.frames.iter().all(|f| module(f).is_some() == f.foreign), "{}", built.name);
        assert_eq!(stack.frames.iter().find_map(module).as_deref(), Some("app"), "{}", built.name);
    });
}

#[test]
fn without_the_usual_tables() {
    each("crossings", &[Mode::DebugFrame, Mode::FramePointers, Mode::NoTables], |built| {
        dies(built, "fault", &["c_fault", "c_outer", C, "main.fault", "main.main"]);
        // libc has its tables: c_abort is found by them, and who called it is not.
        let stack = dies(built, "abort", &["abort", "c_abort", C, "main.abort", "main.main"]);
        let at = stack.frames.iter().position(|f| name(f) == Some("c_abort")).unwrap();
        let expected = match built.mode {
            Mode::DebugFrame => Trust::Table,
            Mode::FramePointers => Trust::Inferred,
            _ => Trust::Scanned,
        };
        let trusts = |f: &Frame| (f.pc.trust(), f.function.trust());
        assert_eq!(trusts(&stack.frames[at]), (Some(Trust::Table), Some(Trust::Table)), "{}", built.name);
        assert_eq!(trusts(&stack.frames[at + 1]), (Some(expected), Some(expected)), "{}", built.name);
        // What asmcgocall has saved is believed again.
        assert_eq!(stack.frames.last().unwrap().pc.trust(), Some(Trust::Table), "{}", built.name);
    });
}

#[test]
fn calls_of_nothing() {
    each("crossings", &[Mode::Plain], |built| {
        let stack = dies(built, "jump", &["c_jump", C, "main.jump", "main.main"]);
        let at = stack.frames.iter().position(|f| name(f) == Some("c_jump")).unwrap();
        let before = &stack.frames[at - 1];
        // Up to Go 1.20 the runtime makes a call of sigpanic out of the signal, where the call of nothing was.
        if ["go1.16", "go1.18", "go1.20"].iter().any(|r| built.name.starts_with(r)) {
            assert_eq!(name(before), Some("runtime.sigpanic"), "{}", built.name);
        } else {
            assert_eq!((before.pc.value(), before.foreign), (Some(&0), true), "{}", built.name);
            // The call is seen by what it pushed; the goroutine proves itself again.
            assert_eq!(stack.frames[at].pc.trust(), Some(Trust::Inferred));
        }
        assert_eq!(stack.frames.last().unwrap().pc.trust(), Some(Trust::Table));
    });
}

#[test]
fn a_panic_gives_the_frames_of_c_up() {
    each("crossings", &[Mode::Plain], |built| {
        // Go 1.16 saves a pc of asmcgocall for the goroutine, later releases one of systemstack_switch.
        let saved: &[&str] = if built.name.starts_with("go1.16") { &[C] } else { &[] };
        let expected = [&["main.goPanics", GO], saved, &["main.panics", "main.main"]].concat();
        let stack = dies(built, "panics", &expected);
        assert_eq!(stack.elided.len(), 1, "{}", built.name);
        let before = name(&stack.frames[stack.elided[0].after - 1]);
        assert_eq!(before, Some(GO), "{}", built.name);
    });
}

/// What led to the system stack is that of the outermost callback then, or of one that was over long before.
#[test]
fn a_panic_in_a_nested_callback_makes_none_of_the_outer_ones_callers_its_own() {
    each("crossings", &[Mode::Plain, Mode::Pie], |built| {
        let core = built.core("nest");
        let is_it = |s: &Stack| s.frames.iter().any(|f| name(f) == Some("main.goPanics"));
        let stack = stacks(&core).into_iter().find(is_it).unwrap();
        let (told, name) = (told(&stack), &built.name);
        let at = |wanted: &str| told.iter().position(|name| *name == wanted);
        let nests = at("main.goNests").unwrap_or_else(|| panic!("{name}: {told:?}"));
        // Between them stands what called goPanics, or nothing of C.
        let between = &told[at("main.goPanics").unwrap() + 1..nests];
        assert!(between.iter().all(|f| [GO, C, "c_panics"].contains(f)), "{name}: {told:?}");
        assert!(at("c_thread_nest").is_none_or(|outer| outer > nests), "{name}: {told:?}");
        assert!(!stack.elided.is_empty() || at("c_thread_nest").is_some(), "{name}: {told:?}");
    });
}

#[test]
fn threads_that_wait_in_c() {
    each("crossings", &[Mode::Plain, Mode::Pie], |built| {
        let found = stacks(&built.core("blocked"));
        let expected: [&[&str]; 4] = [
            &["c_read", C, "main.reader"],
            &["c_sleep", C, "main.sleeper"],
            &["c_wait", C, "main.waiter"],
            &["c_sleep", "c_thread"],
        ];
        for expected in expected {
            let matching: Vec<_> = found.iter().filter(|s| told(s) == expected).collect();
            assert_eq!(
                matching.len(),
                1,
                "{}: {expected:?} {:?}",
                built.name,
                found.iter().map(told).collect::<Vec<_>>()
            );
            assert!(is_certain(matching[0]) && matching[0].unavailable.is_none(), "{}", built.name);
            // It waits in libc.
            assert!(matching[0].frames[0].foreign && name(&matching[0].frames[0]) != Some(expected[0]));
        }
    });
}

/// Kills a busy program until one of its threads is met in code of that name, and gives that thread's stack. On a machine
/// with much else to do a thread is seldom met where it is most of its own time.
fn busy(built: &Built, way: &str, within: &dyn Fn(&Frame) -> bool) -> Stack {
    for _ in 0..200 {
        let found = stacks(&built.killed(way));
        if let Some(stack) = found.into_iter().find(|s| s.frames.iter().any(within)) {
            return stack;
        }
    }
    panic!("{} {way}: never there", built.name)
}

#[test]
fn the_clock_of_the_vdso() {
    each("busy", &[Mode::NoC], |built| {
        let stack = busy(built, "clock", &|f| f.foreign);
        assert_eq!(told(&stack), ["main.clock", "main.main"], "{}", built.name);
        assert!(is_certain(&stack), "{}", built.name);
    });
}

#[test]
fn the_race_detector() {
    each("busy", &[Mode::RaceInternal, Mode::RaceExternal], |built| {
        let stack = busy(built, "count", &|f| f.foreign && name(f).is_some_and(|n| n.starts_with("__tsan_")));
        let names: Vec<_> = stack.frames.iter().filter_map(name).collect();
        let hook = names.iter().position(|n| n.starts_with("__tsan_")).unwrap();
        assert!(names[hook..].starts_with(&[names[hook], "racecall", "main.count"]), "{}: {names:?}", built.name);
        assert_eq!(names.last(), Some(&"runtime.goexit"), "{}", built.name);
        // What the Go linker has linked has no tables of C code.
        assert_eq!(is_certain(&stack), built.mode == Mode::RaceExternal, "{}: {stack:?}", built.name);
    });
}

/// What calls the clock does so on its thread's system stack, while its goroutine has left off nowhere.
#[test]
fn on_the_way_to_the_clock() {
    let calls = ["time.now", "runtime.walltime1", "runtime.nanotime1"];
    each("busy", &[Mode::NoC], |built| {
        for _ in 0..200 {
            let core = built.killed("clock");
            let is_first = |id: &usize| core.goroutine(*id).id.value() == Some(&1);
            let stack = core.stack((0..core.stack_count()).find(is_first).unwrap());
            let names: Vec<_> = stack.frames.iter().filter_map(name).collect();
            assert_eq!(told(&stack), ["main.clock", "main.main"], "{}: {names:?} {:?}", built.name, stack.unavailable);
            assert_eq!((names.last(), &stack.unavailable), (Some(&"runtime.goexit"), &None), "{}", built.name);
            // What is inlined has no stack pointer of its own.
            let called_from_another_stack = |pair: &[(&str, u64)]| {
                let [(call, sp), (_, outer)] = *pair else { return false };
                calls.contains(&call) && sp.abs_diff(outer) > 1 << 20
            };
            // The call itself was interrupted, not the vDSO.
            let not_in_c = |thread: &&Stack| !thread.frames.iter().any(|f| f.foreign);
            let is_there = |thread: &Stack| {
                let frames = thread.frames.iter().filter_map(|f| Some((name(f)?, *f.sp.value()?)));
                frames.collect::<Vec<_>>().windows(2).any(called_from_another_stack)
            };
            if stacks(&core).iter().filter(not_in_c).any(is_there) {
                return;
            }
        }
        panic!("{}: never there", built.name)
    });
}

/// A goroutine whose thread is met on the way to the race detector or back stands on its thread's system stack, and has left off
/// nowhere: what its g says is long past.
#[test]
fn on_the_way_to_the_race_detector() {
    each("busy", &[Mode::RaceInternal, Mode::RaceExternal], |built| {
        for _ in 0..200 {
            let core = built.killed("count");
            let is_first = |id: &usize| core.goroutine(*id).id.value() == Some(&1);
            let first = (0..core.stack_count()).find(is_first).unwrap();
            let stack = core.stack(first);
            let names: Vec<_> = stack.frames.iter().filter_map(name).collect();
            if names.is_empty() {
                continue;
            }
            let (told, expected) = (told(&stack), (Some("main.count"), Some("main.main")));
            assert_eq!((told.first().copied(), told.last().copied()), expected, "{}: {names:?}", built.name);
            assert_eq!((names.last(), &stack.unavailable), (Some(&"runtime.goexit"), &None), "{}", built.name);
            if names.first() == Some(&"racecall") {
                return;
            }
        }
        panic!("{}: never there", built.name)
    });
}

/// On the system stack already, `racecall` changes no stacks: nothing of the goroutine's is where it keeps the stack pointer.
#[test]
fn the_race_detector_called_on_the_system_stack() {
    each("busy", &[Mode::RaceInternal, Mode::RaceExternal], |built| {
        for _ in 0..200 {
            let core = built.killed("spawn");
            let found = stacks(&core);
            let is_there = |s: &&Stack| {
                let names: Vec<_> = s.frames.iter().map(name).collect();
                let hook = names.iter().position(|n| *n == Some("racecall"));
                let in_c = |at: usize| at.checked_sub(1).is_some_and(|inner| s.frames[inner].foreign);
                hook.is_some_and(|at| in_c(at) && names.get(at + 1) == Some(&Some("runtime.racegostart")))
            };
            let Some(stack) = found.iter().find(is_there) else { continue };
            let names: Vec<_> = stack.frames.iter().filter_map(name).collect();
            let hook = names.iter().position(|n| *n == "racecall").unwrap();
            let creation = ["racecall", "runtime.racegostart", "runtime.newproc1", "runtime.newproc.func1"];
            assert!(names[hook..].starts_with(&creation), "{}: {names:?}", built.name);
            assert_eq!(told(stack), ["main.spawn", "main.main"], "{}: {names:?}", built.name);
            assert_eq!(names.last(), Some(&"runtime.goexit"), "{}", built.name);
            assert_eq!(stack.unavailable, None, "{}: {stack:?}", built.name);
            let is_first = |id: &usize| core.goroutine(*id).id.value() == Some(&1);
            let first = core.stack((0..core.stack_count()).find(is_first).unwrap());
            assert_eq!(first.unavailable, None, "{}", built.name);
            assert_eq!(told(&first), ["main.spawn", "main.main"], "{}", built.name);
            return;
        }
        panic!("{}: never there", built.name)
    });
}
