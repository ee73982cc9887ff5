//! Known bugs and pitfalls: predicates over a death, kept as data. The language is described beside the entries.

use crate::case::Case;
use crate::packages::Owner;
use gopsy_model::{Advice, Cause, Claim, Confidence, Evidence, Finding, Headline, Kind, KnownIssue, Source, Trust};
use serde::Deserialize;
use std::cmp::Ordering;
use std::sync::LazyLock;

static ENTRIES: &[&str] = include!(concat!(env!("OUT_DIR"), "/knowledge.rs"));

/// The entries, parsed once. Those that do not parse are left out; a test holds that there are none.
static PARSED: LazyLock<Vec<Entry>> =
    LazyLock::new(|| ENTRIES.iter().filter_map(|text| toml::from_str(text).ok()).collect());

/// Innermost frames that `inner_std` looks at.
const INNER: usize = 45;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    /// Other numbers of the same thing; told with the title.
    #[serde(default)]
    aliases: Vec<String>,
    title: String,
    cause: String,
    strength: String,
    explain: String,
    #[serde(default)]
    advice: Vec<String>,
    #[serde(default)]
    fixed_in: Vec<String>,
    #[serde(default)]
    affected: Vec<Range>,
    #[serde(default)]
    affected_implied: bool,
    #[serde(default)]
    source: Vec<String>,
    #[expect(dead_code, reason = "for the people who keep the entry")]
    checked: Option<String>,
    #[expect(dead_code, reason = "for the people who keep the entry")]
    text_origin: Option<String>,
    #[expect(dead_code, reason = "for the people who keep the entry")]
    silent_because: Option<String>,
    when: Vec<When>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    from: Option<String>,
    before: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct When {
    kind: Vec<String>,
    message: Vec<String>,
    message_any: Vec<String>,
    function: Vec<String>,
    function_any: Vec<String>,
    function_prefix_any: Vec<String>,
    inner_std: bool,
    file_any: Vec<String>,
    address: Vec<String>,
    pc: Option<Range>,
    os: Vec<String>,
    arch: Vec<String>,
    go: Option<Range>,
    kernel: Vec<Range>,
    needs: Vec<String>,
    strength: Option<String>,
}

/// What is known of a version: itself, or bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Version {
    Exact(String),
    Between { from: Option<String>, before: String },
    Unknown,
}

/// Yes, no, or not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fits {
    Yes,
    No,
    Unknown,
}

/// Entries that fit a death, as findings.
pub(crate) fn matching(case: &Case<'_>) -> Vec<Finding> {
    let facts = Facts::of(case);
    PARSED.iter().filter_map(|entry| entry.matches(&facts)).collect()
}

/// The documented bugs of Go that a release still has: those whose end is a later release of Go. What is only sometimes
/// met with that release, or is no bug of Go's, is not among them. `version` is `go1.26.8`; what follows a blank
/// (experiments) does not count, and of a development version nothing is known.
#[must_use]
pub fn known_bugs(version: &str, os: &str, arch: &str) -> Vec<KnownIssue> {
    let release = version.split(' ').next().unwrap_or(version);
    if !release.starts_with("go1.") {
        return Vec::new();
    }
    let version = Version::Exact(release.to_owned());
    let bug = |entry: &Entry| {
        let there = |when: &When| {
            let may = |list: &[String], fact: &str| list.is_empty() || list.iter().any(|l| l == fact);
            may(&when.os, os) && may(&when.arch, arch)
        };
        let tables = entry.when.iter().filter(|when| there(when));
        let of_tables: Vec<&Range> = tables.clone().filter_map(|when| when.go.as_ref()).collect();
        let ranges: Vec<&Range> = if entry.affected.is_empty() { of_tables } else { entry.affected.iter().collect() };
        let mut covering = ranges.into_iter().filter(|r| r.before.is_some() && in_range(&version, r) == Fits::Yes);
        let range = covering.next().filter(|_| tables.count() > 0)?;
        let before = range.before.as_deref()?;
        let why = match &range.from {
            Some(from) => format!("{release} lies between {from} and {before}, which has the fix"),
            None => format!("{release} is older than {before}, which has the fix"),
        };
        Some(KnownIssue {
            id: entry.id.clone(),
            title: entry.title.clone(),
            why,
            fixed_in: Some(if entry.fixed_in.is_empty() { before.to_owned() } else { entry.fixed_in.join(", ") }),
            source: entry.source.clone(),
        })
    };
    PARSED.iter().filter_map(bug).collect()
}

