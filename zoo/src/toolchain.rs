//! Which Go versions are used, and what there is of them on this machine.

use std::collections::BTreeMap;

use gopsy_testing::{BuildMode, Toolchain, has_tool};

use crate::Subject;

/// The Go versions of the recorded texts, oldest first.
pub const VERSIONS: [&str; 6] = ["1.16", "1.19", "1.21", "1.24", "1.26", "1.27"];

/// The Go versions that cores are made with, oldest first.
pub const CORE_VERSIONS: [&str; 10] = ["1.16", "1.18", "1.20", "1.21", "1.22", "1.23", "1.24", "1.25", "1.26", "1.27"];

/// What there is to build with on this machine.
#[derive(Debug)]
pub struct Kit {
    toolchains: BTreeMap<&'static str, Result<Toolchain, String>>,
    has_cc: bool,
}

impl Kit {
    /// Looks for these versions, which may download them, and for a C compiler.
    pub fn find(versions: &[&'static str]) -> Self {
        let find = |version: &&'static str| (*version, Toolchain::find(version));
        Self { toolchains: versions.iter().map(find).collect(), has_cc: has_tool("gcc") }
    }

    /// The toolchain for a run.
    ///
    /// # Errors
    /// What this machine lacks for it.
    pub fn for_run(&self, subject: Subject<'_>, version: &str, mode: BuildMode) -> Result<&Toolchain, String> {
        if (subject.needs_cgo() || mode.needs_cgo()) && !self.has_cc {
            return Err("there is no gcc".to_owned());
        }
        match self.toolchains.get(version) {
            Some(found) => found.as_ref().map_err(Clone::clone),
            None => Err(format!("Go {version} was not looked for")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gopsy_testing::{NEWEST, RELEASES};

    #[test]
    fn every_version_has_a_release_and_the_newest_is_there() {
        for version in VERSIONS.into_iter().chain(CORE_VERSIONS) {
            assert!(RELEASES.iter().any(|release| release.starts_with(&format!("go{version}."))), "{version}");
        }
        assert_eq!((VERSIONS.last(), CORE_VERSIONS.last()), (Some(&NEWEST), Some(&NEWEST)));
    }
}
