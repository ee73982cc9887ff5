//! An executable that is written to while it is read.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_testing::recorded;
use std::fs::OpenOptions;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells the writer to stop, also where a check failed.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Ended by itself; and if it saw a change, it says so and does not call that success.
fn told(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    let changed = said.contains("changed while it was read");
    assert!(output.status.code().is_some_and(|code| !changed || code == 1), "{:?}: {said}", output.status);
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn gopsy_outlives_the_files_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let (binary, core) = (folder.path().join("nilfield"), folder.path().join("core"));
    let whole = recorded("nilfield");
    std::fs::write(&binary, &whole).unwrap();
    std::fs::write(&core, recorded("core")).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let file = OpenOptions::new().write(true).open(&binary).unwrap();
            let len = whole.len() as u64;
            while !done.load(Ordering::Relaxed) {
                for rest in [0, len / 4, len / 2, len * 3 / 4] {
                    file.set_len(rest).unwrap();
                    std::fs::write(&binary, &whole).unwrap();
                }
            }
        });
        let _stop = Stop(&done);
        for _ in 0..8 {
            let gopsy = || Command::new(env!("CARGO_BIN_EXE_gopsy"));
            told(&gopsy().arg("info").arg(&binary).output().unwrap());
            told(&gopsy().arg("where").arg(&binary).arg("main.main").output().unwrap());
            told(&gopsy().arg("explain").arg(&core).arg("--bin").arg(&binary).output().unwrap());
        }
    });
}
