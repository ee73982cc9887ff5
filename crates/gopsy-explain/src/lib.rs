//! Rules: from questions to a [`Program`] to findings and a verdict.
//!
//! [`explain`] reads the kind (what was said), runs every rule, matches the known bugs, and ranks what they claim.
//! Rules know nothing of files: a text and a core are the same to them. A rule that cannot show evidence does not
//! fire, and `unknown` is an honest answer.

mod about;
mod case;
mod culprit;
mod kind;
mod knowledge;
mod packages;
mod passed_on;
mod quoted;
mod recursion;
mod rules;
mod throws;
mod verdict;

pub use about::{Page, about, pages};
pub use knowledge::known_bugs;
pub use packages::{Owner, Owners, carries, is_standard};

use case::Case;
use gopsy_model::{Headline, Verdict};
use gopsy_program::Program;

/// Explains one death.
#[must_use]
pub fn explain(program: &Program) -> Verdict {
    let case = Case::new(program);
    let mut findings = rules::run(&case);
    findings.extend(knowledge::matching(&case));
    verdict::judge(&case, findings)
}

/// Explains one of several deaths of a text; the others are listed in [`Verdict::also`].
#[must_use]
pub fn explain_among(programs: &[Program], which: usize) -> Option<Verdict> {
    let mut verdict = explain(programs.get(which)?);
    for (i, program) in programs.iter().enumerate() {
        if i != which {
            verdict.also.push(verdict::in_a_line(&Case::new(program)));
        }
        if verdict.also.len() >= MAX_ALSO {
            break;
        }
    }
    Some(verdict)
}

/// Other deaths that are listed beside the one that is explained.
const MAX_ALSO: usize = 1000;

/// Which of several deaths in one text explains the end of the process: the first that a process does not survive.
///
/// A served panic, a race report and a dump of goroutines are survived; they count only if nothing else is there.
#[must_use]
pub fn main_crash(programs: &[Program]) -> Option<usize> {
    let rank = |p: &Program| {
        let crash = p.crash();
        let fatal = crash.headlines.iter().any(|h| match h {
            Headline::Panic(_)
            | Headline::Fatal(_)
            | Headline::FaultAddress(_)
            | Headline::Exception(_)
            | Headline::Native(_) => true,
            Headline::Signal(s) => &*s.name != "SIGQUIT",
            Headline::ServedPanic { .. } | Headline::Race(_) | Headline::Outside(_) => false,
        });
        let survived = !crash.headlines.is_empty() || !crash.diagnostics.is_empty();
        if fatal { 2 } else { u8::from(survived) }
    };
    let best = programs.iter().map(rank).max()?;
    programs.iter().position(|p| rank(p) == best)
}

/// `go1.26.8` → 26.
pub(crate) fn rules_minor(version: &str) -> Option<u32> {
    rules::minor(version)
}

#[cfg(test)]
mod tests {
    use gopsy_model::{Frame, Known};

    /// A frame for tests of rules.
    pub(crate) fn frame(name: &str, file: &str, line: i64) -> Frame {
        Frame {
            file: if file.is_empty() { Known::not_printed() } else { Known::printed(file.into()) },
            line: Known::printed(line),
            ..Frame::named(name)
        }
    }
}
