//! What was said about a death.

use crate::{Kind, Known, RaceReport, Str};

/// A fatal signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// Its name (`SIGSEGV`); for old texts that print a number, the number (`0xb`).
    pub name: Str,
    /// Its description (`segmentation violation`).
    pub description: Known<Str>,
    /// `si_code`.
    pub code: Known<i64>,
    /// The fault address.
    pub address: Known<u64>,
    /// The program counter at the fault.
    pub pc: Known<u64>,
    /// The thread (`m=3`).
    pub m: Known<u64>,
    /// `signal arrived during cgo execution` (or `external code execution`).
    pub in_foreign_code: bool,
    /// The bytes at pc (printed for SIGILL and SIGFPE).
    pub instruction_bytes: Vec<u8>,
    /// Who sent it, of one that a process sent (`si_pid`, `si_uid`).
    pub sender: Known<Sender>,
}

impl Signal {
    /// Whether a process sent it: `SI_USER`, `SI_QUEUE` or `SI_TKILL` (`sigaction(2)`). What stands in place of an address is then the
    /// sender's.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        matches!(self.code.value(), Some(0 | -1 | -6))
    }
}

/// Who sent a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// The process, as the one that got the signal numbers it; 0 for one that its pid namespace does not know.
    pub pid: u64,
    /// The user.
    pub uid: u64,
}

/// A structured exception of Windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// The exception code (`0xc0000005`).
    pub code: u64,
    /// The two information words: access kind and address for access violations.
    pub information: Vec<u64>,
    /// The program counter.
    pub pc: Known<u64>,
}

/// A value that was given to panic, read from memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldValue {
    /// Its type, as `%T` prints it.
    pub type_name: Str,
    /// The value, about as `%+v` prints it: `&main.failure{Code: 7, Disk: "sda"}`.
    pub text: Str,
}

/// One `panic: …` line with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanicLine {
    /// The value as printed, all its lines, without `panic: ` and without the bracketed suffix.
    pub value: Str,
    /// `[recovered]`.
    pub recovered: bool,
    /// `[recovered, repanicked]` (Go 1.25+).
    pub repanicked: bool,
    /// How deep it stands in a chain of panics; 0 is the first.
    pub depth: u32,
    /// What was given to panic: of an error or a Stringer the line has only its text, of a struct only its address.
    pub held: Known<HeldValue>,
}

impl PanicLine {
    /// A line of which no more is known than its value.
    #[must_use]
    pub fn of(value: impl Into<Str>) -> Self {
        PanicLine { value: value.into(), recovered: false, repanicked: false, depth: 0, held: Known::not_printed() }
    }
}

/// One line that says why the program, or one of its goroutines, died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Headline {
    /// `panic: …`
    Panic(PanicLine),
    /// `fatal error: …` (and `throw: …` of the first releases).
    Fatal(Str),
    /// `SIGxxx: …` as a heading, or a signal seen in a core.
    Signal(Signal),
    /// `unexpected fault address 0x…`
    FaultAddress(u64),
    /// `Exception 0x…`
    Exception(Exception),
    /// `WARNING: DATA RACE`: the index into [`Crash::races`].
    Race(usize),
    /// `http: panic serving ADDR: VALUE` and what a server logs in its place.
    ServedPanic {
        /// Whom it served, or the name of the logger.
        who: Str,
        /// The panic's value.
        value: Str,
    },
    /// A message of C code, of a sanitizer or of a foreign runtime (`double free or corruption`, `terminate called …`).
    Native(Str),
    /// What the operating system, a supervisor or a container runtime said (`OOMKilled`, `signal: killed`).
    Outside(Str),
}

/// A test that was running when a `go test` binary died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its name.
    pub name: Str,
    /// For how long, as printed.
    pub elapsed: Known<Str>,
}

/// What `go test` said around the death.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TestRun {
    /// The tests that were running.
    pub running: Vec<Running>,
    /// The tests that had failed.
    pub failed: Vec<Str>,
    /// The package, from its `FAIL` line.
    pub package: Option<Str>,
}

/// One word of a stack that the runtime printed (`stack: frame={sp:…, fp:…}` and what follows).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackWord {
    /// Where it stands.
    pub address: u64,
    /// What stands there.
    pub value: u64,
    /// The function that the runtime found for it (`runtime.chanrecv1+43`).
    pub symbol: Option<Str>,
    /// The runtime's mark: `<` the frame's sp, `>` its fp, `!` the bad word.
    pub mark: Option<char>,
}

/// A piece of a stack printed as words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StackDump {
    /// Stack pointer of the frame that could not be left.
    pub sp: Option<u64>,
    /// Frame pointer of that frame.
    pub fp: Option<u64>,
    /// Bounds of the stack.
    pub bounds: Option<(u64, u64)>,
    /// The words, by address.
    pub words: Vec<StackWord>,
}

/// The registers of the thread that died.
pub type Registers = Vec<(Str, u64)>;

/// What was said about one death: by the runtime, by the kernel, by C, by the race detector.
///
/// It holds no opinion. A stack is named by its index among the stacks of its `Program`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Crash {
    /// The line of the text at which it begins, counted from 1; 0 where there are no lines.
    pub line: u64,
    /// The headlines in the order in which they stand.
    pub headlines: Vec<Headline>,
    /// The runtime's own lines around them (`runtime: goroutine stack exceeds …`), in order.
    pub diagnostics: Vec<Str>,
    /// The signal that belongs to a panic or fatal error (`[signal SIGSEGV: …]`).
    pub signal: Option<Signal>,
    /// Register dump.
    pub registers: Registers,
    /// Stacks printed as words, where the runtime could not walk them.
    pub dumps: Vec<StackDump>,
    /// Race reports.
    pub races: Vec<RaceReport>,
    /// `go test`'s part.
    pub test: TestRun,
    /// Log lines of the program shortly before the death that may matter to it (errors, warnings), in order.
    pub log_before: Vec<Str>,
    /// The stacks that were printed for it: from, to (exclusive).
    pub stacks: std::ops::Range<usize>,
    /// The stack that failed, if one can be named.
    pub crashed: Option<usize>,
    /// The system stack that belongs to it (`runtime stack:`), if one was printed.
    pub system_stack: Option<usize>,
    /// The exit status that a runner printed (`exit status 2`).
    pub exit_status: Option<Str>,
    /// The kind that the source itself states without any headline (a profile, a SIGQUIT dump).
    pub stated_kind: Option<Kind>,
    /// Something was said, or would have been, that cannot be read: nothing follows from there being no headline.
    pub unread: bool,
    /// Threads that died at the same time, of whose words the runtime has kept no record.
    pub unrecorded: usize,
}

impl Crash {
    /// The signal of this death: the one that belongs to a panic or fatal error, else the first that is a headline itself.
    #[must_use]
    pub fn any_signal(&self) -> Option<&Signal> {
        self.signal.as_ref().or_else(|| {
            self.headlines.iter().find_map(|headline| match headline {
                Headline::Signal(signal) => Some(signal),
                _ => None,
            })
        })
    }
}
