//! What the runtime, the kernel or the race detector itself said: a matter of reading.

use crate::case::Frames;
use gopsy_model::{Crash, Headline, Kind, Signal, Source};
use gopsy_program::Program;

/// The kind of a death and the headline that told it.
pub(crate) struct Reading {
    pub(crate) kind: Kind,
    /// Index of the headline that explains the death, if there is one.
    pub(crate) headline: Option<usize>,
}

/// Reads the kind. The first headline that explains the death decides; one that the process survives (a served
/// panic, a race report) does so only if no other follows; an unexpected fault address wins over its signal.
pub(crate) fn read(program: &Program, frames: &Frames) -> Reading {
    let crash = program.crash();
    if let Some(i) = crash.headlines.iter().position(|h| matches!(h, Headline::FaultAddress(_))) {
        return Reading { kind: Kind::UnexpectedFault, headline: Some(i) };
    }
    let mut weak: Option<(Kind, usize)> = None;
    let cut = begins_later(program);
    for (i, headline) in crash.headlines.iter().enumerate() {
        if cut && matches!(headline, Headline::Panic(_)) {
            continue;
        }
        let Some(mut kind) = of_headline(headline, frames) else { continue };
        // What a logger wrote beside the panic may be another error's text; who raised the panic is on the stack.
        if kind == Kind::CustomPanic && matches!(headline, Headline::ServedPanic { .. }) {
            let names: Vec<&str> = frames.names().collect();
            kind = of_panicking(&names).unwrap_or(kind);
        }
        // Up to Go 1.20 this is what is said of any signal that arrives in C; its code says whether somebody sent it.
        if matches!(headline, Headline::Fatal(message) if message.starts_with("unexpected signal during"))
            && crash.signal.as_ref().is_some_and(Signal::was_sent)
        {
            kind = Kind::Signalled;
        }
        let survived = matches!(headline, Headline::ServedPanic { .. } | Headline::Race(_) | Headline::Outside(_));
        if !survived {
            return Reading { kind, headline: Some(i) };
        }
        if weak.is_none() {
            weak = Some((kind, i));
        }
    }
    if let Some((kind, i)) = weak {
        return Reading { kind, headline: Some(i) };
    }
    let stopped = || crash.signal.as_ref().and_then(|signal| of_stop(signal, frames));
    let known = crash
        .stated_kind
        .or_else(|| of_diagnostics(crash))
        .or_else(|| of_frames(frames, program.source()))
        .or_else(stopped);
    let kind = known.unwrap_or_else(|| {
        let any = program.stacks().next().is_some();
        if any && !crash.unread && !cut { Kind::Dump } else { Kind::Unknown }
    });
    Reading { kind, headline: None }
}

pub(crate) fn of_headline(headline: &Headline, frames: &Frames) -> Option<Kind> {
    match headline {
        Headline::Panic(p) => Some(of_panic(&p.value)),
        Headline::ServedPanic { value, .. } => Some(of_panic(value)),
        Headline::Fatal(message) => Some(of_fatal(message)),
        Headline::FaultAddress(_) => Some(Kind::UnexpectedFault),
        Headline::Signal(signal) => Some(of_signal(signal, frames)),
        Headline::Exception(_) => Some(Kind::WindowsException),
        Headline::Race(_) => Some(Kind::RaceReport),
        Headline::Native(message) => of_native(message),
        Headline::Outside(message) => of_outside(message),
    }
}

