//! A panic of the runtime's that was raised in another place than where it ended the goroutine.

use super::{draft, place};
use crate::case::Case;
use crate::passed_on::find;
use gopsy_model::{Cause, Confidence, Evidence, Finding, Headline, Kind, Known};

/// What a kind of panic is about, and what it says of the code that it was raised in.
fn failure(kind: Kind, message: &str) -> Option<(Cause, &'static str)> {
    Some(match kind {
        Kind::NilDereference => (Cause::NilPointer, "a nil pointer was followed"),
        Kind::OutOfRange => (Cause::BadIndex, "an index or a bound lay outside of its slice, array or string"),
        Kind::DivideByZero => (Cause::ZeroDivisor, "an integer was divided by zero"),
        Kind::MakeSize => (Cause::HugeAllocation, "make was asked for a size that cannot be"),
        Kind::NilMapWrite => (Cause::NilMap, "something was assigned into a map that was never made"),
        Kind::TypeAssertion => {
            (Cause::UncheckedAssertion, "a type assertion without the comma-ok form met another type")
        }
        Kind::ClosedChannel if message.starts_with("send on ") => {
            (Cause::SendAfterClose, "a value was sent on a channel that had been closed")
        }
        Kind::ClosedChannel if message.starts_with("close of closed ") => {
            (Cause::DoubleClose, "a channel was closed a second time")
        }
        Kind::ClosedChannel => (Cause::NilChannel, "a channel that was never made was closed"),
        _ => return None,
    })
}

/// The finding, if the panic was passed on and is the runtime's own.
pub(super) fn rule(case: &Case<'_>) -> Option<Finding> {
    let message = case.message();
    let (cause, what) = failure(case.kind, message)?;
    let what = super::bounds::explain_index(message.lines().next().unwrap_or("")).unwrap_or_else(|| what.to_owned());
    let passed = find(case)?;
    let by = passed.by.map_or_else(|| "who panicked last".to_owned(), place);
    let said = case.said();
    let d = match (passed.raised_at(case), value(case)) {
        (Some(raised), _) => {
            let goroutine = passed.quoted.as_ref().and_then(|quoted| quoted.goroutine);
            let of = goroutine.map_or_else(String::new, |id| format!(" of goroutine {id}"));
            let raised = place(raised);
            draft("passed-on", format!("{what} in {raised}; {by} only passed the panic on"))
                .claims(cause, Confidence::Likely)
                .because(said)
                .because(case.fact(format!("the value of the panic has the stack{of} that raised it")))
                .advise(format!("open {raised}: it failed there, not where the program ended"))
        }
        (None, Value::OfRuntime) => draft(
            "passed-on",
            format!("{what}, but not in {by}: that raised again a panic that was recovered elsewhere"),
        )
        .claims(cause, Confidence::Likely)
        .because(said)
        .because(by_itself(case, &by)),
        (None, Value::Other(of)) => {
            let sentence = format!(
                "{by} called panic itself, with the words of an error of the runtime: it passes on what was recovered elsewhere, or the words are its own"
            );
            let d = draft("passed-on", sentence).claims(cause, Confidence::Possible).because(said);
            d.because(by_itself(case, &by)).because_all(of.map(|of| case.fact(format!("the value is of type {of}"))))
        }
    };
    if passed.quoted.is_some() {
        return Some(d.done());
    }
    let lost = "the stack of the first panic was lost when it was recovered: keep debug.Stack() there, in a log or in the value that is raised again";
    Some(d.advise(lost).advise("look at what runs under that recover: the failing code is called from there").done())
}

fn by_itself(case: &Case<'_>, by: &str) -> Evidence {
    case.fact(format!(
        "{by} called panic itself: between it and the panic stands no function of the runtime that raises such an error"
    ))
}

/// What was given to panic.
enum Value<'c> {
    /// An error of the runtime's.
    OfRuntime,
    /// Something else with its words, or nothing tells.
    Other(Option<&'c str>),
}

fn value<'c>(case: &Case<'c>) -> Value<'c> {
    let Some(Headline::Panic(panic)) = case.headline else { return Value::Other(None) };
    match &panic.held {
        Known::Have { value, .. } if value.type_name.trim_start_matches('*').starts_with("runtime.") => {
            Value::OfRuntime
        }
        Known::Have { value, .. } => Value::Other(Some(&value.type_name)),
        Known::Missing(_) => Value::Other(None),
    }
}
