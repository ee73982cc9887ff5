//! `gopsy where`.

use super::canvas::{Canvas, Ink, Line, View};
use super::count;
use crate::names::{plural, short_file};
use crate::whereabouts::{Answer, Answered, LineAnswer, OperandAt, PlaceAnswer, ThreadAt, Whereabouts};
use gopsy_locate::{CodeOfLine, Frame, Function, ListedInsn, Listing, OnlyInlined, SourceLine, Witness};
use std::collections::HashSet;

/// Where the instruction begins behind its address.
const INSTRUCTION: usize = 4;
/// The room of an instruction before what it names.
const NAMES: usize = 26;
/// Functions, and stretches of code, that are listed before the rest is only counted.
pub(super) const LISTED: usize = 20;

/// The page of all answers.
#[must_use]
pub fn whereabouts(found: &Whereabouts, view: &View) -> String {
    let mut canvas = Canvas::new(view);
    let notes = canvas.shout(found.alarm.as_slice(), &found.notes);
    for (i, answered) in found.answers.iter().enumerate() {
        if i > 0 {
            canvas.gap();
        }
        let mut page = Page { canvas: &mut canvas, found, answered };
        match &answered.answer {
            Answer::Place(place) => page.place(place),
            Answer::Ambiguous { asked, functions, more } => page.ambiguous(asked, functions, *more),
            Answer::OnlyInlined { asked, functions } => page.only_inlined(asked, functions),
            Answer::Line(line) => page.line(line),
            Answer::Nothing { asked, why } => {
                page.title(asked);
                page.canvas.wrap(2, 2, &Line::new().plain(why));
            }
            Answer::NotKnown { asked, why } => {
                page.title(asked);
                page.canvas.wrap(2, 2, &Line::of(Ink::Alarm, "not known").plain(&format!(": {why}")));
            }
            Answer::Writers(writers) => super::writers::writers(page.canvas, found, answered, writers),
        }
    }
    if !notes.is_empty() {
        canvas.gap();
        for note in notes {
            canvas.field("note", &Line::new().dim(note));
        }
    }
    canvas.finish()
}

/// What the answer is about, in words: the program's release, or the name of another file.
pub(super) fn subject<'a>(found: &'a Whereabouts, answered: &'a Answered) -> &'a str {
    match &answered.file {
        Some(file) => file.rsplit('/').next().unwrap_or(file),
        None => found.program.as_deref().unwrap_or_default(),
    }
}

/// The page of one answer.
struct Page<'a> {
    canvas: &'a mut Canvas,
    found: &'a Whereabouts,
    answered: &'a Answered,
}

