//! `gopsy where --writes`.

use super::canvas::{Canvas, Ink, Line};
use super::whereabouts::{LISTED, short_line};
use crate::whereabouts::{Whereabouts, Writers};
use gopsy_locate::{Frame, MapUse, SourceLine};
use std::collections::{BTreeMap, HashSet};

/// Types of maps that are named where none fits.
const TYPES: usize = 30;

/// The part of the page that tells who uses a map.
pub(super) fn writers(canvas: &mut Canvas, found: &Whereabouts, writers: &Writers) {
    let mut types: BTreeMap<&str, Vec<&MapUse>> = BTreeMap::new();
    for one in &writers.uses {
        types.entry(one.type_name.as_deref().unwrap_or_default()).or_default().push(one);
    }
    let program = Line::new().dim(found.program.as_deref().unwrap_or_default());
    if types.is_empty() {
        canvas.sides(&Line::of(Ink::Bold, &writers.asked), &program);
        canvas.wrap(2, 2, &Line::new().plain("no call of a map function in Go code with a map of this type"));
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
        let places = if uses.len() == 1 { "1 place".to_owned() } else { format!("{} places", uses.len()) };
        let of = if functions.len() == 1 { "1 function".to_owned() } else { format!("{} functions", functions.len()) };
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
        let count = writers.unresolved.len();
        let text = if count == 1 { "type not resolved: 1 call" } else { "type not resolved:" };
        let text = if count == 1 { text.to_owned() } else { format!("{text} {count} calls") };
        canvas.wrap(2, 2, &Line::of(Ink::Bold, &text).dim("  (they may be of this type)"));
        for one in writers.unresolved.iter().take(LISTED) {
            row(canvas, found, one);
        }
        if count > LISTED {
            canvas.raw(4, &Line::new().dim(&format!("… and {} more; --json lists all", count - LISTED)));
        }
    }
    if writers.of_the_runtime > 0 {
        canvas.gap();
        let calls = if writers.of_the_runtime == 1 { "1 call" } else { &*format!("{} calls", writers.of_the_runtime) };
        let text = format!("{calls} of the runtime's own take any map: what package reflect does is not followed.");
        canvas.wrap(2, 2, &Line::new().dim(&text));
    }
}

fn row(canvas: &mut Canvas, found: &Whereabouts, one: &MapUse) {
    let frame = |f: &gopsy_image::SourceFrame| Frame {
        function: f.function.clone(),
        at: SourceLine { file: f.file.clone(), line: f.line.and_then(|l| u64::try_from(l).ok()) },
    };
    let frames: Vec<Frame> = one.frames.iter().map(frame).collect();
    let Some(first) = frames.first() else { return };
    let name = |f: &Frame| f.function.clone().unwrap_or_else(|| "a function without a name".to_owned());
    let text = found.source(first.at.file.as_deref(), first.at.line).map(str::trim).unwrap_or_default();
    let head = Line::of(Ink::Bold, &format!("{:<8}", one.operation.as_str()))
        .plain(&format!("  {}", name(first)))
        .dim(&format!("  {}", short_line(&first.at)));
    canvas.wrap(4, 14, &head);
    for outer in frames.iter().skip(1) {
        canvas.wrap(14, 16, &Line::new().dim(&format!("inlined in {}  {}", name(outer), short_line(&outer.at))));
    }
    if !text.is_empty() {
        canvas.wrap(14, 16, &Line::new().plain(text));
    }
}
