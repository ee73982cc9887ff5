//! The ways in which a program is built.

use std::fmt;

/// A build mode that changes what a core reader finds: names, addresses, frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BuildMode {
    /// As `go build` does it, without cgo.
    Plain,
    /// Without symbols and DWARF.
    Stripped,
    /// Position-independent.
    Pie,
    /// With the race detector.
    Race,
    /// With cgo in package main, linked by the C linker.
    Cgo,
    /// Neither optimised nor inlined.
    Noopt,
    /// As a library that a C program calls.
    Library,
}

const NO_OPTIMISATION: &str = "-gcflags=all=-N -l";

impl BuildMode {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 7] =
        [Self::Plain, Self::Stripped, Self::Pie, Self::Race, Self::Cgo, Self::Noopt, Self::Library];

    /// The word for it on the command line and in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Stripped => "stripped",
            Self::Pie => "pie",
            Self::Race => "race",
            Self::Cgo => "cgo",
            Self::Noopt => "noopt",
            Self::Library => "library",
        }
    }

    /// The mode of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }

    /// Whether it takes a C compiler: the race runtime is C too.
    #[must_use]
    pub fn needs_cgo(self) -> bool {
        matches!(self, Self::Race | Self::Cgo | Self::Library)
    }

    /// The flags of `go build`.
    #[must_use]
    pub const fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[],
            Self::Stripped => &["-ldflags=-s -w"],
            Self::Pie => &["-buildmode=pie"],
            Self::Race => &["-race"],
            Self::Cgo => &["-ldflags=-linkmode=external"],
            Self::Noopt => &[NO_OPTIMISATION],
            Self::Library => &["-buildmode=c-shared"],
        }
    }

    /// The flags of the mode, joined with those that a program wants. Of two `-gcflags` the go command takes the last
    /// one only, so they become one.
    #[must_use]
    pub fn flags_with(self, own: &[String]) -> Vec<String> {
        let mut flags = own.to_vec();
        match flags.iter_mut().find(|f| self == Self::Noopt && f.starts_with("-gcflags=all=")) {
            Some(both) => both.push_str(" -N -l"),
            None => flags.extend(self.flags().iter().map(|flag| (*flag).to_owned())),
        }
        flags
    }
}

impl fmt::Display for BuildMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back() {
        for mode in BuildMode::ALL {
            assert_eq!(BuildMode::parse(mode.as_str()), Some(mode));
        }
        assert_eq!(BuildMode::parse("fast"), None);
    }

    #[test]
    fn compiler_flags_are_joined() {
        let own = ["-gcflags=all=-d=checkptr".to_owned()];
        assert_eq!(BuildMode::Noopt.flags_with(&own), ["-gcflags=all=-d=checkptr -N -l"]);
        assert_eq!(BuildMode::Noopt.flags_with(&[]), [NO_OPTIMISATION]);
        assert_eq!(BuildMode::Pie.flags_with(&own), ["-gcflags=all=-d=checkptr", "-buildmode=pie"]);
        assert_eq!(BuildMode::Plain.flags_with(&own), own);
    }
}
