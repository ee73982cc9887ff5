//! `gopsy explain`.

use super::canvas::{Canvas, FIELD, Ink, Line, View};
use super::frames::{self, Detail};
use crate::case::{AroundGoroutine, Case, besides, evidence, others_matter, provenance, state, title};
use crate::names::{place, plural, short_file, short_function, thousands};
use gopsy_model::{
    Access, AccessKind, Cause, Confidence, Culprit, Evidence, Frame, FunctionName, Headline, Known, KnownIssue,
    Missing, Role, Signal, Source, Verdict,
};
use gopsy_program::{Group, StackId};

/// Lines of a headline (a panic value can be a book).
const MAX_HEADLINE: usize = 5;
/// Items of a list.
const MAX_ITEMS: usize = 5;

/// Other headlines that are listed.
const MAX_ALSO: usize = 5;

/// The page of a verdict.
#[must_use]
pub fn explain(case: &Case<'_>, view: &View) -> String {
    let mut canvas = Canvas::new(view);
    let notes = canvas.shout(&case.program.alarms(), case.notes);
    headline(&mut canvas, case);
    canvas.gap();
    for paragraph in case.verdict.summary.lines().filter(|l| !l.trim().is_empty()) {
        canvas.wrap(2, 2, &Line::new().plain(paragraph));
    }
    canvas.gap();
    value(&mut canvas, case);
    culprit(&mut canvas, case);
    canvas.gap();
    stack(&mut canvas, case);
    races(&mut canvas, case);
    others(&mut canvas, case);
    tests(&mut canvas, case);
    canvas.gap();
    why(&mut canvas, case);
    canvas.gap();
    next(&mut canvas, case.verdict);
    canvas.gap();
    let unseen: Vec<&str> = case.unseen().collect();
    list(&mut canvas, "unseen", &unseen, Ink::Dim);
    list(&mut canvas, "notes", &notes, Ink::Dim);
    list(&mut canvas, "also", &also(case).iter().map(String::as_str).collect::<Vec<_>>(), Ink::Plain);
    let mut out = canvas.finish();
    out.truncate(out.trim_end_matches('\n').len());
    out.push('\n');
    out
}

fn headline(canvas: &mut Canvas, case: &Case<'_>) {
    let identity = Line::new().dim(&case.identity());
    let mut lines = case.verdict.headline.lines();
    let first = match lines.next() {
        Some(first) if !first.trim().is_empty() => Line::of(Ink::Alarm, first),
        _ => Line::of(Ink::Bold, case.verdict.kind.meaning()),
    };
    canvas.sides(&first, &identity);
    for line in lines.by_ref().take(MAX_HEADLINE - 1) {
        canvas.wrap(2, 2, &Line::of(Ink::Bold, line));
    }
    let more = lines.count();
    if more > 0 {
        canvas.wrap(2, 2, &Line::new().dim(&format!("… {}", plural(more as u64, "more line"))));
    }
    if let Some(signal) = &case.program.crash().signal
        && !case.verdict.headline.contains(signal.name.as_ref())
        // On wasm there are no signals, only the number that the runtime keeps.
        && !matches!(signal.code, Known::Missing(Missing::NotApplicable))
    {
        canvas.wrap(2, 4, &Line::new().dim(&signal_line(signal)));
    }
}

