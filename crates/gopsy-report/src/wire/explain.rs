//! `gopsy.explain/1`.

use super::{Form, Frames, Goroutine, Identity, Streamed, json, known_hex};
use crate::case::{AroundGoroutine, Case};
use gopsy_model as model;
use gopsy_model::Str;
use gopsy_program::{Program, StackId};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;

/// The name of the form.
const SCHEMA: &str = "gopsy.explain/1";

#[derive(Serialize)]
struct Also<'a> {
    kind: &'static str,
    headline: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    line: u64,
}

impl<'a> Also<'a> {
    fn new(also: &'a model::Also) -> Self {
        Also { kind: also.kind.as_str(), headline: &also.headline, line: also.line }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[derive(Serialize)]
struct Explain<'a, G: Serialize> {
    schema: &'static str,
    verdict: Verdict<'a>,
    findings: Vec<Finding<'a>>,
    program: Identity,
    goroutines: G,
    native: Option<Frames>,
    system: Option<Frames>,
    called_from_c: Option<Frames>,
    panics: Vec<Panic<'a>>,
    races: Vec<Race>,
    notes: Vec<&'a str>,
}

/// One link of a chain of panics.
#[derive(Serialize)]
struct Panic<'a> {
    text: &'a str,
    recovered: bool,
    repanicked: bool,
    #[serde(rename = "type")]
    type_name: Option<&'a str>,
    value: Option<&'a str>,
    /// Of type and value.
    trust: Option<&'static str>,
}

impl<'a> Panic<'a> {
    fn new(panic: &'a model::PanicLine) -> Self {
        let held = panic.held.value();
        Panic {
            text: &panic.value,
            recovered: panic.recovered,
            repanicked: panic.repanicked,
            type_name: held.map(|held| &*held.type_name),
            value: held.map(|held| &*held.text),
            trust: panic.held.trust().map(model::Trust::as_str),
        }
    }

    fn all(crash: &'a model::Crash) -> Vec<Self> {
        let of = |headline: &'a model::Headline| match headline {
            model::Headline::Panic(panic) => Some(Panic::new(panic)),
            _ => None,
        };
        crash.headlines.iter().filter_map(of).collect()
    }
}

#[derive(Serialize)]
struct Verdict<'a> {
    kind: &'static str,
    cause: &'static str,
    confidence: &'static str,
    headline: &'a str,
    summary: &'a str,
    culprit: Option<Culprit<'a>>,
    also: Vec<Also<'a>>,
    advice: Vec<&'a str>,
    known_issues: Vec<KnownIssue<'a>>,
    unseen: &'a [String],
}

#[derive(Serialize)]
struct Culprit<'a> {
    function: &'a str,
    file: Option<&'a str>,
    line: Option<i64>,
    goroutine: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

#[derive(Serialize)]
struct KnownIssue<'a> {
    id: &'a str,
    title: &'a str,
    why: &'a str,
    fixed_in: Option<&'a str>,
    source: &'a [String],
}

#[derive(Serialize)]
struct Finding<'a> {
    rule: &'static str,
    claim: &'a str,
    cause: Option<&'static str>,
    confidence: Option<&'static str>,
    evidence: Vec<Evidence<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    advice: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    known_issue: Option<KnownIssue<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    culprit: Option<Culprit<'a>>,
}

#[derive(Serialize)]
struct Evidence<'a> {
    fact: &'a str,
    source: &'static str,
    trust: &'static str,
    /// What a rule wants to give to machines besides the sentence; no rule has anything yet.
    detail: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct Race {
    accesses: Vec<Access>,
    sections: Vec<Section>,
}

#[derive(Serialize)]
struct Access {
    kind: &'static str,
    atomic: bool,
    previous: bool,
    address: Option<String>,
    goroutine: Option<u64>,
    #[serde(flatten)]
    frames: Frames,
}

#[derive(Serialize)]
struct Section {
    heading: Str,
    goroutine: Option<u64>,
    #[serde(flatten)]
    frames: Frames,
}

