//! Programs of one file that are built in several ways.

use crate::{BuildMode, Toolchain, cgo_core_problem, core_pattern_problem, skip};
use std::path::Path;

/// A program that was built in a folder of its own, which goes with it.
pub struct Built<'a> {
    /// Release and mode, for messages.
    pub name: String,
    /// Which release built it.
    pub toolchain: Toolchain,
    /// Where it is, as `app`.
    pub folder: &'a Path,
}

/// Builds a program of one file in each of these ways, for versions such as `1.21`, and hands it to a test that lets it die. What is
/// missing here is said, and ends it.
///
/// # Panics
/// When the program does not build; when something is missing and the tier `zoo` is required.
pub fn each_built(source: &str, has_c: bool, ways: &[(&str, BuildMode)], mut test: impl FnMut(&Built<'_>)) {
    let needs_c = has_c || ways.iter().any(|(_, mode)| mode.needs_cgo());
    if let Some(problem) = if needs_c { cgo_core_problem() } else { core_pattern_problem() } {
        return skip("zoo", &problem);
    }
    for (version, mode) in ways.iter().copied() {
        let toolchain = match Toolchain::find(version) {
            Ok(toolchain) => toolchain,
            Err(why) => return skip("zoo", &why),
        };
        let name = format!("{} {}", toolchain.release, mode.as_str());
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{name}: {error}"));
        let cgo = has_c || mode.needs_cgo();
        toolchain.program(folder.path(), source, mode.flags(), cgo).unwrap_or_else(|why| panic!("{name}: {why}"));
        test(&Built { name, toolchain, folder: folder.path() });
    }
}
