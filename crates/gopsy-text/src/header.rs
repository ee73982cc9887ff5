//! `goroutine 7 gp=0x… m=3 mp=0x… [chan receive (scan), 5 minutes, locked to thread] {k: v}:`

use crate::scan::{self, Cursor};
use gopsy_model::{Bubble, BubbleKind, Status};

/// Flags of a header, as bits of [`Header::flags`].
pub(crate) mod flag {
    pub(crate) const LOCKED: u8 = 1;
    pub(crate) const SCAN: u8 = 2;
    pub(crate) const LEAKED: u8 = 4;
    pub(crate) const DURABLE: u8 = 8;
}

/// A parsed header. Borrowed: most of it is interned or copied by the store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Header<'a> {
    pub(crate) id: u64,
    /// The state word without its flags: `chan receive (nil chan)`.
    pub(crate) state: &'a [u8],
    pub(crate) minutes: u64,
    pub(crate) flags: u8,
    pub(crate) bubble: Option<Bubble>,
    pub(crate) gp: Option<u64>,
    pub(crate) m: Option<u64>,
    pub(crate) mp: Option<u64>,
    /// Raw labels, either form, without the outer braces.
    pub(crate) labels: &'a [u8],
    /// What stands behind the header on the same line (texts flattened into one line).
    pub(crate) rest: &'a [u8],
}

/// Reads a header at the start of a line without indentation.
pub(crate) fn header(line: &[u8]) -> Option<Header<'_>> {
    let mut c = Cursor::new(line);
    if !c.eat(b"goroutine ") {
        return None;
    }
    let mut h = Header { id: c.dec()?, ..Header::default() };
    // Go 1.22+, at levels system and crash and for the goroutine of a throw: gp= m= mp= (traceback.go, goroutineheader).
    loop {
        c.blanks();
        if c.eat(b"gp=") {
            h.gp = Some(c.hex()?);
        } else if c.eat(b"mp=") {
            h.mp = Some(c.hex()?);
        } else if c.eat(b"m=") {
            if !c.eat(b"nil") {
                h.m = Some(c.dec()?);
            }
        } else {
            break;
        }
    }
    if !c.eat(b"[") {
        return None;
    }
    let inner_len = bracket_end(c.rest())?;
    let inner = scan::upto(c.rest(), inner_len);
    c.skip(inner_len.saturating_add(1));
    bracket(inner, &mut h)?;
    if c.eat(b" {") || c.eat(b"{") {
        let end = brace_end(c.rest())?;
        h.labels = scan::upto(c.rest(), end);
        c.skip(end.saturating_add(1));
    }
    if !c.eat(b":") && !c.at_end() {
        return None;
    }
    h.rest = scan::trim(c.rest());
    Some(h)
}

/// Index of the `]` that ends the bracket, quotes respected.
fn bracket_end(b: &[u8]) -> Option<usize> {
    // Almost always there are no labels inside.
    let first = memchr::memchr(b']', b)?;
    if !scan::upto(b, first).contains(&b'"') {
        return (first <= 4096).then_some(first);
    }
    closing(b, b']')
}

fn brace_end(b: &[u8]) -> Option<usize> {
    closing(b, b'}')
}

/// Index of the first `close` outside of double quotes.
fn closing(b: &[u8], close: u8) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (i, &c) in b.iter().enumerate().take(1 << 16) {
        match c {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if c == close && !quoted => return Some(i),
            _ => {}
        }
    }
    None
}

fn bracket<'a>(inner: &'a [u8], h: &mut Header<'a>) -> Option<()> {
    let mut state = inner;
    // Go 1.26 with GODEBUG=tracebacklabels=1 puts the labels inside the bracket, as JSON.
    if inner.contains(&b'{')
        && let Some(i) = scan::find(inner, b" labels:{")
    {
        let start = i.saturating_add(b" labels:{".len());
        let end = closing(scan::from(inner, start), b'}')?;
        h.labels = scan::between(inner, start, start.saturating_add(end));
        state = scan::upto(inner, i);
    }
    let mut first = true;
    for part in state.split(|&c| c == b',') {
        let part = scan::trim(part);
        let mut word = part;
        loop {
            let (rest, bit) = if let Some(r) = word.strip_suffix(b" (scan)") {
                (r, flag::SCAN)
            } else if let Some(r) = word.strip_suffix(b" (leaked)") {
                (r, flag::LEAKED)
            } else if let Some(r) = word.strip_suffix(b" (durable)") {
                (r, flag::DURABLE)
            } else {
                break;
            };
            h.flags |= bit;
            word = rest;
        }
        if word == b"locked to thread" {
            h.flags |= flag::LOCKED;
        } else if let Some(n) = word.strip_suffix(b" minutes").and_then(scan::dec) {
            h.minutes = n;
        } else if let Some(id) = word.strip_prefix(b"synctest bubble ").and_then(scan::dec) {
            h.bubble = Some(Bubble { kind: BubbleKind::Bubble, id });
        } else if let Some(id) = word.strip_prefix(b"synctest group ").and_then(scan::dec) {
            h.bubble = Some(Bubble { kind: BubbleKind::Group, id });
        } else if first || h.state.is_empty() {
            h.state = word;
            first = false;
        }
    }
    if h.state.len() > 200 { None } else { Some(()) }
}

