//! Cores against the texts of the same deaths, made anew with real Go.
//!
//! A part of all runs is made in which every specimen, Go version and build mode has its turns with each other;
//! `GOPSY_ZOO=all` makes them all. Each must leave a core and a text that can be read and have no difference; which may lack one of
//! them is listed, each with its reason (`lacking.rs`). Where there is no Go, or the kernel puts cores elsewhere, it says what was
//! skipped; with `zoo` in `GOPSY_REQUIRE` a skip is a failure.

use std::path::Path;
use std::sync::Mutex;

use gopsy_testing::{core_in, say, skip};
use gopsy_zoo::differ::{self, Bench, Cell, Outcome, Report};
use gopsy_zoo::{BuildMode, CORE_VERSIONS, Kit, Subject, Toolchain, Zoo, core_pattern_problem};

const JOBS: usize = 2;

/// Runs of each specimen.
const EACH: usize = 2;

#[test]
fn deaths_leave_cores_that_are_equal() {
    if let Some(problem) = core_pattern_problem() {
        return skip("zoo", &problem);
    }
    let zoo = Zoo::own().expect("every specimen can be loaded");
    let (mut cells, _) = differ::every_cell(&zoo.specimens);
    if std::env::var("GOPSY_ZOO").as_deref() != Ok("all") {
        cells = differ::pairwise(&cells, EACH);
    }
    let folder = tempfile::tempdir().expect("a folder to build in");
    let (report, complaints) = (Mutex::new(Report::default()), Mutex::new(Vec::new()));
    let kit = Kit::find(&CORE_VERSIONS);
    Bench::at(folder.path(), false).run(&cells, &kit, JOBS, &|cell, outcome| {
        let line = report.lock().expect("no worker panics with it").add(cell, outcome);
        if outcome.is_wrong(cell) {
            complaints.lock().expect("no worker panics with it").push(line.unwrap_or_else(|| cell.name()));
        }
    });
    let report = report.into_inner().expect("no worker panics with it");
    say(&format!("zoo: cores against texts: {}", report.counts()));
    let complaints = complaints.into_inner().expect("no worker panics with it");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    for (why, count) in report.skipped() {
        skip("zoo", &format!("{count} runs: {why}"));
    }
    assert_eq!(report.runs() + report.skipped().values().sum::<usize>(), cells.len());
}

#[test]
fn what_is_wrong_with_a_run() {
    let zoo = Zoo::own().expect("every specimen can be loaded");
    let cell = |name, version, mode| {
        let specimen = zoo.get(name).expect("the specimen is there");
        Cell { subject: Subject::Specimen(specimen), version, mode }
    };
    let difference = differ::Difference {
        kind: "frame.line",
        absent: false,
        at: String::new(),
        text: String::new(),
        core: String::new(),
        goroutines: None,
        at_rest: true,
    };
    let compared = |different| Outcome::Compared { different, permitted: Default::default() };
    let (unequal, none) = (compared(vec![difference]), Outcome::NoCore("it did not die".to_owned()));
    for mode in BuildMode::ALL {
        let any = cell("nil-field", "1.16", mode);
        assert!(unequal.is_wrong(&any) && none.is_wrong(&any), "{mode}");
        assert!(!compared(Vec::new()).is_wrong(&any));
    }
    let large = cell("oom-huge", "1.20", BuildMode::Pie);
    assert!(!none.is_wrong(&large) && unequal.is_wrong(&large));
    // An exception is for what differs, never for what cannot be read.
    for outcome in [Outcome::Unreadable("x".to_owned()), Outcome::Panicked, Outcome::NoText] {
        assert!(outcome.is_wrong(&large), "{outcome:?}");
    }
}

/// The core of one death does not bear out the text of another.
#[test]
fn the_core_of_another_death_is_told() {
    if let Some(problem) = core_pattern_problem() {
        return skip("zoo", &problem);
    }
    let zoo = Zoo::own().expect("every specimen can be loaded");
    let go = match Toolchain::find("1.26") {
        Ok(go) => go,
        Err(error) => return skip("zoo", &error),
    };
    let folder = tempfile::tempdir().expect("a folder to build in");
    let bench = Bench::at(folder.path(), true);
    let deaths = ["nil-field", "index-range"].map(|name| {
        let specimen = zoo.get(name).expect("the specimen is there");
        let cell = Cell { subject: Subject::Specimen(specimen), version: "1.26", mode: BuildMode::Plain };
        assert!(matches!(bench.one(&cell, &go), Outcome::Compared { .. }), "{name}");
        folder.path().join(name).join("go1.26-plain")
    });
    let against = |text: &Path, core: &Path| {
        let text = std::fs::read(text.join("stderr.txt")).expect("the text is kept");
        match differ::hold_against(&text, &core_in(core).expect("the core is kept"), &core.join("app")) {
            Outcome::Compared { different, .. } => different.iter().map(|d| d.kind).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    let [nil, index] = &deaths;
    assert!(!against(nil, nil).contains(&"panic.value"));
    assert!(against(nil, index).contains(&"panic.value"));
    assert!(against(index, nil).contains(&"frame.function"));
}
