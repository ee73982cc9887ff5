//! What the machine and the account allow: cores, limits, tracing, containers.
//!
//! Everything is read from files below a root, `/` outside tests, and from the environment; nothing is executed, changed
//! or asked of the network. What a file did not say stays a [`Reading`] that tells why. No judgement is made here.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Component, Path, PathBuf};

mod cgroup;
mod core_pattern;
mod surroundings;
#[cfg(test)]
mod tests;

pub use cgroup::{Cgroup, CgroupVersion};
pub use core_pattern::{CorePattern, Handler, SystemdCoredump};
pub use surroundings::Surroundings;

/// How much of a file is read. `/proc/cpuinfo` is longer on large machines; its first processor is enough.
const MOST: u64 = 1 << 16;

/// What a file of the system said, or why it said nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading<T> {
    /// It said this.
    Have(T),
    /// There is no such file.
    Missing(PathBuf),
    /// The system did not let it be read.
    Refused(PathBuf, String),
    /// It holds something else than was expected.
    Strange(PathBuf, String),
}

impl<T> Reading<T> {
    /// What was read.
    pub fn value(&self) -> Option<&T> {
        match self {
            Reading::Have(value) => Some(value),
            _ => None,
        }
    }

    /// Why nothing was read, in words.
    pub fn why(&self) -> Option<String> {
        match self {
            Reading::Have(_) => None,
            Reading::Missing(path) => Some(format!("{} is not there", path.display())),
            Reading::Refused(path, error) => Some(format!("{} cannot be read: {error}", path.display())),
            Reading::Strange(path, text) => Some(format!("{} holds {text:?}", path.display())),
        }
    }

    /// The same for what can be made of the value; `None` makes it [`Reading::Strange`].
    fn and_then<U>(self, path: &str, text: impl Fn(&T) -> String, read: impl FnOnce(&T) -> Option<U>) -> Reading<U> {
        match self {
            Reading::Have(value) => match read(&value) {
                Some(made) => Reading::Have(made),
                None => Reading::Strange(PathBuf::from(path), short(&text(&value))),
            },
            Reading::Missing(path) => Reading::Missing(path),
            Reading::Refused(path, error) => Reading::Refused(path, error),
            Reading::Strange(path, text) => Reading::Strange(path, text),
        }
    }
}

/// The beginning of a text that may be of any length.
fn short(text: &str) -> String {
    let mut out: String = text.chars().take(60).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}

/// A resource limit of a process; `None` stands for unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// What holds now.
    pub soft: Option<u64>,
    /// How far the account may raise it.
    pub hard: Option<u64>,
}

/// The place of a core, where it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The directory.
    pub directory: PathBuf,
    /// This account may create files there.
    pub writable: bool,
    /// Bytes that this account may still write there.
    pub free: Option<u64>,
}

/// The `go` command that a shell would find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoCommand {
    /// Where it is.
    pub path: PathBuf,
    /// As the file `VERSION` of its distribution says, e.g. `go1.27.3`. A wrapper has no such file.
    pub version: Option<String>,
}

