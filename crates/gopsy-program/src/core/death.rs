//! What the runtime said, or would have said, about the death.

use super::ended::Ended;
use super::threads::threw;
use super::{CoreEvidence, Entry, completeness};
use gopsy_mem::{Addr, MemoryExt};
use gopsy_model::{
    Crash, Headline, HeldValue, Known, Missing, PanicLine, Registers, Sender, Signal, Source, Status, Str, Trust,
};
use gopsy_runtime::{Basis, Culprit, FloatFormat, GoSignal, How, M, Runtime};
use gopsy_target::{Core, SigInfo, Thread, has_fault_address, signal_name};
use gopsy_unwind::{Code, On, RawFrame, SignalFrame, Walk};

/// Signals of linux/amd64 at which the runtime prints the bytes of the instruction.
const SIGILL: u32 = 4;
const SIGFPE: u32 = 8;
/// A debugger's own, and that of the runtime's `abort`.
const SIGTRAP: u32 = 5;
const SIGABRT: u32 = 6;

/// What is said of a process that lives on.
const NOTHING_ENDED: &str = "nothing had ended the process when the core was written";
/// What is said where a debugger came first.
const STOPPED_AT_SIGNAL: &str =
    "a debugger wrote the core when a thread took the signal; the runtime was not dying of it";
/// What is known where the goroutine of a panic is not.
const WHOSE_PANIC: &str =
    "a thread stands where a panic that nobody recovered ends the process; whose it is is not known";
/// What is said of a process that was ended by nobody who can be told.
const NOBODY_DYING: &str = "no thread of the runtime was dying, and the core names no thread that took a signal";

/// So many bytes at the faulting instruction does the runtime print.
const INSTRUCTION_BYTES: u64 = 16;

/// What is known of a death.
#[derive(Default)]
struct Told {
    headlines: Vec<Headline>,
    diagnostics: Vec<Str>,
    registers: Registers,
    notes: Vec<String>,
    unrecorded: usize,
}

impl Told {
    fn nothing(why: impl Into<String>) -> Told {
        Told { notes: vec![why.into()], ..Told::default() }
    }
}

impl CoreEvidence {
    /// What the runtime would have said about this death.
    pub(super) fn describe(&mut self, culprit: &Culprit) {
        let runtime = self.runtime();
        let address = culprit.g.value().copied();
        let thread = self.threads.iter().position(|m| m.address == culprit.m.address);
        // After a throw on the system stack it is that stack's g whose signal the runtime prints (`dopanic_m`).
        let threw_on_system = thread.is_some_and(|t| self.threw_on_system_stack(t));
        let who = if threw_on_system { culprit.m.g0.value().copied() } else { address };
        let how = self.how(culprit, thread);
        let died = completeness::may_have_died(&self.core);
        // Of a signal that the runtime did not see, the g has none, or an earlier one's.
        let told_beside = match how {
            How::Signalled => thread.and_then(|t| self.taken_by(t, died)),
            _ => who.and_then(|a| runtime.signal(a)).map(|s| signal(&s, &culprit.m)),
        };
        let told = match how {
            How::Panic => {
                let mut told = self.panicked(&runtime, address, thread);
                if !died {
                    told.notes.push("a debugger wrote the core when the panic was about to end the process".to_owned());
                }
                told
            }
            How::Thrown => self.thrown(&runtime, culprit, thread),
            How::Dying => Told::nothing("whether the program panicked or the runtime threw is not known"),
            How::Signalled if died => Told::nothing("a signal ended the process without the runtime's doing"),
            How::Signalled if told_beside.is_some() => Told::nothing(STOPPED_AT_SIGNAL),
            How::Signalled => Told::nothing(self.nobodys_end()),
        };
        let own = |entry: &Entry| address.is_some_and(|a| *entry == Entry::Goroutine(a));
        let system = thread.and_then(|t| self.entries.iter().position(|e| *e == Entry::System(t)));
        // SIGQUIT asks for a dump: nobody failed. Where the thread ran no goroutine, its own stack failed under a signal;
        // after a throw the runtime then prints the goroutines in their order, and the first stands for them.
        let ran_none = culprit.g.missing() == Some(&Missing::NotApplicable);
        let asked_for = matches!(told.headlines.first(), Some(Headline::Signal(s)) if &*s.name == "SIGQUIT");
        let signalled = told.headlines.iter().any(|h| matches!(h, Headline::Signal(_)));
        // A goroutine that waits while its thread works for it on the system stack (a worker of the collector) did not fail.
        let waited = address.and_then(|g| runtime.status(g).into_value()) == Some(Status::Waiting);
        let lives = how == How::Signalled && !died && told_beside.is_none();
        let crashed = match self.entries.iter().position(own) {
            _ if asked_for || lives => None,
            Some(_) if signalled && waited && system.is_some() => system,
            Some(id) => Some(id),
            // Which goroutine that was may be lost: then nobody is named.
            None if signalled && ran_none => system,
            None => first(&self.entries, self.all_goroutines).filter(|_| ran_none && how == How::Thrown),
        };
        match culprit.g.missing() {
            Some(Missing::NotApplicable) => self.note("the thread that died ran no goroutine"),
            Some(why) => self.note(format!("which goroutine the thread that died ran is not known: {why}")),
            None => {}
        }
        self.notes.extend(told.notes);
        self.crash = Crash {
            headlines: told.headlines,
            diagnostics: told.diagnostics,
            registers: told.registers,
            unrecorded: told.unrecorded,
            signal: told_beside,
            crashed,
            system_stack: system,
            ..std::mem::take(&mut self.crash)
        };
    }

