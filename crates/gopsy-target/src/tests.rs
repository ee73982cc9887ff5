//! Cores, built, whole and damaged.

mod files;
mod kinds;
mod properties;
mod unpacking;

use crate::testkit::CoreFile;
use crate::{Attachment, Core, Damage, TargetError};
use gopsy_image::Image;
use gopsy_mem::{Addr, Fault, Memory, MemoryExt, Why};
use std::io::Write;
use std::sync::Arc;

const R: u32 = 4;
const RW: u32 = 6;

fn core(file: &CoreFile) -> Core {
    Core::parse(Arc::new(file.bytes())).unwrap()
}

fn file() -> CoreFile {
    let mut siginfo = [0u8; 128];
    siginfo[0] = 11;
    siginfo[8] = 1;
    siginfo[16] = 0x30;
    let mut psinfo = [0u8; 136];
    psinfo[24] = 77;
    psinfo[1] = b'R';
    psinfo[16..18].copy_from_slice(&[0xe8, 3]);
    psinfo[28] = 1;
    psinfo[40..44].copy_from_slice(b"prog");
    psinfo[56..64].copy_from_slice(b"prog -v ");
    CoreFile::new()
        .thread(77, 11)
        .note("CORE", 3, &psinfo)
        .note("CORE", 0x5349_4749, &siginfo)
        .auxv(&[(9, 0x40_1000), (0, 0)])
        .files(&[(0x40_0000, 0x40_2000, 0, "/bin/prog"), (0x40_2000, 0x40_3000, 2, "/bin/prog")])
        .note("LINUX", 1, b"another owner's type 1")
        .thread(78, 0)
        .memory(0x40_0000, 0x2000, R, &binary()[..0x1000])
        .memory(0x40_2000, 0x1000, RW, &[])
        .memory(0xc000_0000, 0x1000, RW, b"hello")
}

/// An executable of three pages with a build id at 0x4000b0 + 16.
fn binary_with(id: u8) -> Vec<u8> {
    let mut out = b"\x7fELF\x02\x01\x01".to_vec();
    out.resize(16, 0);
    for half in [2u16, 62, 1, 0] {
        out.extend(half.to_le_bytes());
    }
    out.extend(0x40_1000u64.to_le_bytes());
    out.extend(64u64.to_le_bytes());
    out.extend([0; 12]);
    for half in [64u16, 56, 2, 0, 0, 0] {
        out.extend(half.to_le_bytes());
    }
    for (kind, flags, offset, address, size) in
        [(1u32, 5u32, 0u64, 0x40_0000u64, 0x3000u64), (4, 4, 0xb0, 0x40_00b0, 20)]
    {
        out.extend(kind.to_le_bytes());
        out.extend(flags.to_le_bytes());
        for word in [offset, address, address, size, size, 4] {
            out.extend(word.to_le_bytes());
        }
    }
    for word in [4u32, 4, 3] {
        out.extend(word.to_le_bytes());
    }
    out.extend(b"GNU\0");
    out.extend([id; 4]);
    out.resize(0x1000, 0);
    out.resize(0x3000, 0xbb);
    out
}

fn binary() -> Vec<u8> {
    binary_with(7)
}

#[test]
fn notes_belong_to_their_threads() {
    let core = core(&file());
    assert_eq!(core.threads().iter().map(|t| (t.tid, t.signal)).collect::<Vec<_>>(), [(77, 11), (78, 0)]);
    let died = &core.threads()[0];
    assert_eq!(
        (died.siginfo.unwrap().number, died.siginfo.unwrap().code, died.siginfo.unwrap().address),
        (11, 1, 0x30)
    );
    assert_eq!(core.threads()[1].siginfo, None);
    // The builder gives register i of thread t the value t·i; rip is 16, rsp 19, fs_base 21.
    assert_eq!(died.registers.pc(), Addr(77 * 16));
    assert_eq!(died.registers.sp(), Addr(77 * 19));
    assert_eq!(died.registers.get("fs_base"), Some(77 * 21));
    assert_eq!(died.registers.get("r99"), None);
    let process = core.process().unwrap();
    assert_eq!((process.pid, process.name.as_str(), process.arguments.as_str()), (77, "prog", "prog -v"));
    assert_eq!((process.parent, process.uid, process.gid, process.state), (1, 1000, 0, 'R'));
    assert_eq!(core.threads()[1].registers.iter().nth(15), Some(("orig_rax", 78 * 15)));
    assert_eq!(core.auxv(9), Some(0x40_1000));
    assert_eq!(core.executable().unwrap().path, b"/bin/prog");
    assert_eq!(core.mappings()[1].file_offset, 0x2000);
}

