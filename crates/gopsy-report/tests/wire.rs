//! What is written fits its schema, is streamed, and is safe to show.

mod mock;
mod schema;

use gopsy_model::{
    Access, AccessKind, Crash, Goroutine, Headline, HeldValue, Known, Missing, PanicLine, RaceReport, RaceSection,
    Source, Str, Trust,
};
use gopsy_program::{By, Filter, Program, group};
use gopsy_report::wire::{self, Form, Stacks};
use mock::Mock;
use serde_json::{Value, json};

fn explain(program: &Program, verdict: &gopsy_model::Verdict, form: Form) -> String {
    let mut out = Vec::new();
    wire::explain(&mut out, program, verdict, program.stacks(), &["a note".to_owned()], form).expect("a Vec takes all");
    String::from_utf8(out).expect("JSON is UTF-8")
}

fn stacks(program: &Program, by: &By, limit: Option<usize>) -> Value {
    let groups = group(program, program.stacks(), by, &Filter::default());
    let mut out = Vec::new();
    let input = Stacks { target: "a text", by, groups: &groups, limit, notes: &[] };
    wire::stacks(&mut out, program, &input, Form::Compact).expect("a Vec takes all");
    serde_json::from_slice(&out).expect("it is JSON")
}

fn fits(name: &str, value: &Value) {
    let path = format!("{}/schema/gopsy.{name}.1.json", env!("CARGO_MANIFEST_DIR"));
    let schema: Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("the schema is there")).expect("it is JSON");
    assert_eq!(schema::violations(&schema, value), Vec::<String>::new());
}

#[test]
fn verdicts_fit_their_schema() {
    for (program, verdict) in [mock::map_writes(), mock::recursion(), mock::hostile(), mock::heap(), mock::deadlock()] {
        for form in [Form::Compact, Form::Pretty] {
            let text = explain(&program, &verdict, form);
            assert!(text.ends_with("}\n"));
            fits("explain", &serde_json::from_str(&text).expect("it is JSON"));
        }
    }
}

#[test]
fn a_verdict_is_written_as_promised() {
    let (program, verdict) = mock::map_writes();
    let value: Value = serde_json::from_str(&explain(&program, &verdict, Form::Compact)).expect("it is JSON");
    assert_eq!(value["schema"], "gopsy.explain/1");
    assert_eq!(value["verdict"]["kind"], "concurrent-map");
    assert_eq!(
        value["verdict"]["culprit"],
        json!({"function": "example.com/shop/store.(*Store).Put", "file": "/src/shop/store/store.go", "line": 41, "goroutine": 5210})
    );
    assert_eq!(value["findings"][0]["evidence"][0]["source"], "text");
    assert_eq!(value["program"]["go_version"], "go1.27.3");
    assert_eq!(value["program"]["started"], Value::Null);
    assert_eq!(value["goroutines"][0]["id"], 5210);
    assert_eq!(value["goroutines"][0]["crashed"], true);
    assert_eq!(value["goroutines"][1]["crashed"], false);
    assert_eq!(
        value["goroutines"][1]["frames"][0],
        json!({"function": "example.com/shop/store.(*Store).Evict", "file": "/src/shop/store/store.go", "line": 88, "inlined": false, "trust": "exact"})
    );
    assert_eq!(value["goroutines"][1]["created_by"]["function"], "main.main");
    assert_eq!(value["notes"], json!(["a note"]));
}

