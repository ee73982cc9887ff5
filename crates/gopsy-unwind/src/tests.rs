//! Walks over built stacks, whole and damaged. The program is built here too, byte by byte: functions of 0x40 bytes, each
//! with one stack size from its first byte on.

use crate::{Code, End, Foreign, Found, On, Pc, RegisterSet, Sites, Stacks, Walk, Walker, creation, frames};
use gopsy_image::Image;
use gopsy_mem::{Addr, Bias, LinkAddr, Memory, Range, SliceMemory};
use gopsy_model::{Known, Missing, Source, Trust};
use gopsy_runtime::Gobuf;
use std::sync::Arc;

const TEXT: u64 = 0x40_1000;
const TABLE: u64 = 0x50_0000;
const DATA: u64 = 0x60_0000;
const SIZE: u64 = 0x40;
/// The goroutine's stack, and the thread's others.
const USER: Range = Range { start: Addr(0x7000_0000), end: Addr(0x7000_1000) };
const SIGNAL: Range = Range { start: Addr(0x7100_0000), end: Addr(0x7100_1000) };
const SYSTEM: Range = Range { start: Addr(0x7200_0000), end: Addr(0x7200_1000) };

const TOP: u8 = 1;
const SPWRITE: u8 = 2;

/// Name, size of the frame without the return address, flags.
const FUNCS: [(&str, u8, u8); 11] = [
    ("main.leaf", 0x10, 0),
    ("main.caller", 0x20, 0),
    ("runtime.goexit", 0, TOP),
    ("runtime.sigpanic", 8, 0),
    ("runtime.sigtramp", 0x18, TOP),
    ("runtime.systemstack", 0, SPWRITE),
    ("runtime.gogo", 0, SPWRITE),
    ("runtime.morestack", 0, SPWRITE),
    ("runtime.gopanic", 0x30, 0),
    ("runtime.asmcgocall", 0, SPWRITE),
    ("runtime.switchToCrashStack0", 0, SPWRITE),
];

fn pc(name: &str, offset: u64) -> u64 {
    let index = FUNCS.iter().position(|f| f.0 == name).unwrap() as u64;
    TEXT + index * SIZE + offset
}

