//! What a hostile text says, wherever it says it, reaches no sink raw.
#![allow(clippy::unwrap_used)]

use gopsy_explain::explain;
use gopsy_program::{By, Filter, Program, TextEvidence, diff, group};
use gopsy_report::escape::github_guard;
use gopsy_report::terminal::{self, StacksPage, View};
use gopsy_report::wire::{self, Form, Stacks};
use gopsy_report::{Case, github, markdown};
use gopsy_text::{Options, read_bytes};

/// What means something to a terminal, to Markdown, to HTML or to a runner.
const PAYLOADS: [&str; 26] = [
    "\x1b[2J\x1b]0;owned\x07",
    "\x1b]8;;http://e.example\x1b\\x\x1b]8;;\x1b\\",
    "\x08\x08\x7f",
    "\u{9b}31m\u{90}q\u{9c}",
    "\u{202e}gpj.exe\u{2066}",
    "a\u{200b}\u{feff}\u{ad}b",
    "\u{2028}::error::x\u{2029}",
    "\u{e0041}\u{e007f}",
    "::error file=a,line=1::pwned",
    "::set-output name=x::y",
    "\r::stop-commands::t",
    "##[add-mask]x",
    "%0A::error::x",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</details></code></pre>",
    "<!-- ",
    "[click](http://e.example)",
    "![i](//e.example/x.png)",
    "`a``b```c",
    "```",
    "| a | b |",
    "x\\|y\\\\|z",
    "@team #12 GH-3 mailto:x www.e.example",
    "$x$ **b** __c__ ~~d~~ \\",
    "\u{0}\u{1}\u{2}",
];

/// A crash text around something hostile.
type Text = fn(&str) -> String;

/// A crash text with something in one of its places.
const PLACES: [(&str, Text); 16] = [
    ("panic value", |p| dump(&format!("panic: {p}"), "main.f", "/src/a.go", "running", "")),
    ("second line of a value", |p| dump(&format!("panic: x\n\t{p}\n\t{p}"), "main.f", "/src/a.go", "running", "")),
    ("error", |p| dump(&format!("panic: main.Err{{\"{p}\"}} [recovered]"), "main.f", "/src/a.go", "running", "")),
    ("fatal error", |p| dump(&format!("fatal error: {p}"), "main.f", "/src/a.go", "running", "")),
    ("function", |p| dump("panic: x", &format!("main.f{p}"), "/src/a.go", "running", "")),
    ("method", |p| dump("panic: x", &format!("example.com/a.(*T[{p}]).M"), "/src/a.go", "running", "")),
    ("file", |p| dump("panic: x", "main.f", &format!("/src/{p}/a.go"), "running", "")),
    ("file's name", |p| dump("panic: x", "main.f", &format!("/src/{p}.go"), "running", "")),
    ("state", |p| dump("fatal error: all goroutines are asleep - deadlock!", "main.f", "/src/a.go", p, "")),
    ("label", |p| dump("panic: x", "main.f", "/src/a.go", "running", &format!(" {{k: \"{p}\", {p}: v}}"))),
    ("signal", |p| dump(&format!("SIGSEGV: {p}\nPC=0x1 m=0 sigcode=1"), "main.f", "/src/a.go", "running", "")),
    ("diagnostic", |p| dump(&format!("runtime: {p}\nfatal error: x"), "main.f", "/src/a.go", "running", "")),
    ("log line", |p| dump(&format!("{p}\npanic: x"), "main.f", "/src/a.go", "running", "")),
    ("served panic", |p| dump(&format!("http: panic serving {p}: {p}"), "main.f", "/src/a.go", "running", "")),
    ("test", |p| {
        let end = format!("--- FAIL: Test{p} (0.00s)\nFAIL\texample.com/{p}\t0.01s\n");
        dump(
            &format!("panic: test timed out after 1s\nrunning tests:\n\tTest{p} (1s)"),
            "main.f",
            "/src/a.go",
            "running",
            "",
        ) + &end
    }),
    ("race report", |p| {
        format!(
            "==================\nWARNING: DATA RACE\nWrite at 0x1 by goroutine 7:\n  main.f{p}()\n      /src/{p}.go:3 +0x1\n\
             \nGoroutine 7 (running{p}) created at:\n  main.main()\n      /src/a.go:4 +0x1\n==================\n"
        )
    }),
];

