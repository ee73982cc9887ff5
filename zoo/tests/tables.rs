//! Every core read by the layouts of other releases: **whatever is then said is true, or it is withheld.**
//!
//! The right reading is that of the build's own debug information. A table of another release stands in for what is met
//! in practice: a development version, a vendor's fork, a release that is newer than the tables.

use std::path::{Path, PathBuf};

use gopsy_program::{CoreError, CoreEvidence, CoreOptions, Program};
use gopsy_runtime::{Release, RuntimeError};
use gopsy_testing::{core_in, say, skip};
use gopsy_zoo::differ::{Bench, Cell, Outcome};
use gopsy_zoo::reading::Reading;
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

#[test]
fn what_another_releases_layouts_say_is_true_or_withheld() {
    if let Some(problem) = core_pattern_problem() {
        return skip("zoo", &problem);
    }
    if let Some(kept) = std::env::var_os("GOPSY_CORES") {
        return all_of(Path::new(&kept));
    }
    let zoo = Zoo::own().expect("every specimen can be loaded");
    let folder = tempfile::tempdir().expect("a folder to build in");
    let bench = Bench::at(folder.path(), true);
    let mut sum = Sum::new();
    for (version, name) in CORE_VERSIONS.iter().zip(SPECIMENS.iter().cycle()) {
        let go = match Toolchain::find(version) {
            Ok(go) => go,
            Err(error) => return skip("zoo", &error),
        };
        let specimen = zoo.get(name).expect("the specimen is there");
        let cell = Cell { subject: Subject::Specimen(specimen), version, mode: BuildMode::Plain };
        assert!(matches!(bench.one(&cell, &go), Outcome::Compared { .. }), "{name} {version}");
        let kept = folder.path().join(name).join(format!("go{version}-plain"));
        sum.read(&core_in(&kept).expect("the core is kept"));
    }
    assert_eq!(sum.cores, CORE_VERSIONS.len());
    sum.tell();
}

/// All cores that `zoo differ --keep` left in a folder, `GOPSY_CORES`.
fn all_of(folder: &Path) {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let read = std::fs::read_dir(folder).into_iter().flatten();
        read.filter_map(|entry| Some(entry.ok()?.path())).collect()
    };
    let mut sum = Sum::new();
    for core in entries(folder).iter().flat_map(|specimen| entries(specimen)).filter_map(|run| core_in(&run)) {
        sum.read(&core);
    }
    sum.tell();
}

/// The releases from which on a struct is laid out anew, by the tables that gopsy reads.
struct Ranges(Vec<Vec<(u32, u32)>>);

impl Ranges {
    fn read() -> Ranges {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/gopsy-runtime/layouts/runtime-layouts.json");
        let text = std::fs::read_to_string(file).expect("the tables are in the repository");
        let tables: serde_json::Value = serde_json::from_str(&text).expect("the tables are JSON");
        let starts = |name| {
            let ranges = tables["amd64"][name].as_array().expect("the struct is in the tables");
            let from = |range: &serde_json::Value| {
                let release = Release::parse(&format!("go{}", range["from"].as_str()?))?;
                Some(release.number())
            };
            ranges.iter().map(|range| from(range).expect("a range begins at a release")).collect()
        };
        Ranges(["runtime.g", "runtime.m", "runtime._panic"].map(starts).into())
    }

    /// Whether these structs are the same in both releases: such a table is not another one.
    fn alike(&self, a: &Release, b: &Release) -> bool {
        let range = |starts: &Vec<(u32, u32)>, r: &Release| starts.iter().filter(|start| **start <= r.number()).count();
        a.experiments == b.experiments && self.0.iter().all(|starts| range(starts, a) == range(starts, b))
    }
}

#[test]
fn a_releases_own_tables_are_told_from_others() {
    let ranges = Ranges::read();
    let alike = |a, b| ranges.alike(&Release::parse(a).unwrap(), &Release::parse(b).unwrap());
    for (a, b) in [("go1.16.15", "go1.16.15"), ("go1.24.11", "go1.24.13"), ("go1.27.3", "go1.99.0")] {
        assert!(alike(a, b), "{a} {b}");
    }
    for (a, b) in [
        ("go1.16.15", "go1.16.0"),
        ("go1.24.11", "go1.24.0"),
        ("go1.24.11", "go1.24.13 X:nospinbitmutex"),
        ("go1.26.8", "go1.27.4"),
    ] {
        assert!(!alike(a, b), "{a} {b}");
    }
}

/// What came of reading cores by the tables of other releases.
struct Sum {
    ranges: Ranges,
    cores: usize,
    /// Readings by another release's table that the memory refutes altogether.
    refuted: usize,
    /// Those that say something.
    read: usize,
    said: u64,
    withheld: u64,
    lies: Vec<String>,
}

impl Sum {
    fn new() -> Sum {
        Sum { ranges: Ranges::read(), cores: 0, refuted: 0, read: 0, said: 0, withheld: 0, lies: Vec::new() }
    }

    fn read(&mut self, core: &Path) {
        let evidence = CoreEvidence::open(core, None).unwrap_or_else(|e| panic!("{}: {e}", core.display()));
        let right = Program::new(evidence);
        let release = right.identity().go_version.into_value().expect("the binary names its release");
        let own = Release::parse(&release).expect("the release has a number");
        self.cores += 1;
        for table in TABLES {
            let other = Release::parse(table).expect("the table's release has a number");
            if self.ranges.alike(&own, &other) {
                continue;
            }
            let options = CoreOptions { layouts_of: Some(other), ..CoreOptions::default() };
            match CoreEvidence::open_with(core, &options) {
                Ok(evidence) => {
                    let reading = Reading::of(&right, &Program::new(evidence));
                    if let Some(first) = reading.false_statements.first() {
                        let (count, core) = (reading.false_statements.len(), core.display());
                        self.lies.push(format!("{core} by {table}: {count} statements are false, first {first}"));
                    }
                    self.read += usize::from(reading.true_statements > 0);
                    self.said += reading.true_statements;
                    self.withheld += reading.withheld;
                }
                Err(CoreError::Runtime(RuntimeError::DoNotFit(_) | RuntimeError::NotBorneOut(_))) => self.refuted += 1,
                Err(error) => panic!("{} by {table}: {error}", core.display()),
            }
        }
    }

    fn tell(&self) {
        let Sum { cores, refuted, read, said, withheld, .. } = self;
        say(&format!(
            "zoo: {cores} cores by the tables of other releases: {refuted} refuted; {read} say {said} true things and \
             withhold {withheld}\n"
        ));
        assert!(self.lies.is_empty(), "{}", self.lies.join("\n"));
        // Where every table of another release is refuted, or none, nothing is proved.
        assert!(
            *refuted > *cores && *read > *cores && *said > 100 * *cores as u64,
            "{cores} cores: {refuted}, {read}, {said}"
        );
    }
}