fn program() -> Image {
    let (mut names, mut values, mut functab, mut records) = (Vec::new(), vec![0u8], Vec::new(), Vec::new());
    let count = FUNCS.len();
    for (index, (name, size, flags)) in FUNCS.iter().enumerate() {
        let entry = index as u32 * SIZE as u32;
        functab.extend(entry.to_le_bytes());
        functab.extend((((count + 1) * 8 + records.len()) as u32).to_le_bytes());
        let sp = values.len() as u32;
        // Up by size + 1 from −1, zig-zag, as a varint of up to two bytes; then the whole function.
        let up = (u32::from(*size) + 1) * 2;
        values.extend(if up < 0x80 { vec![up as u8] } else { vec![up as u8 | 0x80, (up >> 7) as u8] });
        values.extend([SIZE as u8, 0]);
        let line = values.len() as u32;
        values.extend([(index as u8 + 11) * 2, SIZE as u8, 0]);
        let file = values.len() as u32;
        values.extend([2, SIZE as u8, 0]);
        for word in [entry, names.len() as u32, 0, 0, sp, file, line, 0, 0, 1] {
            records.extend(word.to_le_bytes());
        }
        records.extend([0, *flags, 0, 0]);
        names.extend(name.bytes());
        names.push(0);
    }
    functab.extend((count as u32 * SIZE as u32).to_le_bytes());
    functab.extend([0; 4]);
    functab.extend(records);
    let parts = [names, vec![0, 0, 0, 0], b"/s/a.go\0".to_vec(), values, functab];
    let mut table = vec![0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8];
    let mut at = 0x48;
    let mut header = vec![count, 1, 0];
    for part in &parts {
        header.push(at);
        at += part.len();
    }
    table.extend(header.iter().flat_map(|w| (*w as u64).to_le_bytes()));
    table.extend(parts.concat());
    let mut data = b"\xff Go buildinf:\x08\x02".to_vec();
    data.resize(32, 0);
    data.extend(b"\x08go1.27.3\x00");
    data.resize(64 + 568, 0);
    // The map of the text's one section stands behind the table.
    let map = TABLE + table.len() as u64;
    table.extend([0u64, 0x1001, TEXT].iter().flat_map(|w| w.to_le_bytes()));
    let mut set = |offset: usize, word: u64| data[64 + offset..][..8].copy_from_slice(&word.to_le_bytes());
    for (offset, word) in
        [(0, TABLE), (176, TEXT), (184, TEXT + 0x1000), (296, TABLE), (312, map), (344, TABLE), (512, 1)]
    {
        set(offset, word);
    }
    let mut slice = |offset: usize, at: u64, len: usize| {
        set(offset, at);
        set(offset + 8, len as u64);
        set(offset + 16, len as u64);
    };
    for (index, (part, at)) in parts.iter().zip(&header[3..]).enumerate() {
        slice(8 + 24 * index, TABLE + *at as u64, part.len());
    }
    slice(128, TABLE + header[7] as u64, count + 1);
    slice(360, map, 1);
    let segments = [(5u32, TEXT, vec![0xcc; 0x1000]), (4, TABLE, table), (6, DATA, data)];
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
    for word in [TEXT, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(b"\0\0\0\0\x40\0\x38\0\x03\0\0\0\0\0\0\0");
    let mut offset = 64 + 3 * 56;
    for (flags, address, bytes) in &segments {
        file.extend(1u32.to_le_bytes());
        file.extend(flags.to_le_bytes());
        let len = bytes.len() as u64;
        for word in [offset, *address, *address, len, len, 4] {
            file.extend(word.to_le_bytes());
        }
        offset += len;
    }
    file.extend(segments.into_iter().flat_map(|s| s.2));
    Image::parse(Arc::new(file)).unwrap()
}

fn stacks() -> Stacks {
    Stacks { goroutine: Some(USER), system: Some(SYSTEM), signal: Some(SIGNAL), ..Stacks::default() }
}

/// Memory with those words.
fn words(at: &[(u64, u64)]) -> SliceMemory {
    let zeros = [USER, SIGNAL, SYSTEM].into_iter().fold(SliceMemory::new(), |m, r| m.with(r.start, vec![0; 0x1000]));
    at.iter().fold(zeros, |m, (address, word)| m.with(Addr(*address), word.to_le_bytes()))
}

/// A walk with the code that it went through.
struct Walked<'a>(Walk, &'a Code<'a>);

impl std::ops::Deref for Walked<'_> {
    type Target = Walk;
    fn deref(&self) -> &Walk {
        &self.0
    }
}

