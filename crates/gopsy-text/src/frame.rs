//! The lines of which stacks are made.

use crate::scan::{self, Cursor};
use gopsy_model::{Arg, Args};

/// `pkg.F(args)`, split into name and argument list (without parentheses).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FunctionLine<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) args: &'a [u8],
}

/// What a line could be in the place where a function is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FunctionShape<'a> {
    /// Name and a whole argument list.
    Whole(FunctionLine<'a>),
    /// Name and an argument list that does not end on this line.
    Open,
    /// One word that may be a name without arguments, or a piece of a wrapped name.
    Word,
    /// No function.
    No,
}

/// Reads a line as a function line. Arguments never contain parentheses, so the last `(` opens them.
pub(crate) fn function_line(line: &[u8]) -> FunctionShape<'_> {
    let first = scan::at(line, 0);
    if first == 0 || first == b'[' || first == b'{' || first == b'+' || first == b'"' {
        return FunctionShape::No;
    }
    if let [head @ .., b')'] = line {
        if let Some(open) = memchr::memrchr(b'(', head) {
            let name = scan::upto(head, open);
            let args = scan::from(head, open.saturating_add(1));
            if (is_name(name) || is_hidden_name(name, args)) && are_args(args) {
                return FunctionShape::Whole(FunctionLine { name, args });
            }
        }
        return FunctionShape::No;
    }
    match memchr::memrchr(b'(', line) {
        Some(open) => {
            let name = scan::upto(line, open);
            let args = scan::from(line, open.saturating_add(1));
            if is_name(name) && are_args(args) {
                FunctionShape::Open
            } else if is_word(line) {
                FunctionShape::Word
            } else {
                FunctionShape::No
            }
        }
        None if is_word(line) => FunctionShape::Word,
        None => FunctionShape::No,
    }
}

/// Bytes that stand in names of Go, C and C++ functions as runtimes and linkers print them.
pub(crate) fn is_name(name: &[u8]) -> bool {
    if name.is_empty() || name.len() > 4096 {
        return false;
    }
    let first = scan::at(name, 0);
    if !(first.is_ascii_alphabetic() || first == b'_' || first == b'.' || first == b'*' || first >= 0x80) {
        return false;
    }
    // Blanks occur only inside brackets (`F[go.shape.struct { X int }]`) and inside the parentheses of receivers.
    let mut depth: i32 = 0;
    for &c in name {
        match c {
            b'[' | b'(' | b'{' | b'<' => depth = depth.saturating_add(1),
            b']' | b')' | b'}' | b'>' => depth = depth.saturating_sub(1),
            b' ' if depth <= 0 => return false,
            b'=' | b'"' | b'\'' | b'\\' | b'|' | b'?' | b'!' | b';' if depth <= 0 => return false,
            0..=31 | 127 => return false,
            _ => {}
        }
    }
    true
}

/// `<REDACTED>/store.(*T).F(0x1)`, `/path/to/store.F(0x1)`: what people write over a path they do not want to show.
/// Only with arguments as a runtime prints them: a path of a file stands in such places too.
fn is_hidden_name(name: &[u8], args: &[u8]) -> bool {
    let printed = args.starts_with(b"0x") || args.starts_with(b"{");
    let last = name.rsplit(|&c| c == b'/').next().unwrap_or(name);
    if !printed || name.len() > 4096 || !matches!(name.first(), Some(b'/' | b'<')) || !last.contains(&b'.') {
        return false;
    }
    let mut rest = name;
    loop {
        rest = match rest {
            [b'/', rest @ ..] => rest,
            [b'<', hidden @ ..] => match memchr::memchr(b'>', hidden) {
                Some(end) => scan::from(hidden, end.saturating_add(1)),
                None => return false,
            },
            _ => return is_name(rest),
        };
    }
}

/// One word without blanks that could be a name or a part of one.
fn is_word(line: &[u8]) -> bool {
    line.len() <= 4096 && !line.contains(&b' ') && is_name(line) && !line.ends_with(b":")
}

