//! What a file says of a place in its code: rows of the line table, functions, symbols, stretches, type names.

use crate::testkit::{ERAS, Elf, RODATA, TEXT, Tiny, code_dwarf, image};
use crate::{Image, SymbolKind, TypeKind, TypeName, TypeSection};
use gopsy_mem::LinkAddr;
use proptest::prelude::*;

fn at(offset: u64) -> LinkAddr {
    LinkAddr(TEXT + offset)
}

fn with_lines() -> Elf {
    code_dwarf()
        .into_iter()
        .fold(Elf::new().segment(TEXT, "rx", &[0xcc; 0x150]), |elf, (name, data)| elf.section(name, 0, &data))
}

#[test]
fn rows_of_the_line_table() {
    let image = image(&with_lines());
    let info = image.code_info().unwrap();
    let place = |offset| {
        let row = info.row_at(at(offset))?;
        Some((row.file.unwrap().to_string(), row.line))
    };
    let (a, b) = ("/s/a.go".to_owned(), "/s/b.go".to_owned());
    assert_eq!(place(0), Some((a.clone(), Some(10))));
    assert_eq!(place(0x0f), Some((a.clone(), Some(10))));
    assert_eq!(place(0x10), Some((b.clone(), Some(5))));
    assert_eq!(place(0x20), Some((b, None)));
    assert_eq!(place(0x3f), Some((a, Some(12))));
    assert_eq!(place(0x40), None);
    assert_eq!(info.rows_within(at(0x0f), at(0x11)).len(), 2);
    let rows = info.rows_of(&|file| file.ends_with("/b.go"), 5);
    assert_eq!(rows.iter().map(|r| (r.start, r.end)).collect::<Vec<_>>(), [(at(0x10), at(0x20))]);
    assert!(info.rows_of(&|file| file.ends_with("/b.go"), 10).is_empty());
}

#[test]
fn functions_of_the_debug_information() {
    let image = image(&with_lines());
    let info = image.code_info().unwrap();
    let inner = info.function_at(at(0x18)).unwrap();
    assert_eq!((inner.name.as_deref(), inner.entry), (Some("main.f"), at(0)));
    let [call] = inner.inlined.as_slice() else { panic!("{:?}", inner.inlined) };
    assert_eq!(call.name.as_deref(), Some("main.g"));
    assert_eq!((call.call_file.as_deref(), call.call_line), (Some("/s/a.go"), Some(10)));
    assert!(info.function_at(at(0x20)).unwrap().inlined.is_empty());
    assert_eq!(info.function_at(at(0x48)), None);
}

#[test]
fn a_function_in_stretches() {
    for era in ERAS {
        let image = image(&Tiny { era, ..Tiny::default() }.elf());
        let f = image.pclntab().unwrap().find(at(0)).unwrap();
        let runs: Vec<_> = f.line_runs().iter().map(|r| (r.start, r.end, r.file, r.line, r.inlined)).collect();
        let (a, b) = (Some(0), Some(1));
        assert_eq!(
            runs,
            [
                (at(0), at(0x10), a, Some(10), false),
                (at(0x10), at(0x20), b, Some(5), true),
                (at(0x20), at(0x40), a, Some(12), false),
            ],
            "{}",
            era.version
        );
        assert_eq!(f.file_of(1).as_deref(), Some("/s/b.go"));
        assert_eq!((f.file_of(2), f.file_of(u32::MAX)), (None, None));
    }
}

