//! What `--redact` leaves out, and what it must not.

mod mock;

use gopsy_model::{Arg, Args, Cause, Confidence, Crash, Frame, Headline, Identity, Kind, Known, PanicLine};
use gopsy_program::{By, Filter, Program, group};
use gopsy_report::redact::{Private, Redaction};
use gopsy_report::terminal::{self, View};
use gopsy_report::wire::{self, Form};
use gopsy_report::{Case, markdown};
use mock::Mock;

const SECRET: &str = "token=hunter2 for alice";

fn secret_program() -> Program {
    let file = "/home/alice/src/pay/pay.go";
    let (mut goroutine, mut stack) = mock::goroutine(
        7,
        "running",
        None,
        &[("panic", "/usr/local/go/src/runtime/panic.go", 787)],
        Some(("main.main", "/home/alice/src/main.go", 3)),
    );
    goroutine.labels = Known::printed(vec![("customer".into(), "Wayne Enterprises".into())]);
    let args = Args { list: vec![Arg::Word { value: 0xc000_1234_5678, stale: false }], truncated: false };
    stack.frames.push(Frame { args: Known::printed(args), ..mock::frame(("example.com/pay.Charge", file, 41)) });
    let panic = PanicLine::of(SECRET);
    let crash = Crash {
        headlines: vec![Headline::Panic(panic)],
        log_before: vec!["login alice".into()],
        stacks: 0..1,
        crashed: Some(0),
        ..Crash::default()
    };
    let identity = Identity { pid: Known::printed(4711), ..mock::identity("go1.27.3", "example.com/pay") };
    Program::new(Mock { crash, identity, all: vec![(goroutine, stack)] })
}

fn secret_verdict() -> gopsy_model::Verdict {
    let mut verdict = mock::verdict(
        Kind::CustomPanic,
        Cause::ProgramCheck,
        Confidence::Likely,
        &format!("panic: {SECRET}"),
        &format!("pay.Charge stopped the program itself: {SECRET}. It served 10.1.2.3:443 on db7 as pid 4711."),
    );
    verdict.culprit = Some(mock::culprit("example.com/pay.Charge", "/home/alice/src/pay/pay.go", 41, 7));
    verdict.findings = vec![mock::finding(
        "x",
        Cause::ProgramCheck,
        Confidence::Likely,
        &["the first argument was 0xc00012345678", "the label customer was Wayne Enterprises"],
    )];
    verdict
}

fn everything(program: &Program, verdict: &gopsy_model::Verdict) -> String {
    let groups = group(program, program.stacks(), &By::Stack, &Filter::default());
    let case = Case { program, verdict, source: None, groups: &groups, notes: &[] };
    let mut json = Vec::new();
    wire::explain(&mut json, program, verdict, program.stacks(), &program.notes(), Form::Compact)
        .expect("a Vec takes all");
    let page = terminal::StacksPage { program, groups: &groups, limit: None, rows: 50, notes: &[] };
    [
        terminal::explain(&case, &View { width: 200, ..View::default() }),
        terminal::stacks(&page, &View { width: 200, ..View::default() }),
        markdown::explain(&case),
        String::from_utf8(json).expect("JSON is UTF-8"),
    ]
    .concat()
}

