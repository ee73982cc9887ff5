//! Where the Go toolchains come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{BuildMode, Subject};

/// The Go versions of the recorded texts, oldest first.
pub const VERSIONS: [&str; 6] = ["1.16", "1.19", "1.21", "1.24", "1.26", "1.27"];

/// The Go versions that cores are made with, oldest first.
pub const CORE_VERSIONS: [&str; 10] = ["1.16", "1.18", "1.20", "1.21", "1.22", "1.23", "1.24", "1.25", "1.26", "1.27"];

/// Releases to try for a version, the wanted one first.
fn releases(version: &str) -> &'static [&'static str] {
    match version {
        "1.16" => &["go1.16.15"],
        "1.18" => &["go1.18.10"],
        "1.19" => &["go1.19.13", "go1.19.8"],
        "1.20" => &["go1.20.14"],
        "1.21" => &["go1.21.13"],
        "1.22" => &["go1.22.12"],
        "1.23" => &["go1.23.12"],
        "1.24" => &["go1.24.11"],
        "1.25" => &["go1.25.5"],
        "1.26" => &["go1.26.8"],
        "1.27" => &["go1.27.3"],
        _ => &[],
    }
}

/// The go command that fetches the others: `GOPSY_GO`, else `go` from the path.
pub fn go_command() -> String {
    std::env::var("GOPSY_GO").unwrap_or_else(|_| "go".to_owned())
}

/// One installed Go release.
#[derive(Debug, Clone)]
pub struct Toolchain {
    /// As in [`VERSIONS`] and [`CORE_VERSIONS`].
    pub version: String,
    /// The full name, such as `go1.21.13`.
    pub release: String,
    pub goroot: PathBuf,
}

impl Toolchain {
    /// Finds the release for `version`, which may download it.
    pub fn find(version: &str) -> Result<Self> {
        let mut problems = Vec::new();
        for release in releases(version) {
            match goroot_of(release) {
                Ok(goroot) => {
                    return Ok(Self { version: version.to_owned(), release: (*release).to_owned(), goroot });
                }
                Err(error) => problems.push(format!("{release}: {error:#}")),
            }
        }
        bail!("no toolchain for Go {version}: {}", problems.join("; "))
    }

    /// The release's own go command, kept from switching to another release.
    ///
    /// It is called directly: `GOTOOLCHAIN=go1.16.15 go build` cannot work,
    /// because releases before 1.21 know nothing of toolchain switching and
    /// trip over flags that a newer go has in `GOFLAGS` or in its `go/env` file.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.goroot.join("bin/go"));
        command
            .env("GOROOT", &self.goroot)
            .env("GOTOOLCHAIN", "local")
            .env("GOENV", "off")
            .env("GOFLAGS", "")
            .env("GOWORK", "off")
            .env("GO111MODULE", "on")
            .env_remove("GODEBUG")
            .env_remove("GOTRACEBACK")
            .env_remove("GOEXPERIMENT");
        command
    }
}

/// What there is to build with on this machine.
#[derive(Debug)]
pub struct Kit {
    toolchains: BTreeMap<&'static str, Result<Toolchain, String>>,
    has_cc: bool,
}

impl Kit {
    /// Looks for these versions, which may download them, and for a C compiler.
    pub fn find(versions: &[&'static str]) -> Self {
        let find = |version: &&'static str| (*version, Toolchain::find(version).map_err(|e| format!("{e:#}")));
        Self { toolchains: versions.iter().map(find).collect(), has_cc: runs("gcc") }
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

fn runs(tool: &str) -> bool {
    let mut command = Command::new(tool);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn goroot_of(release: &str) -> Result<PathBuf> {
    let go = go_command();
    let output = Command::new(&go)
        .args(["env", "GOROOT"])
        .env("GOTOOLCHAIN", release)
        .env("GOFLAGS", "")
        .output()
        .with_context(|| format!("cannot run {go}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{}", said.trim().lines().last().unwrap_or("go env failed"));
    }
    let goroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let has = version_of(&goroot)?;
    if has != release {
        bail!("{} is {has}", goroot.display());
    }
    Ok(goroot)
}

fn version_of(goroot: &Path) -> Result<String> {
    let file = goroot.join("VERSION");
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_has_a_release() {
        for version in VERSIONS.into_iter().chain(CORE_VERSIONS) {
            let wanted = releases(version);
            assert!(!wanted.is_empty(), "{version}");
            for release in wanted {
                assert!(release.starts_with(&format!("go{version}.")), "{release}");
            }
        }
    }
}
