//! Addresses of a target, ranges, and the one trait through which its memory is read.
//!
//! A core, a live process, a file and a mock are the same thing to everything above: a [`Memory`]. Reading is
//! total: bytes or a [`Fault`] that says which address failed and why; there is no partial success and no panic.
//!
//! Two kinds of address never mix: a [`LinkAddr`] is *stated in the file* (what the linker wrote into headers, pclntab
//! and DWARF), an [`Addr`] is *as loaded*. A [`Bias`] turns one into the other. Neither is a `usize`: the target need
//! not have the word size of the machine that reads it.
//!
//! Words are read little-endian and 8 bytes wide: that is what the targets known so far are (linux/amd64, linux/arm64).

#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects))]

mod addr;
mod memory;

pub use addr::{Addr, Bias, LinkAddr, Range};
pub use memory::{Fault, Memory, MemoryExt, SliceMemory, Why};
