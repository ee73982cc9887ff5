//! The bytes of a core file, read through a bounded cache.
//!
//! Cores are not mapped: somebody may clean one up while it is read, and a mapping whose file becomes shorter ends gopsy
//! by SIGBUS. Instead, windows of the file are read with `pread` and some of them are kept. Peak memory does not depend on
//! the file's length, nor on what its headers claim; a hole of a sparse file costs what other bytes cost.

use crate::file::Stamp;
use gopsy_image::Bytes;
use gopsy_mem::Why;
use std::cell::RefCell;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

/// A window's length is 2 to this power. Of 4, 16 and 64 KiB this was the best compromise between reads in order and reads
/// at random: `docs/core-sources.md`.
const SHIFT: u32 = 14;
const WINDOW: usize = 1 << SHIFT;
/// Where in its window an offset stands.
const WITHIN: u64 = (1 << SHIFT) - 1;
/// Windows in one set; which set a window belongs to is told by its number.
const WAYS: usize = 4;
const SETS: usize = 512;
/// All windows together: 32 MiB.
const CAPACITY: usize = SETS * WAYS;

/// A file that is read by windows. What it said of itself when it was opened must hold whenever a window is read.
#[derive(Debug)]
pub(crate) struct WindowedFile {
    file: File,
    stamp: Stamp,
    on_disk: u64,
}

impl WindowedFile {
    pub(crate) fn new(file: File, metadata: &Metadata) -> Self {
        // st_blocks counts units of 512 bytes, whatever the file system's blocks are (stat(2)).
        WindowedFile { file, stamp: Stamp::of(metadata), on_disk: metadata.blocks().saturating_mul(512) }
    }

    /// Fills `data` with one window, which is shorter at the end of the file.
    fn read(&self, number: u64, data: &mut Vec<u8>) -> Result<(), Why> {
        let start = number.checked_mul(WITHIN.saturating_add(1)).filter(|start| *start < self.stamp.len);
        let start = start.ok_or(Why::NotHeld)?;
        data.resize(WINDOW, 0);
        let read = read_full(&self.file, start, data);
        if !self.file.metadata().is_ok_and(|m| Stamp::of(&m) == self.stamp) {
            return Err(Why::Changed);
        }
        data.truncate(read.map_err(|_| Why::Unreadable)?);
        Ok(())
    }
}

