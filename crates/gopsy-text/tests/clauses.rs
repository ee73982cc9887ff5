//! What can stand in a crash text, one thing after the other, each shown on a text that a real program printed.
//!
//! Most texts are the zoo's; where a file is named after `own:`, it lies in `tests/texts`, whose README tells how it was
//! made. A thing that no program here can bring about is quoted from Go's source, and says so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use gopsy_model::{BubbleKind, Crash, Frame, Goroutine, Headline, Role, Stack};
use gopsy_text::{Dump, Options, read_bytes};
use std::path::Path;

/// A clause: what stands there, in which text, and what must have been read.
type Clause = (&'static str, &'static str, fn(&Seen) -> bool);

/// All that was read from a text.
struct Seen {
    crashes: Vec<Crash>,
    all: Vec<(Goroutine, Stack)>,
    notes: Vec<String>,
}

impl Seen {
    fn of(dump: &Dump) -> Self {
        Seen {
            crashes: dump.crashes().to_vec(),
            all: (0..dump.stack_count()).map(|id| (dump.goroutine(id), dump.stack(id))).collect(),
            notes: dump.notes().to_vec(),
        }
    }

    fn crash(&self) -> &Crash {
        &self.crashes[0]
    }

    fn headlines(&self) -> Vec<String> {
        let text = |h: &Headline| match h {
            Headline::Panic(p) => {
                let mark = if p.repanicked {
                    " [repanicked]"
                } else if p.recovered {
                    " [recovered]"
                } else {
                    ""
                };
                format!("panic {}: {}{mark}", p.depth, p.value)
            }
            Headline::Fatal(message) => format!("fatal: {message}"),
            Headline::Signal(s) => format!("signal: {}", s.name),
            Headline::FaultAddress(a) => format!("fault: {a:#x}"),
            Headline::Exception(e) => format!("exception: {:#x}", e.code),
            Headline::Race(i) => format!("race {i}"),
            Headline::ServedPanic { who, value } => format!("served {who}: {value}"),
            Headline::Native(message) => format!("native: {message}"),
            Headline::Outside(message) => format!("outside: {message}"),
        };
        self.crashes.iter().flat_map(|c| &c.headlines).map(text).collect()
    }

    fn says(&self, headline: &str) -> bool {
        self.headlines().iter().any(|h| h.starts_with(headline))
    }

    fn diagnostic(&self, text: &str) -> bool {
        self.crash().diagnostics.iter().any(|d| d.contains(text))
    }

    fn goroutine(&self, test: impl Fn(&Goroutine) -> bool) -> bool {
        self.all.iter().any(|(g, _)| test(g))
    }

    fn frame(&self, test: impl Fn(&Frame) -> bool) -> bool {
        self.all.iter().flat_map(|(_, s)| &s.frames).any(test)
    }

    /// Whether a frame has this function and, if it is not empty, a file that ends so.
    fn at(&self, function: &str, file: &str) -> bool {
        self.frame(|f| name(f) == function && (file.is_empty() || f.file.value().is_some_and(|at| at.ends_with(file))))
    }
}

fn name(frame: &Frame) -> &str {
    frame.function.value().map_or("", |n| n.as_str())
}

fn args(frame: &Frame) -> usize {
    frame.args.value().map_or(0, |a| a.words().len())
}

fn text(source: &str) -> Vec<u8> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    match source.strip_prefix("own:") {
        Some(own) => std::fs::read(here.join("tests/texts").join(own)),
        None => std::fs::read(here.join("../../zoo/texts").join(source)),
    }
    .unwrap_or_else(|e| panic!("{source}: {e}"))
}

