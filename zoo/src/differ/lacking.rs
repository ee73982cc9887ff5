//! Runs that may leave no core. Every core that is left must be equal to what was printed.

use super::Cell;

/// The specimens that may leave no core with these Go versions. It only gets shorter.
const MAY_LACK_CORE: &[(&str, &[&str])] = &[
    // With those releases the kernel may write the core for longer than a run may take.
    ("oom-huge", &["1.16", "1.18", "1.20", "1.21"]),
];

/// Whether this run may leave no core.
pub fn may_lack_core(cell: &Cell<'_>) -> bool {
    MAY_LACK_CORE.iter().any(|(name, versions)| *name == cell.subject.name() && versions.contains(&cell.version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CORE_VERSIONS, Zoo, differ::every_cell};

    #[test]
    fn every_exception_is_a_run_that_there_is() {
        let zoo = Zoo::own().unwrap();
        let (cells, _) = every_cell(&zoo.specimens);
        for (name, versions) in MAY_LACK_CORE {
            assert!(versions.iter().all(|v| CORE_VERSIONS.contains(v)), "{name}");
            assert!(cells.iter().any(|c| c.subject.name() == *name), "{name}");
        }
        let lacking = cells.iter().filter(|c| may_lack_core(c)).count();
        assert!(lacking > 0 && lacking * 50 < cells.len(), "{lacking} of {}", cells.len());
    }
}
