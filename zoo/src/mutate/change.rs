//! The kinds of damage.

use std::fmt;

use super::places::{Places, word};
use super::random::Random;
use super::victim::Victim;

const PAGE: usize = 4096;

/// One change of a file.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// Bytes at an offset were replaced.
    Word { part: String, at: usize, len: usize, value: u64 },
    /// A page was emptied.
    Emptied(usize),
    /// A page took the place of another.
    Copied { from: usize, to: usize },
    /// A field of two program headers was exchanged.
    Swapped { headers: (usize, usize), field: usize },
    /// The file ends there.
    Cut(usize),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Word { part, at, len, value } => write!(f, "{len} bytes of {part} at {at:#x} are {value:#x}"),
            Change::Emptied(at) => write!(f, "the page at {at:#x} is empty"),
            Change::Copied { from, to } => write!(f, "the page at {to:#x} is that at {from:#x}"),
            Change::Swapped { headers: (a, b), field } => {
                write!(f, "the program headers at {a:#x} and {b:#x} have exchanged their fields {field:#x}")
            }
            Change::Cut(len) => write!(f, "the file ends at {len:#x}"),
        }
    }
}

/// How many changes there are in one case: mostly one, so that it is known what did it.
fn count(random: &mut Random) -> usize {
    match random.below(16) {
        0..9 => 1,
        9..14 => 2 + random.below(8),
        _ => 10 + random.below(200),
    }
}

/// Damages a file.
pub(super) fn damage(victim: &mut Victim, places: &Places, random: &mut Random) -> Vec<Change> {
    (0..count(random)).filter_map(|_| once(victim, places, random)).collect()
}

fn once(victim: &mut Victim, places: &Places, random: &mut Random) -> Option<Change> {
    match random.below(100) {
        0..4 => {
            let len = random.below(victim.len());
            victim.cut(len);
            Some(Change::Cut(len))
        }
        4..7 => {
            let headers = (*random.one_of(&places.headers)?, *random.one_of(&places.headers)?);
            // Offset, address, size in the file, size in memory.
            let field = *random.one_of(&[8, 16, 32, 40])?;
            let one = victim.bytes(headers.0 + field, 8).to_vec();
            let other = victim.bytes(headers.1 + field, 8).to_vec();
            victim.write(headers.0 + field, &other);
            victim.write(headers.1 + field, &one);
            Some(Change::Swapped { headers, field })
        }
        7..11 => {
            let page = page(victim, places, random)?;
            victim.write(page, &[0; PAGE]);
            Some(Change::Emptied(page))
        }
        11..13 => {
            let (from, to) = (page(victim, places, random)?, page(victim, places, random)?);
            let bytes = victim.bytes(from, PAGE).to_vec();
            victim.write(to, &bytes);
            Some(Change::Copied { from, to })
        }
        _ => replace(victim, places, random),
    }
}

/// A page that holds something; half of the time one that matters.
fn page(victim: &Victim, places: &Places, random: &mut Random) -> Option<usize> {
    let page = match random.below(2) {
        0 => *random.one_of(&places.pages)?,
        _ => place(places, random)?.1 / PAGE * PAGE,
    };
    Some(page.min(victim.len().saturating_sub(PAGE)))
}

/// Somewhere in a part: its name and an offset in the file.
fn place<'a>(places: &'a Places, random: &mut Random) -> Option<(&'a str, usize)> {
    let mut at = random.below(places.parts.iter().map(|p| p.weight).sum());
    let part = places.parts.iter().find(|part| {
        let here = at < part.weight;
        at = at.saturating_sub(part.weight);
        here
    })?;
    let range = random.one_of(&part.ranges)?;
    let within = random.below(range.len());
    // Words stand at multiples of their size.
    let within = if random.below(8) == 0 { within } else { within / 8 * 8 };
    Some((&part.name, range.start + within))
}

fn replace(victim: &mut Victim, places: &Places, random: &mut Random) -> Option<Change> {
    let (part, at) = place(places, random)?;
    let len = *random.one_of(&[8, 8, 8, 8, 4, 4, 2, 1])?;
    let old = word(victim.bytes(at, 8), 0).unwrap_or(0);
    let value = value(old, places.address(at), victim, places, random);
    victim.write(at, &value.to_le_bytes()[..len]);
    let value = if len < 8 { value & ((1 << (8 * len)) - 1) } else { value };
    Some(Change::Word { part: part.to_owned(), at, len, value })
}

/// What a word becomes. Wrong addresses that are addresses lead further than noise.
fn value(old: u64, here: Option<u64>, victim: &Victim, places: &Places, random: &mut Random) -> u64 {
    let structure = |random: &mut Random| random.one_of(&places.structures).copied().unwrap_or(old);
    match random.below(16) {
        0 => 0,
        1 => u64::MAX,
        2 => 1 << 63,
        3 | 4 => here.unwrap_or(old.wrapping_add(1)).wrapping_sub(random.below(8) as u64 * 8),
        5 | 6 => structure(random),
        7 => structure(random).wrapping_add(random.below(64) as u64 * 8),
        8 => old.wrapping_add(8),
        9 => old.wrapping_sub(8),
        10 | 11 => old ^ (1 << random.below(64)),
        12 => random.below(1 << 12) as u64,
        13 => 1 << random.below(64),
        14 => {
            let other = place(places, random).map_or(0, |(_, at)| at);
            word(victim.bytes(other, 8), 0).unwrap_or(old)
        }
        _ => random.next(),
    }
}
