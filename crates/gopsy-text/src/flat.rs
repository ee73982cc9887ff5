//! Texts whose line feeds are lost: a web page or a chat made one line of them.

use crate::scan::{self, Cursor};

/// What begins a new line in a flattened text, when a blank stands before it.
const STARTS: [&[u8]; 20] = [
    b"SIGSEGV: ",
    b"SIGBUS: ",
    b"SIGILL: ",
    b"SIGABRT: ",
    b"SIGFPE: ",
    b"SIGTRAP: ",
    b"SIGSYS: ",
    b"SIGQUIT: ",
    b"PC=0x",
    b"signal arrived during ",
    b"instruction bytes: ",
    b"Exception 0x",
    b"[signal ",
    b"goroutine ",
    b"runtime stack:",
    b"fatal error: ",
    b"runtime: ",
    b"unexpected fault address ",
    b"created by ",
    b"panic: ",
];

/// Splits a headline from what a flattened text has behind it: (`own`, `rest`).
pub(crate) fn split_headline(message: &[u8]) -> (&[u8], &[u8]) {
    let mut best = message.len();
    for start in [&b" [signal "[..], b" goroutine ", b" runtime stack: "] {
        if let Some(i) = scan::find(message, start) {
            let rest = scan::from(message, i.saturating_add(1));
            let real = match start {
                b" goroutine " => crate::header::header(rest).is_some(),
                _ => true,
            };
            if real {
                best = best.min(i);
            }
        }
    }
    if best == message.len() {
        (message, &[])
    } else {
        (scan::trim_end(scan::upto(message, best)), scan::from(message, best.saturating_add(1)))
    }
}

/// Whether a line that begins like a remark of the runtime has a headline or a stack behind it: a whole crash in one
/// line. (`panic:` and `fatal error:` are split by [`split_headline`].)
pub(crate) fn is_whole_crash(body: &[u8]) -> bool {
    let behind = scan::upto(body, 1 << 16);
    if (body.starts_with(b"SIG") || body.starts_with(b"Exception 0x")) && scan::has(behind, b" PC=0x") {
        return true;
    }
    let remark = body.starts_with(b"unexpected fault address ") || body.starts_with(b"runtime: ");
    remark && [&b" fatal error: "[..], b" [signal SIG", b" runtime stack: "].iter().any(|n| scan::has(behind, n))
}

/// Gives the lines of a flattened piece, one after the other.
pub(crate) fn pieces(flat: &[u8], give: &mut dyn FnMut(&[u8])) {
    split(flat, false, give);
}

/// Gives function and file lines of the frames that stand in one line, and of what follows them.
pub(crate) fn frames(flat: &[u8], give: &mut dyn FnMut(&[u8])) {
    split(flat, true, give);
}

/// One pass over a flattened text: headers, frames and other lines in turn, each given alone. What was looked at in
/// vain is counted, so that a line of many megabytes that only looks like frames costs no more than its length.
fn split(flat: &[u8], mut in_frames: bool, give: &mut dyn FnMut(&[u8])) {
    let flat = scan::trim(flat);
    let mut rest = flat;
    let mut starts = Starts::default();
    let mut work = (flat.len() as u64).saturating_mul(WORK).saturating_add(1 << 20);
    while !rest.is_empty() {
        if rest.starts_with(b"[signal ") {
            let end = memchr::memchr(b']', rest).map_or(rest.len(), |i| i.saturating_add(1));
            give(scan::upto(rest, end));
            rest = scan::trim(scan::from(rest, end));
            in_frames = false;
            continue;
        }
        if work > 0 && rest.starts_with(b"goroutine ") {
            if let Some(h) = crate::header::header(rest) {
                let own = rest.len().saturating_sub(h.rest.len());
                give(scan::trim(scan::upto(rest, own)));
                rest = h.rest;
                in_frames = true;
                continue;
            }
            work = work.saturating_sub(1 << 12);
        }
        if let Some(behind) = rest.strip_prefix(b"runtime stack:") {
            give(b"runtime stack:");
            rest = scan::trim(behind);
            in_frames = true;
            continue;
        }
        let creator = rest.starts_with(b"created by ");
        if !in_frames || is_start(rest) && !creator {
            // Any other line: up to the next start of one.
            let here = flat.len().saturating_sub(rest.len());
            let next = starts.behind(flat, here).map_or(rest.len(), |i| i.saturating_sub(here));
            give(scan::trim(scan::upto(rest, next)));
            rest = scan::trim(scan::from(rest, next));
            in_frames = false;
            continue;
        }
        let name_end = if creator { creator_end(rest) } else { arguments_end(rest, &mut work) };
        let Some(name_end) = name_end else {
            // A word that is no frame (`<snip>`, `...`): pass over it.
            let word = memchr::memchr(b' ', rest).unwrap_or(rest.len());
            give(scan::upto(rest, word));
            rest = scan::trim(scan::from(rest, word));
            continue;
        };
        give(scan::trim(scan::upto(rest, name_end)));
        rest = scan::trim(scan::from(rest, name_end));
        if let Some(place_end) = place_end(rest, &mut work) {
            let mut line = vec![b'\t'];
            line.extend_from_slice(scan::upto(rest, place_end));
            give(&line);
            rest = scan::trim(scan::from(rest, place_end));
        }
    }
}

