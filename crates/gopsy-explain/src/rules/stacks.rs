//! Stacks that ran out, or were run on by the wrong code.

use super::draft;
use crate::case::Case;
use crate::packages::Owner;
use crate::recursion;
use gopsy_model::{Cause, Confidence, Finding, FunctionName, Kind, Source};

pub(super) fn rules(case: &Case<'_>) -> Vec<Finding> {
    match case.kind {
        Kind::StackOverflow | Kind::Dump | Kind::Unknown => overflow(case),
        Kind::StackSplit | Kind::RuntimeFault => overrun(case).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The program's own code on a thread's system stack, which does not grow. That it recurs there is not yet that it recurs without end:
/// the stack is small (16 KiB; 64 of the first thread; or what C gave it).
fn overrun(case: &Case<'_>) -> Option<Finding> {
    const ADVICE: &str = "keep code out of the runtime's hooks and its system stack, or give it a goroutine: that stack has 16 to 64 KiB, \
                          or what C gave the thread";
    let system = case.frames.system.as_ref()?;
    let frames = &system.frames;
    let own = crate::culprit::on_system_stack(case)?;
    let of_user = |at: usize| frames.get(at).is_some_and(|frame| case.owner(frame).is_user());
    let cycle = recursion::cycle(frames).filter(|cycle| cycle.times >= 5 && of_user(cycle.start));
    // A fault of the runtime's there may have any reason.
    if case.kind != Kind::StackSplit && cycle.is_none() {
        return None;
    }
    let count = (0..frames.len()).filter(|at| of_user(*at)).count();
    let stand = if count == 1 {
        "frame of code that is not the runtime's stands"
    } else {
        "frames of code that is not the runtime's stand"
    };
    let at_least = if system.elided.is_empty() { "" } else { "at least " };
    let sentence = format!("{} ran on the system stack of its thread, which does not grow", own.function);
    let mut d = draft("system-stack-overrun", sentence)
        .because(case.said())
        .because(case.fact(format!("{at_least}{count} {stand} on it")))
        .advise(ADVICE);
    if let Some(cycle) = cycle {
        let how = if cycle.period == 1 { "calls itself" } else { "and others call each other" };
        d = d
            .because(case.fact(format!("{} {how} there, at least {} times", own.function, cycle.times)))
            .claims(Cause::UnboundedRecursion, Confidence::Possible);
    }
    Some(d.blames(Some(own)).done())
}

fn overflow(case: &Case<'_>) -> Vec<Finding> {
    let stack = case.frames.stack();
    let cycle = recursion::cycle(stack);
    let elided = case.frames.crashed.as_ref().is_some_and(|(_, _, s)| !s.elided.is_empty());
    if case.kind != Kind::StackOverflow && !(elided && cycle.is_some_and(|c| c.times >= 5)) {
        return Vec::new();
    }
    let said = if case.kind == Kind::StackOverflow {
        case.said()
    } else {
        case.fact("the runtime left out frames of this stack: it was longer than it prints")
    };
    let Some(cycle) = cycle else {
        return vec![
            draft("deep-stack", "the stack grew to its limit; the text shows no function that repeats")
                .claims(Cause::UnboundedRecursion, Confidence::Possible)
                .because(said)
                .advise("look for very large local variables, or get the whole stack from a core")
                .done(),
        ];
    };
    let frames = stack.get(cycle.start..cycle.start + cycle.period).unwrap_or(&[]);
    let mut names: Vec<String> =
        frames.iter().filter_map(|f| f.function.value().map(|n| n.as_str().to_owned())).collect();
    names.dedup();
    let shown = names.iter().take(4).cloned().collect::<Vec<_>>().join(" → ");
    // Encoders and printers recurse over data: the data is what has no end.
    let library = frames.iter().all(|f| matches!(case.owner(f), Owner::Standard | Owner::Generated | Owner::Runtime));
    let walks_data = library
        && frames.iter().any(|f| {
            f.function.value().is_some_and(|n| {
                ["encoding/json", "encoding/gob", "encoding/xml", "reflect", "fmt"].contains(&n.package().unwrap_or(""))
            })
        });
    let same_arguments = repeated_arguments(stack, cycle);
    let sentence = if names.len() == 1 {
        format!("{shown} calls itself without end")
    } else {
        format!("{shown} call each other without end")
    };
    let mut d = draft("recursion", sentence).because(said).because(case.fact(how_often(case, cycle, &names)));
    if walks_data {
        return vec![
            draft("cyclic-data", format!("the standard library walked data without end: {shown}"))
                .claims(Cause::CyclicData, Confidence::Possible)
                .because(case.fact("only functions of the library repeat: they recurse over the data they are given"))
                .because_all(same_arguments.map(|n| case.fact(format!("the same arguments come back every {n} frames: the data is a circle"))))
                .advise("look for a value that refers back to itself (parent pointers); leave it out of the encoding (json:\"-\")")
                .done(),
            d.claims(Cause::UnboundedRecursion, Confidence::Possible).done(),
        ];
    }
    if let Some(n) = same_arguments {
        d = d.because(
            case.fact(format!("the same arguments come back every {n} frames: nothing changes from call to call")),
        );
    }
    // The runtime does not recurse over what a program does: then its own stack is broken.
    let runtime = frames.iter().all(|f| matches!(case.owner(f), Owner::Runtime | Owner::Carrier));
    vec![
        d.claims(Cause::UnboundedRecursion, if runtime { Confidence::Possible } else { Confidence::Likely })
            .blames(crate::culprit::repeating(case))
            .advise("find the condition that should end the recursion; data that refers to itself has the same face")
            .done(),
    ]
}

/// How often they stand on the stack: on the whole of it where it is known whose frames are not shown, else in what is.
fn how_often(case: &Case<'_>, cycle: recursion::Cycle, names: &[String]) -> String {
    let is_it = |name: &FunctionName| names.iter().any(|known| known == name.as_str());
    let (count, of_them) = match names {
        [name] => (1, name.clone()),
        several => (several.len(), format!("these {} functions", several.len())),
    };
    let repeats = if count == 1 { "function repeats" } else { "functions repeat" };
    let shown = || format!("{count} {repeats} {} times in the printed part of the stack", cycle.times);
    if case.program.source() == Source::Text {
        return shown();
    }
    let Some((_, _, stack)) = &case.frames.crashed else { return shown() };
    let all_known = stack.elided.iter().all(gopsy_model::Elision::is_whole);
    let kept = stack.frames.iter().filter(|frame| frame.function.value().is_some_and(is_it)).count();
    let others = stack.elided.iter().flat_map(|gap| &gap.functions).filter(|(name, _)| is_it(name)).map(|(_, n)| *n);
    let total = u64::try_from(kept).unwrap_or(u64::MAX).saturating_add(others.fold(0, u64::saturating_add));
    format!("the stack has {}{total} frames of {of_them}", if all_known { "" } else { "at least " })
}

/// After how many frames the same exact arguments stand in the same function again.
fn repeated_arguments(stack: &[gopsy_model::Frame], cycle: recursion::Cycle) -> Option<usize> {
    let words = |i: usize| {
        stack
            .get(i)
            .and_then(|f| f.args.value())
            .map(gopsy_model::Args::words)
            .filter(|w| !w.is_empty() && w.iter().all(|w| w.is_some_and(|(_, stale)| !stale)))
    };
    let first = words(cycle.start)?;
    (1..=4).map(|n| n * cycle.period).find(|n| words(cycle.start + n).as_ref() == Some(&first))
}
