//! Goroutines and the stacks of threads.

use crate::{Creation, Known, Missing, Str};
use std::fmt;

/// What a printed or found stack belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A goroutine with its number.
    Goroutine,
    /// A thread's system stack (`runtime stack:`, `goroutine 0`'s frames without a header).
    System,
    /// Frames printed without a header after `signal arrived during cgo execution` and its kin.
    Signal,
    /// A stack without any header (a panic of 2009, a debugger's backtrace, the visible tail of a cut text).
    Bare,
    /// An ancestor of a goroutine (`[originating from goroutine N]`).
    Ancestor,
    /// A thread of a process of which the goroutines are not known.
    Thread,
}

/// What a goroutine is doing, as the runtime counts it (`runtime2.go`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Status {
    /// Just allocated.
    Idle,
    /// On a run queue.
    Runnable,
    /// Executing.
    Running,
    /// In a system call or in C.
    Syscall,
    /// Blocked in the runtime; the reason is in `Goroutine::wait_reason`.
    Waiting,
    /// Finished.
    Dead,
    /// Its stack is being moved (`copystack`; `stack growth` up to Go 1.6).
    CopyStack,
    /// Stopped by a preemption request.
    Preempted,
    /// Found unreachable while blocked (Go 1.26+).
    Leaked,
    /// A word that none of the known releases prints.
    Other(Str),
}

impl Status {
    /// The word used on the wire and on the terminal.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Status::Idle => "idle",
            Status::Runnable => "runnable",
            Status::Running => "running",
            Status::Syscall => "syscall",
            Status::Waiting => "waiting",
            Status::Dead => "dead",
            Status::CopyStack => "copystack",
            Status::Preempted => "preempted",
            Status::Leaked => "leaked",
            Status::Other(word) => word,
        }
    }
}

/// A synctest group (Go 1.24) or bubble (Go 1.25+).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bubble {
    /// Group or bubble.
    pub kind: BubbleKind,
    /// Its number.
    pub id: u64,
}

/// How the release calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BubbleKind {
    /// `synctest group G`: the number is that of the root goroutine.
    Group,
    /// `synctest bubble ID`.
    Bubble,
}

/// Something that goroutines wait at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitsAt {
    /// A channel.
    Channel {
        /// Where it stands.
        address: u64,
        /// The type of its elements, as `%T` prints it.
        element: Known<Str>,
        /// How many elements it holds.
        len: Known<u64>,
        /// How many it has room for.
        capacity: Known<u64>,
        /// Whether it was closed.
        closed: Known<bool>,
    },
    /// A semaphore: what mutexes, wait groups and their kin are made of.
    Semaphore {
        /// Where its count stands: within the mutex or wait group.
        address: u64,
    },
    /// A condition variable (`sync.Cond`).
    Condition {
        /// Where its list of waiters stands, within the `sync.Cond`.
        address: u64,
    },
}

impl WaitsAt {
    /// Where it stands.
    #[must_use]
    pub fn address(&self) -> u64 {
        match self {
            WaitsAt::Channel { address, .. } | WaitsAt::Semaphore { address } | WaitsAt::Condition { address } => {
                *address
            }
        }
    }
}

impl fmt::Display for WaitsAt {
    /// `chan int 0xc000012060 (0 of 4)`, `semaphore 0xc000014110`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitsAt::Channel { address, element, len, capacity, closed } => {
                f.write_str("chan ")?;
                if let Some(element) = element.value() {
                    write!(f, "{element} ")?;
                }
                write!(f, "{address:#x}")?;
                if let (Some(len), Some(capacity)) = (len.value(), capacity.value()) {
                    write!(f, " ({len} of {capacity})")?;
                }
                if closed.value() == Some(&true) { f.write_str(" closed") } else { Ok(()) }
            }
            WaitsAt::Semaphore { address } => write!(f, "semaphore {address:#x}"),
            WaitsAt::Condition { address } => write!(f, "condition {address:#x}"),
        }
    }
}

/// One goroutine, or one thread's stack; its frames are asked for separately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goroutine {
    /// What kind of stack it is.
    pub role: Role,
    /// The goroutine's number. A stack without a header has none.
    pub id: Known<u64>,
    /// What it is doing.
    pub status: Known<Status>,
    /// Why it waits (`chan receive`, `sync.Mutex.Lock`, `sleep`).
    pub wait_reason: Known<Str>,
    /// What it waits at: a channel, those of a `select`, a semaphore; empty for other waits.
    pub waits_at: Known<Vec<WaitsAt>>,
    /// For how many minutes it has waited; the runtime prints whole minutes from one upwards.
    pub wait_minutes: Known<u64>,
    /// `locked to thread`.
    pub locked_to_thread: bool,
    /// `(scan)`: the collector was scanning its stack.
    pub scan: bool,
    /// `(leaked)`: the collector proved that nothing can wake it (Go 1.26+).
    pub leaked: bool,
    /// `(durable)`: durably blocked in its bubble (Go 1.25+).
    pub durable: bool,
    /// The synctest bubble it belongs to.
    pub bubble: Option<Bubble>,
    /// Profiler labels, sorted by key; missing is not the same as none.
    pub labels: Known<Vec<(Str, Str)>>,
    /// Address of its `g`.
    pub gp: Known<u64>,
    /// Number of the thread that runs it (`m=3`); missing too when it is `nil`.
    pub m: Known<u64>,
    /// Address of that thread's `m`.
    pub mp: Known<u64>,
    /// Who started it.
    pub created_by: Known<Creation>,
    /// Calls that it has deferred and that have not run, the next to run first, as far as the compiler made records of them: the
    /// functions, where they are defined.
    pub deferred: Vec<Creation>,
    /// For how many goroutines this entry stands (profiles count goroutines instead of listing them); else 1.
    pub copies: u64,
    /// For [`Role::Ancestor`]: the number of the goroutine whose stack this was when it started the one before. It may
    /// be gone, so it is no `id`.
    pub ancestor: Option<u64>,
    /// For [`Role::Thread`]: the kernel's number of it.
    pub thread: Option<u32>,
}

impl Goroutine {
    /// A stack of the given role about which nothing else is known yet.
    #[must_use]
    pub fn bare(role: Role) -> Self {
        Goroutine {
            role,
            id: Known::not_printed(),
            status: Known::not_printed(),
            wait_reason: Known::not_printed(),
            waits_at: Known::not_printed(),
            wait_minutes: Known::not_printed(),
            locked_to_thread: false,
            scan: false,
            leaked: false,
            durable: false,
            bubble: None,
            // Only goroutines have any.
            labels: Known::Missing(match role {
                Role::Goroutine => Missing::NotPrinted,
                _ => Missing::NotApplicable,
            }),
            gp: Known::not_printed(),
            m: Known::not_printed(),
            mp: Known::not_printed(),
            created_by: Known::not_printed(),
            deferred: Vec::new(),
            copies: 1,
            ancestor: None,
            thread: None,
        }
    }
}

/// What is asked about every goroutine when 100,000 of them are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// Why it waits (`chan receive`); the status (`running`) of one that does not, or of which no reason is known.
    pub state: Str,
    /// For how many minutes it has waited.
    pub wait_minutes: Option<u64>,
    /// For how many goroutines it stands.
    pub copies: u64,
}

impl Brief {
    /// The state of a stack of which none is known.
    pub const NO_STATE: &'static str = "no state";
}
