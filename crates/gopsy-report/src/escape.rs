//! What came from the target, made harmless for one sink each.
//!
//! A crash text, a core and a binary come from elsewhere: a function name can hold an escape sequence, a panic value a
//! workflow command. Everything that is not gopsy's own wording goes through the function of its sink.
//!
//! All sinks share one notation for what must not be printed as it is: `\n`, `\t`, `\r`, `\x1b` for bytes below 0x80
//! and for bytes that are not UTF-8, `\u{202e}` for the rest.

use std::borrow::Cow;
use std::fmt::Write as _;

/// What becomes of line breaks and tabs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaks {
    /// One line must stay one line: `\n` is written as two characters, a tab as one blank.
    Escape,
    /// Lines stay lines (`\r\n` counts as `\n`); a tab becomes four blanks.
    Keep,
}

/// Text for a terminal: no character that moves, colours, hides or reorders anything.
#[must_use]
pub fn terminal(text: &str, breaks: Breaks) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, breaks) {
            ('\n', Breaks::Keep) => out.push('\n'),
            ('\r', Breaks::Keep) if chars.peek() == Some(&'\n') => {}
            ('\t', Breaks::Keep) => out.push_str("    "),
            ('\t', Breaks::Escape) => out.push(' '),
            (c, _) if is_unsafe(c) => escape_char(&mut out, c),
            (c, _) => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Bytes for a terminal; those that are not UTF-8 are shown as `\x..`.
#[must_use]
pub fn terminal_bytes(bytes: &[u8], breaks: Breaks) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(&terminal(chunk.valid(), breaks));
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// Text for a terminal or a file that shows ASCII only. gopsy's own signs have an ASCII form each (see
/// `terminal::canvas`), so what is left here came from the target.
#[must_use]
pub fn ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            escape_char(&mut out, c);
        }
    }
    Cow::Owned(out)
}

/// Text for HTML, in an element or in a quoted attribute.
#[must_use]
pub fn html(text: &str, breaks: Breaks) -> String {
    let text = terminal(text, breaks);
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        push_html(&mut out, c);
    }
    out
}

/// Text for a paragraph, list item or table cell of Markdown; always one line.
///
/// Besides what Markdown itself reads, GitHub turns `@name`, `#123`, `GH-123` and bare addresses into links after the
/// Markdown was rendered, where a backslash no longer helps: a zero-width space written as an entity does.
#[must_use]
pub fn markdown(text: &str) -> String {
    let text = terminal(text, Breaks::Escape);
    let mut out = String::with_capacity(text.len() + 16);
    let mut previous = ' ';
    let mut only_digits = true;
    for (i, c) in text.char_indices() {
        let rest = text.get(i + c.len_utf8()..).unwrap_or("");
        match c {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '|' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            '@' | '#' => {
                if i == 0 && c == '#' {
                    out.push('\\');
                }
                out.push(c);
                out.push_str(BREAK);
            }
            '+' | '-' | '=' if i == 0 => {
                out.push('\\');
                out.push(c);
            }
            '-' if previous.eq_ignore_ascii_case(&'h') && rest.starts_with(|c: char| c.is_ascii_digit()) => {
                out.push_str(BREAK);
                out.push(c);
            }
            // An ordered list starts with digits and one of these.
            '.' | ')' if i > 0 && only_digits => {
                out.push('\\');
                out.push(c);
            }
            ':' if rest.starts_with("//") || previous.eq_ignore_ascii_case(&'o') => {
                out.push(c);
                out.push_str(BREAK);
            }
            '.' if previous.eq_ignore_ascii_case(&'w') => {
                out.push_str(BREAK);
                out.push(c);
            }
            c => push_html(&mut out, c),
        }
        only_digits &= c.is_ascii_digit();
        previous = c;
    }
    out
}

