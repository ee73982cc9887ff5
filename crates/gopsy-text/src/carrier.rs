//! The forms a log gives each of its lines: CRI, one JSON object a line, terminal colours.

use crate::escaped;
use crate::headline;
use crate::json::{self, Value};
use crate::scan::{self, Cursor};
use crate::template::Template;
use std::borrow::Cow;

/// JSON fields that tell streams apart.
const NAMES: [&[u8]; 14] = [
    b"stream",
    b"Package",
    b"_PID",
    b"_HOSTNAME",
    b"SYSLOG_IDENTIFIER",
    b"pid",
    b"pod",
    b"pod_name",
    b"container",
    b"container_name",
    b"host",
    b"hostname",
    b"service",
    b"container_id",
];

/// How the lines of a stream are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Carrier {
    Prefix(Template),
    /// Kubernetes' container runtime interface: `TIME stderr F content`; partial lines (`P`) are joined.
    Cri(Vec<u8>),
    /// A field of one JSON object a line.
    Json {
        key: Vec<u8>,
        names: Vec<u8>,
        terminated: bool,
    },
}

impl Carrier {
    /// Whether a line is of this stream.
    pub(crate) fn fits(&self, line: &[u8]) -> bool {
        match self {
            Carrier::Prefix(template) => template.bears(line),
            Carrier::Cri(name) => cri(line).is_some_and(|(n, _, _)| n == name.as_slice()),
            Carrier::Json { key, names, .. } => json_line(line, key).is_some_and(|(_, n)| n == *names),
        }
    }

    /// Whether a line is of the same log, perhaps of another of its streams.
    pub(crate) fn fits_log(&self, line: &[u8]) -> bool {
        match self {
            Carrier::Prefix(template) => template.bears(line),
            Carrier::Cri(_) => cri(line).is_some(),
            Carrier::Json { key, .. } => json_line(line, key).is_some(),
        }
    }
}

/// The line without ANSI control sequences.
pub(crate) fn clean(line: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(0x1b, line).is_some() { Cow::Owned(without_escapes(line)) } else { Cow::Borrowed(line) }
}

/// Without ANSI control sequences (CSI, OSC, two-byte escapes).
pub(crate) fn without_escapes(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut c = Cursor::new(line);
    loop {
        out.extend_from_slice(c.take_while(|b| b != 0x1b));
        if c.at_end() {
            return out;
        }
        c.skip(1);
        match c.peek() {
            b'[' => {
                c.skip(1);
                c.take_while(|b| (0x20..0x40).contains(&b));
                c.skip(1);
            }
            b']' => {
                c.take_while(|b| b != 0x07 && b != 0x1b);
                if c.peek() == 0x07 {
                    c.skip(1);
                }
            }
            0 => {}
            _ => c.skip(1),
        }
    }
}

/// Whether this is a line of a log that has an object in each, however the text is indented.
pub(crate) fn is_object(line: &[u8]) -> bool {
    scan::at(scan::trim_start(line).0, 0) == b'{'
}

/// `2024-01-02T03:04:05.678Z stderr F content`, however the text is indented: stream name, whether partial, content.
pub(crate) fn cri(line: &[u8]) -> Option<(&[u8], bool, &[u8])> {
    let (line, _) = scan::trim_start(line);
    // Asked of every line of every text.
    if !scan::at(line, 0).is_ascii_digit() || scan::at(line, 4) != b'-' || scan::at(line, 10) != b'T' {
        return None;
    }
    let mut c = Cursor::new(line);
    let time = c.take_while(|b| b != b' ');
    if time.len() < 20 || !c.eat(b" ") {
        return None;
    }
    let name = c.take_while(|b| b != b' ');
    if name != b"stdout" && name != b"stderr" {
        return None;
    }
    let partial = if c.eat(b" F") {
        false
    } else if c.eat(b" P") {
        true
    } else {
        return None;
    };
    if !c.at_end() && !c.eat(b" ") {
        return None;
    }
    Some((name, partial, c.rest()))
}

