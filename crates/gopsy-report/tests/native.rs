//! Frames of C above a goroutine's, in every form; those among them that a search found are marked.

#![allow(missing_docs, clippy::unwrap_used)]

mod mock;

use gopsy_model::{Cause, Confidence, Elision, Frame, FunctionName, Kind, Known, Role, Source, Stack, Trust};
use gopsy_program::Program;
use gopsy_report::terminal::{self, View};
use gopsy_report::wire::Form;
use gopsy_report::{Case, markdown, wire};
use mock::Mock;
use serde_json::Value;

fn in_c(function: &str, module: &str, trust: Trust) -> Frame {
    Frame {
        function: Known::have(FunctionName(function.into()), trust, Source::Binary),
        foreign: true,
        module: Known::have(module.into(), Trust::Table, Source::Core),
        ..Frame::named("")
    }
}

/// A goroutine, and the stack of its thread: Go's signal handler, C, and what called it.
fn program(native: Vec<Frame>, outer: Vec<Frame>, gap: usize) -> Program {
    let mut mock = Mock::default();
    mock.all.push(mock::goroutine(1, "syscall", None, &[("main.main", "/src/main.go", 5)], None));
    let frames = [vec![mock::frame(("runtime.sigtramp", "/go/sys.s", 1))], native, outer].concat();
    let elided = vec![Elision::of(1, Known::printed(9)), Elision::of(gap, Known::printed(7))];
    let stack = Stack { frames, elided, unavailable: Some("nothing tells who called it".into()), remarks: Vec::new() };
    mock.all.push((gopsy_model::Goroutine::bare(Role::System), stack));
    (mock.crash.crashed, mock.crash.system_stack, mock.crash.stacks) = (Some(0), Some(1), 0..2);
    Program::new(mock)
}

fn forms(program: &Program) -> (String, String, Value) {
    let verdict = mock::verdict(Kind::NativeAbort, Cause::Unknown, Confidence::Unknown, "SIGABRT: abort", "C gave up.");
    let case = Case { program, verdict: &verdict, source: None, groups: &[], notes: &[] };
    let mut json = Vec::new();
    wire::explain(&mut json, program, &verdict, program.stacks(), &[], Form::Compact).unwrap();
    let view = View { width: 100, ..View::default() };
    (terminal::explain(&case, &view), markdown::explain(&case), serde_json::from_slice(&json).unwrap())
}

#[test]
fn what_a_search_found_is_marked() {
    let frames = |second| vec![in_c("abort", "libc.so.6", Trust::Table), in_c("libc_own", "libc", second)];
    let (page, report, json) = forms(&program(frames(Trust::Scanned), Vec::new(), 2));
    assert!(page.contains("in C     abort     libc.so.6\n"), "{page}");
    assert!(page.contains(" ? libc_own  libc\n"), "{page}");
    assert!(page.contains("?: found by a search of the stack; it, and what called it, may be left over"), "{page}");
    assert!(report.contains("\nabort(...)\n") && report.contains("\nlibc_own(...)  (found by a search"), "{report}");
    assert_eq!(json["native"]["frames"][1]["trust"], "scanned", "{json:#}");

    let (page, report, json) = forms(&program(frames(Trust::Inferred), Vec::new(), 2));
    assert!(page.contains("   libc_own  libc\n") && !page.contains("search"), "{page}");
    assert!(!report.contains("search"), "{report}");
    assert_eq!(json["native"]["frames"][1]["trust"], "inferred", "{json:#}");
}

#[test]
fn a_place_that_is_called_by_its_file_names_the_file_once() {
    let (page, _, _) = forms(&program(vec![in_c("libc.so.6+0x42", "libc.so.6", Trust::Table)], Vec::new(), 2));
    assert!(page.contains("in C     libc.so.6+0x42\n"), "{page}");
}

#[test]
fn what_is_told_of_other_frames_of_the_thread_is_not_told_of_these() {
    let frames = || vec![in_c("inner", "app", Trust::Table), in_c("outer", "app", Trust::Table)];
    // Before them 9 frames are missing: that is about Go's. Within and after them it is about C's.
    for (gap, after) in [(2, 1), (3, 2)] {
        let (_, _, json) = forms(&program(frames(), Vec::new(), gap));
        let native = &json["native"];
        assert_eq!(
            native["elided"],
            serde_json::json!([{ "after": after, "count": 7, "reason": "source" }]),
            "{native:#}"
        );
        assert_eq!(native["unavailable"], "nothing tells who called it", "{native:#}");
    }
    let outer = vec![mock::frame(("runtime.asmcgocall", "/go/asm.s", 1))];
    let (page, _, json) = forms(&program(frames(), outer, 3));
    let native = &json["native"];
    assert_eq!((native["frames"].as_array().unwrap().len(), &native["elided"]), (2, &Value::Null), "{native:#}");
    assert!(native["unavailable"].is_null() && !page.contains("nothing tells"), "{page}");
    // A thread without frames of C.
    assert!(forms(&program(Vec::new(), Vec::new(), 1)).2["native"].is_null());
}

#[test]
fn a_thread_is_never_called_idle() {
    let mut mock = Mock::default();
    mock.all.push(mock::goroutine(0, "running", None, &[], None));
    mock.all[0].0.role = Role::System;
    mock.all.push(mock::goroutine(2, "running", None, &[], None));
    mock.crash.stacks = 0..2;
    let (_, _, json) = forms(&Program::new(mock));
    assert_eq!((&json["goroutines"][0]["state"], &json["goroutines"][1]["state"]), (&Value::Null, &"running".into()));
}

#[test]
fn a_deep_stack_of_c_keeps_both_ends() {
    let frames = (0..200).map(|i| in_c(&format!("f{i}"), "app", Trust::Table)).collect();
    let (_, report, _) = forms(&program(frames, Vec::new(), 2));
    assert!(report.contains("\nf0(...)\n") && report.contains("\nf199(...)\n"), "{report}");
    assert!(report.contains("... 140 frames left out") && !report.contains("\nf100(...)"), "{report}");
}
