//! A core file with its binary, as evidence.

mod completeness;
mod death;
mod ended;
mod fitting;
mod foreign;
mod interrupted;
mod joined;
mod modules;
mod opening;
mod threads;
mod unread;
mod waits;

pub use fitting::ask_runtime;
pub use interrupted::{Interrupted, interrupted};
pub use modules::Modules;
pub use opening::AnyCore;
pub use unread::UnreadCore;

use ended::Ended;
use joined::{Joined, Stated, identity};
use opening::{Found, Unread};

use crate::{Evidence, StackId};
use gopsy_image::{GoModule, Image, ImageError};
use gopsy_mem::{Addr, Bias};
use gopsy_model::{Brief, Crash, Goroutine, Identity, Known, Missing, Role, Source, Stack, Status, Str, Trust};
use gopsy_runtime::{Basis, G, Layouts, M, Release, Runtime, RuntimeError};
use gopsy_target::finder::{Finder, Tried};
use gopsy_target::{Comparison, Core, MappedFile, TargetError};
use gopsy_unwind::{Code, Foreign, Sites, Walk};
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a core says nothing.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// The core itself.
    #[error(transparent)]
    Core(#[from] TargetError),
    /// The binary.
    #[error("{path}: {error}")]
    Binary {
        /// The binary.
        path: PathBuf,
        /// What is wrong with it.
        error: ImageError,
    },
    /// No binary was found that is proved to be the one.
    #[error("{}", no_binary(.process, .cut.as_deref(), .build, .tried))]
    NoBinary {
        /// What the core says of the process by itself.
        process: String,
        /// What it lost, if it was cut off.
        cut: Option<Box<str>>,
        /// What it says of the build.
        build: Vec<String>,
        /// Where it was looked for.
        tried: Tried,
    },
    /// The binary that was given did not write this core.
    #[error("{path} is another build than the one that wrote this core: {why}")]
    OtherBuild {
        /// The binary.
        path: PathBuf,
        /// What tells.
        why: Comparison,
    },
    /// Stacks of this machine are not walked.
    #[error("not supported yet: a core of {0}; only amd64 can be read so far")]
    Machine(&'static str),
    /// Nothing tells where a position-independent binary was loaded.
    #[error("the core does not say where {path} was loaded: it has no auxiliary vector")]
    NoBase {
        /// The binary.
        path: PathBuf,
    },
    /// Go's structures in the core.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

/// A core with its binary. Stacks are goroutines in the order of `allgs`, without the dead ones, and behind them those of
/// the threads that stand on their system stacks.
pub struct CoreEvidence {
    core: Core,
    image: Arc<Image>,
    bias: Bias,
    layouts: Layouts,
    stated: Stated,
    entries: Vec<Entry>,
    /// Whether all goroutines that there were are listed.
    all_goroutines: bool,
    threads: Vec<M>,
    /// Whether those are all that there were.
    all_threads: bool,
    /// Which of the core's threads each of them is, by their indices.
    kernel_threads: Vec<Option<usize>>,
    /// The thread that took a signal which the runtime did not see, if one did.
    killed: Option<usize>,
    /// The thread that ended the process, where it is none of the runtime's.
    outsider: Option<Ended>,
    crash: Crash,
    alarm: Option<String>,
    notes: Vec<String>,
    sites: Sites,
    foreign: Foreign,
    modules: Vec<GoModule>,
    /// Why goroutines wait, in words, by the runtime's number.
    reasons: RefCell<HashMap<u64, Str>>,
    /// The goroutines that wait at semaphores, and at which.
    semaphores: OnceCell<Known<HashMap<Addr, Addr>>>,
    /// The latest time that the runtime wrote down.
    last_seen: OnceCell<Option<i64>>,
    /// The walks of the threads, by their index.
    walks: Vec<ThreadWalks>,
    /// The stacks that were asked for last. All of them would be too many to keep.
    kept: RefCell<Vec<(StackId, Stack)>>,
}

/// The walks of a thread.
#[derive(Default)]
struct ThreadWalks {
    /// By Go's own tables.
    go: OnceCell<Option<Walk>>,
    /// Through C and Go, where C stands on its system stack.
    foreign: OnceCell<Option<Walk>>,
}

/// What a stack belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// A goroutine, by the address of its g.
    Goroutine(Addr),
    /// The system stack of a thread, by its index.
    System(usize),
    /// Who started a goroutine, by the address of its g, and how many generations before.
    Ancestor(Addr, usize),
    /// The thread that ended the process, by its number in the core, where it is none of the runtime's.
    Thread(usize),
}

/// So many stacks are kept after they were asked for: rules ask for the same few again and again.
const KEPT_STACKS: usize = 64;

/// What a goroutine of a bubble waits for when nothing outside of the bubble can wake it, beside the reasons that say so
/// themselves (`isIdleInSynctest` in `runtime/runtime2.go`, Go 1.25 to 1.27).
const DURABLE: [&str; 9] = [
    "chan receive (nil chan)",
    "chan send (nil chan)",
    "select (no cases)",
    "sleep",
    "sync.Cond.Wait",
    "sync.WaitGroup.Wait",
    "coroutine",
    "synctest.Run",
    "synctest.Wait",
];

/// How a core is to be read.
#[derive(Debug, Clone, Default)]
pub struct CoreOptions {
    /// Where the binary is looked for, beside where the core says that it was, and beside the core.
    pub finder: Finder,
    /// The release by whose layouts the runtime's structures are read, whatever the binary says of itself. Only what the
    /// memory proves of them is read then.
    pub layouts_of: Option<Release>,
}

impl CoreEvidence {
    /// Opens a core with its binary; without one it is looked for where the core says that it was, and beside the core.
    ///
    /// # Errors
    /// When either cannot be read, they do not belong together, or the binary is no Go program.
    pub fn open(core: &Path, binary: Option<&Path>) -> Result<Self, CoreError> {
        let options = CoreOptions::default();
        match binary {
            Some(path) => Self::join(Core::open(core)?, image(path)?, path, &options),
            None => Self::open_with(core, &options),
        }
    }

    /// Opens a core as the options say.
    ///
    /// # Errors
    /// As [`CoreEvidence::open`].
    pub fn open_with(core: &Path, options: &CoreOptions) -> Result<Self, CoreError> {
        Self::of(Joined::find(Core::open(core)?, options)?, options).map_err(|unread| unread.refused.why)
    }

    /// Joins a core and a binary that are already open; `path` names the binary in messages.
    ///
    /// # Errors
    /// When they do not belong together, or the binary is no Go program.
    pub fn join(core: Core, image: Arc<Image>, path: &Path, options: &CoreOptions) -> Result<Self, CoreError> {
        Self::of(Joined::of(core, image, path, &options.finder)?, options).map_err(|unread| unread.refused.why)
    }

    /// Reads the Go runtime of a process.
    fn of(joined: Joined, options: &CoreOptions) -> Result<Self, Box<Unread>> {
        let found = match Found::in_memory(&joined, options) {
            Ok(found) => found,
            Err(refused) => return Err(Box::new(Unread { joined, refused })),
        };
        let Found { layouts, threads, all_threads, kernel_threads, goroutines, all_goroutines, culprit, remarks } =
            found;
        let Joined { core, image, bias, stated, modules, foreign, alarm, mut notes, .. } = joined;
        notes.extend(remarks);
        let walks = threads.iter().map(|_| ThreadWalks::default()).collect();
        let killed = culprit.as_ref().filter(|culprit| culprit.how == gopsy_runtime::How::Signalled);
        let killed = killed.and_then(|culprit| threads.iter().position(|m| m.address == culprit.m.address));
        let mut evidence = CoreEvidence {
            bias,
            layouts,
            stated,
            entries: goroutines.into_iter().map(Entry::Goroutine).collect(),
            all_goroutines,
            threads,
            all_threads,
            kernel_threads,
            killed,
            outsider: None,
            crash: Crash::default(),
            alarm,
            notes,
            sites: Sites::default(),
            foreign,
            modules,
            reasons: RefCell::default(),
            semaphores: OnceCell::new(),
            last_seen: OnceCell::new(),
            walks,
            kept: RefCell::default(),
            core,
            image,
        };
        let on_system: Vec<usize> = (0..evidence.threads.len()).filter(|t| evidence.on_system_stack(*t)).collect();
        evidence.entries.extend(on_system.into_iter().map(Entry::System));
        evidence.add_ancestors();
        evidence.crash.stacks = 0..evidence.entries.len();
        let missing = evidence.missing();
        evidence.notes.extend(missing);
        let has_died = completeness::may_have_died(&evidence.core) || evidence.at_end_of_panic().is_some();
        let culprit = evidence.whose_end(culprit);
        let lent = culprit.as_ref().and_then(|culprit| evidence.lent(culprit));
        match culprit {
            Some(culprit) if lent.is_none() => evidence.describe(&culprit),
            _ => evidence.describe_outsider(lent),
        }
        evidence.crash.unread = evidence.crash.headlines.is_empty() && has_died;
        Ok(evidence)
    }

    /// The runtime of the process.
    #[must_use]
    pub fn runtime(&self) -> Runtime<'_> {
        Runtime::new(&self.core, &self.layouts, self.bias, Source::Core)
    }

    /// From where the layouts of the runtime's structures are known.
    #[must_use]
    pub fn basis(&self) -> &Basis {
        self.layouts.basis()
    }

    /// The code of the program. That there is some was seen when the core was opened.
    fn code(&self) -> Code<'_> {
        modules::code(&self.core, &self.image, self.bias, &self.modules)
    }

    fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// A goroutine as its header would have told of it.
    fn header(&self, address: Addr) -> Goroutine {
        let runtime = self.runtime();
        let g = runtime.g(address);
        let thread = self.thread_of(&g).and_then(|t| self.threads.get(t));
        let (m, mp) = match (&g.m, thread) {
            (_, Some(thread)) => (thread.id.clone(), g.m.clone().map(|m| m.0)),
            (Known::Have { value, .. }, None) if !value.is_null() && !self.all_threads => {
                (Known::Missing(Missing::NotInCore), Known::Missing(Missing::NotInCore))
            }
            (Known::Have { .. }, None) => {
                (Known::Missing(Missing::NotApplicable), Known::Missing(Missing::NotApplicable))
            }
            (Known::Missing(why), None) => (Known::Missing(why.clone()), Known::Missing(why.clone())),
        };
        // `goroutineheader` in `runtime/traceback.go`.
        let leaked = g.status.value() == Some(&Status::Leaked);
        let waiting = leaked || g.status.value() == Some(&Status::Waiting);
        let bubble = runtime.bubble(address);
        let (wait_reason, durable) = match &g.wait_reason {
            _ if !waiting => (Known::Missing(Missing::NotApplicable), false),
            Known::Have { value, trust, source } => {
                let bare = value.strip_suffix(" (durable)");
                let durable = bare.is_some() || (bubble.is_some() && DURABLE.contains(&&**value));
                (Known::have(bare.map_or_else(|| value.clone(), Into::into), *trust, *source), durable)
            }
            missing => (missing.clone(), false),
        };
        let wait_minutes = match self.wait_minutes(g.status.value(), g.wait_since.value().copied()) {
            Some(minutes) => Known::have(minutes, Trust::Inferred, Source::Core),
            None => Known::Missing(Missing::NotApplicable),
        };
        let waits_at =
            if waiting { self.waits_at(address, &wait_reason) } else { Known::Missing(Missing::NotApplicable) };
        let deferred = runtime.defers(address).into_value().unwrap_or_default();
        let labels = match &g.labels {
            Known::Have { value, .. } => runtime.labels(*value),
            Known::Missing(why) => Known::Missing(why.clone()),
        };
        let creation = match &g.go_pc {
            Known::Have { value, .. } => gopsy_unwind::creation(&self.code(), *value, created_by(&g)),
            Known::Missing(why) => Known::Missing(why.clone()),
        };
        Goroutine {
            id: g.id.clone(),
            leaked,
            status: g.status.clone(),
            wait_reason,
            waits_at,
            durable,
            bubble,
            labels,
            wait_minutes,
            locked_to_thread: g.locked_m.value().is_some_and(|m| !m.is_null()),
            scan: g.scan,
            gp: Known::have(address.0, self.layouts.trust(), Source::Core),
            m,
            mp,
            // The runtime prints none for the main goroutine.
            created_by: if g.id.value() == Some(&1) { Known::Missing(Missing::NotApplicable) } else { creation },
            deferred: deferred
                .iter()
                .filter_map(|call| gopsy_unwind::definition(&self.code(), *call.func.value()?))
                .collect(),
            ..Goroutine::bare(Role::Goroutine)
        }
    }

    /// A thread's system stack as its header would have told of it: `goroutine 0 … [idle]`.
    fn system_header(&self, thread: usize) -> Goroutine {
        let bare = Goroutine::bare(Role::System);
        let Some(m) = self.threads.get(thread) else { return bare };
        let status = match &m.g0 {
            Known::Have { value, .. } => self.runtime().g(*value).status,
            Known::Missing(why) => Known::Missing(why.clone()),
        };
        Goroutine {
            status,
            m: m.id.clone(),
            mp: Known::have(m.address.0, self.layouts.trust(), Source::Core),
            gp: m.g0.clone().map(|g| g.0),
            ..bare
        }
    }

    /// An ancestor as the runtime names it: `[originating from goroutine N]`.
    fn ancestor_header(&self, g: Addr, index: usize) -> Goroutine {
        let bare = Goroutine::bare(Role::Ancestor);
        let Some(ancestor) = self.runtime().ancestors(g).into_iter().nth(index) else { return bare };
        let creation = gopsy_unwind::creation(&self.code(), ancestor.go_pc, Known::not_printed());
        let created_by = if ancestor.id == 1 { Known::Missing(Missing::NotApplicable) } else { creation };
        Goroutine { ancestor: Some(ancestor.id), created_by, ..bare }
    }

    /// Ancestors are recorded for all goroutines or for none; of the first goroutines, the runtime's own among them, some have
    /// none to record.
    fn add_ancestors(&mut self) {
        const LOOKED_AT: usize = 64;
        let runtime = self.runtime();
        let goroutines =
            || self.entries.iter().filter_map(|e| if let Entry::Goroutine(g) = e { Some(*g) } else { None });
        if goroutines().take(LOOKED_AT).all(|g| runtime.ancestors(g).is_empty()) {
            return;
        }
        let of = |g: Addr| (0..runtime.ancestors(g).len()).map(move |index| Entry::Ancestor(g, index));
        let found: Vec<Entry> = goroutines().flat_map(of).collect();
        self.entries.extend(found);
    }

    /// For how many whole minutes at least a goroutine had waited, or been in a system call, when the process died: from one
    /// on, as the runtime prints them. `None` where nobody wrote down when it began.
    fn wait_minutes(&self, status: Option<&Status>, since: Option<i64>) -> Option<u64> {
        const MINUTE: u64 = 60_000_000_000;
        let since = since.filter(|_| matches!(status, Some(Status::Waiting | Status::Syscall)))?;
        let last = (*self.last_seen.get_or_init(|| self.runtime().last_seen_alive()))?;
        let passed = last.checked_sub(since).filter(|_| since > 0)?;
        u64::try_from(passed).ok()?.checked_div(MINUTE).filter(|minutes| *minutes > 0)
    }

    /// Why a goroutine waits, in words.
    fn reason(&self, number: u64) -> Option<Str> {
        if let Some(reason) = self.reasons.borrow().get(&number) {
            return Some(reason.clone());
        }
        let reason = self.runtime().wait_reason(number).into_value()?;
        self.reasons.borrow_mut().insert(number, reason.clone());
        Some(reason)
    }
}