#[test]
fn symbols_by_address() {
    let table = [
        ("main.f", TEXT, 0x40, 2),
        ("main.f.abi0", TEXT, 0x40, 2),
        ("wide", TEXT, 0x100, 2),
        ("mark", TEXT + 0x120, 0, 0),
        ("value", RODATA, 8, 1),
        ("a section", TEXT, 0x100, 3),
    ];
    let image = image(&Elf::new().segment(TEXT, "rx", &[0xcc; 0x150]).symbols(&table));
    let symbols = image.symbol_table();
    assert_eq!((symbols.len(), symbols.only_dynamic()), (5, false));
    let names = |offset| {
        let mut names: Vec<String> =
            symbols.covering(&image, at(offset)).into_iter().map(|s| s.name.into_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names(0), ["main.f", "main.f.abi0", "wide"]);
    assert_eq!(names(0x40), ["wide"]);
    assert_eq!(names(0x110), [""; 0]);
    assert_eq!(names(0x130), ["mark"]);
    assert_eq!(symbols.covering(&image, LinkAddr(RODATA + 7))[0].kind, SymbolKind::Object);
    assert_eq!(symbols.iter(&image).count(), 5);
    assert!(crate::testkit::image(&Elf::new()).symbol_table().is_empty());
}

/// A mark reaches to the end of its section (of a file without sections: of its segment), not to wherever anybody asks.
#[test]
fn a_symbol_without_a_size_ends_with_its_section() {
    let names = |elf: &Elf, address| {
        let image = image(elf);
        let covering = image.symbol_table().covering(&image, LinkAddr(address));
        covering.into_iter().map(|s| s.name.into_owned()).collect::<Vec<_>>()
    };
    // runtime.end of a Go program stands behind the last section.
    let table = [("mark", TEXT + 0x20, 0, 0), ("end", TEXT + 0x150, 0, 0)];
    let bare = Elf::new().segment(TEXT, "rx", &[0xcc; 0x150]).symbols(&table);
    let with_sections =
        bare.clone().section(".text", TEXT, &[0xcc; 0x40]).section(".more", TEXT + 0x40, &[0xcc; 0x110]);
    assert_eq!(names(&with_sections, TEXT + 0x20), ["mark"]);
    assert_eq!(names(&with_sections, TEXT + 0x3f), ["mark"]);
    assert_eq!(names(&with_sections, TEXT + 0x40), [""; 0]);
    assert_eq!(names(&with_sections, TEXT + 0x150), ["end"]);
    for far in [TEXT + 0x151, 0xc0_0001_2000, 0x7fff_f000_0000] {
        assert_eq!(names(&with_sections, far), [""; 0]);
        assert_eq!(names(&bare, far), [""; 0]);
    }
    let one = Elf::new().segment(TEXT, "rx", &[0xcc; 0x150]).symbols(&table[..1]);
    assert_eq!(names(&one, TEXT + 0x14f), ["mark"]);
    assert_eq!(names(&one, TEXT + 0x150), [""; 0]);
}

/// A descriptor of a type, and its name behind it: flags, then the length as a varint or, before Go 1.17, as two bytes.
fn descriptor(kind: u8, tflag: u8, name_at: u32, name: &[u8]) -> Vec<u8> {
    let mut out = vec![0u8; 48];
    (out[20], out[21], out[22], out[23]) = (tflag, 8, 8, kind);
    out[40..44].copy_from_slice(&name_at.to_le_bytes());
    out.push(1);
    out.extend(name);
    out.resize(out.len() + 16, 0);
    out
}

#[test]
fn names_of_types() {
    let base = 0x80_0000u64;
    let read = |two_byte_lengths: bool, bytes: &[u8]| {
        let (types, etypes) = (LinkAddr(base), LinkAddr(base + 0x1000));
        let section = TypeSection { types, etypes, two_byte_lengths, map_strides: false };
        let mut data = vec![0u8; 8];
        data.extend(bytes);
        data.resize(0x1000, 0);
        TypeName::read(&image(&Elf::new().segment(base, "r", &data)), &section, LinkAddr(base + 8))
    };
    let name = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    let found = read(false, &descriptor(21, 0, 56, &name("map[string]*main.sess"))).unwrap();
    assert_eq!((found.name.as_str(), found.kind), ("map[string]*main.sess", TypeKind::Map));
    // Up to Go 1.25 the byte of the kind has flags; a `*` may be stored before the name.
    let starred = read(false, &descriptor(21 | 32, 2 | 4, 56, &name("*main.table"))).unwrap();
    assert_eq!((starred.name.as_str(), starred.kind), ("main.table", TypeKind::Map));
    let two = [&[0, 7], "map[a]b".as_bytes()].concat();
    assert_eq!(read(true, &descriptor(21, 0, 56, &two)).unwrap().name, "map[a]b");
    assert_eq!(read(true, &descriptor(21, 0, 56, &name("map[a]b"))).unwrap().name, "map[a]b");
    for wrong in [
        descriptor(21, 0, 56, &name("[]int")),
        descriptor(0, 4, 56, &name("main.T")),
        descriptor(21, 0, 0x2000, &name("map[a]b")),
        descriptor(21, 0, 56, &[7, b'm', b'a', b'p', b'[', 0x1b, b']', b'b']),
        descriptor(21, 0, 56, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
    ] {
        assert_eq!(read(false, &wrong), None);
    }
}

/// A type is spelled from its parts; one that leads back to itself, or is made of other parts than its name says, has no path.
#[test]
fn paths_of_types() {
    const BASE: u64 = 0x80_0000;
    let (types, etypes) = (LinkAddr(BASE), LinkAddr(BASE + 0x400));
    let section = TypeSection { types, etypes, two_byte_lengths: false, map_strides: false };
    // A pointer at 8, whose element is given; an int at 0x80; a string at 0xe0. Names behind all of them.
    let path = |name: &str, element: u64| {
        let text = |text: &str| [&[1, text.len() as u8], text.as_bytes()].concat();
        let mut data = vec![0u8; 0x400];
        let mut put = |at: usize, bytes: &[u8]| data[at..at + bytes.len()].copy_from_slice(bytes);
        for (at, kind, flags, names, name) in
            [(8, 22, 0, 0x200, name), (0x80, 2, 4, 0x300, "int"), (0xe0, 24, 4, 0x320, "string")]
        {
            put(at, &descriptor(kind, flags, names as u32, &[])[..48]);
            put(names, &text(name));
        }
        put(8 + 48, &element.to_le_bytes());
        TypeName::path(&image(&Elf::new().segment(BASE, "r", &data)), &section, LinkAddr(BASE + 8))
    };
    assert_eq!(path("*int", BASE + 0x80).as_deref(), Some("*int"));
    assert_eq!(path("*string", BASE + 0xe0).as_deref(), Some("*string"));
    assert_eq!(path("*string", BASE + 0x80), None);
    assert_eq!(path("*int", BASE + 8), None);
    assert_eq!(path("*int", 0), None);
    assert_eq!(path("*int", u64::MAX), None);
}

fn ask_everything(image: &Image) {
    if let Ok(info) = image.code_info() {
        let rows = info.rows_within(at(0), at(0x150));
        assert!(rows.iter().all(|r| r.start < r.end));
        let _ = (info.row_at(at(0x18)), info.function_at(at(0x18)), info.damaged());
        let _ = info.rows_of(&|_| true, 10);
    }
    let symbols = image.symbol_table();
    assert!(symbols.covering(image, at(0x18)).iter().all(|s| s.address <= at(0x18)));
}

#[test]
fn every_cut_of_the_debug_information_is_survived() {
    for cut in 0..3 {
        let whole = code_dwarf();
        for len in 0..whole[cut].1.len() {
            let mut elf = Elf::new().segment(TEXT, "rx", &[0xcc; 0x150]);
            for (i, (name, data)) in whole.iter().enumerate() {
                elf = elf.section(name, 0, if i == cut { &data[..len] } else { data });
            }
            ask_everything(&image(&elf));
        }
    }
}

proptest! {
    #[test]
    fn changed_bytes_are_survived(changes in prop::collection::vec((0usize..2000, any::<u8>()), 1..6)) {
        let mut file = with_lines().symbols(&[("main.f", TEXT, 0x40, 2)]).bytes();
        // Not the headers of the file: what they say is others' business.
        let body = 64 + 56..file.len();
        for (place, value) in changes {
            let place = body.start + place % body.len();
            file[place] = value;
        }
        if let Ok(image) = Image::parse(std::sync::Arc::new(file)) {
            ask_everything(&image);
        }
    }
}
