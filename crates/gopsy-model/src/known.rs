//! The one form of every answer.

use crate::Str;
use std::fmt;

/// How well a value is known, best first.
///
/// The order is the order of trust: `Trust::Exact < Trust::Scanned`, so the worse of two is their maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trust {
    /// Read where it stands, or printed by the program itself.
    Exact,
    /// Looked up in a table: one that the Go linker wrote (pclntab, funcdata, itabs), or gopsy's own of where exactly that
    /// release has its structures, where the memory bears it out.
    Table,
    /// From DWARF.
    DebugInfo,
    /// Follows from other facts by an argument that is given.
    Inferred,
    /// Found by looking for something of the right shape; may be stale.
    Scanned,
}

impl Trust {
    /// The word used on the wire and on the terminal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Trust::Exact => "exact",
            Trust::Table => "table",
            Trust::DebugInfo => "debug-info",
            Trust::Inferred => "inferred",
            Trust::Scanned => "scanned",
        }
    }
}

/// Where a value was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// A crash text.
    Text,
    /// A core file.
    Core,
    /// The executable or its debug information.
    Binary,
    /// A live process.
    Process,
    /// gopsy's own knowledge of Go releases and known bugs.
    Knowledge,
}

impl Source {
    /// The word used on the wire and on the terminal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Text => "text",
            Source::Core => "core",
            Source::Binary => "binary",
            Source::Process => "process",
            Source::Knowledge => "knowledge",
        }
    }
}

/// Why a value is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// The text does not print it (an older Go, a lower GOTRACEBACK, a cut).
    NotPrinted,
    /// The text was printed but this part is damaged; what stands there.
    Damaged(Str),
    /// The runtime left it out on purpose (`...additional frames elided...`).
    Elided,
    /// The core file does not hold that memory.
    NotInCore,
    /// The memory could not be read for another reason.
    Unreadable(Str),
    /// The compiler kept it nowhere.
    OptimisedOut,
    /// It changed while it was read.
    Torn,
    /// The binary at hand is another build.
    WrongBuild,
    /// The reader was not allowed to look.
    NoPermission,
    /// The question makes no sense for this object.
    NotApplicable,
    /// gopsy does not know how to answer it yet for this source.
    NotSupported(Str),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::NotPrinted => f.write_str("not printed"),
            Missing::Damaged(what) => write!(f, "damaged text: {what}"),
            Missing::Elided => f.write_str("left out by the runtime"),
            Missing::NotInCore => f.write_str("not in the core"),
            Missing::Unreadable(why) => write!(f, "cannot be read: {why}"),
            Missing::OptimisedOut => f.write_str("optimised out"),
            Missing::Torn => f.write_str("changed while it was read"),
            Missing::WrongBuild => f.write_str("the binary is another build"),
            Missing::NoPermission => f.write_str("no permission"),
            Missing::NotApplicable => f.write_str("does not apply"),
            Missing::NotSupported(what) => write!(f, "not supported: {what}"),
        }
    }
}

/// An answer: a value with how and from where it is known, or the reason why there is none.
///
/// One type for all sources is what lets one rule serve a text, a core and a live process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known<T> {
    /// The value is known.
    Have {
        /// The value itself.
        value: T,
        /// How well it is known.
        trust: Trust,
        /// Where it was read.
        source: Source,
    },
    /// The value is not known.
    Missing(Missing),
}

impl<T> Known<T> {
    /// A value with its provenance.
    pub fn have(value: T, trust: Trust, source: Source) -> Self {
        Known::Have { value, trust, source }
    }

    /// A value printed in a crash text.
    pub fn printed(value: T) -> Self {
        Known::have(value, Trust::Exact, Source::Text)
    }

    /// A value that the text does not print.
    #[must_use]
    pub fn not_printed() -> Self {
        Known::Missing(Missing::NotPrinted)
    }

    /// `Some` printed value, or [`Missing::NotPrinted`].
    pub fn printed_or_not(value: Option<T>) -> Self {
        value.map_or_else(Known::not_printed, Known::printed)
    }

    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Known::Have { value, .. } => Some(value),
            Known::Missing(_) => None,
        }
    }

    /// The value, if there is one, giving up its provenance.
    pub fn into_value(self) -> Option<T> {
        match self {
            Known::Have { value, .. } => Some(value),
            Known::Missing(_) => None,
        }
    }

    /// The value, giving up its provenance, or why there is none.
    ///
    /// # Errors
    /// When there is none.
    pub fn into_result(self) -> Result<T, Missing> {
        match self {
            Known::Have { value, .. } => Ok(value),
            Known::Missing(why) => Err(why),
        }
    }

    /// How well the value is known, if there is one.
    pub fn trust(&self) -> Option<Trust> {
        match self {
            Known::Have { trust, .. } => Some(*trust),
            Known::Missing(_) => None,
        }
    }

    /// Why there is no value, if there is none.
    pub fn missing(&self) -> Option<&Missing> {
        match self {
            Known::Have { .. } => None,
            Known::Missing(why) => Some(why),
        }
    }

    /// This, or the other where this is missing; where both are, why this is.
    #[must_use]
    pub fn or_else(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Known::Missing(why) => match other() {
                Known::Missing(_) => Known::Missing(why),
                found @ Known::Have { .. } => found,
            },
            found @ Known::Have { .. } => found,
        }
    }

    /// Applies `f` to the value and keeps its provenance.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Known::Have { value, trust, source } => Known::Have { value: f(value), trust, source },
            Known::Missing(why) => Known::Missing(why),
        }
    }

    /// The same answer about a borrowed value.
    pub fn as_ref(&self) -> Known<&T> {
        match self {
            Known::Have { value, trust, source } => Known::Have { value, trust: *trust, source: *source },
            Known::Missing(why) => Known::Missing(why.clone()),
        }
    }
}

/// What comes out when two sources answer the same question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged<T> {
    /// They agree, or only one knows: the better known of the two.
    One(Known<T>),
    /// They contradict each other: both answers, the better known first.
    Contradiction(Known<T>, Known<T>),
}

impl<T: PartialEq> Known<T> {
    /// Joins the answers of two sources to one question. Equal values keep the better trust; unequal ones are
    /// told as a contradiction, never silently resolved.
    pub fn merge(self, other: Self) -> Merged<T> {
        match (&self, &other) {
            (Known::Missing(_), _) => Merged::One(other),
            (_, Known::Missing(_)) => Merged::One(self),
            (Known::Have { value: a, trust: ta, .. }, Known::Have { value: b, trust: tb, .. }) => {
                let first = ta <= tb;
                match (a == b, first) {
                    (true, true) => Merged::One(self),
                    (true, false) => Merged::One(other),
                    (false, true) => Merged::Contradiction(self, other),
                    (false, false) => Merged::Contradiction(other, self),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merge_prefers_trust_and_tells_contradictions() {
        let text = Known::have(1, Trust::Exact, Source::Text);
        let core = Known::have(1, Trust::Table, Source::Core);
        assert_eq!(core.merge(text.clone()), Merged::One(text.clone()));
        let other = Known::have(2, Trust::Scanned, Source::Core);
        assert_eq!(other.clone().merge(text.clone()), Merged::Contradiction(text.clone(), other));
        assert_eq!(Known::not_printed().merge(text.clone()), Merged::One(text));
    }

    #[test]
    fn the_worse_trust_is_the_greater() {
        assert_eq!(Trust::Table.max(Trust::Inferred), Trust::Inferred);
    }
}
