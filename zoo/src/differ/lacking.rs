//! Runs that may leave no core, or no text. Every core and text that is left must be equal.

use super::Cell;
use crate::BuildMode;

/// Runs that may lack something.
struct Lacking {
    specimen: &'static str,
    versions: &'static [&'static str],
    /// All modes when there is none.
    modes: &'static [BuildMode],
}

impl Lacking {
    fn is_of(&self, cell: &Cell<'_>) -> bool {
        self.specimen == cell.subject.name()
            && self.versions.contains(&cell.version)
            && (self.modes.is_empty() || self.modes.contains(&cell.mode))
    }
}

/// The runs that may leave no core. It only gets shorter.
const MAY_LACK_CORE: &[Lacking] = &[
    // With those releases the kernel may write the core for longer than a run may take.
    Lacking { specimen: "oom-huge", versions: &["1.16", "1.18", "1.20", "1.21"], modes: &[] },
];

/// The runs that may leave no text.
const MAY_LACK_TEXT: &[Lacking] = &[
    // Where the system stack is one of C it may end before its guard. The handler of those releases then reads below it, faults itself,
    // and the kernel ends the process without a word (`preparePanic` in `runtime/signal_amd64.go`).
    Lacking {
        specimen: "recursion-on-system-stack",
        versions: &["1.16", "1.18", "1.20"],
        modes: &[BuildMode::Race, BuildMode::Cgo],
    },
    // Up to Go 1.21 `morestack` aborts, and a library leaves that signal to its program (`sigInstallGoHandler` in `runtime/signal_unix.go`).
    Lacking {
        specimen: "recursion-on-system-stack",
        versions: &["1.16", "1.18", "1.20", "1.21"],
        modes: &[BuildMode::Library],
    },
];

/// Whether this run may leave no core.
pub fn may_lack_core(cell: &Cell<'_>) -> bool {
    MAY_LACK_CORE.iter().any(|lacking| lacking.is_of(cell))
}

/// Whether this run may leave no text.
pub fn may_lack_text(cell: &Cell<'_>) -> bool {
    MAY_LACK_TEXT.iter().any(|lacking| lacking.is_of(cell))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CORE_VERSIONS, Zoo, differ::every_cell};

    #[test]
    fn every_exception_is_a_run_that_there_is() {
        let zoo = Zoo::own().unwrap();
        let (cells, _) = every_cell(&zoo.specimens);
        for Lacking { specimen, versions, modes } in MAY_LACK_CORE.iter().chain(MAY_LACK_TEXT) {
            assert!(versions.iter().all(|v| CORE_VERSIONS.contains(v)), "{specimen}");
            let of = |mode: BuildMode| cells.iter().any(|c| c.subject.name() == *specimen && c.mode == mode);
            assert!(of(BuildMode::Plain) && modes.iter().all(|mode| of(*mode)), "{specimen}");
        }
        let lacking = cells.iter().filter(|c| may_lack_core(c) || may_lack_text(c)).count();
        assert!(lacking > 0 && lacking * 50 < cells.len(), "{lacking} of {}", cells.len());
    }
}
