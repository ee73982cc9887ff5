//! Go's own structures: g, m, stacks, panics.
//!
//! Where the members stand ([`Layouts`]) comes from the build's own DWARF; of a stripped binary, from tables by full
//! version, and where its variables stand from its symbols or its code ([`globals`]). A release that lacks a member lacks it
//! in both, and the answer is then a reason, never a neighbouring word.
//! The structs of this crate are doppels: subsets of the runtime's, each member an answer of its own ([`Known`]), so that
//! one missing page costs one member.
//!
//! Invariants: layouts are held against the memory before they are believed ([`Proof`]); every list and every chain has
//! a bound and an end; nothing here knows whether the memory is that of a core or of a live process.

#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects))]

mod ancestors;
mod clock;
mod death;
mod defers;
mod floats;
mod g;
pub mod globals;
mod heap;
mod labels;
mod layouts;
mod m;
mod maps;
mod panics;
mod proof;
mod reader;
mod release;
mod scattered;
mod scheduler;
mod slots;
mod state;
mod tables;
mod timers;
mod types;
mod values;
mod variables;
mod version;
mod waits;

#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;

use gopsy_mem::{Fault, Why};

pub use ancestors::Ancestor;
pub use death::{Culprit, How};
pub use defers::Defer;
pub use floats::FloatFormat;
pub use g::{G, GoSignal, Gobuf, PossibleGoroutines, Standing};
pub use heap::{Span, SpanState};
pub use labels::Label;
pub use layouts::{Basis, Layouts};
pub use m::{M, Threads};
pub use panics::Panic;
pub use proof::{Proof, Refuted, Witness, forked_by};
pub use reader::{Runtime, missing};
pub use release::Release;
pub use scheduler::{P, PStatus, Scheduler};
pub use state::{GcPhase, Heap, Limits};
pub use timers::Timer;
pub use values::Functions;
pub use version::{StatedBy, StatedVersion};
pub use waits::{Channel, WaitsAt};

use gopsy_model::Known;

/// Why nothing can be said about the runtime's structures at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// A variable that every Go program has was found neither by debug information and symbols nor by the code that uses it.
    #[error("where {0} stands could not be found: by neither debug information, symbols nor code")]
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
        /// The memory was there and was not saved: that says nothing against the layouts.
        not_saved: bool,
    },
    /// The memory contradicts the layouts.
    #[error("the memory is not that of a Go program of any known layout{}", tried(.0))]
    DoNotFit(Vec<String>),
    /// The memory neither contradicts the layouts nor bears them out: most of it is missing.
    #[error("nothing in the memory bears out how the runtime would be read{}", tried(.0))]
    NotBorneOut(Vec<String>),
}

/// What there is to say of the layouts that were tried, of each why it was refused: of the first, which is the program's own where
/// that is known.
fn tried(refused: &[String]) -> String {
    match refused {
        [] => String::new(),
        [only] => format!(": {only}"),
        [first, ..] => format!(": {} layouts were tried, first {first}", refused.len()),
    }
}

impl RuntimeError {
    /// A list that cannot be read because of that fault.
    pub(crate) fn unreadable(what: &'static str, fault: Fault) -> RuntimeError {
        RuntimeError::Unreadable { what, why: fault.to_string(), not_saved: fault.why == Why::NotHeld }
    }
}
