//! Damaged cores: made of the recorded one of `gopsy-program`, which needs no Go.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::{Arc, Mutex};

use gopsy_image::Image;
use gopsy_program::{CoreEvidence, CoreOptions, Program};
use gopsy_target::Core;
use gopsy_testing::recorded;
use gopsy_zoo::mutate::{MOST_MEMORY, Plan, Report, false_statements, run_on};

fn open(core: Vec<u8>, image: &Arc<Image>) -> Option<Program> {
    let core = Core::parse(Arc::new(core)).ok()?;
    let joined = CoreEvidence::join(core, Arc::clone(image), Path::new("nilfield"), &CoreOptions::default());
    joined.ok().map(Program::new)
}

#[test]
fn damaged_cores_are_survived() {
    let report = Mutex::new(Report::default());
    let plan = Plan { count: 300, seed: 1, jobs: 2, ..Plan::default() };
    run_on("nilfield", recorded("core"), recorded("nilfield"), &plan, &report).unwrap();
    let report = report.into_inner().unwrap();
    assert_eq!((report.cases, report.findings()), (300, 0), "{report}");
    // Damage that leaves nothing to ask would prove nothing.
    assert!(report.read > 150, "{report}");
    assert!(report.memory.0 < MOST_MEMORY / 2, "{report}");
}

/// A case is the same whenever it is run, whatever was run before.
#[test]
fn a_case_can_be_repeated() {
    let run = |plan: &Plan| {
        let report = Mutex::new(Report::default());
        run_on("nilfield", recorded("core"), recorded("nilfield"), plan, &report).unwrap();
        report.into_inner().unwrap().said
    };
    let plan = Plan { count: 12, seed: 7, jobs: 1, ..Plan::default() };
    let one_by_one = (0..12).map(|case| run(&Plan { only: Some(case), ..plan.clone() }));
    assert_eq!(run(&plan), one_by_one.fold(0, u64::wrapping_add));
}

/// Whatever is left of a core tells the truth, and the more is left the more it tells.
#[test]
fn a_core_that_was_cut_anywhere_says_what_can_be_known() {
    let core = recorded("core");
    let image = Arc::new(Image::parse(Arc::new(recorded("nilfield"))).unwrap());
    let whole = open(core.clone(), &image).unwrap();
    let goroutines = whole.goroutines().len();
    let mut known = Vec::new();
    for twentieth in 0..20 {
        let cut = open(core[..core.len() / 20 * twentieth].to_vec(), &image);
        let Some(cut) = cut else {
            known.push(0);
            continue;
        };
        assert_eq!(false_statements(&whole, &cut), Vec::<String>::new(), "{twentieth} of 20");
        assert!(cut.notes().iter().any(|note| note.contains("the core was cut off after")), "{:?}", cut.notes());
        let read = cut.goroutines().filter(|id| {
            let whole_stack = whole.stack(*id);
            cut.goroutine(*id).status.value().is_some() && cut.stack(*id).frames.len() == whole_stack.frames.len()
        });
        known.push(read.count());
    }
    assert!(known.is_sorted(), "{known:?}");
    // What the kernel writes last of this core are the stacks of its threads: before them stands all of Go.
    assert_eq!(known.last(), Some(&goroutines), "{known:?}");
}
