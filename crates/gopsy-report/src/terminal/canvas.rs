//! Lines, inks and widths.

use crate::escape::{Breaks, ascii, terminal};
use std::borrow::Cow;
use unicode_width::UnicodeWidthStr;

/// How a terminal is written to. What it is (a pipe, dark, `NO_COLOR`) was decided by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Columns.
    pub width: usize,
    /// Escape sequences for bold, dim and colours may be written.
    pub colour: bool,
    /// Characters beyond ASCII may be written.
    pub unicode: bool,
}

impl Default for View {
    fn default() -> Self {
        View { width: 80, colour: false, unicode: true }
    }
}

impl View {
    /// Columns within the bounds for which pages are made.
    pub(crate) fn columns(&self) -> usize {
        self.width.clamp(40, 200)
    }
}

/// What a piece of text is to the reader. Only attributes and colours that are legible on light and on dark grounds:
/// never white, black, yellow or blue text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    Plain,
    Bold,
    Dim,
    /// What died.
    Alarm,
    /// More than before.
    More,
    /// Less than before.
    Less,
}

impl Ink {
    fn start(self) -> &'static str {
        match self {
            Ink::Plain => "",
            Ink::Bold => "\x1b[1m",
            Ink::Dim => "\x1b[2m",
            Ink::Alarm => "\x1b[1;31m",
            Ink::More => "\x1b[31m",
            Ink::Less => "\x1b[32m",
        }
    }
}

/// A line before it is laid out. Whatever is put into it is made harmless.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line(Vec<(Ink, String)>);

impl Line {
    pub(crate) fn new() -> Self {
        Line::default()
    }

    pub(crate) fn of(ink: Ink, text: &str) -> Self {
        Line::new().add(ink, text)
    }

    /// Appends text; line breaks in it are shown, not made.
    pub(crate) fn add(mut self, ink: Ink, text: &str) -> Self {
        if !text.is_empty() {
            self.0.push((ink, terminal(text, Breaks::Escape).into_owned()));
        }
        self
    }

    pub(crate) fn plain(self, text: &str) -> Self {
        self.add(Ink::Plain, text)
    }

    pub(crate) fn dim(self, text: &str) -> Self {
        self.add(Ink::Dim, text)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A page that is being written.
pub(crate) struct Canvas {
    pub(crate) columns: usize,
    colour: bool,
    unicode: bool,
    out: String,
}

/// Sentences get no longer lines than this, however wide the terminal.
const PROSE: usize = 110;
/// Behind these a word too long for a line is broken.
const BREAKABLE: [char; 4] = ['/', '\\', ',', ';'];
/// Where the text behind a label begins.
pub(crate) const FIELD: usize = 11;

impl Canvas {
    pub(crate) fn new(view: &View) -> Self {
        Canvas { columns: view.columns(), colour: view.colour, unicode: view.unicode, out: String::new() }
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }

    /// What comes before all else; gives the notes that are left for the end.
    pub(crate) fn shout<'n>(&mut self, alarms: &[String], notes: &'n [String]) -> Vec<&'n str> {
        for alarm in alarms {
            self.wrap(0, 2, &Line::of(Ink::Alarm, alarm));
        }
        self.gap();
        notes.iter().filter(|note| !alarms.contains(note)).map(String::as_str).collect()
    }

    /// An empty line, unless one was just written or nothing was.
    pub(crate) fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// How wide the text will be.
    pub(crate) fn measure(&self, text: &str) -> usize {
        self.signs(&terminal(text, Breaks::Escape)).width()
    }

    fn measure_line(&self, line: &Line) -> usize {
        line.0.iter().map(|(_, text)| self.signs(text).width()).sum()
    }