fn check<T>(memory: &dyn Memory, start: (Pc, u64), stacks: &Stacks, question: impl FnOnce(&Walked<'_>) -> T) -> T {
    let image = program();
    let code = Code::of(image.pclntab().unwrap(), Bias::ZERO);
    let sites = Sites::default();
    let walker = Walker::new(memory, &code, &sites);
    question(&Walked(walker.walk(start.0, Addr(start.1), stacks), &code))
}

fn trace(walk: &Walked<'_>) -> Vec<(String, On, u64)> {
    walk.frames
        .iter()
        .map(|f| (walk.1.func(f.func.unwrap()).unwrap().0.name().unwrap(), f.on, f.end.unwrap().0.0))
        .collect()
}

fn row(name: &str, on: On, fp: u64) -> (String, On, u64) {
    (name.to_owned(), on, fp)
}

/// leaf (0x10) ← caller (0x20) ← goexit, from 0x70000100.
fn plain() -> SliceMemory {
    words(&[(0x7000_0110, pc("main.caller", 9)), (0x7000_0138, pc("runtime.goexit", 1))])
}

#[test]
fn frames_by_their_tables() {
    let start = (Pc::Interrupted(Addr(pc("main.leaf", 4))), 0x7000_0100);
    check(&plain(), start, &stacks(), |walk| {
        let on = On::Goroutine;
        let expected = [
            row("main.leaf", on, 0x7000_0118),
            row("main.caller", on, 0x7000_0140),
            row("runtime.goexit", on, 0x7000_0148),
        ];
        assert_eq!((trace(walk).as_slice(), &walk.end), (expected.as_slice(), &End::Outermost));
        let stack = frames(walk, 1, walk.1, Source::Core);
        assert_eq!(stack.frames.len(), 2);
        let caller = &stack.frames[0];
        assert_eq!(caller.offset, Known::have(9, Trust::Table, Source::Core));
        assert_eq!(caller.line, Known::have(11, Trust::Table, Source::Binary));
        assert_eq!(caller.file.value().map(AsRef::as_ref), Some("/s/a.go"));
        assert_eq!((&stack.unavailable, stack.elided.len()), (&None, 0));
    });
}

#[test]
fn a_call_may_be_the_last_instruction_of_its_function() {
    // The return address is the first byte of the next function.
    let memory = words(&[(0x7000_0110, pc("main.caller", SIZE)), (0x7000_0138, pc("runtime.goexit", 1))]);
    let start = (Pc::Interrupted(Addr(pc("main.leaf", 4))), 0x7000_0100);
    check(&memory, start, &stacks(), |walk| assert_eq!(trace(walk)[1].0, "main.caller"));
}

#[test]
fn behind_sigpanic_the_pc_was_interrupted() {
    // The fault was at the very first instruction of main.caller: one byte less would be another function.
    let memory = words(&[(0x7000_0108, pc("main.caller", 0)), (0x7000_0130, pc("runtime.goexit", 1))]);
    let start = (Pc::Return(Addr(pc("runtime.sigpanic", 5))), 0x7000_0100);
    check(&memory, start, &stacks(), |walk| {
        assert_eq!(trace(walk)[1].0, "main.caller");
        assert_eq!(walk.frames[1].pc, Pc::Interrupted(Addr(pc("main.caller", 0))));
        assert_eq!(walk.end, End::Outermost);
    });
}

/// sigtramp on the signal stack above a signal frame that interrupted main.leaf of [`plain`].
fn signalled(cs: u64, number: u64, sp: u64) -> SliceMemory {
    let fp = 0x7100_0800;
    [(fp + 160, sp), (fp + 168, pc("main.leaf", 4)), (fp + 184, cs), (fp + 304, number)]
        .iter()
        .fold(plain(), |m, (address, word)| m.with(Addr(*address), word.to_le_bytes()))
}

#[test]
fn through_the_signal_frame() {
    let start = (Pc::Return(Addr(pc("runtime.sigtramp", 8))), 0x7100_0800 - 8 - 0x18);
    check(&signalled(0x33, 6, 0x7000_0100), start, &stacks(), |walk| {
        let expected = [
            row("runtime.sigtramp", On::Signal, 0x7100_0800),
            row("main.leaf", On::Goroutine, 0x7000_0118),
            row("main.caller", On::Goroutine, 0x7000_0140),
            row("runtime.goexit", On::Goroutine, 0x7000_0148),
        ];
        assert_eq!(trace(walk), expected);
        assert_eq!(walk.signals.iter().map(|s| s.number).collect::<Vec<_>>(), [6]);
    });
    // For a handler without `SA_SIGINFO` the kernel does not write which signal it is.
    check(&signalled(0x33, 99, 0x7000_0100), start, &stacks(), |walk| {
        assert_eq!((walk.frames.len(), walk.signals.iter().map(|s| s.number).collect::<Vec<_>>()), (4, vec![0]));
    });
    // What is no signal frame is not believed, and one that leads back to itself is not followed.
    let flagged = signalled(0x33, 99, 0x7000_0100).with(Addr(0x7100_0800), 0x1000_u64.to_le_bytes());
    let linked = signalled(0x33, 99, 0x7000_0100).with(Addr(0x7100_0808), 0x7000_0100_u64.to_le_bytes());
    for memory in [signalled(0x23, 6, 0x7000_0100), flagged, linked, signalled(0x33, 6, 0x7100_0700)] {
        check(&memory, start, &stacks(), |walk| {
            assert!(matches!(walk.end, End::Broken(_)));
            assert_eq!(walk.frames.len(), 1);
        });
    }
}

#[test]
fn from_the_system_stack_to_the_goroutine() {
    let left = Some(Gobuf { sp: Addr(0x7000_0100), pc: Addr(pc("main.leaf", 4)) });
    let on_system = Stacks { sched: left, ..stacks() };
    // systemstack: its return address stands on the goroutine's stack.
    let memory = words(&[(0x7000_0100, pc("main.caller", 9)), (0x7000_0128, pc("runtime.goexit", 1))]);
    let start = (Pc::Return(Addr(pc("runtime.systemstack", 8))), 0x7200_0100);
    check(&memory, start, &on_system, |walk| {
        assert_eq!(
            trace(walk)[..2],
            [row("runtime.systemstack", On::System, 0x7200_0108), row("main.caller", On::Goroutine, 0x7000_0130)]
        );
        assert_eq!(walk.end, End::Outermost);
    });
    check(&memory, start, &stacks(), |walk| assert!(matches!(walk.end, End::Broken(_))));
    // morestack never returns: the goroutine goes on where it left off.
    let start = (Pc::Return(Addr(pc("runtime.morestack", 8))), 0x7200_0100);
    check(&plain(), start, &on_system, |walk| {
        assert_eq!([&trace(walk)[0].0, &trace(walk)[1].0], ["runtime.morestack", "main.leaf"]);
    });
    // The goroutine has been given to others meanwhile: nobody waits for the thread to come back.
    let given_up = Stacks { goroutine: None, without_goroutine: true, ..stacks() };
    check(&plain(), start, &given_up, |walk| assert_eq!((walk.frames.len(), &walk.end), (1, &End::Outermost)));
    // Not so where its goroutine is only not known.
    for lost in [stacks(), Stacks { goroutine: None, ..stacks() }] {
        check(&plain(), start, &lost, |walk| assert!(matches!(walk.end, End::Broken(_))));
    }
}

/// A call of a function of the program at an address.
fn call_of(name: &str, at: u64) -> (Addr, Vec<u8>) {
    let to = pc(name, 0).wrapping_sub(at + 5) as u32;
    (Addr(at), [&[0xe8], &to.to_le_bytes()[..]].concat())
}

#[test]
fn morestack_stays_on_a_stack_that_cannot_grow() {
    let left = Some(Gobuf { sp: Addr(0x7000_0100), pc: Addr(pc("main.leaf", 4)) });
    let on_system = Stacks { sched: left, ..stacks() };
    let start = |sp| (Pc::Return(Addr(pc("runtime.morestack", 8))), sp);
    // Its caller's word stands on the very stack: caller at its entry (0x20 in the table of this program), called by systemstack.
    let memory = |at: u64, called: &str| {
        let (call, bytes) = call_of(called, pc("main.caller", 4));
        let words = [
            (at, call.0 + 5),
            (at + 0x28, pc("runtime.systemstack", 8)),
            (0x7000_0110, pc("main.caller", 9)),
            (0x7000_0138, pc("runtime.goexit", 1)),
            (0x7000_0100, pc("main.caller", 9)),
            (0x7000_0128, pc("runtime.goexit", 1)),
        ];
        self::words(&words).with(call, bytes)
    };
    for (sp, on) in [(0x7200_0100, On::System), (0x7100_0100, On::Signal)] {
        check(&memory(sp, "runtime.morestack"), start(sp), &on_system, |walk| {
            let expected = [row("runtime.morestack", on, sp + 8), row("main.caller", on, sp + 0x30)];
            assert_eq!(trace(walk)[..2], expected);
        });
    }
    check(&memory(0x7200_0100, "runtime.morestack"), start(0x7200_0100), &on_system, |walk| {
        let names: Vec<String> = trace(walk).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, ["runtime.morestack", "main.caller", "runtime.systemstack", "main.caller", "runtime.goexit"]);
        assert_eq!(walk.end, End::Outermost);
    });
    // Behind a call of something else that is no caller of it: it has gone to the system stack.
    check(&memory(0x7200_0100, "main.leaf"), start(0x7200_0100), &on_system, |walk| {
        assert_eq!(trace(walk)[1].0, "main.leaf")
    });
}

