//! Where the members of the runtime's structs stand, release by release: `layouts/runtime-layouts.json`, which
//! `layouts/gen-layouts.go` measures from each release's sources and from what its compiler writes into DWARF.
//!
//! Every struct of the file stands on a line of its own, so that one can be read without the others.

use crate::Release;
use gopsy_image::{Field, StructLayout};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::LazyLock;

const FILE: &str = include_str!("../layouts/runtime-layouts.json");

/// Experiments that change no layout in any release from 1.17 to 1.27, whichever way they are switched (`gen-layouts.go -experiments`, each
/// flag of `internal/goexperiment/flags.go`). Not among them is `staticlockranking`, which makes every `runtime.mutex` larger and is
/// not in the file; nor what only a later release has.
const CHANGE_NOTHING: [&str; 28] = [
    "aliastypeparams",
    "arenas",
    "boringcrypto",
    "cacheprog",
    "cgocheck2",
    "coverageredesign",
    "dwarf5",
    "fieldtrack",
    "goroutineleakprofile",
    "jsonv2",
    "loopvar",
    "mapsplitgroup",
    "newinliner",
    "preemptibleloops",
    "randomizedheapbase64",
    "rangefunc",
    "regabi",
    "regabiargs",
    "regabidefer",
    "regabig",
    "regabireflect",
    "regabiwrappers",
    "runtimefreegc",
    "runtimesecret",
    "simd",
    "sizespecializedmalloc",
    "synctest",
    "unified",
];

/// The layouts of one struct within a range of releases.
#[derive(Debug, Clone, Deserialize)]
struct Entry {
    from: String,
    to: String,
    size: u64,
    fields: HashMap<String, [u64; 2]>,
}

impl Entry {
    fn covers(&self, release: (u32, u32)) -> bool {
        number(&self.from).is_some_and(|from| from <= release) && number(&self.to).is_some_and(|to| release <= to)
    }
}

fn layout(size: u64, fields: &HashMap<String, [u64; 2]>) -> StructLayout {
    let field = |[offset, size]: [u64; 2]| Field { offset, size: Some(size) };
    StructLayout { size, fields: fields.iter().map(|(n, f)| (n.clone(), field(*f))).collect() }
}

/// A struct that an experiment changes.
#[derive(Deserialize)]
struct Variant {
    variant: String,
    arch: String,
    measured: String,
    structs: HashMap<String, Changed>,
}

#[derive(Deserialize)]
struct Changed {
    size: u64,
    fields: HashMap<String, [u64; 2]>,
}

/// The layouts of one release.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// The release for which they were measured, or the first of a range that is alike.
    pub(crate) release: Release,
    pub(crate) structs: HashMap<String, StructLayout>,
    /// They are those of the release that was asked for; otherwise of one near it.
    pub(crate) exact: bool,
}

/// The structs that are read, with their ranges.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    /// By name.
    structs: HashMap<&'static str, Vec<Entry>>,
    /// The releases that were measured.
    measured: Vec<(u32, u32)>,
    goarch: &'static str,
}

