//! The forms a log gives each of its lines: CRI, one JSON object a line, terminal colours.

use crate::escaped;
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
    /// None: the line is the content.
    Plain,
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

/// `2024-01-02T03:04:05.678Z stderr F content`: stream name, whether partial, content.
pub(crate) fn cri(line: &[u8]) -> Option<(&[u8], bool, &[u8])> {
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
    let whole = json::fields(line, |k, v| {
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
    json::fields(line, |k, v| {
        if let Value::Text(t) = v {
            // A whole stack in one string of a structured log is no carrier.
            whole_stack |= escaped::header_at(&t).is_some() && t.strip_suffix(b"\n").unwrap_or(&t).contains(&b'\n');
            // Text that is quoted whole is indented.
            let one_line = scan::trim_start(t.strip_suffix(b"\n").unwrap_or(&t)).0;
            let begins = one_line.starts_with(b"goroutine ")
                || one_line.starts_with(b"panic: ")
                || one_line.starts_with(b"fatal error: ")
                || one_line.starts_with(b"WARNING: DATA RACE");
            if begins && !one_line.contains(&b'\n') {
                key = Some((k.to_vec(), t.ends_with(b"\n")));
            }
        }
    });
    let (key, terminated) = key.filter(|_| !whole_stack)?;
    let (_, names) = json_line(line, &key)?;
    Some(Carrier::Json { key, names, terminated })
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
    fn control_sequences_go() {
        assert_eq!(without_escapes(b"\x1b[31mpanic\x1b[0m: x\x1b]0;t\x07y"), b"panic: xy");
        assert_eq!(without_escapes(b"\x1b"), b"");
    }
}
