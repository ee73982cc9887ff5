//! Relocations of a position-independent file: those by where it is loaded (`R_X86_64_RELATIVE`, `R_AARCH64_RELATIVE`), and
//! those by a symbol that the file itself defines (`R_X86_64_64`, `R_X86_64_GLOB_DAT` and their likes).
//!
//! The words that the loader fills in need not stand in the file: the Go linker leaves zeros there and writes their values
//! into the relocations' addends (seen with Go 1.16 to 1.25 as PIE, whose pclntab and moduledata are full of such words). A plugin
//! refers to its types and variables by their symbols. In a process such a word may lead to another file's definition of the same
//! symbol; here it is the file's own.

use crate::elf::Segment;
use crate::{Machine, bytes};
use gopsy_mem::LinkAddr;
use object::elf;

/// Entries of the dynamic section (`elf.h`).
const DT_NULL: u64 = 0;
const DT_SYMTAB: u64 = 6;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
/// Size of an `Elf64_Rela`.
const RELA: u64 = 24;
/// Size of an `Elf64_Sym`.
const SYMBOL: u64 = 24;
/// Words that a dynamic section has at most; real ones have some 30.
const MAX_DYNAMIC: u64 = 1024;

/// The keys and values of the dynamic section, which stands there in the file and has so many bytes; each of so many.
pub(crate) fn dynamic_entries(
    file: &[u8],
    dynamic: Option<(u64, u64)>,
    word: usize,
) -> impl Iterator<Item = (u64, u64)> {
    let section = dynamic.and_then(|(at, size)| bytes::slice(file, at, size.min(MAX_DYNAMIC.saturating_mul(16))));
    let entries = section.unwrap_or_default().chunks_exact(word.saturating_mul(2).max(1));
    let entry = move |entry| Some((bytes::word(entry, 0, word)?, bytes::word(entry, u64::try_from(word).ok()?, word)?));
    entries.map_while(entry).take_while(|(key, _)| *key != DT_NULL)
}

/// What the loader fills in, from the addend and the symbol; none where another file or the machine says so.
fn filled_in(machine: Machine, kind: u32, addend: u64, symbol: impl FnOnce() -> Option<u64>) -> Option<u64> {
    use elf::{R_AARCH64_ABS64, R_AARCH64_GLOB_DAT, R_AARCH64_RELATIVE};
    use elf::{R_X86_64_64, R_X86_64_GLOB_DAT, R_X86_64_RELATIVE};
    let is = |kinds: &[elf::RelocationType]| kinds.iter().any(|one| one.0 == kind);
    match machine {
        Machine::X86_64 if is(&[R_X86_64_RELATIVE]) => Some(addend),
        Machine::Aarch64 if is(&[R_AARCH64_RELATIVE]) => Some(addend),
        Machine::X86_64 if is(&[R_X86_64_GLOB_DAT]) => symbol(),
        Machine::X86_64 if is(&[R_X86_64_64]) => Some(symbol()?.wrapping_add(addend)),
        Machine::Aarch64 if is(&[R_AARCH64_ABS64, R_AARCH64_GLOB_DAT]) => Some(symbol()?.wrapping_add(addend)),
        _ => None,
    }
}

/// What the file holds at an address, up to so many bytes.
fn held<'a>(file: &'a [u8], segments: &[Segment], at: LinkAddr, len: u64) -> Option<&'a [u8]> {
    let segment = segments.iter().find(|s| at.offset_from(s.address).is_some_and(|o| o < s.file_size))?;
    let within = at.offset_from(segment.address)?;
    let room = segment.file_size.saturating_sub(within).min(len);
    bytes::slice(file, segment.file_offset.checked_add(within)?, room)
}

/// Where a symbol of the table stands, if the file defines it and it moves with the file.
fn defined(symbols: &[u8], index: u64) -> Option<u64> {
    let symbol = bytes::slice(symbols, index.checked_mul(SYMBOL)?, SYMBOL)?;
    let kind = symbol.get(4)? & 0xf;
    let section = bytes::u16(symbol, 6)?;
    let stands = section != elf::SHN_UNDEF.0 && section != elf::SHN_ABS.0;
    let is_address = kind != elf::STT_TLS.0 && kind != elf::STT_GNU_IFUNC.0;
    (stands && is_address).then(|| bytes::u64(symbol, 8)).flatten()
}

/// The words that the loader fills in, by address.
#[derive(Debug, Default)]
pub(crate) struct Relocations {
    /// Where, and what (as stated, before loading), sorted by where.
    words: Vec<(LinkAddr, u64)>,
}

impl Relocations {
    /// Reads those that the dynamic section names. Damaged ones are left out: what they would have filled in is then read
    /// as it stands in the file, and no table that is read so passes its checks.
    pub(crate) fn read(file: &[u8], machine: Machine, segments: &[Segment], dynamic: Option<(u64, u64)>) -> Self {
        Relocations::table(file, machine, segments, dynamic).unwrap_or_default()
    }

