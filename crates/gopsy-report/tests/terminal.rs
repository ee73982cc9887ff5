//! Pages as a person reads them.

mod mock;

use gopsy_model::{Access, AccessKind, Cause, Confidence, Crash, Kind, Known, RaceReport, Signal, Verdict};
use gopsy_program::{By, Filter, Program, diff, group};
use gopsy_report::Case;
use gopsy_report::source::SourceLines;
use gopsy_report::terminal::{self, StacksPage, View};
use mock::Mock;
use proptest::prelude::*;

fn page(program: &Program, verdict: &Verdict, view: &View) -> String {
    let groups = group(program, program.stacks(), &By::Stack, &Filter::default());
    terminal::explain(&Case { program, verdict, source: None, groups: &groups, notes: &[] }, view)
}

fn stacks(program: &Program, by: &By, limit: Option<usize>, view: &View) -> String {
    let groups = group(program, program.stacks(), by, &Filter::default());
    terminal::stacks(&StacksPage { program, groups: &groups, limit, rows: 20, notes: &[] }, view)
}

fn view(width: usize) -> View {
    View { width, ..View::default() }
}

#[track_caller]
fn same(actual: &str, expected: &str) {
    // Inline pages begin with a line break for the eye.
    let expected = expected.strip_prefix('\n').unwrap_or(expected);
    assert!(actual == expected, "\n--- is\n{actual}\n--- should be\n{expected}");
}

/// The goroutines that every program has stand behind those of the program, and by the function that they began with.
#[test]
fn the_runtimes_own_goroutines_come_last() {
    let mut mock = Mock::default();
    let go = "/usr/local/go/src/runtime/proc.go";
    let own = |id, name: &str| {
        mock::goroutine(
            id,
            "waiting",
            None,
            &[("runtime.gopark", go, 1), (name, go, 2), ("runtime.goexit", go, 3)],
            None,
        )
    };
    mock.all.extend((2..8).map(|id| own(id, &format!("runtime.helper{id}"))));
    mock.all.push(mock::goroutine(
        9,
        "select",
        None,
        &[("runtime.gopark", go, 1), ("main.serve", "/src/main.go", 7)],
        None,
    ));
    mock.crash.stacks = 0..mock.all.len();
    let verdict = mock::verdict(Kind::Dump, Cause::Unknown, Confidence::Unknown, "", "Nothing failed.");
    let page = page(&Program::new(mock), &verdict, &view(80));
    let rows: Vec<&str> = page.lines().skip_while(|l| !l.starts_with("  all")).skip(1).take(3).map(str::trim).collect();
    assert!(rows[0].starts_with("1  select ") && rows[0].contains("main.serve"), "{page}");
    assert!(rows[1].contains("runtime.helper2") && rows[2].contains("runtime.helper3"), "{page}");
}

#[test]
fn map_writes() {
    let (program, verdict) = mock::map_writes();
    let source = SourceLines {
        path: "/src/shop/store/store.go".into(),
        as_printed: true,
        lines: vec![
            (40, "s.puts++".to_owned()),
            (41, "s.byID[id] = sess".to_owned()),
            (42, "s.last = time.Now()".to_owned()),
        ],
        line: 41,
    };
    let case = Case {
        program: &program,
        verdict: &verdict,
        source: Some(&source),
        groups: &[],
        notes: &["one line was cut".to_owned()],
    };
    same(
        &terminal::explain(&case, &view(80)),
        "
fatal error: concurrent map writes       go1.27.3 linux/amd64 · example.com/shop

  Goroutine 5210 found a map being written by another goroutine while it stored
  into it itself. Goroutine 7 is inside (*Store).Evict, which deletes from the
  same map.

  at       store.(*Store).Put   /src/shop/store/store.go:41
           goroutine 5210, running

           40  s.puts++
         ▸ 41  s.byID[id] = sess
           42  s.last = time.Now()

  stack    runtime.throw                    runtime/panic.go:1101
           runtime.mapassign_faststr        runtime/map_faststr.go:203
         ▸ store.(*Store).Put               store/store.go:41
           api.(*Server).checkout           api/checkout.go:97
           … 4 frames of net/http
           created by http.(*Server).Serve  http/server.go:3454

  why      kind concurrent-map · cause unsynchronised-map, certain
           · the runtime found the map’s writing flag set when mapassign_faststr
             began (text)
           · goroutine 7 stands in (*Store).Evict (store.go:88), in a write of a
             map of the same type (text)

  next     · hold one mutex in Put and Evict, and wherever else Store.byID is
             used
           · run the tests with -race: it names both sides

  unseen   which map it was: a crash text does not print it; a core does
           (GOTRACEBACK=crash)
  notes    one line was cut
",
    );
}