/// What is the same for the whole machine, and what is this account's, this shell's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The release of the kernel.
    pub kernel: Reading<String>,
    /// What cores become.
    pub core_pattern: Reading<CorePattern>,
    /// `.PID` is appended to names of cores that have none.
    pub core_uses_pid: Reading<u64>,
    /// Where a core would lie.
    pub core_place: Reading<Place>,
    /// Whether the program behind a pipe is there; `None` without a pipe.
    pub core_handler_there: Option<bool>,
    /// What systemd-coredump is told to keep; `None` where another or none is at work.
    pub systemd_coredump: Option<SystemdCoredump>,
    /// Bytes of memory of the machine.
    pub memory: Reading<u64>,
    /// `RLIMIT_CORE`.
    pub core_limit: Reading<Limit>,
    /// `RLIMIT_FSIZE`, which cuts cores off as well.
    pub file_limit: Reading<Limit>,
    /// Which mappings a core will hold.
    pub coredump_filter: Reading<u64>,
    /// Whether programs with raised privileges leave cores.
    pub suid_dumpable: Reading<u64>,
    /// Yama's restriction of ptrace.
    pub ptrace_scope: Reading<u64>,
    /// Who may count events.
    pub perf_event_paranoid: Reading<i64>,
    /// Who sees addresses of the kernel.
    pub kptr_restrict: Reading<u64>,
    /// Whether an account without rights may load BPF programs. The file is there with `CONFIG_BPF_SYSCALL`
    /// (kernel/bpf/syscall.c), so it tells as well whether there is bpf(2).
    pub unprivileged_bpf_disabled: Reading<u64>,
    /// BTF of the kernel is there.
    pub btf: Reading<()>,
    /// How probes in user space can be set.
    pub uprobes: Uprobes,
    /// Effective capabilities.
    pub capabilities: Reading<u64>,
    /// The user namespace seems the first one, in which capabilities hold for the whole machine.
    pub first_user_namespace: Reading<bool>,
    /// Effective user id.
    pub uid: Reading<u64>,
    /// 0: no seccomp, 1: strict, 2: a filter.
    pub seccomp: Reading<u64>,
    /// The cgroup that gopsy runs in.
    pub cgroup: Reading<Cgroup>,
    /// Container, VM.
    pub surroundings: Surroundings,
    /// 0: a guess, 1: always, 2: never beyond what there is.
    pub overcommit_memory: Reading<u64>,
    /// How many mappings a process may have.
    pub max_map_count: Reading<u64>,
    /// How far mappings are randomised.
    pub mmap_rnd_bits: Reading<u64>,
    /// `always`, `madvise` or `never`.
    pub transparent_hugepages: Reading<String>,
    /// `GOTRACEBACK` of the environment.
    pub go_traceback: Option<String>,
    /// `GODEBUG` of the environment.
    pub go_debug: Option<String>,
    /// `GOMEMLIMIT` of the environment.
    pub go_memory_limit: Option<String>,
    /// `DEBUGINFOD_URLS` of the environment.
    pub debuginfod: Option<String>,
    /// The `go` in `PATH`.
    pub go: Option<GoCommand>,
}

/// How probes in user space can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uprobes {
    /// `uprobe_events` of tracefs, and whether this account sees it.
    pub tracefs: Reading<PathBuf>,
    /// The kernel offers uprobes to perf_event_open(2), which needs no tracefs.
    pub perf: bool,
}

/// Bits of a set of capabilities (include/uapi/linux/capability.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Reading and stopping processes of others.
    SysPtrace = 19,
    /// Nearly everything.
    SysAdmin = 21,
    /// Counting and tracing (Linux 5.8).
    Perfmon = 38,
    /// Loading BPF programs (Linux 5.8).
    Bpf = 39,
}

impl Capability {
    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Capability::SysPtrace => "CAP_SYS_PTRACE",
            Capability::SysAdmin => "CAP_SYS_ADMIN",
            Capability::Perfmon => "CAP_PERFMON",
            Capability::Bpf => "CAP_BPF",
        }
    }

    /// Whether it is in `set`.
    #[must_use]
    pub fn is_in(self, set: u64) -> bool {
        set & (1 << (self as u32)) != 0
    }
}

/// A root directory and an environment: the real ones, or those of a test.
pub struct Outside<'a> {
    /// `/`, or what stands for it.
    pub root: &'a Path,
    /// The directory from which programs would be started.
    pub working_directory: PathBuf,
    /// A variable of the environment.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
}

impl Outside<'_> {
    /// A path of the machine as it is found below the root.
    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let below = path.as_ref().components().filter(|c| matches!(c, Component::Normal(_)));
        self.root.join(below.collect::<PathBuf>())
    }

    /// What a file holds, without blanks at the end.
    fn text(&self, path: &str) -> Reading<String> {
        let read = || -> std::io::Result<String> {
            let full = self.at(path);
            // A FIFO would block.
            if !std::fs::metadata(&full)?.is_file() {
                return Err(std::io::Error::other("it is no file"));
            }
            let mut bytes = Vec::new();
            File::open(full)?.take(MOST).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\0']).to_owned())
        };
        match read() {
            Ok(text) => Reading::Have(text),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Reading::Missing(PathBuf::from(path))
            }
            Err(e) => Reading::Refused(PathBuf::from(path), words(&e)),
        }
    }

    /// A file that holds one number.
    fn number<N: std::str::FromStr>(&self, path: &str) -> Reading<N> {
        self.text(path).and_then(path, String::clone, |text| text.trim().parse().ok())
    }

    /// A file of lines `name  value…`, and in it the line that begins with `name`.
    fn line<T>(&self, path: &str, name: &str, read: impl FnOnce(&str) -> Option<T>) -> Reading<T> {
        self.text(path).and_then(
            path,
            |_| format!("no readable line {name}"),
            |text| read(text.lines().find_map(|l| l.strip_prefix(name))?.trim()),
        )
    }

    fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|v| v.to_string_lossy().into_owned())
    }

    fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.at(path).exists()
    }
}

