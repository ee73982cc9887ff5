//! From findings to a verdict.

use crate::case::{Case, headline_text};
use crate::culprit;
use gopsy_model::{
    Advice, Also, Cause, Claim, Confidence, Culprit, Finding, Headline, Kind, KnownIssue, Role, Source, Verdict,
};

/// Ranks the findings and says what follows.
pub(crate) fn judge(case: &Case<'_>, mut findings: Vec<Finding>) -> Verdict {
    // Stable: equally sure claims keep the order of their rules, the more special first.
    findings.sort_by_key(|f| std::cmp::Reverse(f.claim.map(confidence)));
    // A known bug that only might fit is named beside the verdict; it does not become the cause.
    let decides = |f: &&Finding| {
        f.claim.is_some_and(|c| {
            c.confidence > Confidence::Possible || c.confidence == Confidence::Possible && f.known_issue.is_none()
        })
    };
    let best = findings.iter().find(decides).cloned();
    let (cause, sure) =
        best.as_ref().and_then(|f| f.claim).map_or((Cause::Unknown, Confidence::Unknown), |c| (c.cause, c.confidence));
    let culprit = choose_culprit(case, best.as_ref());
    let known_issues: Vec<KnownIssue> = findings.iter().filter_map(|f| f.known_issue.clone()).collect();
    let summary = summary(case, best.as_ref(), &findings, culprit.as_ref());
    let mut advice: Vec<Advice> = best.iter().flat_map(|f| f.advice.clone()).collect();
    for f in findings.iter().filter(|f| f.claim.is_none() || f.known_issue.is_some()) {
        advice.extend(f.advice.iter().take(1).cloned());
    }
    dedup(&mut advice);
    advice.truncate(5);
    Verdict {
        kind: case.kind,
        cause,
        confidence: sure,
        headline: headline(case),
        summary,
        culprit,
        also: also(case),
        advice,
        known_issues,
        unseen: unseen(case),
        findings,
    }
}

fn confidence(claim: Claim) -> Confidence {
    claim.confidence
}

fn dedup(advice: &mut Vec<Advice>) {
    let mut seen = Vec::new();
    advice.retain(|a| {
        let new = !seen.contains(&a.0);
        seen.push(a.0.clone());
        new
    });
}

fn choose_culprit(case: &Case<'_>, best: Option<&Finding>) -> Option<Culprit> {
    // In a dump of many goroutines of which none is found to be in trouble, no frame deserves to be opened first.
    let healthy =
        matches!(case.kind, Kind::Dump | Kind::Signalled) && best.is_none() && case.program.crashed().is_none();
    if healthy && case.program.stacks().len() > 1 {
        return None;
    }
    best.and_then(|f| f.culprit.clone()).or_else(|| culprit::find(case))
}

/// The line that explains the death, as printed; for a dump, what it is.
fn headline(case: &Case<'_>) -> String {
    let text = case.headline_text();
    if !text.is_empty() {
        return text;
    }
    let goroutines: u64 = case
        .program
        .stacks()
        .map(|id| case.program.goroutine(id))
        .filter(|g| g.role == Role::Goroutine)
        .map(|g| g.copies)
        .sum();
    match case.kind {
        Kind::Dump if goroutines == 0 => "a stack without a header, without a word of why".to_owned(),
        Kind::Dump if goroutines == 1 => "the stack of one goroutine, without a word of why".to_owned(),
        Kind::Dump => format!("a dump of {goroutines} goroutines"),
        Kind::Unknown if case.has_function(|n| matches!(n, "runtime.throw" | "runtime.fatal")) => {
            "a fatal error of the runtime with words that are not known".to_owned()
        }
        Kind::Unknown => "no headline".to_owned(),
        Kind::CustomPanic => "a panic with a value that is not known".to_owned(),
        kind => format!("no headline; the frames show: {}", kind.meaning()),
    }
}

fn summary(case: &Case<'_>, best: Option<&Finding>, findings: &[Finding], culprit: Option<&Culprit>) -> String {
    if let Some(best) = best {
        return sentence(&best.sentence);
    }
    if let Some(f) = findings.first() {
        return sentence(&f.sentence);
    }
    let shown = case.program.source().as_str();
    let at = culprit.map_or_else(String::new, |c| format!(" The frame to open first is {}.", c.function));
    match case.kind {
        Kind::Dump if case.bare_signal().is_some() => {
            format!("The signal stopped the program; what the runtime would have said of it is not there.{at}")
        }
        Kind::Dump => {
            format!("The {shown} shows what goroutines were doing; nothing in it says that one of them failed.{at}")
        }
        Kind::Signalled => {
            format!(
                "Somebody sent the signal: the program did nothing wrong by itself as far as the {shown} shows.{at}"
            )
        }
        _ => format!("The {shown} does not show why.{at}"),
    }
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    // A name keeps its case.
    let named = text.split(' ').next().is_some_and(|w| w.contains('.') || w.contains('/') || w.contains('('));
    let body = if named { text.to_owned() } else { format!("{first}{}", chars.as_str()) };
    if body.ends_with(['.', '!', '?', '…']) { body } else { format!("{body}.") }
}

fn also(case: &Case<'_>) -> Vec<Also> {
    let crash = case.crash();
    let mut out: Vec<Also> = Vec::new();
    for h in &crash.headlines {
        if case.headline.is_some_and(|chosen| std::ptr::eq(chosen, h)) || matches!(h, Headline::Race(i) if *i > 0) {
            continue;
        }
        let headline = headline_text(Some(h), crash);
        let kind = crate::kind::of_headline(h, &case.frames).unwrap_or(Kind::Unknown);
        if !out.iter().any(|a| a.headline == headline) && out.len() < 10 {
            out.push(Also { kind, headline, line: 0 });
        }
    }
    out
}

/// What another death of the same text is, in a line.
pub(crate) fn in_a_line(case: &Case<'_>) -> Also {
    Also { kind: case.kind, headline: headline(case), line: case.crash().line }
}

/// What was missing, and how to get it next time.
fn unseen(case: &Case<'_>) -> Vec<String> {
    let mut out = Vec::new();
    let numbered =
        case.program.stacks().filter(|id| case.program.goroutine(*id).role == Role::Goroutine).take(2).count();
    let panic = matches!(case.headline, Some(Headline::Panic(_) | Headline::ServedPanic { .. }));
    let since_126 =
        case.program.identity().go_version.value().and_then(|v| crate::rules_minor(v)).is_some_and(|m| m >= 26);
    let one_of_many = numbered == 1 && (panic || since_126) && case.goroutine_id() != Some(1);
    if one_of_many {
        out.push("only the goroutine that failed was printed: run with GOTRACEBACK=all to see the others".to_owned());
    }
    if case.program.crashed().is_some() && case.frames.stack().is_empty() {
        out.push("the frames of the goroutine that failed were not printed".to_owned());
    }
    let cgo = case.has_function(|n| n == "runtime.cgocall" || n.contains("._Cfunc_"));
    let in_c = matches!(case.kind, Kind::NativeFault | Kind::NativeAbort | Kind::RuntimeFault);
    if cgo && in_c && !case.frames.has_native() {
        out.push(match case.program.source() {
            Source::Core => "the frames of the C code: they were not found in the core".to_owned(),
            _ => "the frames of the C code: a core has them (ulimit -c unlimited, GOTRACEBACK=crash)".to_owned(),
        });
    }
    if let Some((_, _, stack)) = &case.frames.crashed
        && !stack.elided.is_empty()
        && case.kind != Kind::StackOverflow
    {
        out.push("frames were left out of the stack that failed".to_owned());
    }
    out
}
