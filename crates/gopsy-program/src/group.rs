//! Goroutines that do the same thing, counted.
//!
//! A dump of 100,000 goroutines is a handful of stacks. A group is made of goroutines with the same role, the same
//! frames (function, file, line) and the same `go` statement; numbers, waits, labels, argument words and pcs do not
//! count, and neither does the number of the creating goroutine: that is what makes thousands of workers one group.

use crate::key;
use crate::{Program, StackId};
use gopsy_model::{Brief, Goroutine, Known, Missing, Role, Stack, Str, WaitsAt};
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// What goroutines are counted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// What they execute and who started them.
    Stack,
    /// Running, waiting, in a system call …
    State,
    /// What they wait for, and for those that do not wait their state.
    Wait,
    /// The channels or the semaphore that they wait at, and for the others what [`By::Wait`] counts by.
    Object,
    /// The `go` statement that started them.
    Creator,
    /// The value of a profiler label.
    Label(String),
}

/// Which goroutines are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only the goroutine with this number.
    pub goroutine: Option<u64>,
    /// Only those in which this text occurs in a function, in a `file:line`, in the state, the wait reason, a label,
    /// or in the same of the `go` statement that started them.
    pub grep: Option<String>,
}

/// Goroutines that do the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// By what the group is recognised in another run: functions and base names of files for [`By::Stack`], the name
    /// otherwise. Two groups of one program share it when they differ in lines only.
    pub key: u64,
    /// What tells groups with the same key apart: their lines.
    pub lines: u64,
    /// The name; empty for [`By::Stack`].
    pub name: String,
    /// The first [`Group::MEMBERS`] members, in the order of the source.
    pub members: Vec<StackId>,
    /// How many members there are.
    pub entries: u64,
    /// How many goroutines that is: a profile counts goroutines, so one member may stand for many.
    pub count: u64,
    /// The member to show.
    pub sample: StackId,
    /// What they are doing (`chan receive`, `running`) and how many of them, most first. Beyond [`Group::STATES`]
    /// words, which no program has, the rest is counted as [`Group::OTHER_STATES`].
    pub states: Vec<(Str, u64)>,
    /// The shortest and the longest wait in minutes, of those members for which one is known.
    pub wait_minutes: Option<(u64, u64)>,
    /// What kind of stacks they are; of the sample, if the group is not made of stacks.
    pub role: Role,
    /// The stack that failed is one of them.
    pub crashed: bool,
}

impl Group {
    /// How many members are kept by number. All are counted.
    pub const MEMBERS: usize = 1000;
    /// How many states are told apart. Go has about fifty.
    pub const STATES: usize = 1000;
    /// What stands for the states beyond them.
    pub const OTHER_STATES: &str = "other states";
}

/// Is this word of [`Brief::state`] a status of the scheduler, and not a reason to wait?
#[must_use]
pub fn is_status(word: &str) -> bool {
    // Go's own list (`gStatusStrings` in runtime/traceback.go), `waiting` for a wait without a reason.
    matches!(
        word,
        "idle" | "runnable" | "running" | "syscall" | "waiting" | "dead" | "copystack" | "preempted" | "leaked"
    ) || word == Brief::NO_STATE
        || word == Group::OTHER_STATES
}