/// What the system said, without the number that Rust appends.
fn words(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

impl Machine {
    /// Reads everything.
    #[must_use]
    pub fn read(outside: &Outside<'_>) -> Machine {
        let o = outside;
        let core_pattern = match o.text("/proc/sys/kernel/core_pattern") {
            Reading::Have(text) => Reading::Have(CorePattern::parse(&text)),
            Reading::Missing(path) => Reading::Missing(path),
            Reading::Refused(path, why) => Reading::Refused(path, why),
            Reading::Strange(path, text) => Reading::Strange(path, text),
        };
        let pattern = core_pattern.value();
        let systemd = pattern.is_some_and(|p| p.handler() == Some(Handler::SystemdCoredump));
        Machine {
            kernel: o.text("/proc/sys/kernel/osrelease"),
            core_uses_pid: o.number("/proc/sys/kernel/core_uses_pid"),
            core_place: match pattern {
                Some(pattern) => o.place(pattern),
                None => Reading::Missing(PathBuf::from("/proc/sys/kernel/core_pattern")),
            },
            core_handler_there: pattern.and_then(CorePattern::program).map(|program| o.exists(program)),
            systemd_coredump: systemd.then(|| SystemdCoredump::read(o)),
            core_pattern,
            memory: o.line("/proc/meminfo", "MemTotal:", |rest| {
                rest.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
            }),
            core_limit: o.line("/proc/self/limits", "Max core file size", limit),
            file_limit: o.line("/proc/self/limits", "Max file size", limit),
            coredump_filter: hexadecimal(o.text("/proc/self/coredump_filter"), "/proc/self/coredump_filter"),
            suid_dumpable: o.number("/proc/sys/fs/suid_dumpable"),
            ptrace_scope: o.number("/proc/sys/kernel/yama/ptrace_scope"),
            perf_event_paranoid: o.number("/proc/sys/kernel/perf_event_paranoid"),
            kptr_restrict: o.number("/proc/sys/kernel/kptr_restrict"),
            unprivileged_bpf_disabled: o.number("/proc/sys/kernel/unprivileged_bpf_disabled"),
            btf: o.readable("/sys/kernel/btf/vmlinux"),
            uprobes: o.uprobes(),
            capabilities: o.line("/proc/self/status", "CapEff:", |rest| u64::from_str_radix(rest, 16).ok()),
            first_user_namespace: {
                let path = "/proc/self/uid_map";
                o.text(path)
                    .and_then(path, String::clone, |text| Some(text.split_whitespace().eq(["0", "0", "4294967295"])))
            },
            // Real, effective, saved, file system.
            uid: o.line("/proc/self/status", "Uid:", |rest| rest.split_whitespace().nth(1)?.parse().ok()),
            seccomp: o.line("/proc/self/status", "Seccomp:", |rest| rest.parse().ok()),
            cgroup: Cgroup::read(o),
            surroundings: Surroundings::read(o),
            overcommit_memory: o.number("/proc/sys/vm/overcommit_memory"),
            max_map_count: o.number("/proc/sys/vm/max_map_count"),
            mmap_rnd_bits: o.number("/proc/sys/vm/mmap_rnd_bits"),
            transparent_hugepages: {
                let path = "/sys/kernel/mm/transparent_hugepage/enabled";
                o.text(path).and_then(path, String::clone, |text| {
                    let (_, rest) = text.split_once('[')?;
                    Some(rest.split_once(']')?.0.to_owned())
                })
            },
            go_traceback: o.variable("GOTRACEBACK"),
            go_debug: o.variable("GODEBUG"),
            go_memory_limit: o.variable("GOMEMLIMIT"),
            debuginfod: o.variable("DEBUGINFOD_URLS").filter(|v| !v.trim().is_empty()),
            go: o.go(),
        }
    }

    /// Whether the account has a capability on the whole machine; `None` if that could not be read, and for one that it
    /// holds in a user namespace of its own (rootless containers), where it says nothing of the machine.
    #[must_use]
    pub fn can(&self, capability: Capability) -> Option<bool> {
        let held = capability.is_in(*self.capabilities.value()?);
        (!held || self.first_user_namespace.value() == Some(&true)).then_some(held)
    }

    /// Major and minor number of the kernel.
    #[must_use]
    pub fn kernel_version(&self) -> Option<(u32, u32)> {
        let mut numbers = self.kernel.value()?.split(|c: char| !c.is_ascii_digit());
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }
}

/// `0    unlimited   bytes`.
fn limit(rest: &str) -> Option<Limit> {
    let mut words = rest.split_whitespace();
    let mut next = || match words.next()? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    };
    Some(Limit { soft: next()?, hard: next()? })
}

