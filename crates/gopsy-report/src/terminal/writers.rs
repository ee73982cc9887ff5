//! `gopsy where --writes`.

use super::canvas::{Canvas, Ink, Line};
use super::count;
use super::whereabouts::{LISTED, short_line, subject};
use crate::names::plural;
use crate::whereabouts::{Answered, TypeNames, Whereabouts, Writers};
use gopsy_locate::{Frame, MapUse};
use gopsy_mem::LinkAddr;
use std::collections::{BTreeMap, HashSet};

/// Types of maps that are named where none fits.
const TYPES: usize = 30;

/// Uses of maps, by their types; in the order of the types' names.
fn by_type<'w>(uses: &'w [MapUse], names: &'w TypeNames) -> BTreeMap<(&'w str, LinkAddr), Vec<&'w MapUse>> {
    let mut types: BTreeMap<_, Vec<&MapUse>> = BTreeMap::new();
    for (one, of) in uses.iter().filter_map(|one| Some((one, one.of_type.as_ref()?))) {
        types.entry((names.name(of), of.descriptor)).or_default().push(one);
    }
    types
}

/// The part of the page that tells who uses a map.
pub(super) fn writers(canvas: &mut Canvas, found: &Whereabouts, answered: &Answered, writers: &Writers) {
    let of = &writers.found;
    let types = by_type(&of.uses, &writers.names);
    let program = Line::new().dim(subject(found, answered));
    if types.is_empty() {
        canvas.sides(&Line::of(Ink::Bold, &writers.asked), &program);
        none(canvas, writers);
    }
    for (i, ((name, _), uses)) in types.iter().enumerate() {
        canvas.gap();
        let right = if i == 0 { &program } else { &Line::new() };
        canvas.sides(&Line::of(Ink::Bold, name), right);
        places(canvas, found, uses);
    }
    for ((name, _), uses) in by_type(&of.by_conversion, &writers.names) {
        canvas.gap();
        canvas.wrap(0, 2, &Line::of(Ink::Bold, name));
        let text = "has the same keys and elements: by conversion, the same map may be written as this type";
        canvas.wrap(2, 2, &Line::new().dim(text));
        places(canvas, found, &uses);
    }
    unresolved(canvas, found, writers);
}

fn none(canvas: &mut Canvas, writers: &Writers) {
    // Where some calls or functions were not understood, "none" would be a guess.
    let all_known = writers.found.unresolved.is_empty() && writers.not_read == 0;
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

fn places(canvas: &mut Canvas, found: &Whereabouts, uses: &[&MapUse]) {
    let functions: HashSet<_> = uses.iter().filter_map(|u| u.frames.last()?.function.as_deref()).collect();
    let (places, of) = (plural(count(uses.len()), "place"), plural(count(functions.len()), "function"));
    canvas.raw(2, &Line::new().dim(&format!("{places} in {of}")));
    for one in uses {
        row(canvas, found, one);
    }
}

fn unresolved(canvas: &mut Canvas, found: &Whereabouts, writers: &Writers) {
    let of = &writers.found;
    if !of.unresolved.is_empty() {
        canvas.gap();
        let number = of.unresolved.len();
        let text = format!("type not resolved: {}", plural(count(number), "call"));
        canvas.wrap(2, 2, &Line::of(Ink::Bold, &text).dim("  (they may be of this type)"));
        for one in of.unresolved.iter().take(LISTED) {
            row(canvas, found, one);
        }
        if number > LISTED {
            canvas.raw(4, &Line::new().dim(&format!("… and {} more; --json lists all", number - LISTED)));
        }
    }
    if of.cannot_be > 0 {
        canvas.gap();
        let calls = plural(count(of.cannot_be), "call");
        let text =
            format!("{calls} more of a type that is not resolved: what is called there takes no maps of this type.");
        canvas.wrap(2, 2, &Line::new().dim(&text));
    }
    if of.of_the_runtime > 0 {
        canvas.gap();
        let calls = plural(count(of.of_the_runtime), "call");
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
    if one.passed {
        canvas.wrap(14, 16, &Line::new().dim("generic: the type is in the dictionary that its callers pass"));
    }
}