/// The lines of the panic's value behind the first, which is the headline: the error that it is about often stands in them. A stack among
/// them is another matter.
fn value(canvas: &mut Canvas, case: &Case<'_>) {
    let Some((first, _)) = case.verdict.headline.strip_prefix("panic: ").and_then(|text| text.split_once(" …"))
    else {
        return;
    };
    let is_it = |headline: &Headline| match headline {
        Headline::Panic(panic) if panic.value.starts_with(first) => Some(panic.value.clone()),
        _ => None,
    };
    let Some(value) = case.program.crash().headlines.iter().find_map(is_it) else { return };
    let is_header = |line: &str| line.starts_with("goroutine ") && line.ends_with("]:");
    let is_place = |line: &&str| line.starts_with('\t') && line.contains(".go:");
    let rest: Vec<&str> = value.lines().skip(1).collect();
    let of_stack = |(at, line): (usize, &&str)| is_header(line) || rest.get(at.saturating_add(1)).is_some_and(is_place);
    let words = rest.iter().enumerate().position(of_stack).unwrap_or(rest.len());
    let shown = rest.iter().take(words).filter(|line| !line.trim().is_empty());
    let mut label = "value";
    for line in shown.clone().take(MAX_VALUE) {
        canvas.field(label, &Line::new().plain(line));
        label = "";
    }
    if let Some(more) = shown.count().checked_sub(MAX_VALUE).filter(|more| *more > 0) {
        canvas.field("", &Line::new().dim(&format!("… {}; --json has all", plural(more as u64, "more line"))));
    }
    if label.is_empty() {
        canvas.gap();
    }
}

/// Lines of a value that are shown.
const MAX_VALUE: usize = 8;

/// `SIGSEGV: segmentation violation, code 0x1, address 0x18`.
fn signal_line(signal: &Signal) -> String {
    let mut text = signal.name.as_ref().to_owned();
    if let Some(description) = signal.description.value() {
        text.push_str(": ");
        text.push_str(description);
    }
    if let Some(code) = signal.code.value() {
        // The kernel's own codes are positive; those of kill and tgkill are not.
        text.push_str(&if *code < 0 { format!(", code {code}") } else { format!(", code {code:#x}") });
    }
    if let Some(address) = signal.address.value() {
        text.push_str(&format!(", address {address:#x}"));
    }
    text
}

fn culprit(canvas: &mut Canvas, case: &Case<'_>) {
    let Some(culprit) = &case.verdict.culprit else { return };
    let mut parts = vec![Line::of(Ink::Bold, &short_function(&FunctionName(culprit.function.clone())))];
    parts.extend(culprit.file.as_ref().map(|file| Line::new().plain(&place(file, culprit.line))));
    parts.extend(culprit_goroutine(case, culprit).map(|goroutine| Line::new().dim(&goroutine)));
    canvas.parts("at", &parts);
    if let Some(why) = &culprit.why {
        canvas.field("", &Line::new().dim(why));
    }
    let Some(source) = case.source else { return };
    canvas.gap();
    let digits = source.lines.last().map_or(1, |(number, _)| number.to_string().len());
    for (number, text) in &source.lines {
        let here = *number == source.line;
        let room = canvas.columns.saturating_sub(FIELD + 2 + digits + 2);
        let text = shorten(canvas, text, room);
        let line =
            Line::new().dim(&format!("{number:>digits$}  ")).add(if here { Ink::Bold } else { Ink::Plain }, &text);
        canvas.labelled(FIELD, "", (Ink::Alarm, if here { "▸" } else { "" }), &line);
    }
    if !source.as_printed {
        canvas.field("", &Line::new().dim(&format!("read from {}", source.path.display())));
    }
}

/// Cuts a source line: its end is seldom what matters.
fn shorten(canvas: &Canvas, text: &str, room: usize) -> String {
    let text = text.replace('\t', "    ");
    if canvas.measure(&text) <= room {
        return text;
    }
    let mut out = String::new();
    for c in text.chars() {
        out.push(c);
        if canvas.measure(&out) + 1 > room {
            out.pop();
            break;
        }
    }
    out.push('…');
    out
}

fn culprit_goroutine(case: &Case<'_>, culprit: &Culprit) -> Option<String> {
    let number = culprit.goroutine?;
    let shown = case.stack_to_show().map(|id| case.program.goroutine(id));
    let state = shown.filter(|g| g.id.value() == Some(&number)).and_then(|g| state(&g));
    Some(match state {
        Some(state) => format!("goroutine {number}, {state}"),
        None => format!("goroutine {number}"),
    })
}

