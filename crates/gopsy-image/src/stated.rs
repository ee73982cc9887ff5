//! Bytes at the addresses that a module states.
//!
//! Go's tables are read in two places: in a file, at the addresses that the linker wrote into it, and in the memory of a
//! process, at the addresses where they were loaded. A [`Stated`] is either of them, so that there is one reader of each
//! table. For memory the two kinds of address are one: a [`LinkAddr`] then holds the address as loaded.

use crate::Bytes;
use gopsy_mem::{Addr, LinkAddr, Memory, MemoryExt};

/// Larger parts than this are not copied out of memory. The pclntab of a program with 100,000 functions has some 60 MB.
const MAX_COPY: u64 = 512 << 20;

/// Something that has bytes at stated addresses.
pub trait Stated {
    /// Fills the buffer from that address on; false when one of the bytes is missing.
    fn fill(&self, at: LinkAddr, buf: &mut [u8]) -> bool;

    /// `len` bytes from that address on, without a copy where that can be had.
    fn part(&self, at: LinkAddr, len: u64) -> Option<Part>;

    /// A little-endian word of 8 bytes.
    fn word(&self, at: LinkAddr) -> Option<u64> {
        let mut buf = [0; 8];
        self.fill(at, &mut buf).then(|| u64::from_le_bytes(buf))
    }
}

/// A stretch of bytes: of a mapped file, or a copy.
#[derive(Clone)]
pub enum Part {
    /// A range of a file's bytes.
    File {
        /// The whole file.
        data: Bytes,
        /// Where the part begins and ends in it.
        range: std::ops::Range<usize>,
    },
    /// Bytes that stand in no file as they are: relocated, or read from memory.
    Own(Vec<u8>),
}

impl Part {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Part::File { data, range } => (**data).as_ref().get(range.clone()).unwrap_or(&[]),
            Part::Own(bytes) => bytes,
        }
    }
}

impl Default for Part {
    fn default() -> Self {
        Part::Own(Vec::new())
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.bytes().len())
    }
}

/// The memory of a process, in which what a module states is where it was loaded.
#[derive(Clone, Copy)]
pub struct Loaded<'a>(pub &'a dyn Memory);

impl Stated for Loaded<'_> {
    fn fill(&self, at: LinkAddr, buf: &mut [u8]) -> bool {
        self.0.read(Addr(at.0), buf).is_ok()
    }

    fn part(&self, at: LinkAddr, len: u64) -> Option<Part> {
        let limit = usize::try_from(len).ok().filter(|_| len <= MAX_COPY)?;
        self.0.bytes(Addr(at.0), len, limit).ok().map(Part::Own)
    }
}