#[test]
fn from_the_crash_stack_to_the_stack_that_was_full() {
    const FULL: Range = Range { start: Addr(0x7300_0000), end: Addr(0x7300_1000) };
    let left = |sp| Gobuf { sp: Addr(sp), pc: Addr(pc("main.leaf", 4)) };
    let memory = [0x7300_0100, 0x7200_0200].iter().fold(words(&[]).with(FULL.start, vec![0; 0x1000]), |memory, sp| {
        let words = [(sp + 0x10, pc("main.caller", 9)), (sp + 0x38, pc("runtime.goexit", 1))];
        words.iter().fold(memory, |m, (at, word)| m.with(Addr(*at), word.to_le_bytes()))
    });
    let start = (Pc::Return(Addr(pc("runtime.switchToCrashStack0", 8))), 0x7200_0100);
    let of = |overrun| Stacks { overrun, ..stacks() };
    check(&memory, start, &of(Some((FULL, left(0x7300_0100)))), |walk| {
        let on = On::System;
        let expected = [
            row("runtime.switchToCrashStack0", on, 0x7200_0108),
            row("main.leaf", on, 0x7300_0118),
            row("main.caller", on, 0x7300_0140),
            row("runtime.goexit", on, 0x7300_0148),
        ];
        assert_eq!((trace(walk).as_slice(), &walk.end), (&expected[..], &End::Outermost));
    });
    // Which stack that was is not known; or it is said to have been left on another, or is this one.
    let other = of(Some((FULL, left(0x7200_0200))));
    let same = of(Some((SYSTEM, left(0x7200_0200))));
    for stacks in [stacks(), other, same] {
        check(&memory, start, &stacks, |walk| assert!(matches!(walk.end, End::Broken(_)) && walk.frames.len() == 1));
    }
}

