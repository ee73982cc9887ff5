//! What a case may take: time and memory.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// A case that takes longer is a finding.
pub const LONGEST: Duration = Duration::from_secs(10);
/// One that takes this long is not waited for any more.
const ENDLESS: Duration = Duration::from_secs(60);
/// The peak of resident memory that is allowed, of the whole process, in bytes.
pub const MOST_MEMORY: u64 = 1 << 30;

/// The cases at work, one for each worker.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    cases: Vec<Mutex<Option<(String, Instant)>>>,
    /// A file that names them, a line for each worker: a process that runs out of its stack tells nothing more.
    running: Option<&'a File>,
}

/// Bytes of such a line.
const LINE: usize = 512;

impl<'a> Watch<'a> {
    pub(super) fn over(workers: usize, running: Option<&'a File>) -> Self {
        Self { cases: (0..workers).map(|_| Mutex::new(None)).collect(), running }
    }

    /// A worker begins a case, or has ended one.
    pub(super) fn set(&self, worker: usize, case: Option<String>) {
        if let Some(file) = self.running {
            let mut line = case.clone().unwrap_or_default().into_bytes();
            line.resize(LINE - 1, b' ');
            line.push(b'\n');
            // Who cannot write it finds the case by running fewer.
            let _ = file.write_all_at(&line, (worker * LINE) as u64);
        }
        if let Some(Ok(mut slot)) = self.cases.get(worker).map(Mutex::lock) {
            *slot = case.map(|case| (case, Instant::now()));
        }
    }

    /// A case that does not end.
    pub(super) fn endless(&self) -> Option<String> {
        let too_long = |slot: &Mutex<Option<(String, Instant)>>| {
            let slot = slot.lock().ok()?;
            slot.as_ref().filter(|(_, since)| since.elapsed() > ENDLESS).map(|(case, _)| case.clone())
        };
        self.cases.iter().find_map(too_long)
    }

    /// Looks on until `done`; `given_up` is told of a case that does not end. No thread can be stopped: who is told has to
    /// end the process.
    pub(super) fn look_on(&self, done: &dyn Fn() -> bool, given_up: &dyn Fn(&str)) {
        while !done() {
            thread::sleep(Duration::from_millis(100));
            if let Some(case) = self.endless() {
                given_up(&case);
            }
        }
    }
}

/// The largest resident memory that the process ever had, in bytes.
pub(super) fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()).unwrap_or(0) << 10
}

/// Lets the peak begin anew at what is resident now (`proc(5)`), so that each case shows its own.
pub(super) fn forget_peak() {
    // Where that is not allowed the peak stays what it was.
    let _ = fs::write("/proc/self/clear_refs", "5");
}