    /// The thread of a culprit, if that is one of C that has its m and g only to handle the signal that ended it (`badsignal` in
    /// `runtime/signal_unix.go`).
    pub(super) fn lent(&self, culprit: &Culprit) -> Option<usize> {
        let code = self.code();
        let thread = self.threads.iter().position(|m| m.address == culprit.m.address);
        let lent = |walk: &Walk| {
            let called = walk.frames.iter().any(|f| code.raw_name(f.func) == Some(b"runtime.badsignal"));
            called && walk.frames.iter().all(|f| f.on != On::Goroutine)
        };
        thread.filter(|t| culprit.how == How::Signalled && self.of_thread(*t).is_some_and(lent))
    }

    /// The end of a process by a thread that is none of the runtime's: C's own, or one that the runtime's list has lost. `lent` is the one
    /// that only seems to be.
    pub(super) fn describe_outsider(&mut self, lent: Option<usize>) {
        let code = self.code();
        let kernels =
            |number: usize| self.core.threads().get(number).map(|thread| self.foreign_walk(None, &thread.registers));
        let died = completeness::may_have_died(&self.core);
        // A debugger may have stopped it at the signal.
        let stopped = |ended: &Ended| self.core.threads().get(ended.thread).is_some_and(has_failed);
        let may_have = |ended: &Ended| self.at_end_of_panic().is_none() && (died || stopped(ended));
        let ended = Ended::of(&self.core, &code, &kernels).filter(may_have);
        let Some(ended) = ended else { return self.note(self.nobodys_end()) };
        let proved = self.threads.iter().all(|m| m.tid.value().is_some());
        if !proved || matches!(self.layouts.basis(), Basis::Nearest(_)) {
            return self
                .note("who ended the process is not known: which of its threads are the runtime's is not proved");
        }
        let known = self.kernel_threads.iter().position(|of| *of == Some(ended.thread));
        if known.is_some() && known != lent {
            return self
                .note("who ended the process is not known: its last thread is the runtime's, and others were dying");
        }
        let (why, note) = if self.all_threads {
            (Missing::NotApplicable, "the thread that ended the process is none of the Go runtime's")
        } else {
            let lost = Missing::Unreadable("the list of the runtime's threads is not whole".into());
            (lost, "which of the runtime's threads ended the process is not known: their list is not whole")
        };
        let mut crash = Crash { unread: true, ..Crash::default() };
        ended.tell(&self.core, &code, &why, &mut crash);
        let said = ended.add_last_words(&self.core, &code, &self.runtime(), &mut crash);
        self.note(note);
        if !died {
            self.note(STOPPED_AT_SIGNAL);
        }
        self.notes.extend(said);
        let id = self.entries.len();
        self.entries.push(Entry::Thread(ended.thread));
        crash.stacks = 0..self.entries.len();
        crash.crashed = Some(id).filter(|_| !ended.asked_for);
        self.crash = crash;
        self.outsider = Some(ended);
    }