/// A fault in C that was called before Go 1.21: the runtime makes it a call of sigpanic, and what C left is asmcgocall's.
#[test]
fn from_a_call_of_c_to_the_goroutine() {
    const G: u64 = 0xc000_0000;
    let call = (Addr(pc("main.caller", 4)), vec![0xe8, 0, 0, 0, 0]);
    // g, and how deep its stack was.
    let memory = |g: u64| {
        let left = [(0x7200_0108, g), (0x7200_0100, 0x7000_1000 - 0x7000_0100)];
        let returns = [(0x7000_0100, pc("main.caller", 9)), (0x7000_0128, pc("runtime.goexit", 1))];
        words(&[left, returns].concat()).with(call.0, call.1.clone())
    };
    let start = (Pc::Interrupted(Addr(pc("runtime.asmcgocall", 8))), 0x7200_0100);
    let of_g = Stacks { g: Some(Addr(G)), ..stacks() };
    check(&memory(G), start, &of_g, |walk| {
        let crossed =
            [row("runtime.asmcgocall", On::System, 0x7200_0108), row("main.caller", On::Goroutine, 0x7000_0130)];
        assert_eq!((&trace(walk)[..2], &walk.end), (&crossed[..], &End::Outermost));
    });
    // Of another goroutine, or nowhere to return to.
    check(&memory(G + 8), start, &of_g, |walk| assert!(matches!(walk.end, End::Broken(_)) && walk.frames.len() == 1));
    let elsewhere = memory(G).with(Addr(0x7000_0100), 0x1234u64.to_le_bytes());
    check(&elsewhere, start, &of_g, |walk| assert!(matches!(walk.end, End::Broken(_)) && walk.frames.len() == 1));
}