/// Texts of panics that the runtime and the standard library raise themselves.
pub(crate) fn of_panic(value: &str) -> Kind {
    // A value wrapped by a terminal or a mailer has line feeds in its words.
    let joined = value.replace('\n', " ");
    let unbroken = value.replace('\n', "");
    let has = |s: &str| joined.contains(s) || unbroken.contains(s);
    let starts = |s: &str| joined.starts_with(s) || unbroken.starts_with(s);
    let runtime_error = starts("runtime error: ");
    if runtime_error {
        for (text, kind) in [
            ("invalid memory address or nil pointer dereference", Kind::NilDereference),
            ("index out of range", Kind::OutOfRange),
            ("slice bounds out of range", Kind::OutOfRange),
            ("cannot convert slice with length", Kind::OutOfRange),
            ("integer divide by zero", Kind::DivideByZero),
            ("makeslice: ", Kind::MakeSize),
            ("makechan: ", Kind::MakeSize),
            ("growslice: ", Kind::MakeSize),
            ("makemap: ", Kind::MakeSize),
            ("negative shift amount", Kind::MakeSize),
            ("unsafe.Slice: ", Kind::MakeSize),
            ("unsafe.SliceData: ", Kind::MakeSize),
            ("unsafe.String: ", Kind::MakeSize),
            ("cgo argument has Go pointer to", Kind::CgoPointerRule),
            ("cgo result has Go pointer", Kind::CgoPointerRule),
            ("cgo result is unpinned Go pointer", Kind::CgoPointerRule),
            ("argument of cgo function has Go pointer", Kind::CgoPointerRule),
            ("result of Go function", Kind::CgoPointerRule),
        ] {
            // A message that was cut by a wrap, a column or a mailer still begins like one.
            if has(text) || is_cut(value.lines().next().unwrap_or(""), text) {
                return kind;
            }
        }
        return Kind::CustomPanic;
    }
    for (text, kind) in [
        ("assignment to entry in nil map", Kind::NilMapWrite),
        ("interface conversion: ", Kind::TypeAssertion),
        ("send on closed channel", Kind::ClosedChannel),
        ("close of closed channel", Kind::ClosedChannel),
        ("close of nil channel", Kind::ClosedChannel),
        ("sync: negative WaitGroup counter", Kind::WaitgroupMisuse),
        ("sync: WaitGroup ", Kind::WaitgroupMisuse),
        ("WaitGroup is reused before previous Wait has returned", Kind::WaitgroupMisuse),
        ("sync: unlock of unlocked mutex", Kind::BadUnlock),
        ("sync: RUnlock of unlocked RWMutex", Kind::BadUnlock),
        ("sync: Unlock of unlocked RWMutex", Kind::BadUnlock),
        ("makechan: size out of range", Kind::MakeSize),
        ("test timed out after ", Kind::TestTimeout),
        ("deadlock: all goroutines in bubble are blocked", Kind::AllAsleep),
        ("deadlock: main bubble goroutine has exited but blocked goroutines remain", Kind::AllAsleep),
        ("checkptr: ", Kind::Checkptr),
        ("plugin was built with a different version of package", Kind::PluginMismatch),
    ] {
        if starts(text) {
            return kind;
        }
    }
    if has("plugin was built with a different version of package") {
        return Kind::PluginMismatch;
    }
    Kind::CustomPanic
}

/// Whether a runtime error's text is the beginning of `text`, long enough to be no other's.
fn is_cut(value: &str, text: &str) -> bool {
    value.strip_prefix("runtime error: ").is_some_and(|said| {
        let said = said.trim_end_matches(['.', '\u{2026}', ' ']);
        said.len() >= 7 && said.len() < text.len() && text.starts_with(said)
    })
}

/// Texts behind `fatal error: `.
pub(crate) fn of_fatal(message: &str) -> Kind {
    let first = message.lines().next().unwrap_or("").trim_end();
    for (text, kind) in [
        ("all goroutines are asleep - deadlock!", Kind::AllAsleep),
        ("no goroutines (main called runtime.Goexit) - deadlock!", Kind::GoexitDeadlock),
        ("concurrent map ", Kind::ConcurrentMap),
        ("stack overflow", Kind::StackOverflow),
        ("out of memory", Kind::OutOfMemory),
        ("runtime: out of memory", Kind::OutOfMemory),
        ("runtime: cannot allocate", Kind::OutOfMemory),
        ("cannot allocate memory", Kind::OutOfMemory),
        ("unexpected signal during runtime execution", Kind::RuntimeFault),
        ("fault", Kind::UnexpectedFault),
        ("checkptr: ", Kind::Checkptr),
        ("sync: ", Kind::BadUnlock),
        ("unlock of unlocked lock", Kind::BadUnlock),
        ("bad pointer!", Kind::BadPointer),
        ("runtime: split stack overflow", Kind::StackSplit),
        ("panic holding locks", Kind::RuntimeThrow),
    ] {
        if first == text || (text.ends_with([' ', '!', '-']) || text.len() > 8) && first.starts_with(text) {
            return kind;
        }
    }
    crate::throws::find(first).map_or(Kind::RuntimeThrow, |throw| throw.kind)
}

/// Whether the value of the first of several panics is not in a core: what the others say is not why it all began.
fn begins_later(program: &Program) -> bool {
    let depth = |h: &Headline| if let Headline::Panic(panic) = h { Some(panic.depth) } else { None };
    program.source() != Source::Text && program.crash().headlines.iter().find_map(depth).is_some_and(|depth| depth > 0)
}

