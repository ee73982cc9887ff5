//! Goroutine headers: made of any parts they read back, made of any bytes they break nothing.
#![no_main]

use arbitrary::Arbitrary;
use gopsy_fuzz::{frames, read};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    id: u64,
    gp: Option<u64>,
    m: Option<u32>,
    mp: Option<u64>,
    state: u8,
    minutes: u16,
    locked: bool,
    scan: bool,
    raw: &'a [u8],
    behind: bool,
}

const STATES: [&str; 8] = [
    "running",
    "chan receive",
    "select (no cases)",
    "IO wait",
    "sync.Mutex.Lock",
    "syscall",
    "GC worker (idle)",
    "???",
];

libfuzzer_sys::fuzz_target!(|input: Input<'_>| {
    // Any bytes in the place of a header.
    let mut text = b"panic: x\n\ngoroutine ".to_vec();
    text.extend_from_slice(input.raw);
    text.extend_from_slice(b"\nmain.f(0x1)\n\t/a/b.go:3 +0x1\n");
    read(&text);

    let mut header = format!("goroutine {}", input.id);
    if let Some(gp) = input.gp {
        header.push_str(&format!(" gp={gp:#x}"));
        match input.m {
            Some(m) => header.push_str(&format!(" m={m}")),
            None => header.push_str(" m=nil"),
        }
        if let Some(mp) = input.mp {
            header.push_str(&format!(" mp={mp:#x}"));
        }
    }
    let state = STATES[usize::from(input.state) % STATES.len()];
    header.push_str(&format!(" [{state}"));
    if input.scan {
        header.push_str(" (scan)");
    }
    if input.minutes > 0 {
        header.push_str(&format!(", {} minutes", input.minutes));
    }
    if input.locked {
        header.push_str(", locked to thread");
    }
    header.push_str("]:");
    let text = format!("panic: x\n\n{header}\nmain.f(0x1)\n\t/a/b.go:3 +0x1\n");
    let dump = read(text.as_bytes());
    assert_eq!(dump.stack_count(), 1, "{header}");
    let g = dump.goroutine(0);
    assert_eq!(g.id.value(), Some(&input.id), "{header}");
    assert_eq!(&*dump.brief(0).state, state, "{header}");
    assert_eq!(g.wait_minutes.value().copied().unwrap_or(0), u64::from(input.minutes), "{header}");
    assert_eq!((g.locked_to_thread, g.scan), (input.locked, input.scan), "{header}");
    assert_eq!(g.gp.value(), input.gp.as_ref(), "{header}");
    assert_eq!(frames(&dump.stack(0)), ["main.f /a/b.go:3"], "{header}");
    if input.behind {
        // Any bytes in front of it cost at most what they claim for themselves.
        let mut text = input.raw.to_vec();
        text.extend_from_slice(b"\n\npanic: x\n\n");
        text.extend_from_slice(header.as_bytes());
        text.extend_from_slice(b"\nmain.f(0x1)\n\t/a/b.go:3 +0x1\n");
        read(&text);
    }
});