#[test]
fn walks_that_cannot_go_on_say_why() {
    let broken = |memory: &SliceMemory, start, stacks: &Stacks| {
        check(memory, start, stacks, |walk| (walk.frames.len(), walk.end.clone()))
    };
    let leaf = Pc::Interrupted(Addr(pc("main.leaf", 4)));
    let why = |text: &str| End::Broken(text.to_owned());
    assert_eq!(broken(&words(&[]), (leaf, 0x7000_0100), &stacks()), (1, why("a return address is 0")));
    assert_eq!(
        broken(&words(&[(0x7000_0110, 0x7fff_fffe_e000)]), (leaf, 0x7000_0100), &stacks()),
        (1, why("0x7ffffffee000 is in no Go function"))
    );
    let replaced = "the return address is 0x7fffffffe000, in the kernel's page of uprobes: a uretprobe replaced it";
    assert_eq!(broken(&words(&[(0x7000_0110, 0x7fff_ffff_e000)]), (leaf, 0x7000_0100), &stacks()), (1, why(replaced)));
    assert_eq!(
        broken(&plain(), (leaf, 0x1000), &stacks()),
        (0, why("the stack pointer 0x1000 is in none of the thread's stacks"))
    );
    assert_eq!(
        broken(&plain(), (leaf, 0x7000_0ff8), &stacks()),
        (0, why("a frame at 0x70000ff8 would reach beyond the end of its stack"))
    );
    assert_eq!(
        broken(&SliceMemory::new(), (leaf, 0x7000_0100), &stacks()),
        (1, why("nothing is mapped at 0x70000110"))
    );
    let gogo = (Pc::Interrupted(Addr(pc("runtime.gogo", 4))), 0x7000_0100);
    assert!(matches!(broken(&plain(), gogo, &stacks()), (1, End::Broken(_))));
    let stack = check(&words(&[]), (leaf, 0x7000_0100), &stacks(), |walk| frames(walk, 0, walk.1, Source::Core));
    assert_eq!(stack.unavailable.as_deref(), Some("a return address is 0"));
}

#[test]
fn behind_a_uretprobe_the_frame_pointers_lead_on() {
    // leaf's return address is the trampoline's; the frame pointer that leaf saved is where its lost caller saved another,
    // and above that the return address of the lost caller's own caller stands, behind a call.
    let image = program();
    let code = Code::of(image.pclntab().unwrap(), Bias::ZERO);
    let (sites, foreign) = (Sites::default(), Foreign::new());
    let probed = |saved: u64| {
        let memory = words(&[
            (0x7000_0108, saved),
            (0x7000_0110, 0x7fff_ffff_e000),
            (0x7000_0200, 0x7000_0240),
            (0x7000_0208, pc("main.caller", 9)),
            (0x7000_0230, pc("runtime.goexit", 1)),
        ])
        .with(Addr(pc("main.caller", 4)), [0xe8, 0, 0, 0, 0]);
        let registers = RegisterSet::of_context([("rip", pc("main.leaf", 4)), ("rsp", 0x7000_0100)]);
        Walker::new(&memory, &code, &sites).walk_thread(&registers, &foreign, &stacks())
    };
    let walk = probed(0x7000_0200);
    let found: Vec<_> = walk.frames.iter().map(|f| (code.raw_name(f.func).unwrap(), f.found)).collect();
    let expected: [(&[u8], Found); 3] = [
        (b"main.leaf", Found::Context),
        (b"main.caller", Found::FramePointer),
        (b"runtime.goexit", Found::FramePointer),
    ];
    assert_eq!((found.as_slice(), &walk.end), (expected.as_slice(), &End::Outermost));
    assert_eq!(walk.lost.len(), 1);
    assert!(walk.lost[0].why.contains("uretprobe"));
    let stack = frames(&walk, 0, &code, Source::Core);
    assert_eq!((stack.elided.len(), stack.elided[0].after), (1, 1));
    // One that leads to no return address proves nothing.
    let walk = probed(0x7000_0300);
    assert!(matches!(&walk.end, End::Broken(why) if why.contains("uretprobe")));
    assert_eq!(walk.frames.len(), 1);
}

