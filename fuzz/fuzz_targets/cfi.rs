//! C frames: a library whose call frame information, index and code are any bytes, a stack of any words, any registers; the
//! whole thread is walked.
#![no_main]

use arbitrary::Arbitrary;
use gopsy_image::Image;
use gopsy_mem::{Addr, Range, SliceMemory};
use gopsy_model::Source;
use gopsy_unwind::{Code, Foreign, RegisterSet, Sites, Stacks, Walker, frames_with};
use std::sync::Arc;

const BASE: u64 = 0x7f00_0000_0000;
const STACK: Range = Range { start: Addr(0x7e00_0000), end: Addr(0x7e00_1000) };
/// One page each: headers, code, the index, the tables.
const PAGE: usize = 0x1000;

#[derive(Debug, Arbitrary)]
struct Input {
    /// The index is written as linkers do, to entries at these places.
    indexed: Option<Vec<(u16, u16)>>,
    hdr: Vec<u8>,
    eh_frame: Vec<u8>,
    /// Entries that begin as real ones do.
    entries: Vec<(u8, u16, u16, Vec<u8>)>,
    code: Vec<u8>,
    stack: Vec<Word>,
    registers: [Word; 17],
}

#[derive(Debug, Arbitrary, Clone, Copy)]
enum Word {
    Any(u64),
    Code(u16),
    Stack(u16),
    Small(u8),
}

impl Word {
    fn value(self) -> u64 {
        match self {
            Word::Any(word) => word,
            Word::Code(at) => BASE + 0x1000 + u64::from(at % 0x1000),
            Word::Stack(at) => STACK.start.0 + u64::from(at % 0x1000),
            Word::Small(word) => word.into(),
        }
    }
}

const NAMES: [&str; 17] = [
    "rip", "rsp", "rbp", "rbx", "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
];

/// A common part and entries whose rules are any bytes.
fn tables(input: &Input) -> Vec<u8> {
    let entry = |body: &[u8]| [&(body.len() as u32).to_le_bytes()[..], body].concat();
    let mut bytes = Vec::new();
    if !input.entries.is_empty() {
        bytes = entry(&[&[0, 0, 0, 0, 1][..], b"zRS\0", &[1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1]].concat());
    }
    for (common, start, len, rules) in &input.entries {
        let at = 0x3000 + bytes.len() as u32;
        // Mostly to the common part; the start relative to its own place.
        let pointer = bytes.len() as u32 + 4 - u32::from(*common & 3);
        let relative = (0x1000 + u32::from(start % 0x1000)).wrapping_sub(at + 8);
        let body = [&pointer.to_le_bytes()[..], &relative.to_le_bytes(), &u32::from(*len).to_le_bytes(), &[0], rules];
        bytes.extend(entry(&body.concat()));
    }
    bytes.extend(&input.eh_frame);
    bytes
}

fn library(input: &Input) -> Vec<u8> {
    let mut hdr = input.hdr.clone();
    if let Some(pairs) = &input.indexed {
        hdr = vec![1, 0x1b, 0x03, 0x3b];
        hdr.extend((0x1000u32 - 4).to_le_bytes());
        hdr.extend((pairs.len() as u32).to_le_bytes());
        for (function, at) in pairs {
            hdr.extend((u32::from(function % 0x1000).wrapping_sub(0x1000)).to_le_bytes());
            hdr.extend((0x1000 + u32::from(*at)).to_le_bytes());
        }
    }
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0".to_vec();
    for word in [0u64, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend([0u8, 0, 0, 0, 64, 0, 56, 0, 3, 0, 64, 0, 0, 0, 0, 0]);
    for (kind, flags, at, size) in
        [(1u32, 4u32, 0u64, 0x4000u64), (1, 5, 0x1000, 0x1000), (0x6474_e550, 4, 0x2000, 0x1000)]
    {
        file.extend(kind.to_le_bytes());
        file.extend(flags.to_le_bytes());
        for word in [at, at, at, size, size, 4] {
            file.extend(word.to_le_bytes());
        }
    }
    for (page, part) in (1..).zip([&input.code, &hdr, &tables(input)]) {
        file.resize(page * PAGE, 0);
        file.extend(&part[..part.len().min(PAGE)]);
    }
    file.resize(4 * PAGE, 0);
    file
}

libfuzzer_sys::fuzz_target!(|input: Input| {
    let file = library(&input);
    let code = file[0x1000..0x2000].to_vec();
    let Ok(image) = Image::parse(Arc::new(file)) else { return };
    let Some(bias) = image.bias_at(Addr(BASE)) else { return };
    let mut foreign = Foreign::new();
    foreign.add(Arc::new(image), bias, "libx.so");
    let mut stack: Vec<u8> = input.stack.iter().take(512).flat_map(|w| w.value().to_le_bytes()).collect();
    stack.resize(0x1000, 0);
    let memory = SliceMemory::new().with(STACK.start, stack).with(Addr(BASE + 0x1000), code);
    let registers = RegisterSet::of_context(NAMES.into_iter().zip(input.registers.iter().map(|w| w.value())));
    let (code, sites) = (Code::default(), Sites::default());
    let stacks = Stacks { system: Some(STACK), ..Stacks::default() };
    let walk = Walker::new(&memory, &code, &sites).walk_thread(&registers, &foreign, &stacks);
    // Each frame but those that signals interrupted stands further out than the one before.
    assert!(walk.frames.len() <= 0x2000 * (walk.signals.len() + 1), "{} frames", walk.frames.len());
    let shown = frames_with(&walk, 0, &code, &foreign, Source::Core);
    assert_eq!(shown.frames.len(), walk.frames.len() + walk.outer.len());
});
