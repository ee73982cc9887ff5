//! Holding what gopsy said against what it must say.

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{Confidence, Mark, Says, Specimen};

const SCHEMA: &str = "gopsy.explain/1";

/// What a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// No JSON of a form that this checker knows.
    Schema,
    Kind,
    /// A kind that the text also holds is not listed.
    AlsoKind,
    /// A wrong cause, stated as no more than possible.
    Cause,
    /// `unknown`, where the text is enough to tell.
    Abstained,
    /// A wrong cause, stated as likely or certain.
    FalseClaim,
    /// A right cause, stated with more confidence than the text supports.
    Overconfident,
    Culprit,
    Goroutines,
    Labels,
}

/// One way in which an answer differs from the expectation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub aspect: Aspect,
    pub detail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.aspect, self.detail)
    }
}

/// Gives gopsy the text under a name that says nothing. `null`: it found no death in the text.
pub fn explain(gopsy: &Path, text: &[u8]) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("crash.txt");
    std::fs::write(&file, text)?;
    let asked = Command::new(gopsy).args(["explain", "--json"]).arg(&file).output();
    let output = asked.with_context(|| format!("cannot run {}", gopsy.display()))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(1) && complaint.contains("no death of a Go program") {
        return Ok(Value::Null);
    }
    ensure!(output.status.success(), "{}: {}", output.status, complaint.trim());
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Holds what [`explain`] gave against what the specimen expects of the text of this Go version. Nothing is returned when
/// all is right.
pub fn check(specimen: &Specimen, version: &str, answer: &Value) -> Vec<Failure> {
    let says = specimen.expect.says(version);
    let mut failures = Failures::default();
    if says.no_death == Some(true) {
        if !answer.is_null() {
            failures.add(Aspect::Kind, format!("said {}, right: no death", answer["verdict"]["kind"]));
        }
        return failures.0;
    }
    if answer["schema"] != SCHEMA {
        failures.add(Aspect::Schema, format!("schema is {}", answer["schema"]));
        return failures.0;
    }
    let verdict = &answer["verdict"];
    check_kind(&says, verdict, &mut failures);
    check_cause(&says, verdict, &mut failures);
    check_never(specimen, answer, &mut failures);
    check_culprit(&says, &specimen.marks, verdict, &mut failures);
    check_goroutines(&says, answer, &mut failures);
    failures.0
}

#[derive(Default)]
struct Failures(Vec<Failure>);

impl Failures {
    fn add(&mut self, aspect: Aspect, detail: impl Into<String>) {
        let detail = detail.into();
        self.0.push(Failure { aspect, detail });
    }
}

fn check_kind(says: &Says, verdict: &Value, failures: &mut Failures) {
    let right = says.kinds();
    let said = verdict["kind"].as_str().unwrap_or("nothing");
    if !right.is_empty() && !right.contains(&said) {
        failures.add(Aspect::Kind, format!("said {said}, right: {}", right.join(" or ")));
    }
    let also: Vec<&str> = verdict["also"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.as_str().or_else(|| entry["kind"].as_str()))
        .collect();
    for kind in says.also_kinds.iter().flatten() {
        if !also.contains(&kind.as_str()) {
            failures.add(Aspect::AlsoKind, format!("{kind} is not in {also:?}"));
        }
    }
}

/// A cause and how sure gopsy is of it.
fn claim(of: &Value) -> (&str, Confidence) {
    (of["cause"].as_str().unwrap_or("unknown"), Confidence::parse(of["confidence"].as_str().unwrap_or("")))
}

fn check_cause(says: &Says, verdict: &Value, failures: &mut Failures) {
    let Some(right) = &says.cause else {
        return;
    };
    let (cause, confidence) = claim(verdict);
    let wanted = right.join(" or ");
    if !right.iter().any(|r| r == cause) {
        let aspect = match confidence {
            _ if cause == "unknown" => Aspect::Abstained,
            Confidence::Likely | Confidence::Certain => Aspect::FalseClaim,
            Confidence::Unknown | Confidence::Possible => Aspect::Cause,
        };
        failures.add(aspect, format!("said {cause} ({confidence:?}), right: {wanted}"));
    } else if cause != "unknown"
        && let Some(limit) = says.confidence_at_most
        && confidence > limit
    {
        failures.add(Aspect::Overconfident, format!("{cause} is {confidence:?}, the text supports {limit:?}"));
    }
}

