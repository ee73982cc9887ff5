//! A core in which no goroutine can be found: its threads are all there is.

use super::joined::{Joined, MAX_WALKED, identity};
use super::opening::{Refused, Unread};
use super::{completeness, death, threads};
use crate::{Evidence, StackId};
use gopsy_model::{Crash, Goroutine, Headline, Identity, Known, Missing, Role, Signal, Source, Stack};
use gopsy_runtime::{Layouts, Runtime};
use gopsy_unwind::{SignalFrame, Sites, Walk};
use std::ops::Range;

/// Linux, all machines.
const SIGQUIT: u32 = 3;

/// A core whose program is no Go program, or of which the Go runtime's structures cannot be read. What the kernel wrote of
/// its threads is there, and their stacks as far as code and its tables lead.
pub struct UnreadCore {
    joined: Joined,
    sites: Sites,
    /// The thread that died, and with which of its frames its death begins: what the runtime does afterwards stands before it.
    died: Option<(StackId, usize)>,
    crash: Crash,
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
    let Some(at) = handler.iter().position(|name| *name == Some(b"runtime.sighandler")) else { return false };
    let (inner, _) = handler.split_at(at);
    let ends = |name: &[u8]| matches!(name, b"runtime.dieFromSignal" | b"runtime.crash" | b"runtime.fatalsignal");
    let waits = |name: &[u8]| matches!(name, b"runtime.usleep" | b"runtime.raiseproc");
    inner.iter().flatten().any(|name| ends(name)) || inner.last().copied().flatten().is_some_and(waits)
}

impl UnreadCore {
    /// The threads of a process of which the Go runtime cannot be read.
    pub(super) fn of(Unread { mut joined, refused }: Unread) -> Self {
        let Refused { why, layouts } = *refused;
        let unread = format!("Go's structures cannot be read: {why}");
        joined.notes.retain(|note| !unread.contains(note.as_str()));
        joined.notes.insert(0, unread);
        if joined.image.cut().is_some_and(|cut| cut.loaded) {
            let build = completeness::build(&joined.core).join("; ");
            let whole = "name the whole file with --bin";
            joined.notes.insert(1, if build.is_empty() { whole.to_owned() } else { format!("{whole}: {build}") });
        }
        joined.notes.extend(completeness::missing(&joined.core, || None));
        let mut evidence = UnreadCore { joined, sites: Sites::default(), died: None, crash: Crash::default() };
        evidence.describe();
        evidence.add_last_words(layouts.as_ref());
        evidence
    }

    fn walk(&self, id: StackId) -> Option<Walk> {
        self.joined.walk(id, &self.sites)
    }

    /// What the runtime did on a thread to die.
    fn death(&self, walk: &Walk) -> Option<Death> {
        let code = self.joined.code();
        let names: Vec<_> = walk.frames.iter().map(|f| code.raw_name(f.func)).collect();
        let Dying { begins, handler } = Dying::of(&names)?;
        // Where C has handlers of its own, which signal is whose does not show.
        let each = names.iter().filter(|name| threads::is_handler(**name)).count() == walk.signals.len();
        let signal = |number: usize| walk.signals.get(number).copied().filter(|_| each);
        Some(Death { begins, how: handler.map_or(How::Thrown, |number| How::Signalled(signal(number))) })
    }

    /// Which thread died, and how the runtime made it. That is not always the first in the core, which is the one that the
    /// kernel ended: under `GOTRACEBACK=crash` a thread sends the others SIGQUIT before it ends the process, or lets the last
    /// of them do so (`sighandler` and `dopanic_m` in `runtime`).
    fn who_died(&self) -> Option<(StackId, Option<Death>)> {
        let threads = self.joined.core.threads();
        let ended = threads.iter().position(|thread| self.joined.core.signal_of(thread).is_some())?;
        let death = |id| self.walk(id).and_then(|walk| self.death(&walk));
        let own = death(ended);
        if own.as_ref().is_none_or(Death::is_its_own) {
            return Some((ended, own));
        }
        let others = (0..threads.len()).take(MAX_WALKED).filter(|id| *id != ended);
        let first = others.filter_map(|id| Some((id, death(id)?))).find(|(_, death)| death.is_its_own());
        Some(first.map_or((ended, own), |(id, death)| (id, Some(death))))
    }

