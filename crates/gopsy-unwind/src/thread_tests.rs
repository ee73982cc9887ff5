//! Threads over a built library and built stacks. The library is made here byte by byte: code, call frame information and its
//! index, a symbol table.

use crate::{Code, End, Foreign, Found, On, RegisterSet, Sites, Stacks, Walk, Walker, frames_with};
use gopsy_image::Image;
use gopsy_mem::{Addr, Range, SliceMemory};
use gopsy_model::{Source, Trust};
use std::sync::Arc;

/// Where the library was loaded, and the thread's stack.
const BASE: u64 = 0x7f00_0000_0000;
const STACK: Range = Range { start: Addr(0x7e00_0000), end: Addr(0x7e00_2000) };
const SP: u64 = 0x7e00_0100;

/// Functions by their offsets in the library; each has 0x40 bytes.
const LEAF: u64 = 0x1000;
const CALLER: u64 = 0x1040;
const BARE: u64 = 0x1080;
const START: u64 = 0x10c0;
const RESTORER: u64 = 0x1100;
const NAMES: [(&str, u64); 6] = [
    ("leaf", LEAF),
    ("caller", CALLER),
    ("bare@@V_1", BARE),
    ("start", START),
    ("restorer", RESTORER),
    ("after", 0x1140),
];
/// Where .eh_frame_hdr and .eh_frame stand.
const HDR: u64 = 0x2000;
const EH_FRAME: u64 = 0x2100;

fn entry(body: &[u8]) -> Vec<u8> {
    let mut padded = body.to_vec();
    while !padded.len().is_multiple_of(4) {
        padded.push(0); // DW_CFA_nop
    }
    [&(padded.len() as u32).to_le_bytes()[..], &padded].concat()
}

/// The common part, and one entry each for leaf (moves the stack pointer), caller (has a frame pointer) and start (is the
/// first).
fn eh_frame() -> (Vec<u8>, Vec<(u64, u64)>) {
    // Id 0, version 1, "zR", factors 1 and -8, return address in column 16, pointers pcrel sdata4;
    // the frame ends at rsp+8, the return address is below.
    let common = [&[0, 0, 0, 0, 1][..], b"zR\0", &[1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1]].concat();
    let mut bytes = entry(&common);
    let mut index = Vec::new();
    let rules: [(u64, &[u8]); 3] = [
        // Behind the first byte 16 bytes more, and rbx saved right below the return address.
        (LEAF, &[0x41, 0x0e, 24, 0x83, 2]),
        // The frame ends at rbp+16, rbp is saved there.
        (CALLER, &[0x0c, 6, 16, 0x86, 2]),
        // No return address.
        (START, &[0x07, 16]),
    ];
    for (function, rule) in rules {
        let at = EH_FRAME + bytes.len() as u64;
        let relative = function.wrapping_sub(at + 8) as u32;
        let body =
            [&(bytes.len() as u32 + 4).to_le_bytes()[..], &relative.to_le_bytes(), &0x40u32.to_le_bytes(), &[0], rule];
        bytes.extend(entry(&body.concat()));
        index.push((function, at));
    }
    bytes.extend([0; 4]);
    (bytes, index)
}

fn code() -> Vec<u8> {
    let mut code = vec![0x90; 0x1000];
    // caller and start call leaf and caller, bare calls itself: each ends 0x20 bytes into the function.
    for (function, target) in [(CALLER, LEAF), (START, CALLER), (BARE, BARE)] {
        let relative = target.wrapping_sub(function + 0x20) as u32;
        let at = (function - 0x1000) as usize + 0x1b;
        code[at] = 0xe8;
        code[at + 1..at + 5].copy_from_slice(&relative.to_le_bytes());
    }
    let restorer = (RESTORER - 0x1000) as usize;
    code[restorer..restorer + 9].copy_from_slice(&[0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05]);
    code
}

/// Where the call in that function returns to.
fn back(function: u64) -> u64 {
    BASE + function + 0x20
}

