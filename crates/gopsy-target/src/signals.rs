//! The names of signals.

pub(crate) const SIGSTOP: i32 = 19;

/// Whether the kernel writes a fault address into a signal's details when it raises it: SIGILL, SIGTRAP, SIGBUS, SIGFPE,
/// SIGSEGV.
#[must_use]
pub fn has_fault_address(signal: u32) -> bool {
    matches!(signal, 4 | 5 | 7 | 8 | 11)
}

/// The name of a signal of Linux, where it has one on all machines that gopsy reads (`include/uapi/asm-generic/signal.h`).
#[must_use]
pub fn signal_name(number: u64) -> String {
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
