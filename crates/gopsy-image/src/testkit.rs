//! Builders of ELF files and of a tiny pclntab for tests. They share no code with the readers: offsets are written out
//! from the formats' own descriptions, so that a wrong offset in a reader does not agree with itself.

use crate::Image;
use std::sync::Arc;

/// Parses a built file.
pub(crate) fn image(elf: &Elf) -> Image {
    Image::parse(Arc::new(elf.bytes())).unwrap()
}

#[derive(Default, Clone)]
pub(crate) struct Elf {
    segments: Vec<(u32, u64, u32, Vec<u8>)>,
    sections: Vec<(String, u64, u32, u64, Vec<u8>)>,
    /// Symbol tables: which section, and the section of their names.
    tables: Vec<(usize, u32)>,
}

impl Elf {
    pub(crate) fn new() -> Self {
        Elf::default()
    }

    pub(crate) fn segment(mut self, address: u64, mode: &str, data: &[u8]) -> Self {
        let flags = mode.bytes().map(|c| match c {
            b'r' => 4,
            b'w' => 2,
            _ => 1,
        });
        self.segments.push((1, address, flags.sum(), data.to_vec()));
        self
    }

    pub(crate) fn notes(mut self, address: u64, data: &[u8]) -> Self {
        self.segments.push((4, address, 4, data.to_vec()));
        self
    }

    pub(crate) fn dynamic(mut self, address: u64, data: &[u8]) -> Self {
        self.segments.push((2, address, 6, data.to_vec()));
        self
    }

    pub(crate) fn section(mut self, name: &str, address: u64, data: &[u8]) -> Self {
        self.sections.push((name.into(), address, 1, 0, data.to_vec()));
        self
    }

    /// The same file with another's segments and sections behind its own.
    pub(crate) fn and(mut self, other: Elf) -> Self {
        self.segments.extend(other.segments);
        assert!(other.tables.is_empty(), "their links would have to move");
        self.sections.extend(other.sections);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let body_at = 64 + 56 * self.segments.len();
        let mut programs = Vec::new();
        for (kind, address, flags, data) in &self.segments {
            programs.extend(kind.to_le_bytes());
            programs.extend(flags.to_le_bytes());
            programs.extend(((body_at + body.len()) as u64).to_le_bytes());
            programs.extend(address.to_le_bytes());
            programs.extend(address.to_le_bytes());
            programs.extend((data.len() as u64).to_le_bytes());
            programs.extend((data.len() as u64).to_le_bytes());
            programs.extend(4u64.to_le_bytes());
            body.extend(data);
        }
        let mut headers = vec![0u8; 64];
        let mut names = vec![0u8];
        for (index, (name, address, kind, flags, data)) in self.sections.iter().enumerate() {
            headers.extend((names.len() as u32).to_le_bytes());
            headers.extend(kind.to_le_bytes());
            headers.extend(flags.to_le_bytes());
            headers.extend(address.to_le_bytes());
            headers.extend(((body_at + body.len()) as u64).to_le_bytes());
            headers.extend((data.len() as u64).to_le_bytes());
            // sh_link, sh_info, alignment, entry size.
            let link = self.tables.iter().find(|(table, _)| *table == index).map_or(0, |(_, link)| *link);
            headers.extend(link.to_le_bytes());
            headers.extend([0; 12]);
            headers.extend(if link == 0 { 0 } else { 24u64 }.to_le_bytes());
            names.extend(name.bytes());
            names.push(0);
            body.extend(data);
        }
        // The section of the names themselves; its own name is empty.
        headers.extend(0u32.to_le_bytes());
        headers.extend(3u32.to_le_bytes());
        headers.extend([0; 16]);
        headers.extend(((body_at + body.len()) as u64).to_le_bytes());
        headers.extend((names.len() as u64).to_le_bytes());
        headers.extend([0; 24]);
        body.extend(names);
        let mut out = b"\x7fELF\x02\x01\x01".to_vec();
        out.resize(16, 0);
        out.extend(2u16.to_le_bytes());
        out.extend(62u16.to_le_bytes());
        out.extend(1u32.to_le_bytes());
        out.extend(0x40_1000u64.to_le_bytes());
        out.extend(64u64.to_le_bytes());
        out.extend(((body_at + body.len()) as u64).to_le_bytes());
        out.extend(0u32.to_le_bytes());
        for half in
            [64, 56, self.segments.len() as u16, 64, self.sections.len() as u16 + 2, self.sections.len() as u16 + 1]
        {
            out.extend(half.to_le_bytes());
        }
        out.extend(programs);
        out.extend(body);
        out.extend(headers);
        out
    }
}

