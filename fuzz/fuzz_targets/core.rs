//! Cores: any bytes, all of them asked for and read.
#![no_main]

use gopsy_image::Image;
use gopsy_mem::{Addr, Memory, Range};
use gopsy_target::finder::Finder;
use gopsy_target::{Core, Limits, TargetError};
use std::io::Write as _;
use std::sync::Arc;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((mode, bytes)) = input.split_first() else { return };
    let mut file = Vec::new();
    if mode & 1 != 0 {
        // A header whose program headers are the bytes, of amd64 or arm64, counted here or in a section.
        file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0");
        file.extend(if mode & 8 == 0 { [62, 0] } else { [183, 0] });
        file.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0]);
        file.extend([0, 0, 0, 0, 64, 0, 56, 0]);
        file.extend(if mode & 16 == 0 { [4, 0] } else { [0xff, 0xff] });
        file.extend([64, 0, 1, 0, 0, 0]);
    }
    file.extend(bytes);
    match mode >> 1 & 3 {
        0 => drop(Core::parse(Arc::new(file)).map(ask)),
        1 => {
            // In a file all answers are those from memory.
            let in_file = open(&file);
            match (Core::parse(Arc::new(file)), in_file) {
                (Ok(a), Ok(b)) if b.unpacked().is_none() => assert_eq!(ask(a), ask(b)),
                (Err(a), Err(b)) => drop((a, b)),
                (_, Ok(unpacked)) => assert!(unpacked.unpacked().is_some()),
                (Ok(_), Err(error)) => panic!("{error}"),
            }
        }
        2 => {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(&file).expect("a vector takes everything");
            drop(open(&packed.finish().expect("a vector takes everything")).map(ask));
        }
        _ => {
            // Garbage behind the magics.
            let magic: &[u8] = match mode >> 5 & 3 {
                0 => &[0x28, 0xb5, 0x2f, 0xfd],
                1 => &[0x04, 0x22, 0x4d, 0x18],
                2 => &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff],
                _ => b"\xfd7zXZ\0",
            };
            drop(open(&[magic, bytes].concat()).map(ask));
        }
    }
});

fn open(bytes: &[u8]) -> Result<Core, TargetError> {
    let mut named = tempfile::NamedTempFile::new().expect("a temporary file");
    named.write_all(bytes).expect("room on the disk");
    let limits = Limits { len: 1 << 20, reserve: 0, folder: None };
    let core = Core::open_within(named.path(), &limits)?;
    assert!(core.unpacked().is_none_or(|u| u.len <= 1 << 20));
    Ok(core)
}

/// Asks a core everything; what it says in short.
fn ask(mut core: Core) -> (usize, usize, String, Vec<u8>) {
    let _ = (core.process(), core.executable(), core.truncated(), core.extent(), core.vdso(), core.damage());
    for thread in core.threads().iter().take(64) {
        let _ = (core.vector_registers(thread), core.xstate(thread), thread.registers.iter().count());
    }
    let mut read = Vec::new();
    let places: Vec<Range> = core.segments().iter().take(64).map(|s| s.range).collect();
    core.prefetch(&places);
    for place in &places {
        let edges = [place.start, Addr(place.start.0.wrapping_add(4090)), Addr(place.end.0.wrapping_sub(5))];
        for at in edges.into_iter().chain([Addr(0), Addr(u64::MAX - 3)]) {
            let mut buf = [0; 64];
            match core.read(at, &mut buf) {
                Ok(()) => read.extend(buf),
                Err(fault) => read.extend(fault.to_string().into_bytes()),
            }
        }
    }
    for file in core.elves().into_iter().take(16) {
        // The core's own memory as a file: hostile, and now and then the same.
        let Some(start) = file.mappings.first().map(|m| m.range.start) else { continue };
        let mut bytes = vec![0; 8192];
        if core.read(start, &mut bytes).is_ok()
            && let Ok(image) = Image::parse(Arc::new(bytes))
        {
            let image = Arc::new(image);
            core.attach_file(&file, &image);
            core.attach(&image);
            let _ = Finder { debug_dirs: Vec::new(), ..Finder::default() }.find_debug(&image, "/nowhere/x".as_ref());
        }
    }
    drop(Finder { debug_dirs: Vec::new(), ..Finder::default() }.program(&mut core));
    let complete = core.completeness();
    let text: Vec<String> = complete.lost.iter().map(ToString::to_string).collect();
    // What a file takes on disk is not known of memory, and is not among the words.
    (core.threads().len(), core.segments().len(), text.join("; "), read)
}