fn library(indexed: bool) -> Vec<u8> {
    let (eh_frame, index) = eh_frame();
    let mut hdr = vec![1, 0x1b, 0x03, 0x3b];
    hdr.extend(((EH_FRAME - HDR - 4) as u32).to_le_bytes());
    hdr.extend((index.len() as u32).to_le_bytes());
    for (function, at) in index {
        hdr.extend((function.wrapping_sub(HDR) as u32).to_le_bytes());
        hdr.extend(((at - HDR) as u32).to_le_bytes());
    }
    let (mut symbols, mut strings) = (vec![0; 24], vec![0]);
    for (name, at) in NAMES {
        symbols.extend((strings.len() as u32).to_le_bytes());
        // Global functions of section 1; assembly says neither what it is nor how large.
        let assembly = at == RESTORER;
        symbols.extend([if assembly { 0x10 } else { 0x12 }, 0, 1, 0]);
        symbols.extend(at.to_le_bytes());
        symbols.extend(if assembly { 0u64 } else { 0x40 }.to_le_bytes());
        strings.extend(name.bytes());
        strings.push(0);
    }
    let names = b"\0.text\0.eh_frame\0.symtab\0.strtab\0.shstrtab\0";
    let mut file = vec![0; 0x1000];
    file.extend(code());
    file.resize(HDR as usize, 0);
    file.extend(&hdr);
    file.resize(EH_FRAME as usize, 0);
    file.extend(&eh_frame);
    let mut place = |bytes: &[u8]| {
        let at = file.len() as u64;
        file.extend(bytes);
        (at, bytes.len() as u64)
    };
    let (symbols, strings, names_at) = (place(&symbols), place(&strings), place(names));
    let sections: [[u64; 10]; 6] = [
        [0; 10],
        [1, 1, 6, 0x1000, 0x1000, 0x1000, 0, 0, 16, 0],
        [7, 1, 2, EH_FRAME, EH_FRAME, eh_frame.len() as u64, 0, 0, 8, 0],
        [17, 2, 0, 0, symbols.0, symbols.1, 4, 1, 8, 24],
        [25, 3, 0, 0, strings.0, strings.1, 0, 0, 1, 0],
        [33, 3, 0, 0, names_at.0, names_at.1, 0, 0, 1, 0],
    ];
    let table = file.len() as u64;
    for [name, kind, flags, address, offset, size, link, info, align, each] in sections {
        for (word, wide) in [(name, 4), (kind, 4), (flags, 8), (address, 8), (offset, 8), (size, 8)] {
            file.extend(&word.to_le_bytes()[..wide]);
        }
        for (word, wide) in [(link, 4), (info, 4), (align, 8), (each, 8)] {
            file.extend(&word.to_le_bytes()[..wide]);
        }
    }
    let len = file.len() as u64;
    let mut header = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0".to_vec();
    for word in [0u64, 64, table] {
        header.extend(word.to_le_bytes());
    }
    header.extend([0u8, 0, 0, 0, 64, 0, 56, 0, 3, 0, 64, 0, 6, 0, 5, 0]);
    let index_kind = if indexed { 0x6474_e550u32 } else { 4 };
    let programs = [(1u32, 4u32, 0u64, len), (1, 5, 0x1000, 0x1000), (index_kind, 4, HDR, hdr.len() as u64)];
    for (kind, flags, at, size) in programs {
        header.extend(kind.to_le_bytes());
        header.extend(flags.to_le_bytes());
        for word in [at, at, at, size, size, 4] {
            header.extend(word.to_le_bytes());
        }
    }
    file[..header.len()].copy_from_slice(&header);
    file
}

fn foreign(file: Vec<u8>) -> Foreign {
    let image = Image::parse(Arc::new(file)).unwrap();
    let bias = image.bias_at(Addr(BASE)).unwrap();
    let mut foreign = Foreign::new();
    foreign.add(Arc::new(image), bias, "libx.so");
    foreign
}

/// The stack with those words, and the library's code.
fn memory(words: &[(u64, u64)]) -> SliceMemory {
    let memory = SliceMemory::new().with(STACK.start, vec![0; 0x2000]).with(Addr(BASE + 0x1000), code());
    words.iter().fold(memory, |m, (at, word)| m.with(Addr(*at), word.to_le_bytes()))
}