impl Elf {
    /// A section with `SHF_COMPRESSED`.
    pub(crate) fn compressed_section(mut self, name: &str, data: &[u8]) -> Self {
        let mut body = 1u32.to_le_bytes().to_vec();
        body.extend([0; 4]);
        body.extend((data.len() as u64).to_le_bytes());
        body.extend(1u64.to_le_bytes());
        let mut encoder = flate2::write::ZlibEncoder::new(body, flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, data).unwrap();
        self.sections.push((name.into(), 0, 1, 0x800, encoder.finish().unwrap()));
        self
    }
}

/// Addresses of the tiny Go program.
pub(crate) const TEXT: u64 = 0x40_1000;
pub(crate) const RODATA: u64 = 0x50_0000;
pub(crate) const DATA: u64 = 0x60_0000;

/// What differs between releases, written down from the releases' own sources.
#[derive(Clone, Copy)]
pub(crate) struct Era {
    pub(crate) version: &'static str,
    pub(crate) magic: u32,
    /// Offsets in moduledata: etypes, gofunc (0: none), textsectmap, hasmain, next; and its size.
    pub(crate) moduledata: [usize; 6],
}

/// One era for each layout of moduledata.
pub(crate) const ERAS: [Era; 7] = [
    Era { version: "go1.16.15", magic: 0xffff_fffa, moduledata: [288, 0, 296, 472, 528, 536] },
    Era { version: "go1.19.8", magic: 0xffff_fff0, moduledata: [288, 304, 312, 488, 544, 552] },
    Era { version: "go1.20.6", magic: 0xffff_fff1, moduledata: [304, 320, 328, 504, 560, 568] },
    Era { version: "go1.22.12", magic: 0xffff_fff1, moduledata: [304, 320, 328, 528, 584, 592] },
    Era { version: "go1.25.5", magic: 0xffff_fff1, moduledata: [304, 320, 328, 528, 576, 584] },
    Era { version: "go1.26.6", magic: 0xffff_fff1, moduledata: [304, 320, 336, 536, 584, 592] },
    Era { version: "go1.27.3", magic: 0xffff_fff1, moduledata: [312, 344, 360, 512, 560, 568] },
];

/// A Go program of two functions.
///
/// `main.f` (40 bytes from 0) has `main.g` inlined at 0x10..0x20, called from 0x0c; its frame is 24 bytes from 4 on.
/// `main.h` (0x10 bytes from 0x40) is a top frame.
#[derive(Clone, Copy)]
pub(crate) struct Tiny {
    pub(crate) parent_pc: i32,
    pub(crate) era: Era,
    /// The text has two sections: `main.h` stands 0x100 bytes further on than its offset says.
    pub(crate) two_texts: bool,
    /// How far a text section ends behind its last function since Go 1.21: the machine's shortest instruction.
    pub(crate) behind: u64,
}

impl Default for Tiny {
    fn default() -> Self {
        Tiny { parent_pc: 0x0c, era: ERAS[6], two_texts: false, behind: 1 }
    }
}

impl Tiny {
    fn old(&self) -> bool {
        self.era.magic == 0xffff_fffa
    }

