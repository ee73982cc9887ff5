//! A verdict for an issue, a chat or a job summary.

use crate::case::{AroundGoroutine, Case, besides, evidence, provenance, state, title};
use crate::escape::{markdown, markdown_cell, markdown_code, markdown_fence};
use crate::names::{place, plural, short_function};
use gopsy_model::{Arg, Args, Cause, Confidence, Frame, FunctionName, KnownIssue};
use std::fmt::Write as _;

/// Frames of a stack, which a reader of an issue unfolds.
const MAX_FRAMES: usize = 60;
/// Lines of a headline outside the fold.
const MAX_HEADLINE: usize = 12;

/// The verdict as GitHub-flavoured Markdown: headline, a table of where and why, the stack in a fence, what remains
/// folded away.
#[must_use]
pub fn explain(case: &Case<'_>) -> String {
    let mut out = String::new();
    let verdict = case.verdict;
    for alarm in case.program.alarms() {
        line(&mut out, &format!("**{}**", markdown(&alarm)));
    }
    let headline = verdict.headline.trim();
    match headline.lines().count() {
        0 => line(&mut out, &format!("### {}", markdown(verdict.kind.meaning()))),
        1 => line(&mut out, &format!("### {}", markdown_code(headline))),
        lines => {
            let mut text = headline.lines().take(MAX_HEADLINE).collect::<Vec<_>>().join("\n");
            if lines > MAX_HEADLINE {
                text.push_str(&format!("\n… {}", plural((lines - MAX_HEADLINE) as u64, "more line")));
            }
            line(&mut out, markdown_fence(&text, "text").trim_end());
        }
    }
    for paragraph in verdict.summary.lines().filter(|l| !l.trim().is_empty()) {
        line(&mut out, &markdown(paragraph.trim()));
    }
    table(&mut out, case);
    stack(&mut out, case);
    if !verdict.advice.is_empty() {
        out.push_str("**Next**\n");
        for advice in &verdict.advice {
            let _ = writeln!(out, "- {}", markdown(&advice.0));
        }
        out.push('\n');
    }
    details(&mut out, case);
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push_str("\n\n");
}

fn table(out: &mut String, case: &Case<'_>) {
    let verdict = case.verdict;
    let _ = writeln!(out, "| | |\n|---|---|");
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(out, "| **{name}** | {value} |");
    };
    if let Some(culprit) = &verdict.culprit {
        let mut at = markdown_cell(&short_function(&FunctionName(culprit.function.clone())));
        if let Some(file) = &culprit.file {
            at.push(' ');
            at.push_str(&markdown_cell(&place(file, culprit.line)));
        }
        if let Some(goroutine) = culprit.goroutine {
            let _ = write!(at, ", goroutine {goroutine}");
        }
        row("at", &at);
    }
    row("kind", &markdown_cell(verdict.kind.as_str()));
    let cause = match (verdict.cause, verdict.confidence) {
        (Cause::Unknown, _) | (_, Confidence::Unknown) => {
            format!("unknown: the {} does not show why", case.program.source().as_str())
        }
        (cause, confidence) => format!("{}, {}", markdown_cell(cause.as_str()), confidence.as_str()),
    };
    row("cause", &cause);
    let identity = case.identity();
    if !identity.is_empty() {
        row("program", &markdown_cell(&identity));
    }
    out.push('\n');
}

fn stack(out: &mut String, case: &Case<'_>) {
    if let Some(source) = case.source {
        let digits = source.lines.last().map_or(1, |(number, _)| number.to_string().len());
        let mut text = String::new();
        for (number, line) in &source.lines {
            let mark = if *number == source.line { '>' } else { ' ' };
            let _ = writeln!(text, "{mark} {number:>digits$}  {line}");
        }
        line(out, markdown_fence(&text, "go").trim_end());
    }
    let Some(id) = case.stack_to_show() else { return };
    let goroutine = case.program.goroutine(id);
    let stack = case.program.stack(id);
    if stack.frames.is_empty() {
        return;
    }
    let mut text = title(&goroutine);
    if let Some(state) = state(&goroutine) {
        let _ = write!(text, " [{state}]");
    }
    text.push_str(":\n");
    let AroundGoroutine { native, system, callers } = AroundGoroutine::of(case);
    for stack in [native, system, Some(stack), callers].iter().flatten() {
        push_frames(&mut text, &stack.frames);
    }
    if let Some(creation) = goroutine.created_by.value() {
        let _ = writeln!(text, "created by {}", creation.function.as_str());
        if let Some(file) = creation.file.value() {
            let _ = writeln!(text, "\t{}", place(file, creation.line.value().copied()));
        }
    }
    line(out, markdown_fence(&text, "text").trim_end());
}

