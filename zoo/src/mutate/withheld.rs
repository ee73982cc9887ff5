//! Cores of which a part is missing: what they state must be what the whole core states, or they must be silent.

use std::collections::HashSet;

use gopsy_explain::explain;
use gopsy_model::{Cause, Confidence, Frame, Goroutine, Kind, Known, WaitsAt};
use gopsy_program::{Program, StackId};

use super::change::Change;
use super::places::{Places, word};
use super::random::Random;
use super::victim::Victim;
use crate::differ::{Difference, compare};

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

/// What a core of which a part is missing states, and the whole one states otherwise or not at all.
///
/// Marks have no word for "not known": one that is not set says nothing. Nor says the time that a goroutine waited anything but
/// the least. A cause that is only possible is no statement.
pub fn false_statements(whole: &Program, part: &Program) -> Vec<String> {
    let different = compare(whole, part).into_iter().filter(|d| !d.absent && !says_nothing(d));
    // Behind a gap a stack is counted from its outer end, which may be missing.
    let different = different.filter(|d| !(is_of_frames(d) && has_gap(whole, part, d)));
    let mut seen = HashSet::new();
    let first_of_kind = different.filter(|d| seen.insert(d.kind));
    let mut found: Vec<String> = first_of_kind.map(|d| format!("{} (whole first): {d}", d.kind)).collect();
    found.extend(part.stacks().filter_map(|id| behind_gap(whole, part, id)));
    found.extend(part.goroutines().filter_map(|id| waits_elsewhere(whole, &part.goroutine(id))));
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

fn is_of_frames(difference: &Difference) -> bool {
    difference.kind.starts_with("frame.") || difference.kind.starts_with("stack.")
}

/// Whether the stack that a difference is about has a gap in one of the cores.
fn has_gap(whole: &Program, part: &Program, difference: &Difference) -> bool {
    let Some((of_whole, of_part)) = difference.goroutines.as_deref() else { return false };
    let gap = |program: &Program, of: &Goroutine| {
        program.stacks().any(|id| program.goroutine(id) == *of && !program.stack(id).elided.is_empty())
    };
    gap(whole, of_whole) || gap(part, of_part)
}

/// A frame that a stack with a gap has, and the whole one has not. Of one that is so deep that the whole one has a gap too, only
/// what stands before that is known.
fn behind_gap(whole: &Program, part: &Program, id: StackId) -> Option<String> {
    let (goroutine, stack) = (part.goroutine(id), part.stack(id));
    let number = goroutine.id.value()?;
    let counterpart = whole.stacks().find(|id| whole.goroutine(*id).id.value() == Some(number))?;
    let of_whole = whole.stack(counterpart);
    if stack.elided.is_empty() && of_whole.elided.is_empty() {
        return None;
    }
    let place = |frame: &Frame| {
        let function = frame.function.value().map(|name| name.as_str().to_owned());
        (function, frame.line.value().copied(), frame.pc.value().copied(), frame.sp.value().copied())
    };
    let known: HashSet<_> = of_whole.frames.iter().map(place).collect();
    let certain = of_whole.elided.first().map_or(usize::MAX, |gap| gap.after);
    let other = stack.frames.iter().take(certain).map(place).find(|frame| !known.contains(frame))?;
    Some(format!("a frame around a gap is another: {other:?} of goroutine {number}"))
}

/// What a goroutine is said to wait at, and does not.
fn waits_elsewhere(whole: &Program, of_part: &Goroutine) -> Option<String> {
    let (number, said) = (of_part.id.value()?, of_part.waits_at.value()?);
    let is_it = |g: &Goroutine| g.id.value() == Some(number);
    let of_whole = whole.goroutines().map(|id| whole.goroutine(id)).find(is_it)?;
    let known = of_whole.waits_at.value().map_or(&[][..], Vec::as_slice);
    let same = known.len() == said.len() && known.iter().zip(said).all(|(a, b)| is_same(a, b));
    (!same).then(|| format!("waits elsewhere: goroutine {number} at {said:?}, of the whole core {known:?}"))
}

/// Whether what is said of the one is not another thing than what is said of the other.
fn is_same(whole: &WaitsAt, part: &WaitsAt) -> bool {
    fn agree<T: PartialEq>(whole: &Known<T>, part: &Known<T>) -> bool {
        part.value().is_none() || part.value() == whole.value()
    }
    match (whole, part) {
        (
            WaitsAt::Channel { address, element, len, capacity, closed },
            WaitsAt::Channel { address: at, element: of, len: held, capacity: room, closed: shut },
        ) => address == at && agree(element, of) && agree(len, held) && agree(capacity, room) && agree(closed, shut),
        (whole, part) => whole == part,
    }
}

fn says_nothing(difference: &Difference) -> bool {
    let fewer = |text: &str, core: &str| match (text.parse::<u64>(), core.parse::<u64>()) {
        (Ok(text), Ok(core)) => core <= text,
        _ => false,
    };
    match difference.kind {
        "goroutine.locked-to-thread" | "goroutine.scan" | "goroutine.leaked" | "goroutine.durable" => {
            difference.core == "no"
        }
        "goroutine.bubble" => difference.core == "None",
        "goroutine.minutes" => fewer(&difference.text, &difference.core),
        // A dead one cannot be told where its state is missing.
        "goroutine.extra" => difference.core.starts_with("one that is of no known status"),
        _ => false,
    }
}
