//! Cores by other writers, of other machines, with other headers.

use super::{R, RW, core, file};
use crate::testkit::CoreFile;
use crate::{Core, Damage, Lost, MemoryKind, SigInfo};
use gopsy_image::Machine;
use gopsy_mem::{Addr, Memory, MemoryExt, Range, Why};
use std::sync::Arc;

fn siginfo(number: u8) -> [u8; 128] {
    let mut info = [0u8; 128];
    info[0] = number;
    info
}

#[test]
fn the_notes_of_gcore_belong_to_the_thread_before_them_too() {
    let core = core(
        &CoreFile::new()
            .note("CORE", 3, &[0; 136])
            .thread(5, 0)
            .note("CORE", 2, &[1; 512])
            .note("CORE", 0x5349_4749, &siginfo(19))
            .thread(6, 0)
            .note("CORE", 2, &[2; 512])
            .note("LINUX", 0x202, &[3; 0x980])
            .note("CORE", 0x5349_4749, &siginfo(23))
            .note("GDB", 0xff00_0000, b"<target/>")
            .memory(0x1000, 0x1000, R, b"memory")
            .notes_last(),
    );
    let threads = core.threads();
    assert_eq!(threads.iter().map(|t| (t.tid, t.siginfo.unwrap().number)).collect::<Vec<_>>(), [(5, 19), (6, 23)]);
    assert_eq!(core.vector_registers(&threads[0]), Some(vec![0x01010101_01010101_01010101_01010101; 16]));
    assert_eq!(core.vector_registers(&threads[1]), Some(vec![0x02020202_02020202_02020202_02020202; 16]));
    assert_eq!((core.xstate(&threads[0]), core.xstate(&threads[1])), (None, Some(vec![3; 0x980])));
    assert!(core.completeness().by_gdb);
    assert_eq!(core.bytes(Addr(0x1000), 6, 6).unwrap(), b"memory");
    // Cut within the memory, before the notes: what is held is still there, and nobody says that there was no thread.
    let whole = CoreFile::new().thread(5, 0).memory(0x1000, 0x1000, R, b"memory").notes_last().bytes();
    let cut = Core::parse(Arc::new(whole[..64 + 2 * 56 + 3].to_vec())).unwrap();
    assert_eq!(cut.bytes(Addr(0x1000), 3, 3).unwrap(), b"mem");
    assert_eq!(cut.u8(Addr(0x1003)).unwrap_err().why, Why::NotHeld);
    assert!(cut.truncated() && cut.threads().is_empty());
}

/// Of a general protection fault the kernel knows no address: SI_KERNEL, and 0 in its place.
#[test]
fn a_fault_has_an_address_where_the_kernel_says_so() {
    let info = |number, code| SigInfo { number, code, address: 0x1234 };
    for signal in [4, 5, 7, 8, 11] {
        assert_eq!(info(signal, 1).fault_address(), Some(0x1234), "{signal}");
        for code in [0x80, 0, -1, -6] {
            assert_eq!(info(signal, code).fault_address(), None, "{signal} {code}");
        }
    }
    for signal in [6, 17, 19, 29, -1] {
        assert_eq!(info(signal, 1).fault_address(), None, "{signal}");
    }
    // What gdb does to a process that it attaches to; and what kill -STOP does.
    assert!(info(19, 0x80).is_stop());
    assert!(!info(19, 0).is_stop() && !info(11, 0x80).is_stop());
}

#[test]
fn what_is_mapped_in_words() {
    let prog = core(&file());
    let path = |at| prog.describe(Addr(at));
    assert_eq!(path(0x40_1010).as_deref(), Some("/bin/prog, 0x1010 bytes from its beginning"));
    assert_eq!((path(0x1), path(0x7fff_0000_0000)), (None, None));
    // What is in no file is known to be so only where the core says what is.
    let memory = || CoreFile::new().thread(1, 0).memory(0x1000, 0x1000, R | 1, b"").memory(0x3000, 0x1000, R, b"");
    let named = core(&memory().files(&[(0x40_0000, 0x40_1000, 0, "/bin/prog")]));
    let described = |at| named.describe(Addr(at));
    assert_eq!(described(0x1800).as_deref(), Some("memory that is in no file, and may be executed"));
    assert_eq!((described(0x3fff).as_deref(), described(0x4000)), (Some("memory that is in no file"), None));
    assert_eq!(core(&memory()).describe(Addr(0x1800)), None);
}

