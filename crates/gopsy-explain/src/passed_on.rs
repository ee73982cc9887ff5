//! Panics that somebody recovered and raised anew in another place: pools, supervisors, `sync.OnceFunc`, `iter.Pull`,
//! `golang.org/x/sync/singleflight`. The frame that panicked last has only passed the panic on.

use crate::case::{Case, path_below_panic};
use crate::packages::Owner;
use crate::quoted::{self, Quoted};
use gopsy_model::{Frame, Headline, Kind, Source};

/// A panic that was raised in another place than where it ended the goroutine.
pub(crate) struct PassedOn<'c> {
    /// Who panicked last.
    pub(crate) by: Option<&'c Frame>,
    /// The stack of the first panic, where the value has it.
    pub(crate) quoted: Option<Quoted>,
}

impl PassedOn<'_> {
    /// Where the first panic was raised, in the code of the program or a library.
    pub(crate) fn raised_at(&self, case: &Case<'_>) -> Option<&Frame> {
        let frames = &self.quoted.as_ref()?.frames;
        path_below_panic(frames, true).iter().find(|frame| case.owner(frame).is_user())
    }
}

/// Whether the panic that ended the program is one that was passed on.
pub(crate) fn find<'c>(case: &'c Case<'_>) -> Option<PassedOn<'c>> {
    let Some(Headline::Panic(panic)) = case.headline else { return None };
    let by = case.path().first();
    // Without a panic in it, a stack may have been collected for any reason.
    let quoted = quoted::stack(&panic.value).filter(|q| path_below_panic(&q.frames, true).len() < q.frames.len());
    if quoted.is_some() {
        return Some(PassedOn { by, quoted });
    }
    let by = by.filter(|by| is_of_runtime(case.kind) && shows_runtime(case) && !can_raise(case, by))?;
    Some(PassedOn { by: Some(by), quoted: None })
}

/// Who panicked last, if that only raises again what it has recovered: `iter.Pull` of what the iterator does, `sync.OnceFunc`, `OnceValue`
/// and `OnceValues` of what their function does (`iter/iter.go`, `sync/oncefunc.go`).
pub(crate) fn raiser_again<'c>(case: &'c Case<'_>) -> Option<&'c Frame> {
    let Some(Headline::Panic(_)) = case.headline else { return None };
    let by = case.path().first().filter(|by| case.owner(by) == Owner::Standard)?;
    let pulls = by.function.value().is_some_and(|name| name.as_str().starts_with("iter.Pull"));
    let once = by.file.value().is_some_and(|file| file.ends_with("sync/oncefunc.go"));
    (pulls || once).then_some(by)
}

/// Panics that only the runtime raises: between `panic` and the code that failed stands a function of it.
fn is_of_runtime(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::NilDereference
            | Kind::OutOfRange
            | Kind::DivideByZero
            | Kind::MakeSize
            | Kind::NilMapWrite
            | Kind::TypeAssertion
            | Kind::ClosedChannel
    )
}

/// Whether the stack has the runtime's own functions: a text has them under `GOTRACEBACK=system` and `crash` only.
fn shows_runtime(case: &Case<'_>) -> bool {
    let handed = |name: &str| matches!(name, "panic" | "runtime.gopanic");
    let whole = case.program.source() == Source::Core || case.frames.names().any(|name| name == "runtime.goexit");
    whole && case.frames.names().any(handed)
}

/// Whether the function may have raised an error of the runtime's by itself. `math/bits` has the runtime's errors by a link
/// (`overflowError`, `divideError` in `math/bits/bits_errors.go`). Who calls `sigpanic` does not know of it.
fn can_raise(case: &Case<'_>, by: &Frame) -> bool {
    let package = by.function.value().and_then(|name| name.package());
    let was_signalled = || {
        // The path is the outer part of the stack, and its first frame the one that panicked.
        let stack = case.frames.stack();
        let raised = stack.len().checked_sub(case.path().len() + 1).and_then(|at| stack.get(at));
        raised
            .and_then(|frame| frame.function.value())
            .is_some_and(|name| !matches!(name.as_str(), "panic" | "runtime.gopanic"))
    };
    matches!(case.owner(by), Owner::Carrier | Owner::Runtime)
        || by.function.value().is_none()
        || package.is_some_and(|package| package == "math/bits" || package.starts_with("internal/runtime/"))
        || was_signalled()
}