/// Bytes that may be looked at in vain for each byte of a flattened text.
const WORK: u64 = 64;

/// Where the next lines start, each kind found once.
#[derive(Default)]
struct Starts {
    next: [Option<usize>; STARTS.len()],
    known: bool,
}

impl Starts {
    /// The first start of a line behind position `here`.
    fn behind(&mut self, flat: &[u8], here: usize) -> Option<usize> {
        for (start, next) in STARTS.iter().zip(&mut self.next) {
            if self.known && next.is_none_or(|at| at > here) {
                continue;
            }
            let mut from = here.saturating_add(1);
            *next = loop {
                let Some(i) = scan::find(scan::from(flat, from), start) else { break None };
                let at = from.saturating_add(i);
                if scan::at(flat, at.saturating_sub(1)) == b' ' {
                    break Some(at);
                }
                from = at.saturating_add(1);
            };
        }
        self.known = true;
        self.next.iter().flatten().min().copied()
    }
}

fn is_start(b: &[u8]) -> bool {
    STARTS.iter().any(|s| b.starts_with(s))
}

/// End of `pkg.F(args)`: the first `)` behind which a blank and a path, or nothing, stands.
fn arguments_end(b: &[u8], work: &mut u64) -> Option<usize> {
    // A name has no blanks outside of brackets.
    let word = scan::upto(b, memchr::memchr2(b' ', b'(', b).map_or(b.len(), |i| i.saturating_add(1)));
    if !word.ends_with(b"(") && !word.contains(&b'[') {
        return None;
    }
    let window = scan::upto(b, 16384);
    let mut from = 0usize;
    for _ in 0..64 {
        if *work == 0 {
            return None;
        }
        let Some(close) = memchr::memchr(b')', scan::from(window, from)) else {
            *work = work.saturating_sub(window.len() as u64 / 16);
            return None;
        };
        let close = from.saturating_add(close);
        let end = close.saturating_add(1);
        let line = scan::upto(b, end);
        if matches!(scan::at(b, end), 0 | b' ') {
            if matches!(crate::frame::function_line(line), crate::frame::FunctionShape::Whole(_)) {
                return Some(end);
            }
            *work = work.saturating_sub(end as u64);
        }
        if close > 8192 && line.contains(&b' ') {
            return None;
        }
        from = end;
    }
    None
}

/// End of `created by F` or `created by F in goroutine 7`.
fn creator_end(b: &[u8]) -> Option<usize> {
    let name = scan::from(b, 11);
    let mut end = 11usize.saturating_add(memchr::memchr(b' ', name).unwrap_or(name.len()));
    let mut c = Cursor::new(scan::from(b, end));
    if c.eat(b" in goroutine ") && c.dec().is_some() {
        end = b.len().saturating_sub(c.rest().len());
    }
    Some(end)
}