/// What was given to panic has its type in a core; of a text there is only what the runtime printed.
#[test]
fn panics_are_a_chain() {
    let held = HeldValue { type_name: "*main.failure".into(), text: "&main.failure{Code: 7}".into() };
    let first = PanicLine { held: Known::have(held, Trust::DebugInfo, Source::Core), ..PanicLine::of("failure 7") };
    let second = PanicLine { depth: 1, repanicked: true, recovered: true, ..PanicLine::of("\u{1b}[2Jagain") };
    let headlines = vec![Headline::Panic(first), Headline::Fatal("other".into()), Headline::Panic(second)];
    let program = Program::new(Mock { crash: Crash { headlines, ..Crash::default() }, ..Mock::default() });
    let verdict = gopsy_explain::explain(&program);
    let text = explain(&program, &verdict, Form::Compact);
    let value: Value = serde_json::from_str(&text).expect("it is JSON");
    fits("explain", &value);
    assert_eq!(
        value["panics"],
        json!([
            {"text": "failure 7", "recovered": false, "repanicked": false, "type": "*main.failure", "value": "&main.failure{Code: 7}", "trust": "debug-info"},
            {"text": "\u{1b}[2Jagain", "recovered": true, "repanicked": true, "type": null, "value": null, "trust": null},
        ])
    );
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn a_stack_without_a_header_has_no_id_but_a_role() {
    let (program, verdict) = mock::heap();
    let value: Value = serde_json::from_str(&explain(&program, &verdict, Form::Compact)).expect("it is JSON");
    assert_eq!(value["goroutines"][0]["id"], Value::Null);
    assert_eq!(value["goroutines"][0]["role"], "system");
    assert_eq!(value["verdict"]["culprit"], Value::Null);
}

/// Labels that are not known are not the same as none; that a text prints none is no news.
#[test]
fn why_labels_are_not_known() {
    let of = |labels: Known<Vec<(Str, Str)>>| {
        let (goroutine, stack) = mock::goroutine(7, "running", None, &[], None);
        let program = Program::new(Mock {
            crash: Crash { stacks: 0..1, ..Crash::default() },
            all: vec![(Goroutine { labels, ..goroutine }, stack)],
            ..Mock::default()
        });
        let verdict = gopsy_explain::explain(&program);
        let value: Value = serde_json::from_str(&explain(&program, &verdict, Form::Compact)).expect("it is JSON");
        fits("explain", &value);
        (value["goroutines"][0]["labels"].clone(), value["goroutines"][0]["labels_unknown"].clone())
    };
    let known = Known::have(vec![("k".into(), "v".into())], Trust::Table, Source::Core);
    assert_eq!(of(known), (json!({"k": "v"}), Value::Null));
    assert_eq!(of(Known::have(Vec::new(), Trust::Table, Source::Core)), (json!({}), Value::Null));
    assert_eq!(of(Known::Missing(Missing::NotInCore)), (json!({}), json!("not in the core")));
    assert_eq!(of(Known::not_printed()), (json!({}), Value::Null));
}

#[test]
fn a_long_recursion_is_given_once() {
    let (program, verdict) = mock::recursion();
    let value: Value = serde_json::from_str(&explain(&program, &verdict, Form::Compact)).expect("it is JSON");
    let goroutine = &value["goroutines"][0];
    // 97 frames printed: given in full, with the runtime's own gap.
    assert_eq!(goroutine["elided"], json!([{"after": 49, "count": 47_903, "reason": "source"}]));
    let mut long = program.stack(0);
    long.elided.clear();
    for _ in 0..100 {
        let again: Vec<_> = long.frames[3..6].to_vec();
        long.frames.splice(3..3, again);
    }
    let all = vec![(program.goroutine(0), long)];
    let program = mock::program(program.identity(), all, Some(0), Vec::new());
    let value: Value = serde_json::from_str(&explain(&program, &verdict, Form::Compact)).expect("it is JSON");
    let goroutine = &value["goroutines"][0];
    // 3 of the runtime, 345 + 49 of the recursion with a seam between, 3 at the bottom.
    assert_eq!(goroutine["elided"][0]["after"], 6);
    assert_eq!(goroutine["elided"][0]["reason"], "recursion");
    assert_eq!(goroutine["elided"][0]["cycle"], 3);
    let given = goroutine["frames"].as_array().expect("frames").len() as u64;
    assert_eq!(
        given + goroutine["elided"][0]["count"].as_u64().expect("a count"),
        program.stack(0).frames.len() as u64
    );
    assert!(given < 60);
}

#[test]
fn nothing_that_moves_a_cursor_is_in_the_json() {
    let (program, verdict) = mock::hostile();
    for form in [Form::Compact, Form::Pretty] {
        let text = explain(&program, &verdict, form);
        assert!(!text.chars().any(|c| c != '\n'
            && (c.is_control()
                || ('\u{200b}'..='\u{200f}').contains(&c)
                || ('\u{2028}'..='\u{202e}').contains(&c)
                || ('\u{2060}'..='\u{206f}').contains(&c))));
        let value: Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(value["verdict"]["headline"], verdict.headline.as_str());
    }
}

#[test]
fn races_are_written() {
    let (_, verdict) = mock::map_writes();
    let access = |kind, previous, goroutine| Access {
        kind,
        atomic: false,
        previous,
        address: Known::have(0xc000_1234, Trust::Exact, Source::Text),
        goroutine: Known::printed(goroutine),
        stack: mock::stack(&[("main.inc", "/src/main.go", 7)]),
    };
    let race = RaceReport {
        accesses: vec![access(AccessKind::Write, false, 7), access(AccessKind::Read, true, 0)],
        sections: vec![RaceSection {
            heading: "Goroutine 7 (running) created at:".into(),
            goroutine: Known::printed(7),
            stack: mock::stack(&[("main.main", "/src/main.go", 3)]),
        }],
    };
    let crash = Crash { races: vec![race], ..Crash::default() };
    let program = Program::new(Mock { crash, ..Mock::default() });
    let value: Value = serde_json::from_str(&explain(&program, &verdict, Form::Compact)).expect("it is JSON");
    fits("explain", &value);
    assert_eq!(value["races"][0]["accesses"][0]["address"], "0xc0001234");
    assert_eq!(value["races"][0]["accesses"][1]["previous"], true);
    assert_eq!(value["races"][0]["sections"][0]["frames"][0]["function"], "main.main");
    assert_eq!(value["goroutines"], json!([]));
}

#[test]
fn groups_fit_their_schema() {
    let program = mock::crowd(250);
    let value = stacks(&program, &By::Stack, None);
    fits("stacks", &value);
    assert_eq!(value["goroutines"], 255);
    assert_eq!(value["states"], json!({"waiting": 254, "running": 1}));
    assert_eq!(value["waits"], json!({"chan receive": 250, "IO wait": 3, "semacquire": 1}));
    assert_eq!(value["groups"][0]["crashed"], true);
    let workers = &value["groups"][1];
    assert_eq!(workers["count"], 250);
    assert_eq!(workers["wait_minutes"], json!({"min": 5, "max": 12}));
    assert_eq!(workers["ids"].as_array().map(Vec::len), Some(100));
    assert_eq!(workers["ids_left_out"], 150);
    assert_eq!(workers["states"], json!({"chan receive": 250}));
    assert_eq!(workers["frames"][1]["line"], 58);
    assert_eq!(
        workers["created_by"],
        json!({"function": "example.com/svc.NewPool", "file": "/src/svc/pool.go", "line": 22})
    );
    let limited = stacks(&program, &By::Stack, Some(1));
    fits("stacks", &limited);
    assert_eq!(limited["groups_left_out"], 3);
    assert_eq!(limited["goroutines"], 255);
    for by in [By::State, By::Wait, By::Creator, By::Label("x".to_owned())] {
        let value = stacks(&program, &by, None);
        fits("stacks", &value);
        assert_eq!(value["groups"][0].get("frames"), None);
    }
}

#[test]
fn a_broken_pipe_keeps_its_kind() {
    struct Broken;
    impl std::io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (program, verdict) = mock::map_writes();
    let error =
        wire::explain(Broken, &program, &verdict, program.stacks(), &[], Form::Compact).expect_err("nobody reads");
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

#[test]
fn goroutines_are_asked_for_while_they_are_written() {
    // The iterator sees what has been written when it is asked for the last goroutine.
    let program = mock::crowd(2000);
    let (_, verdict) = mock::map_writes();
    let written = std::rc::Rc::new(std::cell::Cell::new(0_usize));
    struct Counting(std::rc::Rc<std::cell::Cell<usize>>);
    impl std::io::Write for Counting {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.set(self.0.get() + bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let seen = std::cell::Cell::new(0);
    let ids = program.stacks().inspect(|_| seen.set(written.get()));
    wire::explain(Counting(written.clone()), &program, &verdict, ids, &[], Form::Compact).expect("it takes all");
    assert!(seen.get() > written.get() / 2);
}

#[test]
fn the_validator_finds_violations() {
    let schema = json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer", "minimum": 3}, "b": {"$ref": "#/$defs/s"}}, "$defs": {"s": {"type": "array", "items": {"const": 1}}}});
    assert!(schema::violations(&schema, &json!({"a": 3, "b": [1, 1]})).is_empty());
    assert_eq!(schema::violations(&schema, &json!({"b": [1, 2]})).len(), 2);
    assert_eq!(schema::violations(&schema, &json!({"a": 2})).len(), 1);
    assert_eq!(schema::violations(&schema, &json!({"a": "x"})).len(), 1);
    assert_eq!(schema::violations(&schema, &json!({"a": 3, "c": 1})), ["$.c: not in the schema"]);
}
