//! The readers of the outside: files, core files, mapped files.
//!
//! A [`Core`] is the memory and the threads of a process that the Linux kernel (or gcore) wrote to a file. It is a
//! [`gopsy_mem::Memory`] like any other. It knows nothing of Go.
//! [`machine`] reads what the machine and the account allow.
//!
//! Invariants: a byte that a core answers with was in the core, or in the non-writable part of a file whose build id was
//! seen to agree; everything else is a fault with its reason. `unsafe` stands in one place ([`MappedFile`]).

#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects))]

mod core;
mod file;
pub mod input;
pub mod machine;
mod memory;
mod notes;

#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;

pub use core::{Attachment, Core, CoreSegment};
pub use file::MappedFile;
pub use notes::{FileMapping, ProcessInfo, Registers, SigInfo, Thread};

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
    /// A device, a FIFO, a directory.
    #[error("{0} is not a regular file")]
    NotRegular(std::path::PathBuf),
    /// It is no core.
    #[error("it is not a core file")]
    NotCore,
    /// It contradicts itself or ends too early.
    #[error("the core file is damaged: {0}")]
    Damaged(String),
    /// A core that gopsy cannot read yet.
    #[error("not supported yet: {0}")]
    NotSupported(String),
}
