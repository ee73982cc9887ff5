//! The readers against built files, whole and damaged.

use crate::testkit::{DATA, ERAS, Elf, Era, RODATA, TEXT, Tiny, dwarf, image};
use crate::{GoModule, Image, ImageError, Loaded, ModuleData};
use gopsy_mem::{Addr, LinkAddr, SliceMemory};
use std::sync::Arc;

fn at(offset: u64) -> LinkAddr {
    LinkAddr(TEXT + offset)
}

#[test]
fn functions_by_pc() {
    let image = image(&Tiny::default().elf());
    let table = image.pclntab().unwrap();
    let name = |offset| table.find(at(offset)).and_then(|f| f.name());
    assert_eq!(name(0).as_deref(), Some("main.f"));
    assert_eq!(name(0x3f).as_deref(), Some("main.f"));
    assert_eq!(name(0x40).as_deref(), Some("main.h"));
    assert_eq!(name(0x4f).as_deref(), Some("main.h"));
    assert_eq!(name(0x50), None);
    assert!(table.find(LinkAddr(TEXT - 1)).is_none() && table.find(LinkAddr(u64::MAX)).is_none());
    assert_eq!(table.len(), 2);
    assert_eq!(table.by_name("main.h").unwrap().entry(), at(0x40));
    assert!(table.find(at(0x40)).unwrap().flags().top_frame());
}

#[test]
fn values_by_pc() {
    let image = image(&Tiny::default().elf());
    let f = image.pclntab().unwrap().find(at(0)).unwrap();
    assert_eq!([0, 3, 4, 0x3f].map(|o| f.sp_delta(at(o))), [Some(0), Some(0), Some(24), Some(24)]);
    assert_eq!(f.sp_delta(at(0x40)), None);
    assert_eq!([0, 0x10, 0x20].map(|o| f.line(at(o))), [Some(10), Some(5), Some(12)]);
    assert_eq!(f.file(at(0x10)).as_deref(), Some("/s/b.go"));
    assert_eq!((f.pcdata(0, at(0)), f.pcdata(9, at(0)), f.funcdata(0)), (None, None, None));
}

#[test]
fn inlined_functions() {
    let image = image(&Tiny::default().elf());
    let f = image.pclntab().unwrap().find(at(0)).unwrap();
    let frames = |offset| -> Vec<_> {
        let frames = f.source_frames(at(offset)).unwrap();
        frames.into_iter().map(|s| (s.function.unwrap(), s.file.unwrap(), s.line.unwrap(), s.inlined)).collect()
    };
    let plain = |name: &str, file: &str, line, inlined| (name.to_owned(), file.to_owned(), line, inlined);
    assert_eq!(frames(0x0c), [plain("main.f", "/s/a.go", 10, false)]);
    assert_eq!(frames(0x14), [plain("main.g", "/s/b.go", 5, true), plain("main.f", "/s/a.go", 10, false)]);
    assert_eq!(frames(0x20), [plain("main.f", "/s/a.go", 12, false)]);
}

#[test]
fn an_inline_tree_that_turns_in_a_circle_or_leads_outside_is_an_error() {
    for parent_pc in [0x14, 0x40, -1, i32::MAX] {
        let image = image(&Tiny { parent_pc, ..Tiny::default() }.elf());
        let f = image.pclntab().unwrap().find(at(0)).unwrap();
        assert!(matches!(f.source_frames(at(0x14)), Err(ImageError::Damaged(_))), "{parent_pc}");
        assert_eq!(f.name().as_deref(), Some("main.f"));
    }
}

#[test]
fn other_formats_are_named() {
    let with = |magic| Tiny { era: Era { magic, ..ERAS[6] }, ..Tiny::default() };
    let error = image(&with(0xffff_fffb).elf()).pclntab().unwrap_err();
    assert!(matches!(&error, ImageError::NotSupported(what) if what.contains("1.15")), "{error}");
    let error = image(&with(0x1234_5678).elf()).pclntab().unwrap_err();
    assert!(matches!(error, ImageError::Absent(_)), "{error}");
}

