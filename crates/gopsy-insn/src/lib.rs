//! Machine instructions of x86-64: where they go, what they read and write, how a person reads them.
//!
//! This is the only crate that knows a disassembler. What leaves it is an [`Insn`] with meanings of our own: its
//! [`Flow`], its [`Effects`] on registers and memory, and, for the plain ones, the [`Operation`] it is, so that "where did
//! this register's value come from" can be asked without a word about opcodes. A second architecture goes behind the
//! same types.
//!
//! A [`Decoder`] is total: any bytes give instructions that follow each other without a gap and end with the bytes. What
//! is no instruction is one byte long and of [`Flow::Invalid`], and decoding goes on behind that byte.
//!
//! Meanings are those of 64-bit mode on Intel's processors (Intel's manual, volume 2). AMD's differ for a near branch with
//! an operand-size prefix, which no compiler emits.
//!
//! Cost over the 6.9 MB of text of the go command of Go 1.26, release build, one core of a shared virtual machine:
//! 200 MB/s for instructions and their flow, 75 for their operation, 35 for their effects, 15 as text
//! (`examples/speed.rs`, the best of three; they vary by a third).

#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects))]

mod decoder;
mod effects;
mod insn;
mod mem;
mod operation;
mod reg;

#[cfg(test)]
mod tests;

pub use decoder::Decoder;
pub use effects::{Effects, MemUse, RegUse};
pub use insn::{Flow, Insn, Syntax};
pub use mem::{Access, Mem};
pub use operation::{Extend, Operand, Operation};
pub use reg::{Reg, RegPart};

use gopsy_mem::{Addr, LinkAddr};

/// An address that code can stand at: as stated in a file ([`LinkAddr`]) or as loaded ([`Addr`]). Instructions decoded at
/// the one kind speak of the same kind only.
pub trait Address: Copy + Eq + Ord + std::fmt::Debug + std::fmt::Display + sealed::Sealed {
    /// The address with that number.
    fn from_number(number: u64) -> Self;
    /// Its number.
    fn number(self) -> u64;
}

impl Address for Addr {
    fn from_number(number: u64) -> Self {
        Addr(number)
    }

    fn number(self) -> u64 {
        self.0
    }
}

impl Address for LinkAddr {
    fn from_number(number: u64) -> Self {
        LinkAddr(number)
    }

    fn number(self) -> u64 {
        self.0
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for gopsy_mem::Addr {}
    impl Sealed for gopsy_mem::LinkAddr {}
}
