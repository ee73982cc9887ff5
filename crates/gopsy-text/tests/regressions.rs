//! What fuzzing and hostile texts found, one test each.

use gopsy_model::Headline;
use gopsy_text::{Dump, Options, read_bytes};

fn read(text: &str) -> Dump {
    read_bytes(text.as_bytes(), &Options::default())
}

fn ids(dump: &Dump) -> Vec<u64> {
    (0..dump.stack_count()).filter_map(|id| dump.goroutine(id).id.into_value()).collect()
}

fn frames(dump: &Dump, id: usize) -> Vec<String> {
    let name = |f: &gopsy_model::Frame| {
        let function = f.function.value().map_or("", |n| n.as_str());
        let file = f.file.value().map_or("", |n| n);
        format!("{function} {file}:{}", f.line.value().copied().unwrap_or(0))
    };
    dump.stack(id).frames.iter().map(name).collect()
}

/// Each header of a flattened text was read within the one before: a stack overflow after some thousands.
#[test]
fn a_hundred_thousand_headers_in_one_line() {
    let text = "goroutine 1 [running]: main.f() /a/b.go:3 ".repeat(100_000);
    let dump = read(&format!("panic: x {text}\n"));
    assert_eq!(dump.stack_count(), 100_000);
    assert_eq!(frames(&dump, 99_999), ["main.f /a/b.go:3"]);
}

/// `WARNING: DATA RACE` in the middle of a stack took the next goroutine's header for a line of its report.
#[test]
fn a_cut_race_report_leaves_the_next_goroutine_alone() {
    let dump = read(
        "goroutine 7 [running]:\nmain.f()\n\t WARNING: DATA RACE\n\ngoroutine 8 [running]:\nmain.g(0x1)\n\t/a/b.go:4 +0x1\n",
    );
    assert_eq!(ids(&dump), [7, 8]);
    assert_eq!(frames(&dump, 1), ["main.g /a/b.go:4"]);
}

/// `at FILE:LINE` behind a header without frames changed the last frame of the goroutine before.
#[test]
fn a_debuggers_place_stays_in_its_own_stack() {
    let dump = read(
        "#0  0x01 in main.f (x=1)\n    at /a/b.go:3\ngoroutine 7 [running]:\nmain.g(0x1)\n\t/a/b.go:4 +0x1\ngoroutine 8 [running]:\nat /other.go:9\n",
    );
    assert_eq!(frames(&dump, 1), ["main.g /a/b.go:4"]);
}

/// Each line of a value copied the whole value, and one line of it could be as long as the text.
#[test]
fn a_panic_value_is_bounded() {
    let long = format!("panic: {}\n", "x".repeat(1 << 20));
    let many = format!("panic: x\n{}", "\ty\n".repeat(1 << 16));
    for text in [long, many] {
        let dump = read(&text);
        let Some(Headline::Panic(panic)) = dump.crashes().first().and_then(|c| c.headlines.first()) else {
            panic!("no panic");
        };
        assert!(panic.value.len() <= 3 << 16, "{}", panic.value.len());
    }
}

/// `...` lines with nothing between them were a gap each.
#[test]
fn gaps_with_nothing_between_them_are_one() {
    let dump = read(&format!("goroutine 7 [running]:\nmain.g(0x1)\n\t/a/b.go:4 +0x1\n{}", "...\n".repeat(1000)));
    assert_eq!(dump.stack(0).elided.len(), 1);
}

const FRAME: &str = "main.g(0x1)\n\t/a/b.go:4 +0x1\n";

/// `[GC worker (idle), 3 min` at the end of a text became a frame of the goroutine before.
#[test]
fn a_header_cut_at_the_end_is_a_goroutine() {
    let dump = read(&format!("goroutine 7 [running]:\n{FRAME}\ngoroutine 8 gp=0xc000 m=nil [GC worker (idle), 3 min"));
    assert_eq!(ids(&dump), [7, 8]);
    assert_eq!(frames(&dump, 0), ["main.g /a/b.go:4"]);
    // Prose is no goroutine.
    assert_eq!(read("goroutine 5 [in a loop (they said\n").stack_count(), 0);
}

