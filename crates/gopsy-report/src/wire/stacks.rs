//! `gopsy.stacks/1`.

use super::{Creation, Form, Frames, Streamed, json, role};
use gopsy_model as model;
use gopsy_program::{By, Group, Program, is_status};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::io;

/// The name of the form.
const SCHEMA: &str = "gopsy.stacks/1";
/// How many goroutine numbers of a group are given.
const MAX_IDS: usize = 100;

/// What is written besides the program itself.
#[derive(Debug, Clone)]
pub struct Stacks<'a> {
    /// What the stacks are of, in words (a path, `pid 7`).
    pub target: &'a str,
    /// What was counted by.
    pub by: &'a By,
    /// The groups, all of them.
    pub groups: &'a [Group],
    /// How many of the groups are written.
    pub limit: Option<usize>,
    /// What a person should know.
    pub notes: &'a [String],
}

#[derive(Serialize)]
struct Wire<'a, G: Serialize> {
    schema: &'static str,
    target: &'a str,
    by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    goroutines: u64,
    states: BTreeMap<&'a str, u64>,
    waits: BTreeMap<&'a str, u64>,
    groups: G,
    #[serde(skip_serializing_if = "is_zero")]
    groups_left_out: usize,
    notes: Vec<&'a str>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[derive(Serialize)]
struct WireGroup<'a> {
    count: u64,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    crashed: bool,
    #[serde(serialize_with = "counts")]
    states: &'a [(model::Str, u64)],
    wait_minutes: Option<Minutes>,
    ids: Vec<u64>,
    ids_left_out: u64,
    #[serde(flatten)]
    frames: Option<Frames>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<Creation>,
}

#[derive(Serialize)]
struct Minutes {
    min: u64,
    max: u64,
}

fn counts<S: Serializer>(counts: &[(model::Str, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(counts.iter().map(|(word, count)| (word.as_ref(), count)))
}

/// Writes groups as `gopsy.stacks/1`.
pub fn stacks(out: impl io::Write, program: &Program, input: &Stacks<'_>, form: Form) -> io::Result<()> {
    let (mut states, mut waits) = (BTreeMap::new(), BTreeMap::new());
    for (word, count) in input.groups.iter().flat_map(|g| &g.states) {
        let (state, wait) = if is_status(word) { (word.as_ref(), None) } else { ("waiting", Some(word.as_ref())) };
        *states.entry(state).or_default() += count;
        if let Some(wait) = wait {
            *waits.entry(wait).or_default() += count;
        }
    }
    let shown = input.limit.unwrap_or(usize::MAX).min(input.groups.len());
    let by_stack = *input.by == By::Stack;
    let value = Wire {
        schema: SCHEMA,
        target: input.target,
        by: match input.by {
            By::Stack => "stack",
            By::State => "state",
            By::Wait => "wait",
            By::Object => "object",
            By::Creator => "creator",
            By::Label(_) => "label",
        },
        label: match input.by {
            By::Label(label) => Some(label),
            _ => None,
        },
        goroutines: input.groups.iter().map(|g| g.count).sum(),
        states,
        waits,
        groups: Streamed::new(input.groups.iter().take(shown).map(|g| group(program, g, by_stack))),
        groups_left_out: input.groups.len() - shown,
        notes: input.notes.iter().map(String::as_str).collect(),
    };
    json::write(out, &value, form)
}

fn group<'a>(program: &Program, group: &'a Group, by_stack: bool) -> WireGroup<'a> {
    let ids: Vec<u64> =
        group.members.iter().take(MAX_IDS).filter_map(|&id| program.goroutine(id).id.into_value()).collect();
    // The creating goroutine differs between members: its number would be the sample's.
    let created_by = by_stack.then(|| program.goroutine(group.sample).created_by.into_value()).flatten();
    let same_parent = group.entries == 1;
    WireGroup {
        count: group.count,
        key: format!("{:016x}", group.key),
        name: (!by_stack).then_some(group.name.as_str()),
        role: (by_stack && group.role != model::Role::Goroutine).then(|| role(group.role)),
        crashed: group.crashed,
        states: &group.states,
        wait_minutes: group.wait_minutes.map(|(min, max)| Minutes { min, max }),
        ids_left_out: group.count.saturating_sub(ids.len() as u64),
        ids,
        frames: by_stack.then(|| Frames::new(&program.stack(group.sample))),
        created_by: created_by.map(|c| Creation::new(&c)).map(|c| if same_parent { c } else { c.without_goroutine() }),
    }
}
