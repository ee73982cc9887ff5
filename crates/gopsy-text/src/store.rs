//! Where a text's goroutines live while they are asked about: compact, and every repeated string once.
//!
//! A dump of a hundred thousand goroutines has a million frames at a few dozen places. A frame is a place (an
//! index), its arguments (a range of raw bytes, parsed when asked for) and its registers.

mod record;

pub(crate) use record::{OpenStack, Packed, Rare, Regs, StackRec};

use crate::frame::{self, FileLine};
use crate::scan;
use gopsy_model::Str;
use hashbrown::{HashMap, HashTable};
use rustc_hash::FxHasher;
use std::cell::Cell;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;
use std::rc::Rc;

/// No entry.
pub(crate) const NONE: u32 = u32::MAX;

fn hash(b: &[u8]) -> u64 {
    let mut h = FxHasher::default();
    h.write(b);
    h.finish()
}

/// How much room distinct strings and places may take, for all streams of one text together.
///
/// No program has so many places: a text that needs more was made to cost memory. Its frames beyond that are kept
/// without names.
#[derive(Debug, Clone)]
pub(crate) struct Room(Rc<Cell<usize>>);

/// The room of a text, in bytes: a hundred thousand places and more.
const ROOM: usize = 28 << 20;

impl Default for Room {
    fn default() -> Self {
        Room(Rc::new(Cell::new(ROOM)))
    }
}

impl Room {
    /// Takes `bytes`, if there are that many left.
    fn take(&self, bytes: usize) -> bool {
        let rest = self.0.get().checked_sub(bytes);
        self.0.set(rest.unwrap_or(0));
        rest.is_some()
    }
}

/// Strings by number.
#[derive(Default)]
pub(crate) struct Interner {
    table: HashTable<u32>,
    text: Vec<Str>,
    /// The bytes of those that are not UTF-8.
    odd: Odd,
    room: Room,
    /// Strings and places for which there was no room.
    pub(crate) left_out: u64,
}

type Odd = HashMap<u32, Box<[u8]>, BuildHasherDefault<FxHasher>>;

fn bytes_of<'a>(text: &'a [Str], odd: &'a Odd, id: u32) -> &'a [u8] {
    if !odd.is_empty()
        && let Some(bytes) = odd.get(&id)
    {
        return bytes;
    }
    text.get(id as usize).map_or(&[], |t| t.as_bytes())
}

impl Interner {
    /// The number of a string, [`NONE`] if there is no room for a new one.
    pub(crate) fn intern(&mut self, b: &[u8]) -> u32 {
        let h = hash(b);
        if let Some(known) = self.find(h, b) {
            return known;
        }
        if !self.has_room(b.len().saturating_add(64)) {
            return NONE;
        }
        let id = u32::try_from(self.text.len()).unwrap_or(NONE);
        if std::str::from_utf8(b).is_err() {
            self.odd.insert(id, b.into());
        }
        self.text.push(String::from_utf8_lossy(b).into());
        let (text, odd) = (&self.text, &self.odd);
        self.table.insert_unique(h, id, |i| hash(bytes_of(text, odd, *i)));
        id
    }

    fn find(&self, hash: u64, b: &[u8]) -> Option<u32> {
        let (text, odd) = (&self.text, &self.odd);
        self.table.find(hash, |i| bytes_of(text, odd, *i) == b).copied()
    }

    fn has_room(&mut self, bytes: usize) -> bool {
        let room = self.room.take(bytes);
        self.left_out = self.left_out.saturating_add(u64::from(!room));
        room
    }

    pub(crate) fn get(&self, id: u32) -> Option<Str> {
        self.text.get(id as usize).cloned()
    }

    /// All strings, in the order in which they came.
    pub(crate) fn all(&self) -> impl Iterator<Item = &[u8]> {
        self.text.iter().map(|t| t.as_bytes())
    }

    pub(crate) fn bytes(&self, id: u32) -> &[u8] {
        bytes_of(&self.text, &self.odd, id)
    }
}

/// A place in the program: function, file, line, offset.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site {
    pub(crate) function: u32,
    /// [`NONE`] when the text has no file for it.
    pub(crate) file: u32,
    pub(crate) line: i64,
    pub(crate) offset: Option<u64>,
    /// Hash of function, file and line: what makes two frames the same for grouping.
    pub(crate) key: u64,
}

