//! The readers of the outside: files, core files, mapped files.
//!
//! A [`Core`] is the memory and the threads of a process that the Linux kernel (or gcore) wrote to a file. It is a
//! [`gopsy_mem::Memory`] like any other. It knows nothing of Go.
//! [`machine`] reads what the machine and the account allow.
//!
//! Invariants: a byte that a core answers with was in the core, or in the non-writable part of a file whose build id was
//! seen to agree; everything else is a fault with its reason. `unsafe` stands in one place ([`MappedFile`] and what guards it).

#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects))]

mod attach;
mod completeness;
mod content;
mod core;
mod file;
pub mod finder;
mod headers;
mod http;
pub mod input;
pub mod machine;
mod mapped;
mod memory;
mod notes;
mod rebuilt;
mod registers;
mod signals;
mod unpack;

#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;

pub use attach::{Attachment, Comparison, Told};
pub use completeness::{Amount, Completeness, Lost, MemoryKind};
pub use core::{Core, CoreSegment};
pub use file::{MappedFile, changed_files};
pub use headers::{Damage, OtherMachine};
pub use mapped::MappedElf;
pub use notes::{FileMapping, ProcessInfo, SigInfo, Thread};
pub use registers::Registers;
pub use signals::{has_fault_address, signal_name};
pub use unpack::{Format, Limits, Stopped, Unpacked};

/// Why a file cannot be read as what it was taken for.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The system refused.
    #[error("cannot read {path}: {error}")]
    Io {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A compressed core that could not be unpacked far enough to be read.
    #[error("cannot unpack {path}: {why}")]
    Unpack {
        /// The compressed file.
        path: std::path::PathBuf,
        /// What stopped it.
        why: String,
    },
    /// A device, a FIFO, a directory.
    #[error("{0} is not a regular file")]
    NotRegular(std::path::PathBuf),
    /// It is no core.
    #[error("it is not a core file")]
    NotCore,
    /// It contradicts itself or ends too early.
    #[error("the core file is damaged: {0}")]
    Damaged(String),
    /// A core of a machine that gopsy does not read, and what can be said of it.
    #[error("not supported yet: {0}; only 64-bit cores of amd64 and arm64 can be read")]
    OtherMachine(Box<OtherMachine>),
}