/// Groups the goroutines `ids` of `program`. The group of the stack that failed comes first, then the largest; groups of
/// one size keep the order of the source.
pub fn group(program: &Program, ids: impl Iterator<Item = StackId>, by: &By, filter: &Filter) -> Vec<Group> {
    let mut grep = filter.grep.as_deref().map(Grep::new);
    let mut index: HashMap<u64, usize, BuildHasherDefault<Ready>> = HashMap::default();
    let mut groups: Vec<Building> = Vec::new();
    let crashed = program.crashed();
    for id in ids {
        if let Some(wanted) = filter.goroutine
            && program.goroutine(id).id.into_value() != Some(wanted)
        {
            continue;
        }
        if let Some(grep) = &mut grep
            && !grep.accepts(program, id)
        {
            continue;
        }
        let (key, name) = key_and_name(program, id, by);
        let at = *index.entry(key).or_insert_with(|| {
            groups.push(Building::new(name.into_owned()));
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(at) {
            group.add(program, id, crashed == Some(id));
        }
    }
    let mut groups: Vec<Group> = groups.into_iter().filter_map(|g| g.finish(program, by)).collect();
    groups.sort_unstable_by(|a, b| {
        b.crashed.cmp(&a.crashed).then(b.count.cmp(&a.count)).then(a.members.first().cmp(&b.members.first()))
    });
    groups
}

/// What goroutines of several groups wait at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// The channel, semaphore or condition, in words.
    pub object: String,
    /// How many goroutines wait at it, alone or in a `select`.
    pub goroutines: u64,
    /// In how many groups they are.
    pub groups: u64,
}

/// What goroutines of several of these groups wait at, the most first. The groups are made [`By::Object`]: a `select` is a group of its
/// own, though others wait at each of its channels.
#[must_use]
pub fn shared(program: &Program, groups: &[Group]) -> Vec<Shared> {
    let mut all: HashMap<u64, Shared> = HashMap::new();
    for group in groups {
        let mut objects = program.goroutine(group.sample).waits_at.into_value().unwrap_or_default();
        // A select may name a channel twice.
        objects.sort_by_key(WaitsAt::address);
        objects.dedup_by_key(|object| object.address());
        for object in objects {
            let empty = || Shared { object: object.to_string(), goroutines: 0, groups: 0 };
            let shared = all.entry(object.address()).or_insert_with(empty);
            shared.goroutines = shared.goroutines.saturating_add(group.count);
            shared.groups += 1;
        }
    }
    let mut all: Vec<(u64, Shared)> = all.into_iter().filter(|(_, shared)| shared.groups > 1).collect();
    all.sort_by_key(|(address, shared)| (std::cmp::Reverse(shared.goroutines), *address));
    all.into_iter().map(|(_, shared)| shared).collect()
}

/// How a group differs between two dumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It was not there before.
    Appeared,
    /// It has more members.
    Grew,
    /// It has fewer members.
    Shrank,
    /// It is no longer there.
    Vanished,
}

impl ChangeKind {
    /// The word used on the wire and on the terminal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeKind::Appeared => "appeared",
            ChangeKind::Grew => "grew",
            ChangeKind::Shrank => "shrank",
            ChangeKind::Vanished => "vanished",
        }
    }
}

/// A group whose size differs between two dumps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// In which way.
    pub kind: ChangeKind,
    /// The key of the group.
    pub key: u64,
    /// Goroutines before.
    pub before: u64,
    /// Goroutines after.
    pub after: u64,
    /// Index of the group in the first list.
    pub a: Option<usize>,
    /// Index of the group in the second list.
    pub b: Option<usize>,
}

impl Change {
    /// By how much the group grew; negative if it shrank.
    #[must_use]
    pub fn delta(&self) -> i64 {
        let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        count(self.after).saturating_sub(count(self.before))
    }
}

/// What changed from `a` to `b`, the largest change first. Groups are matched by key and, where several share one, by
/// their lines first and then in order: an edit that moves lines does not make goroutines appear and vanish.
#[must_use]
pub fn diff(a: &[Group], b: &[Group]) -> Vec<Change> {
    let mut exact: HashMap<(u64, u64), Vec<usize>> = HashMap::new();
    for (i, group) in a.iter().enumerate().rev() {
        exact.entry((group.key, group.lines)).or_default().push(i);
    }
    let partner: Vec<Option<usize>> =
        b.iter().map(|group| exact.get_mut(&(group.key, group.lines)).and_then(Vec::pop)).collect();
    let mut moved: HashMap<u64, Vec<usize>> = HashMap::new();
    let mut rest: Vec<usize> = exact.into_values().flatten().collect();
    rest.sort_unstable_by(|x, y| y.cmp(x));
    for i in rest {
        if let Some(group) = a.get(i) {
            moved.entry(group.key).or_default().push(i);
        }
    }
    let partner: Vec<Option<usize>> = b
        .iter()
        .zip(partner)
        .map(|(group, found)| found.or_else(|| moved.get_mut(&group.key).and_then(Vec::pop)))
        .collect();
    let mut matched = vec![false; a.len()];
    for &i in partner.iter().flatten() {
        if let Some(matched) = matched.get_mut(i) {
            *matched = true;
        }
    }
    let mut changes = Vec::new();
    let mut change = |key: u64, ia: Option<usize>, ib: Option<usize>| {
        let size = |groups: &[Group], i: Option<usize>| i.and_then(|i| groups.get(i)).map_or(0, |g| g.count);
        let (before, after) = (size(a, ia), size(b, ib));
        let kind = match (ia, ib) {
            (None, _) => ChangeKind::Appeared,
            (_, None) => ChangeKind::Vanished,
            _ if after > before => ChangeKind::Grew,
            _ if after < before => ChangeKind::Shrank,
            _ => return,
        };
        changes.push(Change { kind, key, before, after, a: ia, b: ib });
    };
    for (ib, (group, ia)) in b.iter().zip(&partner).enumerate() {
        change(group.key, *ia, Some(ib));
    }
    for (ia, (group, matched)) in a.iter().zip(&matched).enumerate() {
        if !matched {
            change(group.key, Some(ia), None);
        }
    }
    changes.sort_by_key(|c| std::cmp::Reverse(c.delta().unsigned_abs()));
    changes
}

