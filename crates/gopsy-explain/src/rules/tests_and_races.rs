//! Race reports, and tests that say more than their panic.

use super::{draft, place};
use crate::case::{Case, names};
use gopsy_model::{AccessKind, Cause, Confidence, Finding, Kind};

pub(super) fn rules(case: &Case<'_>) -> Vec<Finding> {
    match case.kind {
        Kind::RaceReport => race(case),
        Kind::CustomPanic => after_test(case),
        _ => Vec::new(),
    }
}

fn race(case: &Case<'_>) -> Vec<Finding> {
    let reports = &case.crash().races;
    let Some(report) = reports.first() else { return Vec::new() };
    let mut d = draft("data-race", {
        let sides: Vec<String> = report
            .accesses
            .iter()
            .take(2)
            .map(|a| {
                let how = if a.kind == AccessKind::Write { "writes" } else { "reads" };
                let frame = a.stack.frames.iter().find(|f| case.owner(f).is_user()).or_else(|| a.stack.frames.first());
                let who = a.goroutine.value().map_or_else(|| "one goroutine".to_owned(), |g| format!("goroutine {g}"));
                format!("{who} {how} in {}", frame.map_or_else(|| "code whose stack was lost".to_owned(), place))
            })
            .collect();
        format!("two goroutines use the same memory without synchronisation: {}", sides.join(", "))
    })
    .claims(Cause::DataRace, Confidence::Likely)
    .because(case.fact("the race detector printed a report with both stacks"));
    let on_map = report.accesses.iter().any(|a| {
        names(&a.stack.frames)
            .next()
            .is_some_and(|n| n.starts_with("runtime.map") || n.starts_with("internal/runtime/maps."))
    });
    if on_map {
        d = d.because(case.fact("the memory is a map")).advise("hold one mutex around every access of that map");
    }
    if let Some(a) = report.accesses.first().and_then(|a| a.address.value()) {
        d = d.because(case.fact(format!("the address is {a:#x}")));
    }
    if reports.len() > 1 {
        let first = report.accesses.first().and_then(|a| a.address.value());
        let same = reports.iter().filter(|r| r.accesses.first().and_then(|a| a.address.value()) == first).count();
        d = d.because(case.fact(format!(
            "{} reports stand in the text{}",
            reports.len(),
            if same > 1 { format!(", {same} of them about the same address") } else { String::new() }
        )));
    }
    vec![
        d.advise("guard it with one mutex, hand it over through a channel, or make it atomic; both sides need it")
            .done(),
    ]
}

/// `Log in goroutine after TestX has completed`: a goroutine outlived its test.
fn after_test(case: &Case<'_>) -> Vec<Finding> {
    let message = case.message();
    let after = ["Log in goroutine after ", "Fail in goroutine after "].iter().find_map(|p| message.strip_prefix(p));
    let Some(rest) = after else { return Vec::new() };
    let Some((test, _)) = rest.split_once(" has completed") else { return Vec::new() };
    let creator =
        case.frames.crashed.as_ref().and_then(|(_, g, _)| g.created_by.value()).map(|c| c.function.as_str().to_owned());
    vec![
        draft(
            "log-after-test",
            format!(
                "a goroutine was still running, and used its testing.T, after {test} had ended{}",
                creator.as_ref().map_or_else(String::new, |c| format!("; {c} started it"))
            ),
        )
        .claims(Cause::LeakedGoroutines, Confidence::Likely)
        .because(case.fact(format!("testing says: {}", case.headline_text())))
        .advise("stop what the test started (Close, cancel, wait) before it returns: t.Cleanup")
        .done(),
    ]
}
