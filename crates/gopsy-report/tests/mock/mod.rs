//! Evidence and verdicts built by hand.
#![allow(dead_code, missing_docs, unreachable_pub)]

use gopsy_model::{
    Advice, Cause, Claim, Confidence, Crash, Creation, Culprit, Elision, Evidence as Fact, Finding, Frame,
    FunctionName, Goroutine, Headline, Identity, Kind, Known, KnownIssue, PanicLine, Role, Source, Stack, Status, Str,
    Trust, Verdict,
};
use gopsy_program::{Evidence, Program, StackId};

#[derive(Default)]
pub struct Mock {
    pub crash: Crash,
    pub identity: Identity,
    pub all: Vec<(Goroutine, Stack)>,
}

impl Evidence for Mock {
    fn source(&self) -> Source {
        Source::Text
    }
    fn crash(&self) -> &Crash {
        &self.crash
    }
    fn identity(&self) -> Identity {
        self.identity.clone()
    }
    fn stack_count(&self) -> usize {
        self.all.len()
    }
    fn goroutine(&self, id: StackId) -> Goroutine {
        self.all.get(id).map_or_else(|| Goroutine::bare(Role::Bare), |(g, _)| g.clone())
    }
    fn stack(&self, id: StackId) -> Stack {
        self.all.get(id).map_or_else(Stack::default, |(_, s)| s.clone())
    }
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

pub fn text(text: &str) -> Known<Str> {
    if text.is_empty() { Known::not_printed() } else { Known::printed(text.into()) }
}

pub fn frame((function, file, line): (&str, &str, i64)) -> Frame {
    Frame { file: text(file), line: Known::printed(line), offset: Known::printed(0x1d), ..Frame::named(function) }
}

pub fn stack(frames: &[(&str, &str, i64)]) -> Stack {
    Stack { frames: frames.iter().copied().map(frame).collect(), ..Stack::default() }
}

pub fn goroutine(
    id: u64,
    state: &str,
    minutes: Option<u64>,
    frames: &[(&str, &str, i64)],
    created_by: Option<(&str, &str, i64)>,
) -> (Goroutine, Stack) {
    let (status, reason) = match state {
        "running" => (Status::Running, None),
        "runnable" => (Status::Runnable, None),
        "syscall" => (Status::Syscall, None),
        reason => (Status::Waiting, Some(Str::from(reason))),
    };
    let goroutine = Goroutine {
        id: Known::printed(id),
        status: Known::printed(status),
        wait_reason: Known::printed_or_not(reason),
        wait_minutes: Known::printed_or_not(minutes),
        created_by: Known::printed_or_not(created_by.map(|(function, file, line)| Creation {
            function: FunctionName(function.into()),
            file: text(file),
            line: Known::printed(line),
            goroutine: Known::printed(1),
        })),
        ..Goroutine::bare(Role::Goroutine)
    };
    (goroutine, stack(frames))
}

pub fn identity(version: &str, module: &str) -> Identity {
    Identity {
        go_version: text(version),
        os: text("linux"),
        arch: text("amd64"),
        module: text(module),
        ..Identity::default()
    }
}

pub fn fact(fact: &str, trust: Trust) -> Fact {
    Fact { fact: fact.to_owned(), source: Source::Text, trust }
}

pub fn finding(sentence: &str, cause: Cause, confidence: Confidence, facts: &[&str]) -> Finding {
    Finding {
        rule: "mock",
        sentence: sentence.to_owned(),
        claim: Some(Claim { cause, confidence }),
        evidence: facts.iter().map(|f| fact(f, Trust::Exact)).collect(),
        advice: Vec::new(),
        known_issue: None,
        culprit: None,
    }
}

pub fn verdict(kind: Kind, cause: Cause, confidence: Confidence, headline: &str, summary: &str) -> Verdict {
    Verdict {
        kind,
        cause,
        confidence,
        headline: headline.to_owned(),
        summary: summary.to_owned(),
        culprit: None,
        also: Vec::new(),
        advice: Vec::new(),
        known_issues: Vec::new(),
        findings: Vec::new(),
        unseen: Vec::new(),
    }
}

pub fn culprit(function: &str, file: &str, line: i64, goroutine: u64) -> Culprit {
    Culprit {
        function: function.into(),
        file: Some(file.into()),
        line: Some(line),
        goroutine: Some(goroutine),
        why: None,
    }
}

pub fn program(
    identity: Identity,
    all: Vec<(Goroutine, Stack)>,
    crashed: Option<StackId>,
    headlines: Vec<Headline>,
) -> Program {
    let crash = Crash { stacks: 0..all.len(), crashed, headlines, ..Crash::default() };
    Program::new(Mock { crash, identity, all })
}

const RT: &str = "/usr/local/go/src/runtime/panic.go";
const SERVER: &str = "/usr/local/go/src/net/http/server.go";

/// Two goroutines write one map, in an HTTP server.
pub fn map_writes() -> (Program, Verdict) {
    let put = "example.com/shop/store.(*Store).Put";
    let file = "/src/shop/store/store.go";
    let server = [
        ("net/http.HandlerFunc.ServeHTTP", SERVER, 2294),
        ("net/http.(*ServeMux).ServeHTTP", SERVER, 2822),
        ("net/http.serverHandler.ServeHTTP", SERVER, 3301),
        ("net/http.(*conn).serve", SERVER, 2102),
        ("runtime.goexit", "/usr/local/go/src/runtime/asm_amd64.s", 1700),
    ];
    let created = Some(("net/http.(*Server).Serve", SERVER, 3454));
    let mut crashed = vec![
        ("runtime.throw", RT, 1101),
        ("runtime.mapassign_faststr", "/usr/local/go/src/runtime/map_faststr.go", 203),
        (put, file, 41),
        ("example.com/shop/api.(*Server).checkout", "/src/shop/api/checkout.go", 97),
    ];
    crashed.extend(server);
    let all = vec![
        goroutine(5210, "running", None, &crashed, created),
        goroutine(
            7,
            "runnable",
            None,
            &[("example.com/shop/store.(*Store).Evict", file, 88)],
            Some(("main.main", "/src/shop/main.go", 31)),
        ),
    ];
    let mut verdict = verdict(
        Kind::ConcurrentMap,
        Cause::UnsynchronisedMap,
        Confidence::Certain,
        "fatal error: concurrent map writes",
        "Goroutine 5210 found a map being written by another goroutine while it stored into it itself. Goroutine 7 is \
         inside (*Store).Evict, which deletes from the same map.",
    );
    verdict.culprit = Some(culprit(put, file, 41, 5210));
    verdict.findings = vec![finding(
        &verdict.summary,
        Cause::UnsynchronisedMap,
        Confidence::Certain,
        &[
            "the runtime found the map’s writing flag set when mapassign_faststr began",
            "goroutine 7 stands in (*Store).Evict (store.go:88), in a write of a map of the same type",
        ],
    )];
    verdict.advice = vec![
        Advice("hold one mutex in Put and Evict, and wherever else Store.byID is used".to_owned()),
        Advice("run the tests with -race: it names both sides".to_owned()),
    ];
    verdict.unseen =
        vec!["which map it was: a crash text does not print it; a core does (GOTRACEBACK=crash)".to_owned()];
    let headlines = vec![Headline::Fatal("concurrent map writes".into())];
    (program(identity("go1.27.3", "example.com/shop"), all, Some(0), headlines), verdict)
}

/// A recursion through three functions.
pub fn recursion() -> (Program, Verdict) {
    let f = "/home/me/src/tree/walk.go";
    let cycle = [
        ("example.com/tree.(*Node).Walk", f, 31),
        ("example.com/tree.visit", f, 52),
        ("example.com/tree.(*Node).children", f, 77),
    ];
    let mut frames = vec![
        ("runtime.throw", RT, 1101),
        ("runtime.newstack", "/usr/local/go/src/runtime/stack.go", 1159),
        ("runtime.morestack", "/usr/local/go/src/runtime/asm_amd64.s", 621),
    ];
    for _ in 0..15 {
        frames.extend(cycle);
    }
    frames.push(cycle[0]);
    let before = frames.len();
    for _ in 0..16 {
        frames.extend([cycle[1], cycle[2], cycle[0]]);
    }
    frames.push(("main.main", "/home/me/src/cmd/walk/main.go", 12));
    frames.push(("runtime.main", "/usr/local/go/src/runtime/proc.go", 290));
    frames.push(("runtime.goexit", "/usr/local/go/src/runtime/asm_amd64.s", 1700));
    let (goroutine, mut stack) = goroutine(1, "running", None, &frames, None);
    stack.elided = vec![Elision::of(before, Known::printed(47_903))];
    let mut verdict = verdict(
        Kind::StackOverflow,
        Cause::UnboundedRecursion,
        Confidence::Likely,
        "fatal error: stack overflow",
        "(*Node).Walk calls itself through visit and children until the stack of 1,000,000,000 bytes was full.",
    );
    verdict.culprit = Some(culprit("example.com/tree.(*Node).Walk", f, 31, 1));
    verdict.findings = vec![finding(
        "x",
        Cause::UnboundedRecursion,
        Confidence::Likely,
        &[
            "the same three functions repeat from the top of the stack to its bottom",
            "goroutine stack exceeds 1000000000-byte limit",
        ],
    )];
    verdict.advice = vec![Advice(
        "look at what ends the recursion in (*Node).Walk, and whether a node can be its own descendant".to_owned(),
    )];
    (
        program(
            identity("go1.24.1", "example.com/tree"),
            vec![(goroutine, stack)],
            Some(0),
            vec![Headline::Fatal("stack overflow".into())],
        ),
        verdict,
    )
}

/// Nothing but a panic value of several lines, with all kinds of malice in it.
pub fn hostile() -> (Program, Verdict) {
    let value = "\u{1b}[2J\u{1b}]0;owned\u{7}::set-output name=x::y\n::error::pwned ##[add-mask]z\n\u{202e}evil\u{2066} `code` <b>|@team #1\nfour\nfive\nsix\nseven";
    let all = vec![goroutine(
        1,
        "running",
        None,
        &[
            ("panic", RT, 787),
            ("main.::error::\u{1b}[31m", "/src/::error::/\u{9b}31m.go", 3),
            ("main.main", "/src/main.go", 9),
        ],
        None,
    )];
    let mut verdict = verdict(
        Kind::CustomPanic,
        Cause::Unknown,
        Confidence::Unknown,
        &format!("panic: {value}"),
        "The program stopped itself with a panic of its own making.",
    );
    verdict.culprit = Some(culprit("main.::error::\u{1b}[31m", "/src/::error::/\u{9b}31m.go", 3, 1));
    verdict.unseen = vec!["why the value was what it was".to_owned()];
    verdict.also = vec![also("::error::again\nand again")];
    let headlines = vec![Headline::Panic(PanicLine::of(value))];
    (program(Identity::default(), all, Some(0), headlines), verdict)
}

/// A heap that was found broken: no frame of the user's, a known issue, nothing certain.
pub fn heap() -> (Program, Verdict) {
    let mut system = goroutine(
        0,
        "idle",
        None,
        &[
            ("runtime.throw", "/usr/lib/go-1.9/src/runtime/panic.go", 605),
            ("runtime.(*mspan).sweep", "/usr/lib/go-1.9/src/runtime/mgcsweep.go", 298),
            ("runtime.sweepone", "/usr/lib/go-1.9/src/runtime/mgcsweep.go", 105),
            ("runtime.gosweepone.func1", "/usr/lib/go-1.9/src/runtime/mgcsweep.go", 120),
            ("runtime.systemstack", "/usr/lib/go-1.9/src/runtime/asm_amd64.s", 344),
            ("runtime.mstart", "/usr/lib/go-1.9/src/runtime/proc.go", 1125),
        ],
        None,
    );
    system.0 = Goroutine::bare(Role::System);
    let mut verdict = verdict(
        Kind::HeapCorruption,
        Cause::Unknown,
        Confidence::Unknown,
        "fatal error: sweep increased allocation count",
        "The sweeper found more objects alive in a span than were allocated in it. Somebody wrote where they should not \
         have, earlier and elsewhere: the stack shows who found it, not who did it.",
    );
    verdict.also = vec![also("runtime: nelems=512 nfree=510 nalloc=2 previous allocCount=1 nfreed=65535")];
    verdict.known_issues = vec![KnownIssue {
        id: "golang/go#20427".to_owned(),
        title: "runtime: memory corruption with unsafe pointer arithmetic".to_owned(),
        why: "same headline, same release".to_owned(),
        fixed_in: None,
        source: Vec::new(),
    }];
    verdict.advice = vec![
        Advice("run the tests with -race and with GOFLAGS=-gcflags=all=-d=checkptr".to_owned()),
        Advice("look at every use of unsafe and cgo".to_owned()),
    ];
    verdict.unseen = vec![
        "who wrote: nothing in a crash text shows it".to_owned(),
        "the goroutines: GOTRACEBACK was not set to all".to_owned(),
    ];
    (
        program(
            identity("go1.9.2", ""),
            vec![system],
            Some(0),
            vec![Headline::Fatal("sweep increased allocation count".into())],
        ),
        verdict,
    )
}

/// A dump of many goroutines.
pub fn crowd(workers: u64) -> Program {
    let work = "/src/svc/pool.go";
    let mut all = vec![goroutine(
        1,
        "semacquire",
        Some(12),
        &[
            ("sync.runtime_SemacquireWaitGroup", "/usr/local/go/src/runtime/sema.go", 110),
            ("sync.(*WaitGroup).Wait", "/usr/local/go/src/sync/waitgroup.go", 118),
            ("main.main", "/src/svc/main.go", 40),
            ("runtime.main", "/usr/local/go/src/runtime/proc.go", 290),
        ],
        None,
    )];
    for id in 0..workers {
        all.push(goroutine(
            18 + id,
            "chan receive",
            Some(5 + id % 8),
            &[("example.com/svc.(*Pool).take", work, 31), ("example.com/svc.(*Pool).work", work, 58)],
            Some(("example.com/svc.NewPool", work, 22)),
        ));
    }
    for id in 0..3 {
        all.push(goroutine(
            900_000 + id,
            "IO wait",
            None,
            &[
                ("internal/poll.runtime_pollWait", "/usr/local/go/src/runtime/netpoll.go", 351),
                ("net.(*conn).Read", "/usr/local/go/src/net/net.go", 194),
                (
                    "example.com/svc/wire.(*Reader).a_function_with_a_name_that_is_longer_than_any_column_should_be",
                    "/src/svc/wire/reader_with_a_long_name_too.go",
                    1042,
                ),
            ],
            Some(("example.com/svc/wire.Dial", "/src/svc/wire/dial.go", 9)),
        ));
    }
    all.push(goroutine(
        77,
        "running",
        None,
        &[("main.signals.func1", "/src/svc/main.go", 71)],
        Some(("main.signals", "/src/svc/main.go", 66)),
    ));
    let crash = Crash { stacks: 0..all.len(), crashed: Some(all.len() - 1), ..Crash::default() };
    Program::new(Mock { crash, identity: identity("go1.27.3", "example.com/svc"), all })
}

/// All goroutines asleep.
pub fn deadlock() -> (Program, Verdict) {
    let program = crowd(4);
    let mut verdict = verdict(
        Kind::AllAsleep,
        Cause::NobodySends,
        Confidence::Likely,
        "fatal error: all goroutines are asleep - deadlock!",
        "main waits for workers that wait for a channel to which nobody sends any more.",
    );
    verdict.culprit = Some(culprit("main.main", "/src/svc/main.go", 40, 1));
    verdict.findings = vec![finding(
        "x",
        Cause::NobodySends,
        Confidence::Likely,
        &["4 goroutines receive in (*Pool).take (pool.go:31); none sends"],
    )];
    verdict.advice = vec![Advice("close the channel when the work is given out".to_owned())];
    (program, verdict)
}

/// Another headline of the same death.
fn also(headline: &str) -> gopsy_model::Also {
    gopsy_model::Also { kind: Kind::Unknown, headline: headline.to_owned(), line: 0 }
}
