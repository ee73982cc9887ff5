//! A program's file, put together again from the memory of its process.

use crate::core::Core;
use crate::mapped::MappedElf;
use crate::memory::Held;
use crate::notes::{half, word};
use gopsy_mem::{Addr, Memory, Range};

const PAGE: u64 = 4096;
/// Larger files are not put together.
const MAX_FILE: u64 = 1 << 30;

/// `Elf64_Phdr` of the dynamic section, and its entries that hold addresses (`elf.h`): DT_PLTGOT, DT_HASH, DT_STRTAB, DT_SYMTAB,
/// DT_RELA, DT_INIT, DT_FINI, DT_REL, DT_JMPREL, DT_INIT_ARRAY, DT_FINI_ARRAY, DT_GNU_HASH, DT_VERSYM.
const PT_DYNAMIC: u32 = 2;
const ADDRESSES: [u64; 13] = [3, 4, 5, 6, 7, 12, 13, 17, 23, 25, 26, 0x6fff_fef5, 0x6fff_fff0];
/// More program headers than this are not looked at.
const MAX_PROGRAMS: usize = 256;

/// Why a file cannot be put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gaps {
    /// How many bytes of its read-only mappings the core holds.
    pub(crate) held: u64,
    /// How many there are.
    pub(crate) mapped: u64,
}

impl Core {
    /// The file that was mapped, as far as it was: its code, its constants, and its variables as they were in the end. What is
    /// not loaded into memory (symbols, debug information) is not in it.
    ///
    /// # Errors
    /// When the core does not hold all of what was never written to: a part that is missing would read as zeros.
    pub(crate) fn rebuilt(&self, file: &MappedElf) -> Result<Vec<u8>, Gaps> {
        let mapped = |m: &crate::FileMapping| m.range.len();
        let constant = || file.mappings.iter().filter(|m| !self.segment_at(m.range.start).is_some_and(|s| s.writable));
        let held = constant().map(|m| self.held_within(m.range)).fold(0, u64::saturating_add);
        let gaps = Gaps { held, mapped: constant().map(mapped).fold(0, u64::saturating_add) };
        let size = file.mappings.iter().filter_map(|m| m.file_offset.checked_add(m.range.len())).max();
        // What is mapped of a program is nearly all of what stands before its end.
        let whole = file.mappings.iter().map(mapped).fold(PAGE, u64::saturating_add).saturating_mul(2);
        let size = size
            .filter(|size| *size <= whole.min(MAX_FILE) && gaps.held == gaps.mapped && gaps.mapped > 0)
            .ok_or(gaps)?;
        let mut bytes = vec![0; usize::try_from(size).map_err(|_| gaps)?];
        for mapping in &file.mappings {
            let at = usize::try_from(mapping.file_offset).map_err(|_| gaps)?;
            let len = usize::try_from(mapping.range.len()).map_err(|_| gaps)?;
            let part = at.checked_add(len).and_then(|end| bytes.get_mut(at..end)).ok_or(gaps)?;
            // Of what was written to as much as is there.
            if Held(self).read(mapping.range.start, part).is_err() {
                part.fill(0);
            }
        }
        if let Some(base) = file.base() {
            unload_dynamic(&mut bytes, Range::new(base, size));
        }
        Ok(bytes)
    }

    /// How many bytes of a stretch of memory the core itself holds.
    fn held_within(&self, range: Range) -> u64 {
        let behind = self.segments().partition_point(|s| s.range.start < range.end);
        let overlapping = self.segments().iter().take(behind).rev().take_while(|s| s.range.end > range.start);
        let common = |held: Range| held.end.min(range.end).offset_from(held.start.max(range.start)).unwrap_or(0);
        overlapping.map(|s| common(s.held_range())).fold(0, u64::saturating_add)
    }
}

/// The addresses of the dynamic section as the file has them: the loader writes into it where they were loaded (glibc's
/// `elf_get_dynamic_info`, before 2.35).
fn unload_dynamic(bytes: &mut [u8], loaded: Range) {
    let at = |bytes: &[u8], offset: usize| word(bytes, offset).and_then(|at| usize::try_from(at).ok());
    let Some(programs) = at(bytes, 32) else { return };
    let dynamic = (0..MAX_PROGRAMS).find_map(|index| {
        let header = programs.checked_add(index.checked_mul(56)?)?;
        let is_it = half(bytes, header)? == PT_DYNAMIC;
        is_it.then(|| Some((at(bytes, header.checked_add(8)?)?, at(bytes, header.checked_add(32)?)?)))?
    });
    let Some((start, len)) = dynamic else { return };
    let Some(section) = start.checked_add(len).and_then(|end| bytes.get_mut(start..end)) else { return };
    for entry in section.as_chunks_mut::<16>().0 {
        let (Some(key), Some(value)) = (word(entry, 0), word(entry, 8)) else { continue };
        if key == 0 {
            break;
        }
        if ADDRESSES.contains(&key)
            && let Some(stated) = Addr(value).offset_from(loaded.start).filter(|offset| *offset < loaded.len())
            && let Some(slot) = entry.get_mut(8..16)
        {
            slot.copy_from_slice(&stated.to_le_bytes());
        }
    }
}
