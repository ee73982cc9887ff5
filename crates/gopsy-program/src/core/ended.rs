//! Who ended a process, by the kernel's word and by what stands on the threads' stacks: where the runtime's structures do not tell.

use super::joined::MAX_WALKED;
use super::{death, threads};
use gopsy_model::{Crash, Headline, Known, Missing, Signal, Str};
use gopsy_runtime::Runtime;
use gopsy_target::Core;
use gopsy_unwind::{Code, SignalFrame, Walk};

/// Linux, all machines.
const SIGQUIT: u32 = 3;

/// The thread with which a process ended.
pub(super) struct Ended {
    /// Its number in the core.
    pub(super) thread: usize,
    /// With which of its frames its death begins: what the runtime does afterwards stands before it.
    pub(super) begins: usize,
    /// It asks for a dump: nobody failed.
    pub(super) asked_for: bool,
    /// The signal that was fatal to it, by its frame.
    fatal: Option<SignalFrame>,
}

/// What a thread does when the runtime has decided to die.
#[derive(Debug, PartialEq, Eq)]
struct Dying {
    /// The frame at which its death begins.
    begins: usize,
    /// It dies of a signal: of the one whose handler this is, counted from the innermost.
    handler: Option<usize>,
}

/// How a thread died.
struct Death {
    /// The frame at which it begins.
    begins: usize,
    how: How,
}

enum How {
    /// By a throw, or a panic that nobody recovered.
    Thrown,
    /// Of a signal that was fatal to it, if it shows which.
    Signalled(Option<SignalFrame>),
}

impl Death {
    /// Whether it shows that no other thread made it die.
    fn is_its_own(&self) -> bool {
        match self.how {
            How::Thrown => true,
            How::Signalled(signal) => signal.is_some_and(|signal| signal.number != SIGQUIT),
        }
    }
}

impl Dying {
    /// By the names of a thread's frames, innermost first. A handler runs for every signal; that it does something for which it
    /// does not come back tells that the signal was fatal (`sighandler` in `runtime/signal_unix.go`, Go 1.16 to 1.27).
    fn of(names: &[Option<&[u8]>]) -> Option<Dying> {
        let position = |wanted: &[&[u8]]| names.iter().position(|name| name.is_some_and(|name| wanted.contains(&name)));
        if let Some(begins) = position(&[b"runtime.throw", b"runtime.fatal"]) {
            return Some(Dying { begins, handler: None });
        }
        if let Some(at) = position(&[b"runtime.fatalpanic"]) {
            return Some(Dying { begins: at.saturating_add(1), handler: None });
        }
        let handlers = names.iter().enumerate().filter(|(_, name)| threads::is_handler(**name)).map(|(at, _)| at);
        let (mut from, mut dying) = (0, None);
        for (number, at) in handlers.enumerate() {
            let within = names.get(from..at).unwrap_or(&[]);
            from = at.saturating_add(1);
            if does_not_come_back(within) {
                dying = Some(Dying { begins: from, handler: Some(number) });
            }
        }
        dying
    }
}

/// Whether a handler's frames, innermost first, are of one that ends the process, or waits for other threads to print themselves first.
fn does_not_come_back(handler: &[Option<&[u8]>]) -> bool {
    // On a thread of C, for a signal that Go has no use for.
    if handler.contains(&Some(b"runtime.raisebadsignal")) {
        return true;
    }
    let Some(at) = handler.iter().position(|name| *name == Some(b"runtime.sighandler")) else { return false };
    let (inner, _) = handler.split_at(at);
    let ends = |name: &[u8]| matches!(name, b"runtime.dieFromSignal" | b"runtime.crash" | b"runtime.fatalsignal");
    let waits = |name: &[u8]| matches!(name, b"runtime.usleep" | b"runtime.raiseproc");
    inner.iter().flatten().any(|name| ends(name)) || inner.last().copied().flatten().is_some_and(waits)
}

/// What the runtime did on a thread to die.
fn death(walk: &Walk, code: &Code<'_>) -> Option<Death> {
    let names: Vec<_> = walk.frames.iter().map(|f| code.raw_name(f.func)).collect();
    let Dying { begins, handler } = Dying::of(&names)?;
    // Where C has handlers of its own, which signal is whose does not show.
    let each = names.iter().filter(|name| threads::is_handler(**name)).count() == walk.signals.len();
    let signal = |number: usize| walk.signals.get(number).copied().filter(|frame| each && frame.number != 0);
    Some(Death { begins, how: handler.map_or(How::Thrown, |number| How::Signalled(signal(number))) })
}

impl Ended {
    /// Which thread died, and how the runtime made it. That is not always the first in the core, which is the one that the
    /// kernel ended: under `GOTRACEBACK=crash` a thread sends the others SIGQUIT before it ends the process, or lets the last
    /// of them do so (`sighandler` and `dopanic_m` in `runtime`).
    pub(super) fn of(core: &Core, code: &Code<'_>, walk: &dyn Fn(usize) -> Option<Walk>) -> Option<Ended> {
        let threads = core.threads();
        let ended = threads.iter().position(|thread| core.signal_of(thread).is_some())?;
        let death = |id| walk(id).and_then(|walk| death(&walk, code));
        let own = death(ended);
        let (thread, death) = if own.as_ref().is_none_or(Death::is_its_own) {
            (ended, own)
        } else {
            let others = (0..threads.len()).take(MAX_WALKED).filter(|id| *id != ended);
            let first = others.filter_map(|id| Some((id, death(id)?))).find(|(_, death)| death.is_its_own());
            first.map_or((ended, own), |(id, death)| (id, Some(death)))
        };
        let begins = death.as_ref().map_or(0, |death| death.begins);
        let fatal = death.and_then(|death| if let How::Signalled(frame) = death.how { frame } else { None });
        let asked_for = fatal.is_some_and(|frame| frame.number == SIGQUIT);
        Some(Ended { thread, begins, asked_for, fatal })
    }

