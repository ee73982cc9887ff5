//! Grouping and comparing goroutines, over evidence built by hand.

use gopsy_model::{
    Crash, Creation, Frame, FunctionName, Goroutine, Identity, Known, Missing, Role, Source, Stack, Status, Str,
};
use gopsy_program::{By, ChangeKind, Evidence, Filter, Group, Program, StackId, diff, group};

#[derive(Default)]
struct Mock {
    crash: Crash,
    all: Vec<(Goroutine, Stack)>,
}

impl Evidence for Mock {
    fn source(&self) -> Source {
        Source::Text
    }
    fn crash(&self) -> &Crash {
        &self.crash
    }
    fn identity(&self) -> Identity {
        Identity::default()
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

fn frame(function: &str, file: &str, line: i64, offset: u64) -> Frame {
    Frame {
        file: Known::printed(file.into()),
        line: Known::printed(line),
        offset: Known::printed(offset),
        pc: Known::printed(offset + 0x1000),
        ..Frame::named(function)
    }
}

/// A goroutine that waits in `function`, started by goroutine `parent`.
fn waits(id: u64, reason: &str, minutes: Option<u64>, function: &str, line: i64, parent: u64) -> (Goroutine, Stack) {
    let goroutine = Goroutine {
        id: Known::printed(id),
        status: Known::printed(Status::Waiting),
        wait_reason: Known::printed(Str::from(reason)),
        wait_minutes: Known::printed_or_not(minutes),
        created_by: Known::printed(Creation {
            function: FunctionName("main.start".into()),
            file: Known::printed("/src/main.go".into()),
            line: Known::printed(9),
            goroutine: Known::printed(parent),
        }),
        labels: Known::printed(vec![(
            "tenant".into(),
            if id.is_multiple_of(2) { "even".into() } else { "odd".into() },
        )]),
        ..Goroutine::bare(Role::Goroutine)
    };
    let stack = Stack {
        frames: vec![frame(function, "/src/work.go", line, id), frame("main.loop", "/src/work.go", 50, 1)],
        ..Stack::default()
    };
    (goroutine, stack)
}

fn program(all: Vec<(Goroutine, Stack)>, crashed: Option<StackId>) -> Program {
    let crash = Crash { stacks: 0..all.len(), crashed, ..Crash::default() };
    Program::new(Mock { crash, all })
}

fn grouped(program: &Program, by: &By, filter: &Filter) -> Vec<Group> {
    group(program, program.stacks(), by, filter)
}

fn some_waits() -> Vec<(Goroutine, Stack)> {
    vec![
        waits(1, "chan receive", Some(3), "main.take", 31, 1),
        waits(2, "chan receive", None, "main.take", 31, 7),
        waits(3, "select", Some(11), "main.take", 31, 8),
        waits(4, "IO wait", None, "main.read", 12, 1),
        waits(5, "chan receive", None, "main.take", 32, 1),
    ]
}

#[test]
fn ids_waits_labels_offsets_and_the_parent_do_not_count() {
    let program = program(some_waits(), None);
    let groups = grouped(&program, &By::Stack, &Filter::default());
    let members: Vec<&[StackId]> = groups.iter().map(|g| g.members.as_slice()).collect();
    assert_eq!(members, [&[0, 1, 2][..], &[3], &[4]]);
    assert_eq!(groups[0].states, [("chan receive".into(), 2), ("select".into(), 1)]);
    assert_eq!(groups[0].wait_minutes, Some((3, 11)));
    assert_eq!(groups[1].wait_minutes, None);
}

#[test]
fn a_line_a_function_a_role_and_the_go_statement_do_count() {
    let base = waits(1, "select", None, "main.take", 31, 1);
    let mut other_line = base.clone();
    other_line.1.frames[1].line = Known::printed(51);
    let mut other_role = base.clone();
    other_role.0.role = Role::Ancestor;
    let mut other_start = base.clone();
    other_start.0.created_by = other_start.0.created_by.map(|c| Creation { line: Known::printed(10), ..c });
    let mut no_start = base.clone();
    no_start.0.created_by = Known::not_printed();
    let program = program(vec![base, other_line, other_role, other_start, no_start], None);
    assert_eq!(grouped(&program, &By::Stack, &Filter::default()).len(), 5);
}

#[test]
fn the_crashed_one_comes_first_and_is_the_sample() {
    let mut all = some_waits();
    all.push(waits(6, "running", None, "main.read", 12, 1));
    let program = program(all, Some(5));
    let groups = grouped(&program, &By::Stack, &Filter::default());
    assert!(groups[0].crashed);
    assert_eq!(groups[0].members, [3, 5]);
    assert_eq!(groups[0].sample, 5);
    assert_eq!(groups[1].members.len(), 3);
}

#[test]
fn one_entry_of_a_profile_stands_for_many() {
    let mut all = some_waits();
    all[3].0.copies = 1000;
    let program = program(all, None);
    let groups = grouped(&program, &By::Stack, &Filter::default());
    assert_eq!((groups[0].count, groups[0].members.len()), (1000, 1));
    assert_eq!(groups[0].states, [("IO wait".into(), 1000)]);
}

#[test]
fn by_other_than_the_stack() {
    let mut all = some_waits();
    all[4].0.status = Known::printed(Status::Running);
    all[4].0.wait_reason = Known::not_printed();
    all.push((Goroutine::bare(Role::System), Stack::default()));
    let program = program(all, None);
    let names = |by: &By| -> Vec<(String, u64)> {
        grouped(&program, by, &Filter::default()).into_iter().map(|g| (g.name, g.count)).collect()
    };
    let pairs =
        |list: &[(&str, u64)]| -> Vec<(String, u64)> { list.iter().map(|(n, c)| ((*n).to_owned(), *c)).collect() };
    assert_eq!(names(&By::State), pairs(&[("waiting", 4), ("running", 1), ("no state", 1)]));
    assert_eq!(
        names(&By::Wait),
        pairs(&[("chan receive", 2), ("select", 1), ("IO wait", 1), ("running", 1), ("no state", 1)])
    );
    assert_eq!(names(&By::Creator), pairs(&[("main.start /src/main.go:9", 5), ("no creator", 1)]));
    assert_eq!(names(&By::Label("tenant".to_owned())), pairs(&[("odd", 3), ("even", 2), ("no label", 1)]));
}

/// Labels that are not known are not the same as none, and one reason is one group.
#[test]
fn labels_that_are_missing() {
    let mut all = some_waits();
    let unreadable = |at: &str| Known::Missing(Missing::Unreadable(format!("nothing is mapped at {at}").into()));
    (all[0].0.labels, all[1].0.labels) = (unreadable("0x10"), unreadable("0x20"));
    all[2].0.labels = Known::Missing(Missing::NotInCore);
    (all[3].0.labels, all[4].0.labels) = (Known::not_printed(), Known::printed(Vec::new()));
    let program = program(all, None);
    let groups = grouped(&program, &By::Label("tenant".to_owned()), &Filter::default());
    let names: Vec<(&str, u64)> = groups.iter().map(|group| (&*group.name, group.count)).collect();
    let right = [
        ("labels not known: they cannot be read", 2),
        ("labels not known: not in the core", 1),
        ("no label printed", 1),
        ("no label", 1),
    ];
    assert_eq!(names, right);
}

#[test]
fn filters() {
    let program = program(some_waits(), None);
    let members = |filter: &Filter| -> Vec<StackId> {
        let mut all: Vec<StackId> = grouped(&program, &By::Stack, filter).into_iter().flat_map(|g| g.members).collect();
        all.sort_unstable();
        all
    };
    let grep = |text: &str| members(&Filter { grep: Some(text.to_owned()), goroutine: None });
    assert_eq!(members(&Filter { goroutine: Some(3), grep: None }), [2]);
    assert_eq!(grep("main.read"), [3]);
    assert_eq!(grep("work.go:32"), [4]);
    assert_eq!(grep("main.go:9"), [0, 1, 2, 3, 4]);
    assert_eq!(grep("IO wait"), [3]);
    assert_eq!(grep("waiting"), [0, 1, 2, 3, 4]);
    assert_eq!(grep("even"), [1, 3]);
    assert_eq!(grep("tenant=odd"), [0, 2, 4]);
    assert_eq!(grep("work.go:3"), [0, 1, 2, 4]);
    assert!(grep("nothing of the kind").is_empty());
}

#[test]
fn a_key_survives_another_build() {
    let one = program(vec![waits(1, "select", None, "main.take", 31, 1)], None);
    let mut moved = waits(77, "chan receive", Some(9), "main.take", 33, 12);
    for frame in &mut moved.1.frames {
        frame.file = Known::printed("/home/ci/build/work.go".into());
    }
    let two = program(vec![moved], None);
    let key = |p: &Program| grouped(p, &By::Stack, &Filter::default())[0].key;
    assert_eq!(key(&one), key(&two));
    let three = program(vec![waits(1, "select", None, "main.other", 31, 1)], None);
    assert_ne!(key(&one), key(&three));
}

#[test]
fn what_changed_between_two_dumps() {
    let count = |n: u64, function: &str, line: i64| {
        (0..n).map(move |i| waits(i, "select", None, function, line, 1)).collect::<Vec<_>>()
    };
    let a = program(
        [count(3, "main.a", 1), count(5, "main.b", 1), count(2, "main.c", 1), count(2, "main.d", 1)].concat(),
        None,
    );
    // main.a grew and its line moved; main.b shrank; main.c vanished; main.d is the same; main.e appeared.
    let b = program(
        [count(40, "main.a", 4), count(4, "main.b", 1), count(2, "main.d", 1), count(7, "main.e", 1)].concat(),
        None,
    );
    let (a, b) = (grouped(&a, &By::Stack, &Filter::default()), grouped(&b, &By::Stack, &Filter::default()));
    let changes: Vec<(ChangeKind, u64, u64)> = diff(&a, &b).into_iter().map(|c| (c.kind, c.before, c.after)).collect();
    assert_eq!(
        changes,
        [
            (ChangeKind::Grew, 3, 40),
            (ChangeKind::Appeared, 0, 7),
            (ChangeKind::Vanished, 2, 0),
            (ChangeKind::Shrank, 5, 4)
        ]
    );
    assert!(diff(&a, &a).is_empty());
}

#[test]
fn groups_that_differ_in_lines_only_are_matched_by_their_lines() {
    let count =
        |n: u64, line: i64| (0..n).map(move |i| waits(i, "select", None, "main.a", line, 1)).collect::<Vec<_>>();
    let a = program([count(9, 10), count(3, 20)].concat(), None);
    let b = program([count(12, 20), count(9, 10)].concat(), None);
    let (a, b) = (grouped(&a, &By::Stack, &Filter::default()), grouped(&b, &By::Stack, &Filter::default()));
    let changes = diff(&a, &b);
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].before, changes[0].after, changes[0].delta()), (3, 12, 9));
}

#[test]
fn an_empty_program_has_no_groups() {
    let program = program(Vec::new(), None);
    assert!(grouped(&program, &By::Stack, &Filter::default()).is_empty());
}

#[test]
fn more_states_than_a_program_has() {
    let states = Group::STATES as u64 + 500;
    let all = (0..states).map(|i| waits(i, &format!("state {i}"), None, "main.take", 31, 1)).collect();
    let groups = grouped(&program(all, None), &By::Stack, &Filter::default());
    assert_eq!((groups[0].count, groups[0].entries, groups[0].members.len()), (states, states, Group::MEMBERS));
    assert_eq!(groups[0].states.len(), Group::STATES + 1);
    assert_eq!(groups[0].states[0], (Group::OTHER_STATES.into(), 500));
    assert_eq!(groups[0].states.iter().map(|(_, count)| count).sum::<u64>(), states);
}
