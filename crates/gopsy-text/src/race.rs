//! Race reports: `WARNING: DATA RACE` up to the closing line, or as far as they go.

use crate::frame::{self, FileLine, FunctionShape};
use crate::scan::{self, Cursor};
use gopsy_model::{Access, AccessKind, Frame, Known, RaceReport, RaceSection, Stack};

/// At most so many reports of one text are kept whole; more are counted.
pub(crate) const MAX_REPORTS: usize = 1000;
/// Frames of one report that are kept.
const MAX_FRAMES: usize = 10_000;
/// Accesses and other sections of one report that are kept: the detector prints two or three of each.
const MAX_PARTS: usize = 64;

/// What a line did to the report that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It belongs to the report.
    Taken,
    /// The report ended with this line.
    Closed,
    /// The line does not belong to it: the report is over.
    Over,
}

/// Frames of all reports of one death that are kept.
pub(crate) const MAX_ALL_FRAMES: usize = 100_000;

/// A report that is being read.
#[derive(Default)]
pub(crate) struct RaceReader {
    pub(crate) report: RaceReport,
    /// Function line whose file line is awaited.
    pending: Option<Frame>,
    in_section: bool,
    /// The part that is being read is one too many.
    skip: bool,
    pub(crate) frames: usize,
    strangers: u32,
}

impl RaceReader {
    /// Reads one line (without blanks at its end).
    pub(crate) fn line(&mut self, line: &[u8]) -> Step {
        let (body, indent) = scan::trim_start(line);
        if body.is_empty() {
            self.flush();
            return Step::Taken;
        }
        if body.starts_with(b"==================") {
            self.flush();
            return Step::Closed;
        }
        if body.starts_with(b"WARNING: DATA RACE") || body.starts_with(b"Found ") {
            return Step::Over;
        }
        // No report has a goroutine's header in it: it was cut, and a dump follows.
        if body.starts_with(b"goroutine ") && crate::header::header(body).is_some() {
            return Step::Over;
        }
        if self.pending.is_some()
            && let Some(f) = frame::file_line(body)
            && (indent > 0 || frame::is_source_path(f.path))
        {
            self.attach(&f);
            return Step::Taken;
        }
        if let Some(access) = access(body) {
            self.flush();
            self.skip = self.report.accesses.len() >= MAX_PARTS;
            if !self.skip {
                self.report.accesses.push(access);
            }
            self.in_section = false;
            self.strangers = 0;
            return Step::Taken;
        }
        if let Some(section) = section(body) {
            self.flush();
            self.skip = self.report.sections.len() >= MAX_PARTS;
            if !self.skip {
                self.report.sections.push(section);
            }
            self.in_section = true;
            self.strangers = 0;
            return Step::Taken;
        }
        if body == b"[failed to restore the stack]" {
            if let Some(stack) = self.stack() {
                stack.unavailable = Some("failed to restore the stack".into());
            }
            return Step::Taken;
        }
        match frame::function_line(body) {
            FunctionShape::Whole(f) => {
                self.flush();
                self.pending = Some(new_frame(f.name, f.args));
                Step::Taken
            }
            FunctionShape::Word if indent > 0 => {
                self.flush();
                self.pending = Some(new_frame(body, b""));
                Step::Taken
            }
            _ if body == b"REPORT:" => Step::Over,
            _ => {
                // A line of another origin: a few are passed over, more end the report.
                self.strangers = self.strangers.saturating_add(1);
                if self.strangers > 3 || crate::headline::said(line).is_some() { Step::Over } else { Step::Taken }
            }
        }
    }

    fn stack(&mut self) -> Option<&mut Stack> {
        if self.in_section {
            self.report.sections.last_mut().map(|s| &mut s.stack)
        } else {
            self.report.accesses.last_mut().map(|a| &mut a.stack)
        }
    }

    fn attach(&mut self, f: &FileLine<'_>) {
        if let Some(frame) = &mut self.pending {
            frame.file = Known::printed(scan::text(f.path).into());
            frame.line = Known::printed(f.line);
            frame.offset = Known::printed_or_not(f.offset);
        }
        self.flush();
    }