#[test]
fn every_era_is_read_by_what_its_moduledata_says() {
    for (era, releases) in ERAS.iter().zip(["1.16", "1.18", "1.20", "1.21", "1.23", "1.26", "1.27"]) {
        let tiny = Tiny { era: *era, ..Tiny::default() };
        for (kind, elf) in [("plain", tiny.elf()), ("PIE", tiny.pie())] {
            let (version, image) = (era.version, image(&elf));
            let module = image.module_data().unwrap();
            assert_eq!(module.address, LinkAddr(DATA + 64), "{version} {kind}");
            assert!(module.releases.iter().any(|r| r.starts_with(releases)), "{version} {kind}: {:?}", module.releases);
            assert_eq!((module.text, module.etext, module.next), (at(0), at(0x50), LinkAddr(0)), "{version} {kind}");
            let table = image.pclntab().unwrap();
            assert_eq!(table.len(), 2);
            let f = table.find(at(0x14)).unwrap();
            assert_eq!((f.entry(), f.end(), f.sp_delta(at(4))), (at(0), at(0x40), Some(24)), "{version} {kind}");
            let inlined: Vec<_> =
                f.source_frames(at(0x14)).unwrap().into_iter().map(|s| (s.function, s.line)).collect();
            let expected = [("main.g", 5), ("main.f", 10)].map(|(n, l)| (Some(n.to_owned()), Some(l)));
            assert_eq!(inlined, expected, "{version} {kind}");
            assert!(table.by_name("main.h").is_some_and(|h| h.flags().top_frame()), "{version} {kind}");
            assert!(table.by_name("main").is_none() && table.by_name("ain.h").is_none());
        }
    }
}

#[test]
fn a_shared_object_is_no_program() {
    let with = |e_type: u8, dynamic: &[u64]| {
        let data: Vec<u8> = dynamic.iter().flat_map(|w| w.to_le_bytes()).collect();
        let elf = Elf::new().segment(TEXT, "rx", &[0xcc; 16]);
        let mut bytes = if dynamic.is_empty() { elf } else { elf.dynamic(0x70_0000, &data) }.bytes();
        bytes[16] = e_type;
        Image::parse(Arc::new(bytes)).unwrap().is_shared_object()
    };
    // DT_SONAME, DT_FLAGS_1 with DF_1_NOW and with DF_1_PIE (gcc -static-pie), DT_NULL before it.
    let flags = 0x6fff_fffb;
    assert!(with(3, &[14, 1, 0, 0]));
    assert!(with(3, &[flags, 1, 0, 0]));
    assert!(!with(3, &[flags, 0x0800_0001, 0, 0]));
    assert!(with(3, &[0, 0, flags, 0x0800_0000]));
    assert!(!with(2, &[14, 1, 0, 0]));
    assert!(!with(3, &[]));
}

/// A magic that no known release writes means another layout, or somebody who hides it: neither is no Go program.
#[test]
fn an_unknown_table_is_no_missing_one() {
    let with = |start: u64| {
        let table = [start.to_le_bytes().as_slice(), &[0; 72]].concat();
        let elf = Elf::new().segment(TEXT, "rx", &[0xcc; 16]).segment(0x50_0000, "r", &table);
        image(&elf.section(".gopclntab", 0x50_0000, &table)).module().map(drop).unwrap_err().to_string()
    };
    // Magic, zeros, minLC 1, pointers of 8 bytes.
    assert!(with(0x0801_0000_ffff_fff2).contains("begins with 0xfffffff2"), "{}", with(0x0801_0000_ffff_fff2));
    for other in [0x0801_0001_ffff_fff2, 0x0901_0000_ffff_fff2, 0x0801_0000_ffff_fff1, 0] {
        assert!(with(other).contains("no pclntab"), "{other:#x}: {}", with(other));
    }
}

