//! Annotations for a GitHub workflow.
//!
//! The runner reads commands from standard output, line by line. The lines made here are commands; everything else that
//! is printed in that mode must go through [`crate::escape::github_guard`], or a panic value could give commands.

use crate::case::Case;
use crate::escape::{github_message, github_property};
use crate::markdown;
use crate::names::{place, short_function};
use gopsy_model::{Cause, Confidence, FunctionName, Kind};

/// GitHub shows ten annotations of a kind for a step; more are dropped without a word.
const MAX_ANNOTATIONS: usize = 10;

/// The annotations: one for the culprit, one for each failed test.
///
/// `relative` turns a file of the target into a path relative to the repository; without one an annotation hangs at no
/// line, and says in its text where it belongs. Every string is one whole line without its line break.
#[must_use]
pub fn annotations(case: &Case<'_>, relative: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let verdict = case.verdict;
    let mut out = Vec::new();
    let mut message = verdict.summary.trim().to_owned();
    if !matches!(verdict.cause, Cause::Unknown) && verdict.confidence != Confidence::Unknown {
        message.push_str(&format!("\ncause: {}, {}", verdict.cause, verdict.confidence.as_str()));
    }
    if let Some(advice) = verdict.advice.first() {
        message.push_str(&format!("\nnext: {}", advice.0));
    }
    let first = verdict.headline.lines().next().unwrap_or("").trim();
    let title = if first.is_empty() { verdict.kind.meaning() } else { first };
    let level = if verdict.kind == Kind::Dump { "notice" } else { "error" };
    let at = verdict.culprit.as_ref().and_then(|culprit| {
        let file = culprit.file.as_deref()?;
        Some((relative(file), file, culprit.line))
    });
    match at {
        Some((Some(file), _, line)) => out.push(command(level, Some((&file, line)), title, &message)),
        Some((None, file, line)) => {
            let function = verdict.culprit.as_ref().map(|c| short_function(&FunctionName(c.function.clone())));
            message.push_str(&format!("\nat {} {}", function.unwrap_or_default(), place(file, line)));
            out.push(command(level, None, title, &message));
        }
        None => out.push(command(level, None, title, &message)),
    }
    let test = &case.program.crash().test;
    let package = test.package.as_ref().map_or_else(String::new, |p| format!(" in {p}"));
    for name in &test.failed {
        out.push(command("error", None, &format!("{name} failed"), &format!("{name} failed{package}")));
    }
    for running in &test.running {
        let elapsed = running.elapsed.value().map_or_else(String::new, |e| format!(" for {e}"));
        let message = format!("{} was running{elapsed} when the test binary died{package}", running.name);
        out.push(command("error", None, &format!("{} was running", running.name), &message));
    }
    if out.len() > MAX_ANNOTATIONS {
        let more = out.len() - MAX_ANNOTATIONS + 1;
        out.truncate(MAX_ANNOTATIONS - 1);
        out.push(command("error", None, "more", &format!("{more} more annotations are in the log")));
    }
    out
}

/// The job summary, to be appended to the file that `GITHUB_STEP_SUMMARY` names.
#[must_use]
pub fn summary(case: &Case<'_>) -> String {
    markdown::explain(case)
}

fn command(level: &str, at: Option<(&str, Option<i64>)>, title: &str, message: &str) -> String {
    let mut properties = Vec::new();
    if let Some((file, line)) = at {
        properties.push(format!("file={}", github_property(file)));
        if let Some(line) = line.filter(|l| *l > 0) {
            properties.push(format!("line={line}"));
        }
    }
    // Longer titles are cut by the page in the middle of a word.
    let title: String = title.chars().take(200).collect();
    properties.push(format!("title={}", github_property(&title)));
    format!("::{level} {}::{}", properties.join(","), github_message(message))
}
