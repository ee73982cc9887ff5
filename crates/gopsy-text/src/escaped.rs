//! A whole text in one escaped string: what loggers make of `debug.Stack()` (zerolog, logrus, slog), and of the traces
//! that they take themselves (zap).
//!
//! Loggers add a trace to any error, and speak of panics where there was none. That a panic was under way is therefore
//! taken from the trace: the runtime's function that runs the deferred ones is on it.

use crate::frame::{self, FileLine, FunctionShape};
use crate::headline;
use crate::scan::{self, Cursor};

/// What a line holds in a string of its own.
pub(crate) struct Escaped {
    /// What the log says of the panic that the text tells of.
    pub(crate) panic: Option<Vec<u8>>,
    /// The text, its escapes resolved.
    pub(crate) text: Vec<u8>,
    /// The text is a trace as a logger writes it: names without arguments, no header (see [`trace_frames`]).
    pub(crate) is_trace: bool,
}

/// The text in a string of this line, if it tells of a stack or a death.
pub(crate) fn in_string(line: &[u8]) -> Option<Escaped> {
    // Decides for almost every line.
    if !scan::has(line, b"\\n") {
        return None;
    }
    match header_at(line).filter(|&at| scan::has(scan::upto(scan::from(line, at), 400), b"\\n")) {
        Some(at) => {
            let text = string_around(line, at);
            Some(Escaped { panic: logged_panic(line, &text), text, is_trace: false })
        }
        None => crash_in_string(line).or_else(|| trace_in_string(line)),
    }
}

/// A text without a goroutine's header: a race report, a signal on a foreign stack, the first lines of something longer.
fn crash_in_string(line: &[u8]) -> Option<Escaped> {
    headline::BEGINNINGS.iter().chain([&&b"PC=0x"[..]]).find_map(|begin| {
        let text = string_around(line, scan::find(line, begin)?);
        let of_its_own = text.contains(&b'\n') && text.split(|&c| c == b'\n').any(|l| l.starts_with(begin));
        of_its_own.then_some(Escaped { panic: None, text, is_trace: false })
    })
}

/// The trace of a logged panic. That of any other logged error is nobody's death.
fn trace_in_string(line: &[u8]) -> Option<Escaped> {
    let at = scan::find(line, b"\\n\\t").or_else(|| scan::find(line, b"\\\\n\\\\t"))?;
    let text = string_around(line, at);
    let is_panics = is_of_panic(&text) && trace_frames(&text).next().is_some();
    is_panics.then(|| Escaped { panic: panic_value(line, true), text, is_trace: true })
}

/// The frames of a logger's trace: a name, and on the next line a tab and a place.
pub(crate) fn trace_frames(text: &[u8]) -> impl Iterator<Item = (&[u8], FileLine<'_>)> {
    let lines = || text.split(|&c| c == b'\n').map(scan::trim_end);
    lines().zip(lines().skip(1)).filter_map(|(name, place)| {
        let place = frame::file_line(place.strip_prefix(b"\t")?)?;
        let name = match frame::function_line(name) {
            FunctionShape::Whole(f) => f.name,
            _ => name,
        };
        (frame::is_name(name) && frame::is_surely_source(place.path)).then_some((name, place))
    })
}

/// What a log line with a printed stack says of a panic, if it logs one.
fn logged_panic(line: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let mut lines = text.split(|&c| c == b'\n').filter(|l| !l.is_empty());
    // A text that begins with its stack has no headline of its own.
    let headless = lines.next().is_some_and(|l| l.starts_with(b"goroutine "));
    let of_panic = is_of_panic(text);
    // The stack of a program that goes on, beside an error's text. Some recovering handlers cut off what stands above
    // the panic: their stacks begin elsewhere.
    let alive = headless && !of_panic && lines.next().is_some_and(|l| l.starts_with(b"runtime/debug.Stack("));
    let value = panic_value(line, headless && of_panic)?;
    let named = || [&b"panic"[..], b"recovered"].iter().any(|key| value_of(line, key).is_some());
    (!alive || named()).then_some(value)
}

