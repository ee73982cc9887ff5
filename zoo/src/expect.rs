//! `expect.toml`: what a specimen is, how it runs, and what gopsy must say.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::VERSIONS;

/// One `expect.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Why the specimen is here and what it proves.
    pub why: String,
    /// The specimen that this one is easily taken for, although its cause is another.
    pub counter_to: Option<String>,
    #[serde(default)]
    pub run: Run,
    says: Says,
    #[serde(default)]
    pub never: Never,
    #[serde(default)]
    by_version: BTreeMap<String, Says>,
}

/// How the specimen is built and brought to its end.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Run {
    pub mode: Mode,
    /// Flags for `go build` or `go test`.
    pub build: Vec<String>,
    /// Arguments of the program; in mode `test`, further arguments of `go test`.
    pub args: Vec<String>,
    /// Environment of the program. It gets no other variable than `PATH`.
    pub env: BTreeMap<String, String>,
    /// The Go versions it is for; all of [`VERSIONS`] when left out.
    pub go: Vec<String>,
    /// A signal, sent from outside when `signal_when` was printed.
    pub signal: Option<String>,
    pub signal_when: Option<String>,
    /// Exit status; 128 + n when a signal ends the program.
    pub exit: i32,
    /// The text is in this file, which the program writes, not on its output.
    pub crash_file: Option<String>,
    /// `cgo` is the only need there is now.
    pub needs: Vec<String>,
    /// Folders of `shared` that become folders of the program.
    pub shares: Vec<String>,
    /// Build modes in which it is not held against its core, and why: it does not build, it leaves no core, or no text.
    pub not_in: BTreeMap<String, String>,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            mode: Mode::Run,
            build: Vec::new(),
            args: Vec::new(),
            env: BTreeMap::new(),
            go: Vec::new(),
            signal: None,
            signal_when: None,
            exit: 2,
            crash_file: None,
            needs: Vec::new(),
            shares: Vec::new(),
            not_in: BTreeMap::new(),
        }
    }
}

/// Whether it is a program or a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Run,
    Test,
}

/// What gopsy must say. A key that is left out is not checked.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Says {
    /// That the text tells of no death.
    pub no_death: Option<bool>,
    pub kind: Option<String>,
    /// Further kinds that are as right as `kind`.
    pub kind_or: Option<Vec<String>>,
    /// Kinds that must stand in `also`.
    pub also_kinds: Option<Vec<String>>,
    /// Right causes, the best one first.
    pub cause: Option<Vec<String>>,
    /// The highest confidence that the text supports.
    pub confidence_at_most: Option<Confidence>,
    /// Right culprit functions; an empty list says that there is none to name.
    pub culprit: Option<Vec<String>>,
    /// How many goroutines the text holds.
    pub goroutines: Option<usize>,
    pub goroutines_min: Option<usize>,
    /// Labels that one goroutine must have.
    pub labels: Option<BTreeMap<String, String>>,
    /// What the text itself must hold: a check of the recording, not of gopsy.
    pub text_has: Option<Vec<String>>,
    pub text_lacks: Option<Vec<String>>,
}

/// What gopsy must not say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Never {
    /// Causes that must not be stated as likely or certain.
    pub causes: Vec<String>,
    /// Causes that must not be stated as certain.
    pub certain: Vec<String>,
}

/// The four words of the taxonomy, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    Unknown,
    Possible,
    Likely,
    Certain,
}

impl Confidence {
    /// A word that is not one of the four claims nothing.
    pub fn parse(word: &str) -> Self {
        match word {
            "certain" => Self::Certain,
            "likely" => Self::Likely,
            "possible" => Self::Possible,
            _ => Self::Unknown,
        }
    }
}

impl Expect {
    /// The Go versions that this specimen is recorded with.
    pub fn versions(&self) -> Vec<&str> {
        VERSIONS.iter().copied().filter(|v| self.run.go.is_empty() || self.run.go.iter().any(|g| g == v)).collect()
    }

    /// Whether it can be built with this version, which need not be one that it is recorded with: a version between two
    /// of those is one, if it is recorded with both.
    pub fn suits(&self, version: &str) -> bool {
        let minor = |v: &str| v.split_once('.').and_then(|(_, minor)| minor.parse::<u32>().ok());
        let (recorded, wanted) = (self.versions(), minor(version));
        let before = VERSIONS.iter().rev().find(|v| minor(v) <= wanted);
        let after = VERSIONS.iter().find(|v| minor(v) >= wanted);
        before.zip(after).is_some_and(|(before, after)| recorded.contains(before) && recorded.contains(after))
    }

    /// Versions that `expect.toml` names and that do not exist here.
    pub fn unknown_versions(&self) -> Vec<&str> {
        let named = self.run.go.iter().chain(self.by_version.keys());
        named.map(String::as_str).filter(|v| !VERSIONS.contains(v)).collect()
    }

    /// What gopsy must say of the text that this Go version printed.
    pub fn says(&self, version: &str) -> Says {
        match self.by_version.get(version) {
            Some(own) => self.says.overridden_by(own),
            None => self.says.clone(),
        }
    }
}

impl Says {
    fn overridden_by(&self, own: &Says) -> Says {
        let own = own.clone();
        let base = self.clone();
        Says {
            no_death: own.no_death.or(base.no_death),
            kind: own.kind.or(base.kind),
            kind_or: own.kind_or.or(base.kind_or),
            also_kinds: own.also_kinds.or(base.also_kinds),
            cause: own.cause.or(base.cause),
            confidence_at_most: own.confidence_at_most.or(base.confidence_at_most),
            culprit: own.culprit.or(base.culprit),
            goroutines: own.goroutines.or(base.goroutines),
            goroutines_min: own.goroutines_min.or(base.goroutines_min),
            labels: own.labels.or(base.labels),
            text_has: own.text_has.or(base.text_has),
            text_lacks: own.text_lacks.or(base.text_lacks),
        }
    }

    /// Every kind that is right.
    pub fn kinds(&self) -> Vec<&str> {
        self.kind.iter().chain(self.kind_or.iter().flatten()).map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_overrides_only_what_it_names() {
        let expect: Expect =
            toml::from_str("why = 'x'\n[says]\nkind = 'dump'\ngoroutines = 3\n[by_version.'1.16']\ngoroutines = 2\n")
                .unwrap();
        assert_eq!(expect.says("1.16").goroutines, Some(2));
        assert_eq!(expect.says("1.16").kind.as_deref(), Some("dump"));
        assert_eq!(expect.says("1.27").goroutines, Some(3));
    }

    #[test]
    fn a_version_between_two_recorded_ones_suits_too() {
        let suits = |go: &str, version: &str| {
            let text = format!("why = 'x'\n[run]\ngo = {go}\n[says]\n");
            toml::from_str::<Expect>(&text).unwrap().suits(version)
        };
        let late = "['1.24', '1.26', '1.27']";
        assert!(suits("[]", "1.18") && suits(late, "1.25") && suits(late, "1.27"));
        assert!(!suits(late, "1.23") && !suits(late, "1.16") && !suits("['1.26']", "1.25"));
    }

    #[test]
    fn a_misspelt_key_is_an_error() {
        assert!(toml::from_str::<Expect>("why = 'x'\n[says]\nknd = 'dump'\n").is_err());
    }

    #[test]
    fn confidences_are_ordered() {
        assert!(Confidence::Certain > Confidence::Likely);
        assert!(Confidence::parse("likely") > Confidence::parse("possible"));
        assert_eq!(Confidence::parse("sure"), Confidence::Unknown);
    }
}