#[test]
fn a_program_that_cannot_be_moved_lies_where_it_states() {
    let image = |kind: u8| {
        let mut bytes = super::binary();
        bytes[16] = kind;
        gopsy_image::Image::parse(Arc::new(bytes)).unwrap()
    };
    let without = core(&CoreFile::new().thread(1, 0).memory(0x40_0000, 0x1000, R, b""));
    assert_eq!(without.bias(&image(2)), Some(gopsy_mem::Bias::ZERO));
    assert_eq!(without.bias(&image(3)), None);
}

#[test]
fn several_groups_of_notes_are_one() {
    let core = core(&CoreFile::new().thread(5, 6).split_notes().thread(6, 0).split_notes().auxv(&[(9, 77)]));
    assert_eq!(core.threads().iter().map(|t| t.tid).collect::<Vec<_>>(), [5, 6]);
    assert_eq!(core.auxv(9), Some(77));
}

#[test]
fn many_program_headers_are_counted_in_a_section() {
    let mut built = CoreFile::new().thread(1, 0).extended();
    for i in 0..70_000 {
        built = built.memory(0x1000 * i, 0x1000, RW, if i == 69_999 { b"last" } else { b"" });
    }
    let bytes = built.bytes();
    let whole = Core::parse(Arc::new(bytes.clone())).unwrap();
    assert_eq!((whole.segments().len(), whole.damage()), (70_000, &[][..]));
    assert_eq!(whole.bytes(Addr(0x1000 * 69_999), 4, 4).unwrap(), b"last");
    // The section header stands at the end: it is the first that a cut takes. The headers end where the notes begin.
    let cut = Core::parse(Arc::new(bytes[..bytes.len() - 1].to_vec())).unwrap();
    assert_eq!((cut.segments().len(), cut.threads().len()), (70_000, 1));
    assert!(cut.damage().contains(&Damage::Headers { read: 70_001, of: None }), "{:?}", cut.damage());
    assert_eq!(cut.bytes(Addr(0x1000 * 69_999), 4, 4).unwrap(), b"last");
    // Nobody knows what stood where no header speaks of.
    assert_eq!(cut.u8(Addr(u64::MAX)).unwrap_err().why, Why::NotHeld);
    assert_eq!(whole.u8(Addr(u64::MAX)).unwrap_err().why, Why::Unmapped);
}

#[test]
fn headers_that_are_cut_are_read_as_far_as_they_are_there() {
    let built = CoreFile::new().thread(1, 0).memory(0x1000, 0x1000, R, b"one").memory(0x2000, 0x1000, R, b"two");
    let bytes = built.bytes();
    let cut = Core::parse(Arc::new(bytes[..64 + 56 * 2 + 55].to_vec())).unwrap();
    assert_eq!(cut.segments().len(), 1);
    assert!(cut.damage().contains(&Damage::Headers { read: 2, of: Some(3) }), "{:?}", cut.damage());
    assert!(cut.truncated());
    assert_eq!(cut.u8(Addr(0x1000)).unwrap_err().why, Why::NotHeld);
    assert_eq!(cut.u8(Addr(0x9000)).unwrap_err().why, Why::NotHeld);
}

#[test]
fn a_sparse_core_of_a_hundred_gigabytes_costs_nothing() {
    // 100 GB of memory that is one hole, with a page at its end; and as much of notes that are a hole.
    const SIZE: u64 = 100 << 30;
    let mut head = CoreFile::new().thread(1, 0).split_notes().memory(0x10_0000_0000, SIZE, RW, &[]).bytes();
    let program = |index: usize, at: usize| 64 + 56 * index + at;
    for (index, offset) in [(1, 1u64 << 20), (2, (1 << 20) + SIZE)] {
        head[program(index, 8)..][..8].copy_from_slice(&offset.to_le_bytes());
        head[program(index, 32)..][..8].copy_from_slice(&SIZE.to_le_bytes());
    }
    let named = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::FileExt::write_all_at(named.as_file(), &head, 0).unwrap();
    named.as_file().set_len((1 << 20) + 2 * SIZE).unwrap();
    std::os::unix::fs::FileExt::write_all_at(named.as_file(), b"end!", (1 << 20) + 2 * SIZE - 4).unwrap();
    let core = Core::open(named.path()).unwrap();
    assert_eq!(core.bytes(Addr(0x10_0000_0000 + SIZE - 4), 4, 4).unwrap(), b"end!");
    assert_eq!(core.u64(Addr(0x10_0000_0000 + SIZE / 2)), Ok(0));
    assert_eq!((core.threads().len(), core.truncated(), core.extent()), (1, false, (SIZE, SIZE)));
    assert_eq!(core.damaged_notes(), 1);
}

