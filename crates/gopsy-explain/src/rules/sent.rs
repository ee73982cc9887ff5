//! Signals that a process sent: which, and whether it was the program itself.

use super::{draft, place};
use crate::case::Case;
use crate::culprit::culprit;
use gopsy_model::{Cause, Confidence, Culprit, Evidence, Finding, Frame, Kind, Known, Sender, Trust};

pub(super) fn rules(case: &Case<'_>) -> Vec<Finding> {
    let Some(signal) = case.signal().filter(|_| matches!(case.kind, Kind::Signalled | Kind::Dump)) else {
        return Vec::new();
    };
    let Known::Have { value: sender, trust, source } = &signal.sender else { return Vec::new() };
    let fact = |fact: String| Evidence { fact, source: *source, trust: *trust };
    let name = &signal.name;
    let who = called(sender);
    if !case.sent_by_itself() {
        let sentence = match case.kind {
            Kind::Dump => format!("{who} asked for this dump ({name}); nothing in it says that a goroutine failed"),
            _ => format!("{who} sent {name}: the program did nothing wrong by itself as far as is shown"),
        };
        return vec![draft("sent-from-outside", sentence).because(fact(format!("{who} sent {name}"))).done()];
    }
    let itself = fact(format!("the sender, {who}, is the program itself"));
    if handles_a_signal(case) {
        let sentence = format!(
            "the program sent {name} to itself while it handled a signal: it ends because of that one, of which more is not known"
        );
        return vec![draft("sent-by-itself", sentence).because(itself).done()];
    }
    vec![match sending_in_c(case).or_else(|| sending(case)) {
        Some((at, culprit)) => draft("sent-by-itself", format!("the program sent {name} to itself, in {at}"))
            .claims(Cause::ProgramCheck, Confidence::Likely)
            .because(itself)
            .because(Evidence { trust: Trust::Inferred, ..fact(format!("it stands in a call that sends a signal, from {at}")) })
            .advise(format!("read what leads to {at}: it stops the program on purpose"))
            .blames(Some(culprit))
            .done(),
        None => draft("sent-by-itself", format!("the program sent {name} to itself; where is not known: not one place alone stands in a call that sends signals"))
            .because(itself)
            .advise("search the program, and the C that it calls, for kill, raise, syscall.Kill and Process.Signal")
            .done(),
    }]
}

/// `process 77 of uid 1000`
fn called(sender: &Sender) -> String {
    match sender.pid {
        // Another pid namespace's, as of the host for a container (`si_pid` in `signal(7)`).
        0 => format!("a process outside of the program's pid namespace, of uid {}", sender.uid),
        pid => format!("process {pid} of uid {}", sender.uid),
    }
}

/// Calls that send signals.
const CALLS: [&str; 7] = [
    "syscall.Kill",
    "syscall.Tgkill",
    "golang.org/x/sys/unix.Kill",
    "golang.org/x/sys/unix.Tgkill",
    "os.(*Process).Signal",
    "os.(*Process).signal",
    "os.(*Process).Kill",
];

/// Functions of C that send signals, as libc calls them.
const CALLS_OF_C: [&str; 10] = [
    "kill",
    "__GI___kill",
    "__kill",
    "raise",
    "__GI_raise",
    "pthread_kill",
    "__pthread_kill_implementation",
    "__pthread_kill_internal",
    "tgkill",
    "sigqueue",
];

/// Whether what called one of C's handles a signal: further out stands what was interrupted, with registers that the kernel saved.
fn handles_a_signal(case: &Case<'_>) -> bool {
    let system = case.frames.system.as_ref().map_or(&[][..], |stack| &stack.frames);
    [system, case.frames.stack()].into_iter().any(|frames| {
        let innermost = frames.iter().take_while(|frame| frame.foreign).position(calls_in_c);
        innermost.is_some_and(|at| frames.iter().skip(at + 1).any(|frame| frame.pc.trust() == Some(Trust::Exact)))
    })
}

/// Who called one of C's on the thread that took the signal: a place in C, and the frame to open.
fn sending_in_c(case: &Case<'_>) -> Option<(String, Culprit)> {
    let system = case.frames.system.as_ref().map_or(&[][..], |stack| &stack.frames);
    [system, case.frames.stack()].into_iter().find_map(|frames| {
        let innermost = frames.iter().take_while(|frame| frame.foreign).position(calls_in_c)?;
        let caller = frames.iter().skip(innermost).find(|frame| !calls_in_c(frame))?;
        caller.function.value()?;
        let why = "it called what sends a signal".to_owned();
        Some((place(caller), culprit(caller, case.goroutine_id(), Some(why))))
    })
}

fn calls_in_c(frame: &Frame) -> bool {
    frame.foreign && frame.function.value().is_some_and(|name| CALLS_OF_C.contains(&name.as_str()))
}

/// Who stands in such a call: the frame that somebody wrote, as a place and as a culprit. Of several places none: one of them sent it.
fn sending(case: &Case<'_>) -> Option<(String, Culprit)> {
    let mut standing = case.goroutines().filter_map(|(_, goroutine, stack)| {
        let calls = |frame: &Frame| frame.function.value().is_some_and(|n| CALLS.contains(&n.as_str()));
        let at = stack.frames.iter().rposition(calls)?;
        let frame = stack.frames.iter().skip(at + 1).find(|frame| case.owner(frame).is_user())?;
        let why = "it stands in a call that sends a signal".to_owned();
        Some((place(frame), culprit(frame, goroutine.id.value().copied(), Some(why))))
    });
    let first = standing.next()?;
    standing.all(|(place, _)| place == first.0).then_some(first)
}