fn of_signal(signal: &Signal, frames: &Frames) -> Kind {
    // -6 is SI_TKILL: the process itself sent it, as by raise(3); abort(3) ends so, and the runtime of a fault that it has handled.
    let handled = |name: &str| matches!(name, "runtime.raisebadsignal" | "runtime.dieFromSignal");
    let raised = || &*signal.name != "SIGABRT" && !frames.all_names().any(handled);
    let sent = signal.was_sent() && (signal.code.value() != Some(&-6) || raised());
    match &*signal.name {
        "SIGQUIT" => Kind::Dump,
        _ if sent => Kind::Signalled,
        "SIGABRT" => Kind::NativeAbort,
        "SIGSEGV" => {
            // The thread's own stack (goroutine 0) tells better than the goroutine it ran for.
            let of_thread = frames.system.as_ref().map_or(&[][..], |s| &s.frames);
            let top = crate::case::names(of_thread).next().or_else(|| frames.first_name());
            let in_runtime = top.is_some_and(|n| {
                n.starts_with("runtime.") && !n.starts_with("runtime.cgocall") && n != "runtime.asmcgocall"
            });
            if signal.in_foreign_code || !in_runtime { Kind::NativeFault } else { Kind::RuntimeFault }
        }
        "SIGBUS" => Kind::BusError,
        "SIGILL" => Kind::IllegalInstruction,
        "SIGFPE" => Kind::ArithmeticFault,
        // So the runtime ends where it cannot throw; why, it writes before.
        "SIGTRAP" if frames.all_names().next() == Some("runtime.abort") => Kind::Unknown,
        "SIGTRAP" => Kind::Trap,
        "SIGSYS" => Kind::Killed,
        _ => Kind::Signalled,
    }
}

fn of_native(message: &str) -> Option<Kind> {
    if message.contains("pthread_create failed") || message.contains("race: limit on ") {
        return Some(Kind::ThreadExhaustion);
    }
    if message.starts_with("fatal: morestack on ") {
        return Some(Kind::StackSplit);
    }
    if message.starts_with("fatal: ") {
        return Some(Kind::RuntimeThrow);
    }
    if message.starts_with("This program can only be run on ") {
        return Some(Kind::Unknown);
    }
    Some(Kind::NativeAbort)
}

fn of_outside(message: &str) -> Option<Kind> {
    if message.contains("killed")
        || message == "Killed"
        || message == "OOMKilled"
        || message.starts_with("Out of memory")
    {
        return Some(Kind::Killed);
    }
    if message.starts_with("*** Test killed with ") {
        return Some(Kind::Dump);
    }
    if message.starts_with("signal: segmentation fault") {
        return Some(Kind::NativeFault);
    }
    if message.starts_with("signal: aborted") || message.starts_with("Aborted") {
        return Some(Kind::NativeAbort);
    }
    None
}

/// Deaths whose headline is lost, told by what the runtime printed before it.
fn of_diagnostics(crash: &Crash) -> Option<Kind> {
    for line in &crash.diagnostics {
        for (text, kind) in [
            ("marked free object in span", Kind::HeapCorruption),
            ("goroutine stack exceeds", Kind::StackOverflow),
            ("out of memory: cannot allocate", Kind::OutOfMemory),
            ("bad pointer in frame", Kind::BadPointer),
            ("to unallocated span", Kind::HeapCorruption),
            ("to unused region of span", Kind::HeapCorruption),
            ("split stack overflow", Kind::StackSplit),
            ("failed to create new OS thread", Kind::ThreadExhaustion),
            ("newosproc", Kind::ThreadExhaustion),
        ] {
            if line.contains(text) {
                return Some(kind);
            }
        }
    }
    None
}

/// A signal without a headline: a debugger stopped at it, or the runtime's words before it are lost. Where Go code
/// faulted, the address decides what the runtime makes of it; gdb does not tell it.
fn of_stop(signal: &Signal, frames: &Frames) -> Option<Kind> {
    let of_thread = || crate::case::names(frames.system.as_ref().map_or(&[], |s| &s.frames));
    // `sigpanic` throws where the runtime cannot panic (signal_unix.go).
    if of_thread().any(|n| n == "runtime.throw") && of_thread().any(|n| n == "runtime.sigpanic") {
        return Some(Kind::RuntimeFault);
    }
    // A thread of C may have a goroutine that it called last, and that does nothing (an "extra" m's).
    let foreign = if signal.in_foreign_code { true } else { crate::case::is_of_c(frames.stack().first()?)? };
    let kind = of_signal(signal, frames);
    match kind {
        Kind::NativeFault if !foreign => {
            signal.address.value().map(|a| if *a < 0x1000 { Kind::NilDereference } else { Kind::UnexpectedFault })
        }
        // Go aborts itself at the end of many deaths.
        Kind::NativeAbort if !foreign => None,
        // Old releases print a number in place of the name.
        Kind::Signalled if !signal.name.starts_with("SIG") => None,
        kind => Some(kind),
    }
}

