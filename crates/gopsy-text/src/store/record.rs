//! One goroutine's record, one frame's registers: packed, because a text can have a goroutine in every 17 bytes.
//!
//! What every header says has a fixed place. What only some say follows in a byte string of all goroutines: a mask of
//! what there is, then the numbers in that order, seven bits a byte, the lowest first.

use super::NONE;
use crate::scan;
use gopsy_model::{Bubble, BubbleKind, Role};
use std::ops::Range;

/// One goroutine or thread stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StackRec {
    /// The lower half of its number; the upper half is rare.
    pub(super) id: u32,
    /// Its frames begin here; they end where those of the next stack begin.
    pub(crate) first_frame: u32,
    /// The state word, interned.
    pub(crate) state: u32,
    /// Site of the `go` statement, or [`NONE`].
    pub(crate) created: u32,
    /// Where its rare parts begin in [`Packed`], or [`NONE`].
    rare: u32,
    pub(crate) flags: u8,
    pub(crate) role: Role,
    /// It has a number (a header was printed).
    pub(crate) numbered: bool,
}

impl StackRec {
    /// The goroutine's number.
    pub(crate) fn number(&self, rare: &Rare) -> Option<u64> {
        self.numbered.then(|| u64::from(self.id) | rare.id_above.unwrap_or(0) << 32)
    }

    /// A stack without frames and without a number.
    pub(crate) fn new(role: Role) -> Self {
        StackRec { id: 0, first_frame: 0, state: NONE, created: NONE, rare: NONE, flags: 0, role, numbered: false }
    }
}

/// What only some headers say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rare {
    /// The upper half of the goroutine's number.
    pub(crate) id_above: Option<u64>,
    /// The number of the goroutine that created it.
    pub(crate) creator: Option<u64>,
    pub(crate) minutes: Option<u64>,
    pub(crate) gp: Option<u64>,
    pub(crate) m: Option<u64>,
    pub(crate) mp: Option<u64>,
    pub(crate) bubble: Option<Bubble>,
    /// Of [`super::Store::labels`].
    pub(crate) labels: Option<Range<u32>>,
    /// For how many goroutines it stands.
    pub(crate) copies: Option<u64>,
    /// Of an ancestor's stack: the number of the goroutine it was.
    pub(crate) ancestor: Option<u64>,
    /// Interned reason why there are no frames.
    pub(crate) unavailable: Option<u32>,
}

impl Rare {
    /// For how many goroutines it stands.
    pub(crate) fn copies(&self) -> u64 {
        self.copies.unwrap_or(1).max(1)
    }
}

/// A stack that is being read.
#[derive(Debug, Clone)]
pub(crate) struct OpenStack {
    pub(crate) rec: StackRec,
    pub(crate) rare: Rare,
    /// How many frames it has until now.
    pub(crate) frames: u32,
}

impl OpenStack {
    /// A stack without a header.
    pub(crate) fn bare(role: Role) -> Self {
        OpenStack { rec: StackRec::new(role), rare: Rare::default(), frames: 0 }
    }

    /// The stack of the goroutine with this number.
    pub(crate) fn numbered(id: u64) -> Self {
        let mut open = OpenStack::bare(Role::Goroutine);
        open.rec.numbered = true;
        // The lower half.
        open.rec.id = id as u32;
        open.rare.id_above = Some(id >> 32).filter(|&above| above != 0);
        open
    }
}

/// fp, sp, pc of a frame, as far as they were printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Regs {
    pub(crate) fp: Option<u64>,
    pub(crate) sp: Option<u64>,
    pub(crate) pc: Option<u64>,
}

/// Numbers of any size behind masks of which there are.
#[derive(Default)]
pub(crate) struct Packed {
    bytes: Vec<u8>,
}

impl Packed {
    /// Where the next entry begins; [`NONE`] if there cannot be one.
    fn here(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(NONE)
    }

    /// Keeps an entry; returns its handle, [`NONE`] if it is empty or there is no room.
    fn keep(&mut self, fields: &[Option<u64>]) -> u32 {
        let here = self.here();
        let mask = fields.iter().rev().fold(0u64, |mask, f| mask << 1 | u64::from(f.is_some()));
        if mask == 0 || here == NONE {
            return NONE;
        }
        self.put(mask);
        for &value in fields.iter().flatten() {
            self.put(value);
        }
        here
    }