impl Evidence for CoreEvidence {
    fn source(&self) -> Source {
        Source::Core
    }

    fn crash(&self) -> &Crash {
        &self.crash
    }

    fn identity(&self) -> Identity {
        identity(&self.core, &self.image, &self.stated)
    }

    fn stack_count(&self) -> usize {
        self.entries.len()
    }

    fn goroutines(&self) -> Range<StackId> {
        0..self.entries.iter().take_while(|e| matches!(e, Entry::Goroutine(_))).count()
    }

    fn goroutine(&self, id: StackId) -> Goroutine {
        match self.entries.get(id) {
            Some(Entry::Goroutine(address)) => self.header(*address),
            Some(Entry::System(thread)) => self.system_header(*thread),
            Some(Entry::Ancestor(g, index)) => self.ancestor_header(*g, *index),
            Some(Entry::Thread(number)) => Goroutine {
                thread: self.core.threads().get(*number).map(|thread| thread.tid),
                ..Goroutine::bare(Role::Thread)
            },
            None => Goroutine::bare(Role::Goroutine),
        }
    }

    fn stack(&self, id: StackId) -> Stack {
        if let Some((_, stack)) = self.kept.borrow().iter().find(|(kept, _)| *kept == id) {
            return stack.clone();
        }
        let stack = self.walk(id);
        let mut kept = self.kept.borrow_mut();
        if kept.len() >= KEPT_STACKS {
            kept.remove(0);
        }
        kept.push((id, stack.clone()));
        stack
    }