    fn table(file: &[u8], machine: Machine, segments: &[Segment], dynamic: Option<(u64, u64)>) -> Option<Self> {
        let of =
            |wanted| dynamic_entries(file, dynamic, 8).filter(move |(key, _)| *key == wanted).last().map(|(_, v)| v);
        let (table, len) = of(DT_RELA).map(LinkAddr).zip(of(DT_RELASZ))?;
        let data = held(file, segments, table, len)?;
        let symbols =
            of(DT_SYMTAB).and_then(|table| held(file, segments, LinkAddr(table), u64::MAX)).unwrap_or_default();
        let mut words = Vec::new();
        for entry in data.chunks_exact(usize::try_from(RELA).ok()?) {
            // `r_info` is one word: the kind is its lower half, the symbol its upper.
            let (Some(at), Some(kind), Some(symbol), Some(addend)) =
                (bytes::u64(entry, 0), bytes::u32(entry, 8), bytes::u32(entry, 12), bytes::u64(entry, 16))
            else {
                continue;
            };
            let word = filled_in(machine, kind, addend, || defined(symbols, symbol.into()));
            words.extend(word.map(|word| (LinkAddr(at), word)));
        }
        words.sort_unstable();
        Some(Relocations { words })
    }

    /// Those that reach into the `len` bytes at that address.
    pub(crate) fn within(&self, at: LinkAddr, len: u64) -> &[(LinkAddr, u64)] {
        let (first, end) = (LinkAddr(at.0.saturating_sub(7)), LinkAddr(at.0.saturating_add(len)));
        let from = self.words.partition_point(|(a, _)| *a < first);
        let to = self.words.partition_point(|(a, _)| *a < end);
        self.words.get(from..to).unwrap_or(&[])
    }

    /// Writes them into bytes that were read at that address.
    pub(crate) fn apply(&self, at: LinkAddr, buf: &mut [u8]) {
        let len = u64::try_from(buf.len()).unwrap_or(u64::MAX);
        for (place, value) in self.within(at, len) {
            for (i, byte) in (0u64..).zip(value.to_le_bytes()) {
                let target = place.0.checked_add(i).and_then(|p| p.checked_sub(at.0));
                if let Some(slot) = target.and_then(|t| buf.get_mut(usize::try_from(t).ok()?)) {
                    *slot = byte;
                }
            }
        }
    }

    /// Where a word with that value is filled in, in the order of addresses. Linear in their number.
    pub(crate) fn places_of(&self, value: u64) -> impl Iterator<Item = LinkAddr> + '_ {
        self.words.iter().filter(move |(_, v)| *v == value).map(|(at, _)| *at)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
mod tests {
    use crate::testkit::Elf;
    use crate::{Image, Stated};
    use gopsy_mem::LinkAddr;
    use std::sync::Arc;

    /// Words that lead to a symbol have it only where the file defines it.
    #[test]
    fn words_by_a_symbol() {
        const WORDS: u64 = 0x60_0000;
        // st_info, st_shndx, st_value: none, an object, one of another file, a thread's variable, a function chosen when it is loaded, a
        // number.
        let symbols: [(u8, u16, u64); 6] =
            [(0, 0, 0), (1, 3, 0x40_1000), (1, 0, 0), (6, 3, 0x10), (10, 3, 0x40_1080), (1, 0xfff1, 0x77)];
        let table: Vec<u8> = symbols
            .iter()
            .flat_map(|(info, section, value)| {
                [&[0, 0, 0, 0, *info, 0][..], &section.to_le_bytes(), &value.to_le_bytes(), &8u64.to_le_bytes()]
                    .concat()
            })
            .collect();
        // Kind, symbol, addend.
        let relocations: [(u64, u64, u64); 9] = [
            (8, 0, 0x40_2000),
            (1, 1, 0x10),
            (6, 1, 0x10),
            (1, 2, 0x10),
            (1, 3, 0),
            (6, 4, 0),
            (1, 99, 0),
            (257, 1, 0),
            (1, 5, 0),
        ];
        let entries: Vec<u8> = (0u64..)
            .zip(relocations)
            .flat_map(|(i, (kind, symbol, addend))| [WORDS + 8 * i, symbol << 32 | kind, addend])
            .flat_map(u64::to_le_bytes)
            .collect();
        let (at, named) = (0x70_0000u64, 0x71_0000u64);
        let dynamic: Vec<u8> =
            [7, at, 8, entries.len() as u64, 6, named, 0, 0].iter().flat_map(|w: &u64| w.to_le_bytes()).collect();
        let file = Elf::new()
            .segment(WORDS, "rw", &[0xee; 72])
            .segment(at, "r", &entries)
            .segment(named, "r", &table)
            .dynamic(0x72_0000, &dynamic)
            .bytes();
        let image = Image::parse(Arc::new(file)).unwrap();
        let words: Vec<u64> = (0..9).map(|i| image.word(LinkAddr(WORDS + 8 * i)).unwrap()).collect();
        let as_it_stands = 0xeeee_eeee_eeee_eeee;
        assert_eq!(words[..3], [0x40_2000, 0x40_1010, 0x40_1000]);
        assert!(words[3..].iter().all(|word| *word == as_it_stands), "{words:x?}");
    }
}