fn hold(clauses: &[Clause]) {
    let mut broken = Vec::new();
    for (clause, source, holds) in clauses {
        let seen = Seen::of(&read_bytes(&text(source), &Options::default()));
        if seen.crashes.is_empty() || !holds(&seen) {
            broken.push(format!("{clause} ({source}): {:?}", seen.headlines()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn why_it_died() {
    hold(&[
        ("nested panics", "panic-then-panic/go1.27.txt", |s| {
            s.says("panic 0: runtime error: index out of range [0]") && s.says("panic 1: flush: nothing was read")
        }),
        ("a recovered panic", "custom-named-string/go1.24.txt", |s| {
            s.says("panic 0: refused: no licence [recovered]") && s.says("panic 1: main.code(7)")
        }),
        ("a repanicked one", "test-panic-verbose/go1.26.txt", |s| {
            s.headlines()[0].ends_with("nil pointer dereference [repanicked]")
        }),
        ("a value of several lines", "custom-multiline/go1.27.txt", |s| {
            s.says("panic 0: compile failed:\na.tmpl:3: index out of range\nb.tmpl:9: nil map\n\n2 errors")
        }),
        ("Goexit", "goexit-deadlock/go1.27.txt", |s| s.says("fatal: no goroutines (main called runtime.Goexit)")),
        ("a throw and the runtime's own lines before it", "bad-heap-pointer/go1.27.txt", |s| {
            s.says("fatal: found bad pointer in Go heap") && s.diagnostic("to unallocated span span.base()=")
        }),
        ("a fatal error and the lines before it", "recursion-in-string/go1.24.txt", |s| {
            s.diagnostic("goroutine stack exceeds 1048576-byte limit") && s.says("fatal: stack overflow")
        }),
        ("[signal …]", "nil-field/go1.27.txt", |s| {
            let signal = s.crash().signal.as_ref().unwrap();
            (&*signal.name, signal.code.value(), signal.address.value().is_some()) == ("SIGSEGV", Some(&1), true)
        }),
        ("[signal …] of wasm, which has no signals", "own:wasm.txt", |s| {
            let signal = s.crash().signal.as_ref().unwrap();
            (&*signal.name, signal.code.value(), signal.address.value()) == ("0xb", None, None)
                && s.at("main.walk", "main.go")
        }),
        ("SIG…, PC=… m=… sigcode=… addr=…", "null-in-c/go1.27.txt", |s| match &s.crash().headlines[0] {
            Headline::Signal(g) => {
                (g.pc.value(), g.m.value(), g.code.value(), g.address.value())
                    == (Some(&0x49_be32), Some(&0), Some(&1), Some(&8))
            }
            _ => false,
        }),
        ("signal arrived during cgo execution", "null-in-c/go1.27.txt", |s| match &s.crash().headlines[0] {
            Headline::Signal(g) => g.in_foreign_code,
            _ => false,
        }),
        ("C's own words before it", "free-twice-in-c/go1.27.txt", |s| {
            s.says("native: free(): double free detected in tcache 2") && s.says("signal: SIGABRT")
        }),
        ("instruction bytes", "cpu-too-old/go1.27.txt", |s| match &s.crash().headlines[0] {
            Headline::Signal(g) => g.instruction_bytes.starts_with(&[0x62, 0xf2, 0x7f, 0x48]),
            _ => false,
        }),
        ("registers", "abort-in-c/go1.16.txt", |s| {
            let registers = &s.crash().registers;
            registers.iter().any(|(r, _)| &**r == "rip") && registers.len() == 21
        }),
        ("an address that could not be used", "unmapped-page/go1.27.txt", |s| s.says("fault: 0x")),
        ("http: panic serving", "http-panic/go1.27.txt", |s| s.says("served 127.0.0.1:")),
        ("checkptr", "checkptr/go1.27.txt", |s| s.says("fatal: checkptr: converted pointer straddles")),
        ("a sanitizer's header", "sanitizer/go1.27.txt", |s| {
            s.headlines()[0].contains("AddressSanitizer: heap-use-after-free")
        }),
        ("go test -v", "test-panic-verbose/go1.26.txt", |s| {
            s.crash().test.failed.iter().any(|t| &**t == "TestRows/second") && s.crash().test.package.is_some()
        }),
        ("go test -json", "test-stuck-json/go1.27.txt", |s| s.says("panic 0: test timed out after")),
        ("the tests that ran when time was out", "test-stuck/go1.27.txt", |s| {
            s.crash().test.running.iter().any(|t| &*t.name == "TestEvent" && t.elapsed.value().is_some())
        }),
        ("a stack in a string of JSON", "json-log/go1.27.txt", |s| s.at("main.pick", "/main.go")),
        ("slog: the value under a key", "slog-json/go1.27.txt", |s| {
            s.says("served log: runtime error: invalid memory")
        }),
        ("zap: a trace without header or arguments", "logged-panic-trace/go1.27.txt", |s| {
            s.says("served log: assignment to entry in nil map") && s.at("main.(*stats).count", "/main.go")
        }),
        ("runtime.Stack in a log", "log-of-a-stack/go1.27.txt", |s| s.headlines().is_empty() && s.at("main.slow", "")),
        ("a file of SetCrashOutput, of a panic", "crash-output-panic/go1.27.txt", |s| {
            s.says("panic 0: runtime error: ")
        }),
        ("one of a fatal error: without that line", "crash-output-fatal/go1.27.txt", |s| {
            s.headlines().is_empty() && s.all.len() == 1
        }),
        ("a goroutine profile, debug=1", "profile-counted/go1.27.txt", |s| s.goroutine(|g| g.copies == 40)),
        ("a goroutine profile, debug=2", "profile-stacks/go1.27.txt", |s| s.all.len() == 41),
        ("a leak profile, debug=1", "leak-profile-counted/go1.27.txt", |s| s.goroutine(|g| g.leaked && g.copies == 3)),
        ("an exception of Windows", "own:windows-exception.txt", |s| match &s.crash().headlines[0] {
            Headline::Exception(e) => {
                (e.code, &e.information[..], e.pc.value()) == (0xc000_0005, &[8, 0x2b][..], Some(&0x2b))
            }
            _ => false,
        }),
    ]);
}

#[test]
fn whose_stack_it_is() {
    hold(&[
        ("runtime stack:", "bad-heap-pointer/go1.27.txt", |s| s.goroutine(|g| g.role == Role::System)),
        ("goroutine 0", "abort-in-c/go1.16.txt", |s| s.goroutine(|g| g.id.value() == Some(&0))),
        ("----- between relayed threads", "relayed-threads/go1.27.txt", |s| {
            let spinning = |(_, stack): &&(Goroutine, Stack)| stack.frames.iter().any(|f| name(f) == "main.spin");
            s.crashes.len() == 1 && s.all.iter().filter(spinning).count() >= 4
        }),
        ("[originating from goroutine N]", "ancestors/go1.27.txt", |s| {
            let ancestors = s.all.iter().filter(|(g, _)| g.role == Role::Ancestor);
            ancestors.map(|(g, _)| g.ancestor).collect::<Vec<_>>().len() == 2
                && s.goroutine(|g| g.ancestor == Some(1))
                && s.all[0].0.role == Role::Goroutine
        }),
        ("goroutine running on other thread", "map-writes/go1.24.txt", |s| {
            s.all.iter().any(|(_, stack)| stack.unavailable.as_deref().is_some_and(|why| why.contains("other thread")))
        }),
        ("created by … in goroutine N", "map-writes/go1.24.txt", |s| {
            s.goroutine(|g| g.created_by.value().is_some_and(|c| c.goroutine.value() == Some(&1)))
        }),
        ("created by, before Go 1.21", "map-writes/go1.16.txt", |s| {
            s.goroutine(|g| g.created_by.value().is_some_and(|c| c.goroutine.value().is_none()))
        }),
        ("gp=… m=… mp=…", "abort-in-c/go1.27.txt", |s| {
            s.goroutine(|g| g.gp.value().is_some() && g.m.value() == Some(&0) && g.mp.value().is_some())
        }),
        ("m=nil", "abort-in-c/go1.27.txt", |s| s.goroutine(|g| g.gp.value().is_some() && g.m.value().is_none())),
        ("minutes", "own:minutes.txt", |s| s.goroutine(|g| g.wait_minutes.value() == Some(&1))),
        ("locked to thread", "locked-thread/go1.24.txt", |s| s.goroutine(|g| g.locked_to_thread)),
        ("(leaked)", "leak-profile/go1.27.txt", |s| s.all.iter().filter(|(g, _)| g.leaked).count() == 3),
        ("(durable), synctest bubble", "synctest-deadlock/go1.27.txt", |s| {
            s.goroutine(|g| g.durable && g.bubble.is_some_and(|b| b.kind == BubbleKind::Bubble && b.id == 1))
        }),
        (
            "(scan), synctest group: tracebackothers and goroutineheader, runtime/traceback.go of Go 1.24",
            "own:header.txt",
            |s| s.goroutine(|g| g.scan && g.bubble.is_some_and(|b| b.kind == BubbleKind::Group && b.id == 7)),
        ),
        ("labels of Go 1.26", "labels/go1.26.txt", |s| {
            s.goroutine(|g| {
                g.labels.value().is_some_and(|l| l.iter().any(|(k, v)| (&**k, &**v) == ("user", "bob smith")))
            })
        }),
        ("labels of Go 1.27", "labels/go1.27.txt", |s| {
            s.goroutine(|g| {
                g.labels.value().is_some_and(|l| l.iter().any(|(k, v)| (&**k, &**v) == ("user", "bob smith")))
            })
        }),
        ("labels of a profile", "profile-counted/go1.27.txt", |s| {
            s.goroutine(|g| g.labels.value().is_some_and(|l| l.iter().any(|(k, v)| (&**k, &**v) == ("pool", "orders"))))
        }),
    ]);
}

#[test]
fn what_its_frames_are() {
    hold(&[
        ("arguments as words", "index-range/go1.16.txt", |s| s.frame(|f| name(f).starts_with("main.") && args(f) > 0)),
        ("arguments in braces, stale ones", "index-range/go1.27.txt", |s| {
            s.frame(|f| f.args.value().is_some_and(|a| a.words().iter().flatten().any(|(_, stale)| *stale)))
        }),
        ("generics", "index-in-generic/go1.24.txt", |s| s.at("main.last[...]", "/main.go")),
        ("inlined frames", "abort-in-c/go1.27.txt", |s| s.frame(|f| f.inlined)),
        ("closures", "index-in-closure/go1.27.txt", |s| s.at("main.main.func1", "/main.go")),
        ("bodies of range over functions", "index-in-iterator/go1.26.txt", |s| s.at("main.main-range1", "/main.go")),
        ("wrappers of go statements", "abort-in-c/go1.26.txt", |s| s.at("runtime.gcenable.gowrap1", "/mgc.go")),
        ("assembly", "abort-in-c/go1.27.txt", |s| s.at("runtime.goexit", "/asm_amd64.s")),
        ("C", "own:bodies.txt", |s| s.at("runtime.MCache_ReleaseAll", "/mcache.c")),
        ("any other file ending", "own:bodies.txt", |s| {
            s.at("calc.yyParse", "/calc.y") && s.at("main.main", "main.gox")
        }),
        ("Windows paths", "own:windows-exception.txt", |s| s.at("main.main", r"D:/my work/server1.go")),
        ("vendored paths", "own:bodies.txt", |s| s.at("example.com/lib.Do", "/src/app/vendor/example.com/lib/do.go")),
        ("trimmed paths", "own:bodies.txt", |s| s.at("example.com/mod.Run", "example.com/mod@v1.2.3/run.go")),
        ("paths with blanks", "own:bodies.txt", |s| s.at("main.run", "/home/me/my code/main.go")),
        ("elided frames, counted", "recursion-in-string/go1.24.txt", |s| {
            s.all.iter().flat_map(|(_, stack)| &stack.elided).any(|gap| gap.count.value() == Some(&6140))
        }),
        ("elided frames of Go 1.16", "recursion/go1.16.txt", |s| {
            s.all.iter().flat_map(|(_, stack)| &stack.elided).any(|gap| gap.count.value().is_none())
        }),
        ("fp=… sp=… pc=…", "null-in-c/go1.27.txt", |s| {
            s.frame(|f| name(f) == "main.size" && f.pc.value() == Some(&0x49_bd17) && f.offset.value() == Some(&0x17))
        }),
        ("unexpected return pc", "longjmp/go1.24.txt", |s| s.diagnostic("unexpected return pc for runtime.fatalthrow")),
        ("the words of a stack, with symbols", "longjmp/go1.24.txt", |s| {
            let dump = &s.crash().dumps[0];
            dump.bounds == Some((0xc0_0003_6000, 0xc0_0003_6800))
                && dump.words.iter().any(|w| w.symbol.as_deref().is_some_and(|n| n.starts_with("main._Cfunc_leave")))
        }),
        ("gdb", "own:gdb.txt", |s| {
            s.frame(|f| name(f) == "main.walk" && f.pc.value() == Some(&0x47_a75a)) && s.at("main.main", "/main.go")
        }),
        ("lldb", "own:lldb.txt", |s| s.at("main.(*Node).Next", "list.go")),
        ("Delve", "own:delve.txt", |s| s.at("runtime.fatalpanic", "/panic.go") && s.at("main.walk", "./main.go")),
    ]);
}

#[test]
fn what_the_race_detector_says() {
    hold(&[
        ("both accesses and who started them", "race-counter/go1.27.txt", |s| {
            let report = &s.crash().races[0];
            let accesses: Vec<_> = report.accesses.iter().map(|a| (a.previous, a.goroutine.value())).collect();
            accesses == [(false, Some(&8)), (true, Some(&7))] && report.sections.len() == 2
        }),
        ("several reports, heap block, mutex: ReportLocation and ReportMutex, tsan_report.cpp", "own:races.txt", |s| {
            let headings = |i: usize| s.crash().races[i].sections.iter().map(|part| part.heading.to_string());
            s.crash().races.len() == 2
                && headings(0).any(|h| h.starts_with("Location is heap block of size 16"))
                && headings(1).any(|h| h.starts_with("Mutex M12"))
        }),
    ]);
}

#[test]
fn what_was_passed_over_is_told() {
    hold(&[("lines of others among the frames", "own:strangers.txt", |s| {
        s.at("main.f", "/b.go") && s.notes.iter().any(|n| n.starts_with("1 line") || n.starts_with("2 lines"))
    })]);
}