fn hexadecimal(text: Reading<String>, path: &str) -> Reading<u64> {
    text.and_then(path, String::clone, |text| {
        let digits = text.trim();
        u64::from_str_radix(digits.strip_prefix("0x").unwrap_or(digits), 16).ok()
    })
}

impl Outside<'_> {
    /// Whether a file can be opened.
    fn readable(&self, path: &str) -> Reading<()> {
        match File::open(self.at(path)) {
            Ok(_) => Reading::Have(()),
            Err(e) if e.kind() == ErrorKind::NotFound => Reading::Missing(PathBuf::from(path)),
            Err(e) => Reading::Refused(PathBuf::from(path), words(&e)),
        }
    }

    fn uprobes(&self) -> Uprobes {
        let tracefs = ["/sys/kernel/tracing/uprobe_events", "/sys/kernel/debug/tracing/uprobe_events"];
        let mut worst = Reading::Missing(PathBuf::from("/sys/kernel/tracing/uprobe_events"));
        for path in tracefs {
            // Looked at and not opened: opening for writing would be a step towards changing it.
            match std::fs::metadata(self.at(path)) {
                Ok(_) => {
                    worst = Reading::Have(PathBuf::from(path));
                    break;
                }
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => worst = Reading::Refused(PathBuf::from(path), words(&e)),
            }
        }
        Uprobes { tracefs: worst, perf: self.exists("/sys/bus/event_source/devices/uprobe/type") }
    }

    /// The directory that cores go to.
    fn place(&self, pattern: &CorePattern) -> Reading<Place> {
        let Some(directory) = pattern.directory(&self.working_directory) else {
            return Reading::Strange(
                PathBuf::from("/proc/sys/kernel/core_pattern"),
                "a pattern from which the directory does not follow".to_owned(),
            );
        };
        // The working directory is one of the real file system; all others are below the root.
        let full = if pattern.is_relative() { directory.clone() } else { self.at(&directory) };
        match rustix::fs::statvfs(&full) {
            Ok(space) => Reading::Have(Place {
                directory,
                writable: rustix::fs::access(&full, rustix::fs::Access::WRITE_OK).is_ok(),
                free: space.f_frsize.checked_mul(space.f_bavail),
            }),
            Err(rustix::io::Errno::NOENT) => Reading::Missing(directory),
            Err(e) => Reading::Refused(directory, words(&e.into())),
        }
    }

    /// The `go` that a shell would start. It is not started: its distribution tells the version in a file.
    fn go(&self) -> Option<GoCommand> {
        let path = (self.variable)("PATH")?;
        let found = std::env::split_paths(&path).filter(|d| d.is_absolute()).map(|d| d.join("go")).find(|go| {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::metadata(self.at(go)).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        })?;
        let version = || {
            let real = std::fs::canonicalize(self.at(&found)).ok()?;
            let root = real.parent()?.parent()?;
            let file = root.join("VERSION");
            let mut text = String::new();
            if !std::fs::metadata(&file).ok()?.is_file() || real.file_name() != Some(OsStr::new("go")) {
                return None;
            }
            File::open(file).ok()?.take(4096).read_to_string(&mut text).ok()?;
            let first = text.lines().next()?.split_whitespace().next()?;
            first.starts_with("go1").then(|| first.to_owned())
        };
        Some(GoCommand { version: version(), path: found })
    }
}
