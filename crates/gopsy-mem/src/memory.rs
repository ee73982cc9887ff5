//! Reading.

use crate::{Addr, Range};
use std::fmt;

/// Why an address could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// Nothing is mapped there: for the target itself the access would have been a fault.
    Unmapped,
    /// Something was mapped there, but the source does not hold the bytes (a core without that page).
    NotHeld,
    /// A file could have supplied the bytes, but it is another build.
    OtherBuild,
    /// The source changed while it was read.
    Changed,
    /// The system refused to read the source (a bad disk, a server that is gone).
    Unreadable,
}

/// A read that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fault {
    /// The first address that could not be read.
    pub address: Addr,
    /// Why not.
    pub why: Why,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address;
        match self.why {
            Why::Unmapped => write!(f, "nothing is mapped at {address}"),
            Why::NotHeld => write!(f, "the memory at {address} was not saved"),
            Why::OtherBuild => {
                write!(f, "the memory at {address} was not saved, and the binary at hand is another build")
            }
            Why::Changed => write!(f, "the file that holds {address} changed while it was read"),
            Why::Unreadable => write!(f, "the file that holds {address} could not be read"),
        }
    }
}

impl std::error::Error for Fault {}

/// The memory of one process, alive or dead.
///
/// Contract: `read` fills the whole buffer or fails; what it left in the buffer after a failure has no meaning.
/// Implementations allocate nothing that grows with what the target claims.
pub trait Memory {
    /// Reads `buf.len()` bytes at `addr`.
    ///
    /// # Errors
    /// A [`Fault`] with the first address that cannot be read.
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), Fault>;

    /// Says what will be read next, so that a source with slow single reads can fetch it in one batch.
    fn prefetch(&self, _ranges: &[Range]) {}
}

impl<M: Memory + ?Sized> Memory for &M {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), Fault> {
        (**self).read(addr, buf)
    }

    fn prefetch(&self, ranges: &[Range]) {
        (**self).prefetch(ranges);
    }
}

/// Typed reads on any [`Memory`].
pub trait MemoryExt: Memory {
    /// A byte.
    ///
    /// # Errors
    /// When it cannot be read.
    fn u8(&self, addr: Addr) -> Result<u8, Fault> {
        let mut b = [0; 1];
        self.read(addr, &mut b)?;
        Ok(u8::from_le_bytes(b))
    }

    /// A little-endian 16-bit word.
    ///
    /// # Errors
    /// When it cannot be read.
    fn u16(&self, addr: Addr) -> Result<u16, Fault> {
        let mut b = [0; 2];
        self.read(addr, &mut b)?;
        Ok(u16::from_le_bytes(b))
    }

    /// A little-endian 32-bit word.
    ///
    /// # Errors
    /// When it cannot be read.
    fn u32(&self, addr: Addr) -> Result<u32, Fault> {
        let mut b = [0; 4];
        self.read(addr, &mut b)?;
        Ok(u32::from_le_bytes(b))
    }

    /// A little-endian 64-bit word.
    ///
    /// # Errors
    /// When it cannot be read.
    fn u64(&self, addr: Addr) -> Result<u64, Fault> {
        let mut b = [0; 8];
        self.read(addr, &mut b)?;
        Ok(u64::from_le_bytes(b))
    }

    /// A pointer.
    ///
    /// # Errors
    /// When it cannot be read.
    fn ptr(&self, addr: Addr) -> Result<Addr, Fault> {
        self.u64(addr).map(Addr)
    }

    /// Up to `limit` of the `len` bytes at `addr`. The target states `len`, so it is not believed: memory is
    /// allocated for what could be read, never for what was claimed.
    ///
    /// # Errors
    /// When one of those bytes cannot be read.
    fn bytes(&self, addr: Addr, len: u64, limit: usize) -> Result<Vec<u8>, Fault> {
        const CHUNK: usize = 64 * 1024;
        let mut left = usize::try_from(len).unwrap_or(usize::MAX).min(limit);
        let mut at = addr;
        let mut out = Vec::new();
        let mut chunk = vec![0; left.min(CHUNK)];
        while left > 0 {
            let Some(part) = chunk.get_mut(..left.min(CHUNK)) else { break };
            self.read(at, part)?;
            out.extend_from_slice(part);
            let step = u64::try_from(part.len()).unwrap_or(u64::MAX);
            left = left.saturating_sub(part.len());
            at = at.checked_add(step).ok_or(Fault { address: at, why: Why::Unmapped })?;
        }
        Ok(out)
    }
}

impl<M: Memory + ?Sized> MemoryExt for M {}

/// Memory made of slices, for tests: what is not in a slice is unmapped.
#[derive(Debug, Clone, Default)]
pub struct SliceMemory {
    parts: Vec<(Addr, Vec<u8>)>,
}

impl SliceMemory {
    /// Memory in which nothing is mapped.
    #[must_use]
    pub fn new() -> Self {
        SliceMemory::default()
    }

    /// The same memory with these bytes at `addr`. A later part hides an earlier one.
    #[must_use]
    pub fn with(mut self, addr: Addr, bytes: impl Into<Vec<u8>>) -> Self {
        self.parts.push((addr, bytes.into()));
        self
    }
}

impl Memory for SliceMemory {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), Fault> {
        let mut at = addr;
        for byte in buf {
            let found = self.parts.iter().rev().find_map(|(start, bytes)| {
                let offset = usize::try_from(at.offset_from(*start)?).ok()?;
                bytes.get(offset).copied()
            });
            *byte = found.ok_or(Fault { address: at, why: Why::Unmapped })?;
            at = Addr(at.0.wrapping_add(1));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_little_endian() {
        let m = SliceMemory::new().with(Addr(0x1000), vec![1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(m.u8(Addr(0x1007)), Ok(8));
        assert_eq!(m.u16(Addr(0x1000)), Ok(0x0201));
        assert_eq!(m.u32(Addr(0x1002)), Ok(0x0605_0403));
        assert_eq!(m.u64(Addr(0x1000)), Ok(0x0807_0605_0403_0201));
        assert_eq!(m.ptr(Addr(0x1000)), Ok(Addr(0x0807_0605_0403_0201)));
    }

    #[test]
    fn a_read_over_the_edge_names_the_first_missing_byte() {
        let m = SliceMemory::new().with(Addr(0x1000), vec![0; 4]);
        assert_eq!(m.u64(Addr(0x1000)), Err(Fault { address: Addr(0x1004), why: Why::Unmapped }));
    }

    #[test]
    fn neighbouring_parts_are_one_memory() {
        let m = SliceMemory::new().with(Addr(0x1000), vec![1; 4]).with(Addr(0x1004), vec![2; 4]);
        assert_eq!(m.u64(Addr(0x1000)), Ok(0x0202_0202_0101_0101));
    }

    #[test]
    fn a_claimed_length_is_not_believed() {
        let m = SliceMemory::new().with(Addr(0x1000), vec![7; 100]);
        assert_eq!(m.bytes(Addr(0x1000), u64::MAX, 10).unwrap(), vec![7; 10]);
        assert!(m.bytes(Addr(0x1000), u64::MAX, usize::MAX).is_err());
        assert_eq!(m.bytes(Addr(0x1000), 0, 10).unwrap(), Vec::<u8>::new());
    }

    #[test]
    fn trait_objects_have_the_helpers_too() {
        let m = SliceMemory::new().with(Addr(0), vec![9]);
        let dynamic: &dyn Memory = &m;
        assert_eq!(dynamic.u8(Addr(0)), Ok(9));
    }
}
