//! Race reports of any bytes, and of Go's own lines in any order.
#![no_main]

use gopsy_fuzz::read;

const LINES: [&str; 20] = [
    "==================",
    "WARNING: DATA RACE",
    "Read at 0x00c000012345 by goroutine 7:",
    "Previous write at 0x00c000012345 by main goroutine:",
    "Write at 0x00c000012345 by goroutine 8:",
    "Previous atomic read at 0x00c0000 by goroutine 99999999999999999999:",
    "  main.f()",
    "      /src/main.go:3 +0x1d",
    "  main.(*T).g(0x1)",
    "      C:/src a/main.go:-4",
    "  [failed to restore the stack]",
    "",
    "Goroutine 7 (running) created at:",
    "Heap block of size 8 at 0x00c000012345 allocated by main goroutine:",
    "Mutex M1 (0x00c000) created at:",
    "Found 1 data race(s)",
    "exit status 66",
    "panic: x",
    "goroutine 1 [running]:",
    "2024/01/02 03:04:05 a line of the program",
];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut text = b"==================\nWARNING: DATA RACE\n".to_vec();
    for piece in bytes.split_inclusive(|&b| b == 0xff) {
        match piece {
            [first, rest @ ..] if *first < 0x20 => {
                for &b in std::iter::once(first).chain(rest) {
                    text.extend_from_slice(LINES[usize::from(b) % LINES.len()].as_bytes());
                    text.push(b'\n');
                }
            }
            raw => text.extend_from_slice(raw),
        }
    }
    let dump = read(&text);
    assert!(!dump.crashes().is_empty(), "the report itself is a death");
});
