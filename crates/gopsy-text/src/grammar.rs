//! One stream of lines, read as Go prints deaths.
//!
//! A line is looked at once. Frames take the short way: a header, then function and file lines in turn. Everything
//! else goes through [`Grammar::other`]. Damage is mended where it shows: an argument list that does not end on its
//! line waits for the next ones, a word in the place of a function waits for what follows, a line number cut by a
//! hard wrap is joined with its rest.

use crate::assemble::Assembler;
use crate::frame::{self, FileLine, FunctionShape};
use crate::header::{self, Header};
use crate::headline::{self, Said};
use crate::race::{RaceReader, Step};
use crate::scan;
use crate::store::{Extra, FrameRec, Gap, Guesses, NONE, Regs, Room, StackRec, Store};
use crate::words;
use gopsy_model::{Headline, PanicLine, Role, StackDump};
use rustc_hash::FxHasher;
use std::collections::VecDeque;
use std::hash::Hasher;

/// Frames of one stack that are kept at its inner end.
const HEAD_FRAMES: u32 = 1 << 16;
/// Frames of one stack that are kept at its outer end when it has more.
const TAIL_FRAMES: usize = 1 << 12;
/// A panic's value is kept up to so many bytes.
const MAX_VALUE: usize = 1 << 16;
/// Lines that may be joined to mend one wrapped line.
const MAX_JOINS: u32 = 64;
/// Entries of a profile that are kept. Each is a distinct stack: no program has so many.
const MAX_ENTRIES: usize = 1 << 19;
/// A message of one line is kept up to so many bytes.
const MAX_MESSAGE: usize = 1 << 13;
/// Lines of other processes that may stand between the two lines of a frame.
const MAX_WAITED: u32 = 16;
/// Texts within texts (a stack in a string in a string) that are looked into.
const MAX_NESTED: u8 = 8;

/// What the next line is expected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// A function line, or anything.
    Function,
    /// The file line of the pending function.
    File,
    /// The file line of the pending `created by`.
    CreatorFile,
}

/// A line that is read together with the next ones.
enum Mode {
    Lines,
    /// The value of a panic, of which more lines may follow.
    Value(Vec<u8>),
    Race(Box<RaceReader>),
    /// Words of a stack.
    Words(StackDump),
    RunningTests,
    /// A goroutine profile (`debug=1`).
    Profile,
}

/// Reads one stream.
pub(crate) struct Grammar {
    pub(crate) store: Store,
    pub(crate) crashes: Assembler,
    pub(crate) keep_args: bool,
    expect: Expect,
    mode: Mode,
    open: Option<StackRec>,
    tail: VecDeque<FrameRec>,
    dropped: u64,
    /// Where the next line of a stack stands, and what stood there before.
    situation: usize,
    guesses: Guesses,
    name: Vec<u8>,
    args: Vec<u8>,
    /// The pending function had a whole argument list (else it is a single word).
    whole: bool,
    /// The pending line stands where no stack is open.
    bare: bool,
    /// A blank line was seen since the last frame.
    blank: bool,
    /// Lines of other origin since the pending line.
    waited: u32,
    /// Start of a wrapped line that waits for its rest.
    fragment: Vec<u8>,
    joins: u32,
    /// Raw place of the last frame, for a number cut by a wrap.
    last_place: Vec<u8>,
    last_cut: bool,
    /// The headline whose value is read was indented, like the whole text.
    value_indented: bool,
    /// Frames stand in the layout of 2009.
    pub(crate) old_layout: bool,
    pub(crate) frames_seen: u64,
    pub(crate) strangers: u64,
    /// Goroutines of a profile that were not kept.
    pub(crate) left_out: u64,
    /// How deep the text that is being read stands in others.
    nested: u8,
}

impl Grammar {
    pub(crate) fn new(keep_args: bool, room: &Room) -> Self {
        Grammar {
            store: Store::within(room),
            crashes: Assembler::default(),
            keep_args,
            expect: Expect::Function,
            mode: Mode::Lines,
            open: None,
            tail: VecDeque::new(),
            dropped: 0,
            situation: 0,
            guesses: Guesses::new(),
            name: Vec::new(),
            args: Vec::new(),
            whole: false,
            bare: false,
            blank: false,
            waited: 0,
            fragment: Vec::new(),
            joins: 0,
            last_place: Vec::new(),
            last_cut: false,
            value_indented: false,
            old_layout: false,
            frames_seen: 0,
            strangers: 0,
            left_out: 0,
            nested: 0,
        }
    }

