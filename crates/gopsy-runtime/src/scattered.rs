//! Goroutines whose list is lost, by the marks that each bears.
//!
//! `newproc1` writes into `sched.g` of each new goroutine where that stands itself, and nobody writes anything else there
//! (`runtime/proc.go`, Go 1.16 to 1.27): a word that holds the address of the g which it would be a member of.

use crate::Runtime;
use gopsy_mem::{Addr, Range};
use gopsy_model::Status;
use std::collections::HashSet;

/// What is read at once.
const PIECE: u64 = 1 << 20;
/// Marks of what is no goroutine, at most: memory that is full of them was not written by Go.
const MOST_REFUSED: u32 = 1 << 20;
/// A word.
const WORD: u64 = 8;
/// The least stack of a goroutine, and the largest that is believed (`_StackMin`, `maxstackceiling` in `runtime/stack.go`).
const LEAST_STACK: u64 = 2048;
const LARGEST_STACK: u64 = 2 << 30;

impl Runtime<'_> {
    /// The goroutines that stand in these stretches of memory, other than those that are known, by their numbers. Dead ones are among
    /// them.
    pub(crate) fn scattered(&self, stretches: &[Range], known: &HashSet<Addr>) -> Vec<Addr> {
        let Some((offset, WORD)) = self.layouts.slots().sched_g.place else { return Vec::new() };
        let mut found: Vec<(u64, Addr)> = Vec::new();
        let mut refused = 0u32;
        let mut piece = vec![0u8; usize::try_from(PIECE).unwrap_or(0)];
        for stretch in stretches {
            let mut at = stretch.start;
            while at < stretch.end {
                let len = stretch.end.offset_from(at).unwrap_or(0).min(PIECE);
                let Some(bytes) = piece.get_mut(..usize::try_from(len).unwrap_or(0)) else { break };
                if self.mem.read(at, bytes).is_ok() {
                    let marks = marks(bytes, at, offset).filter(|g| !known.contains(g));
                    for g in marks {
                        match self.is_goroutine(g) {
                            Some(number) => found.push((number, g)),
                            None => refused = refused.saturating_add(1),
                        }
                        if refused > MOST_REFUSED {
                            return Vec::new();
                        }
                    }
                }
                at = Range::new(at, len).end;
            }
        }
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|(_, g)| g).collect()
    }

    /// The number of the goroutine that stands there, if what is there can be one.
    fn is_goroutine(&self, g: Addr) -> Option<u64> {
        let (record, at) = (self.record(g), self.layouts.slots());
        let number = record.word(at.goid).into_value().filter(|id| *id > 0 && *id < 1 << 48)?;
        let standing = self.standing(g);
        let status = standing.status?;
        let known = !matches!(status, Status::Other(_));
        let dead = status == Status::Dead;
        let stack = standing.stack.is_some_and(|stack| {
            let holds = standing.sched.is_some_and(|s| stack.start <= s.sp && s.sp <= stack.end);
            (LEAST_STACK..=LARGEST_STACK).contains(&stack.len()) && holds
        });
        (known && (dead || stack)).then_some(number)
    }
}

/// Where the words of these bytes, which begin at `at`, hold the address of a struct that has them at that offset.
fn marks(bytes: &[u8], at: Addr, offset: u64) -> impl Iterator<Item = Addr> {
    let (words, _) = bytes.as_chunks::<8>();
    (0u64..).zip(words).filter_map(move |(index, word)| {
        let g = Addr(u64::from_le_bytes(*word));
        let own = at.checked_add(index.checked_mul(WORD)?)?;
        (g.checked_add(offset) == Some(own)).then_some(g)
    })
}