/// A code span of Markdown that holds exactly this text, with a delimiter longer than any run of backticks in it.
#[must_use]
pub fn markdown_code(text: &str) -> String {
    let text = terminal(text, Breaks::Escape);
    if text.trim().is_empty() {
        return "` `".to_owned();
    }
    let ticks = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// A code span in a cell of a table, where a bar would end the cell even inside the span.
#[must_use]
pub fn markdown_cell(text: &str) -> String {
    let mut out = String::new();
    let mut slashes = 0;
    for c in markdown_code(text).chars() {
        if c == '|' {
            // Cells are split with backslashes taken in pairs (cmark-gfm, ext_scanners.re): the one before the bar must
            // not be the second of a pair.
            out.push_str(if slashes % 2 == 1 { "\\\\" } else { "\\" });
        }
        slashes = if c == '\\' { slashes + 1 } else { 0 };
        out.push(c);
    }
    out
}

/// A fenced block of Markdown.
#[must_use]
pub fn markdown_fence(text: &str, language: &str) -> String {
    let text = terminal(text, Breaks::Keep);
    let fence = "`".repeat((longest_run(&text) + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end_matches('\n'))
}

/// The message of a GitHub workflow command.
#[must_use]
pub fn github_message(text: &str) -> String {
    // toolkit/packages/core/src/command.ts, escapeData. Breaks are kept: %0A is shown as a line break.
    terminal(text, Breaks::Keep).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a GitHub workflow command (`file=…`, `title=…`).
#[must_use]
pub fn github_property(text: &str) -> String {
    // toolkit/packages/core/src/command.ts, escapeProperty.
    terminal(text, Breaks::Escape).replace('%', "%25").replace(':', "%3A").replace(',', "%2C")
}

/// Text that a GitHub runner may read without finding a command in it.
///
/// The runner trims blanks before it looks for `::` (actions/runner, `ActionCommand.TryParseV2`) and finds `##[` anywhere
/// in a line (`TryParse`); colours before the text are looked through here, for runners that strip them.
#[must_use]
pub fn github_guard(text: &str) -> Cow<'_, str> {
    if !text.contains("::") && !text.contains("##[") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive(['\n', '\r']) {
        let start = command_start(line);
        let (blanks, mut rest) = line.split_at(start);
        out.push_str(blanks);
        if let Some(after) = rest.strip_prefix("::") {
            out.push_str(": :");
            rest = after;
        }
        out.push_str(&rest.replace("##[", "## ["));
    }
    Cow::Owned(out)
}

/// Where a line begins once blanks and colours are passed over.
fn command_start(line: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = line.get(at..).unwrap_or("");
        let trimmed = rest.trim_start_matches(|c: char| c.is_whitespace() || c.is_control() && c != '\x1b');
        at += rest.len() - trimmed.len();
        let Some(sequence) = trimmed.strip_prefix("\x1b[") else { return at };
        let Some(end) = sequence.find(|c: char| c.is_ascii_alphabetic()) else { return at };
        at += 2 + end + 1;
    }
}

/// The zero-width space, as an entity so that it is seen by who reads the source.
const BREAK: &str = "&#8203;";

fn push_html(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        c => out.push(c),
    }
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Controls (C0, DEL, C1), what reorders text, and what is not seen.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(c,
        '\u{80}'..='\u{9f}'
        | '\u{ad}' // soft hyphen
        | '\u{34f}' // combining grapheme joiner
        | '\u{61c}' // Arabic letter mark
        | '\u{115f}'..='\u{1160}' | '\u{3164}' | '\u{ffa0}' // fillers of Hangul
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' // zero-width, LRM, RLM
        | '\u{2028}'..='\u{202e}' // separators, bidi embeddings and overrides
        | '\u{2060}'..='\u{206f}' // word joiner, bidi isolates
        | '\u{fe00}'..='\u{fe0f}' // variation selectors
        | '\u{feff}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' // tags
    )
}

fn escape_char(out: &mut String, c: char) {
    let _ = match c {
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        c if c.is_ascii() => write!(out, "\\x{:02x}", u32::from(c)),
        c => write!(out, "\\u{{{:x}}}", u32::from(c)),
    };
}