fn dump(headline: &str, function: &str, file: &str, state: &str, labels: &str) -> String {
    format!(
        "{headline}\n\ngoroutine 1 [{state}]{labels}:\n{function}(0x1, 0x2)\n\t{file}:3 +0x1\nmain.main()\n\t/src/main.go:9 +0x1\n\
         created by {function} in goroutine 7\n\t{file}:4 +0x1\n\ngoroutine 7 [{state}, 5 minutes]{labels}:\n{function}(0x1)\n\t{file}:3 +0x1\n\
         exit status 2\n"
    )
}

fn each(check: impl Fn(&Program, &Case<'_>, &str)) {
    for (place, make) in PLACES {
        for payload in PAYLOADS {
            let dump = read_bytes(make(payload).as_bytes(), &Options::default());
            let notes = dump.notes().to_vec();
            let programs = TextEvidence::programs(dump);
            assert!(!programs.is_empty(), "{place}: {payload:?}");
            for program in &programs {
                let verdict = explain(program);
                let groups = group(program, program.stacks(), &By::Stack, &Filter::default());
                let case = Case { program, verdict: &verdict, source: None, groups: &groups, notes: &notes };
                check(program, &case, &format!("{payload:?} as {place}"));
            }
        }
    }
}

/// Line feeds are the only control characters, and nothing hides or reorders.
fn assert_plain(text: &str, what: &str) {
    let bad = text.chars().find(|&c| {
        c != '\n' && c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
            || matches!(c, '\u{e0000}'..='\u{e0fff}')
    });
    assert_eq!(bad, None, "{what}: {text:?}");
}

fn without_own_colours(text: &str) -> String {
    ["\x1b[1;31m", "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m"]
        .iter()
        .fold(text.to_owned(), |text, own| text.replace(own, ""))
}

#[test]
fn terminals() {
    each(|program, case, what| {
        for width in [1, 60, 120] {
            assert_plain(&terminal::explain(case, &View { width, colour: false, unicode: true }), what);
        }
        let coloured = terminal::explain(case, &View { width: 80, colour: true, unicode: true });
        assert_plain(&without_own_colours(&coloured), what);
        let ascii = terminal::explain(case, &View { width: 80, colour: false, unicode: false });
        assert!(ascii.is_ascii(), "{what}: {ascii:?}");
        let view = View { width: 80, colour: true, unicode: true };
        for by in [By::Stack, By::State, By::Wait, By::Creator, By::Label("k".to_owned())] {
            let groups = group(program, program.stacks(), &by, &Filter::default());
            let page = StacksPage { program, groups: &groups, limit: None, rows: 9, notes: case.notes };
            assert_plain(&without_own_colours(&terminal::stacks(&page, &view)), what);
            let changes = diff(&[], &groups);
            let text = terminal::diff((program, &[]), (program, &groups), &changes, None, 9, &view);
            assert_plain(&without_own_colours(&text), what);
        }
    });
}

#[test]
fn json() {
    each(|program, case, what| {
        for form in [Form::Compact, Form::Pretty] {
            let mut out = Vec::new();
            wire::explain(&mut out, program, case.verdict, program.stacks(), case.notes, form).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert_plain(&text, what);
            assert!(form == Form::Pretty || text.lines().count() == 1, "{what}: {text}");
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
            let mut out = Vec::new();
            let input = Stacks { target: what, by: &By::Stack, groups: case.groups, limit: None, notes: case.notes };
            wire::stacks(&mut out, program, &input, form).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert_plain(&text, what);
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
        }
    });
}

#[test]
fn runners() {
    each(|_, case, what| {
        for annotation in github::annotations(case, &|file| Some(file.to_owned())) {
            assert_plain(&annotation, what);
            assert!(!annotation.contains('\n'), "{what}: {annotation:?}");
            // The command and its properties are gopsy's own: everything else stands behind the second `::`.
            let rest = annotation.strip_prefix("::").unwrap();
            let (command, _) = rest.split_once("::").unwrap();
            let (level, properties) = command.split_once(' ').unwrap();
            assert!(["error", "notice"].contains(&level), "{what}: {annotation:?}");
            for property in properties.split(',') {
                let (key, value) = property.split_once('=').unwrap();
                assert!(["file", "line", "title"].contains(&key), "{what}: {annotation:?}");
                assert!(!value.contains(':'), "{what}: {annotation:?}");
            }
        }
        for text in [terminal::explain(case, &View { colour: true, ..View::default() }), markdown::explain(case)] {
            for line in github_guard(&text).split(['\n', '\r', '\u{2028}']) {
                let bare = without_own_colours(line);
                assert!(!bare.trim_start().starts_with("::") && !bare.contains("##["), "{what}: {line:?}");
            }
        }
    });
}

/// What is left of Markdown outside of fences and code spans.
fn prose(text: &str) -> String {
    let mut out = String::new();
    let mut fence: Option<String> = None;
    for line in text.lines() {
        let ticks: String = line.chars().take_while(|&c| c == '`').collect();
        match &fence {
            Some(open) => {
                if ticks.len() >= open.len() && line.len() == ticks.len() {
                    fence = None;
                }
                continue;
            }
            None if ticks.len() >= 3 && !line[ticks.len()..].contains('`') => {
                fence = Some(ticks);
                continue;
            }
            None => {}
        }
        // Code spans: a run of backticks up to the next run of the same length.
        let mut rest = line;
        while let Some(at) = rest.find('`') {
            let escaped = rest[..at].chars().rev().take_while(|&c| c == '\\').count() % 2 == 1;
            let run = rest[at..].chars().take_while(|&c| c == '`').count();
            let behind = &rest[at + run..];
            let closing = (!escaped).then(|| {
                let mut from = 0;
                while let Some(i) = behind[from..].find('`') {
                    let length = behind[from + i..].chars().take_while(|&c| c == '`').count();
                    if length == run {
                        return Some(from + i + length);
                    }
                    from += i + length;
                }
                None
            });
            out.push_str(&rest[..at]);
            match closing.flatten() {
                Some(end) => {
                    out.push_str("CODE");
                    rest = &behind[end..];
                }
                None => {
                    out.push('~');
                    rest = behind;
                }
            }
        }
        out.push_str(rest);
        out.push('\n');
    }
    assert!(fence.is_none(), "a fence is left open: {text}");
    out
}

/// Cells of a row, split as cmark-gfm does: backslashes in pairs.
fn cells(row: &str) -> usize {
    let mut bars = 0;
    let mut chars = row.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '|' => bars += 1,
            _ => {}
        }
    }
    bars - 1
}

