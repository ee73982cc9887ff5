//! Texts that are made to cost time or memory. What decides is counted: lines, stacks, what is kept; never the clock.
//!
//! With `GOPSY_HOSTILE=full` every text has 100 MB; else a size that an unoptimised build reads in a moment. The
//! figures are in `docs/hostile.md`, measured by the example `hostile`.
#![allow(clippy::unwrap_used)]

mod cases;

use gopsy_text::{Options, read, read_bytes};
use std::io::{Read, Write as _};

fn size() -> u64 {
    if std::env::var("GOPSY_HOSTILE").is_ok_and(|v| v == "full") { 100 << 20 } else { 1 << 16 }
}

/// Every case ends, and twice the text has at least as many lines and stacks.
#[test]
fn every_case_ends() {
    for case in cases::CASES {
        let dump = read(case.text(size()), &Options::default()).unwrap();
        let half = read(case.text(size() / 2), &Options::default()).unwrap();
        assert!(half.lines() <= dump.lines() && half.stack_count() <= dump.stack_count(), "{}", case.name);
        for id in [0, dump.stack_count() / 2, dump.stack_count().saturating_sub(1)] {
            assert_eq!(dump.stack(id).frames.len(), dump.frame_count(id), "{}", case.name);
        }
    }
}

fn read_case(name: &str) -> gopsy_text::Dump {
    let case = cases::CASES.iter().find(|c| c.name == name).unwrap();
    read(case.text(size()), &Options::default()).unwrap()
}

#[test]
fn no_goroutine_is_lost() {
    for (name, bytes) in
        [("headers alone", 24), ("goroutines of two lines", 48), ("served panics", 80), ("escaped stacks", 45)]
    {
        let dump = read_case(name);
        assert!(dump.stack_count() as u64 > size() / bytes, "{name}: {}", dump.stack_count());
    }
}

/// A recursion of ten million frames keeps both ends, and says how many are between them.
#[test]
fn a_deep_stack_keeps_both_ends() {
    let frames: u64 = if size() > 1 << 20 { 10_000_000 } else { 100_000 };
    for distinct in [false, true] {
        let mut text = String::from("goroutine 1 [running]:\n");
        for n in 0..frames {
            let n = if distinct { n } else { 7 };
            text.push_str(&format!("main.f(0x1)\n\t/a.go:{n} +0x1\n"));
        }
        let dump = read_bytes(text.as_bytes(), &Options::default());
        let stack = dump.stack(0);
        let left_out: u64 = stack.elided.iter().filter_map(|e| e.count.value().copied()).sum();
        assert_eq!(stack.frames.len() as u64 + left_out, frames);
        if distinct {
            let line = |f: &gopsy_model::Frame| f.line.value().copied();
            assert_eq!(stack.frames.first().and_then(line), Some(0));
            // Ten million places are more than there is room for: the last have no names then, and a note says so.
            let last = stack.frames.last().and_then(line);
            let told = last.is_none() && dump.notes().iter().any(|n| n.contains("more names and places"));
            assert!(told || last == i64::try_from(frames - 1).ok(), "{last:?} {:?}", dump.notes());
        }
    }
}

#[test]
fn a_billion_zeros() {
    let bytes = if size() > 1 << 20 { 1 << 30 } else { 4 << 20 };
    let dump = read(std::io::repeat(0).take(bytes), &Options::default()).unwrap();
    assert_eq!((dump.stack_count(), dump.crashes().len()), (0, 0));
}

/// A bomb is unpacked in a stream; `max_bytes` counts what comes out of it.
#[test]
fn a_bomb() {
    let bytes: u64 = if size() > 1 << 20 { 1 << 30 } else { 4 << 20 };
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::copy(&mut std::io::repeat(0).take(bytes), &mut encoder).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!((bomb.len() as u64) < bytes / 50);
    let dump = read_bytes(&bomb, &Options::default());
    assert_eq!(dump.stack_count(), 0);
    let dump = read_bytes(&bomb, &Options { max_bytes: 1 << 20, ..Options::default() });
    assert!(dump.notes().iter().any(|n| n.contains("only the first 1048576 bytes")), "{:?}", dump.notes());
}

/// Arguments nested far deeper than a frame's can be.
#[test]
fn nested_arguments() {
    let dump = read_case("nested args");
    let args = dump.stack(0).frames[0].args.value().cloned().unwrap();
    assert!(args.truncated);
}

/// Carriers beyond the streams that are told apart.
#[test]
fn many_prefixes() {
    for name in ["distinct prefixes", "distinct json streams"] {
        let dump = read_case(name);
        assert!(dump.stack_count() >= 200, "{name}: {}", dump.stack_count());
    }
}

#[test]
fn a_line_of_braces() {
    let mut text = vec![b'{'; if size() > 1 << 20 { 10 << 20 } else { 1 << 20 }];
    text.write_all(b"\npanic: x\n\ngoroutine 1 [running]:\nmain.f()\n\t/a.go:1\n").unwrap();
    assert_eq!(read_bytes(&text, &Options::default()).stack_count(), 1);
}
