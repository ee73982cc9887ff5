//! A core file with its binary, as evidence.

use gopsy_image::{BuildInfo, Image, ImageError, Machine};
use gopsy_mem::{Addr, Bias};
use gopsy_model::{
    Crash, Goroutine, Headline, Identity, Known, Missing, PanicLine, Role, Signal, Source, Stack, Status, Str, Trust,
};
use gopsy_runtime::{Culprit, G, GoSignal, How, Layouts, M, Runtime, RuntimeError};
use gopsy_target::{Attachment, Core, MappedFile, TargetError};
use gopsy_unwind::{On, Pc, RawFrame, SignalFrame, Stacks, Walk, Walker};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::{Evidence, StackId};

/// Signals of linux/amd64 whose siginfo holds a fault address.
const SIGILL: u32 = 4;
const SIGTRAP: u32 = 5;
const SIGBUS: u32 = 7;
const SIGFPE: u32 = 8;
const SIGSEGV: u32 = 11;

/// What the runtime does on the goroutine's own stack after it has decided to die. The runtime leaves these frames out by
/// starting its traceback at the caller of `fatalpanic` and its kin; here they are left out by name. So is everything
/// that stands on the thread's system and signal stacks.
const DYING: &[&str] = &[
    "runtime.raise",
    "runtime.dieFromSignal",
    "runtime.crash",
    "runtime.fatalpanic",
    "runtime.fatalthrow",
    "runtime.systemstack",
    "runtime.systemstack_switch",
];

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
    /// No binary was given, and none was found.
    #[error("the binary {wanted} that wrote this core is not there\n\nhint: name it; it must be the same build")]
    NoBinary {
        /// Where the core says that it was.
        wanted: PathBuf,
    },
    /// The binary that was given did not write this core.
    #[error("{path} is another build than the one that wrote this core (the build ids differ)")]
    OtherBuild {
        /// The binary.
        path: PathBuf,
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

/// A core with its binary. Stacks are goroutines in the order of `allgs`, without the dead ones.
pub struct CoreEvidence {
    core: Core,
    image: Arc<Image>,
    bias: Bias,
    layouts: Layouts,
    build: Option<BuildInfo>,
    goroutines: Vec<Addr>,
    threads: Vec<M>,
    crash: Crash,
    notes: Vec<String>,
    stacks: Vec<OnceLock<Stack>>,
}

impl CoreEvidence {
    /// Opens a core. Without a binary it looks where the core says that it was, and beside the core.
    ///
    /// # Errors
    /// When either cannot be read, they do not belong together, or the binary has no debug information.
    pub fn open(core: &Path, binary: Option<&Path>) -> Result<Self, CoreError> {
        let opened = Core::open(core)?;
        let path = match binary {
            Some(path) => path.to_owned(),
            None => find_binary(&opened, core)?,
        };
        let mapped = MappedFile::open(&path)?;
        let image = Image::parse(Arc::new(mapped)).map_err(|error| CoreError::Binary { path: path.clone(), error })?;
        Self::join(opened, Arc::new(image), &path)
    }

    /// Joins a core and a binary that are already open; `path` names the binary in messages.
    ///
    /// # Errors
    /// When they do not belong together, or the binary has no debug information.
    pub fn join(mut core: Core, image: Arc<Image>, path: &Path) -> Result<Self, CoreError> {
        let mut notes = Vec::new();
        if core.machine() != Machine::X86_64 {
            return Err(CoreError::Machine(core.machine().goarch().unwrap_or("another machine")));
        }
        match core.attach(&image) {
            Attachment::Same => {}
            Attachment::Other => return Err(CoreError::OtherBuild { path: path.to_owned() }),
            Attachment::CannotTell => notes.push(format!(
                "the core does not hold the build id, so nothing proves that {} wrote it; no memory was taken from it",
                path.display()
            )),
        }
        let Some(bias) = core.bias(&image).or((!image.relocatable()).then_some(Bias::ZERO)) else {
            return Err(CoreError::NoBase { path: path.to_owned() });
        };
        image.pclntab().map_err(|error| CoreError::Binary { path: path.to_owned(), error })?;
        let layouts = Layouts::of(&image)?;
        let runtime = Runtime::new(&core, &layouts, bias, Source::Core);
        let threads = runtime.threads()?;
        let listed = runtime.goroutines()?;
        if u64::try_from(listed.addresses.len()).unwrap_or(u64::MAX) < listed.claimed {
            notes.push(format!("{} of {} goroutines are listed in the core", listed.addresses.len(), listed.claimed));
        }
        let died = core.threads().iter().find(|t| t.signal != 0).map(|t| t.tid);
        let culprit = runtime.culprit(&threads, died);
        let dead = |g: &Addr| runtime.status(*g).value() == Some(&Status::Dead);
        let goroutines: Vec<Addr> = listed.addresses.into_iter().filter(|g| !g.is_null() && !dead(g)).collect();
        extent_notes(&core, &mut notes);
        let stacks = goroutines.iter().map(|_| OnceLock::new()).collect();
        let build = image.build_info().ok();
        let crash = Crash { stacks: 0..goroutines.len(), ..Crash::default() };
        let mut evidence =
            CoreEvidence { bias, layouts, build, goroutines, threads, crash, notes, stacks, core, image };
        match culprit {
            Some(culprit) => evidence.describe(&culprit),
            None => evidence.note("no thread of the runtime was dying: who ended the process is not known yet"),
        }
        Ok(evidence)
    }

    fn runtime(&self) -> Runtime<'_> {
        Runtime::new(&self.core, &self.layouts, self.bias, Source::Core)
    }

    fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// What the runtime would have said about this death.
    fn describe(&mut self, culprit: &Culprit) {
        let runtime = self.runtime();
        let address = culprit.g.value().copied();
        let crashed = address.and_then(|a| self.goroutines.iter().position(|g| *g == a));
        let from_g = address.and_then(|a| runtime.signal(a)).map(|s| signal(&s, &culprit.m));
        let (headlines, diagnostics, notes) = match culprit.how {
            How::Panic => self.panicked(&runtime, address),
            How::Thrown => self.thrown(&runtime, culprit),
            How::Signalled => {
                (Vec::new(), Vec::new(), vec!["a signal ended the process without the runtime's doing".to_owned()])
            }
        };
        if address.is_none() {
            self.note("the thread that died ran no goroutine");
        }
        self.notes.extend(notes);
        self.crash = Crash { headlines, diagnostics, signal: from_g, crashed, ..std::mem::take(&mut self.crash) };
    }

    fn panicked(&self, runtime: &Runtime<'_>, g: Option<Addr>) -> (Vec<Headline>, Vec<Str>, Vec<String>) {
        let (mut headlines, mut notes) = (Vec::new(), Vec::new());
        let innermost = g.and_then(|g| runtime.g(g).panic.into_value());
        for (depth, panic) in (0..).zip(innermost.map(|p| runtime.panics(p)).unwrap_or_default()) {
            match panic.value {
                Known::Have { value, .. } => headlines.push(Headline::Panic(PanicLine {
                    value,
                    recovered: panic.recovered,
                    repanicked: panic.repanicked,
                    depth,
                })),
                Known::Missing(why) => notes.push(format!("the value of a panic is not known: {why}")),
            }
        }
        (headlines, Vec::new(), notes)
    }

    /// `throw`, `fatal` or a fatal signal. Which of them is told by what stands on the thread's stacks: a handler that
    /// dies (`sighandler`) was called for a signal, and then nothing that was printed before belongs to this death.
    fn thrown(&self, runtime: &Runtime<'_>, culprit: &Culprit) -> (Vec<Headline>, Vec<Str>, Vec<String>) {
        let none = |why: String| (Vec::new(), Vec::new(), vec![why]);
        let g = culprit.g.value().map(|g| runtime.g(*g));
        let alive = |f: &RawFrame<'_>| f.on == On::Goroutine && !dying_name(f);
        let Some(walk) = self.thread_walk(&culprit.m, g.as_ref(), &alive) else {
            return none("the core has no registers of the thread that died".to_owned());
        };
        if walk.frames.iter().any(|f| f.func.raw_name() == Some(b"runtime.sighandler")) {
            return match walk.signals.last() {
                Some(frame) => {
                    let mut signal = fatal_signal(runtime, frame, &culprit.m);
                    signal.in_foreign_code = !self.in_go(frame.pc);
                    (vec![Headline::Signal(signal)], Vec::new(), Vec::new())
                }
                None => none("the signal that ended the process is not known: its frame was not found".to_owned()),
            };
        }
        match runtime.backlog() {
            Known::Have { value, .. } => match printed(&value) {
                Some((headlines, diagnostics)) => (headlines, diagnostics, Vec::new()),
                None => {
                    none("the text of the fatal error is not in the runtime's record of what it printed".to_owned())
                }
            },
            Known::Missing(why) => none(format!("the text of the fatal error is not known: {why}")),
        }
    }

    /// Whether an instruction belongs to a Go function.
    fn in_go(&self, pc: Addr) -> bool {
        self.image.pclntab().is_ok_and(|table| table.find(self.bias.unload(pc)).is_some())
    }

    /// The stacks of a thread from where it stands outwards, up to the first frame for which `stop` holds.
    fn thread_walk(&self, m: &M, g: Option<&G>, stop: &dyn Fn(&RawFrame<'_>) -> bool) -> Option<Walk<'_>> {
        let runtime = self.runtime();
        let tid = u32::try_from(*m.tid.value()?).ok()?;
        let registers = self.core.threads().iter().find(|t| t.tid == tid).map(|t| &t.registers)?;
        let stacks = Stacks::of(&runtime, g, Some(m));
        let walker = Walker::new(&self.core, self.image.pclntab().ok()?, self.bias);
        Some(walker.walk_until(Pc::Interrupted(registers.pc()), registers.sp(), &stacks, stop))
    }

    /// The thread that runs a goroutine.
    fn thread_of(&self, g: &G) -> Option<&M> {
        let m = g.m.value().filter(|m| !m.is_null())?;
        self.threads.iter().find(|t| t.address == *m && t.curg.value() == Some(&g.address))
    }

    fn walk(&self, id: StackId) -> Stack {
        let unavailable = |why: String| Stack { unavailable: Some(why.into()), ..Stack::default() };
        let (Some(address), Ok(table)) = (self.goroutines.get(id), self.image.pclntab()) else {
            return unavailable("there is no such goroutine".to_owned());
        };
        let runtime = self.runtime();
        let g = runtime.g(*address);
        let thread = self.thread_of(&g);
        // In a system call: where it will return to. On a thread: where that stands. Else where it left off.
        let syscall = g.syscall.value().filter(|s| !s.pc.is_null() && g.status.value() == Some(&Status::Syscall));
        let saved = match (syscall, thread) {
            (Some(saved), _) => Some(*saved),
            (None, Some(_)) => None,
            (None, None) => match &g.sched {
                Known::Have { value, .. } => Some(*value),
                Known::Missing(why) => return unavailable(format!("where it left off is not known: {why}")),
            },
        };
        let walk = match (saved, thread) {
            (Some(saved), _) => {
                let walker = Walker::new(&self.core, table, self.bias);
                walker.walk(Pc::Return(saved.pc), saved.sp, &Stacks::of(&runtime, Some(&g), thread))
            }
            (None, Some(thread)) => match self.thread_walk(thread, Some(&g), &|_| false) {
                Some(walk) => walk,
                None => return unavailable("the core has no registers of its thread".to_owned()),
            },
            (None, None) => return unavailable("nothing says where it stands".to_owned()),
        };
        let skip = if self.crash.crashed == Some(id) { dying_prefix(&walk) } else { 0 };
        gopsy_unwind::frames(&walk, skip, self.bias, Source::Core)
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
        let missing = || Missing::NotSupported("the binary has no build information".into());
        let built = |value: Option<Str>| match value {
            Some(value) => Known::have(value, Trust::Exact, Source::Binary),
            None => Known::Missing(missing()),
        };
        let build = self.build.as_ref();
        let module = build.and_then(|b| b.main.as_ref().map(|m| m.path.clone()).or(b.path.clone()));
        let id = self.image.build_id().map(|id| hex(&id.bytes));
        Identity {
            go_version: built(build.map(|b| b.version.as_str().into())),
            os: Known::have("linux".into(), Trust::Exact, Source::Core),
            arch: built(self.core.machine().goarch().map(Into::into)),
            module: built(module.map(Into::into)),
            build_id: match id {
                Some(id) => Known::have(id.into(), Trust::Exact, Source::Binary),
                None => Known::Missing(Missing::NotApplicable),
            },
            pid: match self.core.process() {
                Some(process) => Known::have(u64::from(process.pid), Trust::Exact, Source::Core),
                None => Known::Missing(Missing::NotInCore),
            },
        }
    }

    fn stack_count(&self) -> usize {
        self.goroutines.len()
    }

    fn goroutine(&self, id: StackId) -> Goroutine {
        let Some(address) = self.goroutines.get(id) else { return Goroutine::bare(Role::Goroutine) };
        let runtime = self.runtime();
        let g = runtime.g(*address);
        let thread = self.thread_of(&g);
        let (m, mp) = match (&g.m, thread) {
            (_, Some(thread)) => (thread.id.clone(), g.m.clone().map(|m| m.0)),
            (Known::Have { .. }, None) => {
                (Known::Missing(Missing::NotApplicable), Known::Missing(Missing::NotApplicable))
            }
            (Known::Missing(why), None) => (Known::Missing(why.clone()), Known::Missing(why.clone())),
        };
        let waiting = g.status.value() == Some(&Status::Waiting);
        let creation = match (&g.go_pc, self.image.pclntab()) {
            (Known::Have { value, .. }, Ok(table)) => gopsy_unwind::creation(&table, self.bias, *value, created_by(&g)),
            (Known::Missing(why), _) => Known::Missing(why.clone()),
            (_, Err(error)) => Known::Missing(Missing::Unreadable(error.to_string().into())),
        };
        Goroutine {
            id: g.id.clone(),
            leaked: g.status.value() == Some(&Status::Leaked),
            status: g.status.clone(),
            wait_reason: if waiting { g.wait_reason.clone() } else { Known::Missing(Missing::NotApplicable) },
            wait_minutes: Known::Missing(Missing::NotSupported("the time of a core".into())),
            locked_to_thread: g.locked_m.value().is_some_and(|m| !m.is_null()),
            scan: g.scan,
            gp: Known::have(address.0, Trust::DebugInfo, Source::Core),
            m,
            mp,
            // The runtime prints none for the main goroutine.
            created_by: if g.id.value() == Some(&1) { Known::Missing(Missing::NotApplicable) } else { creation },
            ..Goroutine::bare(Role::Goroutine)
        }
    }

    fn stack(&self, id: StackId) -> Stack {
        match self.stacks.get(id) {
            Some(kept) => kept.get_or_init(|| self.walk(id)).clone(),
            None => Stack { unavailable: Some("there is no such goroutine".into()), ..Stack::default() },
        }
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

fn created_by(g: &G) -> Known<u64> {
    match &g.parent {
        Known::Have { value: 0, .. } => Known::Missing(Missing::NotApplicable),
        other => other.clone(),
    }
}

fn signal(found: &GoSignal, m: &M) -> Signal {
    let (name, description) = split_text(found.number, &found.text);
    Signal {
        name,
        description,
        code: found.code.clone(),
        address: found.address.clone(),
        pc: found.pc.clone().map(|pc| pc.0),
        m: m.id.clone(),
        in_foreign_code: false,
        instruction_bytes: Vec::new(),
    }
}

/// `SIGSEGV: segmentation violation` → its two halves; without it the number, as old releases print it.
fn split_text(number: u64, text: &Known<Str>) -> (Str, Known<Str>) {
    match text {
        Known::Have { value, trust, source } => match value.split_once(": ") {
            Some((name, text)) => (name.into(), Known::have(text.into(), *trust, *source)),
            None => (value.clone(), Known::Missing(Missing::NotApplicable)),
        },
        Known::Missing(why) => (format!("{number:#x}").into(), Known::Missing(why.clone())),
    }
}

/// The signal that the runtime died of, from the frame that the kernel made for it.
fn fatal_signal(runtime: &Runtime<'_>, frame: &SignalFrame, m: &M) -> Signal {
    let known = |value: u64| Known::have(value, Trust::Exact, Source::Core);
    // siginfo holds a fault address for these only, and only when the kernel raised them (si_code > 0).
    let faults = matches!(frame.number, SIGILL | SIGTRAP | SIGBUS | SIGFPE | SIGSEGV) && frame.code > 0;
    let (name, description) = split_text(u64::from(frame.number), &runtime.signal_text(u64::from(frame.number)));
    Signal {
        name,
        description,
        code: Known::have(i64::from(frame.code), Trust::Exact, Source::Core),
        address: if faults { known(frame.address) } else { Known::Missing(Missing::NotApplicable) },
        pc: known(frame.pc.0),
        m: m.id.clone(),
        in_foreign_code: false,
        instruction_bytes: Vec::new(),
    }
}

/// The last `fatal error: …` among what the runtime printed, with the lines of its own before it.
fn printed(backlog: &str) -> Option<(Vec<Headline>, Vec<Str>)> {
    let lines: Vec<&str> = backlog.lines().collect();
    let fatal = lines.iter().rposition(|l| l.starts_with("fatal error: "))?;
    let (mut headlines, mut diagnostics) = (Vec::new(), Vec::new());
    let own = |l: &&&str| l.starts_with("runtime: ") || l.starts_with("unexpected fault address ");
    let before = lines.get(..fatal)?.iter().rev().take_while(own).count();
    for line in lines.get(fatal.checked_sub(before)?..=fatal)? {
        if let Some(text) = line.strip_prefix("fatal error: ") {
            headlines.push(Headline::Fatal(text.into()));
        } else if let Some(address) = line.strip_prefix("unexpected fault address 0x") {
            headlines.push(Headline::FaultAddress(u64::from_str_radix(address, 16).ok()?));
        } else {
            diagnostics.push((*line).into());
        }
    }
    Some((headlines, diagnostics))
}

fn dying_name(frame: &RawFrame<'_>) -> bool {
    frame.func.name().is_some_and(|n| DYING.contains(&n.as_str()))
}

/// How many frames at the inner end are the runtime's own dying.
fn dying_prefix(walk: &Walk<'_>) -> usize {
    walk.frames.iter().take_while(|f| f.on != On::Goroutine || dying_name(f)).count()
}

fn extent_notes(core: &Core, notes: &mut Vec<String>) {
    let (named, held) = core.extent();
    notes.extend(core.unpacked().map(ToString::to_string));
    if core.truncated() {
        notes.push("the core file was cut off: it ends before what its headers promise".to_owned());
    }
    if core.damaged_notes() > 0 {
        notes.push(format!("{} notes of the core are damaged", core.damaged_notes()));
    }
    if held < named {
        let percent = u128::from(held).saturating_mul(100).checked_div(u128::from(named)).unwrap_or(0);
        notes.push(format!("the core holds {percent}% of the readable memory it names"));
    }
}

/// Where the core says that the binary was, else a file of that name beside the core.
fn find_binary(core: &Core, core_path: &Path) -> Result<PathBuf, CoreError> {
    use std::os::unix::ffi::OsStrExt;
    let wanted = core.executable().map(|m| PathBuf::from(std::ffi::OsStr::from_bytes(&m.path))).unwrap_or_default();
    let beside = wanted.file_name().map(|name| core_path.with_file_name(name));
    let there = |path: &PathBuf| path.is_absolute() && path.is_file();
    if there(&wanted) {
        return Ok(wanted);
    }
    match beside.filter(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => Err(CoreError::NoBinary { wanted }),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_fatal_error_counts_with_the_lines_before_it() {
        let text = "fatal error: printed by the program\nhello\nruntime: goroutine stack exceeds 1000000000-byte limit\n\
                    runtime: sp=0x1 stack=[0x0, 0x2]\nfatal error: stack overflow\n";
        let (headlines, diagnostics) = printed(text).unwrap_or_default();
        assert_eq!(headlines, [Headline::Fatal("stack overflow".into())]);
        assert_eq!(
            diagnostics.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
            ["runtime: goroutine stack exceeds 1000000000-byte limit", "runtime: sp=0x1 stack=[0x0, 0x2]"]
        );
        let (headlines, _) = printed("unexpected fault address 0xdead0000\nfatal error: fault\n").unwrap_or_default();
        assert_eq!(headlines, [Headline::FaultAddress(0xdead_0000), Headline::Fatal("fault".into())]);
        assert_eq!(printed("hello\n"), None);
        assert_eq!(printed("unexpected fault address 0xzz\nfatal error: fault\n"), None);
    }

    #[test]
    fn a_signal_without_a_name_is_its_number() {
        let missing = || Known::Missing(Missing::NotInCore);
        assert_eq!(split_text(11, &missing()), ("0xb".into(), missing()));
        let named = Known::have("SIGBUS: bus error".into(), Trust::DebugInfo, Source::Core);
        assert_eq!(split_text(7, &named), ("SIGBUS".into(), named.map(|_: Str| "bus error".into())));
    }
}