/// What the predicates ask, gathered once.
struct Facts {
    kind: Kind,
    lines: Vec<String>,
    functions: Vec<String>,
    files: Vec<String>,
    inner_is_std: bool,
    address: Option<u64>,
    pc: Option<u64>,
    os: Option<String>,
    arch: Option<String>,
    go: Version,
    kernel: Version,
    source: Source,
}

impl Facts {
    fn of(case: &Case<'_>) -> Facts {
        let crash = case.crash();
        let mut lines: Vec<String> =
            crash.headlines.iter().map(|h| crate::case::headline_text(Some(h), crash)).collect();
        for h in &crash.headlines {
            if let Headline::Panic(p) = h {
                lines.push(p.value.to_string());
            }
        }
        lines.extend(crash.diagnostics.iter().map(|d| d.to_string()));
        lines.extend(crash.log_before.iter().map(|d| d.to_string()));
        let identity = case.program.identity();
        let frames: Vec<&gopsy_model::Frame> =
            case.frames.system.as_ref().map_or(&[][..], |s| &s.frames).iter().chain(case.frames.stack()).collect();
        let inner: Vec<Owner> = case
            .frames
            .stack()
            .iter()
            .map(|f| case.owner(f))
            .filter(|o| !matches!(o, Owner::Runtime | Owner::Carrier))
            .take(INNER)
            .collect();
        Facts {
            kind: case.kind,
            functions: frames.iter().filter_map(|f| f.function.value().map(|n| n.as_str().to_owned())).collect(),
            files: case
                .program
                .stacks()
                .take(64)
                .flat_map(|id| case.program.stack(id).frames)
                .filter_map(|f| f.file.value().map(|f| f.to_string()))
                .collect(),
            inner_is_std: !inner.is_empty() && inner.iter().all(|o| matches!(o, Owner::Standard | Owner::Generated)),
            address: case.fault_address(),
            pc: case.fault_pc(),
            os: identity.os.value().map(|s| s.to_string()),
            arch: identity.arch.value().map(|s| s.to_string()),
            go: go_version(case),
            kernel: kernel_version(&lines),
            source: case.program.source(),
            lines,
        }
    }

    fn says(&self, text: &str) -> bool {
        self.lines.iter().any(|l| l.contains(text))
    }
}

/// The release, or what the place of the heap tells of it: 0xc42… before Go 1.11, 0xc000… since, on 64-bit systems.
fn go_version(case: &Case<'_>) -> Version {
    if let Some(v) = case.program.identity().go_version.value() {
        return Version::Exact(v.to_string());
    }
    let mut old = false;
    let mut new = false;
    let look = |word: u64, old: &mut bool, new: &mut bool| {
        if (0xc4_2000_0000..0xc4_4000_0000).contains(&word)
            || (0xc2_0800_0000..0xc2_2000_0000).contains(&word)
            || (0xc8_2000_0000..0xc8_4000_0000).contains(&word)
        {
            *old = true;
        }
        if (0xc0_0000_0000..0xc0_1000_0000).contains(&word) {
            *new = true;
        }
    };
    for frame in case.frames.stack().iter().take(40) {
        for word in [frame.sp.value(), frame.fp.value()].into_iter().flatten() {
            look(*word, &mut old, &mut new);
        }
        if let Some(args) = frame.args.value() {
            for (word, _) in args.words().into_iter().flatten() {
                look(word, &mut old, &mut new);
            }
        }
    }
    match (old, new) {
        (true, false) => Version::Between { from: None, before: "go1.11".to_owned() },
        _ => Version::Unknown,
    }
}