    /// gopsy's own signs in ASCII where nothing else can be shown; whatever else is not ASCII is escaped.
    fn signs<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.unicode || text.is_ascii() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '…' => out.push_str("..."),
                '·' | '•' => out.push('-'),
                '×' => out.push('x'),
                '↻' => out.push('@'),
                '│' => out.push('|'),
                '▸' => out.push('>'),
                '–' => out.push('-'),
                '→' => out.push_str("->"),
                '’' => out.push('\''),
                '“' | '”' => out.push('"'),
                c => out.push(c),
            }
        }
        Cow::Owned(ascii(&out).into_owned())
    }

    fn ink(&mut self, ink: Ink, text: &str) {
        let start = if self.colour { ink.start() } else { "" };
        self.out.push_str(start);
        self.out.push_str(text);
        if !start.is_empty() {
            self.out.push_str("\x1b[0m");
        }
    }

    fn indent(&mut self, columns: usize) {
        self.out.extend(std::iter::repeat_n(' ', columns));
    }

    fn end(&mut self) {
        let text = self.out.trim_end_matches(' ').len();
        self.out.truncate(text);
        self.out.push('\n');
    }

    /// A line as it is, whatever its width.
    pub(crate) fn raw(&mut self, indent: usize, line: &Line) {
        self.indent(indent);
        for (ink, text) in &line.0 {
            let text = self.signs(text).into_owned();
            self.ink(*ink, &text);
        }
        self.end();
    }

    /// A line that is broken at blanks, and inside a word too long for a line at the separators of paths.
    pub(crate) fn wrap(&mut self, first: usize, indent: usize, line: &Line) {
        self.indent(first);
        self.flow(first, indent, line);
        self.end();
    }

    /// `  label    text`, with the text hanging.
    pub(crate) fn field(&mut self, label: &str, line: &Line) {
        self.item(label, 0, line);
    }

    /// The same, its further lines indented by `hang` more.
    pub(crate) fn item(&mut self, label: &str, hang: usize, line: &Line) {
        let at = self.label(FIELD, label);
        self.flow(at, FIELD + hang, line);
        self.end();
    }

    /// Parts side by side behind a label, three blanks apart; one that does not fit begins a new line.
    pub(crate) fn parts(&mut self, label: &str, parts: &[Line]) {
        let mut at = self.label(FIELD, label);
        for (i, part) in parts.iter().enumerate() {
            let width = self.measure_line(part);
            if i > 0 && at + 3 + width > self.columns {
                self.end();
                self.indent(FIELD);
                at = FIELD;
            } else if i > 0 {
                self.indent(3);
                at += 3;
            }
            self.flow(at, FIELD, part);
            at += width;
        }
        self.end();
    }

    /// A line of a table, with a label before its first one and a sign two columns before its text.
    pub(crate) fn labelled(&mut self, indent: usize, label: &str, sign: (Ink, &str), line: &Line) {
        let mut at = self.label(indent.saturating_sub(2), label);
        let text = self.signs(sign.1).into_owned();
        self.ink(sign.0, &text);
        let pad = indent.saturating_sub(at + text.width());
        self.indent(pad);
        at += text.width() + pad;
        if at + self.measure_line(line) <= self.columns {
            self.raw(0, line);
        } else {
            self.flow(at, indent + 2, line);
            self.end();
        }
    }

    /// Writes a label and blanks up to `column`; returns where it ended.
    fn label(&mut self, column: usize, label: &str) -> usize {
        let before = column.min(2);
        self.indent(before);
        let label = self.signs(&terminal(label, Breaks::Escape)).into_owned();
        self.ink(Ink::Dim, &label);
        let at = before + label.width();
        let pad = column.saturating_sub(at).max(usize::from(!label.is_empty()));
        self.indent(pad);
        at + pad
    }

    /// A line with a second one at the right edge; below it, where there is no room.
    pub(crate) fn sides(&mut self, left: &Line, right: &Line) {
        let (l, r) = (self.measure_line(left), self.measure_line(right));
        if right.is_empty() || l + 3 + r > self.columns {
            self.wrap(0, 2, left);
            if !right.is_empty() {
                self.wrap(2, 2, right);
            }
            return;
        }
        for (ink, text) in &left.0 {
            let text = self.signs(text).into_owned();
            self.ink(*ink, &text);
        }
        let pad = self.columns - l - r;
        self.indent(pad);
        self.raw(0, right);
    }

    /// Writes words from column `at` on; new lines begin at `indent`.
    fn flow(&mut self, mut at: usize, indent: usize, line: &Line) {
        let mut first = true;
        for word in words(line) {
            let pieces: Vec<(Ink, String)> =
                word.pieces.iter().map(|(ink, text)| (*ink, self.signs(text).into_owned())).collect();
            let width: usize = pieces.iter().map(|(_, text)| text.width()).sum();
            let mut blanks = word.blanks;
            if !first && at + blanks + width > self.columns.min(PROSE) {
                // A word that fits on no line is begun where it stands if a good part of it fits there.
                let breakable = pieces.iter().any(|(_, text)| text.contains(BREAKABLE));
                let hopeless = breakable && indent + width > self.columns && at + blanks + width / 3 < self.columns;
                if !hopeless {
                    self.end();
                    self.indent(indent);
                    (at, blanks) = (indent, 0);
                }
            }
            self.indent(blanks);
            at += blanks;
            for (ink, text) in pieces {
                at = self.long(at, indent, ink, &text);
            }
            first = false;
        }
    }

    /// A word, broken behind the separators of paths where it does not fit.
    fn long(&mut self, mut at: usize, indent: usize, ink: Ink, text: &str) -> usize {
        if at + text.width() <= self.columns {
            self.ink(ink, text);
            return at + text.width();
        }
        for piece in text.split_inclusive(BREAKABLE) {
            if at > indent && at + piece.width() > self.columns {
                self.end();
                self.indent(indent);
                at = indent;
            }
            self.ink(ink, piece);
            at += piece.width();
        }
        at
    }
}

/// Pieces between blanks; a word can change its ink.
struct Word {
    blanks: usize,
    pieces: Vec<(Ink, String)>,
}

fn words(line: &Line) -> Vec<Word> {
    let mut all = Vec::new();
    let mut word = Word { blanks: 0, pieces: Vec::new() };
    for (ink, text) in &line.0 {
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let trimmed = rest.trim_start_matches(' ');
            let blanks = rest.len() - trimmed.len();
            if blanks > 0 {
                if !word.pieces.is_empty() {
                    all.push(std::mem::replace(&mut word, Word { blanks: 0, pieces: Vec::new() }));
                }
                word.blanks += blanks;
            }
            let end = trimmed.find(' ').unwrap_or(trimmed.len());
            let (piece, tail) = trimmed.split_at(end);
            if !piece.is_empty() {
                word.pieces.push((*ink, piece.to_owned()));
            }
            rest = tail;
        }
    }
    if !word.pieces.is_empty() {
        all.push(word);
    }
    all
}
