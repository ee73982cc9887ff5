//! Counts of many runs, in words and as a table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::{BuildMode, CORE_VERSIONS};

use super::{Cell, Outcome};

/// What came of many runs.
#[derive(Debug, Default)]
pub struct Report {
    runs: usize,
    equal: usize,
    /// Equal but for permitted differences.
    permitted_only: usize,
    different: usize,
    /// Not equal, or not compared though they should leave a core and a text.
    wrong: usize,
    permitted: BTreeMap<&'static str, usize>,
    /// Of each kind: how many differences, in which runs.
    kinds: BTreeMap<String, Kind>,
    unreadable: BTreeMap<String, Kind>,
    /// Everything else that is no comparison, by what it is.
    others: BTreeMap<String, Kind>,
    skipped: BTreeMap<String, usize>,
    table: BTreeMap<(&'static str, BuildMode), Square>,
}

#[derive(Debug, Default)]
struct Kind {
    count: usize,
    runs: BTreeSet<String>,
    example: String,
}

impl Kind {
    fn add(&mut self, run: String, example: impl FnOnce() -> String) {
        if self.count == 0 {
            self.example = example();
        }
        self.count += 1;
        self.runs.insert(run);
    }
}

/// One cell of the table.
#[derive(Debug, Default, Clone, Copy)]
struct Square {
    equal: usize,
    different: usize,
    unreadable: usize,
    none: usize,
}

impl Report {
    /// Counts one run. The line says what differs first; nothing is said of a run without a difference.
    pub fn add(&mut self, cell: &Cell<'_>, outcome: &Outcome) -> Option<String> {
        let name = cell.name();
        let key = (cell.version, cell.mode);
        if let Outcome::Skipped(why) = outcome {
            *self.skipped.entry(why.clone()).or_default() += 1;
            return None;
        }
        let square = self.table.entry(key).or_default();
        self.runs += 1;
        self.wrong += usize::from(outcome.is_wrong(cell));
        let mut other = |what: String| {
            square.none += 1;
            self.others.entry(what.clone()).or_default().add(name.clone(), || name.clone());
            Some(format!("{name}: {what}"))
        };
        match outcome {
            Outcome::Compared { different, permitted } => {
                for name in permitted.keys() {
                    *self.permitted.entry(name).or_default() += 1;
                }
                for difference in different {
                    let kind = self.kinds.entry(difference.group()).or_default();
                    kind.add(name.clone(), || format!("{name}: {difference}"));
                }
                let Some(first) = different.first() else {
                    square.equal += 1;
                    *if permitted.is_empty() { &mut self.equal } else { &mut self.permitted_only } += 1;
                    return None;
                };
                square.different += 1;
                self.different += 1;
                Some(format!("{name}: {} differences, first {first}", different.len()))
            }
            Outcome::Unreadable(why) => {
                square.unreadable += 1;
                self.unreadable.entry(why.clone()).or_default().add(name.clone(), || name.clone());
                Some(format!("{name}: the core cannot be read: {why}"))
            }
            Outcome::Panicked => other("gopsy panicked".to_owned()),
            Outcome::NoCore(why) => other(format!("no core: {why}")),
            Outcome::NoText => other("no death in the text".to_owned()),
            Outcome::NotMade(why) => other(format!("not made: {why}")),
            Outcome::Skipped(_) => None,
        }
    }

    /// Whether every run was compared and equal, but for those that may lack a core or a text.
    pub fn is_right(&self) -> bool {
        self.runs > 0 && self.wrong == 0
    }

    /// How many runs were made.
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// Runs that this machine could not make, by reason.
    pub fn skipped(&self) -> &BTreeMap<String, usize> {
        &self.skipped
    }

    /// The counts, and each kind of difference with an example.
    pub fn counts(&self) -> String {
        let mut said = String::new();
        let unreadable: usize = self.unreadable.values().map(|k| k.count).sum();
        let others: usize = self.others.values().map(|k| k.count).sum();
        let _ = writeln!(
            said,
            "{} runs: {} equal, {} equal but for what is permitted, {} different, {unreadable} cores not readable, \
             {others} without a comparison",
            self.runs, self.equal, self.permitted_only, self.different
        );
        for (name, count) in &self.permitted {
            let _ = writeln!(said, "  permitted: {name} in {count} runs");
        }
        for (heading, kinds) in
            [("different", &self.kinds), ("not readable", &self.unreadable), ("not compared", &self.others)]
        {
            let mut kinds: Vec<_> = kinds.iter().collect();
            kinds.sort_by_key(|(_, kind)| std::cmp::Reverse(kind.runs.len()));
            for (name, kind) in kinds {
                let _ = writeln!(
                    said,
                    "  {heading}: {name}: {} in {} runs, such as {}",
                    kind.count,
                    kind.runs.len(),
                    kind.example
                );
            }
        }
        for (why, count) in &self.skipped {
            let _ = writeln!(said, "  skipped {count}: {why}");
        }
        said
    }

    /// Versions × modes in Markdown: equal of all runs, and how many of the others have no comparison.
    pub fn table(&self) -> String {
        let mut said = String::from("| Go |");
        for mode in BuildMode::ALL {
            let _ = write!(said, " {mode} |");
        }
        let _ = writeln!(said, "\n|---|{}", "---|".repeat(BuildMode::ALL.len()));
        for version in CORE_VERSIONS {
            let _ = write!(said, "| {version} |");
            for mode in BuildMode::ALL {
                let square = self.table.get(&(version, mode)).copied().unwrap_or_default();
                let _ = write!(said, " {} |", square.words());
            }
            said.push('\n');
        }
        said.push_str(
            "\nEqual runs of all that left a core and a text; `u`: of those, cores that cannot be read; `n`: runs that left no \
             core, no text, or could not be made, which are not counted among them.\n",
        );
        said
    }
}

impl Square {
    fn words(self) -> String {
        let all = self.equal + self.different + self.unreadable;
        if all + self.none == 0 {
            return "–".to_owned();
        }
        let mut said = format!("{}/{all}", self.equal);
        for (count, letter) in [(self.unreadable, 'u'), (self.none, 'n')] {
            if count > 0 {
                let _ = write!(said, " {count}{letter}");
            }
        }
        said
    }
}
