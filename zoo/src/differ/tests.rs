//! Two made-up Programs that say the same, and each way in which the core's may come to say something else.

use super::{Difference, compare, permitted};
use crate::told::{Told, panic_line};
use gopsy_model::{
    Bubble, BubbleKind, Creation, Elision, Frame, FunctionName, Goroutine, Headline, Known, Missing, PanicLine, Role,
    Signal, Source, Stack, Status, Trust,
};
use gopsy_program::Program;

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
        goroutine.labels = Known::not_printed();
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
        ("goroutine.labels (absent)", |t| waiter(t).labels = Known::not_printed()),
        ("goroutine.labels", |t| waiter(t).labels = other(vec![("k".into(), "w".into())])),
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
        ("panic.value", |t| first(t).value = "first\n\nsecond\n\nthird".into()),
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
        ..Stack::default()
    };
    let gap = |count| vec![Elision::of(2, Known::printed(count))];
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
fn a_stack_that_could_not_be_printed_is_the_one_of_the_signal() {
    let found = |pc: u64| {
        let (mut text, mut core) = (Told::new(Source::Text), core());
        text.stacks[2].0 = Goroutine::bare(Role::System);
        text.stacks[2].1.frames.clear();
        core.stacks[2].1.frames[0].pc = other(pc);
        against(text, core).iter().map(Difference::group).collect::<Vec<_>>()
    };
    assert_eq!(found(0x400c), [""; 0]);
    assert_eq!(found(0x400d), ["system-stack (absent)"]);
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
    // From then on the value is indented, and its stack is told from the others.
    assert_eq!(found("go1.23.12", value), ["panic.value", "crashed", "goroutine (absent)"]);
    assert_eq!(found("go1.20.14", "failed\n\ngoroutine 8 [running]:\n"), ["crashed", "goroutine (absent)"]);
}

#[test]
fn a_goroutine_whose_stack_was_quoted_may_live_on() {
    let found = |crashed| {
        let (mut text, mut core) = (Told::new(Source::Text), core());
        // The quoted stack has another top than the one that the goroutine has now.
        let mut quoted = text.stacks[1].clone();
        quoted.1.frames[0].function = Known::printed(FunctionName("runtime/debug.Stack".into()));
        text.stacks.push(quoted);
        text.crash.stacks.end += 1;
        text.crash.crashed = Some(crashed);
        core.crash.headlines[0] = panic_line("first\n\nsecond\n\ngoroutine 7 [running]:\n");
        core.go = "go1.22.12";
        let found = against(text, core);
        found.iter().filter(|d| permitted(d).is_none()).map(Difference::group).collect::<Vec<_>>()
    };
    assert_eq!(found(3), [""; 0]);
    // Another than the one that is said to have died is compared.
    assert_eq!(found(0), ["frame.function"]);
}

#[test]
fn a_system_stack_goes_on_in_c_and_no_other() {
    let found = |stack: usize, foreign| {
        let mut core = core();
        let more = Frame { foreign, ..core.frame("abort", 1) };
        core.stacks[stack].1.frames.push(more);
        let [found] = &against(Told::new(Source::Text), core)[..] else { panic!() };
        permitted(found).map(|p| p.name)
    };
    assert_eq!(found(2, true), Some("on-in-c"));
    assert_eq!(found(2, false), None);
    assert_eq!(found(1, true), None);
}

#[test]
fn a_system_stack_goes_on_behind_morestack_where_that_aborts() {
    let found = |names: [&str; 2], stack: usize| {
        let (mut text, mut core) = (Told::new(Source::Text), core());
        for told in [&mut text, &mut core] {
            told.stacks[stack].1.frames = names.iter().map(|name| told.frame(name, 5)).collect();
        }
        let further = core.frame("main.deep", 7);
        core.stacks[stack].1.frames.push(further);
        let [found] = &against(text, core)[..] else { panic!() };
        permitted(found).map(|p| p.name)
    };
    assert_eq!(found(["runtime.abort", "runtime.morestack"], 2), Some("out-of-morestack"));
    assert_eq!(found(["runtime.badmorestackg0", "runtime.morestack"], 2), Some("out-of-morestack"));
    assert_eq!(found(["runtime.newstack", "runtime.morestack"], 2), None);
    assert_eq!(found(["runtime.abort", "runtime.morestack"], 1), None);
}

