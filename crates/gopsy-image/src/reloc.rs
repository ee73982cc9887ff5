//! Relocations of a position-independent file (`R_X86_64_RELATIVE`, `R_AARCH64_RELATIVE`).
//!
//! The words that the loader fills in need not stand in the file: the Go linker leaves zeros there and writes their values
//! into the relocations' addends (seen with Go 1.16 to 1.25 as PIE, whose pclntab and moduledata are full of such words).

use crate::bytes;
use crate::elf::Segment;
use gopsy_mem::LinkAddr;
use object::elf;

/// Entries of the dynamic section (`elf.h`).
const DT_NULL: u64 = 0;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
/// Size of an `Elf64_Rela`.
const RELA: u64 = 24;
/// Words that a dynamic section has at most; real ones have some 30.
const MAX_DYNAMIC: u64 = 1024;

/// The keys and values of the dynamic section, which stands there in the file and has so many bytes.
pub(crate) fn dynamic_entries(file: &[u8], dynamic: Option<(u64, u64)>) -> impl Iterator<Item = (u64, u64)> {
    let section = dynamic.and_then(|(at, size)| bytes::slice(file, at, size.min(MAX_DYNAMIC.saturating_mul(16))));
    let (entries, _) = section.unwrap_or_default().as_chunks::<16>();
    let word = |entry: &[u8; 16], at| bytes::u64(entry, at).unwrap_or(DT_NULL);
    entries.iter().map(move |entry| (word(entry, 0), word(entry, 8))).take_while(|(key, _)| *key != DT_NULL)
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
    pub(crate) fn read(file: &[u8], segments: &[Segment], dynamic: Option<(u64, u64)>) -> Self {
        Relocations::table(file, segments, dynamic).unwrap_or_default()
    }

    fn table(file: &[u8], segments: &[Segment], dynamic: Option<(u64, u64)>) -> Option<Self> {
        let of = |wanted| dynamic_entries(file, dynamic).filter(move |(key, _)| *key == wanted).last().map(|(_, v)| v);
        let (table, len) = of(DT_RELA).map(LinkAddr).zip(of(DT_RELASZ))?;
        let segment = segments.iter().find(|s| table.offset_from(s.address).is_some_and(|o| o < s.file_size))?;
        let within = table.offset_from(segment.address)?;
        let room = segment.file_size.saturating_sub(within).min(len);
        let data = bytes::slice(file, segment.file_offset.checked_add(within)?, room)?;
        let mut words = Vec::new();
        for entry in data.chunks_exact(usize::try_from(RELA).ok()?) {
            let (Some(at), Some(info), Some(addend)) =
                (bytes::u64(entry, 0), bytes::u64(entry, 8), bytes::u64(entry, 16))
            else {
                continue;
            };
            let kind = u32::try_from(info & 0xffff_ffff).unwrap_or(0);
            if kind == elf::R_X86_64_RELATIVE.0 || kind == elf::R_AARCH64_RELATIVE.0 {
                words.push((LinkAddr(at), addend));
            }
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
