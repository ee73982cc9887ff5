//! The pages of `gopsy doctor`.

mod schema;

use gopsy_report::doctor::{Check, Checkup, Fix, Group, Judgement, Scope};
use gopsy_report::terminal::{self, View};
use gopsy_report::wire::{self, Form};
use serde_json::Value;

fn check(id: &'static str, judgement: Judgement, fixes: Vec<Fix>) -> Check {
    Check { id, name: id, found: format!("what {id} holds"), judgement, why: "It matters for a reason.", fixes }
}

fn fix(scope: Scope, command: &str) -> Fix {
    Fix { command: command.to_owned(), scope }
}

const LONG: &str = "sudo sysctl -w kernel.core_pattern=/var/cores/of/all/programs/that/die/core.%e.%p.%t";

fn checkup() -> Checkup {
    let core = vec![
        check("limit", Judgement::NotReady, vec![fix(Scope::Shell, "ulimit -c unlimited")]),
        check("pattern", Judgement::Limited, vec![fix(Scope::Machine, LONG), fix(Scope::Machine, "sudo true")]),
        check("filter", Judgement::Ready, vec![fix(Scope::Shell, "echo never")]),
        check("again", Judgement::NotReady, vec![fix(Scope::Shell, "ulimit -c unlimited")]),
    ];
    let live = vec![check("btf", Judgement::Ready, Vec::new()), check("bpf", Judgement::CannotTell, Vec::new())];
    Checkup {
        system: "linux/amd64".to_owned(),
        kernel: Some("6.6.1".to_owned()),
        account: "uid 1000".to_owned(),
        surroundings: vec!["seems a container: Docker, by /.dockerenv".to_owned()],
        groups: vec![
            Group { id: "core", title: "A core", informative: false, checks: core },
            Group { id: "live", title: "A live process", informative: true, checks: live },
        ],
        notes: vec!["no go in PATH".to_owned()],
    }
}

fn page(whole: bool, width: usize, colour: bool) -> String {
    terminal::doctor(&checkup(), whole, &View { width, colour, unicode: true })
}

#[test]
fn the_wire_form_fits_its_schema() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/gopsy.doctor.1.json");
    let schema: Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("the schema is there")).expect("it is JSON");
    for form in [Form::Compact, Form::Pretty] {
        let mut out = Vec::new();
        wire::doctor(&mut out, &checkup(), form).expect("a Vec takes all");
        let value: Value = serde_json::from_slice(&out).expect("it is JSON");
        assert_eq!(schema::violations(&schema, &value), Vec::<String>::new());
        assert_eq!(value["schema"], "gopsy.doctor/1");
        assert_eq!(value["groups"][0]["judgement"], "not ready");
        assert_eq!(value["groups"][0]["checks"][1]["fixes"][0]["command"], LONG);
        assert_eq!(value["groups"][0]["checks"][1]["fixes"][0]["scope"], "machine");
        assert_eq!(value["groups"][1]["judgement"], Value::Null);
    }
}

#[test]
fn marks_tell_without_colour() {
    let page = page(false, 80, false);
    for line in ["  !!  limit ", "  --  pattern ", "  ok  filter ", "  ??  bpf ", "  ok  btf\n"] {
        assert!(page.contains(line), "{line:?} is not in\n{page}");
    }
    assert!(page.lines().all(|l| l.len() <= 100) && !page.contains('\x1b'));
    assert!(page.contains("not ready\n"));
}

#[test]
fn a_command_is_whole_and_given_once() {
    for width in [40, 80, 120] {
        let page = page(false, width, false);
        assert_eq!(page.lines().filter(|l| l.trim_start().starts_with(LONG)).count(), 1, "{page}");
        assert_eq!(page.matches("ulimit -c unlimited").count(), 1, "{page}");
    }
    assert!(page(false, 80, false).contains("      ulimit -c unlimited  # this shell\n"));
}

#[test]
fn what_is_ready_is_told_briefly_unless_asked_for() {
    assert!(!page(false, 80, false).contains("echo never"));
    assert!(!page(false, 80, false).contains("what btf holds"));
    let whole = page(true, 80, false);
    assert!(whole.contains("echo never") && whole.contains("what btf holds"), "{whole}");
}

#[test]
fn colour_changes_no_text() {
    let mut plain = String::new();
    let coloured = page(true, 80, true);
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = after.split_once('m').expect("a sequence ends").1;
    }
    plain.push_str(rest);
    assert_eq!(plain, page(true, 80, false));
}

#[test]
fn one_that_fails_decides_and_then_one_that_is_not_known() {
    let judged = |judgements: &[Judgement]| {
        let checks = judgements.iter().map(|j| check("x", *j, Vec::new())).collect();
        Group { id: "g", title: "G", informative: false, checks }.judgement()
    };
    use Judgement::{CannotTell, Limited, NotReady, Ready};
    assert_eq!(judged(&[Ready, Ready]), Some(Ready));
    assert_eq!(judged(&[Ready, Limited]), Some(Limited));
    assert_eq!(judged(&[CannotTell, Limited]), Some(CannotTell));
    assert_eq!(judged(&[NotReady, CannotTell]), Some(NotReady));
    assert_eq!(judged(&[]), None);
}
