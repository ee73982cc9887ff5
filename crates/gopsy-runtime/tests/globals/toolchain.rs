//! Go releases, and how the program is built with one.

use gopsy_testing::{BuildMode, RELEASES, Toolchain, run};
use std::path::Path;

/// How a program is built: a letter for the table, what it means, the mode and further flags of `go build`.
pub(crate) struct Mode {
    pub(crate) letter: char,
    pub(crate) name: &'static str,
    build: BuildMode,
    flags: &'static [&'static str],
}

pub(crate) const MODES: [Mode; 5] = [
    Mode { letter: 'e', name: "executable", build: BuildMode::Plain, flags: &[] },
    Mode { letter: 'p', name: "PIE", build: BuildMode::Pie, flags: &[] },
    Mode { letter: 'r', name: "-race", build: BuildMode::Race, flags: &[] },
    Mode { letter: 'c', name: "cgo, linked externally", build: BuildMode::Cgo, flags: &["-tags=withc"] },
    Mode { letter: 'l', name: "-gcflags='all=-N -l'", build: BuildMode::Noopt, flags: &[] },
];

/// The releases to try: those that `GOPSY_RELEASES` names (`go1.22.3,go1.24.5`), else [`RELEASES`].
pub(crate) fn releases() -> Vec<String> {
    match std::env::var("GOPSY_RELEASES") {
        Ok(named) => named.split(',').map(|r| r.trim().to_owned()).collect(),
        Err(_) => RELEASES.map(str::to_owned).to_vec(),
    }
}

/// Builds the program.
pub(crate) fn build(go: &Toolchain, mode: &Mode, into: &Path) -> Result<Vec<u8>, String> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/globals/program");
    let mut command = go.build(&program, into, mode.build.flags(), mode.build.needs_cgo());
    // Go 1.19 takes its own index of a standard library that lies in the module cache for a broken one.
    run(command.args(mode.flags).arg(".").env("GODEBUG", "goindex=0"))?;
    std::fs::read(into).map_err(|e| e.to_string())
}
