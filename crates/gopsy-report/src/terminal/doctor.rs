//! `gopsy doctor`.

use super::canvas::{Canvas, Ink, Line, View};
use crate::doctor::{Check, Checkup, Group, Judgement};

/// Where what was found begins.
const FOUND: usize = 20;
/// Where reasons and commands begin.
const BELOW: usize = 6;

/// The page of a checkup. With `whole`, what is ready is told as fully as what is not.
#[must_use]
pub fn doctor(checkup: &Checkup, whole: bool, view: &View) -> String {
    let mut canvas = Canvas::new(view);
    let kernel = checkup.kernel.as_deref().map(|k| format!(" · kernel {k}")).unwrap_or_default();
    canvas.sides(
        &Line::of(Ink::Bold, "Will the next crash leave enough behind?"),
        &Line::new().dim(&format!("{}{kernel}", checkup.system)),
    );
    let mut about = format!("this shell · {}", checkup.account);
    for sign in &checkup.surroundings {
        about.push_str(" · ");
        about.push_str(sign);
    }
    canvas.wrap(2, 2, &Line::new().dim(&about));
    canvas.wrap(2, 2, &Line::new().dim("A service has its own environment and limits: see docs/post-mortem.md."));
    let mut given: Vec<&str> = Vec::new();
    for group in &checkup.groups {
        canvas.gap();
        let head = Line::of(Ink::Bold, group.title);
        let word = match group.judgement() {
            Some(judgement) => Line::of(ink(judgement), judgement.as_str()),
            None => Line::new().dim("for information"),
        };
        canvas.sides(&head, &word);
        self::group(&mut canvas, group, whole, &mut given);
    }
    if !checkup.notes.is_empty() {
        canvas.gap();
        for note in &checkup.notes {
            canvas.field("note", &Line::new().dim(note));
        }
    }
    canvas.gap();
    let marks = [Judgement::Ready, Judgement::Limited, Judgement::NotReady, Judgement::CannotTell];
    let legend: Vec<String> = marks.iter().map(|j| format!("{} {}", j.mark(), j.as_str())).collect();
    let more = if whole { "" } else { "; --why tells it all" };
    canvas.wrap(0, 2, &Line::new().dim(&format!("{}. gopsy changed nothing{more}.", legend.join(", "))));
    canvas.finish()
}

fn group<'a>(canvas: &mut Canvas, group: &'a Group, whole: bool, given: &mut Vec<&'a str>) {
    // Where a group only informs, what is in order needs no lines of its own.
    let short = group.informative && !whole;
    let quiet = |c: &Check| short && c.judgement == Judgement::Ready;
    for check in group.checks.iter().filter(|c| !quiet(c)) {
        row(canvas, check.judgement, check.name, &check.found);
        if (check.judgement == Judgement::Ready || group.informative && check.fixes.is_empty()) && !whole {
            continue;
        }
        canvas.wrap(BELOW, BELOW, &Line::new().dim(check.why));
        let mut named = None;
        for fix in &check.fixes {
            // A command that is good for two things is given once.
            if given.contains(&fix.command.as_str()) {
                continue;
            }
            given.push(&fix.command);
            let reach = format!("# {}", fix.scope.words());
            let line = Line::new().plain(&fix.command).dim(&format!("  {reach}"));
            // A command is never broken: it is there to be copied.
            if BELOW + canvas.measure(&fix.command) + 2 + canvas.measure(&reach) <= canvas.columns {
                canvas.raw(BELOW, &line);
            } else {
                if named != Some(fix.scope) {
                    canvas.raw(BELOW, &Line::new().dim(&reach));
                    named = Some(fix.scope);
                }
                canvas.raw(BELOW, &Line::new().plain(&fix.command));
            }
        }
    }
    let names: Vec<&str> = group.checks.iter().filter(|c| quiet(c)).map(|c| c.name).collect();
    if !names.is_empty() {
        let mark = Judgement::Ready;
        canvas.wrap(2, BELOW, &Line::of(ink(mark), mark.mark()).plain("  ").plain(&names.join(", ")));
    }
}

fn row(canvas: &mut Canvas, judgement: Judgement, name: &str, found: &str) {
    let head = Line::of(ink(judgement), judgement.mark()).plain("  ").add(Ink::Bold, name);
    let pad = " ".repeat(FOUND.saturating_sub(BELOW + canvas.measure(name)).max(2));
    canvas.wrap(2, FOUND, &head.plain(&pad).plain(found));
}

fn ink(judgement: Judgement) -> Ink {
    match judgement {
        Judgement::Ready => Ink::Less,
        Judgement::Limited => Ink::Plain,
        Judgement::NotReady => Ink::Alarm,
        Judgement::CannotTell => Ink::Bold,
    }
}
