//! Compressed texts: whole ones read like the text itself, damaged ones as far as they go.
#![no_main]

use gopsy_fuzz::{ask, read};
use gopsy_text::{Options, read_bytes};
use std::io::Write as _;

libfuzzer_sys::fuzz_target!(|input: (u8, u16, u8, &[u8])| {
    let (mode, at, flip, bytes) = input;
    let magic: &[u8] = if mode & 1 == 0 { &[0x1f, 0x8b] } else { &[0x28, 0xb5, 0x2f, 0xfd] };
    if mode & 2 == 0 {
        // Garbage behind the magic. The decompressed text is bounded: a bomb must not become this target's finding.
        let mut text = magic.to_vec();
        if mode & 4 == 0 && mode & 1 == 0 {
            text.extend_from_slice(&[8, 0, 0, 0, 0, 0, 0, 0xff]);
        }
        text.extend_from_slice(bytes);
        ask(&read_bytes(&text, &Options { max_bytes: 1 << 20, ..Options::default() }));
        return;
    }
    let mut packed = if mode & 1 == 0 {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("a vector takes everything");
        encoder.finish().expect("a vector takes everything")
    } else {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Uncompressed)
    };
    if mode & 4 == 0 {
        let packed = read(&packed);
        let plain = read(bytes);
        // A text that is itself compressed is not unpacked twice.
        if !bytes.starts_with(&[0x1f, 0x8b]) && !bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            assert_eq!((packed.stack_count(), packed.lines()), (plain.stack_count(), plain.lines()));
            assert_eq!(packed.crashes(), plain.crashes());
        }
        return;
    }
    let at = usize::from(at) % packed.len();
    if mode & 8 == 0 {
        packed[at] ^= flip;
    } else {
        packed.truncate(at);
    }
    ask(&read_bytes(&packed, &Options { max_bytes: 1 << 20, ..Options::default() }));
});
