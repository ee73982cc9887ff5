//! Texts whose line feeds are lost: a web page or a chat made one line of them.

use crate::scan::{self, Cursor};

/// What begins a new line in a flattened text, when a blank stands before it.
const STARTS: [&[u8]; 23] = [
    RACE,
    b"Read at 0x",
    b"Write at 0x",
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

const RACE: &[u8] = b"WARNING: DATA RACE";

/// What the runtime says of a signal in C; a stack without a header may follow at once.
const SIGNAL_IN_C: [&[u8]; 2] =
    [b"signal arrived during cgo execution", b"signal arrived during external code execution"];

/// What begins a part of a race report.
const RACE_PARTS: [&[u8]; 10] = [
    b"Read at 0x",
    b"Write at 0x",
    b"Atomic read at 0x",
    b"Atomic write at 0x",
    b"Previous ",
    b"Goroutine ",
    b"Location is ",
    b"Mutex M",
    b"As if synchronized via sleep",
    b"==================",
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
    let behind = || scan::upto(body, WINDOW);
    match scan::at(body, 0) {
        b'S' => body.starts_with(b"SIG") && scan::has(behind(), b" PC=0x"),
        b'E' => body.starts_with(b"Exception 0x") && scan::has(behind(), b" PC=0x"),
        // `go test` before its panic.
        b'-' => {
            body.starts_with(b"--- FAIL: ") && scan::has(behind(), b" panic: ") && scan::has(behind(), b" goroutine ")
        }
        b'W' | b'R' => {
            body.strip_prefix(RACE).is_some_and(|rest| rest.starts_with(b" "))
                || is_access(body) && scan::has(behind(), b" Previous ")
        }
        b'u' | b'r' => {
            let remark = body.starts_with(b"unexpected fault address ") || body.starts_with(b"runtime: ");
            remark
                && [&b" fatal error: "[..], b" [signal SIG", b" runtime stack: "].iter().any(|n| scan::has(behind(), n))
        }
        _ => false,
    }
}

/// Whether this is an access of a race report: `Read at 0x00c0 by goroutine 7:`.
fn is_access(body: &[u8]) -> bool {
    (body.starts_with(b"Read at 0x") || body.starts_with(b"Write at 0x"))
        && scan::find(scan::upto(body, 120), b": ")
            .is_some_and(|colon| crate::race::begins(scan::upto(body, colon.saturating_add(1))))
}

/// Whether a line has a whole crash without goroutines' headers somewhere in it, behind prose.
pub(crate) fn holds_whole_crash(line: &[u8]) -> bool {
    let window = scan::upto(line, WINDOW);
    // Each of them has an address or an offset in it: that decides for most lines of a log.
    if !scan::has(window, b"0x") {
        return false;
    }
    let throw = scan::find_end(window, b"fatal error: ")
        .is_some_and(|at| scan::has(scan::from(window, at), b" runtime stack: "));
    throw
        || [RACE, b"Read at 0x", b"Write at 0x", b"Exception 0x", b"unexpected fault address 0x"]
            .iter()
            .any(|begin| scan::find(window, begin).is_some_and(|at| is_whole_crash(scan::from(window, at))))
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
    let mut starts = Next::of(STARTS);
    let mut work = (flat.len() as u64).saturating_mul(WORK).saturating_add(1 << 20);
    while !rest.is_empty() {
        if rest.starts_with(b"[signal ") {
            let end = memchr::memchr(b']', rest).map_or(rest.len(), |i| i.saturating_add(1));
            give(scan::upto(rest, end));
            rest = scan::trim(scan::from(rest, end));
            in_frames = false;
            continue;
        }
        if rest.starts_with(b"PC=0x") {
            let end = pc_end(rest);
            give(scan::upto(rest, end));
            rest = scan::trim(scan::from(rest, end));
            // A stack without a header follows an exception at once.
            in_frames = arguments_end(rest, &mut work).is_some();
            continue;
        }
        if let Some(report) = rest.strip_prefix(RACE) {
            give(RACE);
            rest = race(scan::trim(report), give);
            in_frames = false;
            continue;
        }
        // A report that lost its title begins with an access.
        if is_access(rest) {
            rest = race(rest, give);
            in_frames = false;
            continue;
        }
        let told = SIGNAL_IN_C.iter().find_map(|told| Some((told, rest.strip_prefix(*told)?)));
        if let Some((told, behind)) = told {
            give(told);
            rest = scan::trim(behind);
            in_frames = arguments_end(rest, &mut work).is_some();
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
            // `fatal error: runtime: out of memory` is one.
            let own = STARTS.iter().find(|s| rest.starts_with(s)).map_or(0, |s| s.len());
            let next = starts.behind(flat, here.saturating_add(own)).saturating_sub(here);
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

/// End of `PC=0x… m=… sigcode=…`.
fn pc_end(b: &[u8]) -> usize {
    let mut end = 0usize;
    for word in b.split(|&c| c == b' ') {
        let key = scan::upto(word, memchr::memchr(b'=', word).unwrap_or(0));
        if !matches!(key, b"PC" | b"m" | b"mp" | b"sigcode" | b"addr") {
            break;
        }
        end = end.saturating_add(word.len()).saturating_add(1);
    }
    end.saturating_sub(1).min(b.len())
}

/// The parts of a race report, up to the line that closes it; gives their lines and returns what stands behind it.
fn race<'a>(flat: &'a [u8], give: &mut dyn FnMut(&[u8])) -> &'a [u8] {
    let mut rest = flat;
    let mut next = Next::of(RACE_PARTS);
    while let Some(begin) = RACE_PARTS.iter().find(|p| rest.starts_with(p)) {
        if begin.starts_with(b"=") {
            give(begin);
            return scan::trim(scan::from(rest, begin.len()));
        }
        let here = flat.len().saturating_sub(rest.len());
        let end = next.behind(flat, here).saturating_sub(here);
        let part = scan::trim(scan::upto(rest, end));
        let title = scan::find(part, b": ").map_or(part.len(), |i| i.saturating_add(1));
        give(scan::upto(part, title));
        frames(scan::from(part, title), give);
        rest = scan::trim(scan::from(rest, end));
    }
    rest
}

/// How far into a line a whole crash is looked for.
const WINDOW: usize = 1 << 16;

/// Bytes that may be looked at in vain for each byte of a flattened text.
const WORK: u64 = 64;

/// Where the next of several needles stand in a text, a blank before them. Each is looked for once behind where it was
/// found: a text costs its length for each needle, however many pieces it has.
struct Next<const N: usize> {
    needles: [&'static [u8]; N],
    /// Nothing before the first look; the text's length where there is no more.
    at: [Option<usize>; N],
}

impl<const N: usize> Next<N> {
    fn of(needles: [&'static [u8]; N]) -> Self {
        Next { needles, at: [None; N] }
    }

    /// The first needle behind position `here`; the end if there is none.
    fn behind(&mut self, flat: &[u8], here: usize) -> usize {
        for (needle, at) in self.needles.iter().zip(&mut self.at) {
            if at.is_some_and(|at| at > here) {
                continue;
            }
            let rest = scan::from(flat, here);
            let mut found = memchr::memmem::find_iter(rest, needle)
                .filter(|&i| i > 0 && scan::at(rest, i.saturating_sub(1)) == b' ');
            *at = Some(found.next().map_or(flat.len(), |i| here.saturating_add(i)));
        }
        self.at.iter().flatten().min().copied().unwrap_or(flat.len())
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
    fn a_signal_an_exception_and_a_race_in_one_line() {
        let whole = |flat: &str| {
            assert!(is_whole_crash(flat.as_bytes()) || holds_whole_crash(flat.as_bytes()), "{flat}");
            let mut out = Vec::new();
            pieces(flat.as_bytes(), &mut |l| out.push(scan::text(l)));
            out
        };
        assert_eq!(
            whole(
                "SIGILL: illegal instruction PC=0x12 m=14 sigcode=2 instruction bytes: 0xc5 0xfe goroutine 7 [running]: a.F(0x1) /b/x.go:85 +0x1"
            ),
            [
                "SIGILL: illegal instruction",
                "PC=0x12 m=14 sigcode=2",
                "instruction bytes: 0xc5 0xfe",
                "goroutine 7 [running]:",
                "a.F(0x1)",
                "\t/b/x.go:85 +0x1"
            ]
        );
        assert_eq!(
            whole(
                "It dies: Exception 0xc0000005 0x8 0x2b 0x2b PC=0x2b syscall.Syscall(0x7f, 0x2) c:/go/src/x.go:128 +0x5c"
            ),
            [
                "It dies:",
                "Exception 0xc0000005 0x8 0x2b 0x2b",
                "PC=0x2b",
                "syscall.Syscall(0x7f, 0x2)",
                "\tc:/go/src/x.go:128 +0x5c"
            ]
        );
        assert_eq!(
            whole(
                "WARNING: DATA RACE Read at 0x00c0 by goroutine 7: a.F() /b/x.go:85 +0x1 Previous write at 0x00c0 by main goroutine: a.G() /b/y.go:3 +0x2 Goroutine 7 (running) created at: a.G() /b/y.go:2 +0x1 ================== exit"
            ),
            [
                "WARNING: DATA RACE",
                "Read at 0x00c0 by goroutine 7:",
                "a.F()",
                "\t/b/x.go:85 +0x1",
                "Previous write at 0x00c0 by main goroutine:",
                "a.G()",
                "\t/b/y.go:3 +0x2",
                "Goroutine 7 (running) created at:",
                "a.G()",
                "\t/b/y.go:2 +0x1",
                "==================",
                "exit"
            ]
        );
        assert_eq!(
            whole(
                "killed by OS. fatal error: runtime: out of memory runtime stack: runtime.throw(0xa, 0x16) /go/src/runtime/panic.go:566 +0x95"
            ),
            [
                "killed by OS.",
                "fatal error: runtime: out of memory",
                "runtime stack:",
                "runtime.throw(0xa, 0x16)",
                "\t/go/src/runtime/panic.go:566 +0x95"
            ]
        );
        assert_eq!(
            whole("--- FAIL: TestA (0.00s) panic: x [recovered] goroutine 7 [running]: a.F(0x1) /b/x.go:85 +0x1"),
            [
                "--- FAIL: TestA (0.00s)",
                "panic: x [recovered]",
                "goroutine 7 [running]:",
                "a.F(0x1)",
                "\t/b/x.go:85 +0x1"
            ]
        );
        assert_eq!(
            whole(
                "Fix race Read at 0x00c0 by goroutine 7: a.F() /b/x.go:85 +0x1 Previous write at 0x00c0 by goroutine 8: a.G() /b/y.go:3 +0x2"
            ),
            [
                "Fix race",
                "Read at 0x00c0 by goroutine 7:",
                "a.F()",
                "\t/b/x.go:85 +0x1",
                "Previous write at 0x00c0 by goroutine 8:",
                "a.G()",
                "\t/b/y.go:3 +0x2"
            ]
        );
        assert_eq!(
            whole(
                "Exception 0xc0000005 0x0 0x7f 0x1b PC=0x1b signal arrived during external code execution runtime.cgocall(0x6a) C:/Go/src/x.go:133 +0x55"
            ),
            [
                "Exception 0xc0000005 0x0 0x7f 0x1b",
                "PC=0x1b",
                "signal arrived during external code execution",
                "runtime.cgocall(0x6a)",
                "\tC:/Go/src/x.go:133 +0x55"
            ]
        );
        for prose in [
            "we saw a WARNING: DATA RACE",
            "Read at 0x12 by a: Previous one",
            "SIGTERM was sent",
            "an Exception 0x5 is rare",
        ] {
            assert!(!is_whole_crash(prose.as_bytes()) && !holds_whole_crash(prose.as_bytes()), "{prose}");
        }
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
