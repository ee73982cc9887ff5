//! Carriers: what stands before (and around) each line of a log, learnt from the lines themselves.
//!
//! No list of log formats could be complete, so a prefix is learnt where a goroutine header stands behind one: what
//! is a number in it may change from line to line, the rest may not. Each learnt prefix is a stream of its own, read
//! by its own grammar, so that interleaved processes are told apart as far as the carrier names them.

use crate::carrier::{
    Carrier, clean, cri, form_at, is_object, json_carrier, json_line, json_log, tool_prefix, without_escapes,
};
use crate::escaped;
use crate::grammar::Grammar;
use crate::headline;
use crate::scan;
use crate::store::Room;
use crate::template::Template;
use crate::window::Window;
use gopsy_model::Crash;
use std::cell::Cell;
use std::rc::Rc;

/// At most so many streams are told apart in one text.
const MAX_STREAMS: usize = 255;
/// A process's own log is known by its form if it begins within so many lines.
const FIRST: u64 = 3;
/// Streams that are told of one by one.
const MAX_NOTES: usize = 8;

/// Carriers within carriers: a container's log in a journal in a CI's.
const MAX_CARRIERS: u32 = 3;

struct Stream {
    carrier: Carrier,
    text: Text,
    partial: Vec<u8>,
    lines: u64,
}

/// What the lines of a stream are without their carrier.
enum Text {
    /// Lines of a program.
    Lines(Box<Grammar>),
    /// A text of its own: another carrier may be in it.
    Carried(Box<Carried>),
}

/// What was carried, with carriers of its own.
struct Carried {
    window: Window,
    streams: Streams,
}

impl Carried {
    /// Reads the lines of which enough is known; with `all`, all.
    fn read(&mut self, all: bool) {
        while let Some(l) = self.window.next(all) {
            self.streams.line(l.number, l.line, l.before, l.after);
        }
    }
}

impl Text {
    fn line(&mut self, number: u64, line: &[u8]) {
        match self {
            Text::Lines(grammar) => {
                grammar.crashes.line = number;
                grammar.line(line);
            }
            Text::Carried(text) => {
                text.window.push(number, line);
                text.read(false);
            }
        }
    }

    /// Begins with what was told elsewhere.
    fn adopt(&mut self, crash: Crash) {
        match self {
            Text::Lines(grammar) => grammar.crashes.adopt(crash),
            Text::Carried(text) => text.streams.plain.crashes.adopt(crash),
        }
    }

    fn finish(self) -> (Vec<Grammar>, Vec<String>) {
        match self {
            Text::Lines(mut grammar) => {
                grammar.finish();
                (vec![*grammar], Vec::new())
            }
            Text::Carried(mut text) => {
                text.read(true);
                text.streams.finish()
            }
        }
    }
}

/// What all streams of a text share.
#[derive(Clone)]
struct Shared {
    keep_args: bool,
    room: Room,
    /// How many more streams may be told apart.
    free: Rc<Cell<usize>>,
}

/// All streams of a text.
pub(crate) struct Streams {
    /// The lines without a carrier.
    plain: Grammar,
    streams: Vec<Stream>,
    last: Option<usize>,
    shared: Shared,
    /// Carriers around this text.
    depth: u32,
    number: u64,
    ansi: u64,
    /// Carriers that had to share the last stream.
    joined: u64,
    pub(crate) lines: u64,
}

impl Streams {
    pub(crate) fn new(keep_args: bool) -> Self {
        let free = Rc::new(Cell::new(MAX_STREAMS));
        Streams::within(Shared { keep_args, room: Room::default(), free }, 0)
    }

    fn within(shared: Shared, depth: u32) -> Self {
        let plain = Grammar::new(shared.keep_args, &shared.room);
        Streams { plain, streams: Vec::new(), last: None, shared, depth, number: 0, ansi: 0, joined: 0, lines: 0 }
    }