fn stack(canvas: &mut Canvas, case: &Case<'_>) {
    let Some(id) = case.stack_to_show() else { return };
    let goroutine = case.program.goroutine(id);
    let stack = case.program.stack(id);
    let rows = frames::rows(&stack, goroutine.created_by.value(), case.verdict.culprit.as_ref(), Detail::Short);
    if rows.is_empty() {
        return;
    }
    if case.verdict.culprit.as_ref().and_then(|c| c.goroutine).is_none() {
        let mut name = title(&goroutine);
        if let Some(state) = state(&goroutine) {
            name = format!("{name}, {state}");
        }
        canvas.field("in", &Line::new().plain(&name));
    }
    let around = AroundGoroutine::of(case);
    if let Some(native) = around.native {
        frames::write(canvas, FIELD, "in C", &frames::rows(&native, None, None, Detail::Rows(NATIVE)));
    }
    if let Some(system) = around.system {
        let rows = frames::rows(&system, None, case.verdict.culprit.as_ref(), Detail::Rows(NATIVE));
        frames::write(canvas, FIELD, "system", &rows);
    }
    frames::write(canvas, FIELD, "stack", &rows);
    if let Some(callers) = around.callers {
        frames::write(canvas, FIELD, "from C", &frames::rows(&callers, None, None, Detail::Rows(NATIVE)));
    }
    let mut label = "deferred";
    for call in goroutine.deferred.iter().take(DEFERRED) {
        let place = match (call.file.value(), call.line.value()) {
            (Some(file), Some(line)) => format!("  {}:{line}", short_file(file)),
            _ => String::new(),
        };
        canvas.field(label, &Line::new().plain(call.function.as_str()).dim(&place));
        label = "";
    }
    if let Some(more) = goroutine.deferred.len().checked_sub(DEFERRED).filter(|more| *more > 0) {
        canvas.field("", &Line::new().dim(&format!("… and {more} more")));
    }
}

/// Deferred calls that are shown.
const DEFERRED: usize = 4;
/// Frames that are shown of C, and of a system stack.
const NATIVE: usize = 12;

fn races(canvas: &mut Canvas, case: &Case<'_>) {
    let races = &case.program.crash().races;
    let Some(race) = races.first() else { return };
    canvas.gap();
    for access in &race.accesses {
        let culprit = case.verdict.culprit.as_ref();
        let rows = frames::rows(&access.stack, None, culprit, Detail::Short);
        let mut line = Line::new().plain(&access_title(access));
        if let Some(address) = access.address.value() {
            line = line.dim(&format!(" at {address:#x}"));
        }
        canvas.field(if access.previous { "before" } else { "race" }, &line);
        if rows.is_empty() {
            canvas.field("", &Line::new().dim("the detector had lost its stack"));
        } else {
            frames::write(canvas, FIELD, "", &rows);
        }
    }
    if races.len() > 1 {
        let more = plural(races.len() as u64 - 1, "more race report");
        canvas.field("", &Line::new().dim(&format!("… and {more}")));
    }
}

fn access_title(access: &Access) -> String {
    let kind = match (access.atomic, access.kind) {
        (false, AccessKind::Read) => "read",
        (false, AccessKind::Write) => "write",
        (true, AccessKind::Read) => "atomic read",
        (true, AccessKind::Write) => "atomic write",
    };
    match access.goroutine.value() {
        Some(0) => format!("{kind} by the main goroutine"),
        Some(number) => format!("{kind} by goroutine {number}"),
        None => kind.to_owned(),
    }
}

