//! What the runtime prints under `GOTRACEBACK=crash`, read with as little as possible, and the same said by a [`Program`].
//! It shares no code with gopsy's reader of crash texts.

use gopsy_model::{Frame, Goroutine, Known};
use gopsy_program::Program;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Printed {
    pub(crate) id: u64,
    pub(crate) gp: u64,
    /// The number and the address of its thread.
    pub(crate) m: Option<(u64, u64)>,
    /// What stands in brackets.
    pub(crate) state: String,
    pub(crate) frames: Vec<PrintedFrame>,
    /// Function, goroutine, base name and line.
    pub(crate) created_by: Option<(String, u64, String, i64)>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PrintedFrame {
    pub(crate) function: String,
    /// The base name.
    pub(crate) file: String,
    pub(crate) line: i64,
    /// `+0x…`, `fp=`, `sp=`, `pc=`: absent for inlined functions.
    pub(crate) own: Option<[u64; 4]>,
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}

fn base(path: &str) -> String {
    path.rsplit('/').next().unwrap().to_owned()
}

/// `\t/path/file.go:12 +0x3 fp=0x1 …` → base name, line, the rest.
fn place(line: &str) -> (String, i64, &str) {
    let (path, rest) = line.trim_start().rsplit_once(".go:").or(line.trim_start().rsplit_once(".s:")).unwrap();
    let extension = if line.contains(".go:") { ".go" } else { ".s" };
    let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    (base(path) + extension, number.parse().unwrap(), rest)
}

pub(crate) fn parse(text: &str) -> Vec<Printed> {
    let mut all = Vec::new();
    for block in text.split("\n\n").filter(|b| b.starts_with("goroutine ")) {
        let mut lines = block.lines();
        let header = lines.next().unwrap();
        let words: Vec<&str> = header.split(' ').collect();
        let value = |key: &str| words.iter().find_map(|w| w.strip_prefix(key)).unwrap_or("");
        let state = header.split_once('[').unwrap().1.split(']').next().unwrap();
        let mut printed = Printed {
            id: words[1].parse().unwrap(),
            gp: hex(value("gp=")),
            m: value("m=").parse().ok().map(|m| (m, hex(value("mp=")))),
            state: state.to_owned(),
            frames: Vec::new(),
            created_by: None,
        };
        while let Some(call) = lines.next().filter(|l| !l.is_empty()) {
            let Some(next) = lines.next() else { break };
            let (file, line, rest) = place(next);
            if let Some(creator) = call.strip_prefix("created by ") {
                let (function, goroutine) = creator.split_once(" in goroutine ").unwrap();
                printed.created_by = Some((function.to_owned(), goroutine.parse().unwrap(), file, line));
                continue;
            }
            let key = |key: &str| rest.split(' ').find_map(|w| w.strip_prefix(key)).map(hex);
            let own =
                (!call.ends_with("(...)")).then(|| [key("+"), key("fp="), key("sp="), key("pc=")].map(Option::unwrap));
            // The arguments begin at the last opening parenthesis whose partner ends the line; receivers stand before it.
            let mut depth = 0;
            let open = call.char_indices().rev().find(|(_, c)| {
                depth += i32::from(*c == ')') - i32::from(*c == '(');
                depth == 0
            });
            let function = call[..open.unwrap().0].to_owned();
            printed.frames.push(PrintedFrame { function, file, line, own });
        }
        all.push(printed);
    }
    all
}

pub(crate) fn from_program(program: &Program, id: usize) -> Printed {
    let goroutine: Goroutine = program.goroutine(id);
    let state = goroutine.wait_reason.value().map(|r| r.to_string());
    let frames = program.stack(id).frames;
    Printed {
        id: *goroutine.id.value().unwrap(),
        gp: *goroutine.gp.value().unwrap(),
        m: goroutine.m.value().copied().zip(goroutine.mp.value().copied()),
        state: state.unwrap_or_else(|| goroutine.status.value().unwrap().as_str().to_owned()),
        frames: frames.iter().map(frame).collect(),
        created_by: goroutine.created_by.value().map(|c| {
            let goroutine = *c.goroutine.value().unwrap();
            (c.function.as_str().to_owned(), goroutine, base(c.file.value().unwrap()), *c.line.value().unwrap())
        }),
    }
}

fn frame(frame: &Frame) -> PrintedFrame {
    let own = |value: &Known<u64>| value.value().copied();
    let all = [own(&frame.offset), own(&frame.fp), own(&frame.sp), own(&frame.pc)];
    PrintedFrame {
        function: frame.function.value().unwrap().as_str().to_owned(),
        file: base(frame.file.value().unwrap()),
        line: *frame.line.value().unwrap(),
        own: (!frame.inlined).then(|| all.map(Option::unwrap)),
    }
}
