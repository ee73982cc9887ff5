//! What every form of a verdict is made from.

use crate::source::SourceLines;
use gopsy_explain::carries;
use gopsy_model::{Elision, Frame, Goroutine, Kind, Role, Stack, Status, Verdict};
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

/// The frames of C in which the thread that died stood, above the goroutine that it ran; innermost first.
pub(crate) fn native(program: &Program) -> Option<Stack> {
    let stack = program.stack(program.crash().system_stack.filter(|id| program.crashed() != Some(*id))?);
    native_part(&stack).map(|part| of_part(stack, part))
}

/// Where C stands on a system stack.
fn native_part(stack: &Stack) -> Option<Range<usize>> {
    let from = stack.frames.iter().position(|frame| frame.foreign)?;
    let len = stack.frames.iter().skip(from).take_while(|frame| frame.foreign).count();
    Some(from..from + len)
}

/// A part of a stack, with what is told of the whole as far as it is about these frames.
fn of_part(stack: Stack, part: Range<usize>) -> Stack {
    let Stack { frames, elided, unavailable, remarks } = stack;
    let run: Vec<Frame> = frames.iter().skip(part.start).take(part.len()).cloned().collect();
    let to_its_end = part.end == frames.len();
    let within = |after: &usize| (1..run.len()).contains(after) || (to_its_end && *after == run.len());
    let shifted = |gap: Elision| gap.after.checked_sub(part.start).filter(within).map(|after| Elision { after, ..gap });
    let elided = elided.into_iter().filter_map(shifted).collect();
    let (unavailable, remarks) = if to_its_end { (unavailable, remarks) } else { (None, Vec::new()) };
    Stack { frames: run, elided, unavailable, remarks }
}

/// The system stack of the thread that died, further in than the goroutine that it ran and further out than C: where the frame to
/// open first stands on it, or where the runtime, or what calls itself from it, died on it of what it did for the goroutine.
pub(crate) fn system(case: &Case<'_>) -> Option<Stack> {
    let program = case.program;
    let shown = case.stack_to_show()?;
    let stack = program.stack(program.crash().system_stack.filter(|id| *id != shown)?);
    let native = native_part(&stack);
    let first = native.map_or_else(|| stack.frames.iter().take_while(|f| carries(f)).count(), |native| native.end);
    let part = first..stack.frames.len();
    let culprit = case.verdict.culprit.as_ref();
    let is_it = |frame: &Frame| {
        culprit.is_some_and(|c| {
            frame.function.value().is_some_and(|f| f.0 == c.function) && frame.line.value() == c.line.as_ref()
        })
    };
    let here = stack.frames.get(part.clone()).unwrap_or(&[]);
    let blamed = here.iter().any(is_it) && !program.stack(shown).frames.iter().any(is_it);
    let died_here = !others_matter(case.verdict.kind) && !here.iter().all(carries);
    (blamed || died_here).then(|| of_part(stack, part))
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