/// Argument words as every release prints them: `0x1, 0x2`, `{0x1?, {…}}`, `_`, `...`, and words of damaged texts.
pub(crate) fn are_args(args: &[u8]) -> bool {
    if args.is_empty() {
        return true;
    }
    // The usual case first: a list of hexadecimal words.
    args.iter().all(|&c| {
        c.is_ascii_hexdigit() || matches!(c, b'x' | b',' | b' ' | b'.' | b'{' | b'}' | b'?' | b'_' | b'\t' | b'-')
    }) && (args.starts_with(b"0x")
        || matches!(scan::at(args, 0), b'{' | b'.' | b'_' | b'?' | b',' | b' ' | b'-')
        || args.iter().all(u8::is_ascii_digit)
        || scan::has(args, b"0x")
        || args.len() <= 16)
}

/// Elements of one argument list, composites included. Go prints ten words.
const MAX_ARGS: u32 = 4096;
/// Elements of all argument lists of one stack: fifteen for each of the frames that are kept of the deepest.
pub(crate) const MAX_STACK_ARGS: u32 = 1 << 20;

/// Reads an argument list. It takes what it needs from `budget`, which is for all frames of a stack.
pub(crate) fn parse_args(args: &[u8], budget: &mut u32) -> Args {
    let mut cursor = Cursor::new(args);
    let mut truncated = false;
    let before = MAX_ARGS.min(*budget);
    let mut left = before;
    let list = arg_list(&mut cursor, 0, &mut truncated, &mut left);
    *budget = budget.saturating_sub(before.saturating_sub(left));
    Args { list, truncated }
}

fn arg_list(c: &mut Cursor<'_>, depth: u32, truncated: &mut bool, budget: &mut u32) -> Vec<Arg> {
    let mut list = Vec::new();
    loop {
        c.take_while(|b| matches!(b, b' ' | b',' | b'\t'));
        if c.at_end() || *budget == 0 {
            *truncated |= depth > 0 || !c.at_end();
            return list;
        }
        *budget = budget.saturating_sub(1);
        match c.peek() {
            b'}' => {
                c.skip(1);
                if depth > 0 {
                    return list;
                }
                *truncated = true;
            }
            b'{' => {
                c.skip(1);
                if depth >= 16 {
                    *truncated = true;
                    return list;
                }
                // A list of its own takes the room of four words at least.
                *budget = budget.saturating_sub(3);
                let inner = arg_list(c, depth.saturating_add(1), truncated, budget);
                list.push(Arg::Group(inner));
            }
            b'_' => {
                c.skip(1);
                list.push(Arg::Unreachable);
            }
            b'.' => {
                c.take_while(|b| b == b'.');
                list.push(Arg::More);
            }
            _ => {
                let before = c.rest().len();
                if let Some(value) = c.hex().or_else(|| c.dec()) {
                    let stale = c.eat(b"?");
                    list.push(Arg::Word { value, stale });
                }
                let next = c.peek();
                if c.rest().len() == before || !matches!(next, 0 | b',' | b' ' | b'}' | b'\t') {
                    // A damaged word: leave it out and say so.
                    *truncated = true;
                    c.take_while(|b| !matches!(b, b',' | b'{' | b'}'));
                }
            }
        }
    }
}

/// `path:line +0xOFF fp=0x… sp=0x… pc=0x…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FileLine<'a> {
    /// `path:line +0xOFF`: the part that is the same for every visit to this place.
    pub(crate) place: &'a [u8],
    pub(crate) path: &'a [u8],
    pub(crate) line: i64,
    pub(crate) offset: Option<u64>,
    pub(crate) fp: Option<u64>,
    pub(crate) sp: Option<u64>,
    pub(crate) pc: Option<u64>,
    /// The text ends inside a number (`sp=0x`, `fp=`): the next line may be its rest.
    pub(crate) cut: bool,
}