    /// Puts the pending frame into its stack.
    pub(crate) fn flush(&mut self) {
        if let Some(frame) = self.pending.take()
            && !self.skip
            && self.frames < MAX_FRAMES
            && let Some(stack) = self.stack()
        {
            stack.frames.push(frame);
            self.frames = self.frames.saturating_add(1);
        }
    }
}

fn new_frame(name: &[u8], args: &[u8]) -> Frame {
    Frame { inlined: args == b"...", ..Frame::named(&scan::text(name)) }
}

/// Whether a report begins with this line, its first one (`WARNING: DATA RACE`) being lost: an access by a goroutine,
/// as no other detector prints it.
pub(crate) fn begins(body: &[u8]) -> bool {
    body.len() < 120
        && body.ends_with(b":")
        && (scan::has(body, b" by goroutine ") || scan::has(body, b" by main goroutine"))
        && access(body).is_some()
}

/// `Previous write at 0x00c000 by goroutine 7:` and its kin (tsan's report printer, go/tsan).
fn access(body: &[u8]) -> Option<Access> {
    let mut c = Cursor::new(body);
    let previous = c.eat(b"Previous ");
    let atomic = c.eat(b"atomic ") || c.eat(b"Atomic ");
    let kind = if c.eat(b"Read ") || c.eat(b"read ") {
        AccessKind::Read
    } else if c.eat(b"Write ") || c.eat(b"write ") {
        AccessKind::Write
    } else {
        return None;
    };
    if c.eat(b"of size ") {
        c.dec();
        c.eat(b" ");
    }
    // Until Go 1.4 no address was printed: `Write by goroutine 9:`.
    let address = if c.eat(b"at ") { c.hex() } else { None };
    c.eat(b" ");
    if !c.eat(b"by ") {
        return None;
    }
    let goroutine = if c.eat(b"goroutine ") {
        c.dec()
    } else if c.eat(b"main goroutine") || c.eat(b"main thread") {
        Some(1)
    } else {
        None
    };
    Some(Access {
        kind,
        atomic,
        previous,
        address: Known::printed_or_not(address),
        goroutine: Known::printed_or_not(goroutine),
        stack: Stack::default(),
    })
}

/// `Goroutine 7 (running) created at:`, `Heap block of size 8 at … allocated by …:`, `Mutex M1 (0x…) created at:`.
fn section(body: &[u8]) -> Option<RaceSection> {
    let heading = body.strip_suffix(b":")?;
    let goroutine = heading.strip_prefix(b"Goroutine ").and_then(|r| Cursor::new(r).dec());
    let fits = (goroutine.is_some() && scan::has(heading, b"created at"))
        || heading.starts_with(b"Heap block ")
        || heading.starts_with(b"Mutex ")
        || heading.starts_with(b"Location is ")
        || heading.starts_with(b"As if synchronized ");
    fits.then(|| RaceSection {
        heading: scan::text(heading).into(),
        goroutine: Known::printed_or_not(goroutine),
        stack: Stack::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_report() {
        let mut r = RaceReader::default();
        for line in [
            "Write at 0x00c0011d6da8 by goroutine 238071:",
            "  a.(*raft).updateLeader()",
            "      /src/raft.go:3212 +0x1fa",
            "  testing.(*T).Run.gowrap1()",
            "      /go/testing.go:1743 +0x44",
            "Previous read at 0x00c0011d6da8 by main goroutine:",
            "  [failed to restore the stack]",
            "",
            "Goroutine 7 (running) created at:",
            "  main.main()",
            "      /src/main.go:188 +0x16d0",
        ] {
            assert_eq!(r.line(line.as_bytes()), Step::Taken, "{line}");
        }
        assert_eq!(r.line(b"=================="), Step::Closed);
        assert_eq!(r.report.accesses.len(), 2);
        let first = r.report.accesses.first().map(|a| (a.kind, a.goroutine.value().copied(), a.stack.frames.len()));
        assert_eq!(first, Some((AccessKind::Write, Some(238_071), 2)));
        assert!(r.report.accesses.last().is_some_and(|a| a.previous && a.stack.unavailable.is_some()));
        assert_eq!(r.report.sections.last().map(|s| s.stack.frames.len()), Some(1));
    }
}