    /// Whose end is to be told of: of whom the runtime knew, else who was about to end the process, else who took a signal.
    pub(super) fn whose_end(&self, known: Option<Culprit>) -> Option<Culprit> {
        match known {
            Some(culprit) if culprit.how != How::Signalled => Some(culprit),
            known => self.stopped_in_panic().or(known),
        }
    }

    /// What is said where nobody is seen to have ended the process.
    pub(super) fn nobodys_end(&self) -> &'static str {
        if self.at_end_of_panic().is_some() {
            WHOSE_PANIC
        } else if completeness::may_have_died(&self.core) {
            NOBODY_DYING
        } else {
            NOTHING_ENDED
        }
    }

    /// Which of the core's threads stands where a panic that nobody recovered ends the process, whosever it is (Delve always stops
    /// there; `fatalpanic` in `runtime/panic.go`).
    pub(super) fn at_end_of_panic(&self) -> Option<usize> {
        let code = self.code();
        let stands_there = |thread: &Thread| {
            let found = code.function(thread.registers.pc());
            found.is_some_and(|(func, _)| func.raw_name() == Some(b"runtime.fatalpanic"))
        };
        self.core.threads().iter().position(stands_there)
    }

    /// Whose panic a debugger stopped before it ended the process.
    fn stopped_in_panic(&self) -> Option<Culprit> {
        let stopped = self.at_end_of_panic().filter(|_| !completeness::may_have_died(&self.core))?;
        let thread = self.kernel_threads.iter().position(|thread| *thread == Some(stopped))?;
        let m = self.threads.get(thread)?;
        Some(Culprit { m: m.clone(), g: self.runtime().run_by(m), how: How::Panic })
    }

    /// The signal that ended the process, or stopped it under a debugger, without the runtime's doing: as the kernel has it of that thread.
    fn taken_by(&self, thread: usize, died: bool) -> Option<Signal> {
        let m = self.threads.get(thread)?.id.clone();
        let of_kernel = self.core.threads().get((*self.kernel_threads.get(thread)?)?)?;
        let in_foreign_code = !self.in_go(of_kernel.registers.pc());
        if let Some(fault) = self.raised_again(thread, of_kernel) {
            return Some(Signal { m, ..fault });
        }
        taken(&self.core, of_kernel).filter(|_| died || has_failed(of_kernel)).map(|signal| Signal {
            m,
            in_foreign_code,
            ..signal
        })
    }

    /// The fault of which a handler made the thread die: it raised the same signal once more.
    fn raised_again(&self, thread: usize, of_kernel: &Thread) -> Option<Signal> {
        let number = u32::try_from(of_kernel.siginfo.filter(|info| info.code <= 0)?.number).ok()?;
        let walk = self.foreign_walk(self.threads.get(thread), &of_kernel.registers);
        let first =
            walk.signals.last().filter(|first| number != SIGABRT && first.number == number && first.code > 0)?;
        let nobody = Known::Missing(Missing::NotApplicable);
        let fault = fatal_signal(first, &nobody, Known::Missing(Missing::NotApplicable));
        Some(Signal { in_foreign_code: !self.in_go(first.pc), ..fault })
    }

    /// How a thread died. Where the runtime's own word on it is not proved, by what stands on its stacks.
    fn how(&self, culprit: &Culprit, thread: Option<usize>) -> How {
        let Some(walk) = thread.and_then(|t| self.of_thread(t)).filter(|_| culprit.how == How::Dying) else {
            return culprit.how;
        };
        let code = self.code();
        let stands = |name: &[u8]| walk.frames.iter().any(|f| code.raw_name(f.func) == Some(name));
        if threw(walk, &code).is_some() || stands(b"runtime.sighandler") {
            How::Thrown
        } else if stands(b"runtime.fatalpanic") {
            How::Panic
        } else {
            How::Dying
        }
    }

    fn panicked(&self, runtime: &Runtime<'_>, g: Option<Addr>, thread: Option<usize>) -> Told {
        let mut told = Told::default();
        let innermost = g.and_then(|g| runtime.g(g).panic.into_value());
        let floats = || match self.image.pclntab().ok().and_then(|table| table.by_name("runtime.printfloat64")) {
            Some(_) => FloatFormat::Shortest,
            None => FloatFormat::SevenDigits,
        };
        let chain = innermost.map(|innermost| runtime.panics(innermost, &floats)).unwrap_or_default();
        for (depth, panic) in (0..).zip(chain) {
            match panic.value {
                Known::Have { value, .. } => told.headlines.push(Headline::Panic(PanicLine {
                    value,
                    recovered: panic.recovered,
                    repanicked: panic.repanicked,
                    depth,
                    held: self.held(runtime, panic.address, thread),
                })),
                Known::Missing(why) => told.notes.push(format!("the value of a panic is not known: {why}")),
            }
        }
        told
    }

    /// What was given to the panic whose struct stands there: beside the frame of its `gopanic`.
    fn held(&self, runtime: &Runtime<'_>, panic: Addr, thread: Option<usize>) -> Known<HeldValue> {
        let code = self.code();
        let frame = thread.and_then(|t| self.of_thread(t)).and_then(|walk| {
            let holds = |f: &&RawFrame| f.sp <= panic && f.end.is_some_and(|(end, _)| panic < end);
            let named = |f: &&RawFrame| code.raw_name(f.func) == Some(b"runtime.gopanic");
            walk.frames.iter().filter(named).find(holds)
        });
        let Some((end, _)) = frame.and_then(|frame| frame.end) else {
            return Known::Missing(Missing::Unreadable("the frame that raised the panic was not found".into()));
        };
        let named = |entry: Addr| {
            let (func, bias) = code.function(entry)?;
            let name = func.raw_name().filter(|_| bias.load(func.entry()) == entry)?;
            Some(Str::from(String::from_utf8_lossy(name)))
        };
        match runtime.held_value(panic, end, &named) {
            // Where the arguments came in registers, nothing proves that their place on the stack still has them.
            Some(held) => Known::have(held, Trust::Inferred, Source::Core),
            None => Known::Missing(Missing::Unreadable("what was given to panic is not on the stack any more".into())),
        }
    }

    /// `throw`, `fatal` or a fatal signal. Which of them is told by what stands on the thread's stacks: a handler that
    /// dies (`sighandler`) was called for a signal, and then nothing that was printed before belongs to this death.
    fn thrown(&self, runtime: &Runtime<'_>, culprit: &Culprit, thread: Option<usize>) -> Told {
        let Some(walk) = thread.and_then(|t| self.of_thread(t)) else {
            return Told::nothing("the core has no registers of the thread that died");
        };
        let code = self.code();
        if walk.frames.iter().any(|f| code.raw_name(f.func) == Some(b"runtime.sighandler")) {
            return match walk.signals.iter().rfind(|frame| frame.number != 0) {
                Some(frame) => {
                    let before = no_more_stack(walk, &code).filter(|_| frame.number == SIGTRAP);
                    self.signalled(runtime, frame, culprit, before)
                }
                None => Told::nothing("the signal that ended the process is not known: its frame was not found"),
            };
        }
        match runtime.backlog() {
            Known::Have { value, .. } => match printed(&value, self.dying().max(1)) {
                Some((headlines, diagnostics)) => {
                    // Once a thread prints its death nothing that is printed is recorded (`recordForPanic`).
                    let (said, dying) =
                        (headlines.iter().filter(|h| matches!(h, Headline::Fatal(_))).count(), self.dying());
                    let unrecorded = dying.saturating_sub(said);
                    let note =
                        format!("{dying} threads died at once; the runtime recorded the words of {said} of them");
                    let notes = (unrecorded > 0).then_some(note).into_iter().collect();
                    let diagnostics = diagnostics.into_iter().chain(overrun(runtime, &culprit.m)).collect();
                    Told { headlines, diagnostics, notes, unrecorded, ..Told::default() }
                }
                None => Told::nothing("the text of the fatal error is not in the runtime's record of what it printed"),
            },
            Known::Missing(why) => Told::nothing(format!("the text of the fatal error is not known: {why}")),
        }
    }

    /// A fatal signal, from the frame that the kernel made for it.
    fn signalled(
        &self,
        runtime: &Runtime<'_>,
        frame: &SignalFrame,
        culprit: &Culprit,
        before: Option<Headline>,
    ) -> Told {
        let text = runtime.signal_text(u64::from(frame.number));
        let mut signal = fatal_signal(frame, &text, culprit.m.id.clone());
        signal.in_foreign_code = !self.in_go(frame.pc);
        // As the runtime prints it (`sighandler`).
        if matches!(frame.number, SIGILL | SIGFPE) {
            signal.instruction_bytes = self.core.bytes(frame.pc, INSTRUCTION_BYTES, 16).unwrap_or_default();
        }
        let registers = frame.registers(&self.core).unwrap_or_default();
        Told {
            headlines: before.into_iter().chain([Headline::Signal(signal)]).collect(),
            registers: registers.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            ..Told::default()
        }
    }

    /// Whether a thread was printing its death, or waiting to do so.
    pub(super) fn is_dying(&self, thread: usize) -> bool {
        self.threads.get(thread).is_some_and(|m| m.dying.value().is_some_and(|d| *d != 0))
    }

    /// How many threads were dying.
    fn dying(&self) -> usize {
        (0..self.threads.len()).filter(|thread| self.is_dying(*thread)).count()
    }

    /// Whether the runtime threw on a thread's system stack.
    fn threw_on_system_stack(&self, thread: usize) -> bool {
        let code = self.code();
        let threw =
            |walk: &Walk| threw(walk, &code).and_then(|at| walk.frames.get(at).map(|f| f.on)) == Some(On::System);
        self.of_thread(thread).is_some_and(threw)
    }

    /// Whether an instruction belongs to a Go function.
    fn in_go(&self, pc: Addr) -> bool {
        self.code().find(pc).is_some()
    }
}