/// A sound file of another class is not damaged, it is not supported.
#[test]
fn other_classes_are_named() {
    let with = |place: usize, value| {
        let mut bytes = Elf::new().segment(TEXT, "rx", &[0xcc; 16]).bytes();
        bytes[place] = value;
        Image::parse(Arc::new(bytes)).map(|_| ())
    };
    assert!(with(4, 2).is_ok());
    // 32 bits; the highest byte first.
    for (place, value) in [(4, 1), (5, 2)] {
        assert!(
            matches!(with(place, value), Err(ImageError::NotSupported(what)) if what.contains("32-bit or big-endian"))
        );
    }
    for (place, value) in [(4, 3), (5, 0), (6, 9)] {
        assert!(matches!(with(place, value), Err(ImageError::Damaged(_))), "{place} {value}");
    }
}

/// arm64 and most others have instructions of four bytes; no machine of Go's has longer shortest ones.
#[test]
fn the_text_may_end_an_instruction_behind_its_last_function() {
    for era in &ERAS[3..] {
        let with = |behind| image(&Tiny { era: *era, behind, ..Tiny::default() }.elf());
        for behind in [1, 2, 4] {
            let image = with(behind);
            assert_eq!(image.module_data().unwrap().etext, at(0x50), "{} {behind}", era.version);
            assert_eq!(image.pclntab().unwrap().find(at(0x4f)).unwrap().end(), at(0x50), "{} {behind}", era.version);
        }
        assert!(with(5).module_data().is_err(), "{}", era.version);
    }
}

#[test]
fn a_module_in_memory_is_read_like_one_in_a_file() {
    for era in ERAS {
        let tiny = Tiny { era, ..Tiny::default() };
        let bytes = tiny.elf().bytes();
        let file = Image::parse(Arc::new(bytes)).unwrap();
        let memory = file
            .segments()
            .iter()
            .fold(SliceMemory::new(), |m, s| m.with(Addr(s.address.0), file.bytes_from(s.address).unwrap()));
        let loaded = Loaded(&memory);
        let module = GoModule::read(&loaded, LinkAddr(DATA + 64)).unwrap();
        assert_eq!(module.data(), file.module_data().unwrap());
        let f = module.pclntab(&loaded).find(at(0x14)).unwrap();
        assert_eq!(f.source_frames(at(0x14)).unwrap().len(), 2);
    }
}

/// Where a test puts a module that a program made itself, and its code.
const GENERATED: u64 = 0x70_0000;
const PAGE: u64 = 0x80_0000;

/// What is done to its words.
type Change<'a> = &'a dyn Fn(&mut Vec<u64>);

/// Such a module as loaders make it: of one function of 12 bytes, `jit.f`, with a frame of a word from 1 to 11.
fn generated(era: &Era, change: impl Fn(&mut Vec<u64>)) -> Vec<u8> {
    let old = era.magic == 0xffff_fffa;
    let words = |wide: bool, words: &[u64]| -> Vec<u8> {
        let size = if wide { 8 } else { 4 };
        words.iter().flat_map(|w| w.to_le_bytes()[..size].to_vec()).collect()
    };
    let header = [era.magic.to_le_bytes().to_vec(), vec![0, 0, 1, 8]].concat();
    let table = if old { words(true, &[PAGE, 16, PAGE + 12, 0]) } else { words(false, &[0, 16, 12, 0]) };
    let entry = if old { words(true, &[PAGE]) } else { words(false, &[0]) };
    // Its name, 0, 0, pctab, and what it has none of.
    let functions = [vec![0; 16], entry, words(false, &[1, 0, 0, 1]), vec![0; 64]].concat();
    let parts: [(u64, &[u8], u64); 7] = [
        (0x400, &header, 0),
        (0x440, b"\0jit.f\0", 7),
        (0x460, &[0; 4], 1),
        (0x480, &[], 0),
        (0x4a0, &[0, 2, 1, 16, 10, 15, 1, 0], 8),
        (0x500, &functions, functions.len() as u64),
        (0x600, &table, 2),
    ];
    let mut moduledata = vec![GENERATED + 0x400];
    // Lists that were appended to have room.
    parts.iter().skip(1).for_each(|(at, _, len)| moduledata.extend([GENERATED + at, *len, len + 8]));
    moduledata.extend([GENERATED, PAGE, PAGE + 12, PAGE, PAGE + 0x1000]);
    moduledata.resize(75, 0);
    change(&mut moduledata);
    let mut bytes = words(true, &moduledata);
    bytes.resize(0x700, 0);
    for (at, part, _) in parts {
        bytes[at as usize..][..part.len()].copy_from_slice(part);
    }
    bytes
}