/// Who raises index and slice panics: `panicBounds…` since Go 1.26, before one function for each kind of bound (panic.go).
const BOUNDS: &[&str] = &[
    "panicBounds",
    "goPanicIndex",
    "goPanicSlice",
    "goPanicExtend",
    "panicIndex",
    "panicSlice",
    "panicExtend",
    "panicindex",
    "panicslice",
];

/// The panic that was under way, by the function that raised it. Only for stacks that hide nothing of the runtime (a
/// debugger's, `runtime.Callers`): what the runtime prints shows `panic` alone.
fn of_panicking(names: &[&str]) -> Option<Kind> {
    let raised = names.iter().rposition(|n| *n == "runtime.gopanic")?;
    let by = names.get(raised + 1)?;
    let Some(local) = by.strip_prefix("runtime.") else {
        return Some(if by.starts_with("sync.(*WaitGroup).") {
            Kind::WaitgroupMisuse
        } else if by.starts_with("testing.(*M).startAlarm") {
            Kind::TestTimeout
        } else {
            Kind::CustomPanic
        });
    };
    let starts = |prefixes: &[&str]| prefixes.iter().any(|p| local.starts_with(p));
    Some(match local {
        "panicmem" | "panicmemAddr" => Kind::NilDereference,
        // Which of its panics it was is inlined away.
        "sigpanic" => Kind::Unknown,
        "panicdivide" => Kind::DivideByZero,
        "closechan" => Kind::ClosedChannel,
        _ if starts(BOUNDS) => Kind::OutOfRange,
        _ if starts(&["panicdottype", "panicnildottype", "assertE2I", "typeAssert", "getitab"]) => Kind::TypeAssertion,
        _ if starts(&["mapassign"]) => Kind::NilMapWrite,
        _ if starts(&["chansend"]) => Kind::ClosedChannel,
        _ if starts(&["synctest"]) => Kind::AllAsleep,
        _ if starts(&["cgoCheck"]) => Kind::CgoPointerRule,
        _ if starts(&["panicshift", "panicmakeslice", "growslice", "makechan", "panicunsafe"]) => Kind::MakeSize,
        // Something of the runtime that panics on behalf of the program, such as the hash of what has none.
        _ => Kind::CustomPanic,
    })
}