/// The raw text of a place within [`Sites::bytes`].
#[derive(Debug, Clone, Copy)]
struct RawSite {
    /// `name`, a line feed, `path:line +0xOFF`.
    start: usize,
    /// Where the place begins.
    place: usize,
    end: usize,
    /// Its two lines read as they stand give this very site: [`Sites::named`] and [`Sites::placed`] may compare bytes.
    ordinary: bool,
}

/// Places by number, found by the raw text of their two lines.
#[derive(Default)]
pub(crate) struct Sites {
    table: HashTable<u32>,
    raw: Vec<RawSite>,
    bytes: Vec<u8>,
    sites: Vec<Site>,
    scratch: Vec<u8>,
}

impl Sites {
    /// The number of the place whose lines read `name` and `place`; `make` builds it when it is new. [`NONE`] if it
    /// does not.
    pub(crate) fn intern(&mut self, name: &[u8], place: &[u8], make: impl FnOnce() -> Option<Site>) -> u32 {
        self.scratch.clear();
        self.scratch.extend_from_slice(name);
        self.scratch.push(b'\n');
        self.scratch.extend_from_slice(place);
        let h = hash(&self.scratch);
        let (raw, bytes, scratch) = (&self.raw, &self.bytes, &self.scratch);
        let of = |i: &u32| raw.get(*i as usize).map_or(&[][..], |r| scan::between(bytes, r.start, r.end));
        if let Some(i) = self.table.find(h, |i| of(i) == scratch.as_slice()) {
            return *i;
        }
        let Some(site) = make() else { return NONE };
        let id = u32::try_from(self.sites.len()).unwrap_or(NONE);
        self.table.insert_unique(h, id, |i| hash(of(i)));
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&self.scratch);
        self.raw.push(RawSite {
            start,
            place: start.saturating_add(name.len()).saturating_add(1),
            end: self.bytes.len(),
            ordinary: is_ordinary(name, place, &site),
        });
        self.sites.push(site);
        id
    }

    /// If the line is a call of the function at this place: its raw arguments.
    pub(crate) fn called<'a>(&self, id: u32, line: &'a [u8]) -> Option<&'a [u8]> {
        let raw = self.raw.get(id as usize).filter(|r| r.ordinary)?;
        let name = scan::between(&self.bytes, raw.start, raw.place.saturating_sub(1));
        line.strip_prefix(name)?.strip_prefix(b"(")?.strip_suffix(b")").filter(|args| frame::are_args(args))
    }

    /// If the function at this place has this name and the line (without indentation) is its file line: that line.
    pub(crate) fn placed<'a>(&self, id: u32, name: &[u8], line: &'a [u8]) -> Option<FileLine<'a>> {
        let raw = self.raw.get(id as usize).filter(|r| r.ordinary)?;
        let place = scan::between(&self.bytes, raw.place, raw.end);
        if scan::between(&self.bytes, raw.start, raw.place.saturating_sub(1)) != name {
            return None;
        }
        let registers = line.strip_prefix(place).filter(|r| r.is_empty() || r.starts_with(b" fp="))?;
        let site = self.sites.get(id as usize)?;
        let mut file = FileLine {
            place: scan::upto(line, place.len()),
            // The site has the path already.
            path: &[],
            line: site.line,
            offset: site.offset,
            ..FileLine::default()
        };
        frame::registers(registers, &mut file);
        Some(file)
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Site> {
        self.sites.get(id as usize)
    }
}

/// Whether two lines that begin with these texts, and have nothing or registers behind them, always mean this site.
fn is_ordinary(name: &[u8], place: &[u8], site: &Site) -> bool {
    frame::is_name(name)
        && !place.contains(&b'=')
        && frame::file_line(place)
            .is_some_and(|f| f.place == place && f.line == site.line && f.offset == site.offset && !f.cut)
}

/// The place that was met last in the same situation: what stands above it in which state. Stacks are so much alike
/// that comparing a line with the guess nearly always saves reading it. A wrong guess costs that comparison.
pub(crate) struct Guesses {
    sites: Vec<u32>,
}

impl Guesses {
    /// A power of two.
    const SLOTS: usize = 1 << 10;

    pub(crate) fn new() -> Self {
        Guesses { sites: vec![NONE; Self::SLOTS] }
    }

    /// What stands below the place `above` ([`NONE`] at the start) in a goroutine with this state.
    pub(crate) fn frame(state: u32, above: u32) -> usize {
        let mut h = FxHasher::default();
        h.write_u32(state);
        h.write_u32(above);
        h.finish() as usize & (Self::SLOTS - 1)
    }

    /// The `go` statement where that frame could stand.
    pub(crate) fn creator(frame: usize) -> usize {
        frame ^ (Self::SLOTS >> 1)
    }