fn signal(found: &GoSignal, m: &M) -> Signal {
    let (name, description) = split_text(found.number, &found.text);
    let told = found.code.value().zip(found.address.value()).and_then(|(code, address)| {
        let number = i32::try_from(found.number).ok()?;
        Some(SigInfo { number, code: i32::try_from(*code).ok()?, address: *address })
    });
    let trust = found.code.trust().max(found.address.trust()).unwrap_or(Trust::Exact);
    Signal {
        name,
        description,
        code: found.code.clone(),
        address: found.address.clone(),
        pc: found.pc.clone().map(|pc| pc.0),
        m: m.id.clone(),
        in_foreign_code: false,
        instruction_bytes: Vec::new(),
        sender: told.map_or(Known::Missing(Missing::NotApplicable), |told| sender(&told, trust)),
    }
}

/// What the runtime says of a system stack that was full, before it prints that stack: longer than what it records of its words.
fn overrun(runtime: &Runtime<'_>, m: &M) -> Option<Str> {
    let g0 = runtime.g(runtime.left_for_crash_stack(m)?);
    let (stack, left) = (g0.stack.into_value()?, g0.sched.into_value()?);
    let (lo, hi, sp) = (stack.start, stack.end, left.sp);
    Some(format!("runtime: morestack on g0, stack [{lo} {hi}], sp={sp}, called from").into())
}

