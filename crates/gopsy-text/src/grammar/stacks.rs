//! Where stacks begin and end.

use super::{Expect, Grammar, HEAD_FRAMES};
use crate::header::{self, Header};
use crate::store::{Extra, Gap, Guesses, NONE, StackRec};
use gopsy_model::Role;
use rustc_hash::FxHasher;
use std::hash::Hasher;

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
        let rare = h.gp.is_some() || h.bubble.is_some() || !h.labels.is_empty();
        let extra = if rare {
            let labels = self.store.keep_labels(&header::labels(h.labels));
            self.extra(Extra { gp: h.gp, m: h.m, mp: h.mp, bubble: h.bubble, labels, copies: 1, ancestor: None })
        } else {
            NONE
        };
        let state = self.store.strings.intern(h.state);
        self.crashes.header(h, self.store.stacks.len());
        self.open(StackRec {
            id: h.id,
            creator: 0,
            key: 0,
            first_frame: 0,
            frames: 0,
            state,
            minutes: u32::try_from(h.minutes).unwrap_or(u32::MAX),
            created: NONE,
            extra,
            unavailable: NONE,
            flags: h.flags,
            role: Role::Goroutine,
            numbered: true,
        });
    }

    /// Begins a stack without a header.
    pub(crate) fn start_bare(&mut self, role: Role, extra: Option<Extra>) {
        self.close();
        let extra = extra.map_or(NONE, |e| self.extra(e));
        self.crashes.bare(role, self.store.stacks.len());
        self.open(StackRec {
            id: 0,
            creator: 0,
            key: 0,
            first_frame: 0,
            frames: 0,
            state: NONE,
            minutes: 0,
            created: NONE,
            extra,
            unavailable: NONE,
            flags: 0,
            role,
            numbered: false,
        });
    }

    pub(super) fn extra(&mut self, extra: Extra) -> u32 {
        let id = u32::try_from(self.store.extras.len()).unwrap_or(NONE);
        self.store.extras.push(extra);
        id
    }

    pub(super) fn open(&mut self, mut rec: StackRec) {
        rec.first_frame = u32::try_from(self.store.frames.len()).unwrap_or(NONE);
        self.situation = Guesses::frame(rec.state, NONE);
        self.open = Some(rec);
        self.expect = Expect::Function;
        self.blank = false;
        self.bare = false;
        self.last_cut = false;
        self.last_place.clear();
    }

    /// Ends the stack that is being read.
    pub(super) fn close(&mut self) {
        self.settle(b"");
        let Some(mut rec) = self.open.take() else { return };
        if !self.tail.is_empty() {
            let index = u32::try_from(self.store.stacks.len()).unwrap_or(NONE);
            if self.dropped > 0 {
                self.store.gaps.push(Gap { stack: index, after: HEAD_FRAMES, count: self.dropped });
            }
            rec.frames = rec.frames.saturating_add(u32::try_from(self.tail.len()).unwrap_or(0));
            self.store.frames.extend(self.tail.drain(..));
            self.dropped = 0;
        }
        let mut h = FxHasher::default();
        h.write_u64(rec.key);
        h.write_u8(rec.role as u8);
        h.write_u64(self.store.sites.get(rec.created).map_or(0, |s| s.key));
        rec.key = h.finish();
        self.store.stacks.push(rec);
        self.expect = Expect::Function;
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