    fn put(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// Keeps the rare parts of a stack; the record finds them again.
    pub(super) fn keep_rare(&mut self, rec: &mut StackRec, rare: &Rare) {
        let (start, end) = rare.labels.clone().map_or((None, None), |l| (Some(l.start), Some(l.end)));
        let (group, bubble) = match rare.bubble {
            Some(Bubble { kind: BubbleKind::Group, id }) => (Some(id), None),
            Some(Bubble { kind: BubbleKind::Bubble, id }) => (None, Some(id)),
            None => (None, None),
        };
        rec.rare = self.keep(&[
            rare.id_above,
            rare.creator,
            rare.minutes,
            rare.gp,
            rare.m,
            rare.mp,
            group,
            bubble,
            start.map(u64::from),
            end.map(u64::from),
            rare.copies,
            rare.ancestor,
            rare.unavailable.map(u64::from),
        ]);
    }

    /// The rare parts of a stack.
    pub(super) fn rare(&self, rec: &StackRec) -> Rare {
        let mut fields = self.fields(rec.rare);
        let id_above = fields.next();
        let creator = fields.next();
        let minutes = fields.next();
        let gp = fields.next();
        let m = fields.next();
        let mp = fields.next();
        let group = fields.next().map(|id| Bubble { kind: BubbleKind::Group, id });
        let bubble = fields.next().map(|id| Bubble { kind: BubbleKind::Bubble, id });
        let small = |value: Option<u64>| value.map(|v| u32::try_from(v).unwrap_or(NONE));
        let labels = small(fields.next()).zip(small(fields.next())).map(|(start, end)| start..end);
        let copies = fields.next();
        let ancestor = fields.next();
        let unavailable = small(fields.next());
        let bubble = group.or(bubble);
        Rare { id_above, creator, minutes, gp, m, mp, bubble, labels, copies, ancestor, unavailable }
    }

    /// Keeps the registers of a frame; returns their handle, [`NONE`] if it has none.
    pub(crate) fn keep_regs(&mut self, regs: &Regs) -> u32 {
        self.keep(&[regs.fp, regs.sp, regs.pc])
    }

    /// The registers behind a handle.
    pub(crate) fn regs(&self, handle: u32) -> Regs {
        let mut fields = self.fields(handle);
        Regs { fp: fields.next(), sp: fields.next(), pc: fields.next() }
    }

    fn fields(&self, handle: u32) -> Fields<'_> {
        let mut fields = Fields { bytes: scan::from(&self.bytes, handle as usize), mask: 0 };
        if handle != NONE {
            fields.mask = fields.number();
        }
        fields
    }
}

/// The numbers of one entry, one by one, `None` for what there is not.
struct Fields<'a> {
    bytes: &'a [u8],
    mask: u64,
}

impl Fields<'_> {
    fn next(&mut self) -> Option<u64> {
        let is_there = self.mask & 1 == 1;
        self.mask >>= 1;
        is_there.then(|| self.number())
    }

    fn number(&mut self) -> u64 {
        let mut value = 0u64;
        let mut shift = 0u32;
        while let Some((&byte, rest)) = self.bytes.split_first() {
            self.bytes = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                break;
            }
            shift = shift.saturating_add(7);
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(packed: &mut Packed, rare: &Rare) -> Rare {
        let mut rec = StackRec::new(Role::Goroutine);
        packed.keep_rare(&mut rec, rare);
        packed.rare(&rec)
    }

    #[test]
    fn rare_parts_come_back() {
        let all = Rare {
            id_above: Some(1),
            creator: Some(0),
            minutes: Some(u64::MAX),
            gp: Some(0xc0_0000_61a0),
            m: Some(0),
            mp: Some(0x7f),
            bubble: Some(Bubble { kind: BubbleKind::Group, id: 0x80 }),
            labels: Some(7..9),
            copies: Some(1),
            ancestor: Some(3),
            unavailable: Some(0),
        };
        let mut packed = Packed::default();
        assert_eq!(back(&mut packed, &Rare::default()), Rare::default());
        assert!(packed.bytes.is_empty(), "a header that says only a state costs nothing more");
        assert_eq!(back(&mut packed, &all), all);
        let one = Rare { bubble: Some(Bubble { kind: BubbleKind::Bubble, id: 0 }), ..Rare::default() };
        assert_eq!(back(&mut packed, &one), one);
        let last = Rare { unavailable: Some(NONE - 1), ..Rare::default() };
        assert_eq!(back(&mut packed, &last), last);
    }

    #[test]
    fn registers_come_back() {
        let mut packed = Packed::default();
        assert_eq!(packed.keep_regs(&Regs::default()), NONE);
        assert_eq!(packed.regs(NONE), Regs::default());
        let all = [
            Regs { fp: Some(0xc0_0000_61a0), sp: Some(0xc0_0000_6190), pc: Some(0x47_1234) },
            Regs { fp: None, sp: None, pc: Some(0) },
            Regs { fp: Some(u64::MAX), sp: None, pc: None },
        ];
        let handles = all.map(|r| packed.keep_regs(&r));
        for (handle, regs) in handles.iter().zip(all) {
            assert_eq!(packed.regs(*handle), regs);
        }
    }

    #[test]
    fn records_are_small() {
        assert_eq!(size_of::<StackRec>(), 24, "docs/hostile.md says what a goroutine costs");
    }
}
