//! What stands before each line of a log, as a template: its numbers may change from line to line, the rest may not.

use crate::escaped;
use crate::scan::{self, Cursor};
use std::borrow::Cow;

/// A piece of a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Exact(Vec<u8>),
    Digits,
    Blanks,
}

/// A learnt prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
    /// What closes every line (the right side of a box).
    suffix: Vec<u8>,
    /// The content is a quoted string (`msg="…"`).
    quoted: bool,
    pub(crate) example: String,
}

impl Template {
    /// Learns the form of a prefix.
    pub(crate) fn learn(prefix: &[u8], line: &[u8]) -> Option<Template> {
        let body = scan::trim_end(prefix);
        // Indentation alone needs no carrier: the grammar reads past it.
        if body.is_empty() || prefix.len() > 400 || !ends_like_a_prefix(prefix) {
            return None;
        }
        let tail = scan::from(prefix, body.len());
        let mut pieces: Vec<Piece> = Vec::new();
        let mut exact: Vec<u8> = Vec::new();
        let mut c = Cursor::new(body);
        let flush = |pieces: &mut Vec<Piece>, exact: &mut Vec<u8>| {
            if !exact.is_empty() {
                pieces.push(Piece::Exact(std::mem::take(exact)));
            }
        };
        let mut previous = 0u8;
        while !c.at_end() {
            if c.blanks() > 0 {
                flush(&mut pieces, &mut exact);
                pieces.push(Piece::Blanks);
                previous = b' ';
                continue;
            }
            let run = c.take_while(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || b >= 0x80);
            if run.is_empty() {
                previous = c.peek();
                exact.push(previous);
                c.skip(1);
                continue;
            }
            let bracketed_pid = (matches!(previous, b'[') && body_before_is_word(&exact, pieces.last()))
                || (previous == b'(' && scan::at(c.rest(), 0) == b')');
            if is_variable(run) && !bracketed_pid {
                let mut r = Cursor::new(run);
                while !r.at_end() {
                    if r.take_while(|b| b.is_ascii_digit()).is_empty() {
                        exact.push(r.peek());
                        r.skip(1);
                    } else {
                        flush(&mut pieces, &mut exact);
                        pieces.push(Piece::Digits);
                    }
                }
            } else {
                exact.extend_from_slice(run);
            }
            previous = run.last().copied().unwrap_or(0);
        }
        exact.extend_from_slice(tail);
        flush(&mut pieces, &mut exact);
        let end = scan::trim_end(line);
        let suffix = ["\u{2502}", "\u{2503}", "\u{2551}", "|"]
            .iter()
            .map(|s| s.as_bytes())
            .find(|s| body.ends_with(s) && end.len() > prefix.len() && end.ends_with(s))
            .unwrap_or(b"");
        let quoted = prefix.ends_with(b"=\"");
        Some(Template { pieces, suffix: suffix.to_vec(), quoted, example: scan::text(prefix) })
    }

    /// Whether a line bears this prefix.
    pub(crate) fn bears(&self, line: &[u8]) -> bool {
        self.behind(line).is_some()
    }

    /// What stands behind the prefix.
    fn behind<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        let mut c = Cursor::new(line);
        let last = self.pieces.len().saturating_sub(1);
        for (i, piece) in self.pieces.iter().enumerate() {
            let fits = match piece {
                Piece::Exact(e) => {
                    c.eat(e)
                        // Blanks at the end of an otherwise empty line are often lost.
                        || (i == last && c.rest() == scan::trim_end(e) && {
                            c.skip(e.len());
                            true
                        })
                }
                Piece::Digits => !c.take_while(|b| b.is_ascii_digit()).is_empty(),
                Piece::Blanks => c.blanks() > 0,
            };
            if !fits {
                return None;
            }
        }
        Some(c.rest())
    }

    /// The content of a line that bears this prefix.
    pub(crate) fn strip<'a>(&self, line: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let mut content = self.behind(line)?;
        if !self.suffix.is_empty() {
            content = scan::trim_end(content);
            content = scan::trim_end(content.strip_suffix(self.suffix.as_slice()).unwrap_or(content));
        }
        if self.quoted {
            let end = memchr::memrchr(b'"', content).unwrap_or(content.len());
            return Some(Cow::Owned(escaped::unescape(scan::upto(content, end))));
        }
        Some(Cow::Borrowed(content))
    }
}

/// A time, a date, a count: its digits may change from line to line.
fn is_variable(run: &[u8]) -> bool {
    scan::at(run, 0).is_ascii_digit()
        && run
            .iter()
            .all(|c| c.is_ascii_digit() || matches!(c, b'T' | b'Z' | b'-' | b's' | b'm' | b'u' | b'n' | b'h' | b'_'))
}

/// Whether the bracket in front of a number follows a word directly: `prog[123]`, not `[ 123]`.
fn body_before_is_word(exact: &[u8], last: Option<&Piece>) -> bool {
    let word = exact.strip_suffix(b"[").unwrap_or(exact);
    match word.last() {
        Some(c) => c.is_ascii_alphanumeric(),
        None => matches!(last, Some(Piece::Digits)),
    }
}

/// What stands before each line of a log ends with a blank or with punctuation that names and paths do not have.
fn ends_like_a_prefix(prefix: &[u8]) -> bool {
    prefix.last().is_some_and(|&c| c >= 0x80 || b" \t:|>])}\"'=#;,!%$".contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(prefix: &str) -> Template {
        let line = format!("{prefix}goroutine 1 [running]:");
        match Template::learn(prefix.as_bytes(), line.as_bytes()) {
            Some(t) => t,
            None => panic!("nothing learnt from {prefix:?}"),
        }
    }

    fn strip(prefix: &str, line: &str) -> Option<String> {
        template(prefix).strip(line.as_bytes()).map(|c| scan::text(&c))
    }

    #[test]
    fn prefixes_are_learnt() {
        for (prefix, line, content) in [
            ("Jan 02 03:04:05 host prog[123]: ", "Jan 02 03:05:06 host prog[123]: \tx.go:1", Some("\tx.go:1")),
            ("Jan 02 03:04:05 host prog[123]: ", "Jan 02 03:05:06 host prog[124]: other", None),
            ("Jan 02 03:04:05 host prog[123]: ", "Jan 02 03:05:06 host systemd[1]: other", None),
            ("2024-09-29T21:01:53.5518632Z ", "2024-09-29T21:01:54.1Z panic: x", Some("panic: x")),
            ("app-1     | ", "srt-1     | connected", None),
            ("app-1     | ", "app-1     |", Some("")),
            ("[   55s] ", "[  156s] alloc", Some("alloc")),
            ("E/Go      (21438): ", "E/Go      (21438): \tx", Some("\tx")),
            ("   > ", "   > a.F()", Some("a.F()")),
            ("[pod/web-6d4cf56db6-abcde/app] ", "[pod/web-6d4cf56db6-abcde/app] x", Some("x")),
            ("[pod/web-6d4cf56db6-abcde/app] ", "[pod/web-7d4cf56db6-zzzzz/app] x", None),
        ] {
            assert_eq!(strip(prefix, line).as_deref(), content, "{prefix:?} on {line:?}");
        }
    }

    #[test]
    fn boxes_close() {
        let line = "\u{2502} goroutine 1 [running]:      \u{2502}";
        let t = Template::learn("\u{2502} ".as_bytes(), line.as_bytes());
        let content = t.and_then(|t| t.strip("\u{2502} main.main()   \u{2502}".as_bytes()).map(|c| scan::text(&c)));
        assert_eq!(content.as_deref(), Some("main.main()"));
    }
}
