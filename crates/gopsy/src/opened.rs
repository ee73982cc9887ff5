//! From a TARGET to a program's file: an executable, or a core with the executable that belongs to it.

use anyhow::{Context, Result, anyhow};
use gopsy_image::{BuildInfo, Image};
use gopsy_mem::Bias;
use gopsy_target::finder::Finder;
use gopsy_target::input::{self, Input};
use gopsy_target::{Core, MappedFile, Thread};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An executable, perhaps with a process that ran it.
pub(crate) struct Opened {
    /// The executable and where it is; why there is none.
    pub(crate) program: Result<(PathBuf, Arc<Image>), String>,
    /// The process.
    pub(crate) core: Option<Core>,
    /// How the executable was found, for a core.
    pub(crate) how: Option<String>,
}

impl Opened {
    /// Opens an executable or a core. The executable of a core is looked for where the core says, beside it, and in `bins`.
    pub(crate) fn open(target: &str, bins: &[PathBuf]) -> Result<Opened> {
        let path = match input::open(target)? {
            Input::Executable(path) => {
                let image = image(&path).with_context(|| format!("cannot read {target}"))?;
                return Ok(Opened { program: Ok((path, Arc::new(image))), core: None, how: None });
            }
            Input::Core(path) => path,
            Input::Text(_) | Input::Folder(_) => {
                return Err(anyhow!("{target} is neither an executable nor a core"));
            }
        };
        let mut core = Core::open(&path).with_context(|| format!("cannot read the core {target}"))?;
        let beside = path.parent().map(|p| if p.as_os_str().is_empty() { Path::new(".") } else { p }.to_owned());
        let finder = Finder { bins: bins.to_vec(), beside, ..Finder::default() };
        let mapped = core.program();
        let (program, how) = match finder.find(&core, &mapped, None) {
            Ok(found) => {
                core.attach_file(&mapped, &found.image);
                let how = format!("{}; {}", found.how, found.id);
                (Ok((found.path, found.image)), Some(how))
            }
            Err(tried) => {
                let misses: Vec<String> = tried.misses.iter().map(ToString::to_string).collect();
                (Err(misses.join("; ")), None)
            }
        };
        Ok(Opened { program, core: Some(core), how })
    }

    /// What is added to a stated address to have the one in the process; zero for a file.
    pub(crate) fn bias(&self) -> Result<Bias> {
        match (&self.core, &self.program) {
            (Some(core), Ok((path, image))) => {
                core.bias(image).or((!image.relocatable()).then_some(Bias::ZERO)).ok_or_else(|| {
                    anyhow!("the core does not say where {} was loaded: it has no auxiliary vector", path.display())
                })
            }
            _ => Ok(Bias::ZERO),
        }
    }
}

fn image(path: &Path) -> Result<Image> {
    Ok(Image::parse(Arc::new(MappedFile::open(path)?))?)
}

/// `go1.24.11 linux/amd64`, as far as it is known.
pub(crate) fn in_words(image: &Image, build: Option<&BuildInfo>) -> Option<String> {
    let version = build.map(|b| b.version.clone()).filter(|v| !v.is_empty())?;
    let os = build.and_then(|b| b.setting("GOOS")).unwrap_or("linux");
    Some(match image.machine().goarch() {
        Some(arch) => format!("{version} {os}/{arch}"),
        None => version,
    })
}

/// The signal that a thread of a core was taking. The kernel writes that of the death into every thread
/// (`fill_thread_core_info` in `fs/binfmt_elf.c`, 6.18): only the first thread's is believed, and one with its details.
pub(crate) fn signal_of(core: &Core, thread: &Thread) -> Option<String> {
    let first = core.threads().first().is_some_and(|first| first.tid == thread.tid);
    ((first || thread.siginfo.is_some()) && thread.signal != 0).then(|| signal_name(u64::from(thread.signal)))
}

/// The name of a signal of Linux, where it has one on all machines that gopsy reads (`include/uapi/asm-generic/signal.h`).
pub(crate) fn signal_name(number: u64) -> String {
    const NAMES: [&str; 31] = [
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];
    let index = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
    index.and_then(|i| NAMES.get(i)).map_or_else(|| format!("signal {number}"), |name| (*name).to_owned())
}
