//! Go's own tables, in a file and in memory: build information, moduledata, pclntab, inline trees of a tiny program of each
//! release's form, with any bytes changed; and types of any bytes.
#![no_main]

use arbitrary::Arbitrary;
use gopsy_image::{GoModule, Image, Loaded, TypeBody, TypeName, TypeSection};
use gopsy_mem::{LinkAddr, SliceMemory};
use std::sync::{Arc, LazyLock};
use testkit::{ERAS, Tiny};

/// The builder of the tests, which shares no code with the readers.
#[path = "../../crates/gopsy-image/src/testkit.rs"]
#[allow(dead_code)]
mod testkit;

const TYPES: u64 = 0x80_0000;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    program: u8,
    /// Where, what, how many bytes of it.
    changes: Vec<(u16, u64, u8)>,
    /// Bytes in place of others.
    splice: (u16, &'a [u8]),
    types: &'a [u8],
}

/// The tiny program of every release's form, fixed and position-independent.
static PROGRAMS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let tiny = |era| Tiny { era, ..Tiny::default() };
    let two = |era| Tiny { era, two_texts: true, ..Tiny::default() };
    ERAS.iter().flat_map(|era| [tiny(*era).elf().bytes(), tiny(*era).pie().bytes(), two(*era).elf().bytes()]).collect()
});

fn put(bytes: &mut [u8], at: u16, new: &[u8]) {
    let at = usize::from(at) % bytes.len();
    let len = new.len().min(bytes.len() - at);
    bytes[at..at + len].copy_from_slice(&new[..len]);
}

fn ask(module: &GoModule, stated: &dyn gopsy_image::Stated) {
    let table = module.pclntab(stated);
    assert!(module.data().text <= module.data().etext);
    let _ = (module.data().listed_types(stated), module.data().itabs(stated));
    for func in table.funcs().take(64) {
        assert!(func.entry() <= func.end());
        let _ = (func.name(), func.flags().asm(), func.has_pcsp(), func.without_line(), func.line_runs().len());
        for offset in [0, 1, 4, 0xf, 0x10, 0x1f, 0x20, 0x3f] {
            let Some(pc) = func.entry().checked_add(offset) else { continue };
            let _ = (func.sp_delta(pc), func.line(pc), func.file(pc), func.pcdata(2, pc), func.funcdata(3));
            let _ = func.source_frames(pc).map(|frames| assert!(!frames.is_empty()));
            if let Some(found) = table.find(pc) {
                assert!(found.entry() <= pc);
            }
        }
    }
}

libfuzzer_sys::fuzz_target!(|input: Input<'_>| {
    let mut file = PROGRAMS[usize::from(input.program) % PROGRAMS.len()].clone();
    let sound = input.changes.is_empty() && input.splice.1.is_empty();
    for (at, value, len) in &input.changes {
        put(&mut file, *at, &value.to_le_bytes()[..usize::from(len % 9)]);
    }
    put(&mut file, input.splice.0, input.splice.1);
    if let Ok(image) = Image::parse(Arc::new(file)) {
        let _ = (image.build_info(), image.build_id(), image.go_build_id());
        let read = image.module().map(|module| ask(module, &image));
        assert!(!sound || read.is_ok());
        // The same in memory, at the addresses that it states.
        let mut memory = SliceMemory::new();
        for segment in image.segments().iter().take(8) {
            let bytes = image.read(segment.address, segment.file_size).unwrap_or_default().to_vec();
            memory = memory.with(gopsy_mem::Addr(segment.address.0), bytes);
        }
        if let Ok(data) = image.module_data() {
            let loaded = Loaded(&memory);
            if let Ok(module) = GoModule::read(&loaded, data.address) {
                ask(&module, &loaded);
            }
        }
    }
    let memory = SliceMemory::new().with(gopsy_mem::Addr(TYPES), input.types.to_vec());
    let end = TYPES + input.types.len() as u64;
    for (two_byte_lengths, map_strides) in [(false, false), (true, false), (false, true)] {
        let (types, etypes) = (LinkAddr(TYPES), LinkAddr(end));
        let section = TypeSection { types, etypes, two_byte_lengths, map_strides };
        for at in (TYPES..end).step_by(8).take(64) {
            let Some(name) = TypeName::read(&Loaded(&memory), &section, LinkAddr(at)) else { continue };
            assert!(!name.name.is_empty() && name.field_align.is_power_of_two());
            let path = TypeName::path(&Loaded(&memory), &section, LinkAddr(at));
            assert!(path.is_none_or(|path| path.len() <= 1 << 13));
            let type_at = |at| TypeName::read(&Loaded(&memory), &section, at);
            let body = TypeBody::read(&Loaded(&memory), &section, LinkAddr(at), &name, &type_at);
            if let Some(TypeBody::Struct(fields)) = body {
                assert!(fields.iter().all(|f| f.offset.checked_add(f.of.size).is_some_and(|end| end <= name.size)));
            }
        }
    }
});
