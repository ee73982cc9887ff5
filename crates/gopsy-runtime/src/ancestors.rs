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

/// More ancestors, and deeper stacks of one, are not believed. The runtime keeps 100 frames, since Go 1.21 50.
const MAX_ANCESTORS: u64 = 1024;
const MAX_PCS: u64 = 4096;
const INFO: &str = "runtime.ancestorInfo";

impl Runtime<'_> {
    /// The recorded ancestors of a goroutine, the nearest first; none where none were recorded or they cannot be read.
    #[must_use]
    pub fn ancestors(&self, g: Addr) -> Vec<Ancestor> {
        let slice = match self.pointer(g, &[("runtime.g", "ancestors")]) {
            Known::Have { value, .. } if !value.is_null() => value,
            _ => return Vec::new(),
        };
        let list = || Some((self.mem.ptr(slice).ok()?, self.count(slice, MAX_ANCESTORS)?, self.layouts.size(INFO)?));
        let Some((list, len, size)) = list() else { return Vec::new() };
        (0..len).map_while(|index| self.ancestor(list.checked_add(index.checked_mul(size)?)?)).collect()
    }

    fn ancestor(&self, at: Addr) -> Option<Ancestor> {
        let pcs = self.place(at, INFO, "pcs")?;
        let (array, len) = (self.mem.ptr(pcs).ok()?, self.count(pcs, MAX_PCS)?);
        let pc = |index: u64| self.mem.ptr(array.checked_add(index.checked_mul(8)?)?).ok();
        Some(Ancestor {
            id: self.word(at, &[(INFO, "goid")]).into_value()?,
            pcs: (0..len).map_while(pc).collect(),
            go_pc: self.pointer(at, &[(INFO, "gopc")]).into_value()?,
        })
    }

    /// The length in a slice header, if it is below a bound.
    fn count(&self, slice: Addr, most: u64) -> Option<u64> {
        self.mem.u64(slice.checked_add(8)?).ok().filter(|len| *len <= most)
    }
}
