//! Which specimens are made with which Go version in which build mode.

use std::collections::BTreeMap;

use crate::{BuildMode, CORE_VERSIONS, Mode, PublicProgram, Specimen, Subject};

/// One run: a specimen or a public program, a Go version and a build mode.
#[derive(Debug, Clone, Copy)]
pub struct Cell<'a> {
    pub subject: Subject<'a>,
    pub version: &'static str,
    pub mode: BuildMode,
}

impl Cell<'_> {
    /// `index-range go1.27 pie`
    pub fn name(&self) -> String {
        format!("{} go{} {}", self.subject.name(), self.version, self.mode)
    }
}

/// Every run there could be, and how many are left out for which reason.
pub fn every_cell(specimens: &[Specimen]) -> (Vec<Cell<'_>>, BTreeMap<&'static str, usize>) {
    let (mut cells, mut left_out) = (Vec::new(), BTreeMap::new());
    for specimen in specimens {
        for version in CORE_VERSIONS {
            for mode in BuildMode::ALL {
                match why_not(specimen, version, mode) {
                    Some(why) => *left_out.entry(why).or_default() += 1,
                    None => cells.push(Cell { subject: Subject::Specimen(specimen), version, mode }),
                }
            }
        }
    }
    (cells, left_out)
}

/// Every run of the public programs.
pub fn program_cells(programs: &[PublicProgram]) -> Vec<Cell<'_>> {
    let mut cells = Vec::new();
    for program in programs {
        for version in CORE_VERSIONS.into_iter().filter(|v| program.versions.contains_key(*v)) {
            let subject = Subject::Program(program);
            // Nobody but the go command builds them.
            let modes = BuildMode::ALL.into_iter().filter(|mode| *mode != BuildMode::Library);
            cells.extend(modes.map(|mode| Cell { subject, version, mode }));
        }
    }
    cells
}

/// Exit statuses of a program that the runtime ends: by itself, and with `abort` under `GOTRACEBACK=crash`.
const ENDED_BY_RUNTIME: [i32; 2] = [2, 134];

fn why_not(specimen: &Specimen, version: &str, mode: BuildMode) -> Option<&'static str> {
    let run = &specimen.expect.run;
    let is_deadlock = || {
        let kinds = ["all-asleep", "goexit-deadlock"];
        specimen.expect.says(version).kind.is_some_and(|kind| kinds.contains(&kind.as_str()))
    };
    if run.mode == Mode::Test {
        Some("a test: the go command starts it and prints for it")
    } else if !ENDED_BY_RUNTIME.contains(&run.exit) {
        Some("it ends by itself and leaves no core")
    } else if run.env.get("GOTRACEBACK").is_some_and(|level| level == "none") {
        Some("its text is switched off, which is the point of it")
    } else if !specimen.expect.suits(version) {
        Some("it is not for this Go version")
    } else if mode == BuildMode::Plain && specimen.needs_cgo() {
        Some("it has C: mode cgo builds the same")
    } else if mode == BuildMode::Library && run.signal.is_some() {
        Some("a library leaves signals from outside to its program")
    } else if mode.needs_cgo() && is_deadlock() {
        // C could call back at any time, so an extra M waits for that, and checkdead counts it as running (mstartm0 and
        // checkdead, runtime/proc.go).
        Some("a program with cgo does not notice that all are asleep")
    } else if run.not_in.contains_key(mode.as_str()) {
        Some("its expect.toml says why not in this mode")
    } else {
        None
    }
}

/// A part of the runs in which every specimen has a few (`each`), and every pair of version and mode many: always the
/// same part for the same number.
///
/// Each specimen's runs are those whose pairs (specimen with version, specimen with mode, version with mode) were taken
/// least often before.
pub fn pairwise<'a>(cells: &[Cell<'a>], each: usize) -> Vec<Cell<'a>> {
    let mut taken: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut chosen = Vec::new();
    for of_one in cells.chunk_by(|a, b| a.subject.name() == b.subject.name()) {
        let mut left: Vec<Cell<'a>> = of_one.to_vec();
        for _ in 0..each {
            let cost = |cell: &Cell<'a>| {
                let times = |pair| taken.get(&pair).copied().unwrap_or(0);
                let own = [cell.version, cell.mode.as_str()].map(|part| times((cell.subject.name(), part)));
                let (version, mode) = (times((cell.version, "")), times(("", cell.mode.as_str())));
                (own[0] + own[1], times((cell.version, cell.mode.as_str())), version + mode)
            };
            let Some(best) = (0..left.len()).min_by_key(|i| cost(&left[*i])) else { break };
            let cell = left.remove(best);
            let (version, mode, name) = (cell.version, cell.mode.as_str(), cell.subject.name());
            for pair in [(name, version), (name, mode), (version, mode), (version, ""), ("", mode)] {
                *taken.entry(pair).or_default() += 1;
            }
            chosen.push(cell);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Zoo;
    use std::collections::BTreeSet;

    #[test]
    fn the_part_has_every_specimen_and_every_pair_of_version_and_mode() {
        let zoo = Zoo::own().unwrap();
        let (cells, left_out) = every_cell(&zoo.specimens);
        let all = zoo.specimens.len() * CORE_VERSIONS.len() * BuildMode::ALL.len();
        assert_eq!(cells.len() + left_out.values().sum::<usize>(), all);
        let part = pairwise(&cells, 2);
        let specimens = |cells: &[Cell<'_>]| cells.iter().map(|c| c.subject.name().to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(specimens(&part), specimens(&cells));
        for version in CORE_VERSIONS {
            for mode in BuildMode::ALL {
                let count = part.iter().filter(|c| (c.version, c.mode) == (version, mode)).count();
                assert!(count >= 2, "go{version} {mode}: {count}");
            }
        }
        for name in specimens(&part) {
            let own: Vec<_> = part.iter().filter(|c| c.subject.name() == name).collect();
            assert!(own.len() == 2 && own[0].version != own[1].version && own[0].mode != own[1].mode, "{name}");
        }
    }

    #[test]
    fn what_leaves_no_core_is_left_out() {
        let zoo = Zoo::own().unwrap();
        let (cells, _) = every_cell(&zoo.specimens);
        let has = |name: &str| cells.iter().any(|c| c.subject.name() == name);
        assert!(has("index-range") && has("null-in-c") && has("relayed-threads"));
        for name in ["http-panic", "test-stuck", "profile-stacks", "sanitizer", "traceback-none", "race-counter"] {
            assert!(!has(name), "{name}");
        }
    }
}