/// Whether a panic was under way when this stack was taken: `panic(…)` in a printed stack, `runtime.gopanic` in a trace
/// of `runtime.Callers` (traceback.go, `printpanics`; before Go 1.4 `runtime.panic`).
pub(crate) fn is_of_panic(text: &[u8]) -> bool {
    text.split(|&c| c == b'\n').any(|line| {
        let name = scan::upto(line, memchr::memchr2(b'(', b'\r', line).unwrap_or(line.len()));
        name == b"panic" && line.len() > name.len() || matches!(name, b"runtime.gopanic" | b"runtime.panic")
    })
}

/// What the line above the trace of a panic says of it: in one of its keys, or in plain words.
pub(crate) fn told_panic(line: &[u8]) -> Option<Vec<u8>> {
    let behind = |mark: &[u8], cut: usize| Some(scan::from(line, scan::find(line, mark)?.saturating_add(cut)).to_vec());
    panic_value(line, true)
        .or_else(|| behind(b"runtime error: ", 0))
        .or_else(|| behind(b"panic: ", b"panic: ".len()))
        .map(|value| scan::upto(&value, 400).to_vec())
}

/// The value of a panic as a structured log line gives it, under one of the keys that loggers use for it. `of_panic`: the
/// line is known to log a panic.
fn panic_value(line: &[u8], of_panic: bool) -> Option<Vec<u8>> {
    let values: Vec<(&[u8], Vec<u8>)> =
        KEYS.iter().filter_map(|key| Some((*key, value_of(line, key)?))).filter(|(_, v)| !v.is_empty()).collect();
    let behind = |mark: &[u8], cut: usize| {
        values.iter().find_map(|(_, v)| Some(scan::from(v, scan::find(v, mark)?.saturating_add(cut))))
    };
    let under = |keys: &[&[u8]]| values.iter().find(|(k, _)| keys.contains(k)).map(|(_, v)| v.as_slice());
    let sure = behind(b"runtime error: ", 0).or_else(|| under(&[b"panic", b"recovered"]));
    let value = sure.or_else(|| {
        // What a message only calls a panic (`recovered from panic`) is not the panic's value.
        let said = || behind(b"panic: ", b"panic: ".len()).or_else(|| under(&[b"error", b"err", b"reason"]));
        if of_panic { said() } else { None }
    })?;
    let one_line = value.split(|&c| c == b'\n').next().unwrap_or(value);
    Some(scan::upto(one_line, 400).to_vec())
}

/// Keys of structured logs that hold a panic's value, the surest first.
const KEYS: [&[u8]; 7] = [b"panic", b"recovered", b"error", b"err", b"reason", b"msg", b"message"];

/// The text that a structured log line has under a key: JSON's `"key":"…"` and logfmt's `key="…"`.
fn value_of(line: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    [(&b"\""[..], &b"\":\""[..]), (b" ", b"=\""), (b"\"", b"\": \"")].iter().find_map(|(open, separator)| {
        let at = scan::find_end(line, &[open, key, separator].concat())?;
        Some(unescape(string_body(scan::from(line, at))))
    })
}

/// The string that holds position `at`, its escapes resolved until it has lines.
fn string_around(line: &[u8], at: usize) -> Vec<u8> {
    let mut text = match opening_quote(line, at) {
        Some(quote) => string_body(scan::from(line, quote.saturating_add(1))).to_vec(),
        None => {
            // No string: escapes in a line of their own. What stands before may be the headline.
            let begun = scan::has(scan::upto(line, at), b"\\n");
            scan::from(line, if begun { 0 } else { at }).to_vec()
        }
    };
    for _ in 0..3 {
        let next = unescape(&text);
        let done = next.contains(&b'\n') || next == text;
        text = next;
        if done {
            break;
        }
    }
    text
}

