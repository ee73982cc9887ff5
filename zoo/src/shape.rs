//! What must be the same in two texts of one specimen.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{Mark, Says};

/// The shape of a text: what died, and where. Addresses, ids, times and the
/// folder of the source are not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The first line that has a phrase of the kind, with numbers blotted out.
    pub kind_line: Option<String>,
    /// The marked lines, each with the function that stands above it in a stack.
    pub culprits: BTreeSet<(String, Mark)>,
}

impl Shape {
    pub fn of(text: &str, says: &Says, marks: &[Mark]) -> Self {
        let text = unfold(text);
        Self { kind_line: kind_line(&text, says).map(blot_numbers), culprits: culprits(&text, says, marks) }
    }
}

impl Shape {
    /// Which of several goroutines the runtime catches is chance, and so is
    /// which of the marked lines they stand in: one in common is enough.
    pub fn agrees_with(&self, other: &Shape) -> bool {
        let same_place = self.culprits.is_empty() && other.culprits.is_empty();
        self.kind_line == other.kind_line && (same_place || !self.culprits.is_disjoint(&other.culprits))
    }
}

/// Every kind's promise: a text of that kind holds one of these phrases.
/// A kind that this list does not know promises nothing.
pub fn kind_phrases(kind: &str) -> &'static [&'static str] {
    match kind {
        "nil-dereference" => &["invalid memory address or nil pointer dereference", "called using nil *"],
        "out-of-range" => &["index out of range", "slice bounds out of range", "cannot convert slice with length"],
        "nil-map-write" => &["assignment to entry in nil map"],
        "type-assertion" => &["interface conversion: "],
        "divide-by-zero" => &["integer divide by zero"],
        "closed-channel" => &["send on closed channel", "close of closed channel", "close of nil channel"],
        "make-size" => &["makeslice: ", "makechan: ", "negative shift amount"],
        "waitgroup-misuse" => &["WaitGroup"],
        "custom-panic" => &["panic: "],
        "goexit-deadlock" => &["no goroutines (main called runtime.Goexit) - deadlock!"],
        "all-asleep" => &[
            "all goroutines are asleep - deadlock!",
            "deadlock: all goroutines in bubble are blocked",
            "deadlock: main bubble goroutine has exited",
        ],
        "concurrent-map" => &["concurrent map "],
        "bad-unlock" => &["unlock of unlocked", "RUnlock of unlocked", "Unlock of unlocked"],
        "stack-overflow" => &["goroutine stack exceeds "],
        "stack-split" => &["fatal error: morestack on g0", "fatal: morestack on g0"],
        "out-of-memory" => &["out of memory", "cannot allocate"],
        "thread-exhaustion" => &["thread exhaustion", "failed to create new OS thread"],
        "cgo-pointer-rule" => &["cgo argument has", "cgo result", "argument of cgo function has"],
        "checkptr" => &["checkptr: "],
        "race-report" => &["WARNING: DATA RACE"],
        "test-timeout" => &["panic: test timed out after "],
        "dump" => &["goroutine ", "goroutineleak profile: "],
        "signalled" => &["sigcode=0", "code=0x0"],
        "heap-corruption" => &["found bad pointer in Go heap", "marked free object"],
        "bad-pointer" => &["invalid pointer found on stack"],
        "runtime-throw" => &["fatal error: "],
        "unexpected-fault" => &["unexpected fault address"],
        "runtime-fault" => &["unexpected signal during runtime execution"],
        "native-fault" => &["SIGSEGV: segmentation violation"],
        "native-abort" => &["SIGABRT: abort", "ERROR: AddressSanitizer: "],
        "bus-error" => &["SIGBUS: bus error"],
        "illegal-instruction" => &["SIGILL: illegal instruction"],
        "arithmetic-fault" => &["SIGFPE: floating-point exception"],
        "trap" => &["SIGTRAP: trace trap"],
        "killed" => &["signal: killed"],
        _ => &[],
    }
}

/// How many lines at the left margin look like the header of a goroutine.
pub fn counted_headers(text: &str) -> usize {
    text.lines()
        .filter_map(|line| line.strip_prefix("goroutine "))
        .filter(|rest| {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            digits > 0 && rest[digits..].starts_with(' ') && rest.contains(" [")
        })
        .count()
}

/// Takes the text out of JSON, one object to a line: what `go test -json` puts
/// under `Output`, or every string of an object of another program's log.
fn unfold(text: &str) -> String {
    let mut unfolded = String::new();
    for line in text.lines() {
        match serde_json::from_str(line) {
            Ok(Value::Object(event)) => match event.get("Output") {
                Some(output) => unfolded.push_str(output.as_str().unwrap_or_default()),
                None => unfolded.extend(event.values().filter_map(Value::as_str).flat_map(|s| [s, "\n"])),
            },
            // A counted profile has a frame in one line: `#`, address, name and offset, place.
            _ if line.starts_with("#\t0x") => unfolded.extend(
                line.split('\t').skip(2).flat_map(|part| [part.split_once("+0x").map_or(part, |(name, _)| name), "\n"]),
            ),
            // So has a sanitizer's report: `#0 0x4641c0 in NAME PLACE`.
            _ if line.starts_with("    #") => {
                let frame = line.split_once(" in ").and_then(|(_, frame)| frame.split_once(' '));
                unfolded.extend(frame.map_or([line, "\n", "", ""], |(name, place)| [name, "\n", place, "\n"]));
            }
            _ => unfolded.extend([line, "\n"]),
        }
    }
    unfolded
}

