//! Indices, slices, assertions, divisors, sizes.

use super::{draft, place};
use crate::case::Case;
use crate::packages::Owner;
use gopsy_model::{Cause, Confidence, Finding, Kind};

pub(super) fn rules(case: &Case<'_>) -> Vec<Finding> {
    match case.kind {
        Kind::OutOfRange => index(case),
        Kind::TypeAssertion => assertion(case),
        Kind::DivideByZero => divisor(case),
        Kind::MakeSize => size(case),
        _ => Vec::new(),
    }
}

fn at(case: &Case<'_>) -> String {
    case.user_frame().map_or_else(String::new, |f| format!(" in {}", place(f)))
}

fn index(case: &Case<'_>) -> Vec<Finding> {
    let message = case.message();
    // Inside of the collector an index is damage, not a programming error of the user.
    if case.path().first().is_some_and(|f| matches!(case.owner(f), Owner::Runtime | Owner::Carrier))
        && case.user_frame().is_none()
    {
        return Vec::new();
    }
    let what = explain_index(message);
    // The library's own indices fit, unless two goroutines share what it works on. (encoding/binary takes its index
    // from the length that its caller hands in.)
    let library = super::failed_in_library(case)
        && !case.path().iter().any(|f| f.function.value().is_some_and(|n| n.package() == Some("encoding/binary")));
    let mut d = draft(
        "bad-index",
        format!(
            "{}{}",
            what.unwrap_or_else(|| "an index or a bound lay outside of its slice, array or string".to_owned()),
            at(case)
        ),
    )
    .claims(Cause::BadIndex, if library { Confidence::Possible } else { Confidence::Likely })
    .because(case.said());
    if message.contains("[-") || message.contains("[:-") {
        d = d
            .because(case.fact("the bound is negative"))
            .advise("a negative bound is often the -1 of a search that found nothing (strings.Index), or an overflow of a length that was read");
    } else {
        d = d.advise("check the length before indexing; an input shorter than expected is the usual reason");
    }
    if library {
        d = d
            .because(case.fact("the index failed inside the standard library"))
            .advise("when the library's own indices do not fit, suspect that two goroutines use one object (a reader, a buffer, a pool): run with -race");
    }
    vec![d.done()]
}

/// `index out of range [5] with length 3` in words.
pub(super) fn explain_index(message: &str) -> Option<String> {
    let rest = message.strip_prefix("runtime error: ")?;
    let number = |s: &str| s.trim_matches(|c: char| !c.is_ascii_digit() && c != '-').parse::<i128>().ok();
    if let Some(rest) = rest.strip_prefix("index out of range [") {
        let (i, tail) = rest.split_once(']')?;
        let i = number(i)?;
        return match tail.split_once("with length ").and_then(|(_, n)| number(n)) {
            Some(0) => Some(format!("index {i} of something empty")),
            Some(n) => Some(format!("index {i} of something with {n} element{}", if n == 1 { "" } else { "s" })),
            None => Some(format!("index {i}")),
        };
    }
    if let Some(rest) = rest.strip_prefix("slice bounds out of range [") {
        let (bounds, tail) = rest.split_once(']')?;
        return match (tail.split_once("with capacity "), tail.split_once("with length ")) {
            (Some((_, n)), _) => Some(format!("slice bounds [{bounds}] beyond the capacity {}", n.trim())),
            (_, Some((_, n))) => Some(format!("slice bounds [{bounds}] beyond the length {}", n.trim())),
            _ => Some(format!("slice bounds [{bounds}]")),
        };
    }
    let rest = rest.strip_prefix("cannot convert slice with length ")?;
    let (n, m) = rest.split_once(" to array or pointer to array with length ")?;
    Some(format!("a slice of {} elements was converted to an array of {}", n.trim(), m.trim()))
}

fn assertion(case: &Case<'_>) -> Vec<Finding> {
    let message = case.message().strip_prefix("interface conversion: ").unwrap_or(case.message());
    let missing = message
        .split_once("missing method ")
        .map(|(_, m)| m.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(m).to_owned());
    let nil = message.contains(" is nil, not ")
        || message.starts_with("interface is nil")
        || (message.is_empty() && case.has_function(|n| n == "runtime.panicnildottype"));
    let sentence = match &missing {
        Some(method) => {
            format!("a type assertion without the comma-ok form met a type that lacks the method {method}{}", at(case))
        }
        None if nil => format!("a type assertion without the comma-ok form met a nil interface{}", at(case)),
        None if message.is_empty() => {
            format!("a type assertion without the comma-ok form met another type, or a nil interface{}", at(case))
        }
        None => format!("a type assertion without the comma-ok form met another type{}", at(case)),
    };
    let mut d = draft("assertion", sentence)
        .claims(
            Cause::UncheckedAssertion,
            if super::failed_in_library(case) { Confidence::Possible } else { Confidence::Likely },
        )
        .because(case.said())
        .advise("write v, ok := x.(T) and handle the other types");
    if message.contains("types from different") {
        d = d
            .advise("the two types have one name and come from different packages or scopes: compare the import paths");
    }
    vec![d.done()]
}

fn divisor(case: &Case<'_>) -> Vec<Finding> {
    vec![
        draft("zero-divisor", format!("an integer was divided by zero{}", at(case)))
            .claims(Cause::ZeroDivisor, Confidence::Likely)
            .because(case.said())
            .advise("find the divisor on that line: a count of something that can be empty is the usual one")
            .done(),
    ]
}

fn size(case: &Case<'_>) -> Vec<Finding> {
    let message = case.message();
    let said = case.said();
    if message.contains("growslice: ") && super::failed_in_library(case) {
        return vec![
            draft(
                "growslice-in-library",
                format!("append found an impossible slice header inside the standard library{}", at(case)),
            )
            .claims(Cause::MemoryCorruption, Confidence::Possible)
            .because(said)
            .because(case.fact("the append is the library's own: its slice cannot come to such a size by itself"))
            .advise("look for other crashes of the same program: different faces of one death speak for damaged memory")
            .advise("otherwise look for two goroutines that use one object: run with -race")
            .done(),
        ];
    }
    if message.contains("makeslice: ") || message.contains("makechan: ") || message.contains("makemap: ") {
        return vec![
            draft(
                "bad-size",
                format!("make was asked for a size that cannot be: negative, or larger than memory{}", at(case)),
            )
            .claims(Cause::HugeAllocation, Confidence::Possible)
            .because(said)
            .advise("bound the size before make; a length read from input or computed by subtraction is the usual one")
            .done(),
        ];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_numbers_are_told() {
        let e = |s: &str| explain_index(&format!("runtime error: {s}"));
        assert_eq!(e("index out of range [5] with length 3").as_deref(), Some("index 5 of something with 3 elements"));
        assert_eq!(e("index out of range [0] with length 0").as_deref(), Some("index 0 of something empty"));
        assert_eq!(e("index out of range [-1]").as_deref(), Some("index -1"));
        assert_eq!(
            e("slice bounds out of range [:8] with capacity 4").as_deref(),
            Some("slice bounds [:8] beyond the capacity 4")
        );
        assert_eq!(e("index out of range"), None);
    }
}
