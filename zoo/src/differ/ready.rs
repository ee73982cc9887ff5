//! What is known to differ. Everything else must be equal and stay so.

use crate::BuildMode;

use super::Cell;

/// Runs that need not be equal, and why.
#[derive(Debug)]
pub struct NotReady {
    /// The specimen, or the public program.
    pub name: &'static str,
    /// Go versions.
    pub versions: &'static [&'static str],
    /// Build modes; none are all of them.
    pub modes: &'static [BuildMode],
    /// It may leave no core at all. One that it leaves must be equal.
    pub no_core: bool,
    /// What differs, and why nothing was done about it yet.
    pub reason: &'static str,
}

const ABORT_IN_C: &str = "the text has a goroutine 0 without frames, which Go 1.16 could not print; the core has no such \
                          stack, because the thread stands in C alone";

const fn aborts_in_c(name: &'static str) -> NotReady {
    NotReady { name, versions: &["1.16"], modes: &[], no_core: false, reason: ABORT_IN_C }
}

/// The list. It only gets shorter.
pub const NOT_READY: &[NotReady] = &[
    aborts_in_c("abort-in-c"),
    aborts_in_c("assert-in-c"),
    aborts_in_c("cpu-too-old"),
    aborts_in_c("free-twice-in-c"),
    NotReady {
        name: "oom-huge",
        versions: &["1.16", "1.18", "1.20", "1.21"],
        modes: &[],
        no_core: true,
        reason: "with those releases the kernel may write the core for longer than a run may take",
    },
];

fn listed(cell: &Cell<'_>) -> Option<&'static NotReady> {
    let any = |list: &[&str], word: &str| list.is_empty() || list.contains(&word);
    NOT_READY.iter().find(|entry| {
        entry.name == cell.subject.name()
            && any(entry.versions, cell.version)
            && (entry.modes.is_empty() || entry.modes.contains(&cell.mode))
    })
}

/// Whether this run must be equal.
pub fn is_ready(cell: &Cell<'_>) -> bool {
    listed(cell).is_none_or(|entry| entry.no_core)
}

/// Whether this run may leave no core.
pub fn may_lack_core(cell: &Cell<'_>) -> bool {
    listed(cell).is_some_and(|entry| entry.no_core)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CORE_VERSIONS, Zoo, differ::every_cell};

    #[test]
    fn every_exception_is_a_run_that_there_is() {
        let zoo = Zoo::own().unwrap();
        let (cells, _) = every_cell(&zoo.specimens);
        for entry in NOT_READY {
            assert!(entry.reason.len() > 40, "{}", entry.name);
            assert!(entry.versions.iter().all(|v| CORE_VERSIONS.contains(v)), "{}", entry.name);
            assert!(cells.iter().any(|c| listed(c).is_some_and(|l| l.name == entry.name)), "{}", entry.name);
        }
        let ready = cells.iter().filter(|c| is_ready(c)).count();
        assert!(ready * 50 > cells.len() * 49, "{ready} of {}", cells.len());
    }
}