/// A line of another process between the two lines of a frame took the frame's place from it.
#[test]
fn a_stranger_within_a_frame() {
    for stranger in ["2024/01/02 03:04:05 listening on :8080", "time=\"x\" msg=\"request (slow)\" path=/a/c.go:3"] {
        let dump = read(&format!("goroutine 7 [running]:\nmain.g(0x1)\n{stranger}\n\t/a/b.go:4 +0x1\n"));
        assert_eq!(frames(&dump, 0), ["main.g /a/b.go:4"], "{stranger}");
    }
}

/// A text that is indented by a tab had the tab in its paths.
#[test]
fn a_path_has_no_indentation() {
    let dump = read("\tgoroutine 7 [running]:\n\tmain.g(0x1)\n\t\t/a/b.go:4 +0x1\n");
    assert_eq!(frames(&dump, 0), ["main.g /a/b.go:4"]);
}

/// A container runtime's lines were known only once a whole header stood in one of them.
#[test]
fn a_header_in_partial_lines() {
    let time = "2024-01-02T03:04:05.678901234Z stderr";
    let dump = read(&format!(
        "{time} P goroutine 7 [run\n{time} F ning]:\n{time} F main.g(0x1)\n{time} P \t/a/b.\n{time} F go:4 +0x1\n"
    ));
    assert_eq!(ids(&dump), [7]);
    assert_eq!(frames(&dump, 0), ["main.g /a/b.go:4"]);
}

/// Of two pods only the one that wrote more behind its header was told apart; a nested panic's tab was part of a prefix.
#[test]
fn two_pods_line_by_line() {
    let lines = ["panic: a", "\tpanic: b", "", "goroutine 7 [running]:", "main.g(0x1)", "\t/a/b.go:4 +0x1"];
    let mut log = String::new();
    for (a, b) in lines.iter().zip(lines.iter().cycle().skip(3)) {
        log.push_str(&format!("[pod/web-6d4c/app] {a}\n[pod/web-zzzz/app] {b}\n"));
    }
    let dump = read(&log);
    assert_eq!(ids(&dump), [7, 7], "{log}");
    for id in 0..2 {
        assert_eq!(frames(&dump, id), ["main.g /a/b.go:4"], "{log}");
    }
}

/// `main.` before a header was taken for a log's prefix, and later functions of that package for its lines.
#[test]
fn a_package_is_no_prefix() {
    let dump = read(&format!(
        "goroutine 7 [running]:\nmain.goroutine 1 [running]:\n\t #\n\ngoroutine 8 [running]:\n{FRAME}{FRAME}"
    ));
    assert!((0..dump.stack_count()).any(|id| frames(&dump, id) == ["main.g /a/b.go:4"; 2]));
}

/// A path that holds `panic: ` was taken for a log's prefix, and later frames of that file for its lines.
#[test]
fn a_path_is_no_prefix() {
    let dump = read(&format!(
        "goroutine 7 [running]:\nmain.f()\n\t/a/b.gopanic: x\n\ngoroutine 8 [running]:\n{FRAME}{FRAME}{FRAME}"
    ));
    assert_eq!(frames(&dump, 1), ["main.g /a/b.go:4"; 3]);
}

#[test]
fn a_race_report_without_its_first_line() {
    let report = "Write at 0x00c000432039 by goroutine 187:\n  example.com/stats.(*Info).Error()\n      stats/info.go:49 +0x3f1\n\n\
                  Previous read at 0x00c000432039 by goroutine 184:\n  example.com/stats.(*Groups).sum()\n      stats/groups.go:35 +0xcae\n";
    let dump = read(report);
    let race = &dump.crashes()[0].races[0];
    assert_eq!(race.accesses.len(), 2);
    assert_eq!(race.accesses[0].stack.frames.len(), 1);
    assert!(read("Write at 0x7f01 by thread T1:\n  f()\n      f.c:1\n").crashes().iter().all(|c| c.races.is_empty()));
}

#[test]
fn a_race_report_of_the_first_releases_has_no_addresses() {
    let report = "WARNING: DATA RACE\nWrite by goroutine 9:\n  a.f()\n      /s/a.go:45 +0x18d\n\nPrevious read by goroutine 7:\n  \
                  a.g()\n      /s/a.go:50 +0x3b4\n";
    let dump = read(report);
    let accesses = &dump.crashes()[0].races[0].accesses;
    assert_eq!(accesses.iter().map(|a| a.goroutine.value().copied()).collect::<Vec<_>>(), [Some(9), Some(7)]);
}