fn key_and_name<'a>(program: &Program, id: StackId, by: &By) -> (u64, Cow<'a, str>) {
    let name = match by {
        By::Stack => return (program.stack_key(id), Cow::Borrowed("")),
        By::State => match program.goroutine(id).status.into_value() {
            Some(status) => status.as_str().to_owned(),
            None => Brief::NO_STATE.to_owned(),
        },
        By::Wait => program.brief(id).state.as_ref().to_owned(),
        By::Object => match program.goroutine(id).waits_at.into_value().as_deref() {
            None | Some([]) => program.brief(id).state.as_ref().to_owned(),
            Some(all) => return (key::name_key(&objects(all, all.len())), Cow::Owned(objects(all, OBJECTS))),
        },
        By::Creator => match program.goroutine(id).created_by.into_value() {
            Some(creation) => {
                let mut name = creation.function.as_str().to_owned();
                if let Some(file) = creation.file.value() {
                    name.push(' ');
                    name.push_str(&place(file, creation.line.value().copied()));
                }
                name
            }
            None => "no creator".to_owned(),
        },
        By::Label(label) => match program.goroutine(id).labels {
            Known::Have { value, .. } => match value.into_iter().find(|(key, _)| key.as_ref() == label) {
                Some((_, value)) => value.as_ref().to_owned(),
                None => NO_LABEL.to_owned(),
            },
            Known::Missing(why) => unlabelled(&why),
        },
    };
    (key::name_key(&name), Cow::Owned(name))
}

/// It has no such label.
const NO_LABEL: &str = "no label";

/// What stands for the label of a goroutine whose labels are missing: the reason, without what would tell one goroutine from
/// the next.
fn unlabelled(why: &Missing) -> String {
    match why {
        Missing::NotApplicable => NO_LABEL.to_owned(),
        Missing::NotPrinted => "no label printed".to_owned(),
        Missing::Unreadable(_) => "labels not known: they cannot be read".to_owned(),
        other => format!("labels not known: {other}"),
    }
}

/// Of a `select` of many cases so many channels are named.
const OBJECTS: usize = 4;

/// What a goroutine waits at, in words; of a `select` of many cases the first `shown`.
fn objects(all: &[WaitsAt], shown: usize) -> String {
    let mut words: Vec<String> = all.iter().take(shown).map(ToString::to_string).collect();
    if let Some(more) = all.len().checked_sub(shown).filter(|more| *more > 0) {
        words.push(format!("{more} more"));
    }
    words.join(" | ")
}

fn place(file: &str, line: Option<i64>) -> String {
    match line {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    }
}

/// Does the text occur in what a goroutine executes? Asked once for each distinct stack.
struct Grep<'a> {
    needle: &'a str,
    stacks: HashMap<u64, bool, BuildHasherDefault<Ready>>,
    words: HashMap<Str, bool>,
}

impl<'a> Grep<'a> {
    fn new(needle: &'a str) -> Self {
        Grep { needle, stacks: HashMap::default(), words: HashMap::new() }
    }

    fn accepts(&mut self, program: &Program, id: StackId) -> bool {
        let needle = self.needle;
        let by_stack = *self
            .stacks
            .entry(program.stack_key(id))
            .or_insert_with(|| occurs_in_stack(needle, &program.goroutine(id), &program.stack(id)));
        if by_stack {
            return true;
        }
        let word = program.brief(id).state;
        let by_word = *self.words.entry(word).or_insert_with_key(|word| word.contains(needle));
        if by_word {
            return true;
        }
        let goroutine = program.goroutine(id);
        goroutine.status.value().is_some_and(|s| s.as_str().contains(needle))
            || goroutine.labels.value().into_iter().flatten().any(|(key, value)| {
                key.contains(needle) || value.contains(needle) || format!("{key}={value}").contains(needle)
            })
    }
}

