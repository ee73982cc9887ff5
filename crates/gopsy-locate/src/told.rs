//! Who says what.

use std::fmt;

/// A source of statements about a place in the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Witness {
    /// Go's table of functions, in every Go program.
    Pclntab,
    /// The rows of DWARF's line table.
    LineTable,
    /// DWARF's functions.
    DebugInfo,
    /// The symbol table.
    Symbols,
}

impl Witness {
    /// The word, which is also the one of the wire form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Witness::Pclntab => "pclntab",
            Witness::LineTable => "line-table",
            Witness::DebugInfo => "debug-info",
            Witness::Symbols => "symbols",
        }
    }

    /// The words for a person.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Witness::Pclntab => "pclntab",
            Witness::LineTable => "DWARF lines",
            Witness::DebugInfo => "DWARF",
            Witness::Symbols => "symbols",
        }
    }
}

/// One statement and all who make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement<T> {
    /// What is said.
    pub says: T,
    /// Who says it, at least one.
    pub by: Vec<Witness>,
}

/// Everything that is said of one thing. More than one statement means that sources differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told<T>(Vec<Statement<T>>);

impl<T> Default for Told<T> {
    fn default() -> Self {
        Told(Vec::new())
    }
}

impl<T> Told<T> {
    /// Adds a statement; one that is the `same` as another joins it.
    pub fn add(&mut self, by: Witness, says: T, same: impl Fn(&T, &T) -> bool) {
        match self.0.iter_mut().find(|s| same(&s.says, &says)) {
            Some(statement) => statement.by.push(by),
            None => self.0.push(Statement { says, by: vec![by] }),
        }
    }

    /// The statements; pclntab's first, if it makes one.
    #[must_use]
    pub fn statements(&self) -> &[Statement<T>] {
        &self.0
    }

    /// The first statement: what a reader should take, unless the notes say otherwise.
    #[must_use]
    pub fn first(&self) -> Option<&T> {
        self.0.first().map(|s| &s.says)
    }

    /// Whether two sources differ.
    pub(crate) fn differs(&self) -> bool {
        self.0.len() > 1
    }
}

/// Why sources differ, or what a reader may fall over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Its name in the wire form; never renamed.
    pub id: &'static str,
    /// The sentence, for a person. It may hold names of the target.
    pub text: String,
}

impl Note {
    pub(crate) fn new(id: &'static str, text: impl Into<String>) -> Note {
        Note { id, text: text.into() }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