#[test]
fn a_headline_before_its_prefix() {
    let text = "fatal error: concurrent map writes\nsvc[77]: goroutine 18 [running]:\nsvc[77]: runtime.throw({0x27, 0x17})\nsvc[77]: \
                \truntime/panic.go:992 +0x71\nsvc[77]: example.com/svc.(*Pool).save(0xc0056c00c0)\nsvc[77]: \tsvc/pool.go:9 +0x71\n";
    let dump = read(text);
    let deaths: Vec<_> = dump.crashes().iter().map(|c| (c.headlines.len(), c.stacks.len())).collect();
    assert_eq!(deaths, [(1, 1)]);
    // A bare goroutine behind it is the one that it speaks of.
    let two = format!("{text}\ngoroutine 1 [running]:\nmain.main()\n\tmain.go:3 +0x1\n");
    assert!(read(&two).crashes().iter().any(|c| !c.headlines.is_empty() && !c.stacks.is_empty()));
}

#[test]
fn names_under_a_blot_are_names() {
    let text = "goroutine 1 [syscall]:\n<REDACTED>/<REDACTED>/store.Sign(0xd252a0, 0x0)\n\tY:/src/<REDACTED>/store.go:885 +0x149\n\
                /path/to/store._Cfunc_start(0x7f2c, 0x0)\n\t_cgo_gotypes.go:79 +0x4d\nmain.main()\n\tmain.go:2 +0x1\n";
    let dump = read(text);
    let names = [
        "<REDACTED>/<REDACTED>/store.Sign Y:/src/<REDACTED>/store.go:885",
        "/path/to/store._Cfunc_start _cgo_gotypes.go:79",
        "main.main main.go:2",
    ];
    assert_eq!(frames(&dump, 0), names);
}

#[test]
fn a_logged_error_is_the_headline_of_the_goroutine_behind_it() {
    let text = "E150646 mailer [AUDIT] died of: runtime error: index out of range [3] with length 2\nE150646 mailer [AUDIT] now at \
                goroutine 1 [running]:\nexample.com/log.Panic(0xc8)\n\t/s/log.go:190 +0x1\n";
    let dump = read(text);
    let death = dump.crashes().iter().find(|c| !c.stacks.is_empty()).unwrap();
    assert!(matches!(&death.headlines[..], [Headline::ServedPanic { who, .. }] if &**who == "log"));
}

#[test]
fn an_exception_without_goroutines_behind_a_quote_mark() {
    let text = "> Exception 0xc0000005 0x1 0x431895 0x767db924\n> PC=0x767db924\n> \n> syscall.(*Proc).Call(0x118c2960, 0x1)\n>         \
                c:/go/src/syscall/dll_windows.go:130 +0x12c\n> example.com/thyme.id(0x10062)\n>         D:/thyme/windows.go:59 +0x65\n";
    let dump = read(text);
    assert!(dump.crashes().iter().any(|c| matches!(c.headlines.first(), Some(Headline::Exception(_)))));
}

#[test]
fn an_indented_text_in_json_lines() {
    let lines = [
        "    panic: send on closed channel",
        "",
        "    goroutine 826 [running]:",
        "    a.f(0x1)",
        "            /s/a.go:1 +0xac",
    ];
    let text: String = lines.iter().map(|l| format!("{{\"log\":\"{l}\\n\",\"stream\":\"stderr\"}}\n")).collect();
    let dump = read(&text);
    assert_eq!((ids(&dump), frames(&dump, 0)), (vec![826], vec!["a.f /s/a.go:1".to_owned()]));
}

#[test]
fn a_prefix_whose_text_ends_with_the_headline() {
    let mut text = String::from("It does not start:\n");
    for (i, f) in ["metrics.New", "index.New", "index.Open", "main.main"].iter().enumerate() {
        text.push_str(&format!(
            "2023-11-22 22:43:32 example.com/{f}(0x1)\n2023-11-22 22:43:32     /src/x.go:{i} +0x1\n"
        ));
    }
    text.push_str("2023-11-22 22:43:33 panic: duplicate metric\n\nPlus a fix of the docs.\nAnd of a typo.\n");
    let dump = read(&text);
    assert!(dump.crashes().iter().any(|c| matches!(c.headlines.first(), Some(Headline::Panic(_)))));
    assert_eq!(frames(&dump, 0).len(), 4);
}