impl<'a> Culprit<'a> {
    fn new(culprit: &'a model::Culprit) -> Self {
        Culprit {
            function: &culprit.function,
            file: culprit.file.as_deref(),
            line: culprit.line,
            goroutine: culprit.goroutine,
            why: culprit.why.as_deref(),
        }
    }
}

impl<'a> KnownIssue<'a> {
    fn new(issue: &'a model::KnownIssue) -> Self {
        KnownIssue {
            id: &issue.id,
            title: &issue.title,
            why: &issue.why,
            fixed_in: issue.fixed_in.as_deref(),
            source: &issue.source,
        }
    }
}

fn advice(list: &[model::Advice]) -> Vec<&str> {
    list.iter().map(|a| a.0.as_str()).collect()
}

impl<'a> Verdict<'a> {
    fn new(verdict: &'a model::Verdict) -> Self {
        Verdict {
            kind: verdict.kind.as_str(),
            cause: verdict.cause.as_str(),
            confidence: verdict.confidence.as_str(),
            headline: &verdict.headline,
            summary: &verdict.summary,
            culprit: verdict.culprit.as_ref().map(Culprit::new),
            also: verdict.also.iter().map(Also::new).collect(),
            advice: advice(&verdict.advice),
            known_issues: verdict.known_issues.iter().map(KnownIssue::new).collect(),
            unseen: &verdict.unseen,
        }
    }
}

impl<'a> Finding<'a> {
    fn new(finding: &'a model::Finding) -> Self {
        let evidence = finding.evidence.iter().map(|e| Evidence {
            fact: &e.fact,
            source: e.source.as_str(),
            trust: e.trust.as_str(),
            detail: BTreeMap::new(),
        });
        Finding {
            rule: finding.rule,
            claim: &finding.sentence,
            cause: finding.claim.as_ref().map(|c| c.cause.as_str()),
            confidence: finding.claim.as_ref().map(|c| c.confidence.as_str()),
            evidence: evidence.collect(),
            advice: advice(&finding.advice),
            known_issue: finding.known_issue.as_ref().map(KnownIssue::new),
            culprit: finding.culprit.as_ref().map(Culprit::new),
        }
    }
}

impl Race {
    fn new(race: &model::RaceReport) -> Self {
        let accesses = race.accesses.iter().map(|access| Access {
            kind: match access.kind {
                model::AccessKind::Read => "read",
                model::AccessKind::Write => "write",
            },
            atomic: access.atomic,
            previous: access.previous,
            address: known_hex(&access.address),
            goroutine: access.goroutine.value().copied(),
            frames: Frames::new(&access.stack),
        });
        let sections = race.sections.iter().map(|section| Section {
            heading: section.heading.clone(),
            goroutine: section.goroutine.value().copied(),
            frames: Frames::new(&section.stack),
        });
        Race { accesses: accesses.collect(), sections: sections.collect() }
    }
}

/// Writes a verdict and the goroutines `ids` as `gopsy.explain/1`. Goroutines are asked for while they are written.
pub fn explain(
    out: impl io::Write,
    program: &Program,
    verdict: &model::Verdict,
    ids: impl Iterator<Item = StackId>,
    notes: &[String],
    form: Form,
) -> io::Result<()> {
    let case = Case { program, verdict, source: None, groups: &[], notes };
    let around = AroundGoroutine::of(&case);
    let value = Explain {
        schema: SCHEMA,
        verdict: Verdict::new(verdict),
        findings: verdict.findings.iter().map(Finding::new).collect(),
        program: Identity::new(program.identity()),
        goroutines: Streamed::new(ids.map(|id| Goroutine::new(program, id))),
        native: around.native.as_ref().map(Frames::new),
        system: around.system.as_ref().map(Frames::new),
        called_from_c: around.callers.as_ref().map(Frames::new),
        panics: Panic::all(program.crash()),
        races: program.crash().races.iter().map(Race::new).collect(),
        notes: notes.iter().map(String::as_str).collect(),
    };
    json::write(out, &value, form)
}