    /// pclntab with the inline tree and the map of text sections behind it; where its parts begin and how long they are,
    /// the tree, the map.
    fn tables(&self) -> (Vec<u8>, [(u64, u64); 5], u64, u64) {
        let names = b"main.f\0main.g\0main.h\0";
        let units = [0u32, 8].map(u32::to_le_bytes).concat();
        let files = b"/s/a.go\0/s/b.go\0";
        let mut values = vec![0u8];
        let mut table = |pairs: &[u8]| {
            let at = values.len() as u32;
            values.extend(pairs);
            values.push(0);
            at
        };
        // zig-zag: 0, −1, 1, −2, 2 … are 0, 1, 2, 3, 4 …; the value before the first step is −1.
        let sp = table(&[2, 4, 48, 0x3c]);
        let file = table(&[2, 0x10, 2, 0x10, 1, 0x20]);
        let line = table(&[22, 0x10, 9, 0x10, 14, 0x20]);
        let tree = table(&[0, 0x10, 2, 0x10, 1, 0x20]);
        let h_sp = table(&[2, 0x10]);
        let (old, middle) = (self.old(), self.era.magic == 0xffff_fff0);
        let header_size = if old { 0x40u64 } else { 0x48 };
        let record_size = if middle { 40u32 } else { 44 };
        let f_record = if old { 48u32 } else { 24 };
        // Before Go 1.18: three pcdata, padding to 8, four addresses. Since: three pcdata and four offsets.
        let f_size = if old { (44u32 + 12).next_multiple_of(8) + 32 } else { record_size + 12 + 16 };
        let h_record = f_record + f_size;
        let functions_at = {
            let before: [&[u8]; 4] = [names, &units, files, &values];
            before.iter().fold(header_size, |at, part| at + (part.len() as u64).next_multiple_of(8))
        };
        let functions_len = h_record + record_size;
        let tree_address = RODATA + functions_at + u64::from(functions_len).next_multiple_of(8);
        let mut functab = Vec::new();
        for (entry, record) in [(0u32, f_record), (0x40, h_record), (0x50, 0)] {
            if old {
                functab.extend((TEXT + u64::from(entry)).to_le_bytes());
                functab.extend(u64::from(record).to_le_bytes());
            } else {
                functab.extend(entry.to_le_bytes());
                functab.extend(record.to_le_bytes());
            }
        }
        let mut function =
            |entry: u32, name: u32, sp: u32, file: u32, line: u32, flags: u8, pcdata: &[u32], data: &[u32]| {
                match old {
                    true => functab.extend((TEXT + u64::from(entry)).to_le_bytes()),
                    false => functab.extend(entry.to_le_bytes()),
                }
                for word in [name, 0, 0, sp, file, line, pcdata.len() as u32, 0] {
                    functab.extend(word.to_le_bytes());
                }
                if !old && !middle {
                    functab.extend(3u32.to_le_bytes());
                }
                functab.extend([0, flags, 0, data.len() as u8]);
                pcdata.iter().for_each(|word| functab.extend(word.to_le_bytes()));
                if old && !data.is_empty() {
                    functab.resize(functab.len().next_multiple_of(8), 0);
                }
                for word in data {
                    match (old, *word) {
                        (true, u32::MAX) => functab.extend([0; 8]),
                        (true, offset) => functab.extend((tree_address + u64::from(offset)).to_le_bytes()),
                        (false, _) => functab.extend(word.to_le_bytes()),
                    }
                }
            };
        function(0, 0, sp, file, line, 0, &[0, 0, tree], &[u32::MAX, u32::MAX, u32::MAX, 0]);
        function(0x40, 14, h_sp, file, line, 1, &[], &[]);
        assert_eq!(functab.len(), functions_len as usize);
        let mut out = self.era.magic.to_le_bytes().to_vec();
        out.extend([0, 0, 1, 8]);
        let parts: [&[u8]; 5] = [names, &units, files, &values, &functab];
        let mut places = [(0, 0); 5];
        let mut at = header_size;
        for (place, part) in places.iter_mut().zip(parts) {
            *place = (at, part.len() as u64);
            at += (part.len() as u64).next_multiple_of(8);
        }
        out.extend([2u64, 2].iter().flat_map(|w| w.to_le_bytes()));
        if !old {
            out.extend([0; 8]);
        }
        for (offset, _) in places {
            out.extend(offset.to_le_bytes());
        }
        for part in parts {
            out.extend(part);
            out.resize(out.len().next_multiple_of(8), 0);
        }
        assert_eq!(RODATA + out.len() as u64, tree_address);
        if old || middle {
            // parent, funcID, padding, file, line, name, parentPc.
            out.extend([0; 12]);
            out.extend(7i32.to_le_bytes());
            out.extend(self.parent_pc.to_le_bytes());
        } else {
            // funcID, padding, name, parentPc, startLine.
            out.extend([0; 4]);
            out.extend(7i32.to_le_bytes());
            out.extend(self.parent_pc.to_le_bytes());
            out.extend(4i32.to_le_bytes());
        }
        out.resize(out.len().next_multiple_of(8), 0);
        let map_address = RODATA + out.len() as u64;
        let more = if self.era.moduledata[3] > 504 { self.behind } else { 0 };
        let map: &[[u64; 3]] = if self.two_texts {
            &[[0, 0x40 + more, TEXT], [0x40, 0x50 + more, TEXT + 0x140]]
        } else {
            &[[0, 0x50 + more, TEXT]]
        };
        out.extend(map.iter().flatten().flat_map(|w| w.to_le_bytes()));
        (out, places, tree_address, map_address)
    }