#[test]
fn arm64_has_registers_of_its_own() {
    let mut vectors = [0u8; 528];
    vectors[16 * 31] = 9;
    let core = core(&CoreFile::arm64().thread(3, 11).note("CORE", 2, &vectors).memory(0x1000, 0x1000, R, b"arm"));
    let thread = &core.threads()[0];
    assert_eq!((core.machine(), thread.signal), (Machine::Aarch64, 11));
    // The builder gives register i of thread t the value t·i: x0 is 0, sp 31, pc 32.
    assert_eq!(
        (thread.registers.get("x30"), thread.registers.sp(), thread.registers.pc()),
        (Some(90), Addr(93), Addr(96))
    );
    assert_eq!(thread.registers.get("rip"), None);
    let vectors = core.vector_registers(thread).unwrap();
    assert_eq!((vectors.len(), vectors[30], vectors[31]), (32, 0, 9));
}

#[test]
fn a_32_bit_core_says_whose_it_was() {
    // Elf32_Ehdr, one Elf32_Phdr, and the notes of linux/386.
    let mut out = b"\x7fELF\x01\x01\x01".to_vec();
    out.resize(16, 0);
    out.extend([4, 0, 3, 0, 1, 0, 0, 0]);
    for word in [0u32, 52, 0, 0] {
        out.extend(word.to_le_bytes());
    }
    for half in [52u16, 32, 1, 0, 0, 0] {
        out.extend(half.to_le_bytes());
    }
    let (mut status, mut info) = (vec![0u8; 144], vec![0u8; 124]);
    status[12] = 6;
    info[12] = 99;
    info[28..33].copy_from_slice(b"small");
    info[44..52].copy_from_slice(b"small -x");
    let mut notes = Vec::new();
    for (kind, desc) in [(1u32, status), (3, info)] {
        for word in [5, desc.len() as u32, kind] {
            notes.extend(word.to_le_bytes());
        }
        notes.extend(b"CORE\0\0\0\0");
        notes.extend(desc);
    }
    for word in [4u32, 84, 0, 0, notes.len() as u32, 0, 0, 4] {
        out.extend(word.to_le_bytes());
    }
    out.extend(notes);
    let text = Core::parse(Arc::new(out)).unwrap_err().to_string();
    assert!(text.contains("a core of 386 (32 bits), process 99 (small), started as `small -x`, signal 6"), "{text}");
}