/// A kernel's version in a `uname -a` or `/proc/version` line.
fn kernel_version(lines: &[String]) -> Version {
    for line in lines {
        if let Some((_, rest)) = line.split_once("Linux version ").or_else(|| line.split_once("kernel ")) {
            let v: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
            if v.contains('.') {
                return Version::Exact(v);
            }
        }
    }
    Version::Unknown
}

impl Entry {
    /// Its id and the other numbers of the same thing.
    fn names(&self) -> String {
        if self.aliases.is_empty() { self.id.clone() } else { format!("{} ({})", self.id, self.aliases.join(", ")) }
    }

    fn matches(&self, facts: &Facts) -> Option<Finding> {
        let mut best: Option<(Confidence, Vec<String>)> = None;
        for when in &self.when {
            let Some((confidence, reasons)) = self.table(when, facts) else { continue };
            if best.as_ref().is_none_or(|(c, _)| confidence > *c) {
                best = Some((confidence, reasons));
            }
        }
        let (confidence, reasons) = best?;
        let cause: Cause = self.cause.parse().ok()?;
        let why = reasons.join("; ");
        Some(Finding {
            rule: "known-issue",
            sentence: format!("{}: {}", self.names(), self.title),
            claim: Some(Claim { cause, confidence }),
            evidence: reasons
                .into_iter()
                .map(|fact| Evidence { fact, source: facts.source, trust: Trust::Exact })
                .chain(std::iter::once(Evidence {
                    fact: self.explain.clone(),
                    source: Source::Knowledge,
                    trust: Trust::Exact,
                }))
                .collect(),
            advice: self.advice.iter().cloned().map(Advice).collect(),
            known_issue: Some(KnownIssue {
                id: self.id.clone(),
                title: self.title.clone(),
                why,
                fixed_in: (!self.fixed_in.is_empty()).then(|| self.fixed_in.join(", ")),
                source: self.source.clone(),
            }),
            culprit: None,
        })
    }

    /// Whether one table holds: with which confidence, and what held.
    fn table(&self, when: &When, facts: &Facts) -> Option<(Confidence, Vec<String>)> {
        let mut reasons = Vec::new();
        if !when.kind.is_empty() {
            let kind = facts.kind.as_str();
            if !when.kind.iter().any(|k| k == kind) {
                return None;
            }
            reasons.push(format!("the kind is {kind}"));
        }
        for text in &when.message {
            if !facts.says(text) {
                return None;
            }
            reasons.push(format!("it is said: {text:?}"));
        }
        any(&when.message_any, |t| facts.says(t), &mut reasons, "it is said:")?;
        for name in &when.function {
            if !facts.functions.iter().any(|f| f == name) {
                return None;
            }
            reasons.push(format!("{name} is on the stack"));
        }
        any(&when.function_any, |n| facts.functions.iter().any(|f| f == n), &mut reasons, "on the stack:")?;
        any(
            &when.function_prefix_any,
            |n| facts.functions.iter().any(|f| f.starts_with(n)),
            &mut reasons,
            "on the stack:",
        )?;
        any(&when.file_any, |n| facts.files.iter().any(|f| f.contains(n)), &mut reasons, "a file:")?;
        if when.inner_std {
            if !facts.inner_is_std {
                return None;
            }
            reasons.push("the innermost frames are all of the standard library".to_owned());
        }
        let number = |s: &str| u64::from_str_radix(s.trim_start_matches("0x"), 16).ok();
        any(
            &when.address,
            |a| number(a).is_some() && number(a) == facts.address,
            &mut reasons,
            "the fault address is",
        )?;
        if let Some(range) = &when.pc {
            let pc = facts.pc?;
            let low = range.from.as_deref().and_then(number).unwrap_or(0);
            let high = range.before.as_deref().and_then(number).unwrap_or(u64::MAX);
            if !(low..high).contains(&pc) {
                return None;
            }
            reasons.push(format!("the program counter is {pc:#x}"));
        }
        let mut weak = false;
        let needs = |what: &str| when.needs.iter().any(|n| n == what);
        for (what, list, fact) in [("os", &when.os, &facts.os), ("arch", &when.arch, &facts.arch)] {
            if list.is_empty() {
                continue;
            }
            match fact {
                Some(f) if list.contains(f) => reasons.push(format!("{what} is {f}")),
                Some(_) => return None,
                None if needs(what) => return None,
                None => weak = true,
            }
        }
        for (what, fits, implied) in [
            ("go", when.go.as_ref().map(|r| in_range(&facts.go, r)), false),
            ("go", ranges(&facts.go, &self.affected), self.affected_implied),
            ("kernel", ranges(&facts.kernel, &when.kernel), false),
        ] {
            let known = match what {
                "go" => &facts.go,
                _ => &facts.kernel,
            };
            match fits {
                None => {}
                Some(Fits::No) => return None,
                Some(Fits::Yes) => {
                    let reason = format!("the {what} version fits ({})", told(known));
                    // A table and the whole entry may ask for the same.
                    if !reasons.contains(&reason) {
                        reasons.push(reason);
                    }
                }
                Some(Fits::Unknown) => {
                    let bounded = matches!(known, Version::Between { .. });
                    if needs(what) && !bounded {
                        return None;
                    }
                    weak |= !implied;
                }
            }
        }
        let cap = |s: &str| if s == "likely" { Confidence::Likely } else { Confidence::Possible };
        let mut confidence = cap(&self.strength).min(when.strength.as_deref().map_or(Confidence::Likely, cap));
        if weak {
            confidence = Confidence::Possible;
        }
        (!reasons.is_empty()).then_some((confidence, reasons))
    }
}

