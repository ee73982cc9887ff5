//! One run of one Go program, from whatever evidence there is.
//!
//! A [`Program`] is **asked, not filled**: each question reads only what it needs. Rules and commands know this type
//! and nothing of files; a new kind of source is a new [`Evidence`], and no rule changes.
//!
//! Stacks are named by their index ([`StackId`]) in the order in which the source has them.

mod core;
mod group;
pub mod key;
mod text;
mod with_binary;
mod with_text;

pub use core::{
    AnyCore, CoreError, CoreEvidence, CoreOptions, Interrupted, Modules, UnreadCore, ask_runtime, interrupted,
};
pub use group::{By, Change, ChangeKind, Filter, Group, Shared, diff, group, is_status, shared};
pub use text::TextEvidence;
pub use with_binary::TextWithBinary;
pub use with_text::{Agreement, CoreWithText, Fit};

use gopsy_model::{Brief, Crash, Goroutine, Identity, Source, Stack, Status};

/// The index of a goroutine or thread stack within its [`Program`].
pub type StackId = usize;

/// What a source of evidence can be asked. Object-safe: a Program holds any of them.
///
/// Contract: answers do not change while the Program lives (a live process is recorded first); an id below
/// [`Evidence::stack_count`] is always answered, if only by absences; no method panics.
pub trait Evidence {
    /// What kind of source this is.
    fn source(&self) -> Source;
    /// What was said about the death.
    fn crash(&self) -> &Crash;
    /// Which program it was.
    fn identity(&self) -> Identity;
    /// How many goroutines and thread stacks there are.
    fn stack_count(&self) -> usize;
    /// Which of them are goroutines, where the source keeps other stacks behind them; else all.
    fn goroutines(&self) -> std::ops::Range<StackId> {
        0..self.stack_count()
    }
    /// A goroutine or thread without its frames.
    fn goroutine(&self, id: StackId) -> Goroutine;
    /// Its frames.
    fn stack(&self, id: StackId) -> Stack;
    /// The frames of C that called into Go, where a goroutine stands in such a call: the innermost ones of several; innermost first.
    fn called_from_c(&self, _id: StackId) -> Option<Stack> {
        None
    }
    /// What a person must know before all else: that evidence does not belong together.
    fn alarms(&self) -> Vec<String> {
        Vec::new()
    }
    /// What a person should know about how the evidence was read: what was skipped, what is missing.
    fn notes(&self) -> Vec<String>;

    /// The same number for all stacks that belong to one group, within this source: [`key::stack_key`], or what a
    /// source can compute faster.
    fn stack_key(&self, id: StackId) -> u64 {
        key::stack_key(&self.goroutine(id), &self.stack(id))
    }

    /// What a count of goroutines asks about each of them.
    fn brief(&self, id: StackId) -> Brief {
        let goroutine = self.goroutine(id);
        let state = match (goroutine.wait_reason.into_value(), goroutine.status.into_value()) {
            (Some(reason), _) => reason,
            (None, Some(Status::Other(word))) => word,
            (None, Some(status)) => status.as_str().into(),
            (None, None) => Brief::NO_STATE.into(),
        };
        Brief { state, wait_minutes: goroutine.wait_minutes.into_value(), copies: goroutine.copies }
    }
}

/// One run of one Go program.
pub struct Program {
    evidence: Box<dyn Evidence>,
}

impl Program {
    /// A program known from one source.
    pub fn new(evidence: impl Evidence + 'static) -> Self {
        Program { evidence: Box::new(evidence) }
    }

    /// How many goroutines and thread stacks the source has, those of other deaths included.
    #[must_use]
    pub fn stack_count(&self) -> usize {
        self.evidence.stack_count()
    }

    /// Which of them are goroutines, where the source keeps the stacks of threads behind them; else all.
    #[must_use]
    pub fn goroutines(&self) -> std::ops::Range<StackId> {
        self.evidence.goroutines()
    }

    /// What kind of source answers.
    #[must_use]
    pub fn source(&self) -> Source {
        self.evidence.source()
    }

    /// What was said about the death.
    #[must_use]
    pub fn crash(&self) -> &Crash {
        self.evidence.crash()
    }

    /// Which program it was.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.evidence.identity()
    }

    /// The stacks that belong to this death.
    #[must_use]
    pub fn stacks(&self) -> std::ops::Range<StackId> {
        self.evidence.crash().stacks.clone()
    }

    /// A goroutine or thread without its frames.
    #[must_use]
    pub fn goroutine(&self, id: StackId) -> Goroutine {
        self.evidence.goroutine(id)
    }

    /// The frames of a goroutine or thread.
    #[must_use]
    pub fn stack(&self, id: StackId) -> Stack {
        self.evidence.stack(id)
    }

    /// The frames of C that called into Go, where a goroutine stands in such a call, as far as the source has them: the innermost
    /// ones of several; innermost first.
    #[must_use]
    pub fn called_from_c(&self, id: StackId) -> Option<Stack> {
        self.evidence.called_from_c(id)
    }

    /// The stack that failed, if one can be named.
    #[must_use]
    pub fn crashed(&self) -> Option<StackId> {
        self.evidence.crash().crashed
    }

    /// What a person must know before all else: that evidence does not belong together.
    #[must_use]
    pub fn alarms(&self) -> Vec<String> {
        self.evidence.alarms()
    }

    /// What a person should know about how the evidence was read.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.evidence.notes()
    }

    /// The same number for all stacks that belong to one group, within this program.
    #[must_use]
    pub fn stack_key(&self, id: StackId) -> u64 {
        self.evidence.stack_key(id)
    }

    /// What a count of goroutines asks about each of them.
    #[must_use]
    pub fn brief(&self, id: StackId) -> Brief {
        self.evidence.brief(id)
    }
}
