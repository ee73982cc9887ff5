//! Go's own structures: g, m, stacks, panics.
//!
//! Where the members stand comes from the build's own DWARF ([`Layouts`]): a release that lacks a member lacks it in
//! DWARF too, and the answer is then a reason, never a neighbouring word. No Go version is compared anywhere here.
//! The structs of this crate are doppels: subsets of the runtime's, each member an answer of its own ([`Known`]), so that
//! one missing page costs one member.
//!
//! Invariants: layouts are proved before they are believed (`m.g0.m == m` for every m); every list and every chain has
//! a bound and an end; nothing here knows whether the memory is that of a core or of a live process.

#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects))]

mod ancestors;
mod clock;
mod death;
mod g;
pub mod globals;
mod labels;
mod layouts;
mod m;
mod panics;
mod proof;
mod reader;
mod release;
mod slots;
mod tables;
mod types;
mod variables;

#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;

pub use ancestors::Ancestor;
pub use death::{Culprit, How};
pub use g::{G, GoSignal, Gobuf, Goroutines, Standing};
pub use labels::Label;
pub use layouts::{Basis, Layouts};
pub use m::{M, Threads};
pub use panics::Panic;
pub use proof::{Proof, Witness};
pub use reader::{Runtime, missing};
pub use release::Release;

use gopsy_model::Known;

/// Why nothing can be said about the runtime's structures at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// The debug information lacks a type or variable that every Go program has.
    #[error("the debug information names no {0}: it is not that of a Go program, or it was cut")]
    NotDescribed(&'static str),
    /// The binary has no debug information, and a variable that every Go program has was not found otherwise.
    #[error("where {0} stands could not be found: the binary has neither debug information nor symbols")]
    NotFound(&'static str),
    /// Debug information could not be read.
    #[error(transparent)]
    Image(#[from] gopsy_image::ImageError),
    /// The memory that names the goroutines or threads cannot be read.
    #[error("the list of {what} cannot be read: {why}")]
    Unreadable {
        /// What the list names.
        what: &'static str,
        /// Why not.
        why: String,
    },
    /// The memory contradicts the layouts.
    #[error("the memory is not that of a Go program of any known layout:{}", .0.iter().map(|w| format!("\n  {w}")).collect::<String>())]
    DoNotFit(Vec<String>),
}