/// Reads a line (without indentation) as a file line.
pub(crate) fn file_line(line: &[u8]) -> Option<FileLine<'_>> {
    let mut out = FileLine::default();
    let mut head = line;
    // From the end: registers first (only `system` and `crash` levels print them). Almost always they are what the
    // first `=` belongs to, and without them there is none.
    if let Some(equals) = memchr::memchr(b'=', line) {
        let i = if scan::upto(line, equals).ends_with(b" fp") {
            Some(equals.saturating_sub(3))
        } else {
            scan::find(line, b" fp=")
        };
        if let Some(i) = i {
            head = scan::upto(line, i);
            registers(scan::from(line, i), &mut out);
        } else if let Some(i) = memchr::memmem::rfind(line, b" pc=0x") {
            // cgo's symbolizer: `\tfile:line pc=0x…`
            out.pc = scan::hex(scan::from(line, i.saturating_add(4)));
            if out.pc.is_some() {
                head = scan::upto(line, i);
            }
        }
    }
    head = scan::trim_end(head);
    out.place = head;
    if let Some(i) = memchr::memrchr(b'+', head) {
        let before = scan::upto(head, i);
        let offset = scan::from(head, i.saturating_add(1));
        if before.ends_with(b" ") {
            if let Some(n) = scan::hex(offset) {
                out.offset = Some(n);
                head = scan::trim_end(before);
            } else if offset == b"0x" || offset == b"0" || offset.is_empty() {
                out.cut = true;
                head = scan::trim_end(before);
            }
        }
    }
    let colon = memchr::memrchr(b':', head)?;
    let digits = scan::from(head, colon.saturating_add(1));
    let path = scan::upto(head, colon);
    let (negative, number) = match digits.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, digits),
    };
    let n = i64::try_from(scan::dec(number)?).ok()?;
    if path.is_empty() || path.len() > 8192 {
        return None;
    }
    out.path = path;
    out.line = if negative { n.saturating_neg() } else { n };
    Some(out)
}

/// Reads ` fp=0x… sp=0x… pc=0x…`, or nothing.
pub(crate) fn registers(text: &[u8], out: &mut FileLine<'_>) {
    let mut c = Cursor::new(text);
    loop {
        c.blanks();
        let slot = if c.eat(b"fp=") {
            &mut out.fp
        } else if c.eat(b"sp=") {
            &mut out.sp
        } else if c.eat(b"pc=") {
            &mut out.pc
        } else {
            return;
        };
        *slot = c.hex();
        if slot.is_none() {
            out.cut = true;
        }
    }
}

/// Whether a path looks like that of a source file: a known ending, `<autogenerated>`, `??`, or a separator.
pub(crate) fn is_source_path(path: &[u8]) -> bool {
    if path == b"??" || path == b"?" || path == b"<autogenerated>" || path == b"_cgo_gotypes.go" {
        return true;
    }
    let base = path.rsplit(|&c| c == b'/' || c == b'\\').next().unwrap_or(path);
    let ending = base.rsplit(|&c| c == b'.').next().unwrap_or(b"");
    let known = ending.len() < base.len()
        && matches!(
            ending,
            b"go"
                | b"s"
                | b"S"
                | b"c"
                | b"h"
                | b"cc"
                | b"cpp"
                | b"cxx"
                | b"hpp"
                | b"goc"
                | b"m"
                | b"mm"
                | b"y"
                | b"rl"
                | b"templ"
                | b"rs"
                | b"asm"
                | b"inc"
        );
    // A path with a blank in front of its first separator is prose (`see http://…`), unless it ends like a source.
    known || (base.len() < path.len() && !path.contains(&b' ') && !scan::has(path, b"://"))
}

/// Whether a path is surely that of a source file: text, with a known ending. Asked where no header says that a stack
/// begins; random bytes hold a slash behind a word now and then.
pub(crate) fn is_surely_source(path: &[u8]) -> bool {
    let base = path.rsplit(|&c| c == b'/' || c == b'\\').next().unwrap_or(path);
    let named =
        base.contains(&b'.') && is_source_path(base) || path.starts_with(b"<autogenerated>") || path.starts_with(b"??");
    named && std::str::from_utf8(path).is_ok_and(|p| !p.chars().any(char::is_control))
}

