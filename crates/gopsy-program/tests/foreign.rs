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
        assert!(at("c_thread_nest").is_some_and(|outer| outer > nests), "{name}: {told:?}");
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

/// One instruction after the other until the stack is another one.
const CHANGE_STACKS: &str = "set $from = $rsp
set $steps = 0
while $rsp < $from + 65536 && $from - $rsp < 65536 && $steps < 1000
stepi
set $steps = $steps + 1
end";

/// One instruction after the other until another function is reached, from one of at most 512 bytes.
const LEAVE: &str = "set $from = $pc
set $steps = 0
while $pc >= $from && $pc < $from + 512 && $steps < 1000
stepi
set $steps = $steps + 1
end";

/// The stack of the thread that was met, and that of the goroutine that is always busy, which is the first.
fn met(built: &Built, way: &str, at: &str, go_on: &[&str]) -> Option<(Stack, Stack)> {
    let core = built.met(way, at, go_on)?;
    let in_main = |stack: &Stack| told(stack).last() == Some(&"main.main");
    let names = |stack: &Stack| stack.frames.iter().map(|f| name(f).map(str::to_owned)).collect::<Vec<_>>();
    let found = stacks(&core);
    let all = || found.iter().map(names).collect::<Vec<_>>();
    let thread =
        found.iter().find(|s| in_main(s)).unwrap_or_else(|| panic!("{} {way}: {:?}", built.name, all())).clone();
    let is_first = |id: &usize| core.goroutine(*id).id.value() == Some(&1);
    Some((thread, core.stack((0..core.stack_count()).find(is_first).unwrap())))
}

/// The call of the clock that changes stacks: `time.now` does so itself since 1.17.
fn clock_of(built: &Built) -> &'static str {
    if built.name.starts_with("go1.16.") { "runtime.walltime1" } else { "time.now" }
}

#[test]
fn the_clock_of_the_vdso() {
    // The vDSO is mapped above everything else of the program's.
    let step = ["stepi", "set $steps = $steps + 1", "end", "stepi 3"];
    let into_the_vdso = [&["set $steps = 0", "while $pc < 0x700000000000 && $steps < 1000"][..], &step].concat();
    each("busy", &[Mode::NoC], |built| {
        let Some((stack, first)) = met(built, "clock", clock_of(built), &into_the_vdso) else { return };
        assert!(stack.frames.iter().any(|f| f.foreign), "{}: {stack:?}", built.name);
        assert_eq!(told(&stack), ["main.clock", "main.main"], "{}", built.name);
        assert!(is_certain(&stack), "{}", built.name);
        assert_eq!(told(&first), ["main.clock", "main.main"], "{}", built.name);
    });
}

/// What calls the clock does so on its thread's system stack, while its goroutine has left off nowhere.
#[test]
fn on_the_way_to_the_clock() {
    each("busy", &[Mode::NoC], |built| {
        // The first instruction on the other stack, and one where its pointer is aligned and the call prepared.
        for further in ["stepi 0", "stepi 3"] {
            let met = met(built, "clock", clock_of(built), &[CHANGE_STACKS, further]);
            let Some((stack, first)) = met else { return };
            let call = stack.frames.iter().position(|f| name(f) == Some(clock_of(built))).unwrap();
            assert!(!stack.frames[..call].iter().any(|f| f.foreign), "{}: {stack:?}", built.name);
            // What is inlined has no stack pointer of its own.
            let pointers: Vec<_> = stack.frames[call..].iter().filter_map(|f| f.sp.value()).collect();
            assert!(pointers[0].abs_diff(*pointers[1]) > 1 << 20, "{}: {stack:?}", built.name);
            for stack in [&stack, &first] {
                let names: Vec<_> = stack.frames.iter().filter_map(name).collect();
                assert_eq!(told(stack), ["main.clock", "main.main"], "{}: {names:?}", built.name);
                assert_eq!((names.last(), &stack.unavailable), (Some(&"runtime.goexit"), &None), "{}", built.name);
            }
        }
    });
}

#[test]
fn the_race_detector() {
    each("busy", &[Mode::RaceInternal, Mode::RaceExternal], |built| {
        let Some((stack, first)) = met(built, "count", "racecall", &[LEAVE, "stepi 3"]) else { return };
        let names: Vec<_> = stack.frames.iter().filter_map(name).collect();
        let hook = names.iter().position(|n| n.starts_with("__tsan_")).unwrap();
        assert!(stack.frames[hook].foreign, "{}: {stack:?}", built.name);
        assert!(names[hook..].starts_with(&[names[hook], "racecall", "main.count"]), "{}: {names:?}", built.name);
        assert_eq!(names.last(), Some(&"runtime.goexit"), "{}", built.name);
        // What the Go linker has linked has no tables of C code.
        assert_eq!(is_certain(&stack), built.mode == Mode::RaceExternal, "{}: {stack:?}", built.name);
        assert_eq!((told(&first).first(), told(&first).last()), (Some(&"main.count"), Some(&"main.main")));
    });
}

/// A goroutine whose thread is met on the way to the race detector or back stands on its thread's system stack, and has left off
/// nowhere: what its g says is long past.
#[test]
fn on_the_way_to_the_race_detector() {
    each("busy", &[Mode::RaceInternal, Mode::RaceExternal], |built| {
        for go_on in [&[CHANGE_STACKS][..], &[CHANGE_STACKS, "stepi"], &[LEAVE, "finish"]] {
            let Some((_, first)) = met(built, "count", "racecall", go_on) else { return };
            let names: Vec<_> = first.frames.iter().filter_map(name).collect();
            assert_eq!(names.first(), Some(&"racecall"), "{}: {names:?}", built.name);
            let (told, expected) = (told(&first), (Some("main.count"), Some("main.main")));
            assert_eq!((told.first().copied(), told.last().copied()), expected, "{}: {names:?}", built.name);
            assert_eq!((names.last(), &first.unavailable), (Some(&"runtime.goexit"), &None), "{}", built.name);
        }
    });
}

/// On the system stack already, `racecall` changes no stacks: nothing of the goroutine's is where it keeps the stack pointer.
#[test]
fn the_race_detector_called_on_the_system_stack() {
    each("busy", &[Mode::RaceInternal, Mode::RaceExternal], |built| {
        let go_on = ["tbreak *'racecall'", "continue", LEAVE];
        let Some((stack, first)) = met(built, "spawn", "runtime.racegostart", &go_on) else { return };
        let names: Vec<_> = stack.frames.iter().filter_map(name).collect();
        let hook = names.iter().position(|n| *n == "racecall").unwrap();
        assert!(stack.frames[hook - 1].foreign, "{}: {stack:?}", built.name);
        let creation = ["racecall", "runtime.racegostart", "runtime.newproc1", "runtime.newproc.func1"];
        assert!(names[hook..].starts_with(&creation), "{}: {names:?}", built.name);
        assert_eq!(names.last(), Some(&"runtime.goexit"), "{}", built.name);
        for stack in [&stack, &first] {
            assert_eq!(told(stack), ["main.spawn", "main.main"], "{}: {names:?}", built.name);
            assert_eq!(stack.unavailable, None, "{}: {stack:?}", built.name);
        }
    });
}
