//! `gopsy.doctor/1`.

use super::{Form, json};
use crate::doctor::{Check, Checkup, Fix, Group};
use serde::Serialize;
use std::io;

/// The name of the form.
const SCHEMA: &str = "gopsy.doctor/1";

#[derive(Serialize)]
struct Wire<'a> {
    schema: &'static str,
    system: &'a str,
    kernel: Option<&'a str>,
    account: &'a str,
    surroundings: &'a [String],
    groups: Vec<WireGroup<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct WireGroup<'a> {
    id: &'a str,
    title: &'a str,
    judgement: Option<&'static str>,
    informative: bool,
    checks: Vec<WireCheck<'a>>,
}

#[derive(Serialize)]
struct WireCheck<'a> {
    id: &'a str,
    name: &'a str,
    found: &'a str,
    judgement: &'static str,
    why: &'a str,
    fixes: Vec<WireFix<'a>>,
}

#[derive(Serialize)]
struct WireFix<'a> {
    command: &'a str,
    scope: &'static str,
}

/// Writes a checkup as `gopsy.doctor/1`.
pub fn doctor(out: impl io::Write, checkup: &Checkup, form: Form) -> io::Result<()> {
    let value = Wire {
        schema: SCHEMA,
        system: &checkup.system,
        kernel: checkup.kernel.as_deref(),
        account: &checkup.account,
        surroundings: &checkup.surroundings,
        groups: checkup.groups.iter().map(group).collect(),
        notes: &checkup.notes,
    };
    json::write(out, &value, form)
}

fn group(group: &Group) -> WireGroup<'_> {
    WireGroup {
        id: group.id,
        title: group.title,
        judgement: group.judgement().map(|j| j.as_str()),
        informative: group.informative,
        checks: group.checks.iter().map(check).collect(),
    }
}

fn check(check: &Check) -> WireCheck<'_> {
    WireCheck {
        id: check.id,
        name: check.name,
        found: &check.found,
        judgement: check.judgement.as_str(),
        why: check.why,
        fixes: check.fixes.iter().map(|Fix { command, scope }| WireFix { command, scope: scope.as_str() }).collect(),
    }
}