fn occurs_in_stack(needle: &str, goroutine: &Goroutine, stack: &Stack) -> bool {
    let occurs = |function: Option<&str>, file: Option<&Str>, line: Option<&i64>| {
        function.is_some_and(|f| f.contains(needle)) || file.is_some_and(|f| place(f, line.copied()).contains(needle))
    };
    stack.frames.iter().any(|f| occurs(f.function.value().map(|n| n.as_str()), f.file.value(), f.line.value()))
        || goroutine
            .created_by
            .value()
            .is_some_and(|c| occurs(Some(c.function.as_str()), c.file.value(), c.line.value()))
}

struct Building {
    name: String,
    members: Vec<StackId>,
    entries: u64,
    count: u64,
    states: States,
    wait_minutes: Option<(u64, u64)>,
    crashed: Option<StackId>,
}

impl Building {
    fn new(name: String) -> Self {
        Building {
            name,
            members: Vec::new(),
            entries: 0,
            count: 0,
            states: States::default(),
            wait_minutes: None,
            crashed: None,
        }
    }

    fn add(&mut self, program: &Program, id: StackId, crashed: bool) {
        self.entries = self.entries.saturating_add(1);
        if self.members.len() < Group::MEMBERS {
            if self.members.is_empty() {
                self.members.reserve_exact(1);
            }
            self.members.push(id);
        }
        if crashed {
            self.crashed = Some(id);
        }
        let Brief { state, wait_minutes, copies } = program.brief(id);
        self.count = self.count.saturating_add(copies);
        self.states.add(state, copies);
        if let Some(minutes) = wait_minutes {
            let (low, high) = self.wait_minutes.unwrap_or((minutes, minutes));
            self.wait_minutes = Some((low.min(minutes), high.max(minutes)));
        }
    }

    fn finish(self, program: &Program, by: &By) -> Option<Group> {
        let sample = self.crashed.or(self.members.first().copied())?;
        let goroutine = program.goroutine(sample);
        let (key, lines) = match by {
            By::Stack => {
                let stack = program.stack(sample);
                (key::stable_key(&goroutine, &stack), key::lines_key(&goroutine, &stack))
            }
            _ => (key::name_key(&self.name), 0),
        };
        let mut states = self.states.counted;
        states.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Some(Group {
            key,
            lines,
            name: self.name,
            members: self.members,
            entries: self.entries,
            count: self.count,
            sample,
            states,
            wait_minutes: self.wait_minutes,
            role: goroutine.role,
            crashed: self.crashed.is_some(),
        })
    }
}

/// States and how often each was met. Goroutines of one group tend to be in one, so a group may cost little.
#[derive(Default)]
struct States {
    counted: Vec<(Str, u64)>,
    /// Where a state is in `counted`; empty as long as there are few.
    #[expect(clippy::box_collection, reason = "most groups have none, and there may be very many groups")]
    index: Option<Box<HashMap<Str, usize>>>,
    /// The one that was met last.
    last: usize,
}

impl States {
    /// As many are found by looking at each.
    const FEW: usize = 8;

    fn add(&mut self, state: Str, copies: u64) {
        let is_last = self.counted.get(self.last).is_some_and(|(word, _)| *word == state);
        if !is_last {
            self.last = self.place(state);
        }
        if let Some((_, count)) = self.counted.get_mut(self.last) {
            *count = count.saturating_add(copies);
        }
    }

    /// Where this state is counted.
    fn place(&mut self, state: Str) -> usize {
        let known = match &self.index {
            Some(index) => index.get(&state).copied(),
            None => self.counted.iter().position(|(word, _)| *word == state),
        };
        if let Some(known) = known {
            return known;
        }
        let new = self.counted.len();
        if new > Group::STATES {
            // The last one stands for all that came too late.
            return Group::STATES;
        }
        let word: Str = if new == Group::STATES { Group::OTHER_STATES.into() } else { state };
        if new >= Self::FEW {
            let known = || self.counted.iter().enumerate().map(|(i, (word, _))| (word.clone(), i)).collect();
            self.index.get_or_insert_with(|| Box::new(known())).insert(word.clone(), new);
        }
        self.counted.reserve_exact(if new == 0 { 1 } else { new });
        self.counted.push((word, 0));
        new
    }
}

/// Keys are hashes already: a map of them need not hash again.
#[derive(Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}