#[test]
fn map_writes_on_a_narrow_terminal_in_ascii() {
    let (program, verdict) = mock::map_writes();
    let view = View { width: 46, colour: false, unicode: false };
    let text = page(&program, &verdict, &view);
    assert!(text.is_ascii());
    same(
        &text,
        "
fatal error: concurrent map writes
  go1.27.3 linux/amd64 - example.com/shop

  Goroutine 5210 found a map being written by
  another goroutine while it stored into it
  itself. Goroutine 7 is inside
  (*Store).Evict, which deletes from the same
  map.

  at       store.(*Store).Put
           /src/shop/store/store.go:41
           goroutine 5210, running

  stack    runtime.throw
             runtime/panic.go:1101
           runtime.mapassign_faststr
             runtime/map_faststr.go:203
         > store.(*Store).Put
             store/store.go:41
           api.(*Server).checkout
             api/checkout.go:97
           ... 4 frames of net/http
           created by http.(*Server).Serve
             http/server.go:3454

  why      kind concurrent-map - cause
           unsynchronised-map, certain
           - the runtime found the map's
             writing flag set when
             mapassign_faststr began (text)
           - goroutine 7 stands in
             (*Store).Evict (store.go:88), in
             a write of a map of the same type
             (text)

  next     - hold one mutex in Put and Evict,
             and wherever else Store.byID is
             used
           - run the tests with -race: it
             names both sides

  unseen   which map it was: a crash text does
           not print it; a core does
           (GOTRACEBACK=crash)
",
    );
}

#[test]
fn a_recursion_is_folded() {
    let (program, verdict) = mock::recursion();
    let text = page(&program, &verdict, &view(80));
    let stack: String = text.split("\n\n").filter(|p| p.starts_with("  stack")).collect();
    same(
        &stack,
        "
  stack    … 3 frames of runtime
         ↻ 3 frames × 15,999
         │ tree.(*Node).Walk      tree/walk.go:31
         │ tree.visit             tree/walk.go:52
         │ tree.(*Node).children  tree/walk.go:77
           main.main              walk/main.go:12",
    );
}

#[test]
fn unknown_is_an_answer() {
    let (program, verdict) = mock::heap();
    same(
        &page(&program, &verdict, &view(100)),
        "
fatal error: sweep increased allocation count                                    go1.9.2 linux/amd64

  The sweeper found more objects alive in a span than were allocated in it. Somebody wrote where
  they should not have, earlier and elsewhere: the stack shows who found it, not who did it.

  in       system stack
  stack    runtime.throw             runtime/panic.go:605
           runtime.(*mspan).sweep    runtime/mgcsweep.go:298
           runtime.sweepone          runtime/mgcsweep.go:105
           runtime.gosweepone.func1  runtime/mgcsweep.go:120
           runtime.systemstack       runtime/asm_amd64.s:344

  why      kind heap-corruption · cause unknown: the text does not show why
  known    golang/go#20427 runtime: memory corruption with unsafe pointer arithmetic: same headline,
           same release

  next     · run the tests with -race and with GOFLAGS=-gcflags=all=-d=checkptr
           · look at every use of unsafe and cgo

  unseen   · who wrote: nothing in a crash text shows it
           · the goroutines: GOTRACEBACK was not set to all
  also     runtime: nelems=512 nfree=510 nalloc=2 previous allocCount=1 nfreed=65535
",
    );
}

#[test]
fn a_deadlock_shows_the_others() {
    let (program, verdict) = mock::deadlock();
    let text = page(&program, &verdict, &view(120));
    let all: String = text.split("\n\n").filter(|p| p.starts_with("  all")).collect();
    same(
        &all,
        "
  all      9 goroutines in 4 groups
           4  chan receive  svc.(*Pool).take    svc/pool.go:31
           3  IO wait       wire.(*Reader).a_function_with_a_name_that_is_longer_than_any_column_should_be
                            wire/reader_with_a_long_name_too.go:1042
           1  running       main.signals.func1  svc/main.go:71
           1  semacquire    main.main           svc/main.go:40",
    );
    // The goroutine of the culprit is shown, not the one that the text calls crashed.
    assert!(text.contains("▸ main.main"));
}

