//! What the fuzz targets share: asking a text everything, and what must hold of every answer.

use gopsy_explain::explain;
use gopsy_model::{Known, Stack, Verdict};
use gopsy_program::{By, Filter, Program, TextEvidence, group};
use gopsy_report::redact::{Private, Redaction};
use gopsy_report::terminal::{self, View};
use gopsy_report::wire::{self, Form};
use gopsy_report::{Case, escape, github, markdown};
use gopsy_text::{Dump, Options, read_bytes};

/// Reads a text and asks for everything in it.
pub fn read(bytes: &[u8]) -> Dump {
    let dump = read_bytes(bytes, &Options::default());
    ask(&dump);
    dump
}

/// Asks for every goroutine, every stack, every death, and checks that the answers agree with each other.
pub fn ask(dump: &Dump) {
    let count = dump.stack_count();
    for id in 0..count {
        let stack = dump.stack(id);
        assert_eq!(stack.frames.len(), dump.frame_count(id), "stack {id}");
        let mut last = 0;
        for gap in &stack.elided {
            assert!(gap.after <= stack.frames.len() && gap.after >= last, "gaps out of order: {:?}", stack.elided);
            last = gap.after;
        }
        let goroutine = dump.goroutine(id);
        assert!(goroutine.copies >= 1);
        let brief = dump.brief(id);
        assert_eq!((goroutine.wait_minutes.value().copied(), goroutine.copies), (brief.wait_minutes, brief.copies));
        let _ = dump.stack_key(id);
    }
    // An id that does not exist is answered, too.
    assert!(dump.stack(count).frames.is_empty());
    assert!(matches!(dump.goroutine(count).id, Known::Missing(_)));
    let mut line = 0;
    let mut owned = 0;
    for crash in dump.crashes() {
        assert!(crash.line >= line && crash.line <= dump.lines(), "deaths out of order");
        line = crash.line;
        assert!(crash.stacks.start <= crash.stacks.end && crash.stacks.end <= count, "{:?} of {count}", crash.stacks);
        owned += crash.stacks.len();
        for id in [crash.crashed, crash.system_stack].into_iter().flatten() {
            assert!(crash.stacks.contains(&id), "{id} is not in {:?}", crash.stacks);
        }
        for race in &crash.races {
            for stack in race.accesses.iter().map(|a| &a.stack).chain(race.sections.iter().map(|s| &s.stack)) {
                assert!(stack.frames.iter().all(|f| f.function.value().is_some()));
            }
        }
    }
    assert_eq!(owned, count, "every stack belongs to one death");
    let _ = dump.identity();
    let _ = dump.notes();
}

/// The widths at which pages are made.
const WIDTHS: [usize; 4] = [1, 40, 80, 300];

/// Explains the deaths of a text and writes them. Which forms are written is drawn from the text: all of them would take
/// most of the time.
pub fn explain_all(bytes: &[u8]) {
    let dump = read_bytes(bytes, &Options::default());
    let notes = dump.notes().to_vec();
    let programs = TextEvidence::programs(dump);
    let main = gopsy_explain::main_crash(&programs);
    assert_eq!(main.is_some(), !programs.is_empty());
    let draw = bytes.iter().fold(bytes.len(), |sum, &b| sum.wrapping_mul(31).wrapping_add(usize::from(b)));
    let shown = main.unwrap_or(0).max(draw % programs.len().max(1));
    let Some(program) = programs.into_iter().nth(shown) else { return };
    let verdict = explain(&program);
    if draw % 16 == 0 {
        let redaction = Redaction::new(&program, &Private::default());
        let verdict = redaction.verdict(&verdict);
        write(&redaction.program(program), &verdict, &notes, draw / 16);
    } else {
        write(&program, &verdict, &notes, draw / 16);
    }
}

fn write(program: &Program, verdict: &Verdict, notes: &[String], draw: usize) {
    let groups = group(program, program.stacks(), &By::Stack, &Filter::default());
    let case = Case { program, verdict, source: None, groups: &groups, notes };
    match draw % 8 {
        form @ 0..=1 => {
            let view = View { width: WIDTHS[(draw / 8) % WIDTHS.len()], colour: form == 1, unicode: true };
            coloured(&terminal::explain(&case, &view), view.colour);
        }
        2 => {
            let ascii = terminal::explain(&case, &View { width: 80, colour: false, unicode: false });
            assert!(ascii.is_ascii(), "{ascii:?}");
            plain(&ascii);
        }
        3 => {
            let page = terminal::StacksPage { program, groups: &groups, limit: Some(20), rows: 6, notes };
            plain(&terminal::stacks(&page, &View::default()));
        }
        form @ 4..=5 => {
            let form = if form == 4 { Form::Compact } else { Form::Pretty };
            let mut out = Vec::new();
            wire::explain(&mut out, program, verdict, program.stacks(), notes, form)
                .expect("a vector takes everything");
            let text = String::from_utf8(out).expect("JSON is UTF-8");
            plain(&text);
            let value: serde_json::Value = serde_json::from_str(&text).expect("JSON parses");
            assert_eq!(value["schema"], "gopsy.explain/1");
            assert_eq!(value["goroutines"].as_array().map_or(0, Vec::len), program.stacks().len());
        }
        6 => {
            plain(&markdown::explain(&case));
        }
        _ => {
            for annotation in github::annotations(&case, &|file| Some(file.to_owned())) {
                assert!(annotation.starts_with("::") && !annotation.contains('\n'), "{annotation:?}");
                plain(&annotation);
            }
            for line in escape::github_guard(&terminal::explain(&case, &View::default())).lines() {
                assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{line:?}");
            }
        }
    }
}

/// Nothing that moves, colours, hides or reorders: line feeds are the only control characters.
pub fn plain(text: &str) {
    let bad = text.chars().find(|&c| c != '\n' && escape::is_unsafe(c));
    assert_eq!(bad, None, "{text:?}");
}

/// The same, but for the attributes that gopsy itself sets.
fn coloured(text: &str, colour: bool) {
    if !colour {
        return plain(text);
    }
    let mut rest = text.to_owned();
    for own in ["\x1b[1;31m", "\x1b[0m", "\x1b[m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m"] {
        rest = rest.replace(own, "");
    }
    plain(&rest);
}

/// The frames of a stack as text, for comparisons.
pub fn frames(stack: &Stack) -> Vec<String> {
    let frame = |f: &gopsy_model::Frame| {
        format!(
            "{} {}:{}",
            f.function.value().map_or("", |n| n.as_str()),
            f.file.value().map_or("", |n| n),
            f.line.value().copied().unwrap_or_default()
        )
    };
    stack.frames.iter().map(frame).collect()
}
