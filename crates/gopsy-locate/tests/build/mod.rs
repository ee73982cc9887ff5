//! The program of these tests, built with real releases of Go.

use std::path::{Path, PathBuf};
use std::process::Command;

/// How the program is built: a name, CGO_ENABLED, flags of `go build`.
pub(crate) struct Mode {
    pub(crate) name: &'static str,
    cgo: bool,
    flags: &'static [&'static str],
}

pub(crate) const PLAIN: Mode = Mode { name: "plain", cgo: false, flags: &[] };
pub(crate) const STRIPPED: Mode = Mode { name: "stripped", cgo: false, flags: &["-ldflags=-s -w"] };
pub(crate) const PIE: Mode = Mode { name: "pie", cgo: false, flags: &["-buildmode=pie"] };
pub(crate) const CGO: Mode = Mode { name: "cgo", cgo: true, flags: &["-ldflags=-linkmode=external"] };
pub(crate) const RACE: Mode = Mode { name: "race", cgo: true, flags: &["-race"] };

/// A built program.
pub(crate) struct Built {
    pub(crate) release: &'static str,
    pub(crate) mode: &'static Mode,
    pub(crate) path: PathBuf,
    goroot: PathBuf,
    /// Where the sources lay: what the file names begin with.
    pub(crate) sources: PathBuf,
}

/// What is built by default, and with `GOPSY_ZOO=all`.
const SOME: [(&str, &Mode); 7] = [
    ("go1.16.15", &PLAIN),
    ("go1.16.15", &STRIPPED),
    ("go1.20.14", &RACE),
    ("go1.24.11", &STRIPPED),
    ("go1.24.11", &PIE),
    ("go1.27.3", &PLAIN),
    ("go1.27.3", &CGO),
];
const RELEASES: [&str; 4] = ["go1.16.15", "go1.20.14", "go1.24.11", "go1.27.3"];

/// Builds the program in every way that is asked for, one folder a way below `into`. What cannot be built is told and
/// counted; with `zoo` in `GOPSY_REQUIRE` it is a failure.
pub(crate) fn all(into: &Path) -> Vec<Built> {
    let every = std::env::var("GOPSY_ZOO").is_ok_and(|z| z == "all");
    let modes = [&PLAIN, &STRIPPED, &PIE, &CGO, &RACE];
    let wanted: Vec<(&'static str, &'static Mode)> =
        if every { RELEASES.iter().flat_map(|r| modes.iter().map(|m| (*r, *m))).collect() } else { SOME.to_vec() };
    let (mut built, mut skipped) = (Vec::new(), 0);
    for (release, mode) in &wanted {
        match build(release, mode, &into.join(format!("{release}-{}", mode.name))) {
            Ok(one) => built.push(one),
            Err(why) => {
                skipped += 1;
                eprintln!("skipped ({skipped} of {}): {release}, {}: {why}", wanted.len(), mode.name);
            }
        }
    }
    let required = std::env::var("GOPSY_REQUIRE").is_ok_and(|r| r.split(',').any(|tier| tier.trim() == "zoo"));
    assert!(skipped == 0 || !required, "GOPSY_REQUIRE asks for the zoo, but {skipped} programs could not be built");
    built
}

fn build(release: &'static str, mode: &'static Mode, folder: &Path) -> Result<Built, String> {
    let goroot = goroot(release)?;
    std::fs::create_dir_all(folder).map_err(|e| e.to_string())?;
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program");
    for file in ["main.go", "withc.go", "generic.go"] {
        std::fs::copy(program.join(file), folder.join(file)).map_err(|e| e.to_string())?;
    }
    // Type parameters exist since Go 1.18.
    let old = release.starts_with("go1.16.");
    let language = if old { "1.16" } else { "1.18" };
    std::fs::write(folder.join("go.mod"), format!("module example.com/places\n\ngo {language}\n"))
        .map_err(|e| e.to_string())?;
    let tags = [if old { "" } else { "generic" }, if mode.name == "cgo" { "withc" } else { "" }];
    let path = folder.join("places");
    let mut command = go(&goroot, folder);
    command.arg("build").arg(format!("-tags={}", tags.join(","))).args(mode.flags).arg("-o").arg(&path).arg(".");
    let output = command.env("CGO_ENABLED", if mode.cgo { "1" } else { "0" }).output().map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    Ok(Built { release, mode, path, goroot, sources: folder.to_owned() })
}

/// The release's own go command: those before 1.21 know nothing of toolchain switching.
fn go(goroot: &Path, folder: &Path) -> Command {
    let mut command = Command::new(goroot.join("bin/go"));
    command
        .current_dir(folder)
        .env("GOROOT", goroot)
        .env("GOTOOLCHAIN", "local")
        .env("GOENV", "off")
        .env("GOFLAGS", "")
        .env("GOWORK", "off")
        .env("GO111MODULE", "on")
        .env_remove("GOEXPERIMENT");
    command
}

/// Where a release lies, which may have to be downloaded first.
fn goroot(release: &str) -> Result<PathBuf, String> {
    let go = std::env::var("GOPSY_GO").unwrap_or_else(|_| "go".to_owned());
    let output = Command::new(&go)
        .args(["env", "GOROOT"])
        .env("GOTOOLCHAIN", release)
        .env("GOFLAGS", "")
        .output()
        .map_err(|e| format!("cannot run {go}: {e}"))?;
    let root = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let version = std::fs::read_to_string(root.join("VERSION")).unwrap_or_default();
    if version.lines().next() == Some(release) { Ok(root) } else { Err(format!("{release} is not there")) }
}

impl Built {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.release, self.mode.name)
    }

    pub(crate) fn is(&self, mode: &Mode) -> bool {
        self.mode.name == mode.name
    }

    /// What a tool of the release prints about the program.
    pub(crate) fn tool(&self, tool: &str, arguments: &[&str], input: &str) -> String {
        use std::io::Write;
        let mut command = go(&self.goroot, &self.sources);
        command.arg("tool").arg(tool).args(arguments).arg(&self.path);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(output.status.success(), "{}: go tool {tool} failed", self.name());
        String::from_utf8(output.stdout).unwrap()
    }
}