#[test]
fn what_is_missing_is_told_by_kind() {
    // .files: the program's two mappings. 0x2000 of text (0x1000 held), a page of data (left out), a heap of which 5
    // bytes are held, a reserved stretch, a shared one, and a file that no header names.
    let none = 0;
    let built = file()
        .files(&[(0x70_0000, 0x70_3000, 0, "/memfd:x (deleted)"), (0x80_0000, 0x80_1000, 0, "/lib/left-out.so")])
        .memory(0x70_0000, 0x3000, RW, &[])
        .memory(0xd000_0000, 0x10_0000, none, &[])
        // What nobody wrote to, or what was not to be dumped.
        .memory(0xe000_0000, 0x4000, RW, &[])
        .memory(0xe100_0000, 0x2000, R, &[]);
    let whole = core(&built);
    let complete = whole.completeness();
    let amount =
        |kind| complete.amounts.iter().find(|a| a.kind == kind).map(|a| (a.named, a.held, a.backed, a.unwritten));
    assert_eq!(amount(MemoryKind::File), Some((0x3000 + 0x1000, 0x1000, 0, 0)));
    assert_eq!(amount(MemoryKind::Anonymous), Some((0x7000, 5, 0, 0x6000)));
    assert_eq!(amount(MemoryKind::Shared), Some((0x3000, 0, 0, 0)));
    assert_eq!(amount(MemoryKind::Unknown), None);
    assert_eq!(complete.reserved, 0x10_0000);
    assert_eq!(
        complete.lost,
        [
            Lost::Anonymous { memory: 0xffb, all: false },
            Lost::Unwritten { memory: 0x6000 },
            Lost::Shared { memory: 0x3000 },
            Lost::Files { memory: 0x2000, first_pages: true },
            Lost::NotNamed { memory: 0x1000 }
        ]
    );
    assert!(!complete.by_gdb);
    // What no header names, but NT_FILE does, was mapped.
    assert_eq!(whole.u8(Addr(0x80_0000)).unwrap_err().why, Why::NotHeld);

    let bytes = built.bytes();
    let cut = Core::parse(Arc::new(bytes[..bytes.len() - 2].to_vec())).unwrap();
    let len = bytes.len() as u64;
    let lost = Lost::Cut { len: len - 2, promised: len, on_disk: None, memory: 2 };
    assert!(cut.completeness().lost.contains(&lost), "{:?}", cut.completeness().lost);
}

#[test]
fn a_core_without_anonymous_memory_was_filtered() {
    let start = || CoreFile::new().thread(1, 0).memory(0x1000, 0x1000, RW, &[]).memory(0x3000, 0x1000, RW, &[]);
    let named = start().files(&[(0x40_0000, 0x40_1000, 0, "/app")]).memory(0x40_0000, 0x1000, R, &[1; 0x1000]);
    let complete = core(&named).completeness();
    assert_eq!(complete.lost, [Lost::Anonymous { memory: 0x2000, all: true }]);
    assert_eq!(complete.amounts.iter().map(|a| a.unwritten).sum::<u64>(), 0);
    // Where a process has written to its stack, nobody knows what else it has written to.
    let complete = core(&named.memory(0x5000, 0x1000, RW, &[1; 0x1000])).completeness();
    assert_eq!(complete.lost, [Lost::Unwritten { memory: 0x2000 }]);
    // Where the core does not say what is of a file, that is not known either.
    assert_eq!(core(&start()).completeness().lost, [Lost::Unknown { memory: 0x2000 }]);
}

#[test]
fn where_headers_may_be_lost_nobody_knows_whether_all_was_left_out() {
    let start = CoreFile::new().thread(1, 0).files(&[(0x1000, 0x2000, 0, "/app")]);
    let built = start.memory(0x1000, 0x1000, R, b"app").memory(0x3000, 0x1000, RW, &[]).extended();
    let mut bytes = built.bytes();
    let lost = |bytes: &[u8]| Core::parse(Arc::new(bytes.to_vec())).unwrap().completeness().lost;
    assert!(lost(&bytes).contains(&Lost::Anonymous { memory: 0x1000, all: true }), "{:?}", lost(&bytes));
    // How many program headers there are stands at the very end.
    bytes.truncate(bytes.len() - 2);
    let lost = lost(&bytes);
    assert!(lost.contains(&Lost::Headers) && lost.contains(&Lost::Unwritten { memory: 0x1000 }), "{lost:?}");
}

#[test]
fn a_thread_stands_where_it_began() {
    // rax, orig_rax, and the two bytes before rip, which is 0x1002.
    let begun = |rax: u64, orig_rax: u64, code: [u8; 2]| {
        let mut status = vec![0u8; 112 + 8 * 27 + 8];
        for (index, value) in [(10, rax), (15, orig_rax), (16, 0x1002)] {
            status[112 + 8 * index..][..8].copy_from_slice(&value.to_le_bytes());
        }
        let core = core(&CoreFile::new().note("CORE", 1, &status).memory(0x1000, 0x1000, RW, &code));
        core.has_just_begun(&core.threads()[0].registers)
    };
    const SYSCALL: [u8; 2] = [0x0f, 0x05];
    assert!(begun(0, 56, SYSCALL) && begun(0, 435, SYSCALL));
    // Its parent; another call; a thread that has gone on.
    assert!(!begun(4711, 56, SYSCALL) && !begun(0, 202, SYSCALL) && !begun(0, 56, [0x90, 0x90]));
}