    /// Whether a stack is being read.
    pub(crate) fn in_stack(&self) -> bool {
        self.open.is_some()
    }

    /// Reads one line, without its line feed.
    pub(crate) fn line(&mut self, raw: &[u8]) {
        let line = scan::trim_end(raw);
        if matches!(self.mode, Mode::Lines) && self.fragment.is_empty() {
            // The short way: frames of an open stack.
            match self.expect {
                _ if line.is_empty() => {
                    self.blank = true;
                    return;
                }
                Expect::File | Expect::CreatorFile
                    if scan::at(line, 0) == b'\t' && !matches!(scan::at(line, 1), b'\t' | b' ') =>
                {
                    let guess = self.guesses.get(self.situation);
                    if let Some(f) = self.store.sites.placed(guess, &self.name, scan::from(line, 1)) {
                        self.known_file(&f, guess);
                        return;
                    }
                    if let Some(f) = frame::file_line(scan::from(line, 1)) {
                        self.file(&f);
                        return;
                    }
                }
                Expect::Function if self.open.is_some() && !self.last_cut => {
                    if scan::at(line, 0) == b'g'
                        && let Some(h) = header::header(line)
                        && h.rest.is_empty()
                    {
                        self.start(&h);
                        return;
                    }
                    if line.last() == Some(&b')') && !matches!(scan::at(line, 0), b'\t' | b' ') {
                        let guess = self.guesses.get(self.situation);
                        if let Some(args) = self.store.sites.called(guess, line) {
                            let name = line.len().saturating_sub(args.len()).saturating_sub(2);
                            self.pend(scan::upto(line, name), args, true);
                            return;
                        }
                        if let FunctionShape::Whole(f) = frame::function_line(line) {
                            self.pend(f.name, f.args, true);
                            return;
                        }
                    }
                    if let Some(rest) = line.strip_prefix(b"created by ") {
                        self.creator(rest);
                        return;
                    }
                }
                _ => {}
            }
        }
        self.other(line);
    }

    /// The long way, for every line that is not an ordinary frame.
    fn other(&mut self, line: &[u8]) {
        if !self.continues(line) {
            self.plain(line);
        }
    }

    /// Offers the line to what is being read over several lines. True if it was taken.
    fn continues(&mut self, line: &[u8]) -> bool {
        match std::mem::replace(&mut self.mode, Mode::Lines) {
            Mode::Lines => false,
            Mode::Value(value) => self.value_line(value, line),
            Mode::Race(mut reader) => match reader.line(line) {
                Step::Taken => {
                    self.mode = Mode::Race(reader);
                    true
                }
                step => {
                    reader.flush();
                    self.crashes.race(reader.report, reader.frames);
                    step == Step::Closed
                }
            },
            Mode::Words(mut dump) => {
                if words::line(line, &mut dump) {
                    self.mode = Mode::Words(dump);
                    true
                } else {
                    self.crashes.dump(dump);
                    false
                }
            }
            Mode::RunningTests => {
                let body = scan::trim(line);
                if scan::at(line, 0) == b'\t' || scan::at(line, 0) == b' ' {
                    self.crashes.running_test(body);
                    self.mode = Mode::RunningTests;
                    return true;
                }
                false
            }
            Mode::Profile => {
                let body = scan::trim(line);
                if body.is_empty() || self.profile_line(body) {
                    self.mode = Mode::Profile;
                    return true;
                }
                self.close();
                false
            }
        }
    }

