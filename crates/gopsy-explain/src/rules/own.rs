//! What remains: the program's own check stopped it.

use super::{draft, place};
use crate::case::Case;
use gopsy_model::{Cause, Confidence, Evidence, Finding, Headline, HeldValue, Kind, Known};

pub(super) fn rules(case: &Case<'_>) -> Vec<Finding> {
    let mut out = secondary(case);
    if case.kind != Kind::CustomPanic {
        return out;
    }
    let message = case.message();
    let by_go_code = case.frames.crashed.is_some() && !case.path().is_empty();
    // `panic(nil)`, since Go 1.21 (`PanicNilError` in `runtime/panic.go`).
    let nil = message.strip_prefix("runtime error: ").unwrap_or(message).starts_with("panic called with nil argument");
    let by_runtime = (message.starts_with("runtime error: ") && !nil)
        || message.starts_with("value method ")
        || (message.is_empty() && case.has_function(|n| n == "runtime.panicwrap"));
    if !by_go_code || by_runtime {
        return out;
    }
    let lower = message.to_lowercase();
    let words = [
        "assert",
        "bug",
        "unreachable",
        "impossible",
        "invariant",
        "should not",
        "should never",
        "must ",
        "unexpected",
        "not implemented",
        "expected ",
        "invalid ",
        "unknown ",
        "unsupported",
        "internal error",
        "detected ",
    ];
    let speaks = words.iter().any(|w| lower.contains(w));
    let at = case.user_frame().map_or_else(String::new, |f| format!(" in {}", place(f)));
    let logger = case
        .path()
        .iter()
        .find(|f| case.owner(f) == crate::packages::Owner::Messenger)
        .and_then(|f| f.function.value());
    let again = crate::passed_on::raiser_again(case);
    let (what, called) = match case.headline {
        Some(_) if let Some(by) = again => (
            format!(
                "the program stopped itself in a function that {} had called, which raised the panic again: {}",
                place(by),
                short(message)
            ),
            case.fact(format!("Go code called panic with this value: {}", short(message))),
        ),
        Some(_) if nil => (
            format!("the program stopped itself{at} by panic(nil), or by panic with a value that was nil"),
            case.fact("Go code called panic with nil"),
        ),
        Some(_) => (
            format!("the program stopped itself{at}: {}", short(message)),
            case.fact(format!("Go code called panic with this value: {}", short(message))),
        ),
        None => (
            format!("the program stopped itself{at}, with a value that is not known"),
            case.inferred("the frames show that Go code called panic"),
        ),
    };
    let mut d = draft("own-panic", what)
        .claims(Cause::ProgramCheck, if speaks || logger.is_some() { Confidence::Likely } else { Confidence::Possible })
        .because(called);
    if let Some(logger) = logger {
        d = d.because(case.fact(format!("{} panics on behalf of its caller", logger.as_str())));
    }
    if let Some(Headline::Panic(p)) = case.headline {
        match &p.held {
            Known::Have { value, trust, source } if tells_more(value) => {
                let named = value.text.trim_start_matches('&').starts_with(value.type_name.trim_start_matches('*'));
                let of = if named { String::new() } else { format!(", of type {}", value.type_name) };
                let fact = format!("the value is {}{of}", value.text);
                d = d.because(Evidence { fact, source: *source, trust: *trust });
            }
            Known::Have { .. } => {}
            Known::Missing(_) if p.value.starts_with('(') && p.value.contains(") 0x") => {
                d = d.advise("the text shows only the address of the value: a core has the value itself");
            }
            Known::Missing(_) => {}
        }
    }
    out.push(d.advise("read the condition that leads to the panic, and who calls it with what").done());
    out
}

/// Of a value of a type that the language has, the line says it all.
fn tells_more(held: &HeldValue) -> bool {
    held.type_name.contains(['.', '*', '[', '{'])
}

fn short(message: &str) -> String {
    let first = message.lines().next().unwrap_or("").trim();
    if first.is_empty() {
        return "(an empty value)".to_owned();
    }
    let cut: String = first.chars().take(160).collect();
    if cut.len() < first.len() || message.lines().nth(1).is_some() { format!("{cut} …") } else { cut }
}

/// A panic while another panic was on its way out: what is visible may hide what came first.
fn secondary(case: &Case<'_>) -> Vec<Finding> {
    let panics: Vec<&gopsy_model::PanicLine> = case
        .crash()
        .headlines
        .iter()
        .filter_map(|h| match h {
            Headline::Panic(p) => Some(p),
            _ => None,
        })
        .collect();
    let [first, .., last] = panics.as_slice() else { return Vec::new() };
    if first.value == last.value {
        return Vec::new();
    }
    let how = if first.recovered { "was recovered, and then" } else { "was on its way out when" };
    vec![
        draft(
            "panic-after-panic",
            format!("a first panic ({}) {how} a second one followed ({})", short(&first.value), short(&last.value)),
        )
        .because(case.fact("the text shows the chain of panics, the first one first"))
        .advise("mend the first panic; the second came from code that ran because of it (a defer, a recover)")
        .done(),
    ]
}
