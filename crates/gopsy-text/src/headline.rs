//! The lines that say why.

use crate::scan::{self, Cursor};
use gopsy_model::{Exception, Known, Missing, Signal, Str};

/// What the first line of a death may begin with, wherever it stands in a log's line or string. The last two may come
/// without any goroutine's header.
pub(crate) const BEGINNINGS: [&[u8]; 7] = [
    b"WARNING: DATA RACE",
    b"fatal error: ",
    b"runtime: marked free object in span",
    b"panic: ",
    b"runtime: goroutine stack exceeds",
    b"Exception 0x",
    b"unexpected fault address 0x",
];

/// What a line outside of a stack says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said<'a> {
    /// `panic: VALUE`, without the prefix; whether it was indented by a tab (a nested panic).
    Panic { value: &'a [u8], nested: bool },
    /// `fatal error: …` or `throw: …`.
    Fatal(&'a [u8]),
    /// `[signal …]`.
    SignalNote(Signal),
    /// `SIGxxx: …` as a heading.
    Signal(Signal),
    /// `PC=0x… m=… sigcode=… addr=…`.
    Pc { pc: u64, m: Option<u64>, code: Option<i64>, address: Option<u64> },
    /// `signal arrived during cgo execution`.
    InForeignCode,
    /// `unexpected fault address 0x…`.
    FaultAddress(u64),
    /// `Exception 0x…`.
    Exception(Exception),
    /// `WARNING: DATA RACE`, or the first access of a report that lost this line.
    Race,
    /// `instruction bytes: …`.
    InstructionBytes(Vec<u8>),
    /// `runtime stack:`.
    RuntimeStack,
    /// `runtime: morestack on g0, stack [0x… 0x…], sp=0x…, called from`: the system stack that was full follows, before the headline
    /// (`badmorestackg0` in `runtime/proc.go`, since Go 1.22).
    Overrun,
    /// `-----`: the next thread of a crash relay.
    Relay,
    /// `panic during panic` and its kin: what follows belongs to the same death.
    DuringPanic,
    /// `stack: frame={sp:…, fp:…} stack=[…,…)`.
    StackDump(&'a [u8]),
    /// `http: panic serving ADDR: VALUE`.
    Serving { who: &'a [u8], value: &'a [u8] },
    /// C code, a sanitizer, a foreign runtime.
    Native,
    /// The operating system, a supervisor, a container runtime.
    Outside,
    /// `exit status 2`.
    ExitStatus,
    /// A diagnostic line of the runtime.
    Diagnostic,
    /// `running tests:`.
    RunningTests,
    /// `--- FAIL: TestX (0.00s)`.
    TestFailed(&'a [u8]),
    /// `FAIL pkg 0.1s`.
    PackageFailed(&'a [u8]),
    /// `[originating from goroutine N]:`
    Ancestor(u64),
    /// `goroutine profile: total N`, `goroutineleak profile: total N` (runtime/pprof, debug=1).
    Profile { leaked: bool },
}

/// Reads a line as one of the above. `line` has no blanks at its end; its indentation is kept.
pub(crate) fn said(line: &[u8]) -> Option<Said<'_>> {
    let (body, indent) = scan::trim_start(line);
    let nested = indent > 0 && scan::at(line, 0) == b'\t';
    // One byte decides for almost every line of a log that it is none of these.
    match scan::at(body, 0) {
        b'p' => {
            if let Some(value) = body.strip_prefix(b"panic: ") {
                return Some(Said::Panic { value, nested });
            }
            if body == b"panic:" {
                return Some(Said::Panic { value: b"", nested });
            }
            if body.starts_with(b"panic during panic") || body.starts_with(b"panic holding locks") {
                return Some(Said::DuringPanic);
            }
            None
        }
        b'f' => {
            if let Some(message) = body.strip_prefix(b"fatal error: ") {
                return Some(Said::Fatal(message));
            }
            // What the runtime prints where it can no longer throw (`fatal: morestack on g0`).
            if body.starts_with(b"fatal: morestack on ")
                || body.starts_with(b"fatal: bad g in signal handler")
                || body.starts_with(b"fatal: systemstack called ")
            {
                return Some(Said::Native);
            }
            if body.starts_with(b"free(): ") || body == b"free: invalid pointer" {
                return Some(Said::Native);
            }
            body.starts_with(b"found at *(").then_some(Said::Diagnostic)
        }
        b't' => {
            if let Some(message) = body.strip_prefix(b"throw: ") {
                return Some(Said::Fatal(message));
            }
            body.starts_with(b"terminate called ").then_some(Said::Native)
        }
        b'T' if body.starts_with(b"This program can only be run on ") => Some(Said::Native),
        b'T' if body.starts_with(b"Thread ") => debugger_stop(body).map(Said::SignalNote),
        b'[' => bracketed(body),
        b'S' if body.starts_with(b"SIG") => signal_heading(body).map(Said::Signal),
        b'P' if body.starts_with(b"PC=") => pc_line(body),
        b'P' if body.starts_with(b"Program ") => debugger_stop(body).map(Said::SignalNote),
        b's' => {
            if body.starts_with(b"signal arrived during ") {
                return Some(Said::InForeignCode);
            }
            if body.starts_with(b"stack: frame={") {
                return Some(Said::StackDump(body));
            }
            if signal_received(body) {
                return Some(Said::Diagnostic);
            }
            body.starts_with(b"signal: ").then_some(Said::Outside)
        }
        b'u' => {
            let rest = body.strip_prefix(b"unexpected fault address ")?;
            Cursor::new(rest).hex().map(Said::FaultAddress)
        }
        b'E' => body.strip_prefix(b"Exception 0x").and_then(|_| exception(body)),
        b'R' | b'W' => (body.starts_with(b"WARNING: DATA RACE") || crate::race::begins(body)).then_some(Said::Race),
        b'i' => body.strip_prefix(b"instruction bytes:").map(instruction_bytes),
        b'r' => {
            if body == b"runtime stack:" {
                return Some(Said::RuntimeStack);
            }
            if body == b"running tests:" {
                return Some(Said::RunningTests);
            }
            if body.starts_with(b"runtime/cgo: ") {
                return Some(Said::Native);
            }
            if body.starts_with(b"race: limit on ") {
                return Some(Said::Native);
            }
            if body.starts_with(b"runtime: morestack on g0, stack [") && body.ends_with(b", called from") {
                return Some(Said::Overrun);
            }
            (body.starts_with(b"runtime: ")
                || body.starts_with(b"runtime:greyobject")
                || body.starts_with(b"runtime\xc2\xb7"))
            .then_some(Said::Diagnostic)
        }
        b'-' => {
            if body == b"-----" {
                return Some(Said::Relay);
            }
            body.strip_prefix(b"--- FAIL: ")
                .map(|name| Said::TestFailed(name.split(|&c| c == b' ').next().unwrap_or(name)))
        }
        b'F' => {
            if let Some(rest) = body.strip_prefix(b"FAIL\t").or_else(|| body.strip_prefix(b"FAIL    ")) {
                return Some(Said::PackageFailed(
                    scan::trim(rest).split(|&c| c == b'\t' || c == b' ').next().unwrap_or(rest),
                ));
            }
            body.starts_with(b"FATAL: ThreadSanitizer").then_some(Said::Native)
        }
        b'g' => {
            let leaked = body.starts_with(b"goroutineleak profile: total ");
            (leaked || body.starts_with(b"goroutine profile: total ")).then_some(Said::Profile { leaked })
        }
        b'e' => body.starts_with(b"exit status ").then_some(Said::ExitStatus),
        b'=' => {
            let c = body.strip_prefix(b"==")?;
            let digits = c.iter().take_while(|c| c.is_ascii_digit()).count();
            (digits > 0 && (scan::has(c, b"Sanitizer:"))).then_some(Said::Native)
        }
        b'm' => (body.starts_with(b"malloc(): ")
            || body.starts_with(b"munmap_chunk(): ")
            || body.starts_with(b"malloc_consolidate(): "))
        .then_some(Said::Native),
        b'd' => body.starts_with(b"double free or corruption").then_some(Said::Native),
        b'c' => body.starts_with(b"corrupted size vs. prev_size").then_some(Said::Native),
        b'*' if body.starts_with(b"* thread #") => debugger_stop(body).map(Said::SignalNote),
        b'*' => {
            if body.starts_with(b"*** stack smashing detected ***")
                || body.starts_with(b"*** buffer overflow detected ***")
            {
                return Some(Said::Native);
            }
            if body.starts_with(b"*** Test killed with ") {
                return Some(Said::Outside);
            }
            (body.starts_with(b"*(") && scan::has(body, b") = 0x")).then_some(Said::Diagnostic)
        }
        b'o' => (body.starts_with(b"object=0x")).then_some(Said::Diagnostic),
        b'0' => zombie(body).then_some(Said::Diagnostic),
        b'v' => (body.starts_with(b"value=") && scan::has(body, b" until pc=")).then_some(Said::Diagnostic),
        b'A' => (body == b"Aborted (core dumped)" || body == b"Aborted").then_some(Said::Outside),
        b'K' => (body == b"Killed").then_some(Said::Outside),
        b'O' => (body.starts_with(b"Out of memory: Kill") || body == b"OOMKilled").then_some(Said::Outside),
        _ => None,
    }
}

/// `signal 10 received but handler not on signal stack` and its kin (signal_unix.go).
fn signal_received(body: &[u8]) -> bool {
    let mut c = Cursor::new(body);
    c.eat(b"signal ") && c.dec().is_some() && c.eat(b" received ")
}

/// `0xc0002f2000 alloc marked`: the object table of `reportZombies` (mgcsweep.go, Go 1.15+).
fn zombie(body: &[u8]) -> bool {
    let mut c = Cursor::new(body);
    c.hex().is_some() && (c.eat(b" alloc ") || c.eat(b" free "))
}

/// A headline glued behind other text: after a benchmark's name and a tab, after `got `, after a log's prefix.
/// Only a suspicion: it counts when a stack follows.
pub(crate) fn glued(line: &[u8]) -> Option<Said<'_>> {
    if line.len() > 1 << 16 {
        return None;
    }
    if let Some(i) = scan::find_end(line, b"http: panic serving ") {
        let rest = scan::from(line, i);
        // ADDR is host:port: the value follows the first ": ".
        let cut = scan::find(rest, b": ")?;
        return Some(Said::Serving { who: scan::upto(rest, cut), value: scan::from(rest, cut.saturating_add(2)) });
    }
    // client-go's HandleCrash: `Observed a panic: %#v (%v)`, the second being what the runtime would print.
    if let Some(i) = scan::find_end(line, b"Observed a panic: ") {
        let value = scan::trim_end(scan::from(line, i));
        let printed = value.strip_suffix(b")").and_then(|v| {
            let open = memchr::memmem::find(v, b" (runtime error: ").or_else(|| memchr::memmem::rfind(v, b" ("))?;
            Some(scan::from(v, open.saturating_add(2)))
        });
        return Some(Said::Serving { who: b"log", value: printed.unwrap_or(value) });
    }
    if let Some(i) = memchr::memmem::rfind(line, b"fatal error: ") {
        return Some(Said::Fatal(scan::from(line, i.saturating_add(13))));
    }
    if let Some(i) = memchr::memmem::find(line, b"panic: ") {
        return Some(Said::Panic { value: scan::from(line, i.saturating_add(7)), nested: false });
    }
    // A handler that logs what it recovered: `recovered from: runtime error: …`.
    if let Some(i) = memchr::memmem::find(line, b"runtime error: ") {
        let value = scan::from(line, i);
        let value = value.split(|&c| c == b'"' || c == b'\\').next().unwrap_or(value);
        return Some(Said::Serving { who: b"log", value: scan::trim_end(value) });
    }
    if let Some(i) = memchr::memmem::find(line, b"SIG") {
        let tail = scan::from(line, i);
        if i > 0
            && matches!(scan::at(line, i.saturating_sub(1)), b' ' | b'\t')
            && let Some(s) = signal_heading(tail)
        {
            return Some(Said::Signal(s));
        }
    }
    None
}

fn known(v: Option<u64>) -> Known<u64> {
    Known::printed_or_not(v)
}

fn new_signal(name: &[u8]) -> Signal {
    Signal {
        name: scan::text(name).into(),
        description: Known::not_printed(),
        code: Known::not_printed(),
        address: Known::not_printed(),
        pc: Known::not_printed(),
        m: Known::not_printed(),
        in_foreign_code: false,
        instruction_bytes: Vec::new(),
        sender: Known::not_printed(),
    }
}

/// `SIGSEGV: segmentation violation`, alone on its line.
fn signal_heading(body: &[u8]) -> Option<Signal> {
    let mut c = Cursor::new(body);
    let name = c.take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if name.len() < 5 || name.len() > 10 || !c.eat(b": ") {
        return None;
    }
    let description = scan::trim(c.rest());
    if description.is_empty() || description.len() > 60 {
        return None;
    }
    let mut s = new_signal(name);
    s.description = Known::printed(scan::text(description).into());
    Some(s)
}

fn bracketed(body: &[u8]) -> Option<Said<'_>> {
    if let Some(rest) = body.strip_prefix(b"[originating from goroutine ") {
        return Cursor::new(rest).dec().map(Said::Ancestor);
    }
    let rest = body.strip_prefix(b"[signal ")?;
    let end = memchr::memchr(b']', rest).unwrap_or(rest.len());
    let inner = scan::upto(rest, end);
    let mut c = Cursor::new(inner);
    let name = c.take_while(|b| b != b':' && b != b' ');
    let mut s = new_signal(name);
    if c.eat(b": ") {
        let words = c.rest();
        let cut = scan::find(words, b" code=").unwrap_or(words.len());
        let description = scan::trim(scan::upto(words, cut));
        if !description.is_empty() {
            s.description = Known::printed(scan::text(description).into());
        }
    }
    fields(inner, &mut s);
    // Where there are no signals the runtime prints the zeros that it has (wasm: `sigpanic`, os_wasm.go).
    let zero = s.code.value() == Some(&0) && s.address.value() == Some(&0) && s.pc.value() == Some(&0);
    if zero && s.name.starts_with("0x") {
        s.code = Known::Missing(Missing::NotApplicable);
        s.address = Known::Missing(Missing::NotApplicable);
        s.pc = Known::Missing(Missing::NotApplicable);
    }
    Some(Said::SignalNote(s))
}

/// Why a debugger stopped, if it was for a signal that kills: gdb's `Thread 1 "app" received signal SIGSEGV, Segmentation
/// fault.` and `Program terminated with signal …`, lldb's `* thread #1, stop reason = signal SIGSEGV: … (fault address: 0x0)`.
fn debugger_stop(body: &[u8]) -> Option<Signal> {
    let marks: [&[u8]; 3] = [b" received signal ", b" terminated with signal ", b" stop reason = signal "];
    let mut c = Cursor::new(scan::from(body, marks.iter().find_map(|mark| scan::find_end(body, mark))?));
    let name = c.take_while(|b| b.is_ascii_uppercase());
    if !matches!(name, b"SIGSEGV" | b"SIGBUS" | b"SIGABRT" | b"SIGILL" | b"SIGFPE" | b"SIGSYS") {
        return None;
    }
    let mut s = new_signal(name);
    if c.eat(b", ") || c.eat(b": ") {
        let words = c.rest().split(|&b| b == b'(').next().unwrap_or(&[]);
        let words = scan::trim(words.strip_suffix(b".").unwrap_or(words));
        s.description = Known::printed_or_not((!words.is_empty()).then(|| scan::text(words).into()));
    }
    let address = [&b"fault address: "[..], b"fault address="].iter().find_map(|mark| scan::find_end(body, mark));
    s.address = known(address.and_then(|at| Cursor::new(scan::from(body, at)).hex()));
    Some(s)
}

/// `code=0x1 addr=0x0 pc=0x47db03` in any order, decimal or hexadecimal.
fn fields(b: &[u8], s: &mut Signal) {
    for word in b.split(|&c| c == b' ') {
        let mut c = Cursor::new(word);
        if c.eat(b"code=") {
            s.code = Known::printed_or_not(signed(c.rest()));
        } else if c.eat(b"addr=") {
            s.address = known(scan::hex(c.rest()));
        } else if c.eat(b"pc=") || c.eat(b"PC=") {
            s.pc = known(scan::hex(c.rest()));
        }
    }
}

fn signed(b: &[u8]) -> Option<i64> {
    if let Some(n) = scan::hex(b).or_else(|| scan::dec(b)) {
        return Some(n as i64);
    }
    let n = scan::dec(b.strip_prefix(b"-")?)?;
    i64::try_from(n).ok().map(i64::saturating_neg)
}

fn pc_line(body: &[u8]) -> Option<Said<'_>> {
    let mut pc = None;
    let (mut m, mut code, mut address) = (None, None, None);
    for word in body.split(|&c| c == b' ') {
        let mut c = Cursor::new(word);
        if c.eat(b"PC=") {
            pc = scan::hex(c.rest());
        } else if c.eat(b"m=") {
            m = scan::dec(c.rest());
        } else if c.eat(b"sigcode=") {
            code = signed(c.rest());
        } else if c.eat(b"addr=") {
            address = scan::hex(c.rest());
        }
    }
    Some(Said::Pc { pc: pc?, m, code, address })
}

