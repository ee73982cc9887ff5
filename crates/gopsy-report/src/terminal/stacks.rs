//! `gopsy stacks`.

use super::canvas::{Canvas, Ink, Line, View};
use super::frames::{self, Detail};
use crate::case::{identity, title};
use crate::names::{plural, thousands};
use gopsy_model::Role;
use gopsy_program::{Change, ChangeKind, Group, Program};

/// What is shown of a program's groups.
#[derive(Clone, Copy)]
pub struct StacksPage<'a> {
    /// The program.
    pub program: &'a Program,
    /// Its groups, all of them.
    pub groups: &'a [Group],
    /// How many groups are shown.
    pub limit: Option<usize>,
    /// How many rows of a stack are shown.
    pub rows: usize,
    /// How the evidence was read.
    pub notes: &'a [String],
}

/// Where the stack of a group begins.
const STACK: usize = 4;

/// The page of the groups.
#[must_use]
pub fn stacks(page: &StacksPage<'_>, view: &View) -> String {
    let mut canvas = Canvas::new(view);
    let notes = canvas.shout(&page.program.alarms(), page.notes);
    let total: u64 = page.groups.iter().map(|g| g.count).sum();
    let mut left = Line::of(Ink::Bold, &count_of(page.groups, total));
    if page.groups.len() > 1 {
        left = left.plain(&format!(" in {}", plural(page.groups.len() as u64, "group")));
    }
    canvas.sides(&left, &Line::new().dim(&identity(page.program)));
    totals(&mut canvas, page.groups);
    let shown = page.limit.unwrap_or(usize::MAX).min(page.groups.len());
    let (first, rest) = page.groups.split_at(shown);
    let named = first.iter().any(|g| !g.name.is_empty());
    if named {
        canvas.gap();
        names(&mut canvas, first);
    } else {
        for group in first {
            canvas.gap();
            head(&mut canvas, page.program, group);
            body(&mut canvas, page.program, group, page.rows);
        }
    }
    if !rest.is_empty() {
        canvas.gap();
        let count: u64 = rest.iter().map(|g| g.count).sum();
        let more = format!("and {} ({})", plural(rest.len() as u64, "more group"), count_of(rest, count));
        canvas.wrap(0, 2, &Line::new().dim(&more));
    }
    if !notes.is_empty() {
        canvas.gap();
        for note in notes.into_iter().take(8) {
            canvas.field("note", &Line::new().dim(note));
        }
    }
    canvas.finish()
}

/// The page of what changed between two dumps. `before` and `after` are the programs and their groups.
#[must_use]
pub fn diff(
    before: (&Program, &[Group]),
    after: (&Program, &[Group]),
    changes: &[Change],
    limit: Option<usize>,
    rows: usize,
    view: &View,
) -> String {
    let mut canvas = Canvas::new(view);
    let total = |groups: &[Group]| groups.iter().map(|g| g.count).sum::<u64>();
    let (a, b) = (total(before.1), total(after.1));
    let left = Line::of(Ink::Bold, &format!("{} → {}", thousands(a), plural(b, "goroutine")));
    let difference = if a == b { "no more and no fewer".to_owned() } else { signed(difference(a, b)) };
    canvas.sides(&left, &Line::new().dim(&difference));
    if changes.is_empty() {
        canvas.wrap(2, 2, &Line::new().plain("every group has as many goroutines as before"));
    }
    let shown = limit.unwrap_or(usize::MAX).min(changes.len());
    let (first, rest) = changes.split_at(shown);
    for change in first {
        canvas.gap();
        let side = match (change.b.and_then(|i| after.1.get(i)), change.a.and_then(|i| before.1.get(i))) {
            (Some(group), _) => Some((after.0, group)),
            (None, Some(group)) => Some((before.0, group)),
            (None, None) => None,
        };
        let Some((program, group)) = side else { continue };
        let ink = if change.delta() > 0 { Ink::More } else { Ink::Less };
        let mut line = Line::of(ink, &signed(change.delta())).plain(" ");
        line = line.add(Ink::Bold, &format!(" {}", what(group)));
        line = match change.kind {
            ChangeKind::Appeared => line.dim("  new"),
            ChangeKind::Vanished => line.dim("  gone"),
            ChangeKind::Grew | ChangeKind::Shrank => {
                line.dim(&format!("  {} → {}", thousands(change.before), thousands(change.after)))
            }
        };
        canvas.wrap(0, STACK, &line);
        if group.name.is_empty() {
            body(&mut canvas, program, group, rows);
        }
    }
    if !rest.is_empty() {
        canvas.gap();
        let line = format!("and {}", plural(rest.len() as u64, "more change"));
        canvas.wrap(0, 2, &Line::new().dim(&line));
    }
    canvas.finish()
}

fn difference(a: u64, b: u64) -> i64 {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    number(b).saturating_sub(number(a))
}

fn signed(number: i64) -> String {
    format!("{}{}", if number < 0 { '-' } else { '+' }, thousands(number.unsigned_abs()))
}