#[test]
fn memory_is_what_the_core_holds() {
    let core = core(&file());
    assert_eq!(core.bytes(Addr(0xc000_0000), 5, 5).unwrap(), b"hello");
    assert_eq!(core.u8(Addr(0xc000_0005)), Err(Fault { address: Addr(0xc000_0005), why: Why::NotHeld }));
    assert_eq!(core.u64(Addr(0xc000_0000)), Err(Fault { address: Addr(0xc000_0005), why: Why::NotHeld }));
    assert_eq!(core.u8(Addr(0xdead_0000)), Err(Fault { address: Addr(0xdead_0000), why: Why::Unmapped }));
    assert_eq!(core.u8(Addr(0x40_1000)).unwrap_err().why, Why::NotHeld);
    assert_eq!(core.u64(Addr(u64::MAX)).unwrap_err().why, Why::Unmapped);
}

#[test]
fn the_binary_supplies_what_may_not_have_changed() {
    let mut core = core(&file());
    let image = Arc::new(Image::parse(Arc::new(binary())).unwrap());
    assert_eq!(core.attach(&image), Attachment::Same);
    assert_eq!(core.u8(Addr(0x40_1000)), Ok(0xbb));
    // Over the edge of what the core itself holds.
    assert_eq!(core.u16(Addr(0x40_0fff)), Ok(0xbb00));
    // The second mapping was writable: the file does not know what stood there.
    assert_eq!(core.u8(Addr(0x40_2000)).unwrap_err().why, Why::NotHeld);
}

#[test]
fn a_file_is_mapped_in_whole_pages() {
    let read = |file_size: u64, memory_size: u64, len: usize| {
        let mut binary = binary();
        binary[64 + 32..][..8].copy_from_slice(&file_size.to_le_bytes());
        binary[64 + 40..][..8].copy_from_slice(&memory_size.to_le_bytes());
        binary.truncate(len);
        let file = CoreFile::new()
            .thread(77, 11)
            .auxv(&[(9, 0x40_1000), (0, 0)])
            .files(&[(0x40_0000, 0x40_2000, 0, "/bin/prog"), (0x40_2000, 0x40_3000, 2, "/bin/prog")])
            .memory(0x40_0000, 0x2000, R, &binary[..0x1000])
            .memory(0x40_2000, 0x1000, R, &[]);
        let mut core = core(&file);
        assert_eq!(core.attach(&Arc::new(Image::parse(Arc::new(binary)).unwrap())), Attachment::Same);
        [0x40_1800, 0x40_1801, 0x40_1fff, 0x40_2000].map(|at| core.u8(Addr(at)).ok())
    };
    let held = Some(0xbb);
    assert_eq!(read(0x1801, 0x1801, 0x3000), [held, held, held, None]);
    // Zeros stand behind what is shorter in the file, if anything; and the file may end in the page.
    assert_eq!(read(0x1801, 0x1900, 0x3000), [held, None, None, None]);
    assert_eq!(read(0x1801, 0x1801, 0x1900), [held, held, None, None]);
}

#[test]
fn another_build_supplies_nothing() {
    let mut core = core(&file());
    let image = Arc::new(Image::parse(Arc::new(binary_with(8))).unwrap());
    assert_eq!(core.attach(&image), Attachment::Other);
    assert_eq!(core.u8(Addr(0x40_1000)).unwrap_err().why, Why::OtherBuild);
}