/// `Exception 0xc0000005 0x8 0x2b 0x2b`: code, two information words, pc (signal_windows.go, winthrow).
fn exception(body: &[u8]) -> Option<Said<'_>> {
    let mut c = Cursor::new(body);
    c.eat(b"Exception ");
    let code = c.hex()?;
    let mut words = Vec::new();
    while words.len() < 3 {
        c.blanks();
        match c.hex() {
            Some(w) => words.push(w),
            None => break,
        }
    }
    let pc = if words.len() == 3 { words.pop() } else { None };
    Some(Said::Exception(Exception { code, information: words, pc: known(pc) }))
}

fn instruction_bytes(rest: &[u8]) -> Said<'_> {
    let bytes =
        rest.split(|&c| c == b' ').filter_map(scan::hex).filter_map(|n| u8::try_from(n).ok()).take(64).collect();
    Said::InstructionBytes(bytes)
}

/// A register dump's line: `rax    0x0`, also two to a line (s390x). Registers in order.
pub(crate) fn registers(line: &[u8]) -> Option<Vec<(Str, u64)>> {
    if line.len() > 120 {
        return None;
    }
    let mut out = Vec::new();
    let mut c = Cursor::new(line);
    loop {
        c.blanks();
        if c.at_end() {
            break;
        }
        let name = c.take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if name.len() < 2 || name.len() > 8 || !scan::at(name, 0).is_ascii_alphabetic() || c.blanks() == 0 {
            return None;
        }
        out.push((scan::text(name).into(), c.hex()?));
    }
    if out.is_empty() { None } else { Some(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals() {
        let Some(Said::SignalNote(s)) = said(b"[signal SIGSEGV: segmentation violation code=0x1 addr=0x8 pc=0x47db03]")
        else {
            panic!("no signal note");
        };
        assert_eq!(
            (&*s.name, s.code.value(), s.address.value(), s.pc.value()),
            ("SIGSEGV", Some(&1), Some(&8), Some(&0x47_db03))
        );
        let Some(Said::SignalNote(s)) = said(b"[signal 0xb code=0x1 addr=0x0 pc=0x4175e7]") else {
            panic!("no old signal note");
        };
        assert_eq!(&*s.name, "0xb");
        assert!(matches!(said(b"SIGTRAP: trace trap"), Some(Said::Signal(_))));
        assert_eq!(
            said(b"PC=0x7fffffffe001 m=0 sigcode=128"),
            Some(Said::Pc { pc: 0x7fff_ffff_e001, m: Some(0), code: Some(128), address: None })
        );
    }

    #[test]
    fn where_a_debugger_stopped() {
        let stop = |line: &str| match said(line.as_bytes()) {
            Some(Said::SignalNote(s)) => {
                Some((s.name.to_string(), s.description.value().map(ToString::to_string), s.address.value().copied()))
            }
            _ => None,
        };
        let segv = |words: &str, at| Some(("SIGSEGV".to_owned(), Some(words.to_owned()), at));
        assert_eq!(
            stop("Thread 1 \"app\" received signal SIGSEGV, Segmentation fault."),
            segv("Segmentation fault", None)
        );
        assert_eq!(
            stop("Program terminated with signal SIGSEGV, Segmentation fault."),
            segv("Segmentation fault", None)
        );
        assert_eq!(
            stop("* thread #1, stop reason = signal SIGSEGV: address not mapped to object (fault address: 0x8)"),
            segv("address not mapped to object", Some(8))
        );
        for other in ["Thread 1 received signal SIGINT, Interrupt.", "Program received signal", "* thread #1: tid = 7"]
        {
            assert_eq!(stop(other), None, "{other}");
        }
    }

    #[test]
    fn exceptions() {
        let Some(Said::Exception(e)) = said(b"Exception 0xc0000005 0x8 0x2b 0x2b") else { panic!("no exception") };
        assert_eq!((e.code, e.information, e.pc.into_value()), (0xc000_0005, vec![8, 0x2b], Some(0x2b)));
    }

    #[test]
    fn headlines_glued_to_other_text() {
        let served = glued(b"2022/09/01 16:06:37 http: panic serving 10.244.0.1:18104: runtime error: x");
        assert_eq!(served, Some(Said::Serving { who: b"10.244.0.1:18104", value: b"runtime error: x" }));
        assert_eq!(glued(b"BenchmarkX-8  \tfatal error: bad g"), Some(Said::Fatal(b"bad g")));
        let logged = glued(b"level=error msg=\"handler died: runtime error: index out of range [3]\" id=4");
        assert_eq!(logged, Some(Said::Serving { who: b"log", value: b"runtime error: index out of range [3]" }));
        let observed =
            glued(b"E0623 15:24:30.6 1 runtime.go:78] Observed a panic: \"assignment to nil\" (assignment to nil)");
        assert_eq!(observed, Some(Said::Serving { who: b"log", value: b"assignment to nil" }));
        let observed =
            glued(b"Observed a panic: runtime.boundsError{x:1, y:1} (runtime error: index out of range [1])");
        assert_eq!(observed, Some(Said::Serving { who: b"log", value: b"runtime error: index out of range [1]" }));
        assert_eq!(glued(b"level=info msg=ok"), None);
    }

    #[test]
    fn register_lines() {
        assert_eq!(registers(b"rip     0x2b").map(|r| r.len()), Some(1));
        assert_eq!(registers(b"r0   0x0        r1   0x3ff").map(|r| r.len()), Some(2));
        assert_eq!(registers(b"trap    0x0").map(|r| r.len()), Some(1));
        assert_eq!(registers(b"exit status 2"), None);
        assert_eq!(registers(b"id 0x4 not found"), None);
    }
}