#[test]
fn a_headline_given_away_leaves_the_stacks_before_it() {
    // The second signal goes to the stream behind it; the first has a stack already.
    let text = b"goroutine 3[]\nSIGIT: o\nSIGQT: t\n:goroutine 3 []\n\xffgoroutine 3 []\nq";
    let dump = read_bytes(text, &Options::default());
    let owned: usize = dump.crashes().iter().map(|c| c.stacks.len()).sum();
    assert_eq!((dump.stack_count(), owned), (3, 3));
}

fn panics(dump: &Dump) -> Vec<(String, Option<usize>)> {
    let mut all = Vec::new();
    for crash in dump.crashes() {
        for headline in &crash.headlines {
            if let Headline::Panic(panic) = headline {
                all.push((panic.value.to_string(), crash.crashed));
            }
        }
    }
    all
}

/// A stack in a panic's value was taken for that of the goroutine that died.
#[test]
fn an_indented_stack_in_a_value_is_part_of_the_value() {
    let quoted = "\tgoroutine 18 [running]:\n\tmain.work()\n\t\t/a/b.go:4 +0x1\n\t\n";
    let died = "goroutine 1 [running]:\nmain.main()\n\t/a/b.go:9 +0x1\n";
    let value = "failed\n\ngoroutine 18 [running]:\nmain.work()\n\t/a/b.go:4 +0x1";
    for between in ["\n", "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x1]\n\n", ""] {
        let dump = read(&format!("panic: failed\n\t\n{quoted}{between}{died}"));
        assert_eq!((ids(&dump), panics(&dump)), (vec![1], vec![(value.to_owned(), Some(0))]), "{between:?}");
        assert_eq!(frames(&dump, 0), ["main.main /a/b.go:9"]);
    }
    // Before Go 1.23 nothing tells it from the death's own.
    let dump = read(&format!("panic: failed\n\n{}\n{died}", quoted.replace("\n\t", "\n").replacen('\t', "", 1)));
    assert_eq!((ids(&dump), panics(&dump)), (vec![18, 1], vec![("failed".to_owned(), Some(0))]));
}

/// Where no goroutine stands at the margin, the indented ones are the death's.
#[test]
fn a_dump_that_is_indented_is_no_value() {
    let stack = |id| format!("\tgoroutine {id} [running]:\n\tmain.work()\n\t\t/a/b.go:4 +0x1\n");
    for blank in ["\t\n", "\n"] {
        for end in ["", "\n", "exit status 2\n", "2026/01/02 03:04:05 started again\n"] {
            for first in ["panic: failed\n", "\tpanic: failed\n", "2026/01/02 03:04:05 main.go:3: panic: failed\n"] {
                let text = format!("{first}{blank}{}{blank}{}{end}", stack(1), stack(18));
                let dump = read(&text);
                assert_eq!(ids(&dump), [1, 18], "{text}");
                assert_eq!(frames(&dump, 0), ["main.work /a/b.go:4"], "{text}");
                assert!(panics(&dump).iter().all(|p| *p == ("failed".to_owned(), Some(0))), "{text}");
            }
        }
    }
}

/// Another thread's race report between the headline of a death and its stacks took the stacks.
#[test]
fn a_race_report_within_a_death_leaves_it_whole() {
    let race = "==================\nWARNING: DATA RACE\nRead at 0x00c00001c030 by goroutine 7:\n  main.f()\n      /a/b.go:4 +0x1\n\n\
                Previous write at 0x00c00001c030 by goroutine 6:\n  main.g()\n      /a/b.go:5 +0x1\n==================\n";
    let fatal = "fatal error: concurrent map writes\n";
    let stack = "\ngoroutine 5 [running]:\nmain.h()\n\t/a/b.go:6 +0x1\n";
    let dump = read(&format!("{race}{fatal}{race}{stack}"));
    let deaths: Vec<_> = dump.crashes().iter().map(|c| (c.headlines.len(), c.races.len(), c.stacks.clone())).collect();
    assert_eq!(deaths, [(1, 1, 0..0), (2, 1, 0..1)]);
    // Behind the stacks a report is one of its own; so is one before which nothing was said.
    let dump = read(&format!("{fatal}{stack}\n{race}{stack}"));
    let deaths: Vec<_> = dump.crashes().iter().map(|c| (c.headlines.len(), c.races.len(), c.stacks.clone())).collect();
    assert_eq!(deaths, [(1, 0, 0..1), (1, 1, 1..1), (0, 0, 1..2)]);
}