    /// Reads line `number`; `before` and `after` are what stands around it, for learning.
    pub(crate) fn line(&mut self, number: u64, line: &[u8], before: &[u8], after: &[u8]) {
        self.lines = self.lines.saturating_add(1);
        self.number = number;
        // A control sequence may be cut in two by partial lines: the joined ones are cleaned where they are read.
        if memchr::memchr(0x1b, line).is_some() && cri(line).is_none_or(|(_, partial, _)| !partial) {
            let clean = without_escapes(line);
            self.ansi = self.ansi.saturating_add(1);
            self.clean_line(&clean, before, after);
        } else {
            self.clean_line(line, before, after);
        }
    }

    fn clean_line(&mut self, line: &[u8], before: &[u8], after: &[u8]) {
        if !self.streams.is_empty() && self.carried(line) {
            return;
        }
        if self.known_form(line, after) {
            return;
        }
        if self.may_teach(line) && self.learn(line, before, after) {
            return;
        }
        self.plain.crashes.line = self.number;
        self.plain.line(line);
    }

    /// No more streams are told apart.
    fn is_crowded(&self) -> bool {
        self.shared.free.get() == 0 && !self.streams.is_empty()
    }

    /// Gives the line to the stream whose carrier fits.
    fn carried(&mut self, line: &[u8]) -> bool {
        if is_object(line) {
            return self.carried_json(line);
        }
        if self.last.is_some_and(|last| self.give(last, line)) {
            return true;
        }
        for i in 0..self.streams.len() {
            if self.last != Some(i) && self.give(i, line) {
                self.last = Some(i);
                return true;
            }
        }
        false
    }

    /// A JSON line is read once for each field that carries a stream, however many streams there are.
    fn carried_json(&mut self, line: &[u8]) -> bool {
        let mut keys: Vec<&[u8]> = Vec::new();
        for stream in &self.streams {
            if let Carrier::Json { key, .. } = &stream.carrier
                && !keys.contains(&key.as_slice())
            {
                keys.push(key);
            }
        }
        let mut found = None;
        for key in keys {
            let Some((value, names)) = json_line(line, key) else { continue };
            let at = self.streams.iter().position(|s| match &s.carrier {
                Carrier::Json { key: k, names: n, .. } => k == key && *n == names,
                _ => false,
            });
            if let Some(at) = at {
                found = Some((at, value));
                break;
            }
        }
        match found {
            Some((at, value)) => {
                self.last = Some(at);
                self.give_json(at, &value);
                true
            }
            // A prefix may begin with a brace.
            None => {
                let others = |s: &Stream| !matches!(s.carrier, Carrier::Json { .. });
                (0..self.streams.len()).any(|i| self.streams.get(i).is_some_and(others) && self.give(i, line))
                    || self.new_sibling(line)
            }
        }
    }

    fn give_json(&mut self, index: usize, value: &[u8]) {
        let number = self.number;
        let Some(stream) = self.streams.get_mut(index) else { return };
        let Carrier::Json { terminated, .. } = &stream.carrier else { return };
        stream.lines = stream.lines.saturating_add(1);
        let whole = !*terminated || value.ends_with(b"\n");
        stream.partial.extend_from_slice(value);
        if whole || stream.partial.len() > 1 << 22 {
            let text = std::mem::take(&mut stream.partial);
            for piece in text.strip_suffix(b"\n").unwrap_or(&text).split(|&c| c == b'\n') {
                stream.text.line(number, piece);
            }
        }
    }