    /// Moduledata, and where in it the words stand that a loader would have to fill in.
    fn moduledata(&self) -> (Vec<u8>, Vec<usize>) {
        let (_, parts, tree, map) = self.tables();
        let [etypes, gofunc, text_sections, has_main, next, size] = self.era.moduledata;
        let mut module = vec![0u8; size];
        let mut pointers = Vec::new();
        let mut pointer = |at: usize, value: u64| {
            module[at..at + 8].copy_from_slice(&value.to_le_bytes());
            pointers.push(at);
        };
        pointer(0, RODATA);
        for (index, (offset, _)) in parts.iter().enumerate() {
            pointer(8 + 24 * index, RODATA + offset);
        }
        pointer(128, RODATA + parts[4].0);
        let end = if self.two_texts { 0x150 } else { 0x50 };
        for (at, value) in [(160, TEXT), (168, TEXT + end), (176, TEXT), (184, TEXT + end)] {
            pointer(at, value);
        }
        pointer(296 - if self.era.magic == 0xffff_fff1 { 0 } else { 16 }, RODATA);
        pointer(etypes, RODATA + 0x100);
        if gofunc != 0 {
            pointer(gofunc, tree);
        }
        pointer(text_sections, map);
        let mut word = |at: usize, value: u64| module[at..at + 8].copy_from_slice(&value.to_le_bytes());
        let mut slice = |at: usize, len: u64| {
            word(at + 8, len);
            word(at + 16, len);
        };
        for (index, (_, len)) in parts.iter().enumerate() {
            // The second counts words since Go 1.26, bytes before.
            let words = index == 1 && matches!(self.era.version, "go1.26.6" | "go1.27.3");
            slice(8 + 24 * index, if words { len / 4 } else { *len });
        }
        slice(128, 3);
        slice(text_sections, if self.two_texts { 2 } else { 1 });
        module[has_main] = 1;
        module[next..next + 8].fill(0);
        (module, pointers)
    }

    fn start_of_data(&self) -> Vec<u8> {
        let mut data = b"\xff Go buildinf:\x08\x02".to_vec();
        data.resize(32, 0);
        data.push(self.era.version.len() as u8);
        data.extend(self.era.version.bytes());
        data.push(0);
        data.resize(64, 0);
        data
    }

    pub(crate) fn elf(&self) -> Elf {
        let (tables, ..) = self.tables();
        let mut data = self.start_of_data();
        data.extend(self.moduledata().0);
        Elf::new().segment(TEXT, "rx", &[0xcc; 0x150]).segment(RODATA, "r", &tables).segment(DATA, "rw", &data)
    }

