//! A real crash text behind any prefix, damaged anywhere: undamaged it has all its goroutines, damaged it breaks nothing.
#![no_main]

use arbitrary::Arbitrary;
use gopsy_fuzz::read;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    specimen: u8,
    carrier: u8,
    /// A second carrier around the first.
    outer: Option<u8>,
    free: &'a [u8],
    edits: Vec<Edit<'a>>,
    other: &'a [u8],
}

#[derive(Debug, Arbitrary)]
enum Edit<'a> {
    Cut(u16),
    CutFront(u16),
    Flip(u16, u8),
    Insert(u16, &'a [u8]),
    Remove(u16, u8),
    Repeat(u16, u8),
}

const SPECIMENS: [&str; 6] = [
    include_str!("../../zoo/texts/nil-dereference-imitated/go1.27.txt"),
    include_str!("../../zoo/texts/map-writes/go1.26.txt"),
    include_str!("../../zoo/texts/labels/go1.27.txt"),
    include_str!("../../zoo/texts/abort-in-c/go1.21.txt"),
    include_str!("../../zoo/texts/cond-wait/go1.16.txt"),
    include_str!("../../zoo/texts/locked-thread/go1.24.txt"),
];

fn dress(text: &str, carrier: u8, free: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len() * 2);
    for (i, line) in text.lines().enumerate() {
        let prefix = match carrier % 16 {
            0 => String::new(),
            1 => format!("2024-01-02T03:04:05.{i:09}Z stderr F "),
            2 => format!("Jan 02 03:04:{:02} host prog[123]: ", i % 60),
            3 => "[pod/web-6d4cf56db6-abcde/app] ".to_owned(),
            4 => "app-1  | ".to_owned(),
            5 => format!("2024-01-02T03:04:05.{i:07}Z "),
            6 => "> ".to_owned(),
            7 => "    ".to_owned(),
            8 => format!("<11>1 2024-01-02T03:04:05.{:03}Z host app 77 - - ", i % 1000),
            9 => format!("[{:>5}s] ", i),
            10 => "\x1b[31m".to_owned(),
            11 => {
                let text = line.replace('\\', "\\\\").replace('"', "\\\"").replace('\t', "\\t");
                out.extend_from_slice(format!("{{\"log\":\"{text}\\n\",\"stream\":\"stderr\"}}\n").as_bytes());
                continue;
            }
            _ => {
                out.extend(free.iter().filter(|&&b| b != b'\n').take(40));
                String::new()
            }
        };
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    String::from_utf8_lossy(&out).into_owned()
}

libfuzzer_sys::fuzz_target!(|input: Input<'_>| {
    let text = SPECIMENS[usize::from(input.specimen) % SPECIMENS.len()];
    let mut dressed = dress(text, input.carrier, input.free);
    if let Some(outer) = input.outer {
        dressed = dress(&dressed, outer, input.free);
    }
    let mut dressed = dressed.into_bytes();
    if input.edits.is_empty() && input.carrier % 16 < 12 && input.outer.is_none_or(|outer| outer % 16 < 12) {
        let dump = read(&dressed);
        let headers =
            text.lines().filter(|l| l.starts_with("goroutine ") && l.ends_with("]:") || l.ends_with("}:")).count();
        let numbered = (0..dump.stack_count()).filter(|&id| dump.goroutine(id).id.value().is_some()).count();
        assert_eq!(numbered, headers, "{}", String::from_utf8_lossy(&dressed));
        return;
    }
    for edit in &input.edits {
        if dressed.is_empty() {
            break;
        }
        let place = |at: u16| usize::from(at) * dressed.len() / 65536;
        match *edit {
            Edit::Cut(at) => dressed.truncate(place(at)),
            Edit::CutFront(at) => {
                dressed.drain(..place(at));
            }
            Edit::Flip(at, bits) => {
                let at = place(at);
                dressed[at] ^= bits;
            }
            Edit::Insert(at, bytes) => {
                let at = place(at);
                dressed.splice(at..at, bytes.iter().copied());
            }
            Edit::Remove(at, count) => {
                let at = place(at);
                let end = (at + usize::from(count)).min(dressed.len());
                dressed.drain(at..end);
            }
            Edit::Repeat(at, count) => {
                let at = place(at);
                let end = (at + usize::from(count)).min(dressed.len());
                let piece = dressed[at..end].to_vec();
                dressed.splice(at..at, piece);
            }
        }
    }
    dressed.extend_from_slice(input.other);
    read(&dressed);
});