    /// A carrier that is known by its form, without anything of Go behind it. The container runtime's must be: the
    /// header that would teach it may be cut into partial lines.
    fn known_form(&mut self, line: &[u8], after: &[u8]) -> bool {
        if self.is_crowded() {
            return false;
        }
        let carrier = if let Some((name, _, _)) = cri(line) {
            let next = after.split(|&c| c == b'\n').next().unwrap_or(&[]);
            (scan::trim(next).is_empty() || cri(&clean(next)).is_some()).then(|| Carrier::Cri(name.to_vec()))
        } else if is_object(line) {
            json_log(line)
        } else if self.lines <= FIRST && self.streams.is_empty() {
            tool_prefix(line)
                .and_then(|prefix| Template::learn(prefix, line))
                .filter(|t| all_bear(t, after))
                .map(Carrier::Prefix)
        } else {
            None
        };
        let Some(carrier) = carrier else { return false };
        let index = self.push(carrier);
        self.give(index, line)
    }

    /// A JSON line of a known form that names another stream.
    fn new_sibling(&mut self, line: &[u8]) -> bool {
        if !is_object(line) {
            return false;
        }
        let known = self.streams.iter().find_map(|s| match &s.carrier {
            Carrier::Json { key, terminated, .. } => Some((key.clone(), *terminated)),
            _ => None,
        });
        let Some((key, terminated)) = known else { return false };
        let Some((value, names)) = json_line(line, &key) else { return false };
        let index = self.push(Carrier::Json { key, names, terminated });
        self.give_json(index, &value);
        true
    }

    /// A new stream. When there are too many, the last one is given the new carrier: those that come after each other
    /// are still read whole.
    fn push(&mut self, carrier: Carrier) -> usize {
        let free = self.shared.free.get();
        match self.streams.last_mut() {
            Some(stream) if free == 0 => {
                self.joined = self.joined.saturating_add(1);
                stream.carrier = carrier;
                let rest = std::mem::take(&mut stream.partial);
                if !rest.is_empty() {
                    stream.text.line(self.number, &rest);
                }
            }
            _ => {
                self.shared.free.set(free.saturating_sub(1));
                let text = if self.depth.saturating_add(1) < MAX_CARRIERS {
                    let streams = Streams::within(self.shared.clone(), self.depth.saturating_add(1));
                    Text::Carried(Box::new(Carried { window: Window::default(), streams }))
                } else {
                    Text::Lines(Box::new(Grammar::new(self.shared.keep_args, &self.shared.room)))
                };
                self.streams.push(Stream { carrier, text, partial: Vec::new(), lines: 0 });
            }
        }
        let index = self.streams.len().saturating_sub(1);
        self.last = Some(index);
        index
    }

    fn give(&mut self, index: usize, line: &[u8]) -> bool {
        let number = self.number;
        let Some(stream) = self.streams.get_mut(index) else { return false };
        match &stream.carrier {
            Carrier::Prefix(template) => {
                let Some(content) = template.strip(line) else { return false };
                stream.lines = stream.lines.saturating_add(1);
                stream.text.line(number, &content);
                true
            }
            Carrier::Cri(name) => {
                let Some((stream_name, partial, content)) = cri(line) else { return false };
                if stream_name != name.as_slice() {
                    return false;
                }
                stream.lines = stream.lines.saturating_add(1);
                let content = if partial { content.strip_suffix(b"\r").unwrap_or(content) } else { content };
                stream.partial.extend_from_slice(content);
                if !partial || stream.partial.len() > 1 << 22 {
                    let whole = std::mem::take(&mut stream.partial);
                    stream.text.line(number, &whole);
                }
                true
            }
            Carrier::Json { key, names, .. } => match json_line(line, key) {
                Some((value, line_names)) if line_names == *names => {
                    self.give_json(index, &value);
                    true
                }
                _ => false,
            },
        }
    }

    /// A cheap look: could something that begins a trace stand behind a prefix in this line?
    fn may_teach(&self, line: &[u8]) -> bool {
        let in_stack = self.plain.in_stack();
        if matches!(scan::at(line, 0), b'\t' | 0) && (in_stack || !line.ends_with(b":"))
            || line.starts_with(b"goroutine ")
        {
            return false;
        }
        match scan::trim_end(line).last() {
            Some(b')') => false,
            Some(b':' | b'"' | b'}' | b'|') => true,
            Some(c) if *c >= 0x80 => true,
            _ => !in_stack && self.streams.len() < 3 && line.len() < 4096,
        }
    }

