//! Lines that wait until enough is known of what follows: where a carrier is learnt, the lines around it decide.

use crate::scan;
use std::collections::VecDeque;

/// Bytes that are kept of what was read.
const BEHIND: usize = 1 << 14;
/// Bytes that must follow a line, unless the text ends.
const AHEAD: usize = 1 << 13;
/// A line longer than this does not wait: nothing that teaches a carrier is so long.
const LONG: usize = 1 << 16;

/// Some lines of a text, around the one that is being read.
#[derive(Default)]
pub(crate) struct Window {
    bytes: Vec<u8>,
    /// What stands before was read.
    from: usize,
    /// Number and length of each line that was not.
    waiting: VecDeque<(u64, usize)>,
}

/// A line and what stands around it.
pub(crate) struct InWindow<'a> {
    pub(crate) number: u64,
    pub(crate) line: &'a [u8],
    pub(crate) before: &'a [u8],
    pub(crate) after: &'a [u8],
}

impl Window {
    /// Drops what stands far behind.
    fn forget(&mut self) {
        self.bytes.drain(..self.from.saturating_sub(BEHIND));
        self.from = BEHIND;
        // A very long line need not be paid for to the end.
        if self.bytes.capacity() / 8 > self.bytes.len() {
            self.bytes.shrink_to(self.bytes.len().saturating_mul(2));
        }
    }

    /// One more line follows.
    pub(crate) fn push(&mut self, number: u64, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
        self.waiting.push_back((number, line.len()));
    }

    /// The next line of which enough is known; with `all`, the next line.
    pub(crate) fn next(&mut self, all: bool) -> Option<InWindow<'_>> {
        if self.from > BEHIND.saturating_mul(3) {
            self.forget();
        }
        let &(number, length) = self.waiting.front()?;
        let start = self.from;
        let end = start.saturating_add(length);
        let enough = length > LONG || self.bytes.len().saturating_sub(end) > AHEAD;
        if !all && !enough {
            return None;
        }
        self.waiting.pop_front();
        self.from = end.saturating_add(1);
        Some(InWindow {
            number,
            line: scan::between(&self.bytes, start, end),
            before: scan::between(&self.bytes, start.saturating_sub(BEHIND), start),
            after: scan::upto(scan::from(&self.bytes, self.from), AHEAD),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_comes_once_with_its_surroundings() {
        let mut window = Window::default();
        let mut got = Vec::new();
        let mut take = |w: &mut Window, all: bool| {
            while let Some(l) = w.next(all) {
                assert!(l.before.len() <= BEHIND && l.after.len() <= AHEAD);
                assert!(got.is_empty() == l.before.is_empty());
                assert!(all || l.line.len() > LONG || l.after.len() == AHEAD);
                got.push((l.number, String::from_utf8_lossy(l.line).into_owned()));
            }
        };
        let line = |i: u64| if i == 500 { "x".repeat(1 << 20) } else { format!("line {i}") };
        for i in 0..10_000 {
            window.push(i, line(i).as_bytes());
            take(&mut window, false);
        }
        take(&mut window, true);
        assert!(window.bytes.capacity() < 1 << 19, "{}", window.bytes.capacity());
        assert_eq!(got.len(), 10_000);
        assert!(got.iter().enumerate().all(|(i, (number, text))| *number == i as u64 && *text == line(i as u64)));
    }
}