#[test]
fn markdown_for_an_issue() {
    each(|_, case, what| {
        let text = markdown::explain(case);
        assert_eq!(text, github::summary(case));
        assert_plain(&text, what);
        let mut rest = prose(&text);
        for own in ["<details><summary>", "</summary>", "</details>"] {
            rest = rest.replace(own, "");
        }
        assert!(!rest.contains('<'), "{what}: HTML in {rest}");
        // What a backslash stands before is text.
        let mut escaped = false;
        rest.retain(|c| {
            let keep = !escaped && c != '\\';
            escaped = c == '\\' && !escaped;
            keep
        });
        for link in ["](", "![", "**b", "__", "~~", "$x", "@team", "#12", "www.", "mailto:x", "GH-3", "://"] {
            assert!(!rest.contains(link), "{what}: {link:?} in {rest}");
        }
        for row in text.lines().filter(|l| l.starts_with("| ")) {
            assert_eq!(cells(row), 2, "{what}: {row}");
        }
    });
}

/// Every end of the path was a candidate, compared with all others and looked for: a path of 8 kB took minutes.
#[test]
fn a_path_of_thousands_of_elements() {
    let file = format!("/x/{}b.go", "y/".repeat(4000));
    let candidates = gopsy_report::source::candidates(&file, &[]);
    assert_eq!(candidates.len(), 65, "as printed, and its last 64 ends");
    assert_eq!(candidates.last().map(|c| c.path.as_path()), Some(std::path::Path::new("b.go")));
}
