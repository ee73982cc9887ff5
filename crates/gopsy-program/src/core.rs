//! A core file with its binary, as evidence.

use gopsy_image::{BuildInfo, Image, ImageError};
use gopsy_mem::{Addr, Bias};
use gopsy_model::{
    Crash, Goroutine, Headline, Identity, Known, Missing, PanicLine, Role, Signal, Source, Stack, Status, Str, Trust,
};
use gopsy_runtime::{Culprit, G, GoSignal, How, Layouts, M, Runtime, RuntimeError};
use gopsy_target::{Attachment, Core, MappedFile, TargetError};
use gopsy_unwind::{Pc, Stacks, Walk, Walker};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::{Evidence, StackId};

/// What the runtime does after it has decided to die: frames within the one that a traceback begins with. The runtime
/// leaves them out by starting its traceback at the caller of `fatalpanic` and its kin; here they are left out by name.
const DYING: &[&str] = &[
    "runtime.raise",
    "runtime.dieFromSignal",
    "runtime.crash",
    "runtime.fatalpanic",
    "runtime.fatalpanic.func1",
    "runtime.fatalpanic.func2",
    "runtime.fatalthrow",
    "runtime.fatalthrow.func1",
    "runtime.systemstack",
    "runtime.sigfwdgo",
    "runtime.sigtrampgo",
    "runtime.sigtramp",
    "runtime.sighandler",
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
        match core.attach(&image) {
            Attachment::Same => {}
            Attachment::Other => return Err(CoreError::OtherBuild { path: path.to_owned() }),
            Attachment::CannotTell => notes.push(format!(
                "the core does not hold the build id, so nothing proves that {} wrote it; no memory was taken from it",
                path.display()
            )),
        }
        let Some(bias) = core.bias(&image).or((!image.relocatable()).then_some(Bias::ZERO)) else {
            return Err(RuntimeError::DoNotFit("the core does not say where the binary was loaded".to_owned()).into());
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
        let crash = crash(&runtime, culprit.as_ref(), &goroutines, &mut notes);
        extent_notes(&core, &mut notes);
        let stacks = goroutines.iter().map(|_| OnceLock::new()).collect();
        let build = image.build_info().ok();
        Ok(CoreEvidence { bias, layouts, build, goroutines, threads, crash, notes, stacks, core, image })
    }

    fn runtime(&self) -> Runtime<'_> {
        Runtime::new(&self.core, &self.layouts, self.bias, Source::Core)
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
        let stacks = Stacks::of(&runtime, &g, thread);
        let walker = Walker::new(&self.core, table, self.bias);
        // In a system call: where it will return to. On a thread: where that stands. Else where it left off.
        let syscall = g.syscall.value().filter(|s| !s.pc.is_null() && g.status.value() == Some(&Status::Syscall));
        let start = match (syscall, thread) {
            (Some(saved), _) => (Pc::Return(saved.pc), saved.sp),
            (None, Some(thread)) => {
                let tid = thread.tid.value().and_then(|tid| u32::try_from(*tid).ok());
                let Some(registers) = self.core.threads().iter().find(|t| Some(t.tid) == tid).map(|t| &t.registers)
                else {
                    return unavailable("the core has no registers of its thread".to_owned());
                };
                (Pc::Interrupted(registers.pc()), registers.sp())
            }
            (None, None) => match &g.sched {
                Known::Have { value, .. } => (Pc::Return(value.pc), value.sp),
                Known::Missing(why) => return unavailable(format!("where it left off is not known: {why}")),
            },
        };
        let walk = walker.walk(start.0, start.1, &stacks);
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

/// What the runtime would have said about this death.
fn crash(runtime: &Runtime<'_>, culprit: Option<&Culprit>, goroutines: &[Addr], notes: &mut Vec<String>) -> Crash {
    let mut crash = Crash { stacks: 0..goroutines.len(), ..Crash::default() };
    let Some(culprit) = culprit else {
        notes.push("no thread of the runtime was dying: who ended the process is not known yet".to_owned());
        return crash;
    };
    let Known::Have { value: address, .. } = culprit.g else {
        notes.push("the thread that died ran no goroutine".to_owned());
        return crash;
    };
    crash.crashed = goroutines.iter().position(|g| *g == address);
    crash.signal = runtime.signal(address).map(|s| signal(&s, &culprit.m));
    match culprit.how {
        How::Panic => {
            let g = runtime.g(address);
            let panics = g.panic.value().map(|p| runtime.panics(*p)).unwrap_or_default();
            for (depth, panic) in (0..).zip(panics) {
                match panic.value {
                    Known::Have { value, .. } => crash.headlines.push(Headline::Panic(PanicLine {
                        value,
                        recovered: panic.recovered,
                        repanicked: panic.repanicked,
                        depth,
                    })),
                    Known::Missing(why) => notes.push(format!("the value of a panic: {why}")),
                }
            }
        }
        How::Thrown => notes.push("the text of a fatal error is not read from cores yet".to_owned()),
        How::Signalled => notes.push("a signal ended the process without the runtime's doing".to_owned()),
    }
    crash
}

fn signal(found: &GoSignal, m: &M) -> Signal {
    // `SIGSEGV: segmentation violation`, from the runtime's own table.
    let (name, description) = match &found.text {
        Known::Have { value, trust, source } => match value.split_once(": ") {
            Some((name, text)) => (name.into(), Known::have(text.into(), *trust, *source)),
            None => (value.clone(), Known::Missing(Missing::NotApplicable)),
        },
        Known::Missing(why) => (format!("{:#x}", found.number).into(), Known::Missing(why.clone())),
    };
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

/// How many frames at the inner end are the runtime's own dying.
fn dying_prefix(walk: &Walk<'_>) -> usize {
    walk.frames.iter().take_while(|f| f.func.name().is_some_and(|n| DYING.contains(&n.as_str()))).count()
}

fn extent_notes(core: &Core, notes: &mut Vec<String>) {
    let (named, held) = core.extent();
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