impl Tables {
    /// The tables of an architecture, for those structs.
    pub(crate) fn of(goarch: &'static str, names: &[&'static str]) -> Tables {
        let structs = names.iter().filter_map(|name| Some((*name, entries(goarch, name)?))).collect();
        Tables { structs, measured: MEASURED.clone(), goarch }
    }

    /// The layouts of a release. Of one that is newer than those that were measured, or lies in a gap between two that
    /// differ, the nearest before it.
    pub(crate) fn table(&self, release: &Release) -> Table {
        let wanted = release.number();
        let first = self.measured.first().copied().unwrap_or_default();
        let near = self.measured.iter().rev().find(|m| **m <= wanted).copied().unwrap_or(first);
        let mut exact = release.exact;
        let mut structs = HashMap::new();
        for (name, entries) in &self.structs {
            let covering = |release| entries.iter().find(|e| e.covers(release));
            // A struct that the release does not have is in no range, and its neighbour then has none either.
            if let Some(entry) = covering(wanted).or_else(|| covering(near)) {
                exact &= entry.covers(wanted);
                structs.insert((*name).to_owned(), layout(entry.size, &entry.fields));
            }
        }
        // A release behind the last that was measured of its minor may have changed anything.
        exact &= self.known(wanted);
        for experiment in &release.experiments {
            let applied = self.apply(experiment, release, &mut structs);
            let switched = experiment.strip_prefix("no").unwrap_or(experiment);
            exact &= applied || CHANGE_NOTHING.contains(&switched);
        }
        let (minor, patch) = if self.known(wanted) { wanted } else { near };
        Table { release: Release { minor, patch, ..release.clone() }, structs, exact }
    }

    /// The first release of each set of layouts that differs, the newest first.
    pub(crate) fn starts(&self) -> Vec<(u32, u32)> {
        let mut starts: Vec<(u32, u32)> = self.structs.values().flatten().filter_map(|e| number(&e.from)).collect();
        starts.sort_unstable();
        starts.dedup();
        starts.reverse();
        starts
    }

    /// Whether a release was measured, or lies between two measured ones that are alike.
    fn known(&self, release: (u32, u32)) -> bool {
        let of_minor = || self.measured.iter().filter(|m| m.0 == release.0);
        of_minor().any(|m| *m >= release) && of_minor().any(|m| *m <= release)
    }

    /// Whether it is measured what the experiment changes; then that is changed.
    fn apply(&self, experiment: &str, release: &Release, structs: &mut HashMap<String, StructLayout>) -> bool {
        let fits = |v: &&Variant| {
            v.variant == experiment
                && v.arch == self.goarch
                && number(&v.measured).is_some_and(|(minor, _)| minor == release.minor)
        };
        let mut measured = false;
        for variant in VARIANTS.iter().filter(fits) {
            measured = true;
            for (name, changed) in &variant.structs {
                if let Some(own) = structs.get_mut(name) {
                    *own = layout(changed.size, &changed.fields);
                }
            }
        }
        measured
    }
}

static MEASURED: LazyLock<Vec<(u32, u32)>> = LazyLock::new(|| {
    let begin = FILE.find("\"measured\":{").unwrap_or(0);
    let end = FILE.get(begin..).and_then(|rest| rest.find('}')).map_or(begin, |len| begin.saturating_add(len));
    let words = FILE.get(begin..end).unwrap_or("").split('"').filter(|w| w.matches('.').count() == 2);
    let mut all: Vec<(u32, u32)> = words.filter_map(number).collect();
    all.sort_unstable();
    all
});

static VARIANTS: LazyLock<Vec<Variant>> = LazyLock::new(|| {
    let list = FILE.find("\"variants\":").and_then(|at| FILE.get(at.saturating_add(11)..));
    // The list is the last member of the file.
    list.and_then(|text| serde_json::Deserializer::from_str(text).into_iter().next()?.ok()).unwrap_or_default()
});

/// The line of a struct in the part of an architecture.
fn entries(goarch: &str, name: &str) -> Option<Vec<Entry>> {
    let part = FILE.find(&format!("\n\"{goarch}\":{{"))?;
    let part = FILE.get(part..)?;
    let key = format!("\n\"{name}\":");
    let value = part.get(part.find(&key)?.checked_add(key.len())?..)?;
    let line = value.lines().next()?.trim_end_matches(',');
    // The name of an architecture stands for the same list.
    match line.strip_prefix('"').and_then(|l| l.strip_suffix('"')) {
        Some(other) if other != goarch => entries(other, name),
        Some(_) => None,
        None => serde_json::from_str(line).ok(),
    }
}

