//! What came of all cases.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::Outcome;

/// Something that no bytes should bring about.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What repeats it: the arguments of `zoo mutate`.
    pub case: String,
    /// What happened.
    pub what: String,
}

/// The sums of many cases.
#[derive(Debug, Default)]
pub struct Report {
    /// How many there were.
    pub cases: u64,
    /// Of how many something could be said.
    pub read: u64,
    /// All that was said, in one number that does not depend on the order.
    pub said: u64,
    /// Cores that are not read when they are sound, each with the reason: no case was made of them.
    pub left_out: Vec<String>,
    /// The longest, and which it was.
    pub longest: (Duration, String),
    /// The most memory that the process had during one, in bytes, and which it was.
    pub memory: (u64, String),
    /// How many cases had each finding, and the first of them.
    findings: BTreeMap<String, (u64, String)>,
}

impl Report {
    pub(super) fn add(&mut self, case: &str, outcome: &Outcome) {
        self.cases += 1;
        self.read += u64::from(outcome.read);
        let mut hasher = DefaultHasher::new();
        (case, outcome.said).hash(&mut hasher);
        self.said = self.said.wrapping_add(hasher.finish());
        if outcome.took > self.longest.0 {
            self.longest = (outcome.took, case.to_owned());
        }
        if outcome.memory > self.memory.0 {
            self.memory = (outcome.memory, case.to_owned());
        }
        for what in &outcome.wrong {
            self.add_finding(Finding { case: case.to_owned(), what: what.clone() });
        }
    }

    pub(super) fn add_finding(&mut self, finding: Finding) {
        // The same thing said of other numbers or values is the same finding.
        let what = finding.what.split(": ").next().unwrap_or_default();
        let what = if what == "panicked" { &finding.what } else { what };
        let what = what.replace(|c: char| c.is_ascii_digit(), "#");
        self.findings.entry(what).or_insert((0, format!("{}: {}", finding.case, finding.what))).0 += 1;
    }

    /// How many kinds of findings there are.
    pub fn findings(&self) -> usize {
        self.findings.len()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_case = |part: u64| (part * 100).checked_div(self.cases).unwrap_or(0);
        writeln!(f, "{} cases, {}% of which could be read", self.cases, per_case(self.read))?;
        writeln!(f, "longest {} ms: {}", self.longest.0.as_millis(), self.longest.1)?;
        writeln!(f, "peak memory {} MiB: {}", self.memory.0 >> 20, self.memory.1)?;
        for left_out in &self.left_out {
            writeln!(f, "left out {left_out}")?;
        }
        write!(f, "{} findings", self.findings.len())?;
        for (count, first) in self.findings.values() {
            write!(f, "\n  {count} times, first {first}")?;
        }
        Ok(())
    }
}
