//! What every form of a verdict is made from.

use crate::source::SourceLines;
use gopsy_explain::carries;
use gopsy_model::{Frame, Goroutine, Kind, Role, Stack, Status, Verdict};
use gopsy_program::{Group, Program, StackId};
use std::ops::Range;

/// A death and what was found out about it.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The program.
    pub program: &'a Program,
    /// The verdict.
    pub verdict: &'a Verdict,
    /// The culprit's source, if it was found.
    pub source: Option<&'a SourceLines>,
    /// All goroutines of this death in groups. Only kinds in which the other goroutines matter (a deadlock, a time-out,
    /// a dump) are asked for them: see [`others_matter`].
    pub groups: &'a [Group],
    /// How the evidence was read.
    pub notes: &'a [String],
}

/// Do the other goroutines explain this kind of death? Where they do not, nobody needs to count them.
#[must_use]
pub fn others_matter(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::AllAsleep
            | Kind::GoexitDeadlock
            | Kind::TestTimeout
            | Kind::Dump
            | Kind::Signalled
            | Kind::ThreadExhaustion
            | Kind::OutOfMemory
            | Kind::Killed
    )
}

impl Case<'_> {
    /// The stack to show: that of the culprit's goroutine, which on a time-out is not the one that raised the alarm.
    pub(crate) fn stack_to_show(&self) -> Option<StackId> {
        let crashed = self.program.crashed();
        let Some(number) = self.verdict.culprit.as_ref().and_then(|c| c.goroutine) else { return crashed };
        let is_it = |id: &StackId| self.program.goroutine(*id).id.into_value() == Some(number);
        crashed.filter(is_it).or_else(|| self.program.stacks().find(is_it)).or(crashed)
    }

    /// `go1.27.3 linux/amd64 · module`, as far as it is known.
    pub(crate) fn identity(&self) -> String {
        identity(self.program)
    }

    /// Everything that was not seen, and how the evidence was read.
    pub(crate) fn unseen(&self) -> impl Iterator<Item = &str> {
        self.verdict.unseen.iter().map(String::as_str)
    }
}

/// What the thread stands in, beside the goroutine whose stack is shown.
#[derive(Default)]
pub(crate) struct AroundGoroutine {
    /// The frames of C in which the thread that died stood, further in than the goroutine that it ran.
    pub native: Option<Stack>,
    /// The system stack of that thread, further in than the goroutine and further out than C: where the frame to open first stands on
    /// it, or where the runtime, or what calls itself from it, died on it of what it did for the goroutine.
    pub system: Option<Stack>,
    /// What called into Go, where the goroutine stands in a call from C.
    pub callers: Option<Stack>,
}

impl AroundGoroutine {
    /// Of the goroutine that is shown, if one is.
    pub(crate) fn of(case: &Case<'_>) -> AroundGoroutine {
        let Some(shown) = case.stack_to_show() else { return AroundGoroutine::default() };
        let callers = case.program.called_from_c(shown);
        // It is of the goroutine that its thread ran, and of no other.
        let is_its = |id: &StackId| *id != shown && case.program.crashed() == Some(shown);
        let Some(id) = case.program.crash().system_stack.filter(is_its) else {
            return AroundGoroutine { callers, ..AroundGoroutine::default() };
        };
        let stack = case.program.stack(id);
        let in_c = in_c(&stack);
        let further_out =
            in_c.as_ref().map_or_else(|| stack.frames.iter().take_while(|f| carries(f)).count(), |c| c.end);
        let further_out = further_out..stack.frames.len();
        let told = system_tells(case, stack.frames.get(further_out.clone()).unwrap_or(&[]), shown);
        let native = in_c.map(|part| stack.clone().part(part));
        AroundGoroutine { native, system: told.then(|| stack.part(further_out)), callers }
    }
}

/// Where C stands on a system stack.
fn in_c(stack: &Stack) -> Option<Range<usize>> {
    let from = stack.frames.iter().position(|frame| frame.foreign)?;
    let len = stack.frames.iter().skip(from).take_while(|frame| frame.foreign).count();
    Some(from..from + len)
}