/// What must never be said, in the verdict or in any finding.
fn check_never(specimen: &Specimen, answer: &Value, failures: &mut Failures) {
    let never = &specimen.expect.never;
    let findings = answer["findings"].as_array().into_iter().flatten();
    let mut reported: Vec<&str> = Vec::new();
    for said in std::iter::once(&answer["verdict"]).chain(findings) {
        let (cause, confidence) = claim(said);
        let forbidden = (confidence >= Confidence::Likely && never.causes.iter().any(|c| c == cause))
            || (confidence >= Confidence::Certain && never.certain.iter().any(|c| c == cause));
        if forbidden && !reported.contains(&cause) {
            reported.push(cause);
            failures.add(Aspect::FalseClaim, format!("{cause} must not be {confidence:?}"));
        }
    }
}

fn check_culprit(says: &Says, marks: &[Mark], verdict: &Value, failures: &mut Failures) {
    let Some(right) = &says.culprit else {
        return;
    };
    let said = &verdict["culprit"];
    let function = said["function"].as_str();
    match function {
        None if right.is_empty() => return,
        None => {
            failures.add(Aspect::Culprit, format!("said none, right: {}", right.join(" or ")));
            return;
        }
        Some(function) if !right.iter().any(|r| r == function) => {
            let wanted = if right.is_empty() { "none".to_owned() } else { right.join(" or ") };
            failures.add(Aspect::Culprit, format!("said {function}, right: {wanted}"));
            return;
        }
        Some(_) => {}
    }
    let file = said["file"].as_str().unwrap_or("");
    let at =
        Mark { file: file.rsplit('/').next().unwrap_or(file).to_owned(), line: said["line"].as_u64().unwrap_or(0) };
    if !marks.is_empty() && !marks.contains(&at) {
        let wanted: Vec<String> = marks.iter().map(Mark::to_string).collect();
        failures.add(Aspect::Culprit, format!("said {at}, right: {}", wanted.join(" or ")));
    }
}