#[test]
fn a_race_shows_both_sides() {
    let (_, mut verdict) = mock::map_writes();
    verdict.culprit = Some(mock::culprit("main.inc", "/src/main.go", 7, 7));
    let access = |kind, previous, stack| Access {
        kind,
        atomic: false,
        previous,
        address: Known::printed(0xc000_1234),
        goroutine: Known::printed(if previous { 0 } else { 7 }),
        stack,
    };
    let race = RaceReport {
        accesses: vec![
            access(AccessKind::Write, false, mock::stack(&[("main.inc", "/src/main.go", 7)])),
            access(AccessKind::Read, true, mock::stack(&[])),
        ],
        sections: Vec::new(),
    };
    let crash = Crash { races: vec![race.clone(), race], ..Crash::default() };
    let text = page(&Program::new(Mock { crash, ..Mock::default() }), &verdict, &view(80));
    let part: String = text.split("\n\n").filter(|p| p.starts_with("  race")).collect();
    same(
        &part,
        "
  race     write by goroutine 7 at 0xc0001234
         ▸ main.inc  src/main.go:7
  before   read by the main goroutine at 0xc0001234
           the detector had lost its stack
           … and 1 more race report",
    );
}

#[test]
fn the_signal_of_a_panic_is_said_once() {
    let (_, mut verdict) = mock::map_writes();
    verdict.headline = "panic: runtime error: invalid memory address or nil pointer dereference".to_owned();
    let signal = Signal {
        name: "SIGSEGV".into(),
        description: Known::printed("segmentation violation".into()),
        code: Known::printed(1),
        address: Known::printed(0x18),
        pc: Known::printed(0x48_2f60),
        m: Known::not_printed(),
        in_foreign_code: false,
        instruction_bytes: Vec::new(),
        sender: Known::not_printed(),
    };
    let crash = Crash { signal: Some(signal), ..Crash::default() };
    let program = Program::new(Mock { crash, ..Mock::default() });
    let line = "\n  SIGSEGV: segmentation violation, code 0x1, address 0x18\n\n";
    assert!(page(&program, &verdict, &view(80)).contains(line));
    verdict.headline = "SIGSEGV: segmentation violation".to_owned();
    assert!(!page(&program, &verdict, &view(80)).contains(line));
}

#[test]
fn nothing_known_at_all() {
    let verdict = mock::verdict(Kind::Unknown, Cause::Unknown, Confidence::Unknown, "", "");
    same(
        &page(&Program::new(Mock::default()), &verdict, &view(80)),
        "
none of these

  why      kind unknown · cause unknown: the text does not show why
",
    );
}

#[test]
fn a_crowd() {
    let program = mock::crowd(1000);
    same(
        &stacks(&program, &By::Stack, Some(3), &view(80)),
        "
1,005 goroutines in 4 groups              go1.27.3 linux/amd64 · example.com/svc
  1,000 chan receive · 3 IO wait · 1 running · 1 semacquire

goroutine 77  running  crashed
    main.signals.func1       svc/main.go:71
    created by main.signals  svc/main.go:66

1,000 ×  chan receive, 5–12 minutes  goroutines 18 19 20 21 …
    svc.(*Pool).take        svc/pool.go:31
    svc.(*Pool).work        svc/pool.go:58
    created by svc.NewPool  svc/pool.go:22

3 ×  IO wait  goroutines 900000 900001 900002
    poll.runtime_pollWait  runtime/netpoll.go:351
    net.(*conn).Read       net/net.go:194
    wire.(*Reader).a_function_with_a_name_that_is_longer_than_any_column_should_be
      wire/reader_with_a_long_name_too.go:1042
    created by wire.Dial   wire/dial.go:9

and 1 more group (1 goroutine)
",
    );
    same(
        &stacks(&program, &By::Wait, None, &view(80)),
        "
1,005 goroutines in 4 groups              go1.27.3 linux/amd64 · example.com/svc
  1,000 chan receive · 3 IO wait · 1 running · 1 semacquire

      1  running
  1,000  chan receive, 5–12 minutes
      3  IO wait
      1  semacquire, 12 minutes
",
    );
}

