//! Lines that a wrap cut in two.

use super::{Grammar, MAX_JOINS};
use crate::frame::{self, FunctionShape};
use crate::header;
use crate::headline;
use crate::scan;

impl Grammar {
    /// Joins a line to the fragment that waits. True if it was taken.
    pub(super) fn join(&mut self, body: &[u8]) -> bool {
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
    pub(super) fn give_up_fragment(&mut self) {
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
    pub(super) fn wrapped_path(&mut self, body: &[u8], indent: usize) -> bool {
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
    pub(super) fn rest_of_cut_place(&mut self, body: &[u8], indent: usize) -> bool {
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
}
