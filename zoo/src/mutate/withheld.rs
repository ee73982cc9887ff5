//! Cores of which a part is missing: what they state must be what the whole core states, or they must be silent.

use gopsy_explain::explain;
use gopsy_model::{Cause, Confidence, Kind};
use gopsy_program::Program;

use super::change::Change;
use super::places::{Places, word};
use super::random::Random;
use super::victim::Victim;
use crate::reading::Reading;

/// Where a program header says how much of its memory the file holds (`p_filesz`).
const FILE_SIZE: usize = 32;
const PAGE: u64 = 4096;

/// Takes parts of a core away, as a full disk, a filter or a limit would: its end, or the ends of stretches of memory.
pub(super) fn withhold(core: &mut Victim, places: &Places, random: &mut Random) -> Vec<Change> {
    if random.below(3) == 0 {
        let len = random.below(core.len());
        core.cut(len);
        return vec![Change::Cut(len)];
    }
    let mut changes = Vec::new();
    for _ in 0..=random.below(6) {
        let Some(header) = random.one_of(&places.headers).copied() else { break };
        let is_memory = word(core.bytes(header, 8), 0).is_some_and(|kind| kind as u32 == 1);
        let held = word(core.bytes(header + FILE_SIZE, 8), 0).unwrap_or(0);
        if !is_memory || held == 0 {
            continue;
        }
        // Most of a heap is empty: what is used stands at its beginning.
        let most = if random.below(2) == 0 { held } else { held.min(64 * PAGE) };
        let kept = random.next() % most / PAGE * PAGE;
        core.write(header + FILE_SIZE, &kept.to_le_bytes());
        let part = "program headers".to_owned();
        changes.push(Change::Word { part, at: header + FILE_SIZE, len: 8, value: kept });
    }
    changes
}

/// What a core of which a part is missing states, and the whole one states otherwise or not at all. A cause that is only
/// possible is no statement.
pub fn false_statements(whole: &Program, part: &Program) -> Vec<String> {
    let mut found = Reading::of(whole, part).false_statements;
    let (of_whole, of_part) = (explain(whole), explain(part));
    // A program may panic with the very words of the runtime; by its frames alone such a panic is what it is.
    let imitated = of_part.kind == Kind::CustomPanic && panicked_by_itself(whole);
    if ![of_whole.kind, Kind::Unknown].contains(&of_part.kind) && !imitated {
        found.push(format!("the kind is {:?}, of the whole core {:?}", of_part.kind, of_whole.kind));
    }
    let sure = matches!(of_part.confidence, Confidence::Likely | Confidence::Certain);
    if sure && ![of_whole.cause, Cause::Unknown].contains(&of_part.cause) {
        found.push(format!("the cause is {:?}, of the whole core {:?}", of_part.cause, of_whole.cause));
    }
    found
}

/// Whether code of the program called `panic`.
fn panicked_by_itself(program: &Program) -> bool {
    let stack = program.crashed().map(|id| program.stack(id)).unwrap_or_default();
    let names: Vec<&str> = stack.frames.iter().filter_map(|f| f.function.value()).map(|f| f.as_str()).collect();
    let raised = names.iter().rposition(|name| *name == "panic").and_then(|at| names.get(at + 1));
    raised.is_some_and(|by| by.starts_with("main."))
}
