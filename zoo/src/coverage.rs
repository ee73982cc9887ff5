//! What is read of kept cores, by Go release and build mode: a table for the documentation.
//!
//! It counts answers, known and missing; whether they are right is what `differ` says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use gopsy_model::{Headline, Known, Role, Status};
use gopsy_program::{CoreEvidence, Evidence};
use gopsy_runtime::Basis;
use gopsy_target::MappedFile;
use gopsy_testing::core_in;

use crate::{BuildMode, CORE_VERSIONS};

/// How many answers of a kind there could be, and how many there are.
#[derive(Debug, Default, Clone, Copy)]
struct Share {
    known: u64,
    of: u64,
}

impl Share {
    fn count(&mut self, known: bool) {
        self.known += u64::from(known);
        self.of += 1;
    }

    fn ask<T>(&mut self, answer: &Known<T>) {
        self.count(answer.value().is_some());
    }

    /// `100`, `99.9`, `–` where nothing was asked. Never rounded up to all.
    fn in_words(self) -> String {
        match (self.known, self.of) {
            (_, 0) => "–".to_owned(),
            (known, of) if known == of => "100".to_owned(),
            (known, of) => format!("{:.1}", (known as f64 / of as f64 * 1000.0).floor() / 10.0),
        }
    }
}

/// What is read of the cores of one release and mode.
#[derive(Debug, Default)]
struct Cell {
    cores: u64,
    refused: u64,
    by_debug_info: u64,
    states: Share,
    stacks: Share,
    frames: Share,
    deaths: Share,
    values: Share,
    waits: Share,
    process: Share,
}

/// The columns, and what stands in each.
const COLUMNS: [(&str, &str); 9] = [
    ("cores", "how many there were; behind a `+` those that could not be read"),
    (
        "DWARF",
        "of how many the runtime's structures were read by the binary's debug information; of the others by the tables of the release, with the variables found in the code",
    ),
    ("states", "goroutines of which the state is known, in %"),
    ("stacks", "stacks that were walked to their outermost frame"),
    ("frames", "Go frames with function, file and line"),
    ("deaths", "cores of which it is known what the runtime said"),
    ("values", "values given to panic that are read whole, with their type"),
    ("waits", "waiting goroutines of which it is known at what (or that it is at nothing)"),
    (
        "process",
        "answers about the process: arguments, environment, GOMAXPROCS, processors, the queue of all, limits, collector, heap, spans, timers",
    ),
];

impl Cell {
    fn add(&mut self, folder: &Path) -> Result<()> {
        self.cores += 1;
        let core = core_in(folder).context("there is no core")?;
        // The program of a library is C's.
        let library = Some(folder.join("libapp.so")).filter(|path| path.exists());
        let binary = library.unwrap_or_else(|| folder.join("app"));
        let Ok(evidence) = CoreEvidence::open(&core, Some(&binary)) else {
            self.refused += 1;
            return Ok(());
        };
        let crash = evidence.crash();
        self.deaths.count(!crash.headlines.is_empty());
        for headline in &crash.headlines {
            if let Headline::Panic(panic) = headline {
                self.values.ask(&panic.held);
            }
        }
        for id in 0..evidence.stack_count() {
            let (goroutine, stack) = (evidence.goroutine(id), evidence.stack(id));
            if goroutine.role == Role::Goroutine {
                self.states.ask(&goroutine.status);
                if goroutine.status.value() == Some(&Status::Waiting) {
                    self.waits.ask(&goroutine.waits_at);
                }
            }
            self.stacks.count(stack.unavailable.is_none() && !stack.frames.is_empty());
            for frame in stack.frames.iter().filter(|frame| !frame.foreign) {
                let known =
                    [frame.function.value().is_some(), frame.file.value().is_some(), frame.line.value().is_some()];
                self.frames.count(known.iter().all(|known| *known));
            }
        }
        let (runtime, process) = (evidence.runtime(), &mut self.process);
        let heap = runtime.heap();
        process.ask(&runtime.arguments());
        process.ask(&runtime.environment_names());
        process.ask(&runtime.gomaxprocs());
        process.ask(&runtime.processors());
        process.ask(&runtime.scheduler().queue);
        process.ask(&runtime.limits().stack);
        process.ask(&heap.phase);
        process.ask(&heap.cycles);
        process.ask(&heap.live);
        process.ask(&heap.in_use);
        process.ask(&runtime.spans());
        process.ask(&runtime.timers());
        self.by_debug_info += u64::from(*evidence.basis() == Basis::DebugInfo);
        Ok(())
    }

    fn row(&self) -> String {
        let cores = if self.refused == 0 {
            self.cores.to_string()
        } else {
            format!("{}+{}", self.cores - self.refused, self.refused)
        };
        let shares = [self.states, self.stacks, self.frames, self.deaths, self.values, self.waits, self.process];
        let shares: Vec<String> = shares.into_iter().map(Share::in_words).collect();
        format!("{cores} | {} | {}", self.by_debug_info, shares.join(" | "))
    }
}

/// The table of all cores that `zoo differ --keep` left in a folder.
///
/// # Errors
/// When the folder has none.
pub fn table(folder: &Path) -> Result<String> {
    let listed = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths
    };
    let mut cells: BTreeMap<(usize, usize), Cell> = BTreeMap::new();
    for run in listed(folder).iter().flat_map(|subject| listed(subject)) {
        let name = run.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let place = name.strip_prefix("go").and_then(|name| name.split_once('-')).and_then(|(version, mode)| {
            let version = CORE_VERSIONS.iter().position(|known| *known == version)?;
            Some((version, BuildMode::ALL.iter().position(|known| known.as_str() == mode)?))
        });
        if let Some(place) = place.filter(|_| core_in(&run).is_some() && MappedFile::open(&run.join("app")).is_ok()) {
            cells.entry(place).or_default().add(&run).with_context(|| run.display().to_string())?;
        }
    }
    ensure!(!cells.is_empty(), "there are no kept runs in {}", folder.display());
    let mut out = String::from("| Go | mode |");
    COLUMNS.iter().for_each(|(name, _)| write!(out, " {name} |").unwrap_or_default());
    out.push_str("\n|---|---|");
    COLUMNS.iter().for_each(|_| out.push_str("--:|"));
    for ((version, mode), cell) in &cells {
        write!(out, "\n| {} | {} | {} |", CORE_VERSIONS[*version], BuildMode::ALL[*mode].as_str(), cell.row())?;
    }
    out.push_str("\n\n");
    for (name, what) in COLUMNS {
        writeln!(out, "- *{name}*: {what}.")?;
    }
    Ok(out)
}