#[test]
fn only_what_writes_the_stack_pointer_is_read_further_than_it_is_printed() {
    // The frame of the text, that of the core, and whether the text has one more, of what stands there by chance.
    let found = |text_frame: (&str, u64, u64), core_fp: u64, strays: bool| {
        let (mut text, mut core) = (Told::new(Source::Text), core());
        let (name, sp, fp) = text_frame;
        assert!(core.stacks[1].1.frames[1].pc.value().is_some());
        for (told, fp) in [(&mut text, fp), (&mut core, core_fp)] {
            told.stacks[1].1.frames[1] = Frame { sp: other(sp), fp: other(fp), ..told.frame(name, 30) };
        }
        let further = [core.frame("main.caller", 31), core.frame("runtime.goexit", 32)];
        core.stacks[1].1.frames.extend(further);
        if strays {
            let chance = text.frame("runtime.mstart", 40);
            text.stacks[1].1.frames.push(chance);
        }
        let found = against(text, core);
        found.iter().map(|d| permitted(d).map(|p| p.name)).collect::<Vec<_>>()
    };
    let out = Some("out-of-sp-write");
    let (sp, next, far) = (0x7f_0000, 0x7f_0008, 0xc0_0000_8000);
    assert_eq!(found(("racecall", sp, next), far, false), [out, out]);
    assert_eq!(found(("racecall", sp, next), far, true), [out, out]);
    // Not on the system stack yet: the traceback ends, and what it would print both must agree on.
    assert_eq!(found(("racecall", sp, next), next, false), [out]);
    assert_eq!(found(("racecall", sp, next), next, true), [None]);
    assert_eq!(found(("time.now", sp, next), next, false), [out]);
    assert_eq!(found(("main.f", sp, next), next, false), [None]);
    // Another function; not the next word; another frame of the same stack.
    assert_eq!(found(("runtime.systemstack", sp, next), far, false), [None, None]);
    assert_eq!(found(("time.now", sp, next), far, false), [None, None]);
    assert_eq!(found(("racecall", sp, next + 8), far, false), [None, None]);
    assert_eq!(found(("racecall", sp, next), next + 0x100, false), [None, None]);
}

#[test]
fn a_long_stack_is_cut_without_a_word_in_old_texts_only() {
    let found = |go, printed: usize| {
        let (mut text, mut core) = (Told::new(Source::Text), core());
        let frames = |told: &Told, count| (0..count).map(|line| told.frame("main.deep", line as i64)).collect();
        text.stacks[1].1.frames = frames(&text, printed);
        core.stacks[1].1.frames = frames(&core, printed + 3);
        core.go = go;
        let [found] = &against(text, core)[..] else { panic!() };
        permitted(found).map(|p| p.name)
    };
    assert_eq!(found("go1.20.14", 101), Some("cut-without-a-word"));
    assert_eq!(found("go1.20.14", 99), None);
    assert_eq!(found("go1.21.13", 101), None);
}

#[test]
fn what_the_runtime_says_of_a_traceback_is_not_recorded() {
    let lost = "runtime: g 7: unexpected return pc for main.lost called from 0x1";
    let found = |line: &str, next: &str| {
        let mut text = Told::new(Source::Text);
        text.crash.diagnostics.push(line.into());
        let outer = text.frame(next, 1);
        text.stacks[1].1.frames.push(outer);
        let found = against(text, core());
        found.iter().map(|d| (d.group(), permitted(d).map(|p| p.name))).collect::<Vec<_>>()
    };
    let of = Some("of-the-traceback");
    let all = |diagnostic: &str, name, outer: &str, permitted| {
        vec![(format!("{diagnostic} (absent)"), name), (format!("{outer} (absent)"), permitted)]
    };
    assert_eq!(found(lost, "main.lost"), all("diagnostic.of-the-traceback", of, "stack.outer-lost", of));
    // Another function than the one that is named is a frame that the core lacks.
    assert_eq!(found(lost, "main.other"), all("diagnostic.of-the-traceback", of, "stack.outer", None));
    assert_eq!(found("runtime: bad thing", "main.lost"), all("diagnostic", None, "stack.outer", None));
}

