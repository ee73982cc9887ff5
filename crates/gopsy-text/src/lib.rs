//! Every crash text that Go ever printed, into goroutines, frames, panics, signals and race reports.
//!
//! [`read`] takes bytes of any origin: a terminal's scrollback, a pod's log, a CI log, an issue; compressed, prefixed,
//! quoted, wrapped, cut anywhere. It never fails for what it reads (only for what the reader behind it reports), and
//! it never drops a goroutine: what is damaged is kept as far as it goes.
//!
//! How it works, bottom up:
//! - `scan`: bytes that may end anywhere;
//! - `header`, `frame`, `headline`, `race`, `debugger`, `first_releases`: one kind of line each;
//! - `grammar`: one stream of lines as a state machine, mending damage as it goes; `flat` and `escaped` give it the
//!   lines of texts whose line feeds are lost or escaped; `assemble` makes deaths of what is said;
//! - `stream`: carriers, learnt from the lines themselves, one grammar a stream;
//! - `store`: where frames live, every repeated string once; [`Dump`] answers questions from there.
//!
//! Invariants: no panic and no quadratic time on any bytes; memory is bounded by a small multiple of what the text
//! says, not of its size (a log of a gigabyte without a crash needs a few megabytes).

#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects))]

mod assemble;
mod carrier;
mod debugger;
mod dump;
mod escaped;
mod first_releases;
mod flat;
mod frame;
mod grammar;
mod header;
mod headline;
mod identity;
mod input;
mod json;
mod race;
mod scan;
mod store;
mod stream;
mod template;
mod utf16;
mod window;
mod words;

pub use dump::Dump;
pub use input::{Options, read, read_bytes};