/// Position of `goroutine N [` inside of a line.
pub(crate) fn header_at(line: &[u8]) -> Option<usize> {
    let mut from = 0usize;
    for _ in 0..16 {
        let rest = scan::from(line, from);
        // Where headers are not dressed, they begin their lines: no search for those.
        let i =
            if rest.starts_with(b"goroutine ") { from } else { from.saturating_add(scan::find(rest, b"goroutine ")?) };
        let mut c = Cursor::new(scan::from(line, i.saturating_add(10)));
        if c.dec().is_some() && (c.eat(b" [") || c.rest().starts_with(b" gp=0x")) {
            return Some(i);
        }
        from = i.saturating_add(10);
    }
    None
}

/// The quote that opens the string in which position `at` stands: the last one before it that is not escaped, if it is
/// a quote that opens.
fn opening_quote(line: &[u8], at: usize) -> Option<usize> {
    let mut head = scan::upto(line, at);
    loop {
        let quote = memchr::memrchr(b'"', head)?;
        head = scan::upto(head, quote);
        let slashes = head.iter().rev().take_while(|&&c| c == b'\\').count();
        if slashes % 2 == 0 {
            let directly = quote.saturating_add(1) == at;
            let opens = head.is_empty() || b"=: ,[{(\"".contains(head.last().unwrap_or(&0));
            return (directly || opens).then_some(quote);
        }
    }
}

/// The string's bytes, up to its closing quote.
fn string_body(b: &[u8]) -> &[u8] {
    let mut escaped = false;
    let end = b.iter().position(|&c| {
        let closes = c == b'"' && !escaped;
        escaped = c == b'\\' && !escaped;
        closes
    });
    scan::upto(b, end.unwrap_or(b.len()))
}