fn check_goroutines(says: &Says, answer: &Value, failures: &mut Failures) {
    let listed = || answer["goroutines"].as_array().into_iter().flatten();
    // A stack without a header (`runtime stack:`) has no number and is no goroutine; nor has an entry of a profile.
    let numbered = listed().filter(|g| g["id"].is_u64()).count();
    let wanted = says.goroutines.or(says.goroutines_min);
    if let Some(wanted) = wanted
        && (numbered < wanted || says.goroutines.is_some_and(|exact| numbered != exact))
    {
        let least = if says.goroutines.is_some() { "" } else { "at least " };
        failures.add(Aspect::Goroutines, format!("said {numbered}, the text holds {least}{wanted}"));
    }
    if let Some(labels) = &says.labels
        && !listed().any(|g| labels.iter().all(|(key, value)| g["labels"][key] == value.as_str()))
    {
        failures.add(Aspect::Labels, format!("no goroutine has {labels:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn specimen(expect: &str) -> Specimen {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("specimens/one");
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("expect.toml"), format!("why = 'x'\n{expect}")).unwrap();
        std::fs::write(own.join("main.go"), "package main\nvar x = *p // culprit\n").unwrap();
        crate::Zoo::load(folder.path()).unwrap().specimens.remove(0)
    }

    const EXPECT: &str = "[says]\nkind = 'nil-dereference'\ncause = ['nil-pointer']\n\
        confidence_at_most = 'likely'\nculprit = ['main.f']\ngoroutines = 1\n\
        [never]\ncauses = ['nil-map']\ncertain = ['nil-func']\n";

    fn right() -> Value {
        json!({ "schema": "gopsy.explain/1",
            "verdict": { "kind": "nil-dereference", "cause": "nil-pointer", "confidence": "likely",
                "culprit": { "function": "main.f", "file": "/a/main.go", "line": 2 }, "also": [] },
            "findings": [], "goroutines": [{ "id": 1 }] })
    }

    /// The aspects that fail when one thing in a right answer is changed.
    fn aspects(expect: &str, change: impl FnOnce(&mut Value)) -> Vec<Aspect> {
        let mut answer = right();
        change(&mut answer);
        check(&specimen(expect), "1.27", &answer).into_iter().map(|f| f.aspect).collect()
    }

    #[test]
    fn a_right_answer_passes() {
        assert_eq!(aspects(EXPECT, |_| {}), []);
    }

    #[test]
    fn each_wrong_answer_is_told_apart() {
        let cases: [(&str, Value, Aspect); 9] = [
            ("/schema", json!("gopsy.explain/9"), Aspect::Schema),
            ("/verdict/kind", json!("dump"), Aspect::Kind),
            ("/verdict/cause", json!("unknown"), Aspect::Abstained),
            ("/verdict/cause", json!("typed-nil-interface"), Aspect::FalseClaim),
            ("/verdict/confidence", json!("certain"), Aspect::Overconfident),
            ("/verdict/culprit/function", json!("main.g"), Aspect::Culprit),
            ("/verdict/culprit/line", json!(3), Aspect::Culprit),
            ("/verdict/culprit", Value::Null, Aspect::Culprit),
            ("/goroutines", json!([]), Aspect::Goroutines),
        ];
        for (path, value, aspect) in cases {
            let found = aspects(EXPECT, |a| *a.pointer_mut(path).unwrap() = value);
            assert_eq!(found, [aspect], "{path}");
        }
    }

    #[test]
    fn a_guess_is_wrong_but_no_false_claim() {
        let found = aspects(EXPECT, |a| {
            a["verdict"]["cause"] = json!("nil-map");
            a["verdict"]["confidence"] = json!("possible");
        });
        assert_eq!(found, [Aspect::Cause]);
    }

    #[test]
    fn findings_are_held_to_what_must_never_be_said() {
        let finding = |cause, confidence| {
            aspects(EXPECT, |a| {
                a["findings"] = json!([{ "cause": cause, "confidence": confidence }]);
            })
        };
        assert_eq!(finding("nil-map", "likely"), [Aspect::FalseClaim]);
        assert_eq!(finding("nil-map", "possible"), []);
        assert_eq!(finding("nil-func", "certain"), [Aspect::FalseClaim]);
        assert_eq!(finding("nil-func", "likely"), []);
    }

    #[test]
    fn no_death_wants_no_answer() {
        let expect = "[says]\nno_death = true\n";
        assert_eq!(aspects(expect, |_| {}), [Aspect::Kind]);
        assert_eq!(aspects(expect, |a| *a = Value::Null), []);
        assert_eq!(aspects(EXPECT, |a| *a = Value::Null), [Aspect::Schema]);
    }

    #[test]
    fn an_empty_list_of_culprits_wants_none() {
        let expect = "[says]\nculprit = []\n";
        assert_eq!(aspects(expect, |_| {}), [Aspect::Culprit]);
        assert_eq!(aspects(expect, |a| a["verdict"]["culprit"] = Value::Null), []);
    }

    #[test]
    fn labels_and_further_kinds_are_looked_for() {
        let expect = "[says]\nalso_kinds = ['dump']\n[says.labels]\nuser = 'bob'\n";
        assert_eq!(aspects(expect, |_| {}), [Aspect::AlsoKind, Aspect::Labels]);
        let both = |a: &mut Value| {
            a["verdict"]["also"] = json!([{ "kind": "dump" }]);
            a["goroutines"][0]["labels"] = json!({ "user": "bob" });
        };
        assert_eq!(aspects(expect, both), []);
    }
}
