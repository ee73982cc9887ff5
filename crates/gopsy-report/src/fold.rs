//! Recursions in a stack, folded.

use gopsy_model::{Frame, FunctionName, Known, Stack};
use gopsy_program::key::KeyHasher;

/// A part of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Frames as they are: from, to (exclusive).
    Frames(usize, usize),
    /// `period` frames from `start` on, `times` in a row.
    Cycle {
        /// The first frame.
        start: usize,
        /// How many frames repeat.
        period: usize,
        /// How often they stand there.
        times: u64,
    },
    /// Frames that the source does not have: the number of the gap in [`Stack::elided`].
    Gap(usize),
}

/// The longest recursion that is looked for, in functions that call each other.
const MAX_PERIOD: usize = 32;
/// Fewer repetitions are shorter unfolded.
const MIN_TIMES: usize = 3;

/// The parts of a stack, innermost first. Frames are the same if function, file and line are.
///
/// Time grows with the frames times `MAX_PERIOD`; nothing is allocated but the keys and the parts.
#[must_use]
pub fn fold(stack: &Stack) -> Vec<Part> {
    let keys: Vec<u64> = stack.frames.iter().map(frame_key).collect();
    let mut parts = Vec::new();
    let mut from = 0;
    for (number, gap) in stack.elided.iter().enumerate() {
        let at = gap.after.clamp(from, keys.len());
        fold_run(&keys, from, at, &mut parts);
        parts.push(Part::Gap(number));
        from = at;
    }
    fold_run(&keys, from, keys.len(), &mut parts);
    join_over_gaps(stack, &keys, parts)
}

fn fold_run(keys: &[u64], from: usize, to: usize, parts: &mut Vec<Part>) {
    let mut plain = from;
    let mut at = from;
    while at < to {
        // The shortest period that repeats often enough wins: `f f f f` is one frame four times.
        let found = (1..=MAX_PERIOD).find_map(|period| {
            let times = repetitions(keys, at, to, period);
            (times >= MIN_TIMES).then_some((period, times))
        });
        match found {
            Some((period, times)) => {
                if plain < at {
                    parts.push(Part::Frames(plain, at));
                }
                parts.push(Part::Cycle { start: at, period, times: times as u64 });
                at += period * times;
                plain = at;
            }
            None => at += 1,
        }
    }
    if plain < to {
        parts.push(Part::Frames(plain, to));
    }
}

/// How often the `period` frames at `at` stand there in a row.
fn repetitions(keys: &[u64], at: usize, to: usize, period: usize) -> usize {
    let run = keys.get(at..to).unwrap_or(&[]);
    if run.len() < period * MIN_TIMES {
        return 0;
    }
    let same = run.iter().zip(run.get(period..).unwrap_or(&[])).take_while(|(a, b)| a == b).count();
    same / period + 1
}

/// The runtime prints the first and the last 50 frames of a long stack. When both ends are the same recursion and the
/// number of frames between them is known, it is one recursion: its frames are counted through the gap, unless it is known that others
/// are in it.
fn join_over_gaps(stack: &Stack, keys: &[u64], parts: Vec<Part>) -> Vec<Part> {
    let of_cycle = |gap: usize, start: usize, period: usize| {
        let gap = stack.elided.get(gap)?;
        let cycle = stack.frames.get(start..start.checked_add(period)?)?;
        let known = |name: &FunctionName| cycle.iter().any(|frame| frame.function.value() == Some(name));
        let others = gap.functions.iter().any(|(name, _)| !known(name));
        gap.count.value().copied().filter(|_| !others && (gap.functions.is_empty() || gap.is_whole()))
    };
    let mut out: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        let joined = match (out.as_slice(), part) {
            (
                [.., Part::Cycle { start, period, times }, Part::Gap(gap)],
                Part::Cycle { start: start2, period: period2, times: times2 },
            ) if period == &period2 && is_rotation(keys, *start, start2, period2) => of_cycle(*gap, *start, period2)
                .map(|count| Part::Cycle {
                    start: *start,
                    period: period2,
                    times: times.saturating_add(times2).saturating_add(count / period2 as u64),
                }),
            // The cut may stand in the middle of a cycle, which leaves a few of its frames before or behind the gap.
            (
                [.., Part::Cycle { start, period, times }, Part::Frames(from, to), Part::Gap(gap)],
                Part::Cycle { start: start2, period: period2, times: times2 },
            ) if period == &period2 && to - from < *period && is_rotation(keys, *start, start2, period2) => {
                of_cycle(*gap, *start, period2).map(|count| Part::Cycle {
                    start: *start,
                    period: period2,
                    times: times
                        .saturating_add(times2)
                        .saturating_add(count.saturating_add((to - from) as u64) / period2 as u64),
                })
            }
            _ => None,
        };
        match joined {
            Some(cycle) => {
                while matches!(out.last(), Some(Part::Gap(_) | Part::Frames(..))) {
                    out.pop();
                }
                out.pop();
                out.push(cycle);
            }
            None => out.push(part),
        }
    }
    out
}