#[test]
fn the_only_call_that_fits_is_where_a_replaced_return_address_led() {
    // leaf's frame ends at 0x70000118; caller's, 0x20 bytes and a return address larger, at 0x70000140, above which gopanic
    // stands, or goexit.
    const CALLER_SAVED: u64 = 0x7000_0130;
    let image = program();
    let code = Code::of(image.pclntab().unwrap(), Bias::ZERO);
    let call = |at: u64, target: u64| {
        let mut bytes = vec![0xe8];
        bytes.extend((target.wrapping_sub(at + 5) as u32).to_le_bytes());
        bytes
    };
    let walk = |calls: &[u64], indirect: &[u64], saved: u64, above: u64, held: usize| {
        let mut text = vec![0x90; 0x1000];
        let mut put = |at: u64, bytes: &[u8]| text[(at - TEXT) as usize..][..bytes.len()].copy_from_slice(bytes);
        for at in calls {
            put(*at, &call(*at, pc("main.leaf", 0)));
        }
        for at in indirect {
            put(*at, &[0xff, 0xd0]);
        }
        put(pc("runtime.gopanic", 0x8), &call(pc("runtime.gopanic", 0x8), pc("main.caller", 0)));
        put(pc("runtime.gopanic", 0x1b), &call(pc("runtime.gopanic", 0x1b), pc("runtime.systemstack", 0)));
        put(pc("runtime.gopanic", 0x30), &[0xff, 0xd0]);
        text.truncate(held);
        let memory = words(&[
            (0x7000_0108, saved),
            (0x7000_0110, 0x7fff_ffff_e000),
            (0x7000_0130, 0x7000_0800),
            (0x7000_0138, above),
            (0x7000_0170, pc("runtime.goexit", 1)),
        ])
        .with(Addr(TEXT), text);
        let sites = Sites::default();
        let walker = Walker::new(&memory, &code, &sites);
        let stacks = Stacks { entry: Some(Addr(pc("main.caller", 0))), ..stacks() };
        let walk = walker.walk(Pc::Interrupted(Addr(pc("main.leaf", 4))), Addr(0x7000_0100), &stacks);
        let names: Vec<_> = walk.frames.iter().map(|f| code.raw_name(f.func).unwrap().to_vec()).collect();
        let remarks = frames(&walk, 0, &code, Source::Core).remarks.len();
        (names, walk.frames.iter().map(|f| f.found).collect::<Vec<_>>(), remarks)
    };
    let (first, second, returns) = (pc("main.caller", 8), pc("main.caller", 0x20), pc("runtime.gopanic", 0xd));
    let whole = 0x1000;
    let one = walk(&[first], &[], CALLER_SAVED, returns, whole);
    let expected: [&[u8]; 4] = [b"main.leaf", b"main.caller", b"runtime.gopanic", b"runtime.goexit"];
    let trusted = [Found::Table, Found::OnlyCall, Found::FramePointer, Found::FramePointer];
    assert_eq!((one.0.as_slice(), one.1.as_slice(), one.2), (&expected.map(<[u8]>::to_vec)[..], &trusted[..], 1));
    // By a func value; and from the goroutine's first function.
    assert_eq!(walk(&[], &[first], CALLER_SAVED, returns, whole).0, one.0);
    let begun = walk(&[first], &[], CALLER_SAVED, pc("runtime.goexit", 1), whole);
    assert_eq!((begun.0.len(), begun.1[1]), (3, Found::OnlyCall));
    // Two calls fit; none does, though one stands in another function; the caller was called by a func value, so that nothing
    // says which function it is; another function was called there.
    for (calls, indirect, returns) in [
        (&[first, second][..], &[][..], returns),
        (&[first], &[second], returns),
        (&[], &[], returns),
        (&[pc("runtime.gopanic", 0x38)], &[], returns),
        (&[first], &[], pc("runtime.gopanic", 0x32)),
        (&[first], &[], pc("runtime.gopanic", 0x20)),
    ] {
        let none = walk(calls, indirect, CALLER_SAVED, returns, whole);
        assert_eq!((none.0.len(), none.2), (1, 0), "{calls:x?} {indirect:x?} {returns:x}");
    }
    // Where the frame pointer leads nowhere nothing is said; nor where the caller's code is not there.
    assert_eq!(walk(&[first], &[], 0x7000_0900, returns, whole).0.len(), 1);
    let held = (pc("main.caller", 0x10) - TEXT) as usize;
    assert_eq!(walk(&[first], &[], CALLER_SAVED, returns, held).0.len(), 1);
}