fn walk(words: &[(u64, u64)], registers: &[(&'static str, u64)], foreign: &Foreign) -> Walk {
    let (memory, code, sites) = (memory(words), Code::default(), Sites::default());
    let stacks = Stacks { system: Some(STACK), ..Stacks::default() };
    Walker::new(&memory, &code, &sites).walk_thread(
        &RegisterSet::of_context(registers.iter().copied()),
        foreign,
        &stacks,
    )
}

/// Names, and how each was found.
fn told(walk: &Walk, foreign: &Foreign) -> Vec<(String, Found)> {
    let stack = frames_with(walk, 0, &Code::default(), foreign, Source::Core);
    let names = stack.frames.iter().map(|f| f.function.value().map_or("?".to_owned(), |n| n.as_str().to_owned()));
    names.zip(walk.frames.iter().map(|f| f.found)).collect()
}

fn row(name: &str, found: Found) -> (String, Found) {
    (name.to_owned(), found)
}

/// leaf ← caller ← start: leaf's frame ends 24 bytes up, caller's 16 above its frame pointer.
const CHAIN: [(u64, u64); 3] =
    [(SP + 16, BASE + CALLER + 0x20), (SP + 0x40, SP + 0x80), (SP + 0x48, BASE + START + 0x20)];

#[test]
fn by_call_frame_information() {
    let registers = [("rip", BASE + LEAF + 4), ("rsp", SP), ("rbp", SP + 0x40), ("rbx", 5)];
    for indexed in [true, false] {
        let foreign = foreign(library(indexed));
        let walk = walk(&CHAIN, &registers, &foreign);
        let expected = [row("leaf", Found::Context), row("caller", Found::Cfi), row("start", Found::Cfi)];
        assert_eq!((told(&walk, &foreign).as_slice(), &walk.end), (expected.as_slice(), &End::Outermost));
        assert_eq!(walk.frames[0].end, Some((Addr(SP + 24), Found::Cfi)));
        assert_eq!(walk.frames[1].end, Some((Addr(SP + 0x50), Found::Cfi)));
        assert_eq!((walk.frames[2].end, walk.frames[2].on), (None, On::System));
    }
    // At its first byte leaf's frame is smaller: the table is asked for the pc, not for the function.
    let foreign = foreign(library(true));
    let walk = walk(&[(SP, BASE + CALLER + 0x20)], &[("rip", BASE + LEAF), ("rsp", SP)], &foreign);
    assert_eq!(told(&walk, &foreign)[1], row("caller", Found::Cfi));
}

#[test]
fn places_without_a_symbol_are_named_by_their_file() {
    let foreign = foreign(library(true));
    let walk = walk(&[], &[("rip", BASE + 0x1800), ("rsp", SP)], &foreign);
    assert_eq!(told(&walk, &foreign), [row("libx.so+0x1800", Found::Context)]);
    assert!(matches!(&walk.end, End::Broken(why) if why.contains("caller")));
}

#[test]
fn by_frame_pointers_that_prove_themselves() {
    let foreign = foreign(library(true));
    let registers = [("rip", BASE + BARE + 4), ("rsp", SP), ("rbp", SP + 0x20)];
    let chain = [(SP + 0x20, SP + 0x60), (SP + 0x28, back(BARE)), (SP + 0x60, 0), (SP + 0x68, back(START))];
    let walk = walk(&chain, &registers, &foreign);
    let expected = [row("bare", Found::Context), row("bare", Found::FramePointer), row("start", Found::FramePointer)];
    assert_eq!((told(&walk, &foreign).as_slice(), &walk.end), (expected.as_slice(), &End::Outermost));
    let stack = frames_with(&walk, 0, &Code::default(), &foreign, Source::Core);
    assert_eq!(
        (stack.frames[1].pc.trust(), stack.frames[1].function.trust()),
        (Some(Trust::Inferred), Some(Trust::Inferred))
    );
}

#[test]
fn by_a_search_that_prefers_calls_of_the_function_itself() {
    let foreign = foreign(library(true));
    // rbp leads out of the stack; below the right address lie one behind no call and one behind a call of another.
    let registers = [("rip", BASE + BARE + 4), ("rsp", SP), ("rbp", 0x1234)];
    let words =
        [(SP + 8, BASE + BARE + 0x10), (SP + 0x18, back(START)), (SP + 0x30, back(BARE)), (SP + 0x38, back(START))];
    let walk = walk(&words, &registers, &foreign);
    let expected = [row("bare", Found::Context), row("bare", Found::Scan), row("start", Found::Scan)];
    assert_eq!((told(&walk, &foreign).as_slice(), &walk.end), (expected.as_slice(), &End::Outermost));
    assert_eq!(walk.frames[1].sp, Addr(SP + 0x38));
    // Beyond its bound it finds nothing.
    let far = [(SP + 512 * 8, back(BARE))];
    let walk = self::walk(&far, &registers, &foreign);
    assert_eq!(walk.frames.len(), 1);
}

#[test]
fn a_call_of_nothing_is_seen_by_what_it_pushed() {
    let foreign = foreign(library(true));
    let registers = [("rip", 0), ("rsp", SP), ("rbp", SP + 0x40)];
    let words = [(SP, back(CALLER)), (SP + 0x40, SP + 0x80), (SP + 0x48, back(START))];
    let walk = walk(&words, &registers, &foreign);
    let expected = [row("?", Found::Context), row("caller", Found::FramePointer), row("start", Found::FramePointer)];
    assert_eq!((told(&walk, &foreign).as_slice(), &walk.end), (expected.as_slice(), &End::Outermost));
    // A word that is no return address is none.
    assert_eq!(self::walk(&[(SP, BASE + LEAF)], &registers, &foreign).frames.len(), 1);
}

#[test]
fn through_a_signal_handler_of_c() {
    let foreign = foreign(library(true));
    // leaf handles a signal: its caller is the restorer, above which the kernel's frame stands.
    let ucontext = SP + 24;
    let signal = [
        (SP + 16, BASE + RESTORER),
        (ucontext + 120, SP + 0x640), // rbp
        (ucontext + 160, SP + 0x600), // rsp
        (ucontext + 168, BASE + LEAF + 4),
        (ucontext + 184, 0x33),
        (ucontext + 304, 11),
        (SP + 0x610, back(CALLER)),
        (SP + 0x640, 0),
        (SP + 0x648, back(START)),
    ];
    let walk = walk(&signal, &[("rip", BASE + LEAF + 4), ("rsp", SP)], &foreign);
    let expected = [
        row("leaf", Found::Context),
        row("restorer", Found::Cfi),
        row("leaf", Found::Context),
        row("caller", Found::Cfi),
        row("start", Found::Cfi),
    ];
    assert_eq!((told(&walk, &foreign).as_slice(), &walk.end), (expected.as_slice(), &End::Outermost));
    // Of a handler of C it is not known that it was to be told the signal: what stands there may be an earlier one's.
    let number = |more: &[(u64, u64)]| {
        let walk = self::walk(&[&signal[..], more].concat(), &[("rip", BASE + LEAF + 4), ("rsp", SP)], &foreign);
        walk.signals.iter().map(|s| (s.number, s.code, s.address)).collect::<Vec<_>>()
    };
    let (trapno, cr2, code, address) = (ucontext + 200, ucontext + 216, ucontext + 312, ucontext + 320);
    assert_eq!(number(&[]), [(0, 0, 0)]);
    assert_eq!(number(&[(code, 1), (address, 8), (trapno, 14), (cr2, 8)]), [(11, 1, 8)]);
    assert_eq!(number(&[(code, 1), (address, 8), (trapno, 14), (cr2, 16)]), [(0, 0, 0)]);
    assert_eq!(number(&[(code, 0x80), (trapno, 13)]), [(11, 0x80, 0)]);
    assert_eq!(number(&[(code, 1), (address, 8), (trapno, 13), (cr2, 8)]), [(0, 0, 0)]);
    let divided = |address| number(&[(ucontext + 304, 8), (code, 1), (ucontext + 320, address)]);
    assert_eq!((divided(BASE + LEAF + 4), divided(BASE + LEAF)), (vec![(8, 1, BASE + LEAF + 4)], vec![(0, 0, 0)]));
}

#[test]
fn any_bytes_are_survived() {
    let mut state = 1u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 33) % below
    };
    let whole = library(true);
    for round in 0..300 {
        let mut file = library(round % 2 == 0);
        for _ in 0..random(12) {
            // Mostly in the tables.
            let at = if random(4) == 0 { random(whole.len() as u64) } else { HDR + random(0x200) };
            file[at as usize] = random(256) as u8;
        }
        let Ok(image) = Image::parse(Arc::new(file)) else { continue };
        let Some(bias) = image.bias_at(Addr(BASE)) else { continue };
        let mut foreign = Foreign::new();
        foreign.add(Arc::new(image), bias, "libx.so");
        let word = |random: &mut dyn FnMut(u64) -> u64| match random(4) {
            0 => random(u64::MAX),
            1 => STACK.start.0 + random(0x2000),
            _ => BASE + 0x1000 + random(0x200),
        };
        let words: Vec<_> = (0..64).map(|i| (SP + i * 8, word(&mut random))).collect();
        let registers =
            [("rip", BASE + 0x1000 + random(0x140)), ("rsp", SP + random(64)), ("rbp", word(&mut random)), ("rbx", 1)];
        let walk = walk(&words, &registers, &foreign);
        assert!(walk.frames.len() <= 2000, "{} frames", walk.frames.len());
        let _ = told(&walk, &foreign);
    }
}
