//! What fuzzing and hostile texts found, one test each.

use gopsy_model::Headline;
use gopsy_text::{Dump, Options, read_bytes};

fn read(text: &str) -> Dump {
    read_bytes(text.as_bytes(), &Options::default())
}

fn ids(dump: &Dump) -> Vec<u64> {
    (0..dump.stack_count()).filter_map(|id| dump.goroutine(id).id.into_value()).collect()
}

fn frames(dump: &Dump, id: usize) -> Vec<String> {
    let name = |f: &gopsy_model::Frame| {
        let function = f.function.value().map_or("", |n| n.as_str());
        let file = f.file.value().map_or("", |n| n);
        format!("{function} {file}:{}", f.line.value().copied().unwrap_or(0))
    };
    dump.stack(id).frames.iter().map(name).collect()
}

/// Each header of a flattened text was read within the one before: a stack overflow after some thousands.
#[test]
fn a_hundred_thousand_headers_in_one_line() {
    let text = "goroutine 1 [running]: main.f() /a/b.go:3 ".repeat(100_000);
    let dump = read(&format!("panic: x {text}\n"));
    assert_eq!(dump.stack_count(), 100_000);
    assert_eq!(frames(&dump, 99_999), ["main.f /a/b.go:3"]);
}

/// `WARNING: DATA RACE` in the middle of a stack took the next goroutine's header for a line of its report.
#[test]
fn a_cut_race_report_leaves_the_next_goroutine_alone() {
    let dump = read(
        "goroutine 7 [running]:\nmain.f()\n\t WARNING: DATA RACE\n\ngoroutine 8 [running]:\nmain.g(0x1)\n\t/a/b.go:4 +0x1\n",
    );
    assert_eq!(ids(&dump), [7, 8]);
    assert_eq!(frames(&dump, 1), ["main.g /a/b.go:4"]);
}

/// `at FILE:LINE` behind a header without frames changed the last frame of the goroutine before.
#[test]
fn a_debuggers_place_stays_in_its_own_stack() {
    let dump = read(
        "#0  0x01 in main.f (x=1)\n    at /a/b.go:3\ngoroutine 7 [running]:\nmain.g(0x1)\n\t/a/b.go:4 +0x1\ngoroutine 8 [running]:\nat /other.go:9\n",
    );
    assert_eq!(frames(&dump, 1), ["main.g /a/b.go:4"]);
}

/// Each line of a value copied the whole value, and one line of it could be as long as the text.
#[test]
fn a_panic_value_is_bounded() {
    let long = format!("panic: {}\n", "x".repeat(1 << 20));
    let many = format!("panic: x\n{}", "\ty\n".repeat(1 << 16));
    for text in [long, many] {
        let dump = read(&text);
        let Some(Headline::Panic(panic)) = dump.crashes().first().and_then(|c| c.headlines.first()) else {
            panic!("no panic");
        };
        assert!(panic.value.len() <= 3 << 16, "{}", panic.value.len());
    }
}

/// `...` lines with nothing between them were a gap each.
#[test]
fn gaps_with_nothing_between_them_are_one() {
    let dump = read(&format!("goroutine 7 [running]:\nmain.g(0x1)\n\t/a/b.go:4 +0x1\n{}", "...\n".repeat(1000)));
    assert_eq!(dump.stack(0).elided.len(), 1);
}