fn kind_line<'a>(text: &'a str, says: &Says) -> Option<&'a str> {
    let phrases = kind_phrases(says.kind.as_deref()?);
    text.lines().find(|line| phrases.iter().any(|phrase| line.contains(phrase)))
}

fn blot_numbers(line: &str) -> String {
    let mut blotted = String::new();
    for word in line.split_inclusive([' ', '=', ':', '[', ']', '(', ')', ',', '"']) {
        let digits = word.bytes().any(|b| b.is_ascii_digit());
        blotted.push_str(if digits { "# " } else { word });
    }
    blotted
}

fn culprits(text: &str, says: &Says, marks: &[Mark]) -> BTreeSet<(String, Mark)> {
    let functions = says.culprit.as_deref().unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut found = BTreeSet::new();
    for pair in lines.windows(2) {
        for function in functions {
            if !is_call(pair[0], function) {
                continue;
            }
            for mark in marks.iter().filter(|mark| is_at(pair[1], mark)) {
                found.insert((function.clone(), mark.clone()));
            }
        }
    }
    found
}

fn is_call(line: &str, function: &str) -> bool {
    // Not "created by F": the line under that says where a goroutine began. A logger's trace has no arguments.
    line.strip_prefix(function).is_some_and(|rest| rest.is_empty() || rest.starts_with('('))
}

fn is_at(line: &str, mark: &Mark) -> bool {
    let at = format!("/{mark}");
    line.split_whitespace().next().is_some_and(|place| place.ends_with(&at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "panic: runtime error: index out of range [5] with length 3\n\n\
        goroutine 1 [running]:\nmain.f(0x3)\n\t/a/main.go:9 +0x1d\nmain.main()\n\t/a/main.go:4 +0x2\n";

    fn says() -> Says {
        Says { kind: Some("out-of-range".into()), culprit: Some(vec!["main.f".into()]), ..Says::default() }
    }

    fn mark(line: u64) -> Mark {
        let file = "main.go".into();
        Mark { file, line }
    }

    #[test]
    fn the_shape_survives_another_folder_and_other_numbers() {
        let other = TEXT.replace("/a/", "/b/c/").replace("[5]", "[70]");
        let shape = Shape::of(TEXT, &says(), &[mark(9)]);
        assert_eq!(shape, Shape::of(&other, &says(), &[mark(9)]));
        assert_eq!(shape.culprits.len(), 1);
        assert!(shape.kind_line.is_some());
    }

    #[test]
    fn the_shape_sees_another_line_function_or_kind() {
        let shape = Shape::of(TEXT, &says(), &[mark(9)]);
        for (from, to) in [("go:9", "go:8"), ("main.f", "main.g"), ("index out", "ran out")] {
            let other = TEXT.replace(from, to);
            assert_ne!(shape, Shape::of(&other, &says(), &[mark(9)]), "{to}");
        }
    }

    #[test]
    fn a_stack_in_json_is_read() {
        let shape = Shape::of(TEXT, &says(), &[mark(9)]);
        let one = serde_json::json!({ "level": "error", "stack": TEXT }).to_string();
        assert_eq!(shape, Shape::of(&one, &says(), &[mark(9)]));
        let event = |line| serde_json::json!({ "Action": "output", "Output": line }).to_string() + "\n";
        let events: String = TEXT.split_inclusive('\n').map(event).collect();
        assert_eq!(shape, Shape::of(&events, &says(), &[mark(9)]));
    }

    #[test]
    fn shapes_agree_when_they_share_a_culprit() {
        let shape = |line| Shape { kind_line: None, culprits: BTreeSet::from([("main.f".to_owned(), mark(line))]) };
        let mut both = shape(8);
        both.culprits.extend(shape(9).culprits);
        assert!(shape(9).agrees_with(&both));
        assert!(!shape(9).agrees_with(&shape(8)));
        let nowhere = Shape::of("", &says(), &[mark(9)]);
        assert!(nowhere.agrees_with(&nowhere) && !nowhere.agrees_with(&shape(9)));
        let headline = Shape { kind_line: Some("panic: x".into()), ..shape(9) };
        assert!(!headline.agrees_with(&shape(9)));
    }

    #[test]
    fn headers_are_counted_at_the_margin_only() {
        let text = "goroutine 1 [running]:\n\tgoroutine 2 [running]:\n\
            goroutine 7 gp=0x1 m=nil [sleep]:\ngoroutine stack exceeds [x]\n";
        assert_eq!(counted_headers(text), 2);
    }
}
