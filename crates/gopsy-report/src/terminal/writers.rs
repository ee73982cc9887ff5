//! `gopsy where --writes`.

use super::canvas::{Canvas, Ink, Line};
use super::count;
use super::whereabouts::{LISTED, short_line, subject};
use crate::names::plural;
use crate::whereabouts::{Answered, Whereabouts, Writers};
use gopsy_locate::{Frame, MapUse};
use std::collections::{BTreeMap, HashSet};

/// Types of maps that are named where none fits.
const TYPES: usize = 30;

/// The part of the page that tells who uses a map.
pub(super) fn writers(canvas: &mut Canvas, found: &Whereabouts, answered: &Answered, writers: &Writers) {
    let mut types: BTreeMap<&str, Vec<&MapUse>> = BTreeMap::new();
    for one in &writers.uses {
        types.entry(one.type_name.as_deref().unwrap_or_default()).or_default().push(one);
    }
    let program = Line::new().dim(subject(found, answered));
    if types.is_empty() {
        canvas.sides(&Line::of(Ink::Bold, &writers.asked), &program);
        // Where some calls or functions were not understood, "none" would be a guess.
        let all_known = writers.unresolved.is_empty() && writers.not_read == 0;
        canvas.wrap(
            2,
            2,
            &Line::new().plain(if all_known {
                "no call of a map function in Go code with a map of this type"
            } else {
                "no call of a map function in Go code is known to be with a map of this type; not all calls are known"
            }),
        );
        if !writers.types.is_empty() {
            canvas.gap();
            canvas.raw(2, &Line::new().dim("types that are used so:"));
        }
        for name in writers.types.iter().take(TYPES) {
            canvas.wrap(4, 8, &Line::new().plain(name));
        }
        if writers.types.len() > TYPES {
            canvas.raw(4, &Line::new().dim(&format!("… and {} more", writers.types.len() - TYPES)));
        }
    }
    for (i, (name, uses)) in types.iter().enumerate() {
        canvas.gap();
        let right = if i == 0 { &program } else { &Line::new() };
        canvas.sides(&Line::of(Ink::Bold, name), right);
        let functions: HashSet<_> = uses.iter().filter_map(|u| u.frames.last()?.function.as_deref()).collect();
        let (places, of) = (plural(count(uses.len()), "place"), plural(count(functions.len()), "function"));
        canvas.raw(2, &Line::new().dim(&format!("{places} in {of}")));
        for one in uses {
            row(canvas, found, one);
        }
    }
    unresolved(canvas, found, writers);
}

fn unresolved(canvas: &mut Canvas, found: &Whereabouts, writers: &Writers) {
    if !writers.unresolved.is_empty() {
        canvas.gap();
        let number = writers.unresolved.len();
        let text = format!("type not resolved: {}", plural(count(number), "call"));
        canvas.wrap(2, 2, &Line::of(Ink::Bold, &text).dim("  (they may be of this type)"));
        for one in writers.unresolved.iter().take(LISTED) {
            row(canvas, found, one);
        }
        if number > LISTED {
            canvas.raw(4, &Line::new().dim(&format!("… and {} more; --json lists all", number - LISTED)));
        }
    }
    if writers.of_the_runtime > 0 {
        canvas.gap();
        let calls = plural(count(writers.of_the_runtime), "call");
        let text = format!("{calls} of the runtime's own take any map: what package reflect does is not followed.");
        canvas.wrap(2, 2, &Line::new().dim(&text));
    }
    if writers.not_read > 0 {
        canvas.gap();
        let functions = plural(count(writers.not_read), "function");
        canvas.wrap(2, 2, &Line::of(Ink::Alarm, &format!("the code of {functions} could not be read")));
    }
}

fn row(canvas: &mut Canvas, found: &Whereabouts, one: &MapUse) {
    let Some(first) = one.frames.first() else { return };
    let name = |f: &Frame| f.function.clone().unwrap_or_else(|| "a function without a name".to_owned());
    let text = found.source(first.at.file.as_deref(), first.at.line).map(str::trim).unwrap_or_default();
    let head = Line::of(Ink::Bold, &format!("{:<8}", one.operation.as_str()))
        .plain(&format!("  {}", name(first)))
        .dim(&format!("  {}", short_line(&first.at)));
    canvas.wrap(4, 14, &head);
    for outer in one.frames.iter().skip(1) {
        canvas.wrap(14, 16, &Line::new().dim(&format!("inlined in {}  {}", name(outer), short_line(&outer.at))));
    }
    if !text.is_empty() {
        canvas.wrap(14, 16, &Line::new().plain(text));
    }
}