/// `1.24.6` as a number that orders.
fn number(version: &str) -> Option<(u32, u32)> {
    let (minor, patch) = version.strip_prefix("1.")?.split_once('.')?;
    Some((minor.parse().ok()?, patch.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &["runtime.g", "runtime.m", "runtime._panic", "runtime.synctestBubble"];

    fn at(version: &str, of: &str, field: &str) -> Option<u64> {
        let tables = Tables::of("amd64", NAMES);
        let table = tables.table(&Release::parse(version).unwrap());
        table.structs.get(of)?.field(field).map(|f| f.offset)
    }

    /// Offsets from the releases' own runtime2.go, counted by hand.
    #[test]
    fn members_by_full_version() {
        assert_eq!(at("go1.16.15", "runtime.g", "goid"), Some(152));
        assert_eq!(at("go1.23.0", "runtime.g", "goid"), Some(160));
        assert_eq!(at("go1.24.5", "runtime.m", "alllink"), Some(328));
        assert_eq!(at("go1.24.6", "runtime.m", "alllink"), Some(352));
        assert_eq!(at("go1.23.11", "runtime.m", "alllink"), Some(328));
        assert_eq!(at("go1.23.12", "runtime.m", "alllink"), Some(352));
        assert_eq!(at("go1.27.3", "runtime._panic", "arg"), Some(0));
        assert_eq!(at("go1.24.13", "runtime.synctestBubble", "id"), None);
    }

    #[test]
    fn experiments_move_members() {
        assert_eq!(at("go1.24.6", "runtime.m", "vdsoSP"), Some(904));
        assert_eq!(at("go1.24.6 X:nospinbitmutex", "runtime.m", "vdsoSP"), Some(896));
    }

    #[test]
    fn what_was_not_measured_is_not_exact() {
        let tables = Tables::of("amd64", NAMES);
        let exact = |version: &str| tables.table(&Release::parse(version).unwrap()).exact;
        assert!(exact("go1.27.3") && exact("go1.16.15") && exact("go1.22.7"));
        // Newer than measured, a gap, a candidate, a vendor's.
        for version in ["go1.27.99", "go1.28.0", "go1.16.9", "go1.21rc2", "go1.22.5-acme"] {
            assert!(!exact(version), "{version}");
        }
        // Experiments that change nothing that is read, or what is measured; one that is not in the file, and one that nobody knows.
        for experiment in ["jsonv2", "noswissmap", "nospinbitmutex", "synctest,arenas"] {
            assert!(exact(&format!("go1.24.6 X:{experiment}")), "{experiment}");
        }
        for experiment in ["staticlockranking", "arenas,staticlockranking", "somethingelse"] {
            assert!(!exact(&format!("go1.24.6 X:{experiment}")), "{experiment}");
        }
        // A table is called by the release that it was measured for.
        let called = |version: &str| tables.table(&Release::parse(version).unwrap()).release.number();
        assert_eq!((called("go1.29.1"), called("go1.27.9"), called("go1.22.5-acme")), ((27, 4), (27, 4), (22, 5)));
        assert_eq!(at("go1.99.0", "runtime.g", "goid"), at("go1.27.4", "runtime.g", "goid"));
    }

    #[test]
    fn lines_say_what_the_whole_file_says() {
        let whole: serde_json::Value = serde_json::from_str(FILE).unwrap();
        for name in NAMES {
            let stated: Vec<Entry> = serde_json::from_value(whole["amd64"][name].clone()).unwrap();
            let read = entries("amd64", name).unwrap();
            assert_eq!(read.len(), stated.len());
            for (a, b) in read.iter().zip(&stated) {
                assert_eq!((&a.from, &a.to, a.size, &a.fields), (&b.from, &b.to, b.size, &b.fields));
            }
            assert!(entries("arm64", name).is_some());
        }
        assert_eq!(VARIANTS.len(), whole["variants"].as_array().unwrap().len());
        assert!(!VARIANTS.is_empty() && MEASURED.len() >= 79);
    }
}