    pub(crate) fn get(&self, situation: usize) -> u32 {
        self.sites.get(situation).copied().unwrap_or(NONE)
    }

    pub(crate) fn set(&mut self, situation: usize, site: u32) {
        if let Some(slot) = self.sites.get_mut(situation) {
            *slot = site;
        }
    }
}

/// One frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameRec {
    pub(crate) site: u32,
    /// Start of its raw arguments in [`Store::args`], or [`NONE`]; a length byte pair precedes them.
    pub(crate) args: u32,
    /// Handle of [`Store::regs`], or [`NONE`].
    pub(crate) regs: u32,
}

/// A gap in a stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gap {
    pub(crate) stack: u32,
    pub(crate) after: u32,
    /// How many frames are missing; 0 when that was not said.
    pub(crate) count: u64,
}

/// State words of one stream that are kept. Go has about fifty.
const MAX_STATES: u32 = 10_000;

/// Everything that was read from one text.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) strings: Interner,
    pub(crate) sites: Sites,
    pub(crate) frames: Vec<FrameRec>,
    pub(crate) regs: Packed,
    pub(crate) args: Vec<u8>,
    /// Where [`Store::args`] has `...`.
    inlined: Option<u32>,
    pub(crate) stacks: Vec<StackRec>,
    rare: Packed,
    pub(crate) gaps: Vec<Gap>,
    /// Key and value, interned.
    pub(crate) labels: Vec<(u32, u32)>,
    /// How many state words were met.
    states: u32,
}

impl Store {
    /// Keeps raw arguments; returns their handle.
    pub(crate) fn keep_args(&mut self, raw: &[u8]) -> u32 {
        let start = u32::try_from(self.args.len()).unwrap_or(NONE);
        if start == NONE {
            return NONE;
        }
        let Ok(len) = u16::try_from(raw.len()) else {
            // Half a word would read as another one: the list ends behind a whole one, and with something that is none.
            let raw = scan::upto(raw, usize::from(u16::MAX >> 1));
            let whole = scan::upto(raw, memchr::memrchr(b',', raw).unwrap_or(0));
            return self.keep_args(&[whole, b", ?"].concat());
        };
        self.args.extend_from_slice(&len.to_le_bytes());
        self.args.extend_from_slice(raw);
        start
    }

    /// Keeps `...`, the arguments of an inlined function.
    pub(crate) fn keep_inlined(&mut self) -> u32 {
        match self.inlined {
            Some(handle) => handle,
            None => {
                let handle = self.keep_args(b"...");
                self.inlined = Some(handle);
                handle
            }
        }
    }

    /// The raw arguments behind a handle.
    pub(crate) fn raw_args(&self, handle: u32) -> &[u8] {
        let start = handle as usize;
        let len = usize::from(u16::from_le_bytes([
            scan::at(&self.args, start),
            scan::at(&self.args, start.saturating_add(1)),
        ]));
        let body = start.saturating_add(2);
        scan::between(&self.args, body, body.saturating_add(len))
    }

    /// The number of a state word; [`NONE`] beyond [`MAX_STATES`] of them.
    pub(crate) fn state(&mut self, word: &[u8]) -> u32 {
        if let Some(known) = self.strings.find(hash(word), word) {
            return known;
        }
        if self.states >= MAX_STATES {
            self.strings.left_out = self.strings.left_out.saturating_add(1);
            return NONE;
        }
        self.states = self.states.saturating_add(1);
        self.strings.intern(word)
    }

    /// Keeps a stack that has been read.
    pub(crate) fn keep_stack(&mut self, open: OpenStack) {
        let OpenStack { mut rec, rare, .. } = open;
        self.rare.keep_rare(&mut rec, &rare);
        self.stacks.push(rec);
    }

    /// What only some headers say.
    pub(crate) fn rare(&self, rec: &StackRec) -> Rare {
        self.rare.rare(rec)
    }

    /// The goroutine's number.
    pub(crate) fn id(&self, rec: &StackRec) -> Option<u64> {
        rec.number(&self.rare(rec))
    }

    /// Where the frames of a stack are.
    pub(crate) fn frames_of(&self, stack: usize) -> Range<usize> {
        let begin = |i: usize| self.stacks.get(i).map_or(self.frames.len(), |s| s.first_frame as usize);
        begin(stack)..begin(stack.saturating_add(1))
    }