impl Page<'_> {
    fn title(&mut self, title: &str) {
        let right = subject(self.found, self.answered);
        self.canvas.sides(&Line::of(Ink::Bold, title), &Line::new().dim(right));
    }

    fn hex(&self, at: gopsy_mem::LinkAddr) -> String {
        format!("{:#x}", self.answered.shown(at))
    }

    fn place(&mut self, answer: &PlaceAnswer) {
        let place = &answer.place;
        let at = self.hex(place.pc);
        let title = match (place.function.first(), &place.data) {
            (Some(function), _) => match place.pc.offset_from(function.entry) {
                Some(0) | None => format!("{at}  {}", function.name),
                Some(offset) => format!("{at}  {}+{offset:#x}", function.name),
            },
            (None, Some(data)) => format!("{at}  {data}"),
            (None, None) => at,
        };
        self.title(&title);
        for (i, statement) in place.function.statements().iter().enumerate() {
            let function = &statement.says;
            let bounds = self.bounds(function);
            let line = Line::new().plain(&function.name).plain(&format!("  {bounds}"));
            self.statement(if i == 0 { "function" } else { "but" }, line, &statement.by);
        }
        for (i, statement) in place.line.statements().iter().enumerate() {
            let line = Line::new().plain(&source_line(&statement.says));
            self.statement(if i == 0 { "line" } else { "but" }, line, &statement.by);
        }
        self.frames(answer);
        if let Some(section) = &place.section {
            let moved = self.answered.shown(place.pc) != place.pc.0;
            let loaded = if moved { format!(", {} in the file", place.pc) } else { String::new() };
            self.canvas.field("section", &Line::new().plain(section).plain(&loaded));
        }
        if let Some(call) = &place.call_before {
            let target = call.target.as_ref().map_or_else(|| "a call".to_owned(), |t| format!("the call of {t}"));
            let mut text = format!("{target} at {} returns here", self.hex(call.at));
            if let Some(frame) = call.frames.first().filter(|frame| frame.at.file.is_some()) {
                text.push_str(&format!("; it is of {}", short_line(&frame.at)));
            }
            self.canvas.field("return", &Line::new().plain(&text));
        }
        for thread in &answer.threads {
            self.thread(thread);
        }
        for note in &place.notes {
            self.canvas.field("note", &Line::new().dim(&note.text));
        }
        if !answer.listing.insns.is_empty() {
            self.canvas.gap();
            self.listing(&answer.listing);
        }
        if let Some(calls) = &answer.race {
            self.race(calls);
        }
    }

    fn bounds(&self, function: &Function) -> String {
        let from = self.hex(function.entry);
        match function.end {
            Some(end) => format!("{from}–{}", self.hex(end)),
            None => format!("from {from}"),
        }
    }

    fn statement(&mut self, label: &str, line: Line, by: &[Witness]) {
        let by: Vec<&str> = by.iter().map(|w| w.words()).collect();
        self.canvas.field(label, &line.dim(&format!("   {}", by.join(", "))));
    }

    /// The functions that are inlined there, if any are.
    fn frames(&mut self, answer: &PlaceAnswer) {
        let statements = answer.place.frames.statements();
        for (i, statement) in statements.iter().enumerate() {
            if statements.len() == 1 && statement.says.len() < 2 {
                return;
            }
            let words = |f: &Frame| {
                format!("{} ({})", f.function.as_deref().unwrap_or("a function without a name"), short_line(&f.at))
            };
            let label = if i == 0 { "inlined" } else { "but" };
            let text = statement.says.iter().map(words).collect::<Vec<_>>().join(" in ");
            self.statement(label, Line::new().plain(&text), &statement.by);
        }
    }

    fn thread(&mut self, thread: &ThreadAt) {
        let text = match (thread.interrupted, thread.signal.as_deref()) {
            (true, signal) => format!("{} stood here when {} came", thread.tid, signal.unwrap_or("a signal")),
            (false, Some(signal)) => format!("{} stands here, taking {signal}", thread.tid),
            (false, None) => format!("{} stands here", thread.tid),
        };
        self.canvas.field("thread", &Line::new().plain(&text));
        let parts: Vec<Line> =
            thread.registers.iter().map(|(name, value)| Line::new().dim(name).plain(&format!(" {value:#x}"))).collect();
        self.canvas.parts("", &parts);
        if let Some(OperandAt { address, what }) = &thread.operand {
            self.canvas.field("operand", &Line::new().plain(&format!("{address:#x}: {what}")));
        }
    }

    fn listing(&mut self, listing: &Listing) {
        let skipped = |n: usize| format!("… {} of the function", plural(count(n), "instruction"));
        if listing.before > 0 {
            self.canvas.raw(2, &Line::new().dim(&skipped(listing.before)));
        }
        let mut before: Option<&ListedInsn> = None;
        for insn in &listing.insns {
            let known = before.is_some() || insn.line.file.is_some();
            if known && before.is_none_or(|b| (&b.line, &b.inlined) != (&insn.line, &insn.inlined)) {
                self.source(&insn.line, insn.inlined.as_deref());
            }
            self.instruction(insn);
            before = Some(insn);
        }
        if listing.behind > 0 {
            self.canvas.raw(2, &Line::new().dim(&skipped(listing.behind)));
        }
    }

    fn source(&mut self, line: &SourceLine, inlined: Option<&str>) {
        let text = self.found.source(line.file.as_deref(), line.line).map(str::trim).unwrap_or_default();
        let mut head = Line::of(Ink::Bold, &short_line(line));
        if let Some(name) = inlined {
            head = head.dim(&format!("  {name}, inlined"));
        }
        self.canvas.wrap(2, 6, &head.plain("  ").plain(text));
    }

    fn instruction(&mut self, insn: &ListedInsn) {
        let at = self.hex(insn.at);
        let mark = if insn.asked { (Ink::Alarm, "▸ ") } else { (Ink::Plain, "  ") };
        let mut line = Line::new().add(mark.0, mark.1).dim(&at).plain("  ");
        let ink = if insn.asked { Ink::Bold } else { Ink::Plain };
        line = line.add(ink, &insn.text);
        let names = insn.names.as_ref().map(ToString::to_string);
        let race = insn.race.map(|hook| format!("(race detector: {})", hook.as_str()));
        let told: Vec<String> = names.into_iter().chain(race).collect();
        let indent = INSTRUCTION + 2 + at.len() + 2;
        if !told.is_empty() {
            let pad = NAMES.saturating_sub(self.canvas.measure(&insn.text)).max(2);
            line = line.plain(&" ".repeat(pad)).dim(&told.join(" "));
        }
        self.canvas.wrap(INSTRUCTION, indent, &line);
    }

    fn race(&mut self, calls: &Result<Vec<gopsy_locate::RaceCall>, String>) {
        self.canvas.gap();
        let calls = match calls {
            Ok(calls) => calls,
            Err(why) => {
                let line =
                    Line::of(Ink::Alarm, "calls into the race detector are not known").plain(&format!(": {why}"));
                return self.canvas.wrap(2, 2, &line);
            }
        };
        let head = match calls.len() {
            0 => "no calls into the race detector in this function".to_owned(),
            n => format!("{} into the race detector", plural(count(n), "call")),
        };
        self.canvas.raw(2, &Line::of(Ink::Bold, &head));
        for call in calls {
            let line = &call.line;
            let text = self.found.source(line.file.as_deref(), line.line).map(str::trim).unwrap_or_default();
            let words = format!("{:<15} {}", call.hook.as_str(), short_line(line));
            let row = Line::new().dim(&self.hex(call.at)).plain("  ").plain(&words).dim("  ").dim(text);
            self.canvas.wrap(4, 8, &row);
        }
    }

    fn ambiguous(&mut self, asked: &str, functions: &[Function], more: bool) {
        self.title(asked);
        let number = plural(count(functions.len()), "function");
        let text =
            format!("{}{number} have this name or end so; name one whole:", if more { "the first " } else { "" });
        self.canvas.wrap(2, 2, &Line::new().plain(&text));
        for function in functions.iter().take(LISTED) {
            let row = Line::new().dim(&self.hex(function.entry)).plain("  ").plain(&function.name);
            self.canvas.wrap(4, 8, &row);
        }
        self.left_out(functions.len());
    }

    fn left_out(&mut self, count: usize) {
        if count > LISTED {
            self.canvas.raw(4, &Line::new().dim(&format!("… and {} more; --json lists all", count - LISTED)));
        }
    }

    fn only_inlined(&mut self, asked: &str, functions: &[OnlyInlined]) {
        self.title(asked);
        // How often it is called cannot be told from addresses: one call may be several stretches, and two may be one.
        let stands = |function: &OnlyInlined| {
            let of: HashSet<_> = function.code.iter().map(|c| c.function.as_deref()).collect();
            let (code, of) = (plural(count(function.code.len()), "piece"), plural(count(of.len()), "function"));
            format!("{}{code} of code in {of}", if function.more { "at least " } else { "" })
        };
        match functions {
            [function] => {
                let text = format!("{} has no code of its own: it is inlined, {}.", function.name, stands(function));
                self.canvas.wrap(2, 2, &Line::new().plain(&text));
                for place in function.code.iter().take(LISTED) {
                    self.stretch(place);
                }
                self.left_out(function.code.len());
            }
            several => {
                let number = plural(count(several.len()), "function");
                let text = format!("{number} that are inlined everywhere have this name or end so; name one whole:");
                self.canvas.wrap(2, 2, &Line::new().plain(&text));
                for function in several.iter().take(LISTED) {
                    let row = Line::new().plain(&function.name).dim(&format!("   {}", stands(function)));
                    self.canvas.wrap(4, 8, &row);
                }
                self.left_out(several.len());
            }
        }
    }

    fn stretch(&mut self, code: &CodeOfLine) {
        let name = code.function.as_deref().unwrap_or("no function of pclntab");
        let by: Vec<&str> = code.by.iter().map(|w| w.words()).collect();
        let inlined = if code.inlined_call { "  (a call that is inlined)" } else { "" };
        let row = Line::new()
            .plain(&format!("{}–{}", self.hex(code.start), self.hex(code.end)))
            .plain("  ")
            .plain(name)
            .plain(inlined)
            .dim(&format!("   {}", by.join(", ")));
        self.canvas.wrap(4, 8, &row);
    }

    fn line(&mut self, answer: &LineAnswer) {
        self.title(&answer.asked);
        let mut file = None;
        for code in answer.code.iter().take(LISTED) {
            if file != Some(&code.file) {
                file = Some(&code.file);
                let text = self.found.source(Some(&code.file), Some(answer.line.number)).map(str::trim);
                let head = Line::of(Ink::Bold, &format!("{}:{}", code.file, answer.line.number));
                self.canvas.wrap(2, 6, &head.plain("  ").plain(text.unwrap_or_default()));
            }
            self.stretch(code);
        }
        self.left_out(answer.code.len());
        for one in &answer.listings {
            self.canvas.gap();
            self.listing(&one.listing);
        }
    }
}

/// `/src/main.go:41`.
pub(super) fn source_line(at: &SourceLine) -> String {
    let file = at.file.as_deref().unwrap_or("a file without a name");
    match at.line {
        Some(line) => format!("{file}:{line}"),
        None => format!("{file}, no line"),
    }
}

/// The same with the last two elements of the path.
pub(super) fn short_line(at: &SourceLine) -> String {
    let file = at.file.as_deref().map(|f| short_file(f).to_owned());
    source_line(&SourceLine { file, line: at.line })
}