#[test]
fn what_changed() {
    let (a, b) = (mock::crowd(300), mock::crowd(2));
    let by = |program| group(program, program.stacks(), &By::Stack, &Filter::default());
    let (ga, gb) = (by(&a), by(&b));
    let page = |x, y, changes: &[_]| terminal::diff(x, y, changes, None, 20, &view(80));
    same(
        &page((&a, &ga), (&b, &gb), &diff(&ga, &gb)),
        "
305 → 7 goroutines                                                          -298

-298  chan receive, 5–6 minutes  300 → 2
    svc.(*Pool).take        svc/pool.go:31
    svc.(*Pool).work        svc/pool.go:58
    created by svc.NewPool  svc/pool.go:22
",
    );
    same(
        &page((&a, &ga), (&a, &ga), &diff(&ga, &ga)),
        "
305 → 305 goroutines                                        no more and no fewer
  every group has as many goroutines as before
",
    );
}

/// Takes the inks away and checks that they are the ones that are allowed.
fn without_ink(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\x1b') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find('m').expect("a sequence ends");
        assert!(
            ["\x1b[0", "\x1b[1", "\x1b[2", "\x1b[31", "\x1b[32", "\x1b[1;31"].contains(&&rest[..end]),
            "{:?}",
            &rest[..end]
        );
        rest = &rest[end + 1..];
    }
    out + rest
}

fn every_verdict() -> [(Program, Verdict); 5] {
    [mock::map_writes(), mock::recursion(), mock::hostile(), mock::heap(), mock::deadlock()]
}

#[test]
fn colour_changes_nothing_but_the_ink() {
    for (program, verdict) in every_verdict() {
        for width in [40, 80, 160] {
            let plain = page(&program, &verdict, &view(width));
            let coloured = page(&program, &verdict, &View { colour: true, ..view(width) });
            assert_eq!(without_ink(&coloured), plain);
            assert!(coloured.contains("\x1b[1;31m"));
            // No ink is left on at the end of a line.
            assert!(coloured.lines().all(|l| !l.contains('\x1b')
                || l.ends_with("\x1b[0m")
                || !l.rsplit("\x1b[0m").next().is_some_and(|t| t.contains('\x1b'))));
        }
    }
}

#[test]
fn no_line_is_longer_than_the_terminal() {
    for (program, verdict) in every_verdict() {
        for width in 40..=200 {
            for unicode in [true, false] {
                let view = View { width, colour: false, unicode };
                for line in
                    page(&program, &verdict, &view).lines().chain(stacks(&program, &By::Stack, None, &view).lines())
                {
                    let length = line.chars().count();
                    // A name alone behind its label cannot be broken.
                    let name = line.chars().skip(11).collect::<String>();
                    let unbreakable = !line.trim().contains(' ')
                        || !name.trim().contains(' ')
                        || line.contains("a_function_with_a_name");
                    assert!(length <= width || unbreakable, "{length} > {width}: {line}");
                }
            }
        }
    }
}

#[test]
fn lines_do_not_end_in_blanks_and_pages_have_no_double_gaps() {
    for (program, verdict) in every_verdict() {
        for width in [40, 80, 120] {
            let text = page(&program, &verdict, &view(width));
            assert!(!text.lines().any(|l| l.ends_with(' ')), "{text}");
            assert!(!text.contains("\n\n\n") && text.ends_with('\n') && !text.ends_with("\n\n"), "{text}");
        }
    }
}

#[test]
fn nothing_of_the_target_moves_the_cursor() {
    let (program, verdict) = mock::hostile();
    for view in [view(80), View { unicode: false, ..view(40) }] {
        let text = page(&program, &verdict, &view) + &stacks(&program, &By::Stack, None, &view);
        assert!(!text.chars().any(|c| c != '\n'
            && (c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'))));
    }
}

proptest! {
    #[test]
    fn any_text_gives_a_page(headline in ".{0,80}", summary in "(?s).{0,200}", function in ".{0,60}", file in ".{0,60}", width in 0_usize..300) {
        let (program, mut verdict) = mock::map_writes();
        verdict.headline = headline;
        verdict.summary = summary;
        verdict.culprit = Some(mock::culprit(&function, &file, 1, 5210));
        let text = page(&program, &verdict, &view(width));
        prop_assert!(!text.chars().any(|c| c != '\n' && c.is_control()));
        let ascii = page(&program, &verdict, &View { unicode: false, ..view(width) });
        prop_assert!(ascii.is_ascii());
    }
}