    /// What the runtime recorded last of its words, if that is a fatal error and the thread that ended the process did so as the runtime
    /// does: that it is of this death is inferred where the stack is lost.
    fn add_last_words(&mut self, layouts: Option<&Layouts>) {
        let Joined { core, bias, .. } = &self.joined;
        let Some(layouts) = layouts.filter(|_| self.crash.headlines.is_empty() && self.crash.unread) else { return };
        let died = self.crash.crashed.and_then(|id| core.threads().get(id));
        let raised = died.is_some_and(|thread| {
            let function = self.joined.code().function(thread.registers.pc());
            function.is_some_and(|(function, _)| function.raw_name() == Some(b"runtime.raise"))
        });
        let Known::Have { value, .. } = Runtime::new(core, layouts, *bias, Source::Core).backlog() else { return };
        // After those words nothing more is recorded.
        let is_last = value.lines().last().is_some_and(|line| line.starts_with("fatal error: "));
        if let Some((headlines, diagnostics)) = death::printed(&value, 1).filter(|_| raised && is_last) {
            (self.crash.headlines, self.crash.diagnostics, self.crash.unread) = (headlines, diagnostics, false);
            self.joined.notes.push(
                "the fatal error is the last that the runtime recorded of its words; that the process died of it is inferred".to_owned(),
            );
        }
    }

    fn describe(&mut self) {
        let core = &self.joined.core;
        self.crash.stacks = 0..core.threads().len();
        self.crash.unread = completeness::may_have_died(core);
        let Some((died, death)) = self.who_died().filter(|_| self.crash.unread) else { return };
        self.died = Some((died, death.as_ref().map_or(0, |death| death.begins)));
        self.crash.crashed = Some(died);
        let unread = || Missing::Unreadable("Go's structures cannot be read".into());
        if let Some(Death { how: How::Signalled(Some(frame)), .. }) = death {
            let in_foreign_code = self.joined.code().find(frame.pc).is_none();
            let (text, m) = (Known::Missing(unread()), Known::Missing(unread()));
            let signal = Signal { in_foreign_code, ..death::fatal_signal(&frame, &text, m) };
            self.crash.headlines = vec![Headline::Signal(signal)];
            // It asks for a dump: nobody failed.
            self.crash.crashed = Some(died).filter(|_| frame.number != SIGQUIT);
            let registers = frame.registers(core).unwrap_or_default();
            self.crash.registers = registers.into_iter().map(|(name, value)| (name.into(), value)).collect();
            self.crash.unread = false;
            return;
        }
        let Some(thread) = core.threads().get(died) else { return };
        self.crash.registers = thread.registers.iter().map(|(name, value)| (name.into(), value)).collect();
        let in_foreign_code = self.joined.code().find(thread.registers.pc()).is_none();
        let m = Known::Missing(unread());
        self.crash.signal = death::taken(core, thread).map(|signal| Signal { m, in_foreign_code, ..signal });
    }
}

impl Evidence for UnreadCore {
    fn source(&self) -> Source {
        Source::Core
    }

    fn crash(&self) -> &Crash {
        &self.crash
    }

    fn identity(&self) -> Identity {
        identity(&self.joined.core, &self.joined.image, &self.joined.stated)
    }

    fn stack_count(&self) -> usize {
        self.joined.core.threads().len()
    }

    fn goroutines(&self) -> Range<StackId> {
        0..0
    }

    fn goroutine(&self, id: StackId) -> Goroutine {
        Goroutine {
            thread: self.joined.core.threads().get(id).map(|thread| thread.tid),
            ..Goroutine::bare(Role::Thread)
        }
    }

    fn stack(&self, id: StackId) -> Stack {
        let Some(walk) = self.walk(id) else { return Stack::default() };
        let skip = self.died.filter(|(died, _)| *died == id).map_or(0, |(_, begins)| begins);
        gopsy_unwind::frames_with(&walk, skip, &self.joined.code(), &self.joined.foreign, Source::Core)
    }

    fn alarms(&self) -> Vec<String> {
        self.joined.alarm.iter().cloned().collect()
    }

    fn notes(&self) -> Vec<String> {
        self.joined.notes.clone()
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
