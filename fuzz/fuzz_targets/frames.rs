//! Function and file lines of any bytes: a frame that Go could have printed between them is still found.
#![no_main]

use gopsy_fuzz::{frames, read};

libfuzzer_sys::fuzz_target!(|input: (&[u8], &[u8])| {
    // One line each: with line feeds the bytes could say that all of it is quoted, prefixed or somebody else's.
    let one_line = |bytes: &[u8]| bytes.iter().copied().filter(|&b| b != b'\n').collect::<Vec<u8>>();
    let (name, place) = (one_line(input.0), one_line(input.1));
    let mut text = b"panic: x\n\ngoroutine 7 [running]:\n".to_vec();
    text.extend_from_slice(&name);
    text.extend_from_slice(b"\n\t");
    text.extend_from_slice(&place);
    text.extend_from_slice(
        b"\n\ngoroutine 8 [running]:\nmain.g(0x1)\n\t/a/b.go:4 +0x1\nmain.main()\n\t/a/b.go:3 +0x1\n",
    );
    let dump = read(&text);
    let whole = (0..dump.stack_count()).any(|id| {
        dump.goroutine(id).id.value() == Some(&8)
            && frames(&dump.stack(id)) == ["main.g /a/b.go:4", "main.main /a/b.go:3"]
    });
    assert!(whole, "goroutine 8 is lost or damaged: {}", String::from_utf8_lossy(&text));
});