fn others(canvas: &mut Canvas, case: &Case<'_>) {
    if !others_matter(case.verdict.kind) {
        return;
    }
    let all: Vec<&Group> = case.groups.iter().filter(|g| g.role == Role::Goroutine).collect();
    let total: u64 = all.iter().map(|g| g.count).sum();
    if total < 2 {
        return;
    }
    canvas.gap();
    let groups = plural(all.len() as u64, "group");
    canvas.field("all", &Line::new().plain(&format!("{} in {groups}", plural(total, "goroutine"))));
    let mut shown = all.clone();
    shown.sort_by_key(|g| std::cmp::Reverse(g.count));
    // The runtime's own goroutines are in every program.
    shown.truncate(MAX_RANKED);
    shown.sort_by_cached_key(|g| {
        let frames = case.program.stack(g.sample).frames;
        !frames.is_empty() && frames.iter().all(is_of_runtime)
    });
    shown.truncate(MAX_ITEMS);
    let count = shown.first().map_or(1, |g| thousands(g.count).len());
    let word = |g: &Group| g.states.first().map_or_else(String::new, |(word, _)| word.to_string());
    let widest = shown.iter().map(|g| canvas.measure(&word(g))).max().unwrap_or(0);
    let frames: Vec<(String, String)> = shown.iter().map(|g| own_frame(case, g.sample)).collect();
    let column = frames.iter().map(|(function, _)| canvas.measure(function)).filter(|w| *w <= 40).max().unwrap_or(0);
    let hang = count + 2 + widest + 2;
    // On a narrow terminal there is no room for a column of long names.
    let narrow = frames.iter().any(|(function, _)| FIELD + hang + canvas.measure(function) > canvas.columns);
    for (group, (function, place)) in shown.iter().zip(&frames) {
        let word = word(group);
        let pad = " ".repeat(widest.saturating_sub(canvas.measure(&word)) + 2);
        let line = Line::new()
            .plain(&format!("{:>count$}  {word}{pad}", thousands(group.count)))
            .plain(function)
            .plain(&" ".repeat(column.saturating_sub(canvas.measure(function)) + 2))
            .dim(place);
        canvas.item("", if narrow { count + 4 } else { hang }, &line);
    }
    let rest: u64 = total - shown.iter().map(|g| g.count).sum::<u64>();
    let groups = all.len() - shown.len();
    if groups > 0 {
        canvas.field(
            "",
            &Line::new().dim(&format!("… and {} in {}", thousands(rest), plural(groups as u64, "more group"))),
        );
    }
}

/// Groups of goroutines that are looked at for those to show.
const MAX_RANKED: usize = 64;

fn is_of_runtime(frame: &Frame) -> bool {
    crate::names::std_package(frame).is_some_and(|package| frames::is_runtime(&package))
}

/// The first frame of a stack that is not the standard library's; else where the goroutine began.
fn own_frame(case: &Case<'_>, id: StackId) -> (String, String) {
    let stack = case.program.stack(id);
    let own = stack.frames.iter().find(|f| crate::names::std_package(f).is_none() && !crate::names::is_generated(f));
    let began = || {
        let goexit = |f: &&Frame| f.function.value().is_some_and(|name| name.as_str() == "runtime.goexit");
        stack.frames.iter().rev().find(|f| !goexit(f))
    };
    let Some(frame) = own.or_else(began) else { return (String::new(), String::new()) };
    let function = frame.function.value().map_or_else(String::new, short_function);
    let line = frame.line.value().copied();
    (function, frame.file.value().map_or_else(String::new, |file| place(short_file(file), line)))
}

fn tests(canvas: &mut Canvas, case: &Case<'_>) {
    let test = &case.program.crash().test;
    if test.running.is_empty() && test.failed.is_empty() {
        return;
    }
    canvas.gap();
    let running: Vec<String> = test
        .running
        .iter()
        .map(|r| match r.elapsed.value() {
            Some(elapsed) => format!("{} ({elapsed})", r.name),
            None => r.name.as_ref().to_owned(),
        })
        .collect();
    words(canvas, "running", &running);
    words(canvas, "failed", &test.failed.iter().map(|f| f.as_ref().to_owned()).collect::<Vec<_>>());
}

fn words(canvas: &mut Canvas, label: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let mut text = items.iter().take(MAX_ITEMS).map(String::as_str).collect::<Vec<_>>().join(" · ");
    if items.len() > MAX_ITEMS {
        text.push_str(&format!(" · … {} more", items.len() - MAX_ITEMS));
    }
    canvas.field(label, &Line::new().plain(&text));
}