/// Deaths whose headline was never printed: a file of `SetCrashOutput` lacks the `fatal error` line (Go 1.23+), and
/// a debugger prints only frames; or whose words are not in the core.
fn of_frames(frames: &Frames, source: Source) -> Option<Kind> {
    // The name under which the runtime prints it. A stack that is read from memory hides nothing.
    let whole = |name| if name == "panic" && source != Source::Text { "runtime.gopanic" } else { name };
    let all: Vec<&str> = frames.names().take(24).map(whole).collect();
    // A debugger shows what the runtime leaves out: how the signal was raised, and how the throw was carried out.
    let carried = |n: &str| {
        n.starts_with("runtime.fatalthrow") || n.starts_with("runtime.systemstack") || n.starts_with("runtime.raise")
    };
    let throws = |n: &str| {
        matches!(
            n,
            "runtime.throw"
                | "runtime.fatal"
                | "runtime.fatalthrow"
                | "runtime.fatalpanic"
                | "sync.fatal"
                | "internal/sync.fatal"
        ) || n.ends_with("maps.fatal")
    };
    let thrown = all.iter().position(|n| throws(n) && !(frames.is_bare() && carried(n)));
    let names: &[&str] = match thrown {
        Some(at) if at == 0 || frames.is_bare() => all.get(at..).unwrap_or(&all),
        _ => &all,
    };
    let first = *names.first()?;
    // A throw in a deferred function stands above the panic that runs it, and is what ended the process.
    if (!throws(first) || first == "runtime.fatalpanic")
        && let Some(kind) = of_panicking(names)
    {
        return Some(kind);
    }
    if frames.is_bare() && !throws(first) {
        // A debugger's backtrace: the innermost frame is where the process stood.
        let foreign = !first.contains('.') || first.starts_with("__");
        if matches!(
            first,
            "abort" | "raise" | "__GI_raise" | "__GI_abort" | "__pthread_kill_implementation" | "gsignal"
        ) {
            return Some(Kind::NativeAbort);
        }
        let waiting = ["futex", "epoll", "nanosleep", "poll", "select", "read", "wait", "accept", "syscall"];
        if foreign && frames.len() > 1 && frames.has_pc() && !waiting.iter().any(|w| first.contains(w)) {
            return Some(Kind::NativeFault);
        }
        return None;
    }
    if !throws(first) {
        return None;
    }
    // The runtime does it for other packages under their names too: `runtime.fatal`, called by `internal/sync.fatal`.
    let carrying = names.iter().position(|n| !throws(n)).unwrap_or(names.len());
    let (carriers, rest) = names.split_at(carrying);
    let below = rest.first().copied().unwrap_or("");
    let by = |package: &str| carriers.iter().any(|n| n.ends_with(package));
    Some(if by("maps.fatal") {
        Kind::ConcurrentMap
    } else if let Some(kind) = crate::throws::by(below) {
        kind
    } else if by("sync.fatal") {
        Kind::BadUnlock
    } else if below == "runtime.newstack" && frames.is_deep() {
        Kind::StackOverflow
    } else if below == "runtime.sigpanic" && frames.is_of_c_behind(below) {
        // In C it may not panic either: up to Go 1.20 a fault there is taken for one of the runtime.
        Kind::RuntimeFault
    } else if below == "runtime.sigpanic" && rest.get(1).is_some_and(|n| !of_runtime(n)) {
        // The runtime may not panic where it faults itself, nor in a system call; elsewhere it refuses only an address that is
        // not near nil (signal_unix.go, `canpanic`).
        Kind::UnexpectedFault
    } else {
        // It throws more than one thing, or is not known.
        Kind::Unknown
    })
}

