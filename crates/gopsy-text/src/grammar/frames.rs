//! Frames, and who started a goroutine.

use super::{Expect, Grammar, HEAD_FRAMES, MAX_MESSAGE, MAX_NESTED, TAIL_FRAMES};
use crate::escaped;
use crate::frame::{self, FileLine, FunctionShape};
use crate::header;
use crate::headline;
use crate::scan;
use crate::store::{FrameRec, Guesses, NONE, Regs};

impl Grammar {
    pub(super) fn pend(&mut self, name: &[u8], args: &[u8], whole: bool) {
        self.name.clear();
        self.name.extend_from_slice(name);
        self.args.clear();
        self.args.extend_from_slice(args);
        self.whole = whole;
        self.waited = 0;
        self.expect = Expect::File;
    }

    /// A line in the place of a function.
    pub(super) fn function(&mut self, body: &[u8], line: &[u8]) {
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

    pub(super) fn is_last(&self, name: &[u8]) -> bool {
        let last = self.tail.back().or(self.store.frames.last()).and_then(|f| self.store.sites.get(f.site));
        last.is_some_and(|s| self.store.strings.bytes(s.function) == name)
    }

    /// A line that says nothing about a death, as far as this stream knows.
    pub(super) fn noise(&mut self, line: &[u8]) {
        if self.open.is_some() {
            self.strangers = self.strangers.saturating_add(1);
        }
        if self.open.is_none() && self.trace_line(line) {
            return;
        }
        if self.escaped(line) || self.within(|g| g.flattened(line)) == Some(true) {
            self.before_trace(b"");
            return;
        }
        self.before_trace(line);
        let inside = self.open.is_some() && !self.blank;
        if !inside && let Some(said) = headline::glued(line) {
            self.crashes.suspect(&said, line);
            return;
        }
        self.crashes.noise(line);
    }

    /// A line that holds a whole text in a string: what a logger made of a stack.
    pub(super) fn escaped(&mut self, line: &[u8]) -> bool {
        let Some(found) = escaped::in_string(line) else { return false };
        let read = self.within(|g| {
            if found.is_trace {
                g.logged_trace(found.panic.as_deref(), &found.text, line);
                return;
            }
            if let Some(value) = &found.panic {
                g.close();
                g.crashes.say(&headline::Said::Serving { who: b"log", value }, line, false);
            }
            found.text.split(|&c| c == b'\n').for_each(|piece| g.line(piece));
        });
        read.is_some()
    }

    /// Reads what stands within a line. Nothing if that is itself too deep within others.
    pub(super) fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.nested >= MAX_NESTED {
            return None;
        }
        self.nested = self.nested.saturating_add(1);
        let out = read(self);
        self.nested = self.nested.saturating_sub(1);
        Some(out)
    }

    /// A line that holds a whole crash: its line feeds are lost, and something stands before its headline.
    pub(super) fn flattened(&mut self, line: &[u8]) -> bool {
        if crate::flat::holds_whole_crash(line) {
            self.close();
            crate::flat::pieces(line, &mut |piece| self.line(piece));
            return true;
        }
        let Some(at) = escaped::header_at(line) else { return false };
        let behind = scan::from(line, at);
        if header::header(behind).is_none_or(|h| h.rest.is_empty()) {
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
        self.value_alone();
        let rest = behind.to_vec();
        crate::flat::pieces(&rest, &mut |piece| self.line(piece));
        true
    }

    /// The pending function gets no file line: keep it if it stands in a stack, drop it otherwise.
    pub(super) fn settle(&mut self, next: &[u8]) {
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

    pub(super) fn might_be_wrapped(&self, next: &[u8]) -> bool {
        !next.is_empty()
            && (self.name.contains(&b'/') || self.name.contains(&b'.'))
            && (matches!(scan::at(next, 0), b'.' | b'(' | b'_') || self.name.len() >= 60)
            && matches!(frame::function_line(next), FunctionShape::Whole(_) | FunctionShape::Open | FunctionShape::Word)
    }

    pub(super) fn file(&mut self, f: &FileLine<'_>) {
        let site = self.store.site(&self.name, f.place, f.path, f.line, f.offset);
        self.known_file(f, site);
    }

    pub(super) fn known_file(&mut self, f: &FileLine<'_>, site: u32) {
        self.guesses.set(self.situation, site);
        if self.expect == Expect::CreatorFile {
            self.created(f, site);
        } else {
            self.frame(f, site);
        }
        self.expect = Expect::Function;
        self.blank = false;
    }

    pub(super) fn frame(&mut self, f: &FileLine<'_>, site: u32) {
        if self.open.is_none() {
            let role = self.crashes.role_of_bare_stack();
            let (name, args) = (std::mem::take(&mut self.name), std::mem::take(&mut self.args));
            self.expect = Expect::Function;
            self.start_bare(role);
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
        let regs = if full { NONE } else { self.store.regs.keep_regs(&Regs { fp: f.fp, sp: f.sp, pc: f.pc }) };
        self.push(FrameRec { site, args, regs });
    }

    pub(super) fn push(&mut self, rec: FrameRec) {
        self.frames_seen = self.frames_seen.saturating_add(1);
        let Some(open) = &mut self.open else { return };
        self.situation = Guesses::frame(open.rec.state, rec.site);
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
        let site = self.foreign_site(name, path, line);
        let pc = Some(pc).filter(|&pc| pc != 0);
        let regs = self.store.regs.keep_regs(&Regs { pc, ..Regs::default() });
        self.push(FrameRec { site, args: NONE, regs });
        self.expect = Expect::Function;
    }

    fn foreign_site(&mut self, name: &[u8], path: &[u8], line: i64) -> u32 {
        let place = [path, b":", line.to_string().as_bytes()].concat();
        self.store.site(name, &place, path, line, None)
    }

    /// Gives the last frame its file (debuggers print it on the next line).
    pub(crate) fn place_last(&mut self, path: &[u8], line: i64) {
        if self.open.as_ref().is_none_or(|o| o.frames == 0) {
            return;
        }
        let Some(last) = self.tail.back().or(self.store.frames.last()).copied() else { return };
        let name = self.store.sites.get(last.site).map(|s| s.function);
        let Some(name) = name.map(|f| self.store.strings.bytes(f).to_vec()) else { return };
        let site = self.foreign_site(&name, path, line);
        if let Some(rec) = self.tail.back_mut().or(self.store.frames.last_mut()) {
            rec.site = site;
        }
    }

    pub(super) fn creator(&mut self, rest: &[u8]) {
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
            open.rare.creator = by;
        }
        self.pend(name, b"", true);
        self.situation = Guesses::creator(self.situation);
        self.expect = Expect::CreatorFile;
    }

    pub(super) fn created(&mut self, f: &FileLine<'_>, site: u32) {
        if let Some(open) = &mut self.open {
            open.rec.created = site;
        }
        self.last_place.clear();
        self.last_cut = f.cut;
    }
}
