//! Go releases, and how the program is built with one.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A release of each minor, the zoo's where the zoo has the minor.
const RELEASES: [&str; 12] = [
    "go1.16.15",
    "go1.17.13",
    "go1.18.10",
    "go1.19.13",
    "go1.20.14",
    "go1.21.13",
    "go1.22.12",
    "go1.23.12",
    "go1.24.11",
    "go1.25.5",
    "go1.26.8",
    "go1.27.3",
];

/// How a program is built: a letter for the table, what it means, CGO_ENABLED, flags of `go build`.
pub(crate) struct Mode {
    pub(crate) letter: char,
    pub(crate) name: &'static str,
    cgo: bool,
    flags: &'static [&'static str],
}

pub(crate) const MODES: [Mode; 5] = [
    Mode { letter: 'e', name: "executable", cgo: false, flags: &[] },
    Mode { letter: 'p', name: "PIE", cgo: false, flags: &["-buildmode=pie"] },
    Mode { letter: 'r', name: "-race", cgo: true, flags: &["-race"] },
    Mode {
        letter: 'c',
        name: "cgo, linked externally",
        cgo: true,
        flags: &["-tags=withc", "-ldflags=-linkmode=external"],
    },
    Mode { letter: 'l', name: "-gcflags='all=-N -l'", cgo: false, flags: &["-gcflags=all=-N -l"] },
];

/// The releases to try: those that `GOPSY_RELEASES` names (`go1.22.3,go1.24.5`), else [`RELEASES`].
pub(crate) fn releases() -> Vec<String> {
    match std::env::var("GOPSY_RELEASES") {
        Ok(named) => named.split(',').map(|r| r.trim().to_owned()).collect(),
        Err(_) => RELEASES.map(str::to_owned).to_vec(),
    }
}

/// Where a release lies, which may have to be downloaded first.
pub(crate) fn goroot(release: &str) -> Result<PathBuf, String> {
    let go = std::env::var("GOPSY_GO").unwrap_or_else(|_| "go".to_owned());
    let output = Command::new(&go)
        .args(["env", "GOROOT"])
        .env("GOTOOLCHAIN", release)
        .env("GOFLAGS", "")
        .output()
        .map_err(|e| format!("cannot run {go}: {e}"))?;
    let root = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let version = std::fs::read_to_string(root.join("VERSION")).unwrap_or_default();
    if version.lines().next() == Some(release) {
        Ok(root)
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(said.trim().lines().last().unwrap_or("the go command has another release").to_owned())
    }
}

/// Builds the program. The release's own go command is called: those before 1.21 know nothing of toolchain switching.
pub(crate) fn build(goroot: &Path, mode: &Mode, into: &Path) -> Result<Vec<u8>, String> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/globals/program");
    let output = Command::new(goroot.join("bin/go"))
        .arg("build")
        .args(mode.flags)
        .arg("-o")
        .arg(into)
        .arg(".")
        .current_dir(program)
        .env("GOROOT", goroot)
        .env("GOTOOLCHAIN", "local")
        .env("GOENV", "off")
        .env("GOFLAGS", "")
        .env("GOWORK", "off")
        .env("GO111MODULE", "on")
        .env("CGO_ENABLED", if mode.cgo { "1" } else { "0" })
        .env_remove("GOEXPERIMENT")
        // Go 1.19 takes its own index of a standard library that lies in the module cache for a broken one.
        .env("GODEBUG", "goindex=0")
        .output()
        .map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    std::fs::read(into).map_err(|e| e.to_string())
}
