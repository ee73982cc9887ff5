//! Two made-up Programs that say the same, and each way in which the core's may come to say something else.

use super::{Difference, compare, permitted};
use gopsy_model::{
    Bubble, BubbleKind, Crash, Creation, Elision, Frame, FunctionName, Goroutine, Headline, Identity, Known, Missing,
    PanicLine, Role, Signal, Source, Stack, Status, Trust,
};
use gopsy_program::{Evidence, Program, StackId};

#[derive(Clone)]
struct Told {
    source: Source,
    crash: Crash,
    go: &'static str,
    stacks: Vec<(Goroutine, Stack)>,
}

impl Evidence for Told {
    fn source(&self) -> Source {
        self.source
    }
    fn crash(&self) -> &Crash {
        &self.crash
    }
    fn identity(&self) -> Identity {
        Identity { go_version: self.know(self.go.into()), ..Identity::default() }
    }
    fn stack_count(&self) -> usize {
        self.stacks.len()
    }
    fn goroutine(&self, id: StackId) -> Goroutine {
        self.stacks[id].0.clone()
    }
    fn stack(&self, id: StackId) -> Stack {
        self.stacks[id].1.clone()
    }
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Told {
    fn know<T>(&self, value: T) -> Known<T> {
        Known::have(value, Trust::Exact, self.source)
    }

    fn frame(&self, function: &str, line: i64) -> Frame {
        let pc = 0x4000 + line.unsigned_abs();
        Frame {
            function: self.know(FunctionName(function.into())),
            file: self.know("/src/app/main.go".into()),
            line: self.know(line),
            offset: self.know(0x1d),
            pc: self.know(pc),
            sp: self.know(0xc000),
            fp: self.know(0xc040),
            ..Frame::named(function)
        }
    }

    /// Goroutine 1, which failed, goroutine 7, which waits, and the system stack of thread 0.
    fn new(source: Source) -> Self {
        let mut told = Told { source, crash: Crash::default(), go: "go1.27.3", stacks: Vec::new() };
        let thread = |told: &Told| (told.know(0), told.know(0x7d_03c0));
        let (m, mp) = thread(&told);
        let main = Goroutine {
            id: told.know(1),
            status: told.know(Status::Running),
            gp: told.know(0xc0_0000_0380),
            m,
            mp,
            ..Goroutine::bare(Role::Goroutine)
        };
        let creation = Creation {
            function: FunctionName("main.main".into()),
            file: told.know("/src/app/main.go".into()),
            line: told.know(9),
            goroutine: told.know(1),
        };
        let waiter = Goroutine {
            id: told.know(7),
            status: told.know(Status::Waiting),
            wait_reason: told.know("chan receive".into()),
            gp: told.know(0xc0_0000_0700),
            labels: vec![("k".into(), "v".into())],
            created_by: told.know(creation),
            ..Goroutine::bare(Role::Goroutine)
        };
        let (m, mp) = thread(&told);
        let system =
            Goroutine { id: told.know(0), gp: told.know(0x7d_0000), m, mp, ..Goroutine::bare(Role::Goroutine) };
        let frames = |names: &[(&str, i64)]| Stack {
            frames: names.iter().map(|(name, line)| told.frame(name, *line)).collect(),
            ..Stack::default()
        };
        let stacks = [
            (main, frames(&[("main.f", 12), ("main.main", 3)])),
            (waiter, frames(&[("main.wait", 20), ("main.work", 30)])),
            (system, frames(&[("runtime.mstart", 40)])),
        ];
        let signal = Signal {
            name: "SIGSEGV".into(),
            description: told.know("segmentation violation".into()),
            code: told.know(1),
            address: told.know(0x30),
            pc: told.know(0x400c),
            m: Known::Missing(Missing::NotApplicable),
            in_foreign_code: false,
            instruction_bytes: vec![0x0f, 0x0b],
        };
        told.stacks = stacks.into();
        told.crash = Crash {
            headlines: vec![panic_line("first\n\nsecond"), Headline::Fatal("fault".into())],
            diagnostics: vec!["runtime: x".into()],
            signal: Some(signal),
            registers: vec![("rax".into(), 7)],
            stacks: 0..told.stacks.len(),
            crashed: Some(0),
            ..Crash::default()
        };
        told
    }
}

fn panic_line(value: &str) -> Headline {
    Headline::Panic(PanicLine { value: value.into(), recovered: false, repanicked: false, depth: 0 })
}

fn core() -> Told {
    Told::new(Source::Core)
}

fn against(text: Told, core: Told) -> Vec<Difference> {
    compare(&Program::new(text), &Program::new(core))
}

/// What is found when the core says something else.
fn groups(change: impl FnOnce(&mut Told)) -> Vec<String> {
    let mut told = core();
    change(&mut told);
    told.crash.stacks = 0..told.stacks.len();
    against(Told::new(Source::Text), told).iter().map(Difference::group).collect()
}

fn main_goroutine(told: &mut Told) -> &mut Goroutine {
    &mut told.stacks[0].0
}

fn waiter(told: &mut Told) -> &mut Goroutine {
    &mut told.stacks[1].0
}

fn frame(told: &mut Told) -> &mut Frame {
    &mut told.stacks[1].1.frames[1]
}

fn with_creation(told: &mut Told, change: impl FnOnce(&mut Creation)) {
    if let Known::Have { value, .. } = &mut waiter(told).created_by {
        change(value);
    }
}

fn other<T>(value: T) -> Known<T> {
    Known::have(value, Trust::Exact, Source::Core)
}

#[test]
fn what_says_the_same_is_equal() {
    assert_eq!(groups(|_| {}), [""; 0]);
    // A core may say more than a text of an old release, which prints neither addresses nor threads.
    let mut text = Told::new(Source::Text);
    for (goroutine, stack) in &mut text.stacks {
        (goroutine.gp, goroutine.m, goroutine.mp) = (Known::not_printed(), Known::not_printed(), Known::not_printed());
        goroutine.labels.clear();
        stack.frames.iter_mut().for_each(|f| (f.pc, f.sp) = (Known::not_printed(), Known::not_printed()));
    }
    (text.crash.signal, text.crash.crashed) = (None, None);
    text.crash.registers.clear();
    assert_eq!(against(text, core()).len(), 0);
}

#[test]
fn every_statement_about_a_goroutine_counts() {
    type Change = fn(&mut Told);
    let cases: &[(&str, Change)] = &[
        ("goroutine.status", |t| waiter(t).status = other(Status::Runnable)),
        ("goroutine.wait-reason", |t| waiter(t).wait_reason = other("select".into())),
        ("goroutine.wait-reason (absent)", |t| waiter(t).wait_reason = Known::not_printed()),
        ("goroutine.gp", |t| waiter(t).gp = other(1)),
        ("goroutine.m", |t| main_goroutine(t).m = other(3)),
        // m=nil in the text.
        ("goroutine.m", |t| waiter(t).m = other(3)),
        ("goroutine.mp (absent)", |t| main_goroutine(t).mp = Known::not_printed()),
        ("goroutine.locked-to-thread", |t| waiter(t).locked_to_thread = true),
        ("goroutine.scan", |t| waiter(t).scan = true),
        ("goroutine.leaked", |t| waiter(t).leaked = true),
        ("goroutine.durable", |t| waiter(t).durable = true),
        ("goroutine.bubble", |t| waiter(t).bubble = Some(Bubble { kind: BubbleKind::Bubble, id: 1 })),
        ("goroutine.labels (absent)", |t| waiter(t).labels.clear()),
        ("goroutine.labels", |t| waiter(t).labels = vec![("k".into(), "w".into())]),
        ("creator (absent)", |t| waiter(t).created_by = Known::not_printed()),
        ("creator.function", |t| with_creation(t, |c| c.function = FunctionName("main.other".into()))),
        ("creator.file", |t| with_creation(t, |c| c.file = other("/src/app/other.go".into()))),
        ("creator.path", |t| with_creation(t, |c| c.file = other("main.go".into()))),
        ("creator.line", |t| with_creation(t, |c| c.line = other(10))),
        ("creator.goroutine", |t| with_creation(t, |c| c.goroutine = other(2))),
        ("creator", |t| main_goroutine(t).created_by = t.stacks[1].0.created_by.clone()),
        ("goroutine (absent)", |t| drop(t.stacks.remove(1))),
        ("system-stack (absent)", |t| drop(t.stacks.remove(2))),
        ("goroutine.extra", |t| {
            let mut more = t.stacks[1].clone();
            more.0.id = other(8);
            t.stacks.push(more);
        }),
    ];
    for (group, change) in cases {
        assert_eq!(groups(change), [*group]);
    }
}

#[test]
fn every_statement_about_a_frame_counts() {
    type Change = fn(&mut Told);
    let cases: &[(&str, Change)] = &[
        ("frame.function", |t| frame(t).function = other(FunctionName("main.x".into()))),
        ("frame.file", |t| frame(t).file = other("/src/app/x.go".into())),
        ("frame.path", |t| frame(t).file = other("/src/main.go".into())),
        ("frame.file (absent)", |t| frame(t).file = Known::not_printed()),
        ("frame.line", |t| frame(t).line = other(31)),
        ("frame.inlined", |t| frame(t).inlined = true),
        ("frame.offset", |t| frame(t).offset = other(1)),
        ("frame.pc", |t| frame(t).pc = other(1)),
        ("frame.sp", |t| frame(t).sp = other(1)),
        ("frame.fp (absent)", |t| frame(t).fp = Known::not_printed()),
        ("stack (absent)", |t| t.stacks[1].1.frames.clear()),
        ("stack.outer (absent)", |t| drop(t.stacks[1].1.frames.pop())),
        ("stack.outer", |t| {
            let more = t.frame("runtime.goexit", 1);
            t.stacks[1].1.frames.push(more);
        }),
    ];
    for (group, change) in cases {
        assert_eq!(groups(change), [*group]);
    }
}

#[test]
fn every_statement_about_the_death_counts() {
    fn signal(told: &mut Told) -> &mut Signal {
        told.crash.signal.as_mut().unwrap()
    }
    fn first(told: &mut Told) -> &mut PanicLine {
        match &mut told.crash.headlines[0] {
            Headline::Panic(panic) => panic,
            other => unreachable!("{other:?}"),
        }
    }
    type Change = fn(&mut Told);
    let cases: &[(&str, Change)] = &[
        ("panic.value", |t| first(t).value = "another".into()),
        ("panic.recovered", |t| first(t).recovered = true),
        ("panic.recovered", |t| first(t).repanicked = true),
        ("panic.depth", |t| first(t).depth = 1),
        ("headline.fatal", |t| t.crash.headlines[1] = Headline::Fatal("x".into())),
        ("headline.fatal", |t| t.crash.headlines[1] = panic_line("x")),
        ("headline.fatal (absent)", |t| t.crash.headlines.truncate(1)),
        ("headline.extra", |t| t.crash.headlines.push(Headline::FaultAddress(1))),
        ("diagnostic (absent)", |t| t.crash.diagnostics.clear()),
        ("signal (absent)", |t| t.crash.signal = None),
        ("signal.name", |t| signal(t).name = "SIGBUS".into()),
        ("signal.description", |t| signal(t).description = other("bus error".into())),
        ("signal.code", |t| signal(t).code = other(2)),
        ("signal.address (absent)", |t| signal(t).address = Known::not_printed()),
        ("signal.pc", |t| signal(t).pc = other(2)),
        ("signal.instruction-bytes", |t| signal(t).instruction_bytes = vec![0xcc]),
        ("signal.instruction-bytes (absent)", |t| signal(t).instruction_bytes.clear()),
        ("crashed", |t| t.crash.crashed = Some(1)),
        ("crashed (absent)", |t| t.crash.crashed = None),
        ("register", |t| t.crash.registers[0].1 = 8),
        ("register (absent)", |t| t.crash.registers.clear()),
    ];
    for (group, change) in cases {
        assert_eq!(groups(change), [*group]);
    }
}

#[test]
fn a_printed_stack_with_a_gap_is_laid_on_both_ends() {
    let deep = |told: &Told, lines: &[i64], elided: Vec<Elision>| Stack {
        frames: lines.iter().map(|line| told.frame("main.deep", *line)).collect(),
        elided,
        unavailable: None,
    };
    let gap = |count| vec![Elision { after: 2, count: Known::printed(count) }];
    let found = |lines: &[i64], count| {
        let (mut text, mut core) = (Told::new(Source::Text), core());
        text.stacks[1].1 = deep(&text, &[1, 2, 8, 9], gap(count));
        core.stacks[1].1 = deep(&core, lines, Vec::new());
        against(text, core).iter().map(Difference::to_string).collect::<Vec<_>>()
    };
    let whole = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    assert_eq!(found(&whole, 5), [""; 0]);
    assert_eq!(found(&whole, 6), ["stack.depth at goroutine 7: text 10, core 9"]);
    let wrong = found(&[1, 2, 3, 4, 5, 6, 7, 8, 10], 5);
    assert_eq!(wrong[0], "frame.line at goroutine 7 frame 3: text 9, core 10");
    assert_eq!(found(&[9], 5)[0].split(' ').next(), Some("frame.line"));
}

#[test]
fn an_old_stack_without_addresses_is_found_by_its_outermost_frame() {
    let (mut text, core) = (Told::new(Source::Text), core());
    for (goroutine, _) in &mut text.stacks {
        (goroutine.gp, goroutine.m, goroutine.mp) = (Known::not_printed(), Known::not_printed(), Known::not_printed());
    }
    text.stacks[2].0 = Goroutine::bare(Role::System);
    assert_eq!(against(text.clone(), core.clone()).len(), 0);
    text.stacks[2].1.frames[0].fp = other(0xdead);
    let found = against(text, core);
    assert_eq!(found.iter().map(Difference::group).collect::<Vec<_>>(), ["system-stack (absent)"]);
}

#[test]
fn a_value_with_an_empty_line_is_cut_in_old_texts_only() {
    let found = |go, value: &str| {
        let (mut text, mut core) = (Told::new(Source::Text), core());
        text.crash.headlines[0] = panic_line(value);
        core.go = go;
        against(text, core)
    };
    let [cut] = &found("go1.22.12", "first")[..] else { panic!() };
    assert_eq!(permitted(cut).map(|p| p.name), Some("value-with-empty-line"));
    for (go, value) in [("go1.23.12", "first"), ("go1.22.12", "fir"), ("go1.22.12", "second")] {
        let [wrong] = &found(go, value)[..] else { panic!() };
        assert!(permitted(wrong).is_none(), "{go} {value}: {wrong}");
    }
}

#[test]
fn a_stack_in_a_panics_value_is_no_goroutine_of_the_core() {
    let found = |go, value: &str| {
        let (mut text, mut core) = (Told::new(Source::Text), core());
        let mut quoted = text.stacks[1].clone();
        quoted.0.id = Known::printed(9);
        text.stacks.push(quoted);
        text.crash.stacks.end += 1;
        text.crash.headlines[0] = panic_line("failed");
        text.crash.crashed = Some(3);
        core.crash.headlines[0] = panic_line(value);
        core.go = go;
        let found = against(text, core);
        found.iter().filter(|d| permitted(d).is_none()).map(Difference::group).collect::<Vec<_>>()
    };
    let value = "failed\n\ngoroutine 9 [running]:\nmain.f()\n";
    assert_eq!(found("go1.20.14", value), [""; 0]);
    assert_eq!(found("go1.26.8", value), [""; 0]);
    assert_eq!(found("go1.20.14", "failed\n\ngoroutine 8 [running]:\n"), ["crashed", "goroutine (absent)"]);
}

#[test]
fn only_a_signal_that_was_sent_may_lack_its_address() {
    let found = |code, address: Known<u64>| {
        let (mut text, mut core) = (Told::new(Source::Text), core());
        for (told, address) in [(&mut text, None), (&mut core, Some(address))] {
            let signal = told.crash.signal.as_mut().unwrap();
            signal.code = other(code);
            signal.address = address.unwrap_or(other(4711));
        }
        let found = against(text, core);
        found.iter().filter(|d| permitted(d).is_none()).map(Difference::group).collect::<Vec<_>>()
    };
    let none = || Known::Missing(Missing::NotApplicable);
    assert_eq!(found(0, none()), [""; 0]);
    assert_eq!(found(0, other(1)), ["signal.address"]);
    assert_eq!(found(1, none()), ["signal.address (absent)"]);
}

#[test]
fn what_the_runtime_overwrote_is_permitted_and_no_more() {
    let (mut text, core) = (Told::new(Source::Text), core());
    let dump = (0..40).map(|i| format!("*(object+{}) = 0x{i:08x}", i * 8).into());
    text.crash.diagnostics = std::iter::once("runtime: first".into()).chain(dump).collect();
    let found = against(text.clone(), core.clone());
    let lost = found.iter().filter(|d| permitted(d).is_some_and(|p| p.name == "overwritten")).count();
    // Up to 27 bytes a line with its blank and its end, and the fatal error: 17 of them are whole.
    assert_eq!((lost, found.len()), (41 - 17, 41));
    text.crash.diagnostics.truncate(10);
    assert!(against(text, core).iter().all(|d| permitted(d).is_none()));
}