    /// The same as a position-independent file whose pointers in moduledata stand only in the relocations.
    pub(crate) fn pie(&self) -> Elf {
        let (tables, ..) = self.tables();
        let (mut module, pointers) = self.moduledata();
        let mut relocations = Vec::new();
        for at in pointers {
            let value = module[at..at + 8].to_vec();
            module[at..at + 8].fill(0);
            relocations.extend((DATA + 64 + at as u64).to_le_bytes());
            relocations.extend(8u64.to_le_bytes());
            relocations.extend(value);
        }
        let mut data = self.start_of_data();
        data.extend(module);
        let table = 0x70_0000u64;
        let dynamic: Vec<u8> =
            [7, table, 8, relocations.len() as u64, 0, 0].iter().flat_map(|w: &u64| w.to_le_bytes()).collect();
        Elf::new()
            .segment(TEXT, "rx", &[0xcc; 0x150])
            .segment(RODATA, "r", &tables)
            .segment(DATA, "rw", &data)
            .segment(table, "r", &relocations)
            .dynamic(0x70_8000, &dynamic)
    }
}

/// DWARF 4 of a unit called `runtime`: `runtime.g` { goid @16: u64; m @24: pointer; flag @32: typedef of u8 } and the
/// variable `runtime.allgs` at 0x601000, of type runtime.g.
pub(crate) fn dwarf() -> (Vec<u8>, Vec<u8>) {
    let mut abbrev = Vec::new();
    let mut declare = |code: u8, tag: u8, children: u8, attributes: &[(u8, u8)]| {
        abbrev.extend([code, tag, children]);
        for (name, form) in attributes {
            abbrev.extend([*name, *form]);
        }
        abbrev.extend([0, 0]);
    };
    declare(1, 0x11, 1, &[(0x03, 0x08)]);
    declare(2, 0x24, 0, &[(0x03, 0x08), (0x0b, 0x0b)]);
    declare(3, 0x13, 1, &[(0x03, 0x08), (0x0b, 0x0f)]);
    declare(4, 0x0d, 0, &[(0x03, 0x08), (0x38, 0x0f), (0x49, 0x13)]);
    declare(5, 0x34, 0, &[(0x03, 0x08), (0x02, 0x18), (0x49, 0x13)]);
    declare(6, 0x0f, 0, &[(0x03, 0x08)]);
    declare(7, 0x16, 0, &[(0x03, 0x08), (0x49, 0x13)]);
    abbrev.push(0);
    let mut info = vec![0u8; 4];
    info.extend([4, 0, 0, 0, 0, 0, 8]);
    info.extend(b"\x01runtime\0");
    let u64_type = info.len() as u32;
    info.extend(b"\x02uint64\0\x08");
    let u8_type = info.len() as u32;
    info.extend(b"\x02uint8\0\x01");
    let pointer = info.len() as u32;
    info.extend(b"\x06*m\0");
    let named = info.len() as u32;
    info.extend(b"\x07flag\0");
    info.extend(u8_type.to_le_bytes());
    let g_type = info.len() as u32;
    info.extend(b"\x03runtime.g\0\x28");
    for (name, offset, kind) in [("goid", 16, u64_type), ("m", 24, pointer), ("flag", 32, named)] {
        info.push(4);
        info.extend(name.bytes());
        info.extend([0, offset]);
        info.extend(kind.to_le_bytes());
    }
    info.push(0);
    info.extend(b"\x05runtime.allgs\0\x09\x03");
    info.extend(0x60_1000u64.to_le_bytes());
    info.extend(g_type.to_le_bytes());
    info.push(0);
    let len = info.len() as u32 - 4;
    info[..4].copy_from_slice(&len.to_le_bytes());
    (abbrev, info)
}

