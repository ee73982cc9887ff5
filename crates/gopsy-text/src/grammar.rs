//! One stream of lines, read as Go prints deaths.
//!
//! A line is looked at once. Frames take the short way: a header, then function and file lines in turn. Everything
//! else goes through [`Grammar::other`]. Damage is mended where it shows: an argument list that does not end on its
//! line waits for the next ones, a word in the place of a function waits for what follows, a line number cut by a
//! hard wrap is joined with its rest.

mod frames;
mod mend;
mod said;
mod stacks;
mod traces;
mod value;

use crate::assemble::Assembler;
use crate::frame::{self, FunctionShape};
use crate::header;
use crate::headline;
use crate::race::{RaceReader, Step};
use crate::scan;
use crate::store::{FrameRec, Guesses, OpenStack, Room, Store};
use crate::words;
use gopsy_model::StackDump;
use std::collections::VecDeque;

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
    Value(value::Value),
    Race(Box<RaceReader>),
    /// Words of a stack.
    Words(StackDump),
    RunningTests,
    /// A goroutine profile (`debug=1`); whether it is one of goroutines that can never wake up.
    Profile {
        leaked: bool,
    },
}

/// Reads one stream.
pub(crate) struct Grammar {
    pub(crate) store: Store,
    pub(crate) crashes: Assembler,
    pub(crate) keep_args: bool,
    expect: Expect,
    mode: Mode,
    open: Option<OpenStack>,
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
    /// A logger's trace, until it ends.
    trace: traces::Waiting,
    /// A system stack that was full; its inner end may follow.
    overrun: Option<usize>,
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
            trace: traces::Waiting::default(),
            overrun: None,
        }
    }

    /// Whether a stack is being read.
    pub(crate) fn in_stack(&self) -> bool {
        self.open.is_some()
    }

    /// Reads one line, without its line feed.
    pub(crate) fn line(&mut self, raw: &[u8]) {
        let line = scan::trim_end(raw);
        // An empty line of a panic's value is a tab alone (`printpanicval`, Go 1.18+).
        if line.is_empty()
            && raw.starts_with(b"\t")
            && !self.value_indented
            && let Mode::Value(value) = &mut self.mode
            && value.blank()
        {
            return;
        }
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
            Mode::Profile { leaked } => {
                let body = scan::trim(line);
                if body.is_empty() || self.profile_line(body, leaked) {
                    self.mode = Mode::Profile { leaked };
                    return true;
                }
                self.close();
                false
            }
        }
    }

    fn plain(&mut self, line: &[u8]) {
        if self.in_trace() && self.trace_line(line) {
            return;
        }
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
        // In a whole crash in one line with its escapes, neither header nor headline must take the rest.
        if body.starts_with(b"goroutine ")
            && (scan::has(body, b"]:\\n") && self.escaped(body) || self.header_line(body))
        {
            return;
        }
        match self.expect {
            Expect::File | Expect::CreatorFile => {
                if let Some(f) = frame::file_line(body)
                    && (indent > 0 || frame::is_source_path(f.path) && frame::is_path_alone(f.path))
                    && (!self.bare || frame::is_surely_source(f.path))
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
            if !(scan::has(body, b"\\ngoroutine ") && self.escaped(body)) {
                self.hear(said, line);
            }
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
                open.rare.unavailable = Some(why);
            }
            return true;
        }
        body.starts_with(b"----- stack segment boundary -----")
    }

    /// Gives away a death that was told shortly before line `now` and has no stacks.
    pub(crate) fn take_lonely(&mut self, now: u64) -> Option<gopsy_model::Crash> {
        self.value_alone();
        if self.open.is_some() || matches!(self.mode, Mode::Race(_) | Mode::Words(_)) {
            return None;
        }
        self.crashes.take_lonely(now)
    }

    /// No more lines.
    pub(crate) fn finish(&mut self) {
        self.end_trace();
        if !self.fragment.is_empty() {
            self.give_up_fragment();
        }
        self.value_alone();
        match std::mem::replace(&mut self.mode, Mode::Lines) {
            Mode::Race(mut reader) => {
                reader.flush();
                self.crashes.race(reader.report, reader.frames);
            }
            Mode::Words(dump) => self.crashes.dump(dump),
            Mode::Lines | Mode::Value(_) | Mode::RunningTests | Mode::Profile { .. } => {}
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
