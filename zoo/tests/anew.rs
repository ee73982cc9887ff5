//! Makes specimens anew with real Go, and compares their shape with the recorded one.
//!
//! Every specimen is made with one version, and the versions take turns, so
//! that each of them is used many times; `GOPSY_ZOO=all` makes the full table.
//! Without Go, or without a C compiler for the specimens that need one, it
//! says what it skipped; with `zoo` in `GOPSY_REQUIRE` a skip is a failure.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use gopsy_testing::{say, skip};
use gopsy_zoo::{BuildMode, Kit, Shape, Specimen, Subject, Toolchain, VERSIONS, Workshop, Zoo};

/// Most specimens wait for the go command, which keeps about one core busy.
const WORKERS: usize = 2;

#[test]
fn specimens_die_as_recorded() {
    let zoo = Zoo::own().expect("every specimen can be loaded");
    let planned = plan(&zoo.specimens, std::env::var("GOPSY_ZOO").is_ok_and(|v| v == "all"));
    let kit = Kit::find(&VERSIONS);
    let mut skipped: BTreeMap<String, usize> = BTreeMap::new();
    let mut work = Vec::new();
    for (specimen, version) in planned {
        match kit.for_run(Subject::Specimen(specimen), version, BuildMode::Plain) {
            Ok(go) => work.push((specimen, go)),
            Err(why) => *skipped.entry(why).or_default() += 1,
        }
    }
    let complaints = make_all(&work);
    say(&format!("zoo: made {} specimens anew\n", work.len()));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    for (why, count) in &skipped {
        skip("zoo", &format!("{count} specimens: {why}"));
    }
}

#[test]
fn the_plan_has_every_specimen_and_every_version_often() {
    let zoo = Zoo::own().expect("every specimen can be loaded");
    let plan = plan(&zoo.specimens, false);
    assert_eq!(plan.len(), zoo.specimens.len());
    for version in VERSIONS {
        let count = plan.iter().filter(|(_, v)| *v == version).count();
        assert!(count >= 5, "Go {version}: {count} specimens");
    }
}

fn plan(specimens: &[Specimen], all: bool) -> Vec<(&Specimen, &str)> {
    let mut plan = Vec::new();
    for (turn, specimen) in specimens.iter().enumerate() {
        let versions = specimen.expect.versions();
        if all {
            plan.extend(versions.into_iter().map(|version| (specimen, version)));
        } else {
            plan.push((specimen, versions[turn % versions.len()]));
        }
    }
    plan
}

fn make_all(work: &[(&Specimen, &Toolchain)]) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let complaints = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let folder = tempfile::tempdir().expect("a folder to build in");
                let workshop = Workshop::at(folder.path().join("app"));
                while let Some((specimen, go)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(complaint) = make(&workshop, specimen, go) {
                        let complaint = format!("{} go{}: {complaint}", specimen.name, go.version);
                        complaints.lock().expect("no worker panics with it").push(complaint);
                    }
                }
            });
        }
    });
    complaints.into_inner().expect("no worker panics with it")
}

fn make(workshop: &Workshop, specimen: &Specimen, go: &Toolchain) -> Result<(), String> {
    let outcome = workshop.run(specimen, go).map_err(|e| format!("{e:#}"))?;
    let recorded = specimen.text(&go.version).map_err(|e| format!("{e:#}"))?;
    let says = specimen.expect.says(&go.version);
    let was = Shape::of(&recorded, &says, &specimen.marks);
    let is = Shape::of(&outcome.text, &says, &specimen.marks);
    if !is.agrees_with(&was) {
        return Err(format!("recorded {was:?}, now {is:?} in:\n{}", outcome.text));
    }
    let exit = specimen.expect.run.exit;
    if outcome.exit != exit {
        return Err(format!("exit status {}, expected {exit}", outcome.exit));
    }
    Ok(())
}
