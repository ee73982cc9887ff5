//! Stacks of a Go program: Go frames by pclntab, inlined frames, C frames, and the crossings between them.
//!
//! Two layers. [`Walk`] finds the frames that stand on a stack: pc, stack pointer, function, which stack, and how the pc
//! came to be known ([`Pc`]: interrupted at it, or to be returned to; so nobody has to remember the −1). [`frames`] turns
//! them into the model's frames, one for each function of the source, inlined ones included, under the names that the
//! runtime's own traceback prints.
//!
//! The rules are those of the runtime's unwinder (`runtime/traceback.go`, Go 1.27), which knows no frame pointers and no
//! CFI, with one more: where the runtime stops at a signal handler, this goes on through the kernel's signal frame to the
//! code that was interrupted. That is how one gets from the thread that a core shows (inside `raise`, on its signal
//! stack) to the goroutine that died.
//!
//! [`Walker::walk`] keeps to that. [`Walker::walk_thread`] begins with a thread's registers and goes through C too; see
//! `docs/unwinding.md`.
//!
//! Invariants: a walk ends; it says why it ended ([`End`]); every frame says how it was found ([`Found`]). In a walk of Go
//! frames every frame lies within a stack that the runtime knows, and where the tables say nothing the walk is over. Behind a
//! return address that a uretprobe has replaced a frame is inferred, if one call only can have led there, and marked
//! ([`Found::OnlyCall`]).
//!
//! Wrappers and the runtime's own functions are not hidden: the frames are those that the runtime prints under
//! `GOTRACEBACK=system` and above. Hiding is a matter of showing.

#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects))]

mod cfi;
mod code;
mod foreign;
mod frames;
mod handover;
mod name;
mod near;
mod registers;
mod replaced;
mod sigframe;
mod sites;
mod stacks;
mod thread;
mod walk;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod thread_tests;

pub use code::{Code, FuncRef};
pub use foreign::{Foreign, ForeignRef, Symbolised};
pub(crate) use frames::source_key;
pub use frames::{creation, definition, frames, frames_with, recorded};
pub use name::printed_name;
pub use registers::{Found, Register, RegisterSet};
pub use sigframe::SignalFrame;
pub use sites::Sites;
pub use stacks::{On, Stacks};
pub use walk::{End, Lost, Pc, RawFrame, Walk, Walker};