    /// Adds to what is known of the death: the signal that was fatal, else the one that the kernel has of that thread. `why` says why the
    /// runtime's own words on it are missing.
    pub(super) fn tell(&self, core: &Core, code: &Code<'_>, why: &Missing, crash: &mut Crash) {
        let (text, m) = (Known::<Str>::Missing(why.clone()), Known::Missing(why.clone()));
        if let Some(frame) = self.fatal {
            let in_foreign_code = code.find(frame.pc).is_none();
            let signal = Signal { in_foreign_code, ..death::fatal_signal(&frame, &text, m) };
            crash.headlines = vec![Headline::Signal(signal)];
            let registers = frame.registers(core).unwrap_or_default();
            crash.registers = registers.into_iter().map(|(name, value)| (name.into(), value)).collect();
            crash.unread = false;
            return;
        }
        let Some(thread) = core.threads().get(self.thread) else { return };
        crash.registers = thread.registers.iter().map(|(name, value)| (name.into(), value)).collect();
        let in_foreign_code = code.find(thread.registers.pc()).is_none();
        crash.signal = death::taken(core, thread).map(|signal| Signal { m, in_foreign_code, ..signal });
    }

    /// Adds what the runtime recorded last of its words, if that is a fatal error and the thread that ended the process did so as the
    /// runtime does: that it is of this death is inferred where the stack is lost. Says so.
    pub(super) fn add_last_words(
        &self,
        core: &Core,
        code: &Code<'_>,
        runtime: &Runtime<'_>,
        crash: &mut Crash,
    ) -> Option<String> {
        let thread = core.threads().get(self.thread).filter(|_| crash.headlines.is_empty() && crash.unread)?;
        let (function, _) = code.function(thread.registers.pc())?;
        let Known::Have { value, .. } = runtime.backlog() else { return None };
        // After those words nothing more is recorded.
        let is_last = value.lines().last().is_some_and(|line| line.starts_with("fatal error: "));
        let raised = function.raw_name() == Some(b"runtime.raise");
        let (headlines, diagnostics) = death::printed(&value, 1).filter(|_| raised && is_last)?;
        (crash.headlines, crash.diagnostics, crash.unread) = (headlines, diagnostics, false);
        let inferred = "the fatal error is the last that the runtime recorded of its words; that the process died of it is inferred";
        Some(inferred.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::Dying;

    fn dying(names: &[&'static str]) -> Option<(usize, Option<usize>)> {
        let names: Vec<_> = names.iter().map(|name| Some(name.as_bytes()).filter(|_| !name.is_empty())).collect();
        Dying::of(&names).map(|dying| (dying.begins, dying.handler))
    }

    const SIGTRAMP: &str = "runtime.sigtramp";

    #[test]
    fn only_a_handler_that_does_not_come_back_has_a_fatal_signal() {
        let handler = |inner: &[&'static str]| {
            [inner, &["runtime.sighandler", "runtime.sigtrampgo", SIGTRAMP, "main.f"]].concat()
        };
        assert_eq!(dying(&handler(&["runtime.raise", "runtime.dieFromSignal", "runtime.crash"])), Some((6, Some(0))));
        assert_eq!(dying(&handler(&["runtime.usleep"])), Some((4, Some(0))));
        assert_eq!(
            dying(&handler(&["runtime.gwrite", "runtime.printlock", "runtime.fatalsignal"])),
            Some((6, Some(0)))
        );
        // Preempted, profiled, and told of a signal that the program asked for.
        assert_eq!(dying(&handler(&["runtime.doSigPreempt"])), None);
        assert_eq!(dying(&handler(&["runtime.usleep", "runtime.sigprof"])), None);
        assert_eq!(dying(&handler(&["runtime.futex", "runtime.sigsend"])), None);
        assert_eq!(dying(&handler(&[])), None);
        // Ended from outside in a handler, and by C.
        assert_eq!(dying(&["", SIGTRAMP, "main.f"]), None);
        assert_eq!(dying(&["raise", "abort", "main.f"]), None);
    }

    #[test]
    fn of_signals_in_signals_the_outermost_that_was_fatal_counts() {
        let fatal = ["runtime.usleep", "runtime.sighandler", SIGTRAMP];
        let harmless = ["runtime.doSigPreempt", "runtime.sighandler", SIGTRAMP];
        assert_eq!(dying(&[&fatal[..], &harmless, &["main.f"]].concat()), Some((3, Some(0))));
        assert_eq!(dying(&[&harmless[..], &fatal, &["main.f"]].concat()), Some((6, Some(1))));
        assert_eq!(dying(&[&fatal[..], &fatal, &["main.f"]].concat()), Some((6, Some(1))));
    }

    #[test]
    fn a_throw_and_a_panic_are_told_by_their_functions() {
        assert_eq!(
            dying(&["runtime.raise", "runtime.crash", "runtime.fatalthrow", "runtime.throw", "main.f"]),
            Some((3, None))
        );
        assert_eq!(dying(&["runtime.raise", "runtime.fatalpanic", "runtime.gopanic", "main.f"]), Some((2, None)));
        assert_eq!(dying(&["runtime.gopanic", "main.f"]), None);
    }
}
