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

    pub(crate) fn section(mut self, name: &str, address: u64, data: &[u8]) -> Self {
        self.sections.push((name.into(), address, 1, 0, data.to_vec()));
        self
    }

    /// The same file with another's segments and sections behind its own.
    pub(crate) fn and(mut self, other: Elf) -> Self {
        self.segments.extend(other.segments);
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
        for (name, address, kind, flags, data) in &self.sections {
            headers.extend((names.len() as u32).to_le_bytes());
            headers.extend(kind.to_le_bytes());
            headers.extend(flags.to_le_bytes());
            headers.extend(address.to_le_bytes());
            headers.extend(((body_at + body.len()) as u64).to_le_bytes());
            headers.extend((data.len() as u64).to_le_bytes());
            headers.extend([0; 24]);
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

/// A Go program of two functions.
///
/// `main.f` (40 bytes from 0) has `main.g` inlined at 0x10..0x20, called from 0x0c; its frame is 24 bytes from 4 on.
/// `main.h` (0x10 bytes from 0x40) is a top frame.
pub(crate) struct Tiny {
    pub(crate) parent_pc: i32,
    pub(crate) version: &'static str,
    pub(crate) magic: u32,
    pub(crate) gofunc_at: usize,
}

impl Default for Tiny {
    fn default() -> Self {
        Tiny { parent_pc: 0x0c, version: "go1.27.3", magic: 0xffff_fff1, gofunc_at: 344 }
    }
}

impl Tiny {
    /// pclntab, and behind it the inline tree, whose address is also returned.
    fn tables(&self) -> (Vec<u8>, u64) {
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
        let f_record = 24u32;
        let h_record = f_record + 44 + 12 + 16;
        let mut functab = Vec::new();
        for word in [0, f_record, 0x40, h_record, 0x50, 0] {
            functab.extend(word.to_le_bytes());
        }
        let mut function =
            |entry: u32, name: u32, sp: u32, file: u32, line: u32, flags: u8, pcdata: &[u32], data: &[u32]| {
                for word in [entry, name, 0, 0, sp, file, line, pcdata.len() as u32, 0, 3] {
                    functab.extend(word.to_le_bytes());
                }
                functab.extend([0, flags, 0, data.len() as u8]);
                for word in pcdata.iter().chain(data) {
                    functab.extend(word.to_le_bytes());
                }
            };
        function(0, 0, sp, file, line, 0, &[0, 0, tree], &[u32::MAX, u32::MAX, u32::MAX, 0]);
        function(0x40, 14, h_sp, file, line, 1, &[], &[]);
        let mut out = self.magic.to_le_bytes().to_vec();
        out.extend([0, 0, 1, 8]);
        let parts: [&[u8]; 5] = [names, &units, files, &values, &functab];
        let mut offsets = Vec::new();
        let mut at = 0x48u64;
        for part in parts {
            offsets.push(at);
            at += (part.len() as u64).next_multiple_of(8);
        }
        for word in [2, 2, 0].iter().chain(&offsets) {
            out.extend(word.to_le_bytes());
        }
        for part in parts {
            out.extend(part);
            out.resize(out.len().next_multiple_of(8), 0);
        }
        let tree_address = RODATA + out.len() as u64;
        out.extend([0; 4]);
        out.extend(7i32.to_le_bytes());
        out.extend(self.parent_pc.to_le_bytes());
        out.extend(4i32.to_le_bytes());
        (out, tree_address)
    }

    pub(crate) fn elf(&self) -> Elf {
        let (tables, tree) = self.tables();
        let mut data = b"\xff Go buildinf:\x08\x02".to_vec();
        data.resize(32, 0);
        data.push(self.version.len() as u8);
        data.extend(self.version.bytes());
        data.push(0);
        data.resize(64, 0);
        let mut module = vec![0u8; 568];
        let mut word = |at: usize, value: u64| module[at..at + 8].copy_from_slice(&value.to_le_bytes());
        word(0, RODATA);
        word(8, RODATA + 0x48);
        word(176, TEXT);
        word(184, TEXT + 0x50);
        word(296, RODATA);
        word(self.gofunc_at, tree);
        data.extend(module);
        Elf::new().segment(TEXT, "rx", &[0xcc; 0x50]).segment(RODATA, "r", &tables).segment(DATA, "rw", &data)
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