    /// Learns the carrier of a line that has an anchor behind a prefix.
    fn learn(&mut self, line: &[u8], before: &[u8], after: &[u8]) -> bool {
        let Some(at) = anchor(line) else { return false };
        // The tab of a nested panic is the text's own.
        let at = if scan::upto(line, at).ends_with(b" \t") { at.saturating_sub(1) } else { at };
        let prefix = scan::upto(line, at);
        let carrier = if is_object(line) {
            match json_carrier(line) {
                Some(c) => c,
                None => return false,
            }
        } else if let Some((name, _, _)) = cri(line) {
            Carrier::Cri(name.to_vec())
        } else {
            let Some(template) = Template::learn(prefix, line) else { return false };
            Carrier::Prefix(template)
        };
        // The lines behind must bear the same prefix, or it was only that of one line. Those of other streams do not
        // count.
        let (mut seen, mut fits, mut bare) = (0u32, 0u32, 0u32);
        let crowded = self.is_crowded();
        for next in after.split(|&c| c == b'\n').filter(|l| !scan::trim(l).is_empty()).take(32) {
            let next = clean(next);
            let fit = carrier.fits_log(&next);
            if !fit && !crowded && self.streams.iter().any(|s| s.carrier.fits(&next)) {
                continue;
            }
            seen = seen.saturating_add(1);
            fits = fits.saturating_add(u32::from(fit));
            bare = bare.saturating_add(u32::from(is_bare_frame(&next)));
            if seen >= 8 {
                break;
            }
        }
        // Nothing of a trace without the prefix follows a header: then its frames bear it, after others' lines.
        let header = scan::trim_start(scan::from(line, at)).0.starts_with(b"goroutine ");
        let alone = header && bare == 0 && seen > 0;
        let is_prefix = matches!(carrier, Carrier::Prefix(_));
        let above = || before.rsplit(|&c| c == b'\n');
        let backwards = is_prefix
            && seen == 0
            && above().filter(|l| !scan::trim(l).is_empty()).take(4).any(|l| carrier.fits(&clean(l)));
        // The text was cut behind the headline: what stands before bears the prefix, no trace follows.
        let cut = !header
            && bare == 0
            && is_prefix
            && above().take(8).filter(|l| carrier.fits(&clean(l))).count() >= 4
            && after.split(|&c| c == b'\n').take(32).all(|l| escaped::header_at(l).is_none());
        let fitting = fits > 0 && fits.saturating_mul(3) >= seen || alone || cut;
        if is_prefix && !fitting && !backwards {
            // One prefix, one line: a log message in front of an ordinary trace.
            let behind = scan::from(line, at);
            let quoted = prefix.contains(&b'"') || prefix.contains(&b'{');
            if !quoted
                && !scan::trim(prefix).is_empty()
                && crate::header::header(scan::trim_end(behind)).is_some_and(|h| h.rest.is_empty())
            {
                self.plain.crashes.line = self.number;
                self.plain.line(prefix);
                self.plain.line(behind);
                return true;
            }
            return false;
        }
        let index = self.push(carrier);
        // The first line of a death often stands where the prefix was not copied, or was printed by somebody else:
        // without stacks of its own it belongs to the ones behind the prefix.
        let own_stacks = after.split(|&c| c == b'\n').take(64).any(|l| l.starts_with(b"goroutine "));
        if !own_stacks
            && !crowded
            && let Some(crash) = self.plain.take_lonely(self.number)
            && let Some(stream) = self.streams.get_mut(index)
        {
            stream.text.adopt(crash);
        }
        // What stood before with the same carrier was taken for noise: the headline is among it.
        let far = if crowded { 1 << 9 } else { before.len() };
        for earlier in scan::from(before, before.len().saturating_sub(far)).split(|&c| c == b'\n') {
            let earlier = clean(earlier);
            if !earlier.is_empty() && (crowded || !self.streams.iter().take(index).any(|s| s.carrier.fits(&earlier))) {
                self.give(index, &earlier);
            }
        }
        self.give(index, line)
    }