#[test]
fn a_module_that_the_program_made_is_known_by_what_the_runtime_asks_of_all() {
    for era in ERAS {
        let file = Image::parse(Arc::new(Tiny { era, ..Tiny::default() }.elf().bytes())).unwrap();
        let read = |change: Change<'_>| {
            let program = file.segments().iter();
            let memory =
                program.fold(SliceMemory::new(), |m, s| m.with(Addr(s.address.0), file.bytes_from(s.address).unwrap()));
            let bytes = generated(&era, change);
            let memory = memory.with(Addr(GENERATED), bytes);
            let loaded = Loaded(&memory);
            let first = ModuleData::read(&loaded, LinkAddr(DATA + 64)).unwrap();
            let data = ModuleData::read_behind(&loaded, LinkAddr(GENERATED), &first, None)?;
            // It is no first module: nothing tells its layout.
            assert!(ModuleData::read(&loaded, LinkAddr(GENERATED)).is_err());
            let (next, module) = (data.next, GoModule::of(&loaded, data)?);
            let table = module.pclntab(&loaded);
            let f = table.find(LinkAddr(PAGE + 11)).ok_or(ImageError::Absent("its function"))?;
            let deltas = [0, 1, 10, 11].map(|at| f.sp_delta(LinkAddr(PAGE + at)));
            Ok::<_, ImageError>((f.name(), f.is_generated(), deltas, f.file(LinkAddr(PAGE)), table.len(), next.0))
        };
        let deltas = [Some(0), Some(8), Some(8), Some(0)];
        let found = (Some("jit.f".to_owned()), true, deltas, None, 1, 0);
        assert_eq!(read(&|_| {}), Ok(found.clone()), "{}", era.version);
        let next = era.moduledata[4] / 8;
        assert_eq!(read(&|words| words[next] = DATA + 64), Ok((found.0, true, deltas, None, 1, DATA + 64)));
        // A header of another release, code that begins before minpc or ends behind maxpc, a length beyond its room, a next
        // that is no module, a table of which nothing is there; types and a map of the text, which linkers give.
        let (types, text_sections) = (era.moduledata[0] / 8, era.moduledata[2] / 8);
        let wrong: [Change<'_>; 9] = [
            &|words| words[types] = PAGE,
            &|words| words[text_sections + 1..][..2].fill(1),
            &|words| words[0] = GENERATED + 0x440,
            &|words| words[20] += 1,
            &|words| words[21] += 1,
            &|words| words[23] = PAGE + 11,
            &|words| words[2] = 100,
            &|words| words[next] = GENERATED + 0x440,
            &|words| words[16] = 0x10,
        ];
        for (number, change) in wrong.into_iter().enumerate() {
            assert!(read(change).is_err(), "{} {number}", era.version);
        }
    }
}

#[test]
fn a_text_of_two_sections() {
    for era in &ERAS[1..] {
        let image = image(&Tiny { era: *era, two_texts: true, ..Tiny::default() }.elf());
        let table = image.pclntab().unwrap();
        let h = table.by_name("main.h").unwrap();
        assert_eq!((h.entry(), h.end()), (at(0x140), at(0x150)), "{}", era.version);
        assert_eq!(table.find(at(0x14f)).and_then(|f| f.name()).as_deref(), Some("main.h"));
        assert!(table.find(at(0x48)).is_none() && table.find(at(0x150)).is_none());
        // main.f ends where its section ends, which is not where the next begins.
        assert_eq!(table.find(at(0x3f)).and_then(|f| f.name()).as_deref(), Some("main.f"), "{}", era.version);
    }
}

