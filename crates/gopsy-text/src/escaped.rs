//! A whole stack in one escaped string: what loggers make of `debug.Stack()` (zap, zerolog, logrus, slog).

use crate::scan::{self, Cursor};

/// If the line has a string with a goroutine header and escaped line feeds, gives its lines. True if it had.
pub(crate) fn stack_in_string(line: &[u8], give: &mut dyn FnMut(&[u8])) -> bool {
    let Some(at) = header_at(line) else { return crash_in_string(line, give) };
    if !scan::has(scan::upto(scan::from(line, at), 400), b"\\n") {
        return false;
    }
    if let Some(value) = said_value(scan::upto(line, at)).or_else(|| said_value(scan::from(line, at))) {
        let mut headline = b"http: panic serving log: ".to_vec();
        headline.extend_from_slice(&value);
        give(&headline);
    }
    for piece in string_around(line, at).split(|&c| c == b'\n') {
        give(piece);
    }
    true
}

/// The same for a text without a goroutine's header: a race report, a signal on a foreign stack, the first lines of
/// something longer.
fn crash_in_string(line: &[u8], give: &mut dyn FnMut(&[u8])) -> bool {
    if !scan::has(line, b"\\n") {
        return false;
    }
    let begins: [&[u8]; 7] = [
        b"WARNING: DATA RACE",
        b"fatal error: ",
        b"Exception 0x",
        b"unexpected fault address 0x",
        b"runtime: marked free object in span ",
        b"PC=0x",
        b"panic: ",
    ];
    for begin in begins {
        let Some(at) = scan::find(line, begin) else { continue };
        let string = string_around(line, at);
        let of_its_own = string.split(|&c| c == b'\n').any(|l| l.starts_with(begin));
        if of_its_own && string.contains(&b'\n') {
            for piece in string.split(|&c| c == b'\n') {
                give(piece);
            }
            return true;
        }
    }
    false
}

/// What a logger's stack trace says if it logs a panic: the panic's value, and the lines of the trace, which has no
/// header (zap: names without arguments). The trace of any other logged error is nobody's death.
pub(crate) fn trace_in_string(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let at = scan::find(line, b"\\n\\t").or_else(|| scan::find(line, b"\\\\n\\\\t"))?;
    let start = string_start(line, at);
    let value = said_value(scan::upto(line, start)).or_else(|| said_value(scan::from(line, at)))?;
    Some((value, string_around(line, at)))
}

/// The string that holds position `at`, its escapes resolved until it has lines.
fn string_around(line: &[u8], at: usize) -> Vec<u8> {
    let start = string_start(line, at);
    let opening =
        matches!(scan::at(line, start.saturating_sub(2)), b'=' | b':' | b' ' | b',' | b'[' | b'{' | b'(' | b'"');
    let quoted = start >= 1 && start != at && (start == 1 || opening) || scan::upto(line, at).ends_with(b"\"");
    let mut string = if quoted {
        string_body(scan::from(line, start))
    } else {
        // No string: escapes in a line of their own. What stands before may be the headline.
        let begun = scan::has(scan::upto(line, at), b"\\n");
        scan::from(line, if begun { 0 } else { at }).to_vec()
    };
    for _ in 0..3 {
        let next = unescape(&string);
        let done = next.contains(&b'\n') || next == string;
        string = next;
        if done {
            break;
        }
    }
    string
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

/// Begin of the string that holds position `at`: behind the last quote that is not escaped.
fn string_start(line: &[u8], at: usize) -> usize {
    let head = scan::upto(line, at);
    let mut end = head.len();
    while let Some(q) = memchr::memrchr(b'"', scan::upto(head, end)) {
        let slashes = scan::upto(head, q).iter().rev().take_while(|&&c| c == b'\\').count();
        if slashes % 2 == 0 {
            return q.saturating_add(1);
        }
        end = q;
    }
    at
}

/// The string's bytes, up to its closing quote.
fn string_body(b: &[u8]) -> Vec<u8> {
    let mut escaped = false;
    let end = b.iter().position(|&c| match c {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' => {
            escaped = true;
            false
        }
        c => c == b'"',
    });
    scan::upto(b, end.unwrap_or(b.len())).to_vec()
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

/// What a structured log line says of the panic: the value of a key that loggers use for it.
fn said_value(head: &[u8]) -> Option<Vec<u8>> {
    for key in [&b"error"[..], b"err", b"panic", b"recovered", b"reason", b"msg", b"message"] {
        for (open, separator) in [(&b"\""[..], &b"\":\""[..]), (b" ", b"=\""), (b"\"", b"\": \"")] {
            let mut pattern = open.to_vec();
            pattern.extend_from_slice(key);
            pattern.extend_from_slice(separator);
            if let Some(i) = scan::find_end(head, &pattern) {
                let value = unescape(&string_body(scan::from(head, i)));
                if scan::has(&value, b"runtime error: ")
                    || scan::has(&value, b"panic")
                    || key == b"panic"
                    || key == b"recovered"
                {
                    let value = scan::find_end(&value, b"runtime error: ")
                        .map_or(value.clone(), |i| scan::from(&value, i.saturating_sub(15)).to_vec());
                    let one_line = value.split(|&c| c == b'\n').next().unwrap_or(&value);
                    return Some(scan::upto(one_line, 400).to_vec());
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(line: &str) -> Vec<String> {
        let mut out = Vec::new();
        stack_in_string(line.as_bytes(), &mut |l| out.push(scan::text(l)));
        out
    }

    #[test]
    fn loggers() {
        let json = r#"{"level":"error","error":"runtime error: index out of range [5] with length 3","stack":"goroutine 7 [running]:\nmain.f(0x1)\n\t/a/b.go:3 +0x1d\n"}"#;
        let got = lines(json);
        assert_eq!(
            got.first().map(String::as_str),
            Some("http: panic serving log: runtime error: index out of range [5] with length 3")
        );
        assert_eq!(got.get(1).map(String::as_str), Some("goroutine 7 [running]:"));
        assert_eq!(got.get(3).map(String::as_str), Some("\t/a/b.go:3 +0x1d"));
        let logfmt = r#"time=x level=ERROR msg="boom" stack="goroutine 7 [running]:\nmain.f(0x1)\n\t/a \"q\"/b.go:3""#;
        assert_eq!(lines(logfmt), ["goroutine 7 [running]:", "main.f(0x1)", "\t/a \"q\"/b.go:3"]);
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
    fn a_stack_trace_without_a_header_is_none() {
        assert!(lines(r#"{"stacktrace":"a.F\n\t/a.go:1"}"#).is_empty());
    }
}
