//! The wire forms: `gopsy.explain/1`, `gopsy.stacks/1`, `gopsy.doctor/1`, `gopsy.where/1` and `gopsy.info/1`.
//!
//! Described for readers in `docs/wire/`, for machines in `schema/`. Facts are never `Serialize`: what is written is
//! built here, one goroutine at a time, so that a dump of a million goroutines never stands in memory twice.
//!
//! Promises: a field keeps its meaning within one schema number, new ones may come; a reader treats every field as
//! optional (absent and `null` say the same); enums are open; numbers that are addresses or keys are hex strings.

mod doctor;
mod explain;
mod info;
mod json;
mod stacks;
mod whereabouts;

pub use doctor::doctor;
pub use explain::explain;
pub use info::info;
pub use json::Form;
pub use stacks::{Stacks, stacks};
pub use whereabouts::whereabouts;

use crate::fold::{Part, fold};
use gopsy_model as model;
use gopsy_model::{Known, Missing, Str};
use gopsy_program::{Program, StackId};
use serde::{Serialize, Serializer};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// An iterator that is written as a list and asked only once.
pub(crate) struct Streamed<I>(RefCell<Option<I>>);

impl<I> Streamed<I> {
    pub(crate) fn new(items: I) -> Self {
        Streamed(RefCell::new(Some(items)))
    }
}

impl<I: Iterator<Item: Serialize>> Serialize for Streamed<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.take() {
            Some(items) => serializer.collect_seq(items),
            None => serializer.collect_seq(std::iter::empty::<()>()),
        }
    }
}

/// An address or another number that no reader should compute with in floating point.
pub(crate) fn hex(number: u64) -> String {
    format!("{number:#x}")
}

fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Serialize)]
pub(crate) struct Frame {
    function: Option<Str>,
    file: Option<Str>,
    line: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pc: Option<String>,
    inlined: bool,
    #[serde(skip_serializing_if = "is_false")]
    foreign: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<Str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust: Option<&'static str>,
}

impl Frame {
    fn new(frame: &model::Frame) -> Self {
        Frame {
            function: frame.function.value().map(|f| f.0.clone()),
            file: frame.file.value().cloned(),
            line: frame.line.value().copied(),
            pc: frame.pc.value().copied().map(hex),
            inlined: frame.inlined,
            foreign: frame.foreign,
            module: frame.module.value().cloned(),
            trust: frame.trust().map(model::Trust::as_str),
        }
    }
}

/// Frames that are not in `frames`.
#[derive(Serialize)]
pub(crate) struct Elided {
    /// How many of the frames that are given stand before the gap.
    after: usize,
    /// How many are missing; absent if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// `recursion`: left out by gopsy, the last `cycle` frames before the gap repeat in it. `source`: not in the source.
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cycle: Option<usize>,
    /// Whose frames they are, if that is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    functions: Vec<ElidedFunction>,
}

#[derive(Serialize)]
pub(crate) struct ElidedFunction {
    function: Str,
    frames: u64,
}