#[test]
fn without_the_page_of_the_build_id_nothing_is_proved() {
    let without = CoreFile::new().thread(1, 0).auxv(&[(9, 0x40_1000)]).memory(0x40_0000, 0x2000, R, &[]);
    let mut core = core(&without);
    let image = Arc::new(Image::parse(Arc::new(binary())).unwrap());
    assert_eq!(core.attach(&image), Attachment::CannotTell);
    assert_eq!(core.u8(Addr(0x40_1000)).unwrap_err().why, Why::NotHeld);
}

#[test]
fn other_files_are_told_apart() {
    let parse = |bytes: Vec<u8>| Core::parse(Arc::new(bytes));
    assert!(matches!(parse(b"goroutine 1 [running]:".to_vec()), Err(TargetError::NotCore)));
    assert!(matches!(parse(binary()), Err(TargetError::NotCore)));
    assert!(matches!(parse(b"\x7fELF\x02\x01\x01".to_vec()), Err(TargetError::Damaged(_))));
}

#[test]
fn a_core_of_another_machine_says_what_it_can() {
    let mut riscv = file();
    riscv.machine = 243;
    let error = Core::parse(Arc::new(riscv.bytes())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "not supported yet: a core of riscv (64 bits), process 77 (prog), started as `prog -v`, signal 11; \
         only 64-bit cores of amd64 and arm64 can be read"
    );
}

#[test]
fn a_core_without_notes_is_memory_without_threads() {
    let core = core(&CoreFile::new().memory(0x1000, 0x1000, R, b"still here"));
    assert_eq!((core.threads().len(), core.damage()), (0, &[Damage::NoThreads][..]));
    assert_eq!(core.bytes(Addr(0x1000), 10, 10).unwrap(), b"still here");
    assert!(!core.truncated());
}

#[test]
fn a_core_that_changes_while_it_is_read_is_noticed() {
    let mut on_disk = tempfile::NamedTempFile::new().unwrap();
    on_disk.write_all(&file().bytes()).unwrap();
    let core = Core::open(on_disk.path()).unwrap();
    assert_eq!(core.u8(Addr(0xc000_0000)), Ok(b'h'));
    on_disk.as_file().set_len(4096).unwrap();
    // A reader that has read nothing meets the change; what was read before is right.
    let another = core.clone();
    assert_eq!(another.u8(Addr(0xc000_0000)).unwrap_err().why, Why::Changed);
    assert_eq!(core.u8(Addr(0xc000_0000)), Ok(b'h'));
}

/// Asks a core everything.
fn exercise(bytes: Vec<u8>) {
    let Ok(mut core) = Core::parse(Arc::new(bytes)) else { return };
    let image = Arc::new(Image::parse(Arc::new(binary())).unwrap());
    let _ = (core.attach(&image), core.extent(), core.executable(), core.truncated());
    let _ = core.rebuilt(&core.program());
    for address in [0, 0x40_0000, 0x40_0fff, 0x40_1fff, 0xc000_0000, u64::MAX - 3] {
        let _ = core.read(Addr(address), &mut [0; 64]);
    }
}

#[test]
fn every_truncation_is_survived_and_told() {
    let whole = file().bytes();
    for len in 0..whole.len() {
        if let Ok(core) = Core::parse(Arc::new(whole[..len].to_vec())) {
            assert!(core.truncated(), "{len}");
        }
        exercise(whole[..len].to_vec());
    }
}

#[test]
fn single_bytes_changed_are_survived() {
    let whole = file().bytes();
    // Headers and notes; the memory behind them is data.
    for place in 0..whole.len().min(0x900) {
        for value in [0, 0x7f, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[place] = value;
            exercise(bytes);
        }
    }
}

#[test]
fn a_list_of_files_that_lies_about_its_length_is_a_damaged_note() {
    for count in [2u64, 1 << 40, u64::MAX] {
        let mut desc = count.to_le_bytes().to_vec();
        desc.extend(0x1000u64.to_le_bytes());
        desc.extend([1; 24]);
        desc.extend(b"/x\0");
        let core = core(&CoreFile::new().thread(1, 0).note("CORE", 0x4649_4c45, &desc));
        assert_eq!((core.mappings().len(), core.damaged_notes()), (0, 1));
    }
}