/// End of `path:line +0xOFF fp=… sp=… pc=…` at the start of `b`.
fn place_end(b: &[u8], work: &mut u64) -> Option<usize> {
    let window = scan::upto(b, 4096);
    let mut from = 0usize;
    loop {
        let colon = from.saturating_add(memchr::memchr(b':', scan::from(window, from))?);
        *work = work.saturating_sub(1);
        if *work == 0 {
            return None;
        }
        let mut c = Cursor::new(scan::from(b, colon.saturating_add(1)));
        let here = c.take_while(|d| d.is_ascii_digit()).len();
        let ends = here > 0 && matches!(c.peek(), 0 | b' ');
        if ends {
            *work = work.saturating_sub(colon as u64);
        }
        if ends && crate::frame::is_source_path(scan::upto(b, colon)) {
            loop {
                let mut next = c;
                next.blanks();
                let taken = (next.eat(b"+") || next.eat(b"fp=") || next.eat(b"sp=") || next.eat(b"pc="))
                    && next.hex().is_some();
                if !taken {
                    break;
                }
                c = next;
            }
            return Some(b.len().saturating_sub(c.rest().len()));
        }
        from = colon.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(flat: &str) -> Vec<String> {
        let mut out = Vec::new();
        frames(flat.as_bytes(), &mut |l| out.push(scan::text(l)));
        out
    }

    #[test]
    fn frames_in_one_line() {
        assert_eq!(
            lines(
                "runtime.throw(0xae6fb8, 0x2a) /usr/go/src/runtime/panic.go:605 +0x95 fp=0xc4203e8be8 sp=0xc4203e8bc8 pc=0x42c815 a.F(...) /b c/x.go:85 created by a.G /b/y.go:3 +0x1"
            ),
            [
                "runtime.throw(0xae6fb8, 0x2a)",
                "\t/usr/go/src/runtime/panic.go:605 +0x95 fp=0xc4203e8be8 sp=0xc4203e8bc8 pc=0x42c815",
                "a.F(...)",
                "\t/b c/x.go:85",
                "created by a.G",
                "\t/b/y.go:3 +0x1",
            ]
        );
    }

    #[test]
    fn several_goroutines_in_one_line() {
        assert_eq!(
            lines(
                "a.F() /b/x.go:85 goroutine 2 [select]: a.G() /b/y.go:3 fatal error: x y goroutine 3 [r]: a.H() /z.go:1"
            ),
            [
                "a.F()",
                "\t/b/x.go:85",
                "goroutine 2 [select]:",
                "a.G()",
                "\t/b/y.go:3",
                "fatal error: x y",
                "goroutine 3 [r]:",
                "a.H()",
                "\t/z.go:1",
            ]
        );
    }

    /// Each of these lines cost time quadratic in its length, or a stack as deep as it has headers.
    #[test]
    fn long_lines_cost_their_length() {
        for piece in [
            "goroutine 1 [running]: ",
            "goroutine 1 [",
            "goroutine 1 [\"",
            "panic: x ",
            "a( ",
            "a(!) ",
            "a(a(a( ) ",
            "f() 1 :1",
            "[signal ",
            "created by a ",
            "fatal error: a goroutine 1 [r]: ",
        ] {
            let flat = piece.repeat(250_000 / piece.len());
            let (mut count, mut bytes) = (0usize, 0usize);
            frames(flat.as_bytes(), &mut |l| {
                count += 1;
                bytes += l.len();
            });
            assert!(count > 0 && bytes <= flat.len() + count, "{piece:?}: {count} lines, {bytes} bytes");
        }
    }

    #[test]
    fn headline_and_rest() {
        let (own, rest) =
            split_headline(b"unexpected signal [signal SIGSEGV: x code=0x1] goroutine 5 [running]: main.f() /a.go:1");
        assert_eq!(own, b"unexpected signal");
        assert!(rest.starts_with(b"[signal "));
        assert_eq!(split_headline(b"no goroutine 5 here"), (&b"no goroutine 5 here"[..], &b""[..]));
    }
}