/// The text of a JSON line under `key`, and what tells its stream apart.
pub(crate) fn json_line(line: &[u8], key: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut value = None;
    let mut names = Vec::new();
    let whole = json::fields(scan::trim_start(line).0, |k, v| {
        if k == key {
            if let Value::Text(t) = v {
                value = Some(t);
            }
        } else if NAMES.contains(&k) {
            if !names.is_empty() {
                names.push(b' ');
            }
            match v {
                Value::Text(t) => names.extend_from_slice(&t),
                Value::Other(t) => names.extend_from_slice(&t),
            }
        }
    });
    let value = value?;
    whole.then_some((value, names))
}

/// Which field of this JSON line carries the trace: the one whose text begins with the anchor.
pub(crate) fn json_carrier(line: &[u8]) -> Option<Carrier> {
    let mut key = None;
    let mut whole_stack = false;
    json::fields(scan::trim_start(line).0, |k, v| {
        if let Value::Text(t) = v {
            // A whole stack in one string of a structured log is no carrier.
            whole_stack |= escaped::header_at(&t).is_some() && t.strip_suffix(b"\n").unwrap_or(&t).contains(&b'\n');
            // Text that is quoted whole is indented.
            let one_line = scan::trim_start(t.strip_suffix(b"\n").unwrap_or(&t)).0;
            let begins =
                one_line.starts_with(b"goroutine ") || headline::BEGINNINGS.iter().any(|b| one_line.starts_with(b));
            if begins && !one_line.contains(&b'\n') {
                key = Some((k.to_vec(), t.ends_with(b"\n")));
            }
        }
    });
    let (key, terminated) = key.filter(|_| !whole_stack)?;
    let (_, names) = json_line(line, &key)?;
    Some(Carrier::Json { key, names, terminated })
}

/// A line of a log that is kept as JSON whatever is in it: docker's (`{"log":"…\\n","stream":"stderr","time":…}`) and
/// systemd's (`journalctl -o json`).
pub(crate) fn json_log(line: &[u8]) -> Option<Carrier> {
    // Asked of every JSON line of every log.
    let (mut log, mut message) = (scan::has(line, b"\"log\""), scan::has(line, b"\"MESSAGE\""));
    if !log && !message {
        return None;
    }
    let (mut stream, mut journal) = (false, false);
    let whole = json::fields(scan::trim_start(line).0, |k, v| match k {
        b"log" => log &= matches!(v, Value::Text(_)),
        b"MESSAGE" => message &= matches!(v, Value::Text(_)),
        b"stream" => stream = matches!(v, Value::Text(t) if t == b"stderr" || t == b"stdout"),
        b"__REALTIME_TIMESTAMP" | b"__CURSOR" | b"_PID" | b"_BOOT_ID" => journal = true,
        _ => {}
    });
    let (key, terminated): (&[u8], bool) = match () {
        () if !whole => return None,
        () if log && stream => (b"log", true),
        () if message && journal => (b"MESSAGE", false),
        () => return None,
    };
    let (_, names) = json_line(line, key)?;
    Some(Carrier::Json { key: key.to_vec(), names, terminated })
}

/// Where in a line another log's line of a known form begins.
pub(crate) fn form_at(line: &[u8]) -> Option<usize> {
    let stream = memchr::memmem::find_iter(line, b" std").find(|&i| {
        let name = scan::from(line, i);
        name.starts_with(b" stderr ") || name.starts_with(b" stdout ")
    });
    if let Some(end) = stream {
        let is_of_time = |c: &u8| c.is_ascii_digit() || matches!(c, b'-' | b'T' | b':' | b'.' | b'+' | b'Z');
        let time = scan::upto(line, end).iter().rev().take_while(|c| is_of_time(c)).count();
        let at = end.saturating_sub(time);
        return cri(scan::from(line, at)).map(|_| at);
    }
    let at = memchr::memmem::find_iter(line, b"{\"").find(|&i| {
        let object = scan::from(line, i);
        object.starts_with(b"{\"log\":\"") || object.starts_with(b"{\"__")
    })?;
    json_log(scan::trim_end(scan::from(line, at))).map(|_| at)
}

