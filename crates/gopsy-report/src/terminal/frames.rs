//! A stack as a table: functions left, places right.

use super::canvas::{Canvas, Ink, Line};
use crate::fold::{Part, fold};
use crate::names::{is_generated, place, plural, short_file, short_function, std_package, thousands};
use gopsy_model::{Creation, Culprit, Elision, Frame, Missing, Stack};

/// How much of a stack is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What a verdict needs: the user's frames and where they enter the standard library; the rest is counted.
    Short,
    /// Every frame, recursions folded, at most so many rows.
    Rows(usize),
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) sign: &'static str,
    pub(crate) function: String,
    pub(crate) place: String,
    pub(crate) ink: Ink,
    /// How many frames it stands for.
    frames: u64,
}

impl Row {
    fn note(text: String, frames: u64) -> Self {
        Row { sign: "", function: text, place: String::new(), ink: Ink::Dim, frames }
    }
}

/// The sign of a frame that was found by a search of the stack.
const SCANNED: &str = "?";

/// The rows of a stack.
pub(crate) fn rows(
    stack: &Stack,
    created_by: Option<&Creation>,
    culprit: Option<&Culprit>,
    detail: Detail,
) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut at_top = true;
    let mut marked = false;
    for part in fold(stack) {
        match part {
            Part::Frames(from, to) => {
                let frames = stack.frames.get(from..to).unwrap_or(&[]);
                let bottom = to == stack.frames.len();
                match detail {
                    Detail::Short => short_rows(frames, at_top, bottom, culprit, &mut marked, &mut rows),
                    Detail::Rows(_) => rows.extend(frames.iter().map(|f| row(f, culprit, &mut marked))),
                }
            }
            Part::Cycle { start, period, times } => {
                rows.push(Row {
                    sign: "↻",
                    function: format!("{} × {}", plural(period as u64, "frame"), thousands(times)),
                    place: String::new(),
                    ink: Ink::Bold,
                    frames: times.saturating_sub(1).saturating_mul(period as u64),
                });
                let frames = stack.frames.get(start..start + period).unwrap_or(&[]);
                let within = |row: Row| Row { sign: if row.sign == SCANNED { SCANNED } else { "│" }, ..row };
                rows.extend(frames.iter().map(|f| within(row(f, culprit, &mut marked))));
            }
            Part::Gap(number) => rows.extend(stack.elided.get(number).map(left_out)),
        }
        at_top = false;
    }
    let limit = match detail {
        Detail::Short => 14,
        Detail::Rows(limit) => limit.max(4),
    };
    cut(&mut rows, limit);
    if rows.iter().any(|row| row.sign == SCANNED) {
        let note = format!("{SCANNED}: found by a search of the stack; it, and what called it, may be left over");
        rows.push(Row::note(note, 0));
    }
    if let Some(why) = &stack.unavailable {
        rows.push(Row::note(why.as_ref().to_owned(), 0));
    }
    rows.extend(stack.remarks.iter().take(4).map(|remark| Row::note(remark.as_ref().to_owned(), 0)));
    if let Some(creation) = created_by {
        rows.push(Row {
            sign: "",
            function: format!("created by {}", short_function(&creation.function)),
            place: creation
                .file
                .value()
                .map_or_else(String::new, |f| place(short_file(f), creation.line.value().copied())),
            ink: Ink::Dim,
            frames: 0,
        });
    }
    rows
}

/// Functions of a gap that are named.
const NAMED: usize = 3;

/// `… 43,616 frames left out: main.parse × 30,001, main.bridge × 1`
fn left_out(gap: &Elision) -> Row {
    let count = gap.count.value().copied();
    let mut text = match count {
        Some(count) => format!("… {} left out", plural(count, "frame")),
        None => "… frames left out".to_owned(),
    };
    for (index, (name, frames)) in gap.functions.iter().take(NAMED).enumerate() {
        let mark = if index == 0 { ": " } else { ", " };
        text.push_str(&format!("{mark}{} × {}", short_function(name), thousands(*frames)));
    }
    if gap.functions.len() > NAMED {
        text.push_str(", …");
    }
    Row::note(text, count.unwrap_or(0))
}