/// What `morestack` says before it aborts, on a stack that cannot grow (`badmorestackg0` up to Go 1.21, `badmorestackgsignal`; where there
/// is a crash stack the former throws). It writes that to standard error itself, so that no record of it is kept: that it aborted is in
/// the stack.
fn no_more_stack(walk: &Walk, code: &Code<'_>) -> Option<Headline> {
    let names = |frame: &RawFrame| code.raw_name(frame.func).unwrap_or_default();
    let aborted = walk.frames.windows(2).find(|pair| match pair {
        [inner, outer] => names(inner) == b"runtime.abort" && names(outer) == b"runtime.morestack",
        _ => false,
    })?;
    match aborted.first()?.on {
        On::System => Some(Headline::Native("fatal: morestack on g0".into())),
        On::Signal => Some(Headline::Native("fatal: morestack on gsignal".into())),
        On::Goroutine | On::Other => None,
    }
}

/// `SIGSEGV: segmentation violation` → its two halves; without it the system's name for it, or the number, as old releases
/// print it.
fn split_text(number: u64, text: &Known<Str>) -> (Str, Known<Str>) {
    match text {
        Known::Have { value, trust, source } => match value.split_once(": ") {
            Some((name, text)) => (name.into(), Known::have(text.into(), *trust, *source)),
            None => (value.clone(), Known::Missing(Missing::NotApplicable)),
        },
        Known::Missing(why) => {
            let name = signal_name(number);
            let known = name.starts_with("SIG");
            (if known { name } else { format!("{number:#x}") }.into(), Known::Missing(why.clone()))
        }
    }
}