    /// Whether no stack was kept after this one.
    pub(crate) fn is_last(&self, stack: usize) -> bool {
        self.stacks.len().checked_sub(1) == Some(stack)
    }

    /// The function of a stack's outermost frame.
    pub(crate) fn outermost(&self, stack: usize) -> Option<&[u8]> {
        let frame = self.frames.get(self.frames_of(stack))?.last()?;
        Some(self.strings.bytes(self.sites.get(frame.site)?.function))
    }

    /// Makes the last stack the inner end of the one before.
    pub(crate) fn join_last(&mut self) {
        let Some(inner) = self.stacks.len().checked_sub(1) else { return };
        let Some(outer) = inner.checked_sub(1) else { return };
        let (own, all) = (self.frames_of(inner), self.frames_of(outer).start..);
        let Some(frames) = self.frames.get_mut(all) else { return };
        frames.rotate_right(own.len().min(frames.len()));
        let (outer, added) = (u32::try_from(outer).unwrap_or(NONE), u32::try_from(own.len()).unwrap_or(NONE));
        let of_both = self.gaps.partition_point(|gap| gap.stack < outer);
        let gaps = self.gaps.get_mut(of_both..).unwrap_or_default();
        for gap in &mut *gaps {
            if gap.stack == outer {
                gap.after = gap.after.saturating_add(added);
            } else {
                gap.stack = outer;
            }
        }
        gaps.sort_by_key(|gap| gap.after);
        self.stacks.pop();
    }

    /// A hash of what makes two stacks the same: functions, files, lines, creator.
    pub(crate) fn key(&self, stack: usize) -> u64 {
        let of = |site: u32| self.sites.get(site).map_or(0, |s| s.key);
        let mut h = FxHasher::default();
        for frame in self.frames.get(self.frames_of(stack)).unwrap_or(&[]) {
            h.write_u64(of(frame.site));
        }
        if let Some(rec) = self.stacks.get(stack) {
            h.write_u8(rec.role as u8);
            h.write_u64(of(rec.created));
        }
        h.finish()
    }

    /// A store that shares its room with others.
    pub(crate) fn within(room: &Room) -> Self {
        let mut store = Store::default();
        store.strings.room = room.clone();
        store
    }

    /// Keeps labels as a range of [`Store::labels`].
    pub(crate) fn keep_labels(&mut self, list: &[(String, String)]) -> Range<u32> {
        let here = |store: &Store| u32::try_from(store.labels.len()).unwrap_or(NONE);
        let start = here(self);
        for (key, value) in list {
            let pair = (self.strings.intern(key.as_bytes()), self.strings.intern(value.as_bytes()));
            if pair.0 != NONE && pair.1 != NONE {
                self.labels.push(pair);
            }
        }
        start..here(self)
    }

    /// The labels of a range.
    pub(crate) fn labels_of(&self, range: &Range<u32>) -> Vec<(Str, Str)> {
        let pairs = self.labels.get(range.start as usize..range.end as usize).unwrap_or(&[]);
        pairs.iter().filter_map(|&(k, v)| Some((self.strings.get(k)?, self.strings.get(v)?))).collect()
    }