    fn alarms(&self) -> Vec<String> {
        self.alarm.iter().cloned().collect()
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn called_from_c(&self, id: StackId) -> Option<Stack> {
        let Some(Entry::Goroutine(address)) = self.entries.get(id) else { return None };
        self.callers_in_c(self.thread_of(&self.runtime().g(*address))?)
    }

    fn stack_key(&self, id: StackId) -> u64 {
        self.parked_key(id).unwrap_or_else(|| crate::key::stack_key(&self.goroutine(id), &self.stack(id)))
    }

    fn brief(&self, id: StackId) -> Brief {
        let address = match self.entries.get(id) {
            Some(Entry::Goroutine(address)) => address,
            Some(Entry::System(_)) => return Brief { state: "system stack".into(), wait_minutes: None, copies: 1 },
            Some(Entry::Ancestor(..) | Entry::Thread(_)) | None => {
                return Brief { state: Brief::NO_STATE.into(), wait_minutes: None, copies: 1 };
            }
        };
        let standing = self.runtime().standing(*address);
        let reason = || standing.wait_reason.and_then(|number| self.reason(number));
        let state = match &standing.status {
            Some(Status::Waiting) => reason().unwrap_or_else(|| Status::Waiting.as_str().into()),
            Some(status) => status.as_str().into(),
            None => Brief::NO_STATE.into(),
        };
        let wait_minutes = self.wait_minutes(standing.status.as_ref(), standing.wait_since);
        Brief { state, wait_minutes, copies: 1 }
    }
}

fn created_by(g: &G) -> Known<u64> {
    match &g.parent {
        Known::Have { value: 0, .. } => Known::Missing(Missing::NotApplicable),
        other => other.clone(),
    }
}

/// A binary.
fn image(path: &Path) -> Result<Arc<Image>, CoreError> {
    let mapped = MappedFile::open(path)?;
    let image = Image::parse(Arc::new(mapped)).map_err(|error| CoreError::Binary { path: path.to_owned(), error })?;
    Ok(Arc::new(image))
}

/// What to say when no binary fits.
fn no_binary(process: &str, cut: Option<&str>, build: &[String], tried: &Tried) -> String {
    let cut = cut.map_or_else(String::new, |cut| format!("\n\nthe core is cut off: {cut}"));
    let mut text =
        format!("{process}{cut}\n\nthe binary that wrote it is needed, the very same build; this was tried:");
    for miss in &tried.misses {
        text.push_str(&format!("\n  {miss}"));
    }
    if !build.is_empty() {
        text.push_str("\n\nwhat the core says of that build:");
    }
    for line in build {
        text.push_str(&format!("\n  {line}"));
    }
    text.push('\n');
    for hint in tried.hints() {
        text.push_str(&format!("\nhint: {hint}"));
    }
    text
}
