//! Headlines, values of panics, profiles.

use super::value::Value;
use super::{Grammar, MAX_ENTRIES, MAX_MESSAGE, MAX_VALUE, Mode};
use crate::frame;
use crate::header;
use crate::headline::Said;
use crate::race::RaceReader;
use crate::scan;
use crate::store::Rare;
use crate::words;
use gopsy_model::{Headline, Role, StackDump};

impl Grammar {
    pub(super) fn hear(&mut self, said: Said<'_>, line: &[u8]) {
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
                    self.mode = Mode::Value(Value::begin(own));
                } else {
                    // A value that carries other parts of a flattened text behind it is over at once.
                    self.end_value(&own);
                    let rest = rest.to_vec();
                    self.within(|g| crate::flat::pieces(&rest, &mut |piece| g.line(piece)));
                }
            }
            Said::Fatal(message) => {
                let (message, rest) = crate::flat::split_headline(message);
                // A system stack that was full stands before its headline.
                let overrun = message == b"morestack on g0" && self.overrun.is_some_and(|i| self.store.is_last(i));
                self.crashes.before_headline(empty_stack || overrun);
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
            Said::RuntimeStack => self.start_bare(Role::System),
            Said::Overrun => {
                self.crashes.overrun(line, empty_stack);
                self.overrun = Some(self.store.stacks.len());
                self.start_bare(Role::System);
            }
            Said::Ancestor(of) => self.start_rare(Role::Ancestor, Rare { ancestor: Some(of), ..Rare::default() }),
            Said::StackDump(text) => {
                let mut dump = StackDump::default();
                words::bounds(text, &mut dump);
                self.mode = Mode::Words(dump);
            }
            Said::RunningTests => self.mode = Mode::RunningTests,
            Said::Profile { leaked } => {
                self.crashes.profile();
                self.mode = Mode::Profile { leaked };
            }
            other => self.crashes.say(&other, line, empty_stack),
        }
    }

    /// `3 @ 0x43a 0x44b`, `# labels: {…}`, `#\t0x43a\tmain.f+0x25\t/path/x.go:12` (runtime/pprof, debug=1).
    pub(super) fn profile_line(&mut self, body: &[u8], leaked: bool) -> bool {
        if let Some(rest) = body.strip_prefix(b"#") {
            let rest = scan::trim(rest);
            if let Some(raw) = rest.strip_prefix(b"labels: {") {
                let raw = raw.strip_suffix(b"}").unwrap_or(raw);
                let labels = self.store.keep_labels(&header::labels(raw));
                if let Some(open) = &mut self.open {
                    open.rare.labels = Some(labels);
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
        self.start_rare(Role::Goroutine, Rare { copies: Some(copies), ..Rare::default() });
        if let Some(open) = self.open.as_mut().filter(|_| leaked) {
            open.rec.flags |= header::flag::LEAKED;
        }
        true
    }
}