/// Keeps the first rows, which say where it stopped, the last, which say what began it, and the culprit with its
/// neighbours; what lies between is counted.
fn cut(rows: &mut Vec<Row>, limit: usize) {
    if rows.len() <= limit.saturating_add(1) {
        return;
    }
    let tail = rows.len() - (limit / 4).max(1);
    let around = rows.iter().position(|r| r.sign == "▸").map(|at| at.saturating_sub(1)..at + 3);
    let in_head = around.as_ref().is_none_or(|range| range.end <= limit * 3 / 4 || range.start >= tail);
    let head = if in_head { limit * 3 / 4 } else { limit / 4 };
    let kept = |i: usize| i < head || i >= tail || around.as_ref().is_some_and(|range| range.contains(&i));
    let mut out: Vec<Row> = Vec::with_capacity(limit + 2);
    let mut skipped = 0_u64;
    for (i, row) in std::mem::take(rows).into_iter().enumerate() {
        if !kept(i) {
            skipped = skipped.saturating_add(row.frames);
            continue;
        }
        if skipped > 0 {
            out.push(Row::note(format!("… {}", plural(skipped, "frame")), skipped));
            skipped = 0;
        }
        out.push(row);
    }
    *rows = out;
}

fn row(frame: &Frame, culprit: Option<&Culprit>, marked: &mut bool) -> Row {
    let is_culprit = !*marked && culprit.is_some_and(|c| same_place(c, frame));
    *marked |= is_culprit;
    let theirs = std_package(frame).is_some() || is_generated(frame);
    Row {
        sign: match (is_culprit, frame.is_scanned()) {
            (true, _) => "▸",
            (false, true) => SCANNED,
            (false, false) => "",
        },
        function: function_of(frame),
        place: place_of(frame),
        ink: match (is_culprit, theirs) {
            (true, _) => Ink::Bold,
            (false, true) => Ink::Dim,
            (false, false) => Ink::Plain,
        },
        frames: 1,
    }
}

fn function_of(frame: &Frame) -> String {
    match (frame.function.value(), frame.pc.value()) {
        (Some(name), _) => short_function(name),
        (None, Some(pc)) => format!("{pc:#x}"),
        (None, None) => "a function that is not named".to_owned(),
    }
}

fn place_of(frame: &Frame) -> String {
    if let (None, Some(module)) = (frame.file.value(), frame.module.value()) {
        // A place without a symbol is called by the file's name and how far it is into it.
        let name = frame.function.value().and_then(|name| name.as_str().strip_prefix(module.as_ref()));
        return if name.is_some_and(|rest| rest.starts_with("+0x")) {
            String::new()
        } else {
            module.as_ref().to_owned()
        };
    }
    if let (true, Some(why)) = (frame.foreign, frame.function.missing()) {
        return why.to_string();
    }
    match (&frame.file, frame.file.missing()) {
        (_, Some(Missing::NotPrinted | Missing::NotApplicable)) => String::new(),
        (_, Some(why)) => why.to_string(),
        (file, None) => file.value().map_or_else(String::new, |f| place(short_file(f), frame.line.value().copied())),
    }
}

/// Is this the frame that the verdict names?
pub(crate) fn same_place(culprit: &Culprit, frame: &Frame) -> bool {
    frame.function.value().is_some_and(|f| f.0 == culprit.function)
        && (culprit.line.is_none() || frame.line.value().copied() == culprit.line)
        && (culprit.file.is_none() || frame.file.value() == culprit.file.as_ref())
}

/// What is nobody's question at the bottom of a stack.
fn is_root(frame: &Frame) -> bool {
    let name = frame.function.value().map_or("", |f| f.as_str());
    matches!(
        name,
        "runtime.goexit"
            | "runtime.main"
            | "runtime.doInit"
            | "runtime.doInit1"
            | "goexit"
            | "runtime.mstart"
            | "runtime.rt0_go"
            | "runtime.mcall"
    )
}

fn short_rows(
    frames: &[Frame],
    top: bool,
    bottom: bool,
    culprit: Option<&Culprit>,
    marked: &mut bool,
    rows: &mut Vec<Row>,
) {
    let frames = if bottom {
        let kept = frames.len() - frames.iter().rev().take_while(|f| is_root(f)).count();
        frames.get(..kept.max(1)).unwrap_or(frames)
    } else {
        frames
    };
    let theirs = |frame: &Frame| std_package(frame).is_some() || is_generated(frame);
    if frames.iter().all(theirs) && culprit.is_none_or(|c| frames.iter().any(|f| same_place(c, f))) {
        // Nobody's own code: the place itself is all there is to see.
        let shown = 6.min(frames.len());
        let (first, rest) = frames.split_at(shown);
        rows.extend(first.iter().map(|f| row(f, culprit, marked)));
        count_rows(rest, rows);
        return;
    }
    let mut at = 0;
    while at < frames.len() {
        let run = frames.get(at..).unwrap_or(&[]);
        let length = run.iter().take_while(|f| theirs(f) && !culprit.is_some_and(|c| same_place(c, f))).count();
        if length == 0 {
            rows.extend(run.first().map(|f| row(f, culprit, marked)));
            at += 1;
            continue;
        }
        let (run, _) = run.split_at(length);
        if top && at == 0 {
            // Where the user's code went in, and where outside the runtime it ended.
            let entered = run.last().and_then(|f| f.function.value()).is_none_or(|f| !is_prologue(f.as_str()));
            let (inner, entry) = run.split_at(if entered { length - 1 } else { length });
            let stopped = inner.iter().position(|f| std_package(f).is_some_and(|p| !is_runtime(&p)));
            match stopped {
                Some(i) => {
                    let (above, rest) = inner.split_at(i);
                    count_rows(above, rows);
                    let (stop, between) = rest.split_at(1);
                    rows.extend(stop.iter().map(|f| row(f, culprit, marked)));
                    count_rows(between, rows);
                }
                None => count_rows(inner, rows),
            }
            rows.extend(entry.iter().map(|f| row(f, culprit, marked)));
        } else {
            count_rows(run, rows);
        }
        at += length;
    }
}

