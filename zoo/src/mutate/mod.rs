//! Damaged cores: real ones with a few bytes changed, asked for everything. No bytes may make gopsy panic, hang or take
//! more memory than [`MOST_MEMORY`].
//!
//! A case is decided by the seed and its number, so that one can be repeated ([`Plan::only`]).

mod ask;
mod change;
mod debug;
mod limits;
mod places;
mod random;
mod report;
mod victim;
mod withheld;

use std::cell::RefCell;
use std::fs;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail, ensure};
use gopsy_image::{Bytes, Image};
use gopsy_program::{AnyCore, Program};
use gopsy_runtime::Release;
use gopsy_target::finder::Finder;
use gopsy_target::{Core, MappedFile};

use ask::{Answer, Manner};
use limits::Watch;
use places::Places;
use random::Random;
use victim::Victim;

pub use limits::{LONGEST, MOST_MEMORY};
pub use report::{Finding, Report};
pub use withheld::false_statements;

/// Larger cores are left out: two copies of one are in memory.
const LARGEST: u64 = 256 << 20;

/// By the layouts of these the cores are read too: what does not fit must be withheld, never followed blindly.
const OTHER_RELEASES: [&str; 5] = ["go1.16.15", "go1.19.13", "go1.22.12", "go1.25.5", "go1.27.3"];

/// A core and its binary on disk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// The core.
    pub core: PathBuf,
    /// The binary that wrote it.
    pub binary: PathBuf,
}

/// Which cases are run.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// How many, of each core.
    pub count: u64,
    /// What they are made from.
    pub seed: u64,
    /// How many at a time.
    pub jobs: usize,
    /// The only one to run.
    pub only: Option<u64>,
    /// Where the cases that are being run are named, for one that ends the process.
    pub running: Option<Arc<fs::File>>,
}

/// The cores below a folder, each with the binary that the core names or one that lies beside it.
///
/// # Errors
/// When the folder cannot be read.
pub fn pairs(folder: &Path) -> Result<Vec<Pair>> {
    let listed = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths = listed.map(|e| Ok(e?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    paths.sort();
    let mut found = Vec::new();
    for path in &paths {
        if path.is_dir() {
            found.extend(pairs(path)?);
        } else if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"core"))
            && let Some(binary) = binary_of(path, &paths)
        {
            found.push(Pair { core: path.clone(), binary });
        }
    }
    Ok(found)
}

fn binary_of(core: &Path, beside: &[PathBuf]) -> Option<PathBuf> {
    let mut opened = Core::open(core).ok()?;
    let bins = beside.iter().filter(|path| path.is_file() && *path != core).cloned().collect();
    let finder = Finder { bins, debug_dirs: Vec::new(), ..Finder::default() };
    finder.program(&mut opened).ok().map(|found| found.path)
}

/// Runs the cases of one core; what was found goes into the report.
///
/// # Errors
/// When the core cannot be read as it is.
pub fn run(pair: &Pair, plan: &Plan, report: &Mutex<Report>) -> Result<()> {
    let bytes = |path: &Path| -> Result<Vec<u8>> {
        ensure!(fs::metadata(path)?.len() <= LARGEST, "{} has more than {} MiB", path.display(), LARGEST >> 20);
        let file = MappedFile::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(file.as_ref().to_vec())
    };
    // What repeats a case names the folder.
    let folder = pair.core.parent().unwrap_or(&pair.core);
    run_on(&folder.display().to_string(), bytes(&pair.core)?, bytes(&pair.binary)?, plan, report)
}

/// As [`run`], of a core in memory.
///
/// # Errors
/// When the core cannot be read as it is.
pub fn run_on(name: &str, core: Vec<u8>, binary: Vec<u8>, plan: &Plan, report: &Mutex<Report>) -> Result<()> {
    listen();
    let image = Image::parse(Arc::new(binary.clone())).map_err(|error| anyhow!("{error}"))?;
    let sound = Sound { name, core: Arc::new(core), image: Arc::new(image), binary: debug::laid_open(binary) };
    let jobs = if plan.only.is_some() { 1 } else { plan.jobs.max(1) };
    let (watch, next, done) = (Watch::over(jobs, plan.running.as_deref()), AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs)
            .map(|worker| {
                let (sound, watch, next) = (&sound, &watch, &next);
                scope.spawn(move || Worker::new(sound)?.work(worker, plan, next, watch, report))
            })
            .collect();
        scope.spawn(|| {
            watch.look_on(&|| done.load(Ordering::Relaxed), &|case| {
                if let Ok(mut report) = report.lock() {
                    report.add_finding(Finding { case: case.to_owned(), what: "it does not end".to_owned() });
                    println!("{report}");
                }
                std::process::exit(1);
            });
        });
        let ends: Vec<_> = workers.into_iter().map(|w| w.join()).collect();
        done.store(true, Ordering::Relaxed);
        for end in ends {
            match end {
                Ok(worked) => worked?,
                // The sound core itself made it panic.
                Err(_) => {
                    let mut report = report.lock().map_err(|_| anyhow!("a worker ended the report"))?;
                    report.add_finding(Finding { case: name.to_owned(), what: "a worker panicked".to_owned() });
                }
            }
        }
        Ok(())
    })
}

