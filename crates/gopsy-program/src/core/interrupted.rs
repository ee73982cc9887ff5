//! Where signals interrupted the threads of a core.

use super::CoreError;
use super::joined::{Joined, MAX_WALKED};
use gopsy_image::Image;
use gopsy_mem::Addr;
use gopsy_target::Core;
use gopsy_target::finder::Finder;
use gopsy_unwind::{Found, Sites, Walk};
use std::path::Path;
use std::sync::Arc;

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

/// All threads of a core that handle signals, with each signal that interrupted another handler. What a search of the stack leads to may be
/// left over from an earlier one, and is not told.
///
/// # Errors
/// When the program is not the one that wrote the core.
pub fn interrupted(
    core: &Core,
    image: &Arc<Image>,
    path: &Path,
    finder: &Finder,
) -> Result<Vec<Interrupted>, CoreError> {
    let joined = Joined::of(core.clone(), Arc::clone(image), path, finder)?;
    let sites = Sites::default();
    let mut found = Vec::new();
    for (number, thread) in joined.core.threads().iter().enumerate().take(MAX_WALKED) {
        let Some(walk) = joined.walk(number, &sites) else { continue };
        let sure = walk.signals.iter().take(surely_crossed(&walk));
        found.extend(sure.filter_map(|frame| {
            let registers = frame.registers(&joined.core).ok()?;
            Some(Interrupted { tid: thread.tid, signal: frame.number, pc: frame.pc, registers })
        }));
    }
    Ok(found)
}

/// How many signal frames the walk came to before it had to search: what they interrupted has its registers from the kernel, as the innermost
/// frame has.
fn surely_crossed(walk: &Walk) -> usize {
    let followed = walk.frames.iter().take_while(|frame| frame.found != Found::Scan);
    followed.skip(1).filter(|frame| frame.found == Found::Context).count()
}