    fn plain(&mut self, line: &[u8]) {
        if line.is_empty() {
            self.blank = true;
            return;
        }
        let (body, indent) = scan::trim_start(line);
        if !self.fragment.is_empty() && self.join(body) {
            return;
        }
        if self.last_cut || matches!(self.expect, Expect::Function) {
            if self.rest_of_cut_place(body, indent) {
                return;
            }
            self.last_cut = false;
        }
        if body.starts_with(b"goroutine ") && self.header_line(body) {
            return;
        }
        match self.expect {
            Expect::File | Expect::CreatorFile => {
                if let Some(f) = frame::file_line(body)
                    && (indent > 0 || frame::is_source_path(f.path) && frame::is_path_alone(f.path))
                    && (!self.bare || frame::is_source_path(f.path))
                {
                    self.file(&f);
                    return;
                }
                if self.wrapped_path(body, indent) {
                    return;
                }
                if self.is_stranger(body, line) {
                    // Another process wrote between the two lines of a frame.
                    self.waited = self.waited.saturating_add(1);
                    self.noise(line);
                    return;
                }
                self.settle(body);
            }
            Expect::Function => {}
        }
        if self.stack_words(body) {
            return;
        }
        if crate::flat::is_whole_crash(body) {
            self.close();
            self.within(|g| crate::flat::pieces(body, &mut |piece| g.line(piece)));
            return;
        }
        if let Some(said) = headline::said(line) {
            self.hear(said, line);
            return;
        }
        if (self.open.is_some() || self.crashes.expects_registers())
            && let Some(r) = headline::registers(body)
        {
            self.crashes.registers(r);
            return;
        }
        if crate::debugger::line(body, self) {
            return;
        }
        self.function(body, line);
    }

    /// Whether a line in the place of a file line says nothing about stacks or deaths: the file line may still come.
    fn is_stranger(&self, body: &[u8], line: &[u8]) -> bool {
        self.open.is_some()
            && !self.bare
            && self.whole
            && self.waited < MAX_WAITED
            && !body.starts_with(b"created by ")
            && !body.starts_with(b"goroutine ")
            && !body.starts_with(b"...")
            && matches!(frame::function_line(body), FunctionShape::No)
            && headline::said(line).is_none()
            && headline::registers(body).is_none()
            && !body.starts_with(b"----- stack segment boundary -----")
            && !matches!(body, b"[...]" | b"(...)" | b"(snip)" | b"<snip>" | b"[snip]")
    }

    /// Lines that belong to stacks and are no frames.
    fn stack_words(&mut self, body: &[u8]) -> bool {
        if let Some(rest) = body.strip_prefix(b"created by ") {
            self.creator(rest);
            return true;
        }
        if body.starts_with(b"...") {
            if let Some(count) = elided(body) {
                self.gap(count);
                return true;
            }
            // `...` and `......`: somebody cut the text here.
            if body.iter().all(|&c| c == b'.') {
                if self.open.is_some() {
                    self.gap(0);
                }
                return true;
            }
            return false;
        }
        if self.open.is_some() && matches!(body, b"[...]" | b"(...)" | b"(snip)" | b"<snip>" | b"[snip]") {
            self.gap(0);
            return true;
        }
        if body.starts_with(b"goroutine running on other thread; stack unavailable")
            || body == b"stack unavailable"
            || body.starts_with(b"goroutine in C code; stack unavailable")
        {
            let why = self.store.strings.intern(scan::upto(body, 200));
            if let Some(open) = &mut self.open {
                open.unavailable = why;
            }
            return true;
        }
        body.starts_with(b"----- stack segment boundary -----")
    }

    // ---- headers and stacks -----------------------------------------------------------------------------------

