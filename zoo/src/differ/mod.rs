//! The differential test: a specimen dies, and what the runtime printed is held against what gopsy reads from the core.
//!
//! [`every_cell`] and [`pairwise`] say what is run, [`Bench`] makes a death and compares, [`Report`] counts.

mod compare;
mod death;
mod lacking;
mod permitted;
mod plan;
mod report;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::Result;
use gopsy_program::{CoreEvidence, Evidence, Program, TextEvidence, TextWithBinary};
use serde::{Deserialize, Serialize};

use crate::{Kit, Remains, Subject, Toolchain, Workshop};

pub use compare::{Difference, compare};
pub use lacking::{may_lack_core, may_lack_text};
pub use permitted::{PERMITTED, Permitted, permitted};
pub use plan::{Cell, every_cell, pairwise, program_cells};
pub use report::Report;

/// What came of one run.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The core was read and compared. Equal when nothing is in `different`.
    Compared {
        /// What differs and must not.
        different: Vec<Difference>,
        /// What differs and may, by the name of the permitted difference.
        permitted: BTreeMap<&'static str, Vec<Difference>>,
    },
    /// gopsy does not read the core, and says why.
    Unreadable(String),
    /// Reading the core or comparing it panicked: a defect of gopsy.
    Panicked,
    /// The kernel wrote no core.
    NoCore(String),
    /// gopsy finds no death in what was printed, so that there is nothing to compare with.
    NoText,
    /// It could not be built or started.
    NotMade(String),
    /// This machine lacks what it takes.
    Skipped(String),
}

impl Outcome {
    /// Whether the core says all that the text says.
    pub fn is_equal(&self) -> bool {
        matches!(self, Outcome::Compared { different, .. } if different.is_empty())
    }

    /// Whether a run should have ended otherwise: it is not equal, or lacks what it must leave.
    pub fn is_wrong(&self, cell: &Cell<'_>) -> bool {
        match self {
            Outcome::Compared { .. } => !self.is_equal(),
            Outcome::NoCore(_) => !may_lack_core(cell),
            Outcome::NoText => !may_lack_text(cell),
            Outcome::Unreadable(_) | Outcome::Panicked | Outcome::NotMade(_) => true,
            Outcome::Skipped(_) => false,
        }
    }
}

/// Where deaths are made and compared.
#[derive(Debug)]
pub struct Bench {
    folder: PathBuf,
    keep: bool,
}

/// Bytes on disk of the largest core that is kept: a stack overflow leaves half a gigabyte, in every version and mode.
const LARGEST_KEPT: u64 = 64 << 20;

/// Beside the files of a run that are kept: what they were made of.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Made {
    of: String,
    exit: Option<i32>,
}

impl Bench {
    /// A folder for the runs. With `keep` their files stay, unless the core is very large, and those that are there
    /// already are read again instead of being made anew.
    pub fn at(folder: impl Into<PathBuf>, keep: bool) -> Self {
        Self { folder: folder.into(), keep }
    }

    /// Makes all deaths, `jobs` at a time, and tells `each` of every one as it comes.
    pub fn run(&self, cells: &[Cell<'_>], kit: &Kit, jobs: usize, each: &(dyn Fn(&Cell<'_>, &Outcome) + Sync)) {
        let next = AtomicUsize::new(0);
        let one_at_a_time = Mutex::new(());
        thread::scope(|scope| {
            for _ in 0..jobs.max(1) {
                scope.spawn(|| {
                    while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let outcome = match kit.for_run(cell.subject, cell.version, cell.mode) {
                            Ok(go) => self.one(cell, go),
                            Err(why) => Outcome::Skipped(why),
                        };
                        let _guard = one_at_a_time.lock();
                        each(cell, &outcome);
                    }
                });
            }
        });
    }

    /// Makes one death and compares.
    pub fn one(&self, cell: &Cell<'_>, go: &Toolchain) -> Outcome {
        let folder = self.folder.join(cell.subject.name()).join(format!("go{}-{}", cell.version, cell.mode));
        let workshop = Workshop::at(&folder);
        let mut keep = self.keep;
        let outcome = match self.remains(cell, go, &folder, &workshop) {
            Ok(remains) => {
                keep &= remains.core.as_deref().is_none_or(|core| size_on_disk(core) <= LARGEST_KEPT);
                judge(&remains, &workshop.binary(cell.mode))
            }
            Err(error) => Outcome::NotMade(first_line(&format!("{error:#}"))),
        };
        if !keep {
            // What cannot be removed is in the way of nobody but the disk.
            let _ = fs::remove_dir_all(&folder);
        }
        outcome
    }

    fn remains(&self, cell: &Cell<'_>, go: &Toolchain, folder: &Path, workshop: &Workshop) -> Result<Remains> {
        let (made, text) = (folder.join("made.toml"), folder.join("stderr.txt"));
        let of = fingerprint(cell, go)?;
        if self.keep
            && let Ok(written) = fs::read_to_string(&made)
            && let Ok(old) = toml::from_str::<Made>(&written)
            && old.of == of
        {
            return Ok(Remains { text: fs::read(&text)?, core: gopsy_testing::core_in(folder), exit: old.exit });
        }
        let remains = workshop.die(cell.subject, go, cell.mode)?;
        if self.keep {
            fs::write(&text, &remains.text)?;
            fs::write(&made, toml::to_string(&Made { of, exit: remains.exit })?)?;
        }
        Ok(remains)
    }
}