    /// The grammars of all streams, finished, and what is to be told about the carriers.
    pub(crate) fn finish(mut self) -> (Vec<Grammar>, Vec<String>) {
        let mut notes = Vec::new();
        let carried: u64 = self.streams.iter().map(|s| s.lines).sum();
        let other = self.lines.saturating_sub(carried);
        if carried > 0 && other > 0 {
            notes.push(format!("{other} of {} lines do not bear the log's prefix; they were read apart", self.lines));
        }
        self.plain.finish();
        let mut grammars = vec![self.plain];
        for mut stream in self.streams {
            let rest = std::mem::take(&mut stream.partial);
            if !rest.is_empty() {
                stream.text.line(self.number, &rest);
            }
            notes.push(match &stream.carrier {
                Carrier::Prefix(t) => format!("read {} lines behind a prefix like {:?}", stream.lines, t.example),
                Carrier::Cri(name) => {
                    format!("read {} lines of {} from a container runtime's log (CRI)", stream.lines, scan::text(name))
                }
                Carrier::Json { key, names, .. } => {
                    let who = if names.is_empty() { String::new() } else { format!(" of {}", scan::text(names)) };
                    format!("read {} lines from the field {:?} of JSON lines{who}", stream.lines, scan::text(key))
                }
            });
            let (inner, said) = stream.text.finish();
            grammars.extend(inner);
            notes.extend(said);
        }
        let more = notes.len().saturating_sub(MAX_NOTES);
        if more > 0 {
            notes.truncate(MAX_NOTES);
            notes.push(format!("and the lines of {more} more streams"));
        }
        if self.joined > 0 {
            notes.push(format!(
                "{} more carriers were not told apart from each other: where their lines are mixed, so are their stacks",
                self.joined
            ));
        }
        if self.ansi > 0 {
            notes.push(format!("terminal control sequences were taken out of {} lines", self.ansi));
        }
        (grammars, notes)
    }
}

/// Whether all of the next lines bear this prefix, and there are some.
fn all_bear(template: &Template, after: &[u8]) -> bool {
    let mut next =
        after.split(|&c| c == b'\n').filter(|l| !scan::trim(l).is_empty()).take(8).map(|l| template.bears(&clean(l)));
    next.next() == Some(true) && next.all(|bears| bears)
}

/// Where a trace, or another log's line, begins behind a prefix.
fn anchor(line: &[u8]) -> Option<usize> {
    if let Some(i) = form_at(line) {
        return (i > 0).then_some(i);
    }
    if let Some(i) = escaped::header_at(line) {
        // A header with more behind it on the same line is a flattened text or a string with escapes.
        let behind = scan::from(line, i);
        let whole = crate::header::header(scan::trim_end(behind)).is_some_and(|h| h.rest.is_empty());
        return (i > 0 && (whole || is_object(line) || prefix_is_quoted(line, i))).then_some(i);
    }
    headline::BEGINNINGS.iter().find_map(|begin| scan::find(line, begin)).filter(|&i| i > 0)
}

/// Whether this line is a frame's without anything before it.
fn is_bare_frame(line: &[u8]) -> bool {
    let line = scan::trim_end(line);
    let function =
        |l: &[u8]| l.ends_with(b")") && matches!(crate::frame::function_line(l), crate::frame::FunctionShape::Whole(_));
    let place = |l: &[u8]| crate::frame::file_line(l).is_some_and(|f| crate::frame::is_source_path(f.path));
    match line {
        [b'\t', rest @ ..] => place(rest),
        _ => function(line),
    }
}

fn prefix_is_quoted(line: &[u8], at: usize) -> bool {
    scan::upto(line, at).ends_with(b"=\"")
}