    fn header_line(&mut self, body: &[u8]) -> bool {
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

    fn start(&mut self, h: &Header<'_>) {
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

    fn extra(&mut self, extra: Extra) -> u32 {
        let id = u32::try_from(self.store.extras.len()).unwrap_or(NONE);
        self.store.extras.push(extra);
        id
    }

    fn open(&mut self, mut rec: StackRec) {
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
    fn close(&mut self) {
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

    fn gap(&mut self, count: u64) {
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

    // ---- frames -----------------------------------------------------------------------------------------------

    fn pend(&mut self, name: &[u8], args: &[u8], whole: bool) {
        self.name.clear();
        self.name.extend_from_slice(name);
        self.args.clear();
        self.args.extend_from_slice(args);
        self.whole = whole;
        self.waited = 0;
        self.expect = Expect::File;
    }

    /// A line in the place of a function.
    fn function(&mut self, body: &[u8], line: &[u8]) {
        let shape = frame::function_line(body);
        if self.open.is_none() {
            // Outside of a stack a function counts only with its file line behind it.
            match shape {
                FunctionShape::Whole(f) if body.contains(&b'.') || body.contains(&0xb7) => {
                    self.pend(f.name, f.args, true);
                    self.bare = true;
                    return;
                }
                _ if crate::first_releases::line(body, self) => return,
                _ => {}
            }
            self.noise(line);
            return;
        }
        match shape {
            // The layout of 2009 repeats the function behind its place.
            FunctionShape::Whole(f) if self.old_layout && self.is_last(f.name) => {}
            FunctionShape::Whole(f) => self.pend(f.name, f.args, true),
            FunctionShape::Open => {
                self.fragment = body.to_vec();
                self.joins = 0;
            }
            FunctionShape::Word => self.pend(body, b"", false),
            FunctionShape::No => self.noise(line),
        }
    }

    fn is_last(&self, name: &[u8]) -> bool {
        let last = self.tail.back().or(self.store.frames.last()).and_then(|f| self.store.sites.get(f.site));
        last.is_some_and(|s| self.store.strings.bytes(s.function) == name)
    }

    /// A line that says nothing about a death, as far as this stream knows.
    fn noise(&mut self, line: &[u8]) {
        if self.open.is_some() {
            self.strangers = self.strangers.saturating_add(1);
        }
        let found =
            self.within(|g| crate::escaped::stack_in_string(line, &mut |piece| g.line(piece)) || g.flattened(line));
        if found == Some(true) {
            return;
        }
        let inside = self.open.is_some() && !self.blank;
        if !inside && let Some(said) = headline::glued(line) {
            self.crashes.suspect(&said, line);
            return;
        }
        self.crashes.noise(line);
    }

    /// Reads what stands within a line. Nothing if that is itself too deep within others.
    fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.nested >= MAX_NESTED {
            return None;
        }
        self.nested = self.nested.saturating_add(1);
        let out = read(self);
        self.nested = self.nested.saturating_sub(1);
        Some(out)
    }

    /// A line that holds a whole crash: its line feeds are lost, and something stands before its headline.
    fn flattened(&mut self, line: &[u8]) -> bool {
        let Some(at) = crate::escaped::header_at(line) else { return false };
        let behind = scan::from(line, at);
        let Some(h) = header::header(behind) else { return false };
        if h.rest.is_empty() {
            return false;
        }
        let head = scan::trim(scan::upto(line, at));
        match headline::glued(head) {
            Some(said) => {
                self.close();
                self.hear(said, head);
            }
            None if !head.is_empty() => crate::flat::pieces(head, &mut |piece| self.plain(piece)),
            None => {}
        }
        if let Mode::Value(value) = std::mem::replace(&mut self.mode, Mode::Lines) {
            self.end_value(&value);
        }
        let rest = behind.to_vec();
        crate::flat::pieces(&rest, &mut |piece| self.line(piece));
        true
    }

    /// The pending function gets no file line: keep it if it stands in a stack, drop it otherwise.
    fn settle(&mut self, next: &[u8]) {
        let expect = std::mem::replace(&mut self.expect, Expect::Function);
        match expect {
            Expect::Function => {}
            Expect::CreatorFile => {
                let site = self.store.site(&self.name, b"", b"", 0, None);
                self.created(&FileLine::default(), site);
            }
            Expect::File => {
                let known = self.open.is_some() && !self.bare && self.whole && !(self.blank && self.args.is_empty());
                if known {
                    let site = self.store.site(&self.name, b"", b"", 0, None);
                    self.frame(&FileLine::default(), site);
                } else if self.open.is_some() && !self.whole && self.might_be_wrapped(next) {
                    self.fragment = std::mem::take(&mut self.name);
                    self.joins = 0;
                    if !self.join(next) {
                        self.fragment.clear();
                    }
                } else {
                    let name = std::mem::take(&mut self.name);
                    if !name.is_empty() {
                        self.crashes.noise(&name);
                    }
                }
                self.bare = false;
            }
        }
    }

    fn might_be_wrapped(&self, next: &[u8]) -> bool {
        !next.is_empty()
            && (self.name.contains(&b'/') || self.name.contains(&b'.'))
            && (matches!(scan::at(next, 0), b'.' | b'(' | b'_') || self.name.len() >= 60)
            && matches!(frame::function_line(next), FunctionShape::Whole(_) | FunctionShape::Open | FunctionShape::Word)
    }

    fn file(&mut self, f: &FileLine<'_>) {
        let site = self.store.site(&self.name, f.place, f.path, f.line, f.offset);
        self.known_file(f, site);
    }

    fn known_file(&mut self, f: &FileLine<'_>, site: u32) {
        self.guesses.set(self.situation, site);
        if self.expect == Expect::CreatorFile {
            self.created(f, site);
        } else {
            self.frame(f, site);
        }
        self.expect = Expect::Function;
        self.blank = false;
    }

    fn frame(&mut self, f: &FileLine<'_>, site: u32) {
        if self.open.is_none() {
            let role = self.crashes.role_of_bare_stack();
            let (name, args) = (std::mem::take(&mut self.name), std::mem::take(&mut self.args));
            self.expect = Expect::Function;
            self.start_bare(role, None);
            (self.name, self.args) = (name, args);
        }
        self.bare = false;
        self.last_place.clear();
        self.last_cut = f.cut;
        if f.offset.is_none() && !f.place.is_empty() && self.args != b"..." {
            // Perhaps a number cut by a wrap; the next line tells.
            self.last_place.extend_from_slice(f.place);
        }
        let full = self.open.as_ref().is_some_and(|o| o.frames >= HEAD_FRAMES);
        // Without arguments kept, `(...)` is still told from a list: inlining is a fact of its own.
        let args = if full {
            NONE
        } else if self.args == b"..." {
            self.store.keep_inlined()
        } else if self.keep_args && self.whole {
            self.store.keep_args(&self.args)
        } else {
            NONE
        };
        let regs = if f.fp.is_some() || f.pc.is_some() || f.sp.is_some() {
            let id = u32::try_from(self.store.regs.len()).unwrap_or(NONE);
            if full {
                NONE
            } else {
                self.store.regs.push(Regs { fp: f.fp.unwrap_or(0), sp: f.sp.unwrap_or(0), pc: f.pc.unwrap_or(0) });
                id
            }
        } else {
            NONE
        };
        self.push(FrameRec { site, args, regs });
    }

    fn push(&mut self, rec: FrameRec) {
        self.frames_seen = self.frames_seen.saturating_add(1);
        let key = self.store.sites.get(rec.site).map_or(0, |s| s.key);
        let Some(open) = &mut self.open else { return };
        let mut h = FxHasher::default();
        h.write_u64(open.key);
        h.write_u64(key);
        open.key = h.finish();
        self.situation = Guesses::frame(open.state, rec.site);
        if open.frames < HEAD_FRAMES {
            open.frames = open.frames.saturating_add(1);
            self.store.frames.push(rec);
            return;
        }
        self.tail.push_back(rec);
        if self.tail.len() > TAIL_FRAMES {
            self.tail.pop_front();
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// A frame read elsewhere (a debugger's backtrace, a profile, the layout of 2009).
    pub(crate) fn foreign_frame(&mut self, name: &[u8], path: &[u8], line: i64, pc: u64) {
        let mut place = path.to_vec();
        place.push(b':');
        place.extend_from_slice(line.to_string().as_bytes());
        let site = self.store.site(name, &place, path, line, None);
        let regs = if pc != 0 {
            let id = u32::try_from(self.store.regs.len()).unwrap_or(NONE);
            self.store.regs.push(Regs { pc, ..Regs::default() });
            id
        } else {
            NONE
        };
        self.push(FrameRec { site, args: NONE, regs });
        self.expect = Expect::Function;
    }

    /// Gives the last frame its file (debuggers print it on the next line).
    pub(crate) fn place_last(&mut self, path: &[u8], line: i64) {
        if self.open.as_ref().is_none_or(|o| o.frames == 0) {
            return;
        }
        let Some(last) = self.tail.back().or(self.store.frames.last()).copied() else { return };
        let name = self.store.sites.get(last.site).map(|s| s.function);
        let Some(name) = name.map(|f| self.store.strings.bytes(f).to_vec()) else { return };
        let mut place = path.to_vec();
        place.push(b':');
        place.extend_from_slice(line.to_string().as_bytes());
        let site = self.store.site(&name, &place, path, line, None);
        if let Some(rec) = self.tail.back_mut().or(self.store.frames.last_mut()) {
            rec.site = site;
        }
    }

    fn creator(&mut self, rest: &[u8]) {
        self.settle(b"");
        let last_word = memchr::memrchr(b' ', rest).map(|i| i.saturating_add(1));
        let (name, by) = match last_word.and_then(|i| Some((scan::upto(rest, i).strip_suffix(b" in goroutine ")?, i))) {
            Some((name, i)) => (name, scan::dec(scan::from(rest, i))),
            None => match memchr::memmem::rfind(rest, b" in goroutine ") {
                Some(i) => (scan::upto(rest, i), None),
                None => (rest, None),
            },
        };
        let name = scan::upto(name, MAX_MESSAGE);
        if let Some(open) = &mut self.open {
            open.creator = by.unwrap_or(0);
        }
        self.pend(name, b"", true);
        self.situation = Guesses::creator(self.situation);
        self.expect = Expect::CreatorFile;
    }

    fn created(&mut self, f: &FileLine<'_>, site: u32) {
        if let Some(open) = &mut self.open {
            open.created = site;
        }
        self.last_place.clear();
        self.last_cut = f.cut;
    }

    // ---- mending ----------------------------------------------------------------------------------------------

    /// Joins a line to the fragment that waits. True if it was taken.
    fn join(&mut self, body: &[u8]) -> bool {
        let structural = body.starts_with(b"goroutine ")
            || body.starts_with(b"created by ")
            || (self.fragment.starts_with(b"goroutine ") && self.joins > 2)
            || headline::said(body).is_some();
        self.joins = self.joins.saturating_add(1);
        if structural || self.joins > MAX_JOINS || self.fragment.len() > 1 << 14 {
            self.give_up_fragment();
            return false;
        }
        let file = self.joins == 1
            && frame::file_line(body).is_some_and(|f| frame::is_source_path(f.path) && f.offset.is_some());
        if file {
            self.give_up_fragment();
            return false;
        }
        let mut joined = std::mem::take(&mut self.fragment);
        if joined.last() == Some(&b',') {
            joined.push(b' ');
        }
        joined.extend_from_slice(body);
        if joined.starts_with(b"goroutine ") {
            if let Some(h) = header::header(&joined) {
                self.start(&h);
            } else {
                self.fragment = joined;
            }
            return true;
        }
        match frame::function_line(&joined) {
            FunctionShape::Whole(f) => {
                let (name, args) = (f.name.to_vec(), f.args.to_vec());
                self.pend(&name, &args, true);
                true
            }
            FunctionShape::Open | FunctionShape::Word => {
                self.fragment = joined;
                true
            }
            FunctionShape::No => {
                // The line did not belong to it.
                let keep = joined.len().saturating_sub(body.len());
                joined.truncate(keep);
                self.fragment = joined;
                self.give_up_fragment();
                false
            }
        }
    }

    /// The rest of a wrapped line did not come: keep the name, say that the arguments are cut.
    fn give_up_fragment(&mut self) {
        let fragment = std::mem::take(&mut self.fragment);
        if fragment.starts_with(b"goroutine ") {
            // A header, but for its end: it counts within a dump.
            let mut whole = fragment.clone();
            whole.extend_from_slice(b"]:");
            match header::header(&whole) {
                Some(h) if self.open.is_some() => self.start(&h),
                _ => self.crashes.noise(&fragment),
            }
        } else if let Some(open) = memchr::memrchr(b'(', &fragment) {
            let (name, args) = (scan::upto(&fragment, open).to_vec(), scan::from(&fragment, open).to_vec());
            self.pend(&name, &args, true);
        } else {
            self.crashes.noise(&fragment);
        }
    }

    /// A path that is cut by a wrap: `…/stuff/` and on the next line `crash.go:11`.
    fn wrapped_path(&mut self, body: &[u8], indent: usize) -> bool {
        if self.last_place.first() == Some(&b'\n') {
            let mut joined = scan::from(&self.last_place, 1).to_vec();
            self.last_place.clear();
            joined.extend_from_slice(body);
            if let Some(f) = frame::file_line(&joined)
                && frame::is_source_path(f.path)
            {
                self.file(&f);
                return true;
            }
            return false;
        }
        let path_like = body.contains(&b'/')
            && !body.contains(&b'(')
            && (indent > 0 || scan::at(body, 0) == b'/')
            && !body.contains(&b' ')
            && body.len() >= 20;
        if path_like {
            self.last_place.clear();
            self.last_place.push(b'\n');
            self.last_place.extend_from_slice(body);
        }
        path_like
    }

    /// `0 +0x1d` behind `main.go:1`, `+0x58` or `5092ede4` behind a cut place: the rest of the line before.
    fn rest_of_cut_place(&mut self, body: &[u8], indent: usize) -> bool {
        if self.last_cut {
            let word = body.split(|&c| c == b' ').next().unwrap_or(body);
            let rest = scan::bare_hex(word).is_some()
                || word.starts_with(b"0x")
                || word.starts_with(b"sp=")
                || word.starts_with(b"fp=")
                || word.starts_with(b"pc=")
                || word.starts_with(b"=0x");
            if rest {
                self.last_cut = !body.contains(&b' ') && body.ends_with(b"0x");
                return true;
            }
        }
        let first = scan::at(body, 0);
        if first == b'+' {
            return body.starts_with(b"+0x") && self.open.is_some();
        }
        if (body.starts_with(b"fp=0x") || body.starts_with(b"sp=0x") || body.starts_with(b"=0x")) && self.open.is_some()
        {
            return true;
        }
        if indent == 0
            && first.is_ascii_digit()
            && !self.last_place.is_empty()
            && self.last_place.first() != Some(&b'\n')
            && !self.blank
        {
            let digits = body.iter().take_while(|c| c.is_ascii_digit()).count();
            let behind = scan::from(body, digits);
            if digits <= 6 && (behind.is_empty() || behind.starts_with(b" +0x")) {
                let mut joined = std::mem::take(&mut self.last_place);
                joined.extend_from_slice(body);
                if let Some(f) = frame::file_line(&joined) {
                    self.place_last(f.path, f.line);
                    return true;
                }
            }
        }
        false
    }

    // ---- headlines --------------------------------------------------------------------------------------------

    fn hear(&mut self, said: Said<'_>, line: &[u8]) {
        // A headline ends the stack that is being read, unless it is only a remark about it.
        let remark = matches!(said, Said::Diagnostic | Said::InForeignCode | Said::StackDump(_) | Said::TestFailed(_));
        let empty_stack = self.open.as_ref().is_some_and(|o| o.frames == 0);
        if !remark {
            self.close();
        }
        match said {
            Said::Panic { value, nested } => {
                self.crashes.before_headline(empty_stack || nested);
                self.value_indented = matches!(scan::at(line, 0), b'\t' | b' ');
                let (own, rest) = crate::flat::split_headline(value);
                let own = scan::upto(own, MAX_VALUE).to_vec();
                if rest.is_empty() {
                    self.mode = Mode::Value(own);
                } else {
                    // A value that carries other parts of a flattened text behind it is over at once.
                    self.end_value(&own);
                    let rest = rest.to_vec();
                    self.within(|g| crate::flat::pieces(&rest, &mut |piece| g.line(piece)));
                }
            }
            Said::Fatal(message) => {
                let (message, rest) = crate::flat::split_headline(message);
                self.crashes.before_headline(empty_stack);
                self.crashes.headline(Headline::Fatal(scan::text(scan::upto(message, MAX_MESSAGE)).into()));
                let rest = rest.to_vec();
                if !rest.is_empty() {
                    self.within(|g| crate::flat::pieces(&rest, &mut |piece| g.line(piece)));
                }
            }
            Said::Race => {
                self.crashes.before_race();
                let mut reader = Box::<RaceReader>::default();
                // The first line may be lost: the report then begins with an access.
                reader.line(line);
                self.mode = Mode::Race(reader);
            }
            Said::RuntimeStack => self.start_bare(Role::System, None),
            Said::Ancestor(of) => {
                self.start_bare(Role::Ancestor, Some(Extra { ancestor: Some(of), ..Extra::default() }))
            }
            Said::StackDump(text) => {
                let mut dump = StackDump::default();
                words::bounds(text, &mut dump);
                self.mode = Mode::Words(dump);
            }
            Said::RunningTests => self.mode = Mode::RunningTests,
            Said::Profile => {
                self.crashes.profile();
                self.mode = Mode::Profile;
            }
            other => self.crashes.say(&other, line, empty_stack),
        }
    }

    /// A line behind `panic: …`: more of its value, or something else.
    fn value_line(&mut self, mut value: Vec<u8>, line: &[u8]) -> bool {
        let (body, _) = scan::trim_start(line);
        let header = body.starts_with(b"goroutine ") && header::header(body).is_some();
        let structural = header
            || matches!(
                headline::said(line),
                Some(
                    Said::Panic { .. }
                        | Said::Fatal(_)
                        | Said::SignalNote(_)
                        | Said::ExitStatus
                        | Said::RuntimeStack
                        | Said::DuringPanic
                        | Said::RunningTests
                        | Said::Race
                        | Said::Pc { .. }
                )
            );
        // Since Go 1.18 the lines of a value are indented by a tab; before, a value's header looks like a real one.
        let indented_header = header && scan::at(line, 0) == b'\t' && !self.value_indented;
        if line.is_empty() || (structural && !indented_header) || value.len() > MAX_VALUE {
            self.end_value(&value);
            return line.is_empty();
        }
        value.push(b'\n');
        value.extend_from_slice(scan::upto(line.strip_prefix(b"\t").unwrap_or(line), MAX_VALUE));
        self.mode = Mode::Value(value);
        true
    }

    fn end_value(&mut self, raw: &[u8]) {
        let text = scan::text(raw);
        let mut value = PanicLine { value: "".into(), recovered: false, repanicked: false, depth: 0 };
        let mut own = text.trim_end();
        if let Some(v) = own.strip_suffix("[recovered, repanicked]") {
            (value.recovered, value.repanicked) = (true, true);
            own = v.trim_end();
        } else if let Some(v) = own.strip_suffix("[recovered]") {
            value.recovered = true;
            own = v.trim_end();
        }
        value.value = own.into();
        self.crashes.panic(value);
    }

    // ---- profiles ---------------------------------------------------------------------------------------------

    /// `3 @ 0x43a 0x44b`, `# labels: {…}`, `#\t0x43a\tmain.f+0x25\t/path/x.go:12` (runtime/pprof, debug=1).
    fn profile_line(&mut self, body: &[u8]) -> bool {
        if let Some(rest) = body.strip_prefix(b"#") {
            let rest = scan::trim(rest);
            if let Some(raw) = rest.strip_prefix(b"labels: {") {
                let raw = raw.strip_suffix(b"}").unwrap_or(raw);
                let labels = self.store.keep_labels(&header::labels(raw));
                if let Some(extra) = self.open.as_ref().and_then(|o| self.store.extras.get_mut(o.extra as usize)) {
                    extra.labels = labels;
                }
                return true;
            }
            let mut parts = rest.split(|&c| c == b'\t').filter(|p| !p.is_empty());
            let pc = parts.next().and_then(scan::hex);
            let (Some(pc), Some(function)) = (pc, parts.next()) else { return pc.is_some() };
            if self.open.is_none() {
                return true;
            }
            let name = match memchr::memmem::rfind(function, b"+0x") {
                Some(i) => scan::upto(function, i),
                None => function,
            };
            let place = parts.next().and_then(frame::file_line);
            self.foreign_frame(name, place.map_or(b"", |p| p.path), place.map_or(0, |p| p.line), pc);
            return true;
        }
        let mut c = scan::Cursor::new(body);
        let Some(copies) = c.dec() else { return false };
        if !c.eat(b" @") {
            return false;
        }
        if self.store.stacks.len() >= MAX_ENTRIES {
            self.close();
            self.left_out = self.left_out.saturating_add(copies);
            return true;
        }
        self.start_bare(Role::Goroutine, Some(Extra { copies, ..Extra::default() }));
        true
    }

    // ---- the end ----------------------------------------------------------------------------------------------

    /// Gives away a death that was told shortly before line `now` and has no stacks.
    pub(crate) fn take_lonely(&mut self, now: u64) -> Option<gopsy_model::Crash> {
        if self.open.is_some() || matches!(self.mode, Mode::Race(_) | Mode::Words(_)) {
            return None;
        }
        if let Mode::Value(value) = std::mem::replace(&mut self.mode, Mode::Lines) {
            self.end_value(&value);
        }
        self.crashes.take_lonely(now)
    }

    /// No more lines.
    pub(crate) fn finish(&mut self) {
        if !self.fragment.is_empty() {
            self.give_up_fragment();
        }
        match std::mem::replace(&mut self.mode, Mode::Lines) {
            Mode::Value(value) => self.end_value(&value),
            Mode::Race(mut reader) => {
                reader.flush();
                self.crashes.race(reader.report, reader.frames);
            }
            Mode::Words(dump) => self.crashes.dump(dump),
            Mode::Lines | Mode::RunningTests | Mode::Profile => {}
        }
        self.close();
        self.crashes.finish(self.store.stacks.len());
    }
}

/// `...additional frames elided...` (to Go 1.20), `...23 frames elided...` (1.21+). 0: not said.
fn elided(body: &[u8]) -> Option<u64> {
    let inner = body.strip_prefix(b"...")?;
    if inner.starts_with(b"additional frames elided") {
        return Some(0);
    }
    let mut c = scan::Cursor::new(inner);
    let n = c.dec()?;
    c.rest().starts_with(b" frames elided").then_some(n)
}