/// Whether a path that stands at the start of a line is nothing but a path: with blanks in it, it must have a root.
pub(crate) fn is_path_alone(path: &[u8]) -> bool {
    let rooted = match path {
        [b'/' | b'\\' | b'<' | b'.', ..] => true,
        [drive, b':', b'/' | b'\\', ..] => drive.is_ascii_alphabetic(),
        _ => false,
    };
    rooted || !path.contains(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(line: &str) -> Option<(String, String)> {
        match function_line(line.as_bytes()) {
            FunctionShape::Whole(f) => Some((scan::text(f.name), scan::text(f.args))),
            _ => None,
        }
    }

    #[test]
    fn functions_of_every_era() {
        for (line, name, args) in [
            ("main.main()", "main.main", ""),
            ("main.f(...)", "main.f", "..."),
            ("runtime.throw({0x1acc067?, 0x434110?})", "runtime.throw", "{0x1acc067?, 0x434110?}"),
            ("a/b.(*T).M(0x1, 0x2, ...)", "a/b.(*T).M", "0x1, 0x2, ..."),
            (
                "encoding/json.(*e).(encoding/json.encode)-fm(0xc2)",
                "encoding/json.(*e).(encoding/json.encode)-fm",
                "0xc2",
            ),
            ("slices.Collect[...](...)", "slices.Collect[...]", "..."),
            ("main\u{b7}generate(0xb7f82270, 0x0)", "main\u{b7}generate", "0xb7f82270, 0x0"),
            ("copystack(0xc082a96480, 0x4000)", "copystack", "0xc082a96480, 0x4000"),
            (
                "pkg.Write({{0x15f1f90?, 0xc0?}, 0xda?}, {0xc0, 0x42, 0x400})",
                "pkg.Write",
                "{{0x15f1f90?, 0xc0?}, 0xda?}, {0xc0, 0x42, 0x400}",
            ),
            (".../cri-o/server.(*Server).Run(0xc42048e000)", ".../cri-o/server.(*Server).Run", "0xc42048e000"),
        ] {
            assert_eq!(whole(line), Some((name.to_owned(), args.to_owned())), "{line}");
        }
    }

    #[test]
    fn prose_is_no_function() {
        for line in [
            "time=\"2016\" level=info msg=\"x (y)\"",
            "Stack for running G's are skipped (see above)",
            "[signal SIGSEGV: segmentation violation]",
            "rax    0x0",
            "error: cannot open file (permission denied)",
            "Get https://127.0.0.1:22441/wait: Unable to connect to: 127.0.0.1:22441",
        ] {
            assert!(!matches!(function_line(line.as_bytes()), FunctionShape::Whole(_)), "{line}");
        }
    }

    #[test]
    fn files_of_every_kind() {
        let f = file_line(b"/usr/local/go/src/runtime/panic.go:1047 +0x5d fp=0xc000184e38 sp=0xc000184e08 pc=0x42ea1d");
        let f = f.unwrap_or_default();
        assert_eq!((f.path, f.line, f.offset), (&b"/usr/local/go/src/runtime/panic.go"[..], 1047, Some(0x5d)));
        assert_eq!((f.fp, f.sp, f.pc), (Some(0xc0_0018_4e38), Some(0xc0_0018_4e08), Some(0x42_ea1d)));
        assert_eq!(f.place, b"/usr/local/go/src/runtime/panic.go:1047 +0x5d");
        for (line, path, n) in [
            (
                "C:/Program Files (x86)/Go/src/runtime/panic.go:481 +0x3f4",
                "C:/Program Files (x86)/Go/src/runtime/panic.go",
                481,
            ),
            ("??:0 +0x3a", "??", 0),
            ("<autogenerated>:1 +0x26", "<autogenerated>", 1),
            ("a.y:-3", "a.y", -3),
            ("/src/pkg/runtime/os_linux.c:222 +0x3d fp=0x7fff63f1f438", "/src/pkg/runtime/os_linux.c", 222),
        ] {
            let f = file_line(line.as_bytes()).unwrap_or_default();
            assert_eq!((scan::text(f.path).as_str(), f.line), (path, n), "{line}");
        }
        let cut = file_line(b"c:/go/x.go:1785 +0x243 fp=0x5092ee88 sp=0x").unwrap_or_default();
        assert!(cut.cut && cut.fp == Some(0x5092_ee88) && cut.line == 1785);
    }

    #[test]
    fn arguments_nest_and_may_be_damaged() {
        let mut budget = 17;
        let a = parse_args(b"0x1, {0x2?, {0x3, _}, ...}, 0x4", &mut budget);
        assert!(!a.truncated);
        assert_eq!(a.word(0), Some(1));
        assert_eq!(a.word(2), Some(3));
        assert_eq!(a.words().len(), 5);
        assert_eq!(budget, 1, "five words, two composites and their ends, and what was left out");
        assert!(parse_args(b"0x1, 0x2", &mut budget).truncated, "no budget is left for the second");
        assert!(parse_args(b"0x1, {0x2", &mut MAX_ARGS.clone()).truncated);
        assert!(parse_args(b"0xzz, 0x2", &mut MAX_ARGS.clone()).truncated);
    }
}