#[test]
fn layouts_and_variables_from_dwarf() {
    let (abbrev, info) = dwarf();
    let plain = Elf::new().section(".debug_abbrev", 0, &abbrev).section(".debug_info", 0, &info);
    let compressed = Elf::new().compressed_section(".debug_abbrev", &abbrev).compressed_section(".debug_info", &info);
    for elf in [plain, compressed] {
        let image = image(&elf);
        let found = image.debug_info().unwrap().of_runtime(&["runtime.g", "runtime.none"], &["runtime.allgs"]).unwrap();
        let g = &found.structs["runtime.g"];
        assert_eq!(g.size, 40);
        let field = |name| g.field(name).map(|f| (f.offset, f.size));
        assert_eq!(field("goid"), Some((16, Some(8))));
        assert_eq!(field("m"), Some((24, Some(8))));
        assert_eq!(field("flag"), Some((32, Some(1))));
        assert_eq!(field("none"), None);
        let allgs = found.variables["runtime.allgs"];
        assert_eq!((allgs.address, allgs.size), (LinkAddr(0x60_1000), Some(40)));
        assert!(!found.structs.contains_key("runtime.none"));
    }
    assert!(matches!(image(&Elf::new()).debug_info(), Err(ImageError::Absent(_))));
}

#[test]
fn a_section_that_claims_to_inflate_without_end_is_refused() {
    let (abbrev, info) = dwarf();
    let elf = Elf::new().section(".debug_abbrev", 0, &abbrev).compressed_section(".debug_info", &info);
    let mut bytes = elf.bytes();
    // The claimed size stands 8 bytes into the compression header, right before the zlib stream.
    let stream = bytes.windows(2).rposition(|w| w == [0x78, 0x9c]).unwrap();
    bytes[stream - 16..stream - 8].copy_from_slice(&(1u64 << 40).to_le_bytes());
    let image = Image::parse(Arc::new(bytes)).unwrap();
    assert!(matches!(image.debug_info(), Err(ImageError::Damaged(_))));
}

#[test]
fn a_section_that_inflates_a_thousandfold_is_refused() {
    let (abbrev, _) = dwarf();
    let elf = Elf::new().section(".debug_abbrev", 0, &abbrev).compressed_section(".debug_info", &vec![0; 4 << 20]);
    assert!(matches!(image(&elf).debug_info(), Err(ImageError::Damaged(_))));
}

#[test]
fn what_only_looks_like_moduledata_is_passed_over() {
    // A pointer to pclntab stands before the real one, but the word behind it does not name the function names; and a
    // section claims to be moduledata where there is none.
    let mut decoy = b"\xff Go buildinf:\x08\x02".to_vec();
    decoy.resize(32, 0);
    decoy.extend(b"\x08go1.27.3\0");
    decoy.resize(64, 0);
    decoy.extend([RODATA.to_le_bytes(), 1u64.to_le_bytes()].concat());
    let before = Elf::new().segment(DATA - 0x1000, "rw", &decoy).section(".go.module", DATA - 0x1000 + 64, &[]);
    let image = image(&before.and(Tiny::default().elf()));
    assert_eq!(image.module_data().map(|m| m.address), Ok(LinkAddr(DATA + 64)));
}