/// What is the same for all cases of a core.
struct Sound<'a> {
    name: &'a str,
    core: Arc<Vec<u8>>,
    image: Arc<Image>,
    /// The binary's bytes, its debug information laid open.
    binary: Vec<u8>,
}

struct Worker<'a> {
    sound: &'a Sound<'a>,
    /// What the sound core says.
    whole: Program,
    core: Victim,
    binary: Victim,
    in_core: Places,
    in_binary: Places,
}

impl<'a> Worker<'a> {
    fn new(sound: &'a Sound<'a>) -> Result<Self> {
        let bytes = || Arc::clone(&sound.core) as Bytes;
        let parsed = Core::parse(bytes()).with_context(|| format!("{} cannot be read", sound.name))?;
        let opened = ask::open(bytes(), &sound.image, None).map_err(|error| anyhow!("{}: {error}", sound.name))?;
        let AnyCore::Read(evidence) = opened else { bail!("{} has no goroutines that can be read", sound.name) };
        let in_core = Places::of_core(&sound.core, &parsed, &sound.image, &evidence);
        let image = Image::parse(Arc::new(sound.binary.clone())).map_err(|error| anyhow!("{error}"))?;
        let in_binary = Places::of_binary(&image);
        ensure!(!in_core.structures.is_empty(), "{} has no goroutines", sound.name);
        let (core, binary) = (Victim::new(sound.core.to_vec()), Victim::new(sound.binary.clone()));
        Ok(Self { sound, whole: Program::new(*evidence), core, binary, in_core, in_binary })
    }

    fn work(
        &mut self,
        worker: usize,
        plan: &Plan,
        next: &AtomicU64,
        watch: &Watch<'_>,
        report: &Mutex<Report>,
    ) -> Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let case = match plan.only {
                Some(only) if number == 0 => only,
                None if number < plan.count => number,
                _ => return Ok(()),
            };
            let name = format!("{} --seed {} --only {case}", self.sound.name, plan.seed);
            watch.set(worker, Some(name.clone()));
            let outcome = self.one(Random::of(plan.seed, case), case % 8 == 0 || plan.only.is_some());
            watch.set(worker, None);
            let mut report = report.lock().map_err(|_| anyhow!("a worker ended the report"))?;
            report.add(&name, &outcome);
            if plan.only.is_some() {
                outcome.changes.iter().for_each(|change| println!("{change}"));
            }
        }
    }

    /// Makes one case.
    fn one(&mut self, mut random: Random, written: bool) -> Outcome {
        let kind = random.below(20);
        let mut changes = Vec::new();
        let of_part = match kind {
            0..3 => Some(withheld::withhold(&mut self.core, &self.in_core, &mut random)),
            _ => None,
        };
        if let Some(done) = &of_part {
            changes.extend(done.iter().map(|c| format!("core: {c}")));
        }
        if (3..16).contains(&kind) || kind == 19 {
            let done = change::damage(&mut self.core, &self.in_core, &mut random);
            changes.extend(done.iter().map(|c| format!("core: {c}")));
        }
        if kind >= 16 {
            let done = change::damage(&mut self.binary, &self.in_binary, &mut random);
            changes.extend(done.iter().map(|c| format!("binary: {c}")));
        }
        let layouts_of = match random.below(8) {
            0 if of_part.is_none() => random.one_of(&OTHER_RELEASES).and_then(|release| Release::parse(release)),
            _ => None,
        };
        let manner = Manner { whole: of_part.is_some().then_some(&self.whole), layouts_of, written };
        limits::forget_peak();
        let begin = Instant::now();
        let (core, binary) = (&self.core, &self.binary);
        let asked = listening(|| {
            let image = if binary.is_changed() {
                Image::parse(binary.share()).ok().map(Arc::new)
            } else {
                Some(Arc::clone(&self.sound.image))
            };
            image.map(|image| ask::everything(core.share(), &image, manner)).unwrap_or_default()
        });
        let (took, memory) = (begin.elapsed(), limits::peak_memory());
        let Answer { read, said, mut wrong } = asked
            .unwrap_or_else(|panicked| Answer { wrong: vec![format!("panicked: {panicked}")], ..Answer::default() });
        if took > LONGEST {
            wrong.push("it takes too long".to_owned());
        }
        if memory > MOST_MEMORY {
            wrong.push(format!("it takes {} MiB", memory >> 20));
        }
        self.core.restore();
        self.binary.restore();
        Outcome { read, said, wrong, changes, took, memory }
    }
}

/// What came of one case.
#[derive(Debug)]
struct Outcome {
    /// Whether there was something to ask.
    read: bool,
    /// All that was said, in one number.
    said: u64,
    wrong: Vec<String>,
    changes: Vec<String>,
    took: std::time::Duration,
    memory: u64,
}

thread_local! {
    /// What a panic said, while somebody listens.
    static SAID: RefCell<Option<Option<String>>> = const { RefCell::new(None) };
}

/// Panics of cases are findings, not lines on a terminal; others go on as they did.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let heard = SAID.with_borrow_mut(|said| said.as_mut().map(|said| *said = Some(info.to_string())));
            if heard.is_none() {
                before(info);
            }
        }));
    });
}

/// Does something; what it said if it panicked.
fn listening<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    SAID.set(Some(None));
    let done = catch_unwind(AssertUnwindSafe(work));
    let said = SAID.take().flatten();
    done.map_err(|_| said.unwrap_or_default().replace('\n', " "))
}