/// Whether a function is the runtime's, or of a package that it is made of or that calls the system.
fn of_runtime(function: &str) -> bool {
    ["runtime.", "internal/", "syscall."].iter().any(|package| function.starts_with(package))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gopsy_model::{Frame, Goroutine, Role, Stack};

    /// The runtime traps where it gives up: why, it says before, and where that is lost it is not known.
    #[test]
    fn a_trap_of_the_runtimes_own() {
        let kind = |before: &str, top: &str| {
            let text = format!(
                "{before}SIGTRAP: trace trap\nPC=0x4564c2 m=0 sigcode=128\n\ngoroutine 0 [idle]:\n{top}()\n\t/go/src/runtime/asm.s:1063 \
                 +0x2\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:9 +0x5\n"
            );
            let dump = gopsy_text::read_bytes(text.as_bytes(), &gopsy_text::Options::default());
            gopsy_program::TextEvidence::programs(dump).iter().map(|p| crate::explain(p).kind).collect::<Vec<_>>()
        };
        assert_eq!(kind("fatal: morestack on g0\n", "runtime.abort"), [Kind::StackSplit]);
        assert_eq!(kind("", "runtime.abort"), [Kind::Unknown]);
        assert_eq!(kind("", "runtime.breakpoint"), [Kind::Trap]);
    }

    #[test]
    fn panics() {
        for (value, kind) in [
            ("runtime error: invalid memory address or nil pointer dereference", Kind::NilDereference),
            ("runtime error: invalid memory address or nil\npointer dereference", Kind::NilDereference),
            ("runtime error: index out of ra\nnge [5] with length 3", Kind::OutOfRange),
            ("index out of range [5] with length 3", Kind::CustomPanic),
            ("runtime error: invalid", Kind::NilDereference),
            ("runtime error: slice bounds out…", Kind::OutOfRange),
            ("runtime error: in", Kind::CustomPanic),
            ("concurrent map writes", Kind::CustomPanic),
            ("assignment to entry in nil map", Kind::NilMapWrite),
            ("sync: WaitGroup is reused before previous Wait has returned", Kind::WaitgroupMisuse),
            ("test timed out after 3m0s", Kind::TestTimeout),
            ("runtime error: hash of unhashable type []int", Kind::CustomPanic),
            ("", Kind::CustomPanic),
        ] {
            assert_eq!(of_panic(value), kind, "{value:?}");
        }
    }

    #[test]
    fn who_raised_it() {
        for (by, kind) in [
            ("runtime.panicmem", Some(Kind::NilDereference)),
            ("runtime.panicBounds64", Some(Kind::OutOfRange)),
            ("runtime.goPanicSliceAcap", Some(Kind::OutOfRange)),
            ("runtime.mapassign_faststr", Some(Kind::NilMapWrite)),
            ("runtime.chansend", Some(Kind::ClosedChannel)),
            ("runtime.panicdottypeE", Some(Kind::TypeAssertion)),
            ("runtime.getitab", Some(Kind::TypeAssertion)),
            ("runtime.cgoCheckUnknownPointer", Some(Kind::CgoPointerRule)),
            ("runtime.panicshift", Some(Kind::MakeSize)),
            ("runtime.synctestRun", Some(Kind::AllAsleep)),
            ("sync.(*WaitGroup).Add", Some(Kind::WaitgroupMisuse)),
            ("testing.(*M).startAlarm.func1", Some(Kind::TestTimeout)),
            ("runtime.panicrangestate", Some(Kind::CustomPanic)),
            ("runtime.sigpanic", Some(Kind::Unknown)),
            ("main.check", Some(Kind::CustomPanic)),
        ] {
            assert_eq!(of_panicking(&["main.f.func1", "runtime.gopanic", by, "main.f"]), kind, "{by}");
        }
        // What the runtime prints hides who raised it.
        assert_eq!(of_panicking(&["panic", "main.f"]), None);
    }

    /// A stack that is read from memory hides nothing of who raised a panic; one that was printed does.
    #[test]
    fn a_panic_without_its_value() {
        let stack = |names: &[&str]| {
            let frames = names.iter().map(|name| Frame::named(name)).collect();
            let stack = Stack { frames, ..Stack::default() };
            Frames { crashed: Some((0, Goroutine::bare(Role::Goroutine), stack)), system: None }
        };
        let own = stack(&["panic", "main.boom", "main.main"]);
        assert_eq!(of_frames(&own, Source::Core), Some(Kind::CustomPanic));
        assert_eq!(of_frames(&own, Source::Text), None);
        let unlocked = ["runtime.fatal", "internal/sync.fatal", "internal/sync.(*Mutex).unlockSlow", "main.main"];
        assert_eq!(of_frames(&stack(&unlocked), Source::Core), Some(Kind::BadUnlock));
        assert_eq!(of_frames(&stack(&unlocked[1..]), Source::Text), Some(Kind::BadUnlock));
        // Either of these throws more than one thing.
        let faulted = ["runtime.throw", "runtime.sigpanic", "main.main"];
        assert_eq!(of_frames(&stack(&faulted), Source::Core), Some(Kind::UnexpectedFault));
        let within = ["runtime.throw", "runtime.sigpanic", "runtime.mallocgc", "main.main"];
        assert_eq!(of_frames(&stack(&within), Source::Core), Some(Kind::Unknown));
        let mut grown = vec!["runtime.throw", "runtime.newstack", "runtime.morestack"];
        assert_eq!(of_frames(&stack(&grown), Source::Core), Some(Kind::Unknown));
        grown.resize(150, "main.down");
        assert_eq!(of_frames(&stack(&grown), Source::Core), Some(Kind::StackOverflow));
        let divided = stack(&["panic", "runtime.panicdivide", "main.main"]);
        assert_eq!(of_frames(&divided, Source::Core), Some(Kind::DivideByZero));
    }

    #[test]
    fn throws() {
        for (message, kind) in [
            ("concurrent map writes", Kind::ConcurrentMap),
            ("all goroutines are asleep - deadlock!", Kind::AllAsleep),
            ("sweep increased allocation count", Kind::HeapCorruption),
            ("workbuf is empty", Kind::HeapCorruption),
            ("checkmark found unmarked object", Kind::HeapCorruption),
            ("found bad pointer in Go heap (incorrect use of unsafe or cgo?)", Kind::HeapCorruption),
            ("runtime: split stack overflow", Kind::StackSplit),
            ("bad pointer!", Kind::BadPointer),
            ("invalid runtime symbol table", Kind::RuntimeThrow),
            ("lfstack.push", Kind::RuntimeThrow),
            ("sync: unlock of unlocked mutex", Kind::BadUnlock),
            ("unlock of unlocked lock", Kind::BadUnlock),
            ("fault", Kind::UnexpectedFault),
            ("no such text in any release", Kind::RuntimeThrow),
        ] {
            assert_eq!(of_fatal(message), kind, "{message:?}");
        }
    }
}
