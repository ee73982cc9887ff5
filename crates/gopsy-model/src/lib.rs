//! The words that every part of gopsy agrees on.
//!
//! Plain data: no I/O, no parsing, nothing that serialises itself (wire forms belong to `gopsy-report`).
//! A [`Goroutine`] has frames, a [`Crash`] is what was said about a death, a [`Finding`] is a claim with its
//! evidence, a [`Verdict`] is the findings, ranked. Every answer that may be absent or doubtful is a [`Known`].
//!
//! Invariants: nothing here depends on where the data came from (a text, a core, a live process), and a value
//! without a source cannot be built: [`Known::have`] asks for both its trust and its source.

mod crash;
mod finding;
mod frame;
mod goroutine;
mod identity;
mod known;
mod race;
mod taxonomy;

pub use crash::{
    Crash, Exception, Headline, HeldValue, PanicLine, Registers, Running, Sender, Signal, StackDump, StackWord, TestRun,
};
pub use finding::{Advice, Also, Claim, Confidence, Culprit, Evidence, Finding, KnownIssue, Verdict};
pub use frame::{Arg, Args, Creation, Elision, Frame, FunctionName, Stack, is_uprobe_page};
pub use goroutine::{Brief, Bubble, BubbleKind, Goroutine, Role, Status, WaitsAt};
pub use identity::Identity;
pub use known::{Known, Merged, Missing, Source, Trust};
pub use race::{Access, AccessKind, RaceReport, RaceSection};
pub use taxonomy::{Cause, Kind, ParseSlugError};

/// A string shared by many answers (a function name occurs in thousands of frames).
pub type Str = std::sync::Arc<str>;
