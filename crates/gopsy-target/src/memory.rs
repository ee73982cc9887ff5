//! The memory of a core.

use crate::content::slice;
use crate::core::{Core, CoreSegment};
use crate::headers::Damage;
use crate::notes::FileMapping;
use gopsy_image::{Loaded, Part, Stated};
use gopsy_mem::{Addr, Fault, LinkAddr, Memory, Range, Why};

/// A stretch of memory whose bytes stand together in one file.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Extent {
    range: Range,
    file: FileOf,
    /// Where the bytes of the stretch begin in the file.
    file_offset: u64,
}

#[derive(Debug, Clone, Copy, Default)]
enum FileOf {
    #[default]
    Core,
    /// An attached file, by its number.
    Attached(usize),
}

/// What a module states is where it was loaded.
impl Stated for Core {
    fn fill(&self, at: LinkAddr, buf: &mut [u8]) -> bool {
        Loaded(self).fill(at, buf)
    }

    fn part(&self, at: LinkAddr, len: u64) -> Option<Part> {
        Loaded(self).part(at, len)
    }
}

impl Memory for Core {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), Fault> {
        let (mut at, mut rest) = (addr, buf);
        while !rest.is_empty() {
            let fault = |why| Fault { address: at, why };
            let mut extent = self.last.get();
            if !extent.range.contains(at) {
                extent = self.extent_at(at).map_err(fault)?;
                self.last.set(extent);
            }
            let left = extent.range.end.offset_from(at).ok_or(fault(Why::NotHeld))?;
            let count = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let (now, later) = rest.split_at_mut(count);
            let offset = at.offset_from(extent.range.start).and_then(|o| extent.file_offset.checked_add(o));
            let offset = offset.ok_or(fault(Why::NotHeld))?;
            match extent.file {
                FileOf::Core => self.content.read(offset, now).map_err(fault)?,
                FileOf::Attached(number) => {
                    let len = u64::try_from(count).unwrap_or(u64::MAX);
                    let found = self.backing.file(number).and_then(|file| slice(file, offset, len));
                    now.copy_from_slice(found.ok_or(fault(Why::NotHeld))?);
                }
            }
            rest = later;
            if !rest.is_empty() {
                let step = u64::try_from(count).unwrap_or(u64::MAX);
                at = at.checked_add(step).ok_or(fault(Why::Unmapped))?;
            }
        }
        Ok(())
    }

    fn prefetch(&self, ranges: &[Range]) {
        let in_core = |range: &Range| {
            let mut range = *range;
            std::iter::from_fn(move || {
                // The next part of the range that the core holds.
                let segments = self.segments();
                let first = segments.partition_point(|s| s.held_range().end <= range.start);
                let next = segments.get(first..)?.iter().find(|s| s.held > 0)?;
                let held = next.held_range();
                let (start, end) = (range.start.max(held.start), range.end.min(held.end));
                let len = end.offset_from(start).filter(|len| *len > 0)?;
                range.start = end;
                Some((next.file_offset.saturating_add(start.offset_from(held.start)?), len))
            })
        };
        self.content.prefetch(ranges.iter().flat_map(in_core));
    }
}

/// What the core itself holds, without attached files.
pub(crate) struct Held<'a>(pub(crate) &'a Core);

impl Memory for Held<'_> {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), Fault> {
        let (mut at, mut rest) = (addr, buf);
        while !rest.is_empty() {
            let fault = |why| Fault { address: at, why };
            let segment = self.0.segment_at(at).ok_or(fault(Why::Unmapped))?;
            let extent = segment.held_extent(at).ok_or(fault(Why::NotHeld))?;
            let left = extent.range.end.offset_from(at).ok_or(fault(Why::NotHeld))?;
            let count = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let (now, later) = rest.split_at_mut(count);
            let offset = at.offset_from(extent.range.start).and_then(|o| extent.file_offset.checked_add(o));
            self.0.content.read(offset.ok_or(fault(Why::NotHeld))?, now).map_err(fault)?;
            rest = later;
            let step = u64::try_from(count).unwrap_or(u64::MAX);
            at = at.checked_add(step).ok_or(fault(Why::Unmapped))?;
        }
        Ok(())
    }
}

impl CoreSegment {
    /// The part whose bytes are in the core.
    pub(crate) fn held_range(&self) -> Range {
        Range::new(self.range.start, self.held)
    }

    fn held_extent(&self, at: Addr) -> Option<Extent> {
        let range = self.held_range();
        range.contains(at).then_some(Extent { range, file: FileOf::Core, file_offset: self.file_offset })
    }
}

impl Core {
    /// Where headers or notes contradict each other, the stretch that begins nearest counts: what stands at an address must not
    /// depend on what was read before.
    fn extent_at(&self, at: Addr) -> Result<Extent, Why> {
        let next = self.segments().partition_point(|s| s.range.start <= at);
        let end = self.segments().get(next).map_or(Addr(u64::MAX), |s| s.range.start);
        let mut extent = self.stated_extent_at(at)?;
        extent.range.end = extent.range.end.min(end);
        Ok(extent)
    }

    fn stated_extent_at(&self, at: Addr) -> Result<Extent, Why> {
        let segment = self.segment_at(at);
        let around = match segment {
            Some(segment) => match segment.held_extent(at) {
                Some(extent) => return Ok(extent),
                // A writable page may have changed since it was mapped: the file does not know.
                None if segment.writable => return Err(Why::NotHeld),
                None => Range { start: segment.held_range().end, end: segment.range.end },
            },
            // gcore leaves out what it can find in a file, headers and all.
            None => self.gap_at(at),
        };
        match self.backing.part_at(at) {
            Some(part) => {
                let start = part.range.start.max(around.start);
                let skipped = start.offset_from(part.range.start).ok_or(Why::NotHeld)?;
                let file_offset = part.file_offset.checked_add(skipped).ok_or(Why::NotHeld)?;
                let end = self.backing.part_behind(at).map_or(around.end, |next| next.range.start.min(around.end));
                let range = Range { start, end: part.range.end.min(end) };
                Ok(Extent { range, file: FileOf::Attached(part.file), file_offset })
            }
            None if self.backing.refused(at) => Err(Why::OtherBuild),
            None if segment.is_some() || self.mapping_at(at).is_some() || self.headers_cut() => Err(Why::NotHeld),
            None => Err(Why::Unmapped),
        }
    }

    pub(crate) fn segment_at(&self, at: Addr) -> Option<&CoreSegment> {
        let behind = self.segments().partition_point(|s| s.range.start <= at);
        self.segments().get(behind.checked_sub(1)?).filter(|s| s.range.contains(at))
    }

    /// The addresses around that one which no program header names.
    fn gap_at(&self, at: Addr) -> Range {
        let behind = self.segments().partition_point(|s| s.range.start <= at);
        let before = behind.checked_sub(1).and_then(|index| self.segments().get(index));
        Range {
            start: before.map_or(Addr(0), |s| s.range.end),
            end: self.segments().get(behind).map_or(Addr(u64::MAX), |s| s.range.start),
        }
    }

    /// The mapping of a file that covers that address.
    #[must_use]
    pub fn mapping_at(&self, at: Addr) -> Option<&FileMapping> {
        let behind = self.mappings().partition_point(|m| m.range.start <= at);
        self.mappings().get(behind.checked_sub(1)?).filter(|m| m.range.contains(at))
    }

    fn headers_cut(&self) -> bool {
        self.damage().iter().any(|d| matches!(d, Damage::Headers { .. }))
    }
}