#[test]
fn nothing_private_is_in_any_form() {
    let private = Private { homes: vec!["/home/alice".into()], users: vec!["alice".into()], hosts: vec!["db7".into()] };
    let open = everything(&secret_program(), &secret_verdict());
    for secret in ["hunter2", "alice", "Wayne", "4711", "10.1.2.3", "db7", "c00012345678"] {
        assert!(open.contains(secret), "the test is blind for {secret}");
    }
    let redaction = Redaction::new(&secret_program(), &private);
    let program = redaction.program(secret_program());
    let closed = everything(&program, &redaction.verdict(&secret_verdict()));
    for secret in ["hunter2", "alice", "Wayne", "4711", "10.1.2.3", "db7", "c00012345678"] {
        assert!(!closed.contains(secret), "{secret} in {closed}");
    }
    for kept in ["example.com/pay.Charge", "~/src/pay/pay.go", "program-check", "go1.27.3"] {
        assert!(closed.contains(kept), "{kept} not in {closed}");
    }
    let note = redaction.note().expect("something was left out");
    // Counted by hand in the program and the verdict above.
    assert_eq!(
        note,
        "left out (--redact), in so many places: argument lists 1, values 3, labels 1, log lines 1, home folders 2, \
         hosts and addresses 2, process ids 2, hexadecimal words 1"
    );
}

#[test]
fn what_the_runtime_says_stays() {
    let program = secret_program();
    let redaction = Redaction::new(&program, &Private::default());
    let headline = |text: &str| {
        redaction.verdict(&mock::verdict(Kind::Unknown, Cause::Unknown, Confidence::Unknown, text, "")).headline
    };
    for kept in [
        "fatal error: concurrent map writes",
        "panic: runtime error: index out of range [5] with length 3",
        "panic: send on closed channel",
        "panic: interface conversion: interface {} is string, not int",
        "panic: test timed out after 10m0s",
        "SIGSEGV: segmentation violation",
    ] {
        assert_eq!(headline(kept), kept);
    }
    assert_eq!(headline("panic: my secret"), "panic: (left out, 9 bytes)");
    assert_eq!(headline("panic: runtime error: x\nmy secret"), "panic: (left out, 26 bytes)");
    assert_eq!(
        headline("panic: Log in goroutine after TestA has completed: my secret"),
        "panic: Log in goroutine after TestA has completed: (left out)"
    );
}

#[test]
fn paths_of_every_system() {
    let redaction = Redaction::new(&secret_program(), &Private { users: vec!["bob".into()], ..Private::default() });
    let text = |text: &str| redaction.text(text);
    assert_eq!(text("/home/x/a.go"), "~/a.go");
    assert_eq!(text("at /Users/x y/a.go and /home/z"), "at ~ y/a.go and ~");
    assert_eq!(text(r"C:\Users\x\a.go"), r"~\a.go");
    assert_eq!(text("/home//b and /home/x/a.go"), "/home//b and ~/a.go");
    assert_eq!(text("/tmp/bob/a.go"), "/tmp/(user)/a.go");
    assert_eq!(text("/srv/home.go"), "/srv/home.go");
    assert_eq!(text("version 1.2.3 of [::1]:80"), "version 1.2.3 of (address)");
    assert_eq!(text("offset 0x18"), "offset 0x18");
}

#[test]
fn every_place_of_a_home_folder() {
    let private = Private { homes: vec!["/data/al".into()], ..Private::default() };
    let redaction = Redaction::new(&secret_program(), &private);
    assert_eq!(redaction.text("/data/albert /data/al/x, \"/data/al\""), "/data/albert ~/x, \"~\"");
    // The superuser's is known by its name alone.
    let superuser = "/root";
    for (before, after) in [("", "/a.go"), ("", ""), ("HOME=", ""), ("in ", ", which"), ("(", ")"), ("", ":/bin")] {
        assert_eq!(redaction.text(&format!("{before}{superuser}{after}")), format!("{before}~{after}"));
    }
    for (before, after) in [("/srv", "/a.go"), ("", "fs/a.go"), ("a", ""), ("./", ""), ("", "-of.go")] {
        let other = format!("{before}{superuser}{after}");
        assert_eq!(redaction.text(&other), other);
    }
}

#[test]
fn nothing_to_leave_out_is_not_claimed() {
    let (program, verdict) = mock::map_writes();
    let redaction = Redaction::new(&program, &Private::default());
    let clean = redaction.verdict(&verdict);
    assert_eq!(clean, verdict);
    assert_eq!(redaction.note(), None);
}
