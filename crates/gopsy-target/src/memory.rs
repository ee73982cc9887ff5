//! The memory of a core.

use crate::core::{Backing, Core, CoreSegment, slice};
use gopsy_mem::{Addr, Fault, Memory, Why};

impl Memory for Core {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), Fault> {
        if self.mapped.as_ref().is_some_and(|file| !file.unchanged()) {
            return Err(Fault { address: addr, why: Why::Changed });
        }
        let (mut at, mut rest) = (addr, buf);
        while !rest.is_empty() {
            let found = self.bytes_at(at, rest.len())?;
            let count = found.len().min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            let Some(found) = found.get(..count).filter(|f| !f.is_empty()) else {
                return Err(Fault { address: at, why: Why::NotHeld });
            };
            now.copy_from_slice(found);
            rest = later;
            let step = u64::try_from(count).unwrap_or(u64::MAX);
            at = at.checked_add(step).ok_or(Fault { address: at, why: Why::Unmapped })?;
        }
        Ok(())
    }
}

impl Core {
    /// Some bytes at that address, at least one and at most about `want`.
    fn bytes_at(&self, at: Addr, want: usize) -> Result<&[u8], Fault> {
        let want = u64::try_from(want).unwrap_or(u64::MAX);
        let fault = |why| Fault { address: at, why };
        let segment = self.segment_at(at).ok_or(fault(Why::Unmapped))?;
        let offset = at.offset_from(segment.range.start).ok_or(fault(Why::Unmapped))?;
        if let Some(left) = segment.held.checked_sub(offset).filter(|left| *left > 0) {
            let place = segment.file_offset.checked_add(offset).ok_or(fault(Why::NotHeld))?;
            return slice((*self.data).as_ref(), place, left.min(want)).ok_or(fault(Why::NotHeld));
        }
        match &self.backing {
            // A writable page may have changed since it was mapped: the file does not know.
            Some(backing) if !segment.writable => backing.bytes_at(segment, at, want).map_err(fault),
            _ => Err(fault(Why::NotHeld)),
        }
    }

    fn segment_at(&self, at: Addr) -> Option<&CoreSegment> {
        let behind = self.segments.partition_point(|s| s.range.start <= at);
        self.segments.get(behind.checked_sub(1)?).filter(|s| s.range.contains(at))
    }
}

impl Backing {
    fn bytes_at(&self, segment: &CoreSegment, at: Addr, want: u64) -> Result<&[u8], Why> {
        let mapping = self.mappings.iter().find(|m| m.range.contains(at)).ok_or(Why::NotHeld)?;
        let image = self.image.as_ref().ok_or(Why::OtherBuild)?;
        let offset = at.offset_from(mapping.range.start).ok_or(Why::NotHeld)?;
        let end = mapping.range.end.min(segment.range.end);
        let left = end.offset_from(at).ok_or(Why::NotHeld)?;
        let place = mapping.file_offset.checked_add(offset).ok_or(Why::NotHeld)?;
        slice(image.file(), place, left.min(want)).ok_or(Why::NotHeld)
    }
}