/// Reads until the buffer is full or the file ends.
fn read_full(file: &File, mut at: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0usize;
    while let Some(free) = buf.get_mut(filled..).filter(|free| !free.is_empty()) {
        match file.read_at(free, at) {
            Ok(0) => break,
            Ok(n) => {
                filled = filled.saturating_add(n);
                at = at.saturating_add(u64::try_from(n).unwrap_or(u64::MAX));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The bytes of a core: in memory, or in a file behind a cache of its own.
pub(crate) enum Content {
    Bytes(Bytes),
    File(Arc<WindowedFile>, RefCell<Windows>),
}

impl Content {
    pub(crate) fn of_file(file: WindowedFile) -> Self {
        Content::File(Arc::new(file), RefCell::default())
    }

    pub(crate) fn len(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => u64::try_from((**bytes).as_ref().len()).unwrap_or(u64::MAX),
            Content::File(file, _) => file.stamp.len,
        }
    }

    /// How much room the file takes on disk, in bytes, without its holes.
    pub(crate) fn on_disk(&self) -> Option<u64> {
        match self {
            Content::Bytes(_) => None,
            Content::File(file, _) => Some(file.on_disk),
        }
    }

    /// Fills the buffer with what stands at that offset of the file.
    pub(crate) fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), Why> {
        match self {
            Content::Bytes(bytes) => {
                let len = u64::try_from(buf.len()).unwrap_or(u64::MAX);
                buf.copy_from_slice(slice((**bytes).as_ref(), at, len).ok_or(Why::NotHeld)?);
                Ok(())
            }
            Content::File(file, windows) => windows.borrow_mut().copy(file, at, buf),
        }
    }

    /// The first bytes at that offset, as many as there are.
    pub(crate) fn array<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        let mut buf = [0; N];
        self.read(at, &mut buf).ok().map(|()| buf)
    }

    /// A part of the file. The caller bounds its length.
    pub(crate) fn vec(&self, at: u64, len: u64) -> Option<Vec<u8>> {
        at.checked_add(len).filter(|end| *end <= self.len())?;
        let mut buf = vec![0; usize::try_from(len).ok()?];
        self.read(at, &mut buf).ok().map(|()| buf)
    }

    /// Reads the windows of these parts of the file, in the order of the file, as far as half of the cache goes.
    pub(crate) fn prefetch(&self, parts: impl Iterator<Item = (u64, u64)>) {
        let Content::File(file, windows) = self else { return };
        let windows_of = |(at, len): (u64, u64)| {
            let last = at.saturating_add(len.saturating_sub(1));
            (at >> SHIFT)..=(last >> SHIFT)
        };
        let mut wanted: Vec<u64> = parts.filter(|(_, len)| *len > 0).flat_map(windows_of).take(CAPACITY / 2).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut windows = windows.borrow_mut();
        for number in wanted {
            // What cannot be read is told when it is asked for.
            let _ = windows.slot(file, number);
        }
    }
}

/// The same file with a cache of its own.
impl Clone for Content {
    fn clone(&self) -> Self {
        match self {
            Content::Bytes(bytes) => Content::Bytes(Arc::clone(bytes)),
            Content::File(file, _) => Content::File(Arc::clone(file), RefCell::default()),
        }
    }
}

/// The windows that are kept. The one that was not used for the longest time makes room in its set.
#[derive(Default)]
pub(crate) struct Windows {
    slots: Vec<Slot>,
    /// The window that was used last, and its slot.
    last: Option<(u64, usize)>,
    clock: u64,
}

#[derive(Default, Clone)]
struct Slot {
    number: Option<u64>,
    used: u64,
    data: Vec<u8>,
}

impl Windows {
    fn copy(&mut self, file: &WindowedFile, mut at: u64, mut buf: &mut [u8]) -> Result<(), Why> {
        while !buf.is_empty() {
            let number = at >> SHIFT;
            let slot = match self.last {
                Some((last, slot)) if last == number => slot,
                _ => self.slot(file, number)?,
            };
            let within = usize::try_from(at & WITHIN).unwrap_or(usize::MAX);
            let found = self.slots.get(slot).and_then(|s| s.data.get(within..)).unwrap_or(&[]);
            let count = found.len().min(buf.len());
            let (now, later) = std::mem::take(&mut buf).split_at_mut(count);
            match found.get(..count) {
                Some(found) if count > 0 => now.copy_from_slice(found),
                _ => return Err(Why::NotHeld),
            }
            buf = later;
            at = at.checked_add(u64::try_from(count).unwrap_or(u64::MAX)).ok_or(Why::NotHeld)?;
        }
        Ok(())
    }

    /// The slot of a window, which is read if it is not there.
    fn slot(&mut self, file: &WindowedFile, number: u64) -> Result<usize, Why> {
        if self.slots.is_empty() {
            self.slots.resize_with(CAPACITY, Slot::default);
        }
        self.clock = self.clock.wrapping_add(1);
        let set = usize::try_from(number & (SETS as u64).wrapping_sub(1)).unwrap_or(0);
        let (mut oldest, mut oldest_use) = (0, u64::MAX);
        for (index, slot) in self.slots.iter_mut().enumerate().skip(set.saturating_mul(WAYS)).take(WAYS) {
            if slot.number == Some(number) {
                slot.used = self.clock;
                self.last = Some((number, index));
                return Ok(index);
            }
            if slot.used < oldest_use {
                (oldest, oldest_use) = (index, slot.used);
            }
        }
        self.last = None;
        let slot = self.slots.get_mut(oldest).ok_or(Why::NotHeld)?;
        slot.number = None;
        file.read(number, &mut slot.data)?;
        (slot.number, slot.used) = (Some(number), self.clock);
        self.last = Some((number, oldest));
        Ok(oldest)
    }
}

pub(crate) fn slice(data: &[u8], at: u64, len: u64) -> Option<&[u8]> {
    let start = usize::try_from(at).ok()?;
    data.get(start..start.checked_add(usize::try_from(len).ok()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn on_disk(bytes: &[u8]) -> (tempfile::NamedTempFile, Content) {
        let mut named = tempfile::NamedTempFile::new().unwrap();
        named.write_all(bytes).unwrap();
        let (file, metadata) = crate::file::open_regular(named.path()).unwrap();
        (named, Content::of_file(WindowedFile::new(file, &metadata)))
    }

    /// A byte that tells its offset, not with the period of a window.
    fn byte(at: usize) -> u8 {
        (at % 251) as u8
    }

    #[test]
    fn any_part_is_the_files() {
        let bytes: Vec<u8> = (0..5 * WINDOW + 77).map(byte).collect();
        let (_file, content) = on_disk(&bytes);
        for (at, len) in [(0, 8), (WINDOW - 3, 8), (7, 3 * WINDOW), (5 * WINDOW + 70, 7), (2 * WINDOW, WINDOW), (9, 0)]
        {
            let mut buf = vec![0; len];
            assert_eq!(content.read(at as u64, &mut buf), Ok(()));
            assert_eq!(buf, bytes[at..at + len], "{at} {len}");
        }
        assert_eq!(content.read(5 * WINDOW as u64 + 70, &mut [0; 8]), Err(Why::NotHeld));
        assert_eq!(content.read(u64::MAX - 3, &mut [0; 8]), Err(Why::NotHeld));
        assert_eq!(content.vec(0, u64::MAX), None);
    }

    #[test]
    fn more_windows_than_are_kept() {
        // Sparse: a byte in every window, three times as many windows as there is room for.
        let named = tempfile::NamedTempFile::new().unwrap();
        let count = 3 * CAPACITY;
        named.as_file().set_len((count * WINDOW) as u64).unwrap();
        for window in 0..count {
            named.as_file().write_all_at(&[byte(window)], (window * WINDOW + window) as u64).unwrap();
        }
        let (file, metadata) = crate::file::open_regular(named.path()).unwrap();
        let content = Content::of_file(WindowedFile::new(file, &metadata));
        for round in 0..2 {
            for window in (0..count).map(|w| (w * 7) % count) {
                let got = content.array::<1>((window * WINDOW + window) as u64);
                assert_eq!(got, Some([byte(window)]), "{round} {window}");
            }
        }
        let Content::File(_, windows) = &content else { panic!() };
        let held: usize = windows.borrow().slots.iter().map(|s| s.data.capacity()).sum();
        assert!(held <= 32 << 20, "{held}");
        content.prefetch([(0u64, u64::MAX)].into_iter());
        assert_eq!(content.array::<1>(0), Some([byte(0)]));
    }

    #[test]
    fn what_was_prefetched_needs_the_file_no_more() {
        let bytes: Vec<u8> = (0..4 * WINDOW).map(byte).collect();
        let (named, content) = on_disk(&bytes);
        let window = WINDOW as u64;
        content.prefetch([(2 * window, 9), (window - 1, 2), (5, 0)].into_iter());
        named.as_file().set_len(0).unwrap();
        for at in [0, WINDOW, 2 * WINDOW + 100] {
            assert_eq!(content.array::<1>(at as u64), Some([byte(at)]));
        }
        // Another reader of the same file has seen nothing yet.
        let another = content.clone();
        assert_eq!(another.read(0, &mut [0]), Err(Why::Changed));
        assert_eq!(content.read(3 * window, &mut [0]), Err(Why::Changed));
    }
}
