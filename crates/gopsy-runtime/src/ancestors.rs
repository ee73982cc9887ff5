//! The stacks of those who started a goroutine, recorded under `GODEBUG=tracebackancestors=N` (`saveAncestors` in
//! `runtime/proc.go`).

use crate::{Known, Runtime};
use gopsy_mem::{Addr, MemoryExt};

/// A goroutine that started another, or one of those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ancestor {
    /// Its number.
    pub id: u64,
    /// Where it stood then, innermost first; one for each function of the source.
    pub pcs: Vec<Addr>,
    /// The address behind the call that created it.
    pub go_pc: Addr,
}

/// More ancestors, and deeper stacks of one, are not believed. The runtime keeps 100 frames.
const MAX_ANCESTORS: u64 = 1024;
const MAX_PCS: u64 = 4096;
/// `ancestorInfo`: a slice of pcs, a number, a pc. The same from Go 1.16 to 1.27.
const SIZE: u64 = 40;

impl Runtime<'_> {
    /// The recorded ancestors of a goroutine, the nearest first; none where none were recorded or they cannot be read.
    #[must_use]
    pub fn ancestors(&self, g: Addr) -> Vec<Ancestor> {
        let slice = match self.pointer(g, &[("runtime.g", "ancestors")]) {
            Known::Have { value, .. } if !value.is_null() => value,
            _ => return Vec::new(),
        };
        let (Some(list), Some(len)) = (self.mem.ptr(slice).ok(), self.count(slice, MAX_ANCESTORS)) else {
            return Vec::new();
        };
        (0..len).map_while(|index| self.ancestor(list.checked_add(index.checked_mul(SIZE)?)?)).collect()
    }

    fn ancestor(&self, at: Addr) -> Option<Ancestor> {
        let (array, len) = (self.mem.ptr(at).ok()?, self.count(at, MAX_PCS)?);
        let pc = |index: u64| self.mem.ptr(array.checked_add(index.checked_mul(8)?)?).ok();
        Some(Ancestor {
            id: self.mem.u64(at.checked_add(24)?).ok()?,
            pcs: (0..len).map_while(pc).collect(),
            go_pc: self.mem.ptr(at.checked_add(32)?).ok()?,
        })
    }

    /// The length in a slice header, if it is below a bound.
    fn count(&self, slice: Addr, most: u64) -> Option<u64> {
        self.mem.u64(slice.checked_add(8)?).ok().filter(|len| *len <= most)
    }
}