/// The status and, for a waiting goroutine, the reason, from the state word.
///
/// The runtime prints the wait reason in place of `waiting` (`goroutineheader`, traceback.go).
pub(crate) fn status(word: &str) -> (Status, Option<&str>) {
    let status = match word {
        "idle" => Status::Idle,
        "runnable" | "runnable from debugger" => Status::Runnable,
        "running" => Status::Running,
        "syscall" => Status::Syscall,
        "waiting" => Status::Waiting,
        "dead" => Status::Dead,
        "copystack" | "stack growth" => Status::CopyStack,
        "preempted" => Status::Preempted,
        "leaked" => Status::Leaked,
        "???" | "" | "moribund" | "enqueue" | "deadextra" => Status::Other(word.into()),
        _ if word.bytes().all(|c| c.is_ascii_digit()) => Status::Other(word.into()),
        _ => return (Status::Waiting, Some(word)),
    };
    (status, None)
}

/// Labels of both forms: `"k": "v", …` (Go 1.26, JSON) and `k: v, k2: "v w"` (Go 1.27, quoted only where needed).
pub(crate) fn labels(raw: &[u8]) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut c = Cursor::new(raw);
    while !c.at_end() && out.len() < 64 {
        c.take_while(|b| b == b' ' || b == b',');
        if c.at_end() {
            break;
        }
        let key = label_word(&mut c, b':');
        if !c.eat(b":") {
            break;
        }
        c.blanks();
        let value = label_word(&mut c, b',');
        out.push((key, value));
    }
    out
}

fn label_word(c: &mut Cursor<'_>, stop: u8) -> String {
    if c.eat(b"\"") {
        let mut out = Vec::new();
        loop {
            out.extend_from_slice(c.take_while(|b| b != b'"' && b != b'\\'));
            if c.eat(b"\\") {
                match c.peek() {
                    b'n' => out.push(b'\n'),
                    b't' => out.push(b'\t'),
                    0 => break,
                    other => out.push(other),
                }
                c.skip(1);
            } else {
                c.eat(b"\"");
                break;
            }
        }
        scan::text(&out)
    } else {
        scan::text(scan::trim(c.take_while(|b| b != stop)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn h(line: &str) -> Header<'_> {
        header(line.as_bytes()).unwrap_or_default()
    }

    #[test]
    fn plain_and_crash_level() {
        assert_eq!(h("goroutine 1 [running]:").state, b"running");
        let x = h("goroutine 20 gp=0xc000104b40 m=0 mp=0x7d03c0 [running]:");
        assert_eq!((x.id, x.gp, x.m, x.mp), (20, Some(0xc0_0010_4b40), Some(0), Some(0x7d_03c0)));
        let x = h("goroutine 5 gp=0xc00017c000 m=nil [GC worker (idle), 3 minutes]:");
        assert_eq!((x.state, x.minutes, x.m), (&b"GC worker (idle)"[..], 3, None));
    }

    #[test]
    fn states_in_any_order() {
        let x = h("goroutine 3503687081 [syscall, 10 minutes, locked to thread]:");
        assert_eq!((x.id, x.state, x.minutes, x.flags), (3_503_687_081, &b"syscall"[..], 10, flag::LOCKED));
        let x = h("goroutine 1 [locked to thread, chan receive (nil chan)]:");
        assert_eq!((x.state, x.flags), (&b"chan receive (nil chan)"[..], flag::LOCKED));
        let x = h("goroutine 9 [chan receive (durable), synctest bubble 7]:");
        assert_eq!((x.state, x.flags, x.bubble.map(|b| b.id)), (&b"chan receive"[..], flag::DURABLE, Some(7)));
        assert_eq!(h("goroutine 2 [3]:").state, b"3");
        assert_eq!(h("goroutine 2 [select (no cases) (scan)]:").flags, flag::SCAN);
    }

    #[test]
    fn both_label_forms() {
        let x = h(r#"goroutine 1 gp=0xc000002380 m=0 mp=0x1 [running] {req: "GET /x", tenant: t1}:"#);
        assert_eq!(labels(x.labels), [("req".into(), "GET /x".into()), ("tenant".into(), "t1".into())]);
        let x = h(r#"goroutine 1 [running labels:{"req": "GET ]x", "t": "a\"b"}]:"#);
        assert_eq!(labels(x.labels), [("req".into(), "GET ]x".into()), ("t".into(), "a\"b".into())]);
        assert_eq!(x.state, b"running");
    }

    #[test]
    fn look_alikes() {
        for line in [
            "goroutine profile: total 5",
            "Goroutine 5 in state semacquire, with sync.runtime_SemacquireMutex on top of the stack:",
            "goroutine 5 is stuck [in a loop] they said",
            "goroutine [running]:",
            "goroutine 5 [runn",
        ] {
            assert_eq!(header(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn flattened_rest() {
        assert_eq!(h("goroutine 1 [running]: main.main() /a/b.go:3").rest, b"main.main() /a/b.go:3");
    }

    #[test]
    fn words_of_the_runtime() {
        assert_eq!(status("running"), (Status::Running, None));
        assert_eq!(status("chan receive"), (Status::Waiting, Some("chan receive")));
        assert_eq!(status("stack growth"), (Status::CopyStack, None));
    }
}
