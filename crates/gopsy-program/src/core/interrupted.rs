//! Where signals interrupted the threads of a core.

use super::{foreign, joined::Joined};
use gopsy_image::Image;
use gopsy_mem::Addr;
use gopsy_target::Core;
use gopsy_target::finder::Finder;
use gopsy_unwind::{Sites, Stacks, Walker};
use std::path::Path;
use std::sync::Arc;

/// Threads beyond this are not walked.
const MAX_WALKED: usize = 10_000;

/// A thread that a signal interrupted, and that executes a handler since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    /// Its Linux thread id.
    pub tid: u32,
    /// The signal's number.
    pub signal: u32,
    /// The instruction that was about to be executed, or that faulted.
    pub pc: Addr,
    /// The registers then, by the names of Linux.
    pub registers: Vec<(&'static str, u64)>,
}

/// All threads of a core that handle signals, with each signal that interrupted another handler. Empty where the program is not the one
/// that wrote the core.
#[must_use]
pub fn interrupted(core: &Core, image: &Arc<Image>, path: &Path, finder: &Finder) -> Vec<Interrupted> {
    let Ok(joined) = Joined::of(core.clone(), Arc::clone(image), path, finder) else { return Vec::new() };
    let (core, code, sites) = (&joined.core, joined.code(), Sites::default());
    let walker = Walker::new(core, &code, &sites);
    let mut found = Vec::new();
    for thread in core.threads().iter().take(MAX_WALKED) {
        let walk = foreign::walk(&walker, core, &joined.foreign, &thread.registers, &Stacks::default());
        found.extend(walk.signals.iter().filter_map(|frame| {
            let registers = frame.registers(core).ok()?;
            Some(Interrupted { tid: thread.tid, signal: frame.number, pc: frame.pc, registers })
        }));
    }
    found
}
