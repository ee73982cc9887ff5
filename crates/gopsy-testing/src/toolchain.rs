//! Where the Go toolchains come from.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A release of each minor that gopsy reads, oldest first: the one with which its tests are made.
pub const RELEASES: [&str; 12] = [
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

/// The version of the last of them.
pub const NEWEST: &str = "1.27";

/// The go command that fetches the others: `GOPSY_GO`, else `go` from the path.
#[must_use]
pub fn go_command() -> String {
    std::env::var("GOPSY_GO").unwrap_or_else(|_| "go".to_owned())
}

/// One installed Go release.
#[derive(Debug, Clone)]
pub struct Toolchain {
    /// `1.21` of `go1.21.13`.
    pub version: String,
    /// The full name, such as `go1.21.13`.
    pub release: String,
    /// Where it is installed.
    pub goroot: PathBuf,
}

impl Toolchain {
    /// The release of [`RELEASES`] for a version such as `1.21`, which may have to be downloaded.
    ///
    /// # Errors
    /// Why there is none here.
    pub fn find(version: &str) -> Result<Self, String> {
        match RELEASES.iter().find(|release| version_of(release) == version) {
            Some(release) => Self::exactly(release),
            None => Err(format!("Go {version} is not one of {RELEASES:?}")),
        }
    }

    /// A release by its full name, which may have to be downloaded.
    ///
    /// # Errors
    /// Why it is not here.
    pub fn exactly(release: &str) -> Result<Self, String> {
        let go = go_command();
        let output = Command::new(&go)
            .args(["env", "GOROOT"])
            .env("GOTOOLCHAIN", release)
            .env("GOFLAGS", "")
            .output()
            .map_err(|error| format!("{release}: cannot run {go}: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{release}: {}", said.trim().lines().last().unwrap_or("go env failed")));
        }
        let goroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        let file = goroot.join("VERSION");
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let has = text.lines().next().unwrap_or_default().trim();
        if has != release {
            return Err(format!("{} is {has}, not {release}", goroot.display()));
        }
        Ok(Self { version: version_of(release).to_owned(), release: release.to_owned(), goroot })
    }

    /// The release's own go command, kept from switching to another release and from what the caller's environment says.
    ///
    /// It is called directly: `GOTOOLCHAIN=go1.16.15 go build` cannot work, because releases before 1.21 know nothing of
    /// toolchain switching and trip over flags that a newer go has in `GOFLAGS` or in its `go/env` file.
    #[must_use]
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

    /// `go build -o INTO FLAGS` in a folder, to be added to: the package is the last argument.
    #[must_use]
    pub fn build(&self, folder: &Path, into: &Path, flags: &[&str], cgo: bool) -> Command {
        let mut command = self.command();
        command.current_dir(folder).env("CGO_ENABLED", if cgo { "1" } else { "0" });
        command.args(["build", "-o"]).arg(into).args(flags);
        command
    }

    /// Writes a program of one file into a folder and builds it there. It is then called `app`.
    ///
    /// # Errors
    /// What the release said.
    pub fn program(&self, folder: &Path, source: &str, flags: &[&str], cgo: bool) -> Result<PathBuf, String> {
        let write = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).map_err(|error| format!("{name}: {error}"))
        };
        write("main.go", source)?;
        write("go.mod", "module example.com/app\n\ngo 1.16\n")?;
        let app = folder.join("app");
        run(&mut self.build(folder, &app, flags, cgo))?;
        Ok(app)
    }
}

/// Runs a command to its end.
///
/// # Errors
/// What it said when it failed.
pub fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// The versions to make programs with: all where `GOPSY_ZOO` is `all`, else these.
#[must_use]
pub fn versions(some: &[&'static str]) -> Vec<&'static str> {
    match std::env::var("GOPSY_ZOO").as_deref() {
        Ok("all") => RELEASES.iter().map(|release| version_of(release)).collect(),
        _ => some.to_vec(),
    }
}

/// `1.21` of `go1.21.13`.
fn version_of(release: &str) -> &str {
    let version = release.strip_prefix("go").unwrap_or(release);
    version.rsplit_once('.').map_or(version, |(version, _)| version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_release_of_each_version() {
        let mut versions = RELEASES.map(version_of);
        assert_eq!(versions.last(), Some(&NEWEST));
        versions.sort_unstable();
        assert!(versions.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(Toolchain::find("1.15").is_err());
    }

    #[test]
    fn what_a_command_said_is_told() {
        assert_eq!(run(Command::new("sh").args(["-c", "echo no >&2; false"])), Err("no".to_owned()));
        assert_eq!(run(Command::new("sh").args(["-c", "echo fine >&2"])), Ok(()));
        assert!(run(&mut Command::new("/nonexistent/tool")).is_err());
    }
}