#[test]
fn build_ids_from_segments_and_sections() {
    let note = |owner: &[u8], kind: u32, desc: &[u8]| {
        let mut out = 4u32.to_le_bytes().to_vec();
        out.extend((desc.len() as u32).to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend(owner);
        out.extend(desc);
        out
    };
    let (go, gnu) = (note(b"Go\0\0", 4, b"abcd/efgh"), note(b"GNU\0", 3, &[1, 2, 3, 4]));
    // As the Go linker does it: the segment holds its own note only.
    let image = image(&Elf::new().notes(0x40_0f78, &go).section(".note.gnu.build-id", 0x40_0fdc, &gnu));
    assert_eq!(image.go_build_id().unwrap().bytes, b"abcd/efgh");
    assert_eq!(image.go_build_id().unwrap().address, LinkAddr(0x40_0f78 + 16));
    assert_eq!(image.build_id().unwrap().bytes, [1, 2, 3, 4]);
    assert_eq!(image.build_id().unwrap().address, LinkAddr(0x40_0fdc + 16));
}

/// Asks a file everything.
fn exercise(bytes: Vec<u8>) {
    let Ok(image) = Image::parse(Arc::new(bytes)) else { return };
    let _ = (image.build_info(), image.build_id(), image.symbol("runtime.firstmoduledata"));
    let _ = (image.read(LinkAddr(RODATA), 64), image.is_executable(LinkAddr(TEXT)));
    if let Ok(debug) = image.debug_info() {
        let _ = debug.of_runtime(&["runtime.g", "runtime.none"], &["runtime.allgs"]);
    }
    if let Ok(data) = image.module_data() {
        let _ = (data.listed_types(&image), data.itabs(&image));
    }
    let Ok(table) = image.pclntab() else { return };
    let _ = table.by_name("main.none");
    for offset in 0..0x60 {
        let Some(func) = table.find(at(offset)) else { continue };
        let _ = (func.name(), func.file(at(offset)), func.sp_delta(at(offset)), func.source_frames(at(offset)));
    }
}

fn everything() -> Vec<u8> {
    let (abbrev, info) = dwarf();
    let elf = Tiny::default().elf().section(".debug_abbrev", 0, &abbrev).compressed_section(".debug_info", &info);
    elf.bytes()
}

/// Files of the old formats and position-independent ones.
fn variants() -> Vec<Vec<u8>> {
    let tiny = |era: Era| Tiny { era, ..Tiny::default() };
    ERAS[..3].iter().flat_map(|era| [tiny(*era).elf().bytes(), tiny(*era).pie().bytes()]).collect()
}

#[test]
fn every_truncation_is_survived() {
    let whole = everything();
    for len in 0..whole.len() {
        exercise(whole[..len].to_vec());
    }
    for whole in variants() {
        (0..whole.len()).step_by(3).for_each(|len| exercise(whole[..len].to_vec()));
    }
}

#[test]
fn single_bytes_changed_are_survived() {
    let whole = everything();
    for place in 0..whole.len() {
        for value in [0, 0x7f, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[place] = value;
            exercise(bytes);
        }
    }
    for whole in variants() {
        for (place, value) in (0..whole.len()).zip([0xff, 0, 0x80, 1].into_iter().cycle()) {
            let mut bytes = whole.clone();
            bytes[place] = value;
            exercise(bytes);
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]
    #[test]
    fn many_bytes_changed_are_survived(changes in proptest::collection::vec((proptest::prelude::any::<u16>(), proptest::prelude::any::<u8>()), 1..24)) {
        let mut bytes = everything();
        for (place, value) in changes {
            let place = usize::from(place) % bytes.len();
            bytes[place] = value;
        }
        exercise(bytes);
    }

    #[test]
    fn varints_are_total(data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..16)) {
        if let Some((_, taken)) = crate::bytes::uvarint(&data) {
            proptest::prop_assert!(taken >= 1 && taken <= data.len().min(10));
        }
    }
}

#[test]
fn a_table_that_does_not_advance_says_nothing() {
    let mut bytes = Tiny::default().elf().bytes();
    // pcsp of main.f: +1 for 4 bytes, +24 for 0x3c bytes.
    let table = bytes.windows(5).position(|w| w == [2, 4, 48, 0x3c, 0]).unwrap();
    bytes[table + 1] = 0;
    let image = Image::parse(Arc::new(bytes)).unwrap();
    assert_eq!(image.pclntab().unwrap().find(at(0)).unwrap().sp_delta(at(0)), None);
}
