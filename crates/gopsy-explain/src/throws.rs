//! What can stand behind `fatal error: `: every text of every release.

use gopsy_model::Kind;
use std::collections::HashMap;
use std::sync::LazyLock;

/// One text of a throw, cut at its computed parts.
pub(crate) struct Throw {
    parts: Vec<&'static str>,
    pub(crate) kind: Kind,
    /// Which part of the runtime it comes from: a word of the list.
    pub(crate) family: &'static str,
}

/// How the list is made is told beside it.
static THROWS: LazyLock<Vec<Throw>> = LazyLock::new(|| {
    include_str!("../std/throws.tsv")
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| {
            let mut fields = l.split('\t');
            let text = fields.next()?;
            let kind = fields.next()?.parse().ok()?;
            let family = fields.next()?;
            let mut parts = Vec::new();
            let mut rest = text;
            while let Some((before, behind)) = rest.split_once('<') {
                parts.push(before);
                rest = behind.split_once('>').map_or("", |(_, r)| r);
            }
            parts.push(rest);
            Some(Throw { parts, kind, family })
        })
        .collect()
});

/// The throw whose text this is: one line, as printed.
pub(crate) fn find(message: &str) -> Option<&'static Throw> {
    THROWS.iter().find(|t| t.matches(message))
}

/// Functions whose throws are all of one kind, in every release; how the list is made is told beside it.
static THROWERS: LazyLock<HashMap<&'static str, Kind>> = LazyLock::new(|| {
    let lines = include_str!("../std/throwers.tsv").lines().filter(|l| !l.starts_with('#'));
    let entry = |l: &'static str| l.split_once('\t').and_then(|(function, kind)| Some((function, kind.parse().ok()?)));
    lines.filter_map(entry).collect()
});

/// What a function of the runtime throws, whatever the words were: where all of its throws are of one kind.
pub(crate) fn by(function: &str) -> Option<Kind> {
    // A func literal throws as the function that it stands in.
    let literal = |rest: &str| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').is_empty();
    let outer = function.split_once(".func").filter(|(_, rest)| literal(rest)).map_or(function, |(outer, _)| outer);
    THROWERS.get(outer).copied()
}

impl Throw {
    /// Whether a text is that of this throw: its fixed parts in order, the whole covered.
    fn matches(&self, message: &str) -> bool {
        let mut rest = message;
        let last = self.parts.len().saturating_sub(1);
        for (i, part) in self.parts.iter().enumerate() {
            if i == 0 {
                match rest.strip_prefix(part) {
                    Some(r) => rest = r,
                    None => return false,
                }
            } else if i == last {
                return rest.ends_with(part);
            } else {
                match rest.find(part) {
                    Some(at) => rest = rest.get(at + part.len()..).unwrap_or(""),
                    None => return false,
                }
            }
        }
        rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_with_and_without_computed_parts() {
        let family = |message: &str| find(message).map(|t| t.family);
        assert_eq!(family("lfstack.push"), Some("other"));
        assert_eq!(family("go of nil func value"), Some("scheduler"));
        assert_eq!(family("runtime.SetFinalizer: first argument is main.handle, not pointer"), Some("gc"));
        assert_eq!(family("foo.h: No such file or directory"), None);
    }

    #[test]
    fn every_family_is_told_in_words() {
        for throw in THROWS.iter() {
            assert!(crate::rules::throws::of_family(throw.family).is_some(), "{}", throw.family);
        }
    }
}