/// What a tool prints before each line of a text, if it has a form of its own: syslog and the journal, kubectl, docker
/// compose, GitHub's and GitLab's runners, Markdown's quotes, grep and `cat -n`.
pub(crate) fn tool_prefix(line: &[u8]) -> Option<&[u8]> {
    [journal, pod, compose, runner, quote, grep].iter().find_map(|form| form(line))
}

/// `> `, `> > `.
fn quote(line: &[u8]) -> Option<&[u8]> {
    let marks = line.iter().take_while(|&&c| c == b'>' || c == b' ').count();
    let last = memchr::memrchr(b'>', scan::upto(line, marks))?;
    line.starts_with(b">").then(|| scan::upto(line, last.saturating_add(2)))
}

/// `app.log:12:` (grep -n), `    12\t` (cat -n).
fn grep(line: &[u8]) -> Option<&[u8]> {
    let mut c = Cursor::new(line);
    let numbered = c.blanks() > 0 && !c.take_while(|b| b.is_ascii_digit()).is_empty() && (c.eat(b"\t") || c.eat(b"  "));
    if !numbered {
        c = Cursor::new(line);
        let name = c.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'/' | b'-'));
        let found =
            name.contains(&b'.') && c.eat(b":") && !c.take_while(|b| b.is_ascii_digit()).is_empty() && c.eat(b":");
        found.then_some(())?;
    }
    Some(scan::upto(line, line.len().saturating_sub(c.rest().len())))
}

/// `[pod/web-6d4cf56db6-abcde/app] ` (kubectl logs --prefix).
fn pod(line: &[u8]) -> Option<&[u8]> {
    line.starts_with(b"[pod/").then_some(())?;
    let end = scan::find(scan::upto(line, 200), b"] ")?.saturating_add(2);
    let prefix = scan::upto(line, end);
    let blanks = prefix.iter().filter(|&&c| c == b' ').count();
    (blanks == 1).then_some(prefix)
}

/// `web-1  | ` (docker compose logs).
fn compose(line: &[u8]) -> Option<&[u8]> {
    let mut c = Cursor::new(line);
    let name = c.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let fits = !name.is_empty() && c.blanks() > 0 && c.eat(b"| ");
    fits.then(|| scan::upto(line, line.len().saturating_sub(c.rest().len())))
}

/// `2024-01-02T03:04:05.1234567Z ` (GitHub: .NET's seven digits), `2024-01-02T03:04:05.123456Z 01O ` (GitLab).
fn runner(line: &[u8]) -> Option<&[u8]> {
    let mut c = Cursor::new(line);
    let time = c.take_while(|b| b.is_ascii_digit() || matches!(b, b'-' | b':' | b'T'));
    if time.len() != 19 || !c.eat(b".") {
        return None;
    }
    let digits = c.take_while(|b| b.is_ascii_digit()).len();
    if !c.eat(b"Z ") {
        return None;
    }
    let stream = c.rest();
    let gitlab = matches!(stream, [a, b, b'O' | b'E', b' ' | b'+', ..] if a.is_ascii_digit() && b.is_ascii_digit());
    if gitlab {
        c.skip(4);
    }
    (gitlab || digits == 7).then(|| scan::upto(line, line.len().saturating_sub(c.rest().len())))
}