#[test]
fn the_vdso_is_given_as_it_stood() {
    let built = CoreFile::new().thread(1, 0).auxv(&[(33, 0x7000)]).memory(0x7000, 0x1000, 5, b"\x7fELF vdso");
    assert_eq!(core(&built).vdso(), Some(b"\x7fELF vdso".to_vec()));
    assert_eq!(core(&built).vdso_range(), Some(Range::new(Addr(0x7000), 9)));
    assert_eq!(core(&CoreFile::new().thread(1, 0).auxv(&[(33, 0x7000)])).vdso(), None);
    assert_eq!(core(&CoreFile::new().thread(1, 0)).vdso(), None);
}

#[test]
fn who_sent_a_signal() {
    let mut info = siginfo(6);
    info[8..12].copy_from_slice(&(-6i32).to_le_bytes());
    info[16..20].copy_from_slice(&77u32.to_le_bytes());
    info[20..24].copy_from_slice(&1000u32.to_le_bytes());
    let core = core(&CoreFile::new().thread(1, 6).note("CORE", 0x5349_4749, &info));
    assert_eq!(core.threads()[0].siginfo.unwrap().sender(), Some((77, 1000)));
    assert_eq!(super::core(&file()).threads()[0].siginfo.unwrap().sender(), None);
}

#[test]
fn readers_of_one_core_do_not_disturb_each_other() {
    let named = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(named.path(), file().bytes()).unwrap();
    let core = Core::open(named.path()).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let core = core.clone();
            std::thread::spawn(move || {
                let mut buf = [0; 5];
                (0..1000).all(|_| core.read(Addr(0xc000_0000), &mut buf).is_ok() && &buf == b"hello")
            })
        })
        .collect();
    assert!(threads.into_iter().all(|t| t.join().unwrap()));
}

#[test]
fn where_stretches_overlap_the_order_of_questions_does_not_matter() {
    let built = CoreFile::new().memory(0x1000, 0x3000, RW, &[1; 0x3000]).memory(0x2000, 0x800, RW, &[2; 0x800]);
    let asked = |order: [u64; 3]| {
        let core = core(&built);
        let mut answers = order.map(|at| (at, core.u8(Addr(at)).ok()));
        answers.sort_unstable();
        answers
    };
    let expected = [(0x1000, Some(1)), (0x2000, Some(2)), (0x2900, None)];
    assert_eq!(asked([0x1000, 0x2000, 0x2900]), expected);
    assert_eq!(asked([0x2900, 0x1000, 0x2000]), expected);
    assert_eq!(asked([0x2000, 0x2900, 0x1000]), expected);
}

/// Delve's `dump`: a note of its own, the others' without an owner, no list of files; memory of files is whole.
#[test]
fn the_notes_of_delve_are_nobodys() {
    let mut process = vec![0u8; 136];
    process[24] = 9;
    process[40..43].copy_from_slice(b"app");
    process[56..66].copy_from_slice(b"/srv/app -");
    let written = |header: bool| {
        let start = CoreFile::new();
        let start = if header { start.note("Delve Header", 0x444c_5645, b"linux/amd64\n") } else { start };
        core(
            &start
                .note("", 3, &process)
                .note("", 6, &[[9u64.to_le_bytes(), 0x40_1000u64.to_le_bytes()].concat(), vec![0; 16]].concat())
                .thread_of("", 7, 0)
                .note("", 0x202, &[3; 0x980])
                .memory(0x40_0000, 0x2000, R, b"memory"),
        )
    };
    let core = written(true);
    assert_eq!(core.threads().iter().map(|t| (t.tid, t.signal)).collect::<Vec<_>>(), [(7, 0)]);
    assert_eq!(core.xstate(&core.threads()[0]), Some(vec![3; 0x980]));
    assert_eq!((core.auxv(9), core.process().unwrap().pid), (Some(0x40_1000), 9));
    assert_eq!((core.program().path.as_slice(), core.completeness().by_delve), (&b"/srv/app"[..], true));
    // Of nobody known they say nothing.
    let core = written(false);
    assert!(core.threads().is_empty() && core.process().is_none() && !core.completeness().by_delve);
}