/// Resolves one level of escapes (JSON's and Go's).
pub(crate) fn unescape(b: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(b.len());
    let mut c = Cursor::new(b);
    while !c.at_end() {
        out.extend_from_slice(c.take_while(|x| x != b'\\'));
        if !c.eat(b"\\") {
            break;
        }
        let e = c.peek();
        c.skip(1);
        match e {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'u' => {
                let digits = scan::upto(c.rest(), 4);
                match scan::bare_hex(digits).and_then(|n| u32::try_from(n).ok()).and_then(char::from_u32) {
                    Some(ch) if digits.len() == 4 => {
                        let mut buffer = [0u8; 4];
                        out.extend_from_slice(ch.encode_utf8(&mut buffer).as_bytes());
                        c.skip(4);
                    }
                    _ => out.extend_from_slice(b"\\u"),
                }
            }
            b'x' => {
                let digits = scan::upto(c.rest(), 2);
                match scan::bare_hex(digits).and_then(|n| u8::try_from(n).ok()) {
                    Some(byte) if digits.len() == 2 => {
                        out.push(byte);
                        c.skip(2);
                    }
                    _ => out.extend_from_slice(b"\\x"),
                }
            }
            0 => out.push(b'\\'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(line: &str) -> Vec<String> {
        in_string(line.as_bytes()).map_or(Vec::new(), |e| scan::text(&e.text).split('\n').map(str::to_owned).collect())
    }

    fn panic(line: &str) -> Option<String> {
        in_string(line.as_bytes()).and_then(|e| e.panic).map(|p| scan::text(&p))
    }

    #[test]
    fn loggers() {
        let json = r#"{"level":"error","error":"runtime error: index out of range [5] with length 3","stack":"goroutine 7 [running]:\nmain.f(0x1)\n\t/a/b.go:3 +0x1d\n"}"#;
        assert_eq!(panic(json).as_deref(), Some("runtime error: index out of range [5] with length 3"));
        assert_eq!(lines(json), ["goroutine 7 [running]:", "main.f(0x1)", "\t/a/b.go:3 +0x1d", ""]);
        let logfmt = r#"time=x level=ERROR msg="boom" stack="goroutine 7 [running]:\nmain.f(0x1)\n\t/a \"q\"/b.go:3""#;
        assert_eq!(lines(logfmt), ["goroutine 7 [running]:", "main.f(0x1)", "\t/a \"q\"/b.go:3"]);
        assert_eq!(panic(logfmt), None);
    }

    /// The value of the panic is told, whatever key it stands under; a panic that only the words speak of is none.
    #[test]
    fn what_a_log_says_of_a_panic() {
        let printed = |keys: &str, top: &str| format!(r#"{{{keys},"stack":"{top}main.f(0x1)\n\t/a/b.go:3"}}"#);
        let header = &r"goroutine 1 [running]:\n".to_owned();
        let debug = &format!(r"{header}runtime/debug.Stack()\n\t/d.go:26\n");
        let panicked = &format!(r"{debug}panic({{0x1, 0x2}})\n\t/p.go:787\n");
        let told = &format!(r"panic: boom\n\n{panicked}");
        for (keys, top, said) in [
            (r#""msg":"failed","err":"boom""#, panicked, Some("boom")),
            (r#""msg":"panic: boom","err":"""#, panicked, Some("boom")),
            (r#""msg":"recovered from panic""#, panicked, None),
            (r#""msg":"failed","error":"runtime error: x""#, panicked, Some("runtime error: x")),
            (r#""msg":"failed","panic":"boom","error":"late""#, panicked, Some("boom")),
            (r#""n":1"#, panicked, None),
            (r#""msg":"failed","error":"other""#, told, None),
            // The handler cut its own frames off the stack.
            (r#""msg":"failed","error":"runtime error: x""#, header, Some("runtime error: x")),
            (r#""msg":"no panic here","err":"boom""#, header, None),
            // The stack of a program that goes on.
            (r#""msg":"no panic: fine""#, debug, None),
            (r#""error":"runtime error: told by the worker""#, debug, None),
            (r#""recovered":"boom""#, debug, Some("boom")),
        ] {
            assert_eq!(panic(&printed(keys, top)).as_deref(), said, "{keys} {top}");
        }
    }

    #[test]
    fn escapes_without_a_string() {
        let line = r#"panic: "a" and "b"\n\ngoroutine 1 [running]:\nmain.main()\n\t/x.go:1 +0x1\nexit status 2"#;
        let whole =
            ["panic: \"a\" and \"b\"", "", "goroutine 1 [running]:", "main.main()", "\t/x.go:1 +0x1", "exit status 2"];
        assert_eq!(lines(line), whole);
        let behind = r#"{"level":"info"} it said goroutine 1 [running]:\nmain.main()\n\t/x.go:1 +0x1"#;
        assert_eq!(lines(behind), ["goroutine 1 [running]:", "main.main()", "\t/x.go:1 +0x1"]);
    }

    #[test]
    fn twice_escaped() {
        let line = r#"msg="{\"stack\":\"goroutine 1 [running]:\\nmain.main()\\n\\t/x.go:1\"}""#;
        assert!(lines(line).iter().any(|l| l == "main.main()"), "{:?}", lines(line));
    }

    #[test]
    fn the_trace_of_a_panic_and_of_an_error() {
        let trace = |keys: &str, panic: &str| {
            let line = format!(r#"{{{keys},"stacktrace":"a.h\n\t/a.go:9\n{panic}a.F\n\t/a.go:1"}}"#);
            in_string(line.as_bytes()).map(|e| {
                let frames: Vec<String> =
                    trace_frames(&e.text).map(|(n, p)| format!("{} {}", scan::text(n), p.line)).collect();
                (e.is_trace, e.panic.map(|p| scan::text(&p)), frames.join(", "))
            })
        };
        let gopanic = r"runtime.gopanic\n\t/p.go:860\n";
        let frames = "a.h 9, runtime.gopanic 860, a.F 1".to_owned();
        assert_eq!(trace(r#""msg":"failed","error":"boom""#, gopanic), Some((true, Some("boom".into()), frames)));
        for keys in [r#""msg":"don't panic: retrying""#, r#""error":"runtime error: x""#, r#""panic":"boom""#] {
            assert_eq!(trace(keys, ""), None, "{keys}");
        }
    }
}