/// Long stacks are those of recursions: both ends tell, as in the runtime's own form.
fn push_frames(text: &mut String, frames: &[Frame]) {
    let left_out = frames.len().saturating_sub(MAX_FRAMES);
    let (head, rest) = frames.split_at(if left_out > 0 { MAX_FRAMES * 2 / 3 } else { frames.len() });
    head.iter().for_each(|frame| push_frame(text, frame));
    if left_out > 0 {
        let _ = writeln!(text, "... {} left out", plural(left_out as u64, "frame"));
    }
    rest.iter().skip(left_out).for_each(|frame| push_frame(text, frame));
}

/// A frame as the runtime prints it: that is what search engines and other people know.
fn push_frame(text: &mut String, frame: &Frame) {
    let name = frame.function.value().map_or("?", |f| f.as_str());
    let args = frame.args.value().map_or_else(|| "...".to_owned(), arguments);
    let _ =
        writeln!(text, "{name}({args}){}", if frame.is_scanned() { "  (found by a search of the stack)" } else { "" });
    match (frame.file.value(), frame.module.value()) {
        (Some(file), _) => {
            let _ = writeln!(text, "\t{}", place(file, frame.line.value().copied()));
        }
        (None, Some(module)) => {
            let _ = writeln!(text, "\t{module}");
        }
        (None, None) => {}
    }
}

fn arguments(args: &Args) -> String {
    fn list(args: &[Arg], depth: usize) -> String {
        let one = |arg: &Arg| match arg {
            Arg::Word { value, stale } => format!("{value:#x}{}", if *stale { "?" } else { "" }),
            Arg::Group(inner) if depth < 5 => format!("{{{}}}", list(inner, depth + 1)),
            Arg::Group(_) | Arg::More => "...".to_owned(),
            Arg::Unreachable => "_".to_owned(),
        };
        args.iter().map(one).collect::<Vec<_>>().join(", ")
    }
    list(&args.list, 0)
}

fn details(out: &mut String, case: &Case<'_>) {
    let verdict = case.verdict;
    let mut inner = String::new();
    let facts = evidence(verdict);
    section(&mut inner, "Evidence", facts.iter().map(|f| format!("{} ({})", markdown(&f.fact), provenance(f))));
    let besides = besides(verdict);
    section(&mut inner, "Besides", besides.iter().map(|f| markdown(&f.sentence)));
    section(&mut inner, "Known issues", verdict.known_issues.iter().map(known));
    section(&mut inner, "Not seen", verdict.unseen.iter().map(|u| markdown(u)));
    section(&mut inner, "Notes", case.notes.iter().map(|n| markdown(n)));
    section(&mut inner, "Also said", verdict.also.iter().map(|a| markdown_code(&a.headline)));
    if !inner.is_empty() {
        let _ = write!(out, "<details><summary>How gopsy knows, and what it does not</summary>\n\n{inner}</details>\n");
    }
}

fn section(out: &mut String, name: &str, items: impl Iterator<Item = String>) {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return;
    }
    let _ = writeln!(out, "**{name}**");
    for item in items {
        let _ = writeln!(out, "- {item}");
    }
    out.push('\n');
}

fn known(issue: &KnownIssue) -> String {
    // The number is in a code span, so that a report does not write into somebody else's issue.
    let mut text = format!("{} {}", markdown_code(&issue.id), markdown(&issue.title));
    if !issue.why.is_empty() {
        let _ = write!(text, ": {}", markdown(&issue.why));
    }
    if let Some(release) = &issue.fixed_in {
        let _ = write!(text, " (fixed in {})", markdown(release));
    }
    text
}