/// The signal that the runtime died of, from the frame that the kernel made for it.
pub(super) fn fatal_signal(frame: &SignalFrame, text: &Known<Str>, m: Known<u64>) -> Signal {
    let known = |value: u64| Known::have(value, Trust::Exact, Source::Core);
    // Only where the kernel raised it (si_code > 0) does the word hold an address; with SI_KERNEL it is 0, and the runtime
    // prints that too: `code=0x80 addr=0x0`.
    let faults = has_fault_address(frame.number) && frame.code > 0;
    let (name, description) = split_text(u64::from(frame.number), text);
    Signal {
        name,
        description,
        code: Known::have(i64::from(frame.code), Trust::Exact, Source::Core),
        address: if faults { known(frame.address) } else { Known::Missing(Missing::NotApplicable) },
        pc: known(frame.pc.0),
        m,
        in_foreign_code: false,
        instruction_bytes: Vec::new(),
        sender: sender(
            &SigInfo { number: frame.number.cast_signed(), code: frame.code, address: frame.address },
            Trust::Exact,
        ),
    }
}

/// Who sent a signal, of one that a process sent.
fn sender(info: &SigInfo, trust: Trust) -> Known<Sender> {
    match info.sender() {
        Some((pid, uid)) => Known::have(Sender { pid: u64::from(pid), uid: u64::from(uid) }, trust, Source::Core),
        None => Known::Missing(Missing::NotApplicable),
    }
}

/// Whether a thread that lives has taken a signal of which processes die. A debugger stops a thread by signals of its own, too.
fn has_failed(thread: &Thread) -> bool {
    let number = thread.siginfo.map(|info| info.number).and_then(|n| u32::try_from(n).ok());
    number.is_some_and(|n| n == SIGABRT || (n != SIGTRAP && has_fault_address(n)))
}

/// The signal that a thread took when the process ended, as the kernel has it.
pub(super) fn taken(core: &Core, thread: &Thread) -> Option<Signal> {
    let known = |value: u64| Known::have(value, Trust::Exact, Source::Core);
    let info = thread.siginfo;
    Some(Signal {
        name: signal_name(u64::from(core.signal_of(thread)?)).into(),
        description: Known::Missing(Missing::NotApplicable),
        code: info.map_or(Known::Missing(Missing::NotInCore), |info| {
            Known::have(i64::from(info.code), Trust::Exact, Source::Core)
        }),
        address: info.and_then(|i| i.fault_address()).map_or(Known::Missing(Missing::NotApplicable), known),
        pc: known(thread.registers.pc().0),
        m: Known::Missing(Missing::NotApplicable),
        in_foreign_code: false,
        instruction_bytes: Vec::new(),
        sender: info.map_or(Known::Missing(Missing::NotInCore), |info| sender(&info, Trust::Exact)),
    })
}

