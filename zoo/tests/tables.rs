//! Every core read by the layouts of every other release: **whatever is then said is true, or it is withheld.**
//!
//! The right reading is that of the build's own debug information. A table of another release stands in for what is met
//! in practice: a development version, a vendor's fork, a release that is newer than the tables.

use std::io::Write;
use std::path::{Path, PathBuf};

use gopsy_program::{CoreEvidence, CoreOptions, Program};
use gopsy_runtime::Release;
use gopsy_zoo::differ::{Bench, Cell, Outcome};
use gopsy_zoo::tables::Reading;
use gopsy_zoo::{BuildMode, CORE_VERSIONS, Subject, Toolchain, Zoo, core_pattern_problem};

/// One release of each set of layouts that differs in g, m or _panic.
const TABLES: [&str; 18] = [
    "go1.16.0",
    "go1.16.15",
    "go1.17.13",
    "go1.18.10",
    "go1.19.13",
    "go1.20.14",
    "go1.21.13",
    "go1.22.12",
    "go1.23.0",
    "go1.23.5",
    "go1.23.12",
    "go1.24.0",
    "go1.24.13",
    "go1.24.13 X:nospinbitmutex",
    "go1.25.14",
    "go1.26.11",
    "go1.27.4",
    "go1.99.0",
];

/// Deaths in which much is to be said: a panic with a signal, a throw, many waits, a throw on a system stack, threads that
/// are at work.
const SPECIMENS: [&str; 5] =
    ["nil-far-field", "map-writes", "quit-two-stuck", "bad-stack-pointer", "http-panic-then-panic"];

fn skip(why: &str) {
    let required = std::env::var("GOPSY_REQUIRE").is_ok_and(|r| r.split(',').any(|tier| tier.trim() == "zoo"));
    say(&format!("zoo: skipped: {why}\n"));
    assert!(!required, "GOPSY_REQUIRE asks for the zoo, but {why}");
}

/// Not eprint!, which the test harness keeps to itself when all is well.
fn say(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).expect("standard error is open");
}

#[test]
fn what_another_releases_layouts_say_is_true_or_withheld() {
    if let Some(problem) = core_pattern_problem() {
        return skip(&problem);
    }
    if let Some(kept) = std::env::var_os("GOPSY_CORES") {
        return all_of(Path::new(&kept));
    }
    let zoo = Zoo::own().expect("every specimen can be loaded");
    let folder = tempfile::tempdir().expect("a folder to build in");
    let bench = Bench::at(folder.path(), true);
    let mut sum = Sum::default();
    for (version, name) in CORE_VERSIONS.iter().zip(SPECIMENS.iter().cycle()) {
        let go = match Toolchain::find(version) {
            Ok(go) => go,
            Err(error) => return skip(&format!("{error:#}")),
        };
        let specimen = zoo.get(name).expect("the specimen is there");
        let cell = Cell { subject: Subject::Specimen(specimen), version, mode: BuildMode::Plain };
        assert!(matches!(bench.one(&cell, &go), Outcome::Compared { .. }), "{name} {version}");
        sum.read(&folder.path().join(name).join(format!("go{version}-plain")).join("core"));
    }
    sum.tell();
}

/// All cores that `zoo differ --keep` left in a folder, `GOPSY_CORES`.
fn all_of(folder: &Path) {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let read = std::fs::read_dir(folder).into_iter().flatten();
        read.filter_map(|entry| Some(entry.ok()?.path())).collect()
    };
    let mut sum = Sum::default();
    for core in entries(folder).iter().flat_map(|specimen| entries(specimen)).map(|run| run.join("core")) {
        if core.is_file() {
            sum.read(&core);
        }
    }
    sum.tell();
}

/// What came of reading cores by all tables.
#[derive(Default)]
struct Sum {
    cores: usize,
    refuted: usize,
    said: u64,
    withheld: u64,
}

impl Sum {
    fn read(&mut self, core: &Path) {
        let Ok(evidence) = CoreEvidence::open(core, None) else { return };
        let right = Program::new(evidence);
        self.cores += 1;
        for table in TABLES {
            let options = CoreOptions { layouts_of: Release::parse(table), ..CoreOptions::default() };
            match CoreEvidence::open_with(core, &options) {
                Ok(evidence) => {
                    let reading = Reading::of(&right, &Program::new(evidence));
                    let lies = &reading.false_statements;
                    assert!(lies.is_empty(), "{} by {table}: {lies:#?}", core.display());
                    self.said += reading.true_statements;
                    self.withheld += reading.withheld;
                }
                // The memory refutes that table altogether.
                Err(_) => self.refuted += 1,
            }
        }
    }

    fn tell(&self) {
        let Sum { cores, refuted, said, withheld } = self;
        say(&format!(
            "zoo: {cores} cores by {} tables: {refuted} refuted, the others say {said} true things and withhold {withheld}\n",
            TABLES.len()
        ));
        // A test in which every table is refuted proves nothing.
        assert!(*said > 1000 && *refuted > 0);
    }
}