/// What no one calls: it is entered from the first instructions of a function.
fn is_prologue(name: &str) -> bool {
    name.starts_with("runtime.morestack") || name == "runtime.asyncPreempt" || name == "runtime.sigpanic"
}

/// Whether a package of the standard library is the runtime, or of what it is made of.
pub(crate) fn is_runtime(package: &str) -> bool {
    package == "runtime" || package.starts_with("runtime/") || package.starts_with("internal/runtime")
}

/// `… 7 frames of net/http`; a single frame is shown itself.
fn count_rows(frames: &[Frame], rows: &mut Vec<Row>) {
    match frames {
        [] => {}
        [one] => rows.push(row(one, None, &mut false)),
        _ => {
            let mut packages: Vec<String> = Vec::new();
            for package in frames.iter().filter_map(std_package) {
                if !packages.contains(&package) {
                    packages.push(package);
                }
            }
            let more = packages.len().saturating_sub(3);
            packages.truncate(3);
            let mut text = format!("… {}", plural(frames.len() as u64, "frame"));
            if !packages.is_empty() {
                text.push_str(" of ");
                text.push_str(&packages.join(", "));
            }
            if more > 0 {
                text.push_str(", …");
            }
            rows.push(Row::note(text, frames.len() as u64));
        }
    }
}

/// Writes the rows with their functions from column `indent` on and their signs two columns before it. The first row
/// stands behind `label`.
pub(crate) fn write(canvas: &mut Canvas, indent: usize, label: &str, rows: &[Row]) {
    let room = canvas.columns.saturating_sub(indent);
    let places = rows.iter().map(|r| canvas.measure(&r.place)).max().unwrap_or(0);
    let functions = rows.iter().filter(|r| !r.place.is_empty()).map(|r| canvas.measure(&r.function));
    let column = functions.filter(|w| w + 2 + places <= room).max().unwrap_or(0);
    for (i, row) in rows.iter().enumerate() {
        let width = canvas.measure(&row.function);
        let place = canvas.measure(&row.place);
        let mut line = Line::of(row.ink, &row.function);
        let place_ink = if row.ink == Ink::Bold { Ink::Plain } else { Ink::Dim };
        let fits = width.max(column) + 2 + place <= room;
        if !row.place.is_empty() && fits {
            line = line.plain(&" ".repeat(width.max(column) + 2 - width)).add(place_ink, &row.place);
        }
        let sign = if row.sign == "│" { Ink::Dim } else { Ink::Alarm };
        canvas.labelled(indent, if i == 0 { label } else { "" }, (sign, row.sign), &line);
        if !row.place.is_empty() && !fits {
            canvas.wrap(indent + 2, indent + 2, &Line::of(place_ink, &row.place));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(count: usize, culprit: usize) -> Vec<Row> {
        (0..count)
            .map(|i| Row {
                sign: if i == culprit { "▸" } else { "" },
                function: format!("f{i}"),
                place: String::new(),
                ink: Ink::Plain,
                frames: 1,
            })
            .collect()
    }

    fn shown(count: usize, culprit: usize) -> Vec<String> {
        let mut rows = some(count, culprit);
        cut(&mut rows, 12);
        rows.into_iter().map(|r| r.function).collect()
    }

    #[test]
    fn a_long_stack_keeps_its_ends_and_its_culprit() {
        assert_eq!(shown(13, 0).len(), 13);
        let head: Vec<String> = (0..9).map(|i| format!("f{i}")).collect();
        assert_eq!(shown(40, 2), [head, vec!["… 28 frames".into(), "f37".into(), "f38".into(), "f39".into()]].concat());
        assert_eq!(
            shown(40, 20),
            ["f0", "f1", "f2", "… 16 frames", "f19", "f20", "f21", "f22", "… 14 frames", "f37", "f38", "f39"]
        );
        assert!(shown(40, 39).contains(&"f39".to_owned()));
    }
}