/// `Some` if the list is empty or one of it holds.
fn any(list: &[String], holds: impl Fn(&str) -> bool, reasons: &mut Vec<String>, how: &str) -> Option<()> {
    if list.is_empty() {
        return Some(());
    }
    let found = list.iter().find(|t| holds(t))?;
    reasons.push(format!("{how} {found}"));
    Some(())
}

fn told(version: &Version) -> String {
    match version {
        Version::Exact(v) => v.clone(),
        Version::Between { from: Some(f), before } => format!("{f} or later, before {before}"),
        Version::Between { from: None, before } => format!("before {before}"),
        Version::Unknown => "not known".to_owned(),
    }
}

/// `None` when there are no ranges to fit.
fn ranges(version: &Version, list: &[Range]) -> Option<Fits> {
    if list.is_empty() {
        return None;
    }
    let fits: Vec<Fits> = list.iter().map(|r| in_range(version, r)).collect();
    Some(if fits.contains(&Fits::Yes) {
        Fits::Yes
    } else if fits.contains(&Fits::Unknown) {
        Fits::Unknown
    } else {
        Fits::No
    })
}

fn in_range(version: &Version, range: &Range) -> Fits {
    let at_least = |v: &str| range.from.as_deref().is_none_or(|f| compare(v, f) != Ordering::Less);
    let below = |v: &str| range.before.as_deref().is_none_or(|b| compare(v, b) == Ordering::Less);
    match version {
        Version::Exact(v) => {
            // A text may show `go1.10` and mean any of its patch releases.
            if at_least(v) && below(v) { Fits::Yes } else { Fits::No }
        }
        Version::Between { from, before } => {
            let apart = from.as_deref().is_some_and(|f| !below(f))
                || range.from.as_deref().is_some_and(|f| compare(before, f) != Ordering::Greater);
            if apart { Fits::No } else { Fits::Unknown }
        }
        Version::Unknown => Fits::Unknown,
    }
}

/// Go releases in their order: go1.9 < go1.9.3 < go1.10rc1 < go1.10.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    parts(a).cmp(&parts(b))
}

