//! Backtraces of gdb, lldb and Delve, pasted as text, and those of the sanitizers.

use crate::frame;
use crate::grammar::Grammar;
use crate::scan::{self, Cursor};
use gopsy_model::Role;

/// One line of a backtrace.
struct BtFrame<'a> {
    number: u64,
    pc: u64,
    name: &'a [u8],
    place: &'a [u8],
}

/// Takes the line if it belongs to a debugger's backtrace.
pub(crate) fn line(body: &[u8], grammar: &mut Grammar) -> bool {
    if let Some(f) = gdb(body).or_else(|| lldb(body)).or_else(|| delve(body)) {
        if f.number == 0 || !grammar.in_stack() {
            grammar.start_bare(Role::Bare);
            grammar.crashes.debugger();
        }
        let place = frame::file_line(f.place);
        grammar.foreign_frame(f.name, place.map_or(b"", |p| p.path), place.map_or(0, |p| p.line), f.pc);
        return true;
    }
    if grammar.in_stack()
        && grammar.crashes.in_debugger()
        && let Some(rest) = body.strip_prefix(b"at ")
        && let Some(f) = frame::file_line(strip_column(rest))
    {
        grammar.place_last(f.path, f.line);
        return true;
    }
    false
}

/// `#5  0x0000000000a247d8 in pkg.(*T).M (tc=<optimized out>) at /a/b.go:12`; `#0  main.f (x=1) at b.go:3`; a sanitizer's
/// `#0 0x487c00 in use /a/b.c:4:12` (compiler-rt, sanitizer_stacktrace_printer.h).
fn gdb(body: &[u8]) -> Option<BtFrame<'_>> {
    let mut c = Cursor::new(body);
    if !c.eat(b"#") {
        return None;
    }
    let number = c.dec()?;
    if c.blanks() == 0 {
        return None;
    }
    let pc = match c.hex() {
        Some(pc) => {
            if !c.eat(b" in ") {
                return None;
            }
            pc
        }
        None => 0,
    };
    let rest = c.rest();
    let name = match scan::find(rest, b" (") {
        Some(i) => scan::upto(rest, i),
        // The argument list is lost; then the address must be there.
        None if pc != 0 => rest.split(|&c| c == b' ').next().unwrap_or(rest),
        None => return None,
    };
    if !is_a_name(name) {
        return None;
    }
    let place = match memchr::memmem::rfind(rest, b" at ") {
        Some(i) => scan::from(rest, i.saturating_add(4)),
        None if scan::has(rest, b" (") => &[],
        None => strip_column(scan::trim(scan::from(rest, name.len()))),
    };
    Some(BtFrame { number, pc, name, place })
}

/// `* frame #0: 0x000000010 prog`main.f(x=1) at main.go:12:5`.
fn lldb(body: &[u8]) -> Option<BtFrame<'_>> {
    let mut c = Cursor::new(body);
    c.eat(b"* ");
    c.blanks();
    if !c.eat(b"frame #") {
        return None;
    }
    let number = c.dec()?;
    c.eat(b": ");
    let pc = c.hex()?;
    c.blanks();
    let rest = c.rest();
    let tick = memchr::memchr(b'`', rest)?;
    let behind = scan::from(rest, tick.saturating_add(1));
    let at = scan::find(behind, b" at ");
    let call = at.map_or(behind, |i| scan::upto(behind, i));
    let call = scan::find(call, b" + ").map_or(call, |i| scan::upto(call, i));
    let name = match call.last() {
        Some(b')') => memchr::memrchr(b'(', call).map_or(call, |i| scan::upto(call, i)),
        _ => call,
    };
    let place = at.map_or(&[][..], |i| strip_column(scan::from(behind, i.saturating_add(4))));
    is_a_name(name).then_some(BtFrame { number, pc, name, place })
}

/// ` 0  0x0000000000435a21 in runtime.raise`, its file on the next line behind `at`.
fn delve(body: &[u8]) -> Option<BtFrame<'_>> {
    let mut c = Cursor::new(body);
    let number = c.dec()?;
    if c.blanks() == 0 {
        return None;
    }
    let pc = c.hex()?;
    if !c.eat(b" in ") {
        return None;
    }
    let name = scan::trim(c.rest());
    is_a_name(name).then_some(BtFrame { number, pc, name, place: b"" })
}

/// Text that could name a function; `??` is a debugger's word for none.
fn is_a_name(name: &[u8]) -> bool {
    name == b"??" || (frame::is_name(name) && std::str::from_utf8(name).is_ok())
}

/// `main.go:12:5` without its column.
fn strip_column(place: &[u8]) -> &[u8] {
    let Some(colon) = memchr::memrchr(b':', place) else { return place };
    let head = scan::upto(place, colon);
    let digits = |b: &[u8]| !b.is_empty() && b.iter().all(u8::is_ascii_digit);
    let inner = memchr::memrchr(b':', head).map_or(&[][..], |i| scan::from(head, i.saturating_add(1)));
    if digits(scan::from(place, colon.saturating_add(1))) && digits(inner) { head } else { place }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(f: Option<BtFrame<'_>>) -> Option<(u64, String, String)> {
        f.map(|f| (f.pc, scan::text(f.name), scan::text(f.place)))
    }

    #[test]
    fn three_debuggers() {
        assert_eq!(
            name_of(gdb(b"#5  0x0000000000a247d8 in ../sdk/trace.(*C).Snap (tc=<optimized out>, ~r0=...)")),
            Some((0xa2_47d8, "../sdk/trace.(*C).Snap".into(), String::new()))
        );
        assert_eq!(name_of(gdb(b"#0  main.f (x=1) at /a/b.go:3")), Some((0, "main.f".into(), "/a/b.go:3".into())));
        assert_eq!(
            name_of(lldb(b"* frame #0: 0x0000000100 prog`main.f(x=1) at main.go:12:5")),
            Some((0x100, "main.f".into(), "main.go:12".into()))
        );
        assert_eq!(
            name_of(delve(b"0  0x0000000000435a21 in runtime.raise")),
            Some((0x43_5a21, "runtime.raise".into(), String::new()))
        );
        let sanitizer = |line: &str| name_of(gdb(line.as_bytes()));
        let use_at = |place: &str| Some((0x48_7c00, "use".into(), place.into()));
        assert_eq!(sanitizer("#0 0x487c00 in use /a/main.go:4"), use_at("/a/main.go:4"));
        assert_eq!(sanitizer("#0 0x487c00 in use ../b c/x.c:4:12"), use_at("../b c/x.c:4"));
        assert!(gdb(b"#123 fixed in the last release (see below)").is_none());
        assert!(gdb(b"#4 \xff\x01E (").is_none());
        assert!(gdb(b"#4 word").is_none());
        assert!(gdb(b"#2  0x0000000000000001 in ?? ()").is_some());
    }
}