    /// The place for two lines of text; [`NONE`] if there is no room for a new one.
    pub(crate) fn site(&mut self, name: &[u8], place: &[u8], path: &[u8], line: i64, offset: Option<u64>) -> u32 {
        let Store { strings, sites, .. } = self;
        sites.intern(name, place, || {
            let mut h = FxHasher::default();
            h.write(name);
            h.write_u8(0);
            h.write(path);
            h.write_i64(line);
            let size = size_of::<Site>().saturating_add(size_of::<RawSite>()).saturating_add(16);
            if !strings.has_room(size.saturating_add(name.len()).saturating_add(place.len())) {
                return None;
            }
            let function = strings.intern(name);
            let file = if path.is_empty() { NONE } else { strings.intern(path) };
            let whole = function != NONE && (file != NONE || path.is_empty());
            whole.then(|| Site { function, file, line, offset, key: h.finish() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_places_are_kept_once() {
        let mut s = Store::default();
        let a = s.site(b"main.f", b"/x.go:3 +0x1", b"/x.go", 3, Some(1));
        let b = s.site(b"main.f", b"/x.go:3 +0x1", b"/x.go", 3, Some(1));
        let c = s.site(b"main.f", b"/x.go:3 +0x2", b"/x.go", 3, Some(2));
        assert_eq!(a, b);
        assert_ne!(a, c);
        let key = |id| s.sites.get(id).map(|s| s.key);
        assert_eq!(key(a), key(c), "the offset does not split a group");
        let mut other = Interner::default();
        for i in 0..10_000u32 {
            assert_eq!(other.intern(&i.to_le_bytes()), i);
        }
        assert_eq!(other.intern(&77u32.to_le_bytes()), 77);
    }

    #[test]
    fn a_guess_is_confirmed_by_every_byte() {
        let mut s = Store::default();
        let id = s.site(b"main.f", b"/x.go:3 +0x1", b"/x.go", 3, Some(1));
        assert_eq!(s.sites.called(id, b"main.f(0x1, {0x2?, ...})"), Some(&b"0x1, {0x2?, ...}"[..]));
        for other in ["main.f.func1(0x1)", "main.f", "main.f(0x1", "main.f(0x1)(0x2)", "main.f(a = b)", "main.g(0x1)"] {
            assert_eq!(s.sites.called(id, other.as_bytes()), None, "{other}");
        }
        let read = s.sites.placed(id, b"main.f", b"/x.go:3 +0x1 fp=0x5 sp=0x6 pc=0x7").unwrap_or_default();
        assert_eq!((read.place, read.line, read.offset), (&b"/x.go:3 +0x1"[..], 3, Some(1)));
        assert_eq!((read.fp, read.sp, read.pc), (Some(5), Some(6), Some(7)));
        for other in ["/x.go:3 +0x12", "/x.go:3 +0x", "/x.go:3", "/x.go:3 +0x1 pc=0x7", "/y.go:3 +0x1"] {
            assert_eq!(s.sites.placed(id, b"main.f", other.as_bytes()), None, "{other}");
        }
        assert_eq!(s.sites.placed(id, b"main.g", b"/x.go:3 +0x1"), None);
    }

    #[test]
    fn only_places_that_read_like_themselves_are_guessed() {
        let mut s = Store::default();
        for (name, place, path, line) in [
            ("a word", "/x.go:3", "/x.go", 3),
            ("main.f", "", "", 0),
            ("main.f", "/x.go:3 +0x", "/x.go", 3),
            ("main.f", "/x.go:3 pc=0x5", "/x.go", 3),
            ("main.f", "/x.go:3", "/x.go", 4),
        ] {
            let id = s.site(name.as_bytes(), place.as_bytes(), path.as_bytes(), line, None);
            assert_eq!(s.sites.placed(id, name.as_bytes(), place.as_bytes()), None, "{name} {place}");
            assert_eq!(s.sites.called(id, format!("{name}()").as_bytes()), None, "{name} {place}");
        }
    }

    #[test]
    fn room_is_shared_and_ends() {
        let room = Room(Rc::new(Cell::new(400)));
        let (mut a, mut b) = (Store::within(&room), Store::within(&room));
        assert_eq!(a.site(b"f", b"", b"", 1, None), 0);
        assert_eq!(b.site(b"f", b"", b"", 1, None), 0);
        assert_eq!(a.site(b"g", b"/x.go:1", b"/x.go", 1, None), NONE);
        assert_eq!(a.site(b"f", b"", b"", 1, None), 0, "what is known stays known");
        assert!(a.strings.left_out > 0);
    }

    #[test]
    fn states_end_and_those_known_stay_known() {
        let mut s = Store::default();
        let first = s.state(b"chan receive");
        for i in 1..MAX_STATES {
            assert_ne!(s.state(format!("state {i}").as_bytes()), NONE);
        }
        assert_eq!((s.state(b"one more"), s.state(b"chan receive"), s.strings.left_out), (NONE, first, 1));
    }

    #[test]
    fn strings_that_are_no_text() {
        let mut s = Interner::default();
        let (a, b) = (s.intern(b"a\xff"), s.intern(b"a\xfe"));
        assert_ne!(a, b);
        assert_eq!((s.bytes(a), s.get(b).as_deref()), (&b"a\xff"[..], Some("a\u{fffd}")));
        assert_eq!(s.intern(b"a\xff"), a);
    }

    #[test]
    fn arguments_come_back() {
        let mut s = Store::default();
        let a = s.keep_args(b"0x1, 0x2");
        let b = s.keep_args(b"");
        assert_eq!(s.raw_args(a), b"0x1, 0x2");
        assert_eq!(s.raw_args(b), b"");
        let long = s.keep_args("0xc000123456, ".repeat(10_000).as_bytes());
        let args = frame::parse_args(s.raw_args(long), &mut 10_000);
        assert!(args.truncated && args.words().iter().all(|w| *w == Some((0xc0_0012_3456, false))));
    }
}