fn is_rotation(keys: &[u64], a: usize, b: usize, period: usize) -> bool {
    let (Some(a), Some(b)) = (keys.get(a..a + period), keys.get(b..b + period)) else { return false };
    (0..period).any(|shift| a.iter().cycle().skip(shift).zip(b).all(|(x, y)| x == y))
}

fn frame_key(frame: &Frame) -> u64 {
    let mut hasher = KeyHasher::new();
    match &frame.function {
        Known::Have { value, .. } => hasher.text(value.as_str()),
        Known::Missing(_) => hasher.absent(),
    }
    match &frame.file {
        Known::Have { value, .. } => hasher.text(value),
        Known::Missing(_) => hasher.absent(),
    }
    hasher.number(frame.line.value().map_or(u64::MAX, |l| l.cast_unsigned()));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gopsy_model::Elision;

    fn stack(names: &str, gaps: &[(usize, Option<u64>)]) -> Stack {
        let frames = names.chars().map(|c| Frame::named(&c.to_string())).collect();
        let elided = gaps.iter().map(|(after, count)| Elision::of(*after, Known::printed_or_not(*count))).collect();
        Stack { frames, elided, ..Stack::default() }
    }

    #[test]
    fn recursions_are_folded() {
        assert_eq!(fold(&stack("xabc", &[])), [Part::Frames(0, 4)]);
        assert_eq!(
            fold(&stack("xaaaay", &[])),
            [Part::Frames(0, 1), Part::Cycle { start: 1, period: 1, times: 4 }, Part::Frames(5, 6)]
        );
        assert_eq!(
            fold(&stack("abcabcabcabz", &[])),
            [Part::Cycle { start: 0, period: 3, times: 3 }, Part::Frames(9, 12)]
        );
        assert_eq!(fold(&stack("ababz", &[])), [Part::Frames(0, 5)]);
        assert_eq!(fold(&stack("", &[])), []);
    }

    #[test]
    fn a_recursion_is_counted_through_a_gap() {
        assert_eq!(
            fold(&stack("xaaaaaaaay", &[(5, Some(1000))])),
            [Part::Frames(0, 1), Part::Cycle { start: 1, period: 1, times: 1008 }, Part::Frames(9, 10)]
        );
        assert_eq!(fold(&stack("abababbabababay", &[(6, None)])).get(1), Some(&Part::Gap(0)));
        let mut others = stack("xaaaaaaaay", &[(5, Some(1000))]);
        others.elided[0].functions = vec![(FunctionName("a".into()), 900), (FunctionName("b".into()), 100)];
        assert_eq!(fold(&others).get(2), Some(&Part::Gap(0)), "others are in it, too");
        // The cut stands inside a cycle: ababab a | gap of 4 | bababa. Only whole cycles are counted.
        assert_eq!(fold(&stack("abababababababa", &[(7, Some(4))])), [Part::Cycle { start: 0, period: 2, times: 9 }]);
    }

    #[test]
    fn a_gap_beyond_the_end_does_no_harm() {
        assert_eq!(fold(&stack("ab", &[(9, None), (1, None)])), [Part::Frames(0, 2), Part::Gap(0), Part::Gap(1)]);
    }
}
