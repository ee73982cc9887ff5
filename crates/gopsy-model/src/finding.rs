//! Claims, their evidence, and the verdict.

use crate::{Cause, Kind, Source, Str, Trust};

/// How sure a claim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Nothing is claimed.
    Unknown,
    /// The evidence allows it; so it does other explanations.
    Possible,
    /// The evidence speaks for it; others are less probable.
    Likely,
    /// The evidence excludes the alternatives.
    Certain,
}

impl Confidence {
    /// The word used on the wire and on the terminal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Confidence::Unknown => "unknown",
            Confidence::Possible => "possible",
            Confidence::Likely => "likely",
            Confidence::Certain => "certain",
        }
    }
}

/// One fact that a claim rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The fact, as a sentence.
    pub fact: String,
    /// Where it was read.
    pub source: Source,
    /// How well it is known.
    pub trust: Trust,
}

/// What a finding says about the death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The cause.
    pub cause: Cause,
    /// How sure.
    pub confidence: Confidence,
}

/// Something to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice(pub String);

/// A documented bug that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownIssue {
    /// `golang/go#20427`.
    pub id: String,
    /// What it is.
    pub title: String,
    /// Why it fits this death.
    pub why: String,
    /// The first release without it.
    pub fixed_in: Option<String>,
    /// Where it is described.
    pub source: Vec<String>,
}

/// The frame a person should open first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Culprit {
    /// The function.
    pub function: Str,
    /// The file, as the binary names it.
    pub file: Option<Str>,
    /// The line.
    pub line: Option<i64>,
    /// The goroutine it was found in.
    pub goroutine: Option<u64>,
    /// Why this frame and not another, where that is not plain.
    pub why: Option<String>,
}

/// A claim with its evidence. A rule that has no evidence makes none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule that made it (a stable name, for tests and logs).
    pub rule: &'static str,
    /// The claim as a sentence for a person.
    pub sentence: String,
    /// What it says about the cause, if it says anything about it.
    pub claim: Option<Claim>,
    /// What it rests on; never empty.
    pub evidence: Vec<Evidence>,
    /// What follows for the person.
    pub advice: Vec<Advice>,
    /// A documented bug that fits.
    pub known_issue: Option<KnownIssue>,
    /// A better culprit than the common rule would find.
    pub culprit: Option<Culprit>,
}

/// Another headline of the same text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Also {
    /// What it says.
    pub kind: Kind,
    /// The headline, as printed.
    pub headline: String,
    /// The line of the text at which that death begins; 0 for another headline of the same death.
    pub line: u64,
}

/// What gopsy says about a death.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What the runtime, the kernel or the race detector itself said.
    pub kind: Kind,
    /// Why; [`Cause::Unknown`] is an honest answer.
    pub cause: Cause,
    /// How sure the cause is.
    pub confidence: Confidence,
    /// The line that explains the death, as printed.
    pub headline: String,
    /// One or two sentences for a person.
    pub summary: String,
    /// The frame to open first.
    pub culprit: Option<Culprit>,
    /// What else the same text says of deaths.
    pub also: Vec<Also>,
    /// What to do next, most useful first.
    pub advice: Vec<Advice>,
    /// Documented bugs that fit.
    pub known_issues: Vec<KnownIssue>,
    /// Everything that was claimed, ranked.
    pub findings: Vec<Finding>,
    /// What was missing, and how to get it next time.
    pub unseen: Vec<String>,
}
