//! Which function of a symbol table holds an address: names of code that is in no pclntab.

use crate::Image;
use crate::elf::parse_header;
use gopsy_mem::LinkAddr;
use object::LittleEndian as LE;
use object::elf;
use object::read::elf::{FileHeader, Sym};

/// So many symbols that begin before an address are looked at: functions nest in others' aliases, but not deeply.
const MAX_NESTED: usize = 16;

/// A function of a symbol table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Its name, as bytes of the file. Versions (`@GLIBC_2.2.5`) are not part of it.
    pub name: &'a [u8],
    /// Where it begins.
    pub address: LinkAddr,
}

/// What is kept of a symbol: enough to find it again.
#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u64,
    /// The first address behind it.
    end: u64,
    /// Where its name stands in the file.
    name: usize,
    name_len: usize,
    /// It says that it is a function. Assembly often leaves that out.
    function: bool,
    /// Of several that begin at the same place the highest is shown.
    rank: u8,
}

/// The functions of a file by address.
#[derive(Debug, Default)]
pub(crate) struct SymbolIndex {
    entries: Vec<Entry>,
}

impl SymbolIndex {
    /// Reads `.symtab`, or `.dynsym` where there is no other.
    pub(crate) fn read(image: &Image) -> SymbolIndex {
        let full = entries(image, elf::SHT_SYMTAB).unwrap_or_default();
        let entries = if full.is_empty() { entries(image, elf::SHT_DYNSYM).unwrap_or_default() } else { full };
        SymbolIndex { entries }
    }

    fn find(&self, address: u64) -> Option<Entry> {
        let behind = self.entries.partition_point(|e| e.start <= address);
        let before = self.entries.get(..behind)?.iter().rev().take(MAX_NESTED);
        // A function rather than a label within it; the innermost; of those that begin together the highest in rank.
        before.filter(|e| address < e.end).max_by_key(|e| (e.function, e.start, e.rank)).copied()
    }
}

impl Image {
    /// The function of the symbol table that holds that address: of `.symtab`, in a stripped file of `.dynsym`. A symbol
    /// that states no size (assembly) reaches to the next one, in `.symtab` only: other tables do not name every function.
    #[must_use]
    pub fn symbol_at(&self, address: LinkAddr) -> Option<Symbol<'_>> {
        let entry = self.symbol_index().find(address.0)?;
        let name = self.file().get(entry.name..)?.get(..entry.name_len)?;
        Some(Symbol { name, address: LinkAddr(entry.start) })
    }
}

fn entries(image: &Image, kind: elf::SectionType) -> Option<Vec<Entry>> {
    let file = image.file();
    let table = parse_header(file).ok()?.sections(LE, file).ok()?.symbols(LE, file, kind).ok()?;
    let mut entries = Vec::new();
    for symbol in table.iter() {
        let (start, size, kind) = (symbol.st_value(LE), symbol.st_size(LE), symbol.st_type());
        let function = kind == elf::STT_FUNC || kind == elf::STT_GNU_IFUNC;
        let label = kind == elf::STT_NOTYPE;
        if symbol.is_undefined(LE) || !(function || label) || !image.is_executable(LinkAddr(start)) {
            continue;
        }
        let Some(name) = table.symbol_name(LE, symbol).ok().filter(|n| !n.is_empty()) else { continue };
        // The name is a part of the file: only where is kept.
        let Some(at) = name.as_ptr().addr().checked_sub(file.as_ptr().addr()) else { continue };
        let rank = match symbol.st_bind() {
            elf::STB_GLOBAL => 2,
            elf::STB_WEAK => 1,
            _ => 0,
        };
        // `.symtab` has versions in its names.
        let name_len = memchr::memchr(b'@', name).filter(|len| *len > 0).unwrap_or(name.len());
        entries.push(Entry { start, end: start.saturating_add(size), name: at, name_len, function, rank });
    }
    entries.sort_by_key(|e| (e.start, e.end));
    close(image, &mut entries, kind == elf::SHT_SYMTAB);
    Some(entries)
}

/// Gives those without a size an end: the next symbol, or the end of their segment.
fn close(image: &Image, entries: &mut [Entry], complete: bool) {
    let mut next: Option<u64> = None;
    let mut last_start = None;
    for entry in entries.iter_mut().rev() {
        if last_start.is_some_and(|s| s > entry.start) {
            next = last_start;
        }
        last_start = Some(entry.start);
        if entry.end == entry.start && complete {
            let segment = image.segments().iter().find(|s| {
                s.executable && LinkAddr(entry.start).offset_from(s.address).is_some_and(|o| o < s.memory_size)
            });
            let limit = segment.map_or(entry.start, |s| s.address.0.saturating_add(s.memory_size));
            entry.end = next.map_or(limit, |n| n.min(limit));
        }
    }
}