/// Whether frames of the system stack tell of the death: see [`AroundGoroutine::system`].
fn system_tells(case: &Case<'_>, frames: &[Frame], shown: StackId) -> bool {
    let culprit = case.verdict.culprit.as_ref();
    let is_it = |frame: &Frame| {
        culprit.is_some_and(|c| {
            frame.function.value().is_some_and(|f| f.0 == c.function) && frame.line.value() == c.line.as_ref()
        })
    };
    let blamed = frames.iter().any(is_it) && !case.program.stack(shown).frames.iter().any(is_it);
    let died_here = !others_matter(case.verdict.kind) && !frames.iter().all(carries);
    blamed || died_here
}

/// `go1.27.3 linux/amd64 · module`, as far as it is known.
pub(crate) fn identity(program: &Program) -> String {
    let identity = program.identity();
    let system = match (identity.os.value(), identity.arch.value()) {
        (Some(os), Some(arch)) => Some(format!("{os}/{arch}")),
        (Some(one), None) | (None, Some(one)) => Some(one.as_ref().to_owned()),
        (None, None) => None,
    };
    let version = identity.go_version.value().map(|v| v.as_ref().to_owned());
    let built = [version, system].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let module = identity.module.value().map(|m| m.as_ref().to_owned());
    [Some(built).filter(|b| !b.is_empty()), module].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// `goroutine 7`, `a system stack`.
pub(crate) fn title(goroutine: &Goroutine) -> String {
    let number = goroutine.id.value();
    match (goroutine.role, number) {
        (Role::Goroutine, Some(number)) => format!("goroutine {number}"),
        (Role::Goroutine, None) => "a goroutine without a number".to_owned(),
        (Role::System, _) => "system stack".to_owned(),
        (Role::Signal, _) => "stack of the signal".to_owned(),
        (Role::Bare, _) => "a stack without a header".to_owned(),
        (Role::Ancestor, Some(number)) => format!("ancestor goroutine {number}"),
        (Role::Ancestor, None) => "an ancestor".to_owned(),
        (Role::Thread, _) => goroutine.thread.map_or_else(|| "a thread".to_owned(), |tid| format!("thread {tid}")),
    }
}

/// The state of a goroutine. A thread's own is always called idle, whatever it does.
pub(crate) fn status(goroutine: &Goroutine) -> Option<&Status> {
    goroutine.status.value().filter(|_| goroutine.role != Role::System)
}

/// What a goroutine is doing: `chan receive, 5 minutes`.
pub(crate) fn state(goroutine: &Goroutine) -> Option<String> {
    let word = match (goroutine.wait_reason.value(), status(goroutine)) {
        (Some(reason), _) => reason.as_ref().to_owned(),
        (None, Some(status)) => status.as_str().to_owned(),
        (None, None) => return None,
    };
    let mut text = word;
    if let Some(minutes) = goroutine.wait_minutes.value() {
        text.push_str(&format!(", {}", crate::names::plural(*minutes, "minute")));
    }
    if goroutine.locked_to_thread {
        text.push_str(", locked to thread");
    }
    if goroutine.leaked {
        text.push_str(", leaked");
    }
    Some(text)
}

/// `text`, `core, inferred`: where a fact was read, and how well it is known where that is not plain.
pub(crate) fn provenance(evidence: &gopsy_model::Evidence) -> String {
    match evidence.trust {
        gopsy_model::Trust::Exact => evidence.source.as_str().to_owned(),
        trust => format!("{}, {}", evidence.source.as_str(), trust.as_str()),
    }
}

/// The facts that the verdict's cause rests on, without repetitions.
pub(crate) fn evidence(verdict: &Verdict) -> Vec<&gopsy_model::Evidence> {
    let mut facts: Vec<&gopsy_model::Evidence> = Vec::new();
    let speaks = |f: &&gopsy_model::Finding| f.claim.as_ref().is_none_or(|c| c.cause == verdict.cause);
    let (claiming, silent): (Vec<_>, Vec<_>) = verdict.findings.iter().filter(speaks).partition(|f| f.claim.is_some());
    let source = if claiming.is_empty() { silent } else { claiming };
    for fact in source.iter().flat_map(|f| &f.evidence) {
        if !facts.iter().any(|known| known.fact == fact.fact) {
            facts.push(fact);
        }
    }
    facts
}

/// Findings about another cause than that of the verdict.
pub(crate) fn besides(verdict: &Verdict) -> Vec<&gopsy_model::Finding> {
    let other = |f: &&gopsy_model::Finding| {
        f.claim.as_ref().is_some_and(|c| c.cause != verdict.cause) && f.sentence != verdict.summary
    };
    verdict.findings.iter().filter(other).collect()
}
