//! The program of these tests, built with real releases of Go.

use gopsy_testing::{Toolchain, run, skip};
use std::path::{Path, PathBuf};

/// How the program is built: a name, CGO_ENABLED, flags of `go build`.
pub(crate) struct Mode {
    pub(crate) name: &'static str,
    cgo: bool,
    arch: &'static str,
    flags: &'static [&'static str],
}

pub(crate) const PLAIN: Mode = Mode { name: "plain", cgo: false, arch: "amd64", flags: &[] };
pub(crate) const STRIPPED: Mode = Mode { name: "stripped", cgo: false, arch: "amd64", flags: &["-ldflags=-s -w"] };
pub(crate) const PIE: Mode = Mode { name: "pie", cgo: false, arch: "amd64", flags: &["-buildmode=pie"] };
pub(crate) const CGO: Mode = Mode { name: "cgo", cgo: true, arch: "amd64", flags: &["-ldflags=-linkmode=external"] };
pub(crate) const RACE: Mode = Mode { name: "race", cgo: true, arch: "amd64", flags: &["-race"] };
const UNCOMPRESSED: Mode =
    Mode { name: "uncompressed", cgo: false, arch: "amd64", flags: &["-ldflags=-compressdwarf=false"] };
/// The machine is another.
const ARM64: Mode = Mode { name: "arm64", cgo: false, arch: "arm64", flags: &[] };
const RISCV64: Mode = Mode { name: "riscv64", cgo: false, arch: "riscv64", flags: &[] };

/// A built program.
pub(crate) struct Built {
    pub(crate) release: &'static str,
    pub(crate) mode: &'static Mode,
    pub(crate) path: PathBuf,
    go: Toolchain,
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

/// Builds the program in every way that is asked for, one folder a way below `into`. What cannot be built is told; with
/// `zoo` in `GOPSY_REQUIRE` it is a failure.
pub(crate) fn all(into: &Path) -> Vec<Built> {
    let every = std::env::var("GOPSY_ZOO").is_ok_and(|z| z == "all");
    let modes = [&PLAIN, &STRIPPED, &PIE, &CGO, &RACE];
    let wanted: Vec<(&'static str, &'static Mode)> =
        if every { RELEASES.iter().flat_map(|r| modes.iter().map(|m| (*r, *m))).collect() } else { SOME.to_vec() };
    each(into, &wanted)
}

/// The program for other machines.
pub(crate) fn foreign(into: &Path) -> Vec<Built> {
    each(into, &[("go1.20.14", &ARM64), ("go1.24.11", &ARM64), ("go1.27.3", &ARM64), ("go1.27.3", &RISCV64)])
}

/// One whose DWARF stands in the file as it is.
pub(crate) fn uncompressed(into: &Path) -> Vec<Built> {
    each(into, &[("go1.24.11", &UNCOMPRESSED)])
}

fn each(into: &Path, wanted: &[(&'static str, &'static Mode)]) -> Vec<Built> {
    let mut built = Vec::new();
    for (release, mode) in wanted {
        match build(release, mode, &into.join(format!("{release}-{}", mode.name))) {
            Ok(one) => built.push(one),
            Err(why) => skip("zoo", &format!("{release}, {}: {why}", mode.name)),
        }
    }
    built
}

fn build(release: &'static str, mode: &'static Mode, folder: &Path) -> Result<Built, String> {
    let go = Toolchain::exactly(release)?;
    std::fs::create_dir_all(folder).map_err(|e| e.to_string())?;
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program");
    for file in ["main.go", "more.go", "withc.go", "generic.go"] {
        std::fs::copy(program.join(file), folder.join(file)).map_err(|e| e.to_string())?;
    }
    // Type parameters exist since Go 1.18.
    let old = release.starts_with("go1.16.");
    let language = if old { "1.16" } else { "1.18" };
    std::fs::write(folder.join("go.mod"), format!("module example.com/places\n\ngo {language}\n"))
        .map_err(|e| e.to_string())?;
    let tags = [if old { "" } else { "generic" }, if mode.name == "cgo" { "withc" } else { "" }];
    let path = folder.join("places");
    let mut command = go.build(folder, &path, mode.flags, mode.cgo);
    run(command.arg(format!("-tags={}", tags.join(","))).arg(".").env("GOARCH", mode.arch))?;
    Ok(Built { release, mode, path, go, sources: folder.to_owned() })
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
        let mut command = self.go.command();
        command.current_dir(&self.sources).arg("tool").arg(tool).args(arguments).arg(&self.path);
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