/// Numbers of a version; a release candidate or beta comes before its release.
fn parts(version: &str) -> (Vec<u64>, i64) {
    let v = version.trim_start_matches("go");
    let (numbers, pre) = match v.find(|c: char| c.is_ascii_alphabetic() || c == '-') {
        Some(i) => (v.get(..i).unwrap_or(v), v.get(i..).unwrap_or("")),
        None => (v, ""),
    };
    let mut list: Vec<u64> = numbers.split('.').filter_map(|n| n.parse().ok()).collect();
    while list.last() == Some(&0) && list.len() > 1 {
        list.pop();
    }
    let pre_number: i64 = pre.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0);
    let rank = if pre.starts_with("rc") {
        -1_000 + pre_number
    } else if pre.starts_with("beta") {
        -2_000 + pre_number
    } else {
        0
    };
    (list, rank)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain;
    use gopsy_program::TextEvidence;
    use std::path::Path;

    #[test]
    fn every_entry_parses_and_is_whole() {
        assert!(ENTRIES.len() >= 20, "{} entries", ENTRIES.len());
        for text in ENTRIES {
            let entry: Entry = toml::from_str(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
            assert!(entry.cause.parse::<Cause>().is_ok(), "{}: cause {}", entry.id, entry.cause);
            assert!(matches!(entry.strength.as_str(), "likely" | "possible"), "{}", entry.id);
            assert!(!entry.source.is_empty() && !entry.when.is_empty(), "{}", entry.id);
            for kind in entry.when.iter().flat_map(|w| &w.kind) {
                assert!(kind.parse::<Kind>().is_ok(), "{}: kind {kind}", entry.id);
            }
        }
        for id in ["golang/go#20427", "golang/go#22008"] {
            assert!(PARSED.iter().any(|e| e.id == id), "{id}");
        }
        assert!(PARSED.iter().any(|e| e.names().contains("golang/go#23476")));
    }

    fn ids(text: &[u8]) -> Vec<String> {
        let dump = gopsy_text::read_bytes(text, &gopsy_text::Options::default());
        TextEvidence::programs(dump).iter().flat_map(|p| explain(p).known_issues).map(|i| i.id).collect()
    }

    #[test]
    fn each_entry_fires_and_stays_silent_where_it_should() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("knowledge");
        let mut wrong = Vec::new();
        let mut texts = 0;
        for folder in std::fs::read_dir(root).unwrap() {
            let folder = folder.unwrap().path();
            let Ok(entry) = std::fs::read_to_string(folder.join("entry.toml")) else { continue };
            let entry: Entry = toml::from_str(&entry).unwrap();
            for file in std::fs::read_dir(&folder).unwrap() {
                let file = file.unwrap().path();
                let name = file.file_name().unwrap().to_string_lossy().into_owned();
                if !name.ends_with(".txt") {
                    continue;
                }
                texts += 1;
                let found = ids(&std::fs::read(&file).unwrap());
                if found.contains(&entry.id) != name.starts_with("fires") {
                    wrong.push(format!("{} on {name}: {found:?}", entry.id));
                }
            }
        }
        assert!(texts >= 40);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn bugs_that_a_release_still_has() {
        let has = |version: &str, os: &str, id: &str| known_bugs(version, os, "amd64").iter().any(|b| b.id == id);
        // archive/zip: in 1.16, fixed in 1.16.1. regexp: fixed in 1.16.15 and 1.17.8, so 1.17 has it again.
        assert!(has("go1.16", "linux", "golang/go#44916") && !has("go1.16.1", "linux", "golang/go#44916"));
        for (version, there) in [("go1.16.14", true), ("go1.16.15", false), ("go1.17.7", true), ("go1.17.8", false)] {
            assert_eq!(has(version, "linux", "golang/go#51112"), there, "{version}");
        }
        assert!(has("go1.16 X:fieldtrack", "linux", "golang/go#44916"));
        assert!(known_bugs("devel go1.16-abc", "linux", "amd64").is_empty());
        // What no release of Go ends is no bug of a release.
        assert!(!has("go1.20", "linux", "etcd-io/bbolt#187") && !has("go1.20", "darwin", "golang/go#45702"));
    }

    #[test]
    fn releases_in_their_order() {
        let order = ["go1.9", "go1.9.3", "go1.10beta1", "go1.10rc1", "go1.10", "go1.21.0", "go1.21.12"];
        for pair in order.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
        assert_eq!(compare("go1.21", "go1.21.0"), Ordering::Equal);
    }
}
