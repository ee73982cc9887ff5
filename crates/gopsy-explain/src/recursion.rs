//! A function that calls itself, directly or in a circle.

use gopsy_model::Frame;

/// The longest circle that is looked for.
const MAX_PERIOD: usize = 64;
/// Frames that are compared: a stack overflow fills thousands with the same ones.
const LOOK: usize = 400;

/// Frames that repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cycle {
    /// Where the repetition begins.
    pub(crate) start: usize,
    /// Frames in one round.
    pub(crate) period: usize,
    /// Rounds that were seen.
    pub(crate) times: usize,
}

/// The shortest circle that fills most of the inner end of a stack. Functions count, not their lines: a walk that
/// calls itself from two places is one circle.
pub(crate) fn cycle(frames: &[Frame]) -> Option<Cycle> {
    let frames = frames.get(..frames.len().min(LOOK)).unwrap_or(frames);
    let name = |i: usize| frames.get(i).and_then(|f| f.function.value()).map(|n| n.as_str());
    // Arguments, carriers and the call that overflowed may stand in front.
    for start in 0..frames.len().min(12) {
        if name(start).is_none_or(crate::packages::is_carrier) {
            continue;
        }
        for period in 1..=MAX_PERIOD.min(frames.len() / 2) {
            let mut same = 0;
            while start + period + same < frames.len() && name(start + same) == name(start + period + same) {
                same += 1;
            }
            let times = same / period + 1;
            if times >= 3 && same + period >= (frames.len() - start) / 2 {
                return Some(Cycle { start, period, times });
            }
        }
    }
    loose(frames)
}

/// A circle that does not repeat exactly (a walk over a tree of several kinds of nodes): the function that stands
/// there again and again.
fn loose(frames: &[Frame]) -> Option<Cycle> {
    let mut count: std::collections::HashMap<&str, (usize, usize)> = std::collections::HashMap::new();
    for (i, f) in frames.iter().enumerate() {
        if let Some(n) = f.function.value().filter(|n| !crate::packages::is_carrier(n.as_str())) {
            let entry = count.entry(n.as_str()).or_insert((0, i));
            entry.0 += 1;
        }
    }
    let (times, start) = count.into_values().max_by_key(|(n, at)| (*n, usize::MAX - at))?;
    (times >= 3 && times * 4 >= frames.len()).then_some(Cycle { start, period: 1, times })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::frame;

    fn stack(names: &[&str]) -> Vec<Frame> {
        names.iter().map(|n| frame(n, "/a/b.go", 1)).collect()
    }

    #[test]
    fn circles() {
        let mut names = vec!["runtime.newstack", "main.leaf"];
        for _ in 0..20 {
            names.extend(["main.a", "main.b"]);
        }
        let c = cycle(&stack(&names));
        assert_eq!(c.map(|c| (c.start, c.period)), Some((2, 2)));
        assert_eq!(cycle(&stack(&["main.a", "main.b", "main.c", "main.main"])), None);
        assert_eq!(cycle(&stack(&[])), None);
    }
}