#[test]
fn of_deep_stacks_both_ends_are_kept() {
    // caller calls itself through the whole of a large stack; goexit stands at its end.
    let (size, depth) = (0x28u64 * 70_000 + 8, 70_000u64);
    let word = |i: u64| match i % 5 {
        4 if i / 5 + 1 == depth => pc("runtime.goexit", 1),
        4 => pc("main.caller", 9),
        _ => 0,
    };
    let bytes: Vec<u8> = (0..size / 8).flat_map(|i| word(i).to_le_bytes()).collect();
    let big = Range::new(Addr(0x7000_0000), size);
    let memory = SliceMemory::new().with(big.start, bytes);
    let start = (Pc::Interrupted(Addr(pc("main.caller", 9))), 0x7000_0000);
    check(&memory, start, &Stacks { goroutine: Some(big), ..Stacks::default() }, |walk| {
        assert_eq!(walk.end, End::Outermost);
        assert_eq!(walk.frames.len() as u64 + walk.outer.len() as u64 + walk.skipped, depth + 1);
        let stack = frames(walk, 0, walk.1, Source::Core);
        assert_eq!((stack.elided.len(), stack.elided[0].after), (1, 1 << 14));
        // Nothing is inlined there: what was not kept is one frame each.
        let [(name, times)] = stack.elided[0].functions.as_slice() else { panic!("{:?}", stack.elided) };
        assert_eq!((name.as_str(), Some(times)), ("main.caller", stack.elided[0].count.value()));
        assert_eq!(*times, walk.skipped);
        let last = stack.frames.last().unwrap();
        assert_eq!(last.function.value().map(|f| f.as_str()), Some("runtime.goexit"));
    });
}

#[test]
fn a_walk_stops_where_it_is_asked_to() {
    let (memory, image) = (plain(), program());
    let code = Code::of(image.pclntab().unwrap(), Bias::ZERO);
    let sites = Sites::default();
    let walker = Walker::new(&memory, &code, &sites);
    let start = Pc::Interrupted(Addr(pc("main.leaf", 4)));
    let mut seen = 0;
    let end = walker.visit(start, Addr(0x7000_0100), &stacks(), &mut Vec::new(), &mut |f| {
        seen += 1;
        code.raw_name(f.func) != Some(b"main.caller")
    });
    assert_eq!((seen, end), (2, End::Stopped));
}

#[test]
fn any_words_on_a_stack_are_survived() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        state >> 16
    };
    let image = program();
    for _ in 0..2000 {
        let fill = |random: &mut dyn FnMut() -> u64| -> Vec<u8> {
            let word = |random: &mut dyn FnMut() -> u64| match random() % 4 {
                0 => random(),
                1 => [USER, SIGNAL, SYSTEM][(random() % 3) as usize].start.0 + random() % 0x1100,
                2 => [6, 0x33][(random() % 2) as usize],
                _ => TEXT + random() % (SIZE * FUNCS.len() as u64),
            };
            (0..0x200).flat_map(|_| word(random).to_le_bytes()).collect()
        };
        let memory =
            [USER, SIGNAL, SYSTEM].into_iter().fold(SliceMemory::new(), |m, r| m.with(r.start, fill(&mut random)));
        let sched = Some(Gobuf { sp: Addr(USER.start.0 + random() % 0x1000), pc: Addr(TEXT + random() % 0x200) });
        let code = Code::of(image.pclntab().unwrap(), Bias::ZERO);
        let sites = Sites::default();
        let walker = Walker::new(&memory, &code, &sites);
        let start = [USER, SIGNAL, SYSTEM][(random() % 3) as usize].start.0 + random() % 0x1000;
        let walk = walker.walk(Pc::Return(Addr(TEXT + random() % 0x200)), Addr(start), &Stacks { sched, ..stacks() });
        let _ = frames(&walk, 0, &code, Source::Core);
        assert!(walk.frames.len() <= 1 << 14 && walk.outer.len() <= 1 << 10);
    }
}

#[test]
fn who_created_a_goroutine() {
    let image = program();
    let code = Code::of(image.pclntab().unwrap(), Bias::ZERO);
    let goroutine = || Known::have(1, Trust::DebugInfo, Source::Core);
    let made = creation(&code, Addr(pc("main.caller", SIZE)), goroutine());
    assert_eq!(made.value().map(|c| (c.function.as_str(), c.line.value().copied())), Some(("main.caller", Some(11))));
    assert_eq!(creation(&code, Addr(0), goroutine()), Known::Missing(Missing::NotApplicable));
    assert!(matches!(creation(&code, Addr(1), goroutine()).missing(), Some(Missing::Unreadable(_))));
    assert_eq!(image.symbol("x"), None);
    assert_eq!(image.read(LinkAddr(TEXT), 1), Some(&[0xcc][..]));
}