/// DWARF 4 of a unit with the code of [`Tiny`]: `main.f` with `main.g` inlined at 0x10..0x20 by a call in line 10 of
/// /s/a.go, and its line table: 10 of /s/a.go from 0, 5 of b.go (in directory /s) from 0x10, no line from 0x20, then
/// 12 of /s/a.go from 0x28 to 0x40, no statement. `.debug_abbrev`, `.debug_info`, `.debug_line`.
pub(crate) fn code_dwarf() -> [(&'static str, Vec<u8>); 3] {
    let mut abbrev = Vec::new();
    let mut declare = |code: u8, tag: u8, children: u8, attributes: &[(u8, u8)]| {
        abbrev.extend([code, tag, children]);
        attributes.iter().for_each(|(name, form)| abbrev.extend([*name, *form]));
        abbrev.extend([0, 0]);
    };
    // Name, low_pc, high_pc, stmt_list; name and bounds; name and DW_INL_inlined; origin, bounds, call_file, call_line.
    declare(1, 0x11, 1, &[(0x03, 0x08), (0x11, 0x01), (0x12, 0x07), (0x10, 0x17)]);
    declare(2, 0x2e, 1, &[(0x03, 0x08), (0x11, 0x01), (0x12, 0x07)]);
    declare(3, 0x2e, 0, &[(0x03, 0x08), (0x20, 0x0b)]);
    declare(4, 0x1d, 0, &[(0x31, 0x13), (0x11, 0x01), (0x12, 0x07), (0x58, 0x0b), (0x59, 0x0b)]);
    abbrev.push(0);
    let mut info = vec![0u8; 4];
    info.extend([4, 0, 0, 0, 0, 0, 8]);
    let bounds = |info: &mut Vec<u8>, from: u64, len: u64| {
        info.extend((TEXT + from).to_le_bytes());
        info.extend(len.to_le_bytes());
    };
    info.extend(b"\x01main\0");
    bounds(&mut info, 0, 0x50);
    info.extend([0; 4]);
    let g = info.len() as u32;
    info.extend(b"\x03main.g\0\x01");
    info.extend(b"\x02main.f\0");
    bounds(&mut info, 0, 0x40);
    info.push(4);
    info.extend(g.to_le_bytes());
    bounds(&mut info, 0x10, 0x10);
    info.extend([1, 10, 0, 0]);
    let len = info.len() as u32 - 4;
    info[..4].copy_from_slice(&len.to_le_bytes());

    // minimum_instruction_length, maximum_operations, default_is_stmt, line_base, line_range, opcode_base, lengths.
    let mut header = vec![1, 1, 1, 0xff, 4, 10, 0, 1, 1, 1, 1, 0, 0, 0, 1];
    header.extend(b"/s\0\0/s/a.go\0\0\0\0b.go\0\x01\0\0\0");
    let mut program = vec![0, 9, 2];
    program.extend(TEXT.to_le_bytes());
    // advance_line, copy; advance_pc, set_file; negate_stmt; end_sequence.
    program
        .extend([3, 9, 1, 2, 0x10, 4, 2, 3, 0x7b, 1, 2, 0x10, 3, 0x7b, 1, 2, 8, 4, 1, 3, 12, 6, 1, 2, 0x18, 0, 1, 1]);
    let mut line = vec![0u8; 4];
    line.extend([4, 0]);
    line.extend((header.len() as u32).to_le_bytes());
    line.extend(header);
    line.extend(program);
    let len = line.len() as u32 - 4;
    line[..4].copy_from_slice(&len.to_le_bytes());
    [(".debug_abbrev", abbrev), (".debug_info", info), (".debug_line", line)]
}

impl Elf {
    /// A symbol table of these: name, address, size, type (2 is a function, 1 an object).
    pub(crate) fn symbols(mut self, symbols: &[(&str, u64, u64, u8)]) -> Self {
        let (mut table, mut names) = (vec![0u8; 24], vec![0u8]);
        for (name, address, size, kind) in symbols {
            table.extend((names.len() as u32).to_le_bytes());
            table.extend([*kind, 0, 1, 0]);
            table.extend(address.to_le_bytes());
            table.extend(size.to_le_bytes());
            names.extend(name.bytes());
            names.push(0);
        }
        // Behind the null section; the table links to the section behind it.
        let link = self.sections.len() as u32 + 2;
        self.tables.push((self.sections.len(), link));
        self.sections.push((".symtab".into(), 0, 2, 0, table));
        self.sections.push((".strtab".into(), 0, 3, 0, names));
        self
    }
}