/// `kind …, cause …, how sure`, and what that rests on.
fn why(canvas: &mut Canvas, case: &Case<'_>) {
    let verdict = case.verdict;
    let line = Line::new().plain("kind ").add(Ink::Bold, verdict.kind.as_str()).plain(" · cause ");
    let line = line.add(Ink::Bold, verdict.cause.as_str());
    let line = match (verdict.cause, verdict.confidence) {
        (Cause::Unknown, _) | (_, Confidence::Unknown) => {
            line.plain(&format!(": {} why", does_not_show(case.program.source())))
        }
        (_, confidence) => line.plain(", ").add(Ink::Bold, confidence.as_str()),
    };
    canvas.field("why", &line);
    let facts = evidence(verdict);
    for fact in facts.iter().take(MAX_ITEMS) {
        let line = Line::new().dim("· ").plain(&first_of(fact)).dim(&format!(" ({})", provenance(fact)));
        canvas.wrap(FIELD, FIELD + 2, &line);
    }
    if facts.len() > MAX_ITEMS {
        let more = plural((facts.len() - MAX_ITEMS) as u64, "more fact");
        canvas.wrap(FIELD, FIELD + 2, &Line::new().dim(&format!("… {more}")));
    }
    for finding in besides(verdict).into_iter().take(2) {
        let sure = finding.claim.as_ref().map_or("", |c| c.confidence.as_str());
        canvas.field("besides", &Line::new().plain(&finding.sentence).dim(&format!(" ({sure})")));
    }
    for issue in verdict.known_issues.iter().take(3) {
        canvas.field("known", &known(issue, &facts));
    }
}

/// What is known of Go and its bugs can be a page: its first sentence says what matters, the rest is in the JSON.
fn first_of(fact: &Evidence) -> String {
    match fact.fact.split_once(". ") {
        Some((first, _)) if fact.source == Source::Knowledge && first.len() > 60 => format!("{first} …"),
        _ => fact.fact.clone(),
    }
}

fn does_not_show(source: Source) -> &'static str {
    match source {
        Source::Text => "the text does not show",
        Source::Core => "the core does not show",
        Source::Binary => "the binary does not show",
        Source::Process => "the process does not show",
        Source::Knowledge => "nothing shows",
    }
}

fn known(issue: &KnownIssue, said: &[&Evidence]) -> Line {
    let mut line = Line::of(Ink::Bold, &issue.id).plain(" ").plain(&issue.title);
    // Why it fits is usually the evidence above.
    if !issue.why.is_empty() && !said.iter().any(|fact| issue.why.contains(&fact.fact)) {
        line = line.plain(": ").plain(&issue.why);
    }
    match &issue.fixed_in {
        Some(release) => line.plain(&format!(" (fixed in {release})")),
        None => line,
    }
}

fn next(canvas: &mut Canvas, verdict: &Verdict) {
    let advice: Vec<&str> = verdict.advice.iter().map(|a| a.0.as_str()).collect();
    list(canvas, "next", &advice, Ink::Plain);
}

/// A labelled list; several items have a dot each.
fn list(canvas: &mut Canvas, label: &str, items: &[&str], ink: Ink) {
    let dots = items.len() > 1;
    for (i, item) in items.iter().take(MAX_ITEMS).enumerate() {
        let line = Line::new().dim(if dots { "· " } else { "" }).add(ink, item);
        let label = if i == 0 { label } else { "" };
        canvas.item(label, if dots { 2 } else { 0 }, &line);
    }
    if items.len() > MAX_ITEMS {
        canvas.field("", &Line::new().dim(&format!("… {} more", items.len() - MAX_ITEMS)));
    }
}
/// Other headlines; those of other deaths with their line.
fn also(case: &Case<'_>) -> Vec<String> {
    let told = |a: &gopsy_model::Also| {
        if a.line > 0 { format!("line {}: {}", a.line, a.headline) } else { a.headline.clone() }
    };
    let list = &case.verdict.also;
    let mut out: Vec<String> = list.iter().take(MAX_ALSO).map(told).collect();
    if list.len() > MAX_ALSO {
        out.push(format!("and {} more", list.len() - MAX_ALSO));
    }
    if list.iter().any(|a| a.line > 0) {
        out.push("--all explains each".to_owned());
    }
    out
}