#[test]
fn words_that_were_not_recorded_are_those_of_threads_that_died_at_once() {
    let found = |unrecorded: usize, more: Headline| {
        let (mut text, mut core) = (Told::new(Source::Text), core());
        text.crash.headlines.push(more);
        core.crash.unrecorded = unrecorded;
        let found = against(text, core);
        found.iter().map(|d| permitted(d).map(|p| p.name)).collect::<Vec<_>>()
    };
    assert_eq!(found(1, Headline::Fatal("concurrent map writes".into())), [Some("unrecorded")]);
    assert_eq!(found(1, panic_line("x")), [None]);
    assert_eq!(found(0, Headline::Fatal("concurrent map writes".into())), [None]);
}

#[test]
fn a_line_that_a_race_report_tore_says_nothing() {
    let found = |words: &str| {
        let mut text = Told::new(Source::Text);
        text.crash.headlines[1] = Headline::Fatal(words.into());
        let found = against(text, core());
        found.iter().map(|d| permitted(d).map(|p| p.name)).collect::<Vec<_>>()
    };
    assert_eq!(found("  main.(*cache).bump()"), [Some("torn")]);
    assert_eq!(found("another fault"), [None]);
}

#[test]
fn each_line_is_borne_out_by_one_of_its_own() {
    let found = |times| {
        let (mut text, mut core) = (Told::new(Source::Text), core());
        text.crash.diagnostics = vec!["runtime: x".into(); 2];
        core.crash.diagnostics = vec!["runtime: x".into(); times];
        against(text, core).iter().map(Difference::group).collect::<Vec<_>>()
    };
    assert_eq!(found(1), ["diagnostic (absent)"]);
    assert_eq!(found(2), [""; 0]);
}

#[test]
fn who_stands_where_it_stood_has_not_moved_on() {
    let found = |change: fn(&mut Frame)| {
        let (mut text, mut core) = (Told::new(Source::Text), core());
        for told in [&mut text, &mut core] {
            waiter(told).status = other(Status::Runnable);
        }
        change(frame(&mut core));
        let found = against(text, core);
        found.iter().map(|d| (d.kind, permitted(d).map(|p| p.name))).collect::<Vec<_>>()
    };
    assert_eq!(found(|f| f.line = other(31)), [("frame.line", None)]);
    assert_eq!(found(|f| f.function = other(FunctionName("main.x".into()))), [("frame.function", None)]);
    let moved = Some("moved-on");
    assert_eq!(found(|f| (f.line, f.pc) = (other(31), other(1))), [("frame.line", moved), ("frame.pc", moved)]);
}

#[test]
fn only_before_an_interruption_old_texts_name_another_line() {
    let found = |go, inner: &str, change: fn(&mut Frame)| {
        let (mut text, mut core) = (Told::new(Source::Text), core());
        for told in [&mut text, &mut core] {
            told.stacks[1].1.frames[0] = told.frame(inner, 20);
        }
        change(frame(&mut core));
        core.go = go;
        let found = against(text, core);
        found.iter().map(|d| (d.kind, permitted(d).map(|p| p.name))).collect::<Vec<_>>()
    };
    let before = Some("before-the-preempted");
    let preempt = "runtime.asyncPreempt";
    assert_eq!(found("go1.20.14", preempt, |f| f.line = other(31)), [("frame.line-of-preempted", before)]);
    assert_eq!(
        found("go1.20.14", preempt, |f| f.function = other(FunctionName("main.x".into()))),
        [("frame.function", None)]
    );
    let inlined = |outer: &str| {
        let (mut text, mut core) = (Told::new(Source::Text), core());
        for (told, inner, outer) in [(&mut text, "main.x", "main.outer"), (&mut core, "main.y", outer)] {
            let called = Frame { inlined: true, ..told.frame(inner, 20) };
            told.stacks[1].1.frames = vec![told.frame(preempt, 20), called, told.frame(outer, 20)];
        }
        core.go = "go1.20.14";
        against(text, core).first().map(|d| (d.kind, permitted(d).map(|p| p.name)))
    };
    assert_eq!(inlined("main.outer"), Some(("frame.function-of-preempted", before)));
    assert_eq!(inlined("main.another"), Some(("frame.function", None)));
    assert_eq!(found("go1.21.13", preempt, |f| f.line = other(31)), [("frame.line", None)]);
    assert_eq!(found("go1.20.14", "main.wait", |f| f.line = other(31)), [("frame.line", None)]);
    // Elsewhere it stands at another place.
    let elsewhere = found("go1.20.14", preempt, |f| (f.line, f.pc) = (other(31), other(1)));
    assert_eq!(elsewhere, [("frame.line", None), ("frame.pc", None)]);
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