/// What the runtime prints first where no goroutine died: the first of them, or before there is any the system stack. Where not
/// all are listed, that what is left is the first of them is known of a goroutine only.
fn first(entries: &[Entry], all_listed: bool) -> Option<usize> {
    entries.first().filter(|entry| all_listed || matches!(entry, Entry::Goroutine(_))).map(|_| 0)
}

/// The last `fatal error: …` among what the runtime printed, with the lines of its own before it: read as any crash text is.
/// Where several threads died at once, each has such a line.
pub(super) fn printed(backlog: &str, deaths: usize) -> Option<(Vec<Headline>, Vec<Str>)> {
    // The program may have printed such a line too; nothing up to it belongs to this death.
    let lines: Vec<&str> = backlog.lines().collect();
    let mut fatal = lines.iter().enumerate().rev().filter(|(_, l)| l.starts_with("fatal error: ")).map(|(at, _)| at);
    let last = fatal.next()?;
    let before = fatal.nth(deaths.saturating_sub(1)).map_or(0, |at| at.saturating_add(1));
    let own = lines.get(before..=last)?.join("\n");
    let dump = gopsy_text::read_bytes(own.as_bytes(), &gopsy_text::Options::default());
    let crash = dump.crashes().last()?;
    Some((crash.headlines.clone(), crash.diagnostics.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_fatal_error_counts_with_the_lines_before_it() {
        let text = "fatal error: printed by the program\nhello\nruntime: goroutine stack exceeds 1000000000-byte limit\n\
                    runtime: sp=0x1 stack=[0x0, 0x2]\nfatal error: stack overflow\n";
        let (headlines, diagnostics) = printed(text, 1).unwrap_or_default();
        assert_eq!(headlines, [Headline::Fatal("stack overflow".into())]);
        assert_eq!(
            diagnostics.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
            ["runtime: goroutine stack exceeds 1000000000-byte limit", "runtime: sp=0x1 stack=[0x0, 0x2]"]
        );
        let (headlines, _) =
            printed("unexpected fault address 0xdead0000\nfatal error: fault\n", 1).unwrap_or_default();
        assert_eq!(headlines, [Headline::FaultAddress(0xdead_0000), Headline::Fatal("fault".into())]);
        assert_eq!(printed("hello\n", 1), None);
        let (headlines, _) = printed("unexpected fault address 0xzz\nfatal error: fault\n", 1).unwrap_or_default();
        assert_eq!(headlines, [Headline::Fatal("fault".into())]);
    }

    #[test]
    fn a_system_stack_comes_first_only_where_there_was_no_goroutine() {
        assert_eq!(first(&[Entry::Goroutine(Addr(8)), Entry::System(0)], false), Some(0));
        assert_eq!(first(&[Entry::System(0)], true), Some(0));
        assert_eq!(first(&[Entry::System(0)], false), None);
        assert_eq!(first(&[], true), None);
    }

    #[test]
    fn two_that_died_at_once_have_a_line_each() {
        let text =
            "fatal error: of the program\nfatal error: concurrent map writes\nfatal error: concurrent map writes\n";
        let (headlines, _) = printed(text, 2).unwrap_or_default();
        assert_eq!(headlines, vec![Headline::Fatal("concurrent map writes".into()); 2]);
    }

    #[test]
    fn a_signal_without_a_name_has_the_systems_or_is_its_number() {
        let missing = || Known::Missing(Missing::NotInCore);
        assert_eq!(split_text(11, &missing()), ("SIGSEGV".into(), missing()));
        assert_eq!(split_text(77, &missing()), ("0x4d".into(), missing()));
        let named = Known::have("SIGBUS: bus error".into(), Trust::DebugInfo, Source::Core);
        assert_eq!(split_text(7, &named), ("SIGBUS".into(), named.map(|_: Str| "bus error".into())));
    }
}
