//! Go releases, as binaries name them.

use std::fmt;

/// A Go release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// 27 of `go1.27.3`.
    pub minor: u32,
    /// 3 of `go1.27.3`; 0 of `go1.20`.
    pub patch: u32,
    /// `X:greenteagc`: experiments that were switched the other way.
    pub experiments: Vec<String>,
    /// It is exactly that release: no candidate, no development version, no vendor's own.
    pub exact: bool,
}

impl Release {
    /// From what a binary says (`go1.27.3`, `go1.25.14 X:greenteagc`, `go1.26.1-X:nogreenteagc`, `devel go1.28-ab12cd`).
    /// `None` where no number is told.
    #[must_use]
    pub fn parse(version: &str) -> Option<Release> {
        let at = version.find("go1.")?;
        let rest = version.get(at.checked_add(4)?..)?;
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (minor, rest) = rest.split_at_checked(digits(rest))?;
        let (patch, rest) = match rest.strip_prefix('.') {
            Some(more) => more.split_at_checked(digits(more))?,
            None => ("0", rest),
        };
        let (suffix, experiments) = match rest.find("X:") {
            Some(x) => rest.split_at_checked(x).map(|(s, x)| (s, x.get(2..).unwrap_or("")))?,
            None => (rest, ""),
        };
        let experiments = experiments.split(|c: char| !c.is_ascii_alphanumeric()).filter(|e| !e.is_empty());
        Some(Release {
            minor: minor.parse().ok()?,
            patch: patch.parse().ok()?,
            experiments: experiments.map(str::to_owned).collect(),
            exact: at == 0 && matches!(suffix, "" | " " | "-"),
        })
    }

    /// A release of that minor and patch, as the Go project published it.
    pub(crate) fn published((minor, patch): (u32, u32)) -> Release {
        Release { minor, patch, experiments: Vec::new(), exact: true }
    }

    /// What orders releases.
    #[must_use]
    pub fn number(&self) -> (u32, u32) {
        (self.minor, self.patch)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "go1.{}", self.minor)?;
        // go1.20 had no .0, go1.21.0 has one.
        if self.patch > 0 || self.minor >= 21 {
            write!(f, ".{}", self.patch)?;
        }
        if self.experiments.is_empty() { Ok(()) } else { write!(f, " X:{}", self.experiments.join(",")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_releases() {
        let parse = |text| Release::parse(text).map(|r| (r.minor, r.patch, r.exact, r.experiments.join(",")));
        let plain = |minor, patch, exact| Some((minor, patch, exact, String::new()));
        assert_eq!(parse("go1.27.3"), plain(27, 3, true));
        assert_eq!(parse("go1.20"), plain(20, 0, true));
        assert_eq!(parse("go1.21rc2"), plain(21, 0, false));
        assert_eq!(parse("go1.22.5 (Red Hat 1.22.5-1.el9)"), plain(22, 5, false));
        assert_eq!(parse("devel go1.28-ab12cd Thu"), plain(28, 0, false));
        assert_eq!(parse("go1.25.14 X:greenteagc"), Some((25, 14, true, "greenteagc".to_owned())));
        assert_eq!(parse("go1.26.1-X:nogreenteagc,jsonv2"), Some((26, 1, true, "nogreenteagc,jsonv2".to_owned())));
        assert_eq!((parse("devel +ab12cd"), parse(""), parse("go2.1")), (None, None, None));
        assert_eq!(parse("go1.99999999999999999999"), None);
    }
}