/// Cores have holes: their length says nothing.
fn size_on_disk(core: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(core).map_or(0, |data| data.blocks() * 512)
}

/// What a run's files depend on: the source, how it is built and run, the release. Equal for equal things.
fn fingerprint(cell: &Cell<'_>, go: &Toolchain) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    match cell.subject {
        Subject::Specimen(specimen) => {
            fs::read(specimen.expectation())?.hash(&mut hasher);
            for source in specimen.sources() {
                (&source.name, fs::read(&source.path)?).hash(&mut hasher);
            }
        }
        Subject::Program(program) => format!("{program:?}").hash(&mut hasher),
    }
    cell.mode.flags_with(&[]).hash(&mut hasher);
    Ok(format!("{} {} {} {:016x}", cell.subject.name(), go.release, cell.mode, hasher.finish()))
}

fn judge(remains: &Remains, binary: &Path) -> Outcome {
    match (&remains.core, remains.exit) {
        // A program that was killed while the kernel wrote its core leaves a piece of one.
        (_, None) => Outcome::NoCore("it was not dead in time, or its core not written".to_owned()),
        (None, Some(exit)) => Outcome::NoCore(format!("it ended with status {exit}")),
        (Some(core), Some(_)) => hold_against(&remains.text, core, binary),
    }
}

/// Reads a text and a core with its binary, and compares them.
pub fn hold_against(text: &[u8], core: &Path, binary: &Path) -> Outcome {
    // A program may live through a death or print one: what ended the process stands last.
    let dump = || TextEvidence::programs(gopsy_text::read_bytes(text, &gopsy_text::Options::default())).pop();
    // The runtime prints at least the stack that failed; others than it say things, too.
    let Some(text) = dump().filter(|text| text.stack_count() > 0) else { return Outcome::NoText };
    let read = || match CoreEvidence::open(core, Some(binary)) {
        Ok(evidence) => {
            let mut differences = compare(&text, &Program::new(evidence));
            differences.extend(not_of_its_binary(dump(), binary));
            compared(&differences)
        }
        Err(error) => Outcome::Unreadable(without_folder(&error.to_string(), binary)),
    };
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(Outcome::Panicked)
}

/// What says that a text is not of the binary that wrote it.
fn not_of_its_binary(text: Option<Program>, binary: &Path) -> Option<Difference> {
    let image = Arc::new(gopsy_target::finder::open(binary).ok()?);
    let joined = TextWithBinary::join(text?, [("the binary".to_owned(), image)], true);
    joined.contradicts().then(|| Difference {
        kind: "text.of-its-binary",
        absent: false,
        at: "the whole".to_owned(),
        goroutines: None,
        at_rest: false,
        text: "of the binary that wrote it".to_owned(),
        core: joined.alarms().into_iter().next().unwrap_or_default(),
    })
}

fn compared(differences: &[Difference]) -> Outcome {
    let (mut different, mut met) = (Vec::new(), BTreeMap::<_, Vec<Difference>>::new());
    for difference in differences {
        match permitted(difference) {
            Some(permitted) => met.entry(permitted.name).or_default().push(difference.clone()),
            None => different.push(difference.clone()),
        }
    }
    Outcome::Compared { different, permitted: met }
}

/// Reasons are counted, so they must not tell which run they are of.
fn without_folder(reason: &str, binary: &Path) -> String {
    let folder = binary.parent().unwrap_or(binary).display().to_string();
    first_line(&reason.replace(&folder, "…"))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
