//! Where stacks begin and end.

use super::{Expect, Grammar, HEAD_FRAMES};
use crate::header::{self, Header};
use crate::store::{Gap, Guesses, NONE, OpenStack, Rare};
use gopsy_model::Role;

impl Grammar {
    pub(super) fn header_line(&mut self, body: &[u8]) -> bool {
        if let Some(h) = header::header(body) {
            let rest = h.rest.to_vec();
            self.start(&h);
            if !rest.is_empty() {
                self.within(|g| crate::flat::frames(&rest, &mut |piece| g.line(piece)));
            }
            return true;
        }
        // A header cut by a hard wrap: `goroutine 5 [chan rece`.
        if memchr::memchr(b'[', body).is_some() && memchr::memchr(b']', body).is_none() && body.len() < 200 {
            self.fragment = body.to_vec();
            self.joins = 0;
            return true;
        }
        false
    }

    pub(super) fn start(&mut self, h: &Header<'_>) {
        self.close();
        let mut open = OpenStack::numbered(h.id);
        open.rec.state = self.store.state(h.state);
        open.rec.flags = h.flags;
        open.rare.minutes = Some(h.minutes).filter(|&minutes| minutes > 0);
        (open.rare.gp, open.rare.m, open.rare.mp, open.rare.bubble) = (h.gp, h.m, h.mp, h.bubble);
        if !h.labels.is_empty() {
            open.rare.labels = Some(self.store.keep_labels(&header::labels(h.labels)));
        }
        self.crashes.header(h, self.store.stacks.len());
        self.open(open);
    }

    /// Begins a stack without a header.
    pub(crate) fn start_bare(&mut self, role: Role) {
        self.start_rare(role, Rare::default());
    }

    /// Begins a stack without a header of which more is known.
    pub(super) fn start_rare(&mut self, role: Role, rare: Rare) {
        self.close();
        self.crashes.bare(role, self.store.stacks.len());
        self.open(OpenStack { rare, ..OpenStack::bare(role) });
    }

    fn open(&mut self, mut open: OpenStack) {
        open.rec.first_frame = u32::try_from(self.store.frames.len()).unwrap_or(NONE);
        self.situation = Guesses::frame(open.rec.state, NONE);
        self.open = Some(open);
        self.expect = Expect::Function;
        self.blank = false;
        self.bare = false;
        self.last_cut = false;
        self.last_place.clear();
    }

    /// Ends the stack that is being read.
    pub(super) fn close(&mut self) {
        self.settle(b"");
        let Some(open) = self.open.take() else { return };
        if !self.tail.is_empty() {
            let index = u32::try_from(self.store.stacks.len()).unwrap_or(NONE);
            if self.dropped > 0 {
                self.store.gaps.push(Gap { stack: index, after: HEAD_FRAMES, count: self.dropped });
            }
            self.store.frames.extend(self.tail.drain(..));
            self.dropped = 0;
        }
        let role = open.rec.role;
        self.store.keep_stack(open);
        self.expect = Expect::Function;
        if role == Role::System {
            self.join_overrun();
        }
    }

    /// The stack that is kept for crashes is the inner end of the system stack that was full and was printed before: one thread's,
    /// and one walk's, wherever both are known.
    fn join_overrun(&mut self) {
        let Some(inner) = self.overrun.and_then(|overrun| overrun.checked_add(1)) else { return };
        if self.store.is_last(inner) && self.store.outermost(inner) == Some(b"runtime.switchToCrashStack0") {
            self.overrun = None;
            self.store.join_last();
            self.crashes.joined();
        }
    }

    pub(super) fn gap(&mut self, count: u64) {
        self.settle(b"");
        let stack = u32::try_from(self.store.stacks.len()).unwrap_or(NONE);
        let Some(open) = &self.open else { return };
        match self.store.gaps.last_mut() {
            // Gaps with nothing between them are one.
            Some(last) if last.stack == stack && last.after == open.frames => {
                last.count = if last.count == 0 || count == 0 { 0 } else { last.count.saturating_add(count) };
            }
            _ => self.store.gaps.push(Gap { stack, after: open.frames, count }),
        }
    }
}