/// `3 goroutines`, or `3 stacks` where threads are among them.
fn count_of(groups: &[Group], count: u64) -> String {
    let all = |role| groups.iter().all(|g| g.role == role);
    let word = [(Role::Goroutine, "goroutine"), (Role::Thread, "thread")].into_iter().find(|(role, _)| all(*role));
    plural(count, word.map_or("stack", |(_, word)| word))
}

/// The states of all groups, most first.
fn totals(canvas: &mut Canvas, groups: &[Group]) {
    let mut states: std::collections::HashMap<&str, u64> = std::collections::HashMap::new();
    // Of threads the kernel keeps none.
    for (word, count) in groups.iter().filter(|g| g.role != Role::Thread).flat_map(|g| &g.states) {
        *states.entry(word).or_default() += count;
    }
    let mut states: Vec<_> = states.into_iter().collect();
    states.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    if groups.len() < 2 || states.is_empty() {
        return;
    }
    let more = states.len().saturating_sub(8);
    let mut text: Vec<String> =
        states.iter().take(8).map(|(word, count)| format!("{} {word}", thousands(*count))).collect();
    if more > 0 {
        text.push(format!("… {more} more"));
    }
    canvas.wrap(2, 2, &Line::new().plain(&text.join(" · ")));
}

/// A table of names, for groups that are not made of stacks.
fn names(canvas: &mut Canvas, groups: &[Group]) {
    let widest = groups.iter().map(|g| thousands(g.count).len()).max().unwrap_or(1);
    for group in groups {
        let mut line =
            Line::of(Ink::Bold, &format!("{:>widest$}", thousands(group.count))).plain("  ").plain(&group.name);
        if let [(word, _)] = group.states.as_slice() {
            if word.as_ref() != group.name {
                line = line.dim(&format!("  {word}"));
            }
        } else if !group.states.is_empty() {
            line = line.dim(&format!("  {}", states(group, 3)));
        }
        if let Some(minutes) = minutes(group) {
            line = line.dim(&format!(", {minutes}"));
        }
        canvas.wrap(2, 2 + widest + 2, &line);
    }
}

fn states(group: &Group, most: usize) -> String {
    let mut text: Vec<String> =
        group.states.iter().take(most).map(|(word, count)| format!("{} {word}", thousands(*count))).collect();
    if group.states.len() > most {
        text.push("…".to_owned());
    }
    text.join(" · ")
}

fn minutes(group: &Group) -> Option<String> {
    let (low, high) = group.wait_minutes?;
    Some(if low == high { plural(low, "minute") } else { format!("{}–{} minutes", thousands(low), thousands(high)) })
}

/// What the members of a group are doing, in a few words.
fn what(group: &Group) -> String {
    if !group.name.is_empty() {
        return group.name.clone();
    }
    let mut text = match group.states.as_slice() {
        [] => String::new(),
        // The title says it.
        _ if group.role == Role::System => String::new(),
        [(word, _)] if group.role == Role::Goroutine => word.to_string(),
        [(word, _)] if is_no_state(word) => String::new(),
        [(word, _)] => word.to_string(),
        _ => states(group, 3),
    };
    if let Some(minutes) = minutes(group) {
        text.push_str(", ");
        text.push_str(&minutes);
    }
    text
}

fn is_no_state(word: &str) -> bool {
    word == gopsy_model::Brief::NO_STATE
}

fn head(canvas: &mut Canvas, program: &Program, group: &Group) {
    let sample = program.goroutine(group.sample);
    let mut line = if group.count == 1 {
        Line::of(Ink::Bold, &title(&sample))
    } else {
        let line = Line::of(Ink::Bold, &format!("{} ×", thousands(group.count)));
        match group.role {
            Role::Goroutine => line,
            Role::Thread => line.plain("  threads"),
            _ => line.plain("  ").plain(&title(&sample)),
        }
    };
    let what = what(group);
    if !what.is_empty() {
        line = line.plain("  ").plain(&what);
    }
    if group.crashed {
        line = line.add(Ink::Alarm, "  crashed");
    }
    let ids: Vec<u64> = group.members.iter().take(4).filter_map(|&id| program.goroutine(id).id.into_value()).collect();
    if group.count > 1 && !ids.is_empty() {
        let list = ids.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
        let more = if group.count > ids.len() as u64 { " …" } else { "" };
        line = line.dim(&format!("  goroutines {list}{more}"));
    }
    if let Some(labels) = sample.labels.value().filter(|labels| group.count == 1 && !labels.is_empty()) {
        let labels: Vec<String> = labels.iter().take(6).map(|(k, v)| format!("{k}={v}")).collect();
        line = line.dim(&format!("  {}", labels.join(" ")));
    }
    canvas.wrap(0, STACK, &line);
}

fn body(canvas: &mut Canvas, program: &Program, group: &Group, limit: usize) {
    let sample = program.goroutine(group.sample);
    let stack = program.stack(group.sample);
    let rows = frames::rows(&stack, sample.created_by.value(), None, Detail::Rows(limit));
    if rows.is_empty() {
        canvas.wrap(STACK, STACK, &Line::new().dim("no frames"));
        return;
    }
    frames::write(canvas, STACK, "", &rows);
}