/// `Jan 02 03:04:05 host prog[123]: `.
fn journal(line: &[u8]) -> Option<&[u8]> {
    let end = scan::find(scan::upto(line, 200), b"]: ")?.saturating_add(3);
    let prefix = scan::upto(line, end);
    let mut words = prefix.split(|&c| c == b' ').filter(|w| !w.is_empty());
    let is_time = |w: &[u8]| w.iter().filter(|&&c| c == b':').count() == 2 && scan::at(w, 0).is_ascii_digit();
    let first = words.next()?;
    let dated = if first.len() == 3 && first.iter().all(u8::is_ascii_alphabetic) {
        words.next()?.iter().all(u8::is_ascii_digit) && is_time(words.next()?)
    } else {
        // ISO 8601, perhaps with a zone that has a colon of its own.
        scan::at(first, 4) == b'-' && scan::at(first, 10) == b'T' && first.len() >= 19
    };
    let (host, program) = (words.next()?, words.next()?);
    let numbered = |w: &[u8]| {
        let inner =
            w.strip_suffix(b"]:").and_then(|w| Some(scan::from(w, memchr::memrchr(b'[', w)?.saturating_add(1))));
        inner.is_some_and(|pid| !pid.is_empty() && pid.iter().all(u8::is_ascii_digit))
    };
    (dated && !host.is_empty() && numbered(program) && words.next().is_none()).then_some(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn container_runtime_lines() {
        let line = b"2024-01-02T03:04:05.678901234Z stderr P goroutine";
        assert_eq!(cri(line), Some((&b"stderr"[..], true, &b"goroutine"[..])));
        assert_eq!(cri(b"2024-01-02T03:04:05.678901234Z stderr F "), Some((&b"stderr"[..], false, &b""[..])));
        assert_eq!(cri(b"not a time stderr F x"), None);
    }

    #[test]
    fn logs_that_are_known_by_their_form() {
        let json = |line: &str| json_log(line.as_bytes());
        let docker = json(r#"{"log":"x\n","stream":"stderr","time":"2024-01-02T03:04:05Z"}"#);
        assert!(matches!(docker, Some(Carrier::Json { key, terminated: true, .. }) if key == b"log"));
        let systemd = json(r#"{"__CURSOR":"s=1","MESSAGE":"x","_PID":"7"}"#);
        assert!(matches!(systemd, Some(Carrier::Json { key, terminated: false, .. }) if key == b"MESSAGE"));
        for other in [r#"{"log":"x\n"}"#, r#"{"MESSAGE":"x"}"#, r#"{"level":"error","msg":"x","stream":"a"}"#, "{"] {
            assert_eq!(json(other), None, "{other}");
        }
        for prefix in [
            "Jan  2 03:04:05 host prog[123]: ",
            "2024-01-02T03:04:05.123456+00:00 host my-prog[1]: ",
            "[pod/web-6d4cf56db6-abcde/app] ",
            "web-1  | ",
            "2024-01-02T03:04:05.1234567Z ",
            "2024-01-02T03:04:05.123456Z 01O ",
            "> ",
            "> > ",
            "app.log:12:",
            "    12\t",
        ] {
            assert_eq!(tool_prefix(format!("{prefix}main.f(0x1)").as_bytes()), Some(prefix.as_bytes()));
        }
        for other in [
            "Jan 02 03:04:05 host prog: x",
            "2024/01/02 03:04:05 a.go:3: x[1]: y",
            "a b c[1]: d",
            "x[1]: y",
            "[pod/ is what] it says",
            "| a | b |",
            "/usr/local/go/src/x.go:12 +0x1",
            "   12 goroutines",
            " > x",
            "2024-01-02T03:04:05.123Z x",
            "2024-01-02T03:04:05.123456Z INFO x",
        ] {
            assert_eq!(tool_prefix(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_known_form_behind_something() {
        let cri = "2024-01-02T03:04:05.678901234Z stderr P x";
        let json = r#"{"log":"x\n","stream":"stderr","time":"2024-01-02T03:04:05Z"}"#;
        for prefix in ["", "> ", "web-1  | ", "Jan 02 03:04:05 host app[77]: ", "test\tRun\t"] {
            assert_eq!(form_at(format!("{prefix}{cri}").as_bytes()), Some(prefix.len()));
            assert_eq!(form_at(format!("{prefix}{json}").as_bytes()), Some(prefix.len()));
        }
        assert_eq!(form_at(b"it went to stderr F or so"), None);
        assert_eq!(form_at(b"{\"log\":\"x\"}"), None);
    }

    #[test]
    fn control_sequences_go() {
        assert_eq!(without_escapes(b"\x1b[31mpanic\x1b[0m: x\x1b]0;t\x07y"), b"panic: xy");
        assert_eq!(without_escapes(b"\x1b"), b"");
    }
}
