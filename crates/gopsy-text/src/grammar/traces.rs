//! Traces that a logger printed over several lines: names without arguments, places below them, no header (zap's console
//! form, `%+v` of errors that carry a stack).
//!
//! Any logged error has such a trace. It is somebody's death only if a panic was under way, which is known at its end: so
//! the lines wait, and are noise if there was none.

use super::Grammar;
use crate::escaped;
use crate::frame;
use crate::headline::Said;
use crate::scan;

/// Bytes of a trace that wait for its end.
const MAX_TRACE: usize = 1 << 16;

/// Bytes of the line before it that are kept, of every line of a log.
const MAX_HEAD: usize = 1 << 12;

/// A trace that is being read.
#[derive(Default)]
pub(super) struct Waiting {
    /// The log's line before it, and its number.
    head: Vec<u8>,
    line: u64,
    /// Names and places, each with its line feed.
    text: Vec<u8>,
    /// The last line is a name that waits for its place.
    named: bool,
}

impl Grammar {
    /// Takes the line if it begins a trace or belongs to the one that is being read; else that one is over.
    pub(super) fn trace_line(&mut self, line: &[u8]) -> bool {
        let waiting = &mut self.trace;
        let taken = match line.strip_prefix(b"\t") {
            Some(place) if waiting.named => {
                waiting.named = false;
                frame::file_line(place).is_some_and(|f| frame::is_surely_source(f.path))
            }
            None if !waiting.named && may_be_name(line) => {
                waiting.named = true;
                true
            }
            _ => false,
        };
        if taken && waiting.text.len().saturating_add(line.len()) < MAX_TRACE {
            waiting.text.extend_from_slice(line);
            waiting.text.push(b'\n');
            return true;
        }
        self.end_trace();
        false
    }

    /// Whether a trace is being read.
    pub(super) fn in_trace(&self) -> bool {
        !self.trace.text.is_empty()
    }

    /// A log's line was read: a trace may follow.
    pub(super) fn before_trace(&mut self, line: &[u8]) {
        self.trace.head.clear();
        self.trace.head.extend_from_slice(scan::upto(line, MAX_HEAD));
        self.trace.line = self.crashes.line;
    }

    /// The trace is over: it is a death, or its lines are noise.
    pub(super) fn end_trace(&mut self) {
        if self.trace.text.is_empty() {
            return;
        }
        let Waiting { head, text, line, .. } = std::mem::take(&mut self.trace);
        if !escaped::is_of_panic(&text) || head.is_empty() {
            text.split(|&c| c == b'\n').filter(|l| !l.is_empty()).for_each(|l| self.crashes.noise(l));
            return;
        }
        // It began where the log told of it.
        let now = std::mem::replace(&mut self.crashes.line, line);
        self.logged_trace(escaped::told_panic(&head).as_deref(), &text, &head);
        self.crashes.line = now;
    }

    /// A stack that a logger printed in its own form, and what it says of the panic.
    pub(super) fn logged_trace(&mut self, panic: Option<&[u8]>, text: &[u8], line: &[u8]) {
        self.close();
        match panic {
            Some(value) => self.crashes.say(&Said::Serving { who: b"log", value }, line, false),
            // A death of its own all the same.
            None => self.crashes.before_headline(false),
        }
        self.start_bare(gopsy_model::Role::Bare);
        for (name, place) in escaped::trace_frames(text) {
            self.foreign_frame(name, place.path, place.line, 0);
        }
        self.close();
    }
}

/// `main.(*T).F`, `github.com/a/b.F`: a function's name alone on its line.
fn may_be_name(line: &[u8]) -> bool {
    scan::at(line, 0).is_ascii_alphabetic()
        && line.contains(&b'.')
        && !line.ends_with(b")")
        && !line.ends_with(b":")
        && !line.ends_with(b".")
        && frame::is_name(line)
}