impl Elided {
    fn of(gap: &model::Elision, after: usize) -> Self {
        let functions = gap.functions.iter();
        Elided {
            after,
            count: gap.count.value().copied(),
            reason: "source",
            cycle: None,
            functions: functions
                .map(|(name, frames)| ElidedFunction { function: name.0.clone(), frames: *frames })
                .collect(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Frames {
    frames: Vec<Frame>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    elided: Vec<Elided>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unavailable: Option<Str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<Str>,
}

/// A recursion with fewer frames is given in full.
const LONG_RECURSION: u64 = 100;

impl Frames {
    fn new(stack: &model::Stack) -> Self {
        let (unavailable, remarks) = (stack.unavailable.clone(), stack.remarks.clone());
        if (stack.frames.len() as u64) <= LONG_RECURSION {
            let elided = stack.elided.iter().map(|gap| Elided::of(gap, gap.after)).collect();
            return Frames { frames: stack.frames.iter().map(Frame::new).collect(), elided, unavailable, remarks };
        }
        let (mut frames, mut elided) = (Vec::new(), Vec::new());
        let mut give = |from: usize, to: usize| {
            frames.extend(stack.frames.get(from..to).unwrap_or(&[]).iter().map(Frame::new));
            frames.len()
        };
        for part in fold(stack) {
            match part {
                Part::Frames(from, to) => {
                    give(from, to);
                }
                Part::Cycle { start, period, times } if times.saturating_mul(period as u64) > LONG_RECURSION => {
                    let after = give(start, start + period);
                    let count = Some((times - 1).saturating_mul(period as u64));
                    elided.push(Elided {
                        after,
                        count,
                        reason: "recursion",
                        cycle: Some(period),
                        functions: Vec::new(),
                    });
                }
                Part::Cycle { start, period, times } => {
                    let frames = usize::try_from(times).unwrap_or(usize::MAX).saturating_mul(period);
                    give(start, start.saturating_add(frames));
                }
                Part::Gap(number) => {
                    let after = give(0, 0);
                    elided.extend(stack.elided.get(number).map(|gap| Elided::of(gap, after)));
                }
            }
        }
        Frames { frames, elided, unavailable, remarks }
    }
}

#[derive(Serialize)]
pub(crate) struct Creation {
    function: Str,
    file: Option<Str>,
    line: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    goroutine: Option<u64>,
}

impl Creation {
    fn without_goroutine(self) -> Self {
        Creation { goroutine: None, ..self }
    }

    fn new(creation: &model::Creation) -> Self {
        Creation {
            function: creation.function.0.clone(),
            file: creation.file.value().cloned(),
            line: creation.line.value().copied(),
            goroutine: creation.goroutine.value().copied(),
        }
    }
}

fn role(role: model::Role) -> &'static str {
    match role {
        model::Role::Goroutine => "goroutine",
        model::Role::System => "system",
        model::Role::Signal => "signal",
        model::Role::Bare => "bare",
        model::Role::Ancestor => "ancestor",
        model::Role::Thread => "thread",
    }
}

#[derive(Serialize)]
pub(crate) struct Goroutine {
    id: Option<u64>,
    /// Absent for goroutines.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    state: Option<Str>,
    wait_reason: Option<Str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waits_at: Vec<WaitsAt>,
    wait_minutes: Option<u64>,
    labels: BTreeMap<Str, Str>,
    /// Why they are not known. That a text does not print any is no news.
    #[serde(skip_serializing_if = "Option::is_none")]
    labels_unknown: Option<String>,
    crashed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    copies: Option<u64>,
    #[serde(skip_serializing_if = "is_false")]
    locked_to_thread: bool,
    #[serde(skip_serializing_if = "is_false")]
    leaked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    bubble: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ancestor: Option<u64>,
    /// The kernel's number of a thread that is listed for want of goroutines.
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<u32>,
    #[serde(flatten)]
    frames: Frames,
    created_by: Option<Creation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deferred: Vec<Creation>,
}

impl Goroutine {
    pub(crate) fn new(program: &Program, id: StackId) -> Self {
        let goroutine = program.goroutine(id);
        let untold = |why: &&Missing| !matches!(why, Missing::NotPrinted | Missing::NotApplicable);
        Goroutine {
            labels_unknown: goroutine.labels.missing().filter(untold).map(ToString::to_string),
            id: goroutine.id.value().copied(),
            role: (goroutine.role != model::Role::Goroutine).then(|| role(goroutine.role)),
            state: crate::case::status(&goroutine).map(|s| Str::from(s.as_str())),
            wait_reason: goroutine.wait_reason.into_value(),
            waits_at: goroutine.waits_at.value().into_iter().flatten().map(WaitsAt::new).collect(),
            wait_minutes: goroutine.wait_minutes.into_value(),
            labels: goroutine.labels.into_value().unwrap_or_default().into_iter().collect(),
            crashed: program.crashed() == Some(id),
            copies: (goroutine.copies != 1).then_some(goroutine.copies),
            locked_to_thread: goroutine.locked_to_thread,
            leaked: goroutine.leaked,
            bubble: goroutine.bubble.map(|b| b.id),
            ancestor: goroutine.ancestor,
            thread: goroutine.thread,
            frames: Frames::new(&program.stack(id)),
            created_by: goroutine.created_by.value().map(Creation::new),
            deferred: goroutine.deferred.iter().map(Creation::new).collect(),
        }
    }
}

#[derive(Serialize)]
struct WaitsAt {
    kind: &'static str,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    element: Option<Str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    len: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<bool>,
}

impl WaitsAt {
    fn bare(kind: &'static str, address: String) -> Self {
        WaitsAt { kind, address, element: None, len: None, capacity: None, closed: None }
    }

    fn new(at: &model::WaitsAt) -> Self {
        let address = format!("{:#x}", at.address());
        match at.clone() {
            model::WaitsAt::Channel { element, len, capacity, closed, .. } => WaitsAt {
                kind: "channel",
                address,
                element: element.into_value(),
                len: len.into_value(),
                capacity: capacity.into_value(),
                closed: closed.into_value(),
            },
            model::WaitsAt::Semaphore { .. } => WaitsAt::bare("semaphore", address),
            model::WaitsAt::Condition { .. } => WaitsAt::bare("condition", address),
        }
    }
}

#[derive(Serialize)]
struct Identity {
    go_version: Option<Str>,
    os: Option<Str>,
    arch: Option<Str>,
    module: Option<Str>,
    build_id: Option<Str>,
    pid: Option<u64>,
    started: Option<String>,
}

impl Identity {
    fn new(identity: model::Identity) -> Self {
        Identity {
            go_version: identity.go_version.into_value(),
            os: identity.os.into_value(),
            arch: identity.arch.into_value(),
            module: identity.module.into_value(),
            build_id: identity.build_id.into_value(),
            pid: identity.pid.into_value(),
            started: None,
        }
    }
}

fn known_hex(number: &Known<u64>) -> Option<String> {
    number.value().copied().map(hex)
}
