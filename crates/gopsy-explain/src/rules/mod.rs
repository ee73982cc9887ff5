//! Rules: one file a family, each a pure function from a [`Case`] to findings.
//!
//! A rule that cannot show evidence does not fire. A claim's confidence says what the evidence excludes: `certain`
//! every alternative, `likely` the usual ones, `possible` none.

mod address;
mod bounds;
mod channels;
mod foreign;
mod hooks;
mod limits;
mod locks;
mod maps;
mod memory;
mod nil;
mod own;
mod passed_on;
mod sent;
mod stacks;
mod tests_and_races;
pub(crate) mod throws;
mod values;
mod waits;

use crate::case::Case;
use crate::packages::Owner;
use gopsy_model::{Advice, Cause, Claim, Confidence, Culprit, Evidence, Finding};

/// A rule.
type Rule = fn(&Case<'_>) -> Vec<Finding>;

/// All rules, in the order in which equally strong claims are preferred: the more special first.
const RULES: &[Rule] = &[
    hooks::rules,
    foreign::rules,
    nil::rules,
    bounds::rules,
    channels::rules,
    maps::rules,
    waits::rules,
    stacks::rules,
    memory::rules,
    limits::rules,
    address::rules,
    tests_and_races::rules,
    throws::rules,
    values::rules,
    own::rules,
    sent::rules,
];

/// What all rules say about a case.
pub(crate) fn run(case: &Case<'_>) -> Vec<Finding> {
    if let Some(finding) = passed_on::rule(case) {
        // What the others say is about the frame that panicked last.
        return vec![finding];
    }
    RULES.iter().flat_map(|rule| rule(case)).filter(|f| !f.evidence.is_empty()).collect()
}

/// A finding in the making.
pub(crate) struct Draft(Finding);

/// Begins a finding: the rule's name and the claim as a sentence.
pub(crate) fn draft(rule: &'static str, sentence: impl Into<String>) -> Draft {
    Draft(Finding {
        rule,
        sentence: sentence.into(),
        claim: None,
        evidence: Vec::new(),
        advice: Vec::new(),
        known_issue: None,
        culprit: None,
    })
}

impl Draft {
    pub(crate) fn claims(mut self, cause: Cause, confidence: Confidence) -> Self {
        self.0.claim = Some(Claim { cause, confidence });
        self
    }

    pub(crate) fn because(mut self, evidence: Evidence) -> Self {
        self.0.evidence.push(evidence);
        self
    }

    pub(crate) fn because_all(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.0.evidence.extend(evidence);
        self
    }

    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.0.advice.push(Advice(advice.into()));
        self
    }

    pub(crate) fn blames(mut self, culprit: Option<Culprit>) -> Self {
        self.0.culprit = culprit;
        self
    }

    pub(crate) fn done(self) -> Finding {
        self.0
    }
}

/// `file.go:12`, or what is known of it.
pub(crate) fn place(frame: &gopsy_model::Frame) -> String {
    let name = frame.function.value().map_or("?", |n| n.as_str());
    match (frame.file.value(), frame.line.value()) {
        (Some(file), Some(line)) => {
            let base = file.rsplit(['/', '\\']).next().unwrap_or(file);
            format!("{name} ({base}:{line})")
        }
        _ => name.to_owned(),
    }
}

/// The innermost frame that somebody wrote belongs to the standard library: its caller is only one suspect.
pub(crate) fn failed_in_library(case: &Case<'_>) -> bool {
    failed_in_library_below(case, |_| false)
}

/// The same of the frames below those of some packages.
pub(crate) fn failed_in_library_below(case: &Case<'_>, above: impl Fn(&str) -> bool) -> bool {
    case.path()
        .iter()
        .filter(|f| !f.function.value().and_then(|n| n.package()).is_some_and(&above))
        .map(|f| case.owner(f))
        .find(|o| !matches!(o, Owner::Carrier | Owner::Runtime | Owner::Generated))
        .is_some_and(|o| o == Owner::Standard)
}

/// `go1.26.8` → 26.
pub(crate) fn minor(version: &str) -> Option<u32> {
    maps::minor(version)
}
