//! What a walk has just read: a stack of a gigabyte is walked in blocks, and its frames stand at few places.

use crate::sites::{Site, Sites};
use crate::{Code, Pc};
use gopsy_mem::{Addr, Fault, Memory, MemoryExt};

/// So many words are read one by one before blocks are: most stacks have fewer frames.
const SINGLE: u32 = 128;
const SMALLEST_BLOCK: usize = 1 << 12;
const LARGEST_BLOCK: usize = 1 << 18;
/// Places that are kept at hand: a recursion goes through a few functions.
const PLACES: u64 = 16;

/// The block of the stack that was read last, and the places that were met last.
#[derive(Default)]
pub(crate) struct Near {
    start: Addr,
    block: Vec<u8>,
    singles: u32,
    places: [Option<(Pc, Site)>; PLACES as usize],
}

impl Near {
    /// The word at an address. The next are read with it when many were asked for.
    pub(crate) fn ptr(&mut self, mem: &dyn Memory, at: Addr) -> Result<Addr, Fault> {
        let offset = at.offset_from(self.start).and_then(|o| usize::try_from(o).ok());
        if let Some(word) = offset.and_then(|o| self.block.get(o..)).and_then(|rest| rest.first_chunk()) {
            return Ok(Addr(u64::from_le_bytes(*word)));
        }
        if self.singles < SINGLE {
            self.singles = self.singles.saturating_add(1);
            return mem.ptr(at);
        }
        let size = self.block.len().saturating_mul(2).clamp(SMALLEST_BLOCK, LARGEST_BLOCK);
        self.block.resize(size, 0);
        self.start = at;
        match (mem.read(at, &mut self.block), self.block.first_chunk()) {
            (Ok(()), Some(word)) => Ok(Addr(u64::from_le_bytes(*word))),
            // The block reaches beyond what there is.
            _ => {
                self.block.clear();
                self.singles = 0;
                mem.ptr(at)
            }
        }
    }

    /// What the tables say of a place.
    pub(crate) fn site(&mut self, sites: &Sites, pc: Pc, code: &Code<'_>) -> Option<Site> {
        let index = usize::try_from((pc.address().0 ^ (pc.address().0 >> 4)) & (PLACES - 1)).unwrap_or(0);
        if let Some(Some((at, site))) = self.places.get(index)
            && *at == pc
        {
            return Some(*site);
        }
        let site = sites.at(pc, code)?;
        if let Some(place) = self.places.get_mut(index) {
            *place = Some((pc, site));
        }
        Some(site)
    }
}
