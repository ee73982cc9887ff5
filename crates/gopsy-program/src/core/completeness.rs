//! What a core does not hold, said in sentences.

use super::{CoreEvidence, Entry};
use gopsy_image::hex;
use gopsy_mem::MemoryExt;
use gopsy_target::{Core, Lost, signal_name};

impl CoreEvidence {
    /// What is missing, why, and what that costs. Nothing is said of memory that nobody misses: that of files whose very build
    /// is at hand, and of the C library.
    pub(super) fn missing(&self) -> Vec<String> {
        missing(&self.core, || {
            let goroutines = self.entries.iter().filter(|e| matches!(e, Entry::Goroutine(_))).count();
            let unreadable = self.entries.iter().filter(|e| !self.is_there(e)).count();
            let cannot = || format!("the g or the stack of {unreadable} of {goroutines} goroutines cannot be read");
            (unreadable > 0).then(cannot)
        })
    }

    /// Whether the g of a goroutine and the place on its stack where it left off can be read.
    fn is_there(&self, entry: &Entry) -> bool {
        let Entry::Goroutine(address) = entry else { return true };
        let standing = self.runtime().standing(*address);
        standing.status.is_some() && standing.sched.is_some_and(|s| s.sp.is_null() || self.core.u64(s.sp).is_ok())
    }
}

/// What is missing from a core and why; `cost` tells what that costs, if anything is missing.
pub(super) fn missing(core: &Core, cost: impl FnOnce() -> Option<String>) -> Vec<String> {
    let mut notes: Vec<String> = core.unpacked().map(ToString::to_string).into_iter().collect();
    if core.damaged_notes() > 0 {
        notes.push(format!("{} notes of the core are damaged", core.damaged_notes()));
    }
    let completeness = core.completeness();
    let of_others = |l: &&Lost| !matches!(l, Lost::Files { .. } | Lost::NotNamed { .. } | Lost::Shared { .. });
    let lost: Vec<&Lost> = completeness.lost.iter().filter(of_others).collect();
    if lost.is_empty() {
        return notes;
    }
    let sum = |of: &dyn Fn(&gopsy_target::Amount) -> u64| {
        completeness.amounts.iter().fold(0u64, |sum, amount| sum.saturating_add(of(amount)))
    };
    let named = sum(&|a| a.named.saturating_sub(a.unwritten));
    let there = sum(&|a| a.held.saturating_add(a.backed));
    let percent = u128::from(there).saturating_mul(100).checked_div(u128::from(named)).unwrap_or(0);
    let share = format!("the core holds {percent}% of the memory that it names");
    // What was never written to is not missing, however much that is.
    let only_unwritten = lost.iter().all(|lost| matches!(lost, Lost::Unwritten { .. }));
    notes.extend(match (only_unwritten, cost()) {
        (true, cost) => cost,
        (false, Some(cost)) => Some(format!("{share}; {cost}")),
        (false, None) => Some(share),
    });
    notes.extend(lost.iter().map(ToString::to_string));
    notes
}

/// Whether a signal ended the process, as far as the core tells. gcore writes one that lives on.
pub(super) fn may_have_died(core: &Core) -> bool {
    let threads = core.threads();
    let nobody = !threads.is_empty() && threads.iter().all(|t| t.signal == 0);
    let written = core.completeness();
    !nobody && !written.by_gdb && !written.by_delve
}

/// What a core lost that was cut off.
pub(super) fn cut(core: &Core) -> Option<Box<str>> {
    let unpacked = core.unpacked().filter(|unpacked| unpacked.stopped.is_some()).map(ToString::to_string);
    let lost: Vec<String> = unpacked.into_iter().chain(core.damage().iter().map(ToString::to_string)).collect();
    core.truncated().then(|| lost.join("; ").into())
}

/// What a core says of its process without any binary.
pub(super) fn process(core: &Core) -> String {
    let who = match core.process() {
        Some(process) => format!("{} (pid {})", process.name, process.pid),
        None => "a process".to_owned(),
    };
    let threads = core.threads().len();
    let signal = core.threads().iter().map(|t| t.signal).find(|s| *s != 0);
    let died = signal.map_or_else(String::new, |s| format!(", which died of {}", signal_name(u64::from(s))));
    format!("a core of {who}{died}, with {threads} {}", if threads == 1 { "thread" } else { "threads" })
}

/// What a core says of the build of its program, by itself.
pub(super) fn build(core: &Core) -> Vec<String> {
    let file = core.program();
    let mut said = Vec::new();
    if let Some(build) = core.build_info(&file) {
        let named = |module: &gopsy_image::Module| format!("{} {}", module.path, module.version);
        let module = build.main.as_ref().map(named).or(build.path.clone());
        said.push(
            module.map_or_else(|| build.version.clone(), |module| format!("{}, {}", build.version, module.trim_end())),
        );
        let of_source = |(key, value): &(String, String)| {
            (key.starts_with("vcs") && !value.is_empty()).then(|| format!("{key}={value}"))
        };
        let source: Vec<String> = build.settings.iter().filter_map(of_source).collect();
        said.extend((!source.is_empty()).then(|| source.join(" ")));
    }
    said.extend(file.build_id.map(|id| format!("build id {}", hex(&id))));
    said.extend(file.go_build_id.map(|id| format!("Go's build id {}", String::from_utf8_lossy(&id))));
    said
}
