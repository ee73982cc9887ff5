//! Building the programs with the releases, and their cores.

use gopsy_program::CoreEvidence;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Releases at which the crossings changed, and the newest: `asmcgocall`'s slots at 1.22, the signal in C at 1.21, the
/// calling convention at 1.17.
const RELEASES: [&str; 6] = ["go1.16.15", "go1.18.10", "go1.20.14", "go1.21.13", "go1.24.11", "go1.27.3"];

/// How a program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Plain,
    Pie,
    /// C with tables for debuggers only.
    DebugFrame,
    /// C without tables, with frame pointers.
    FramePointers,
    /// C with neither.
    NoTables,
    NoC,
    RaceInternal,
    RaceExternal,
}

impl Mode {
    /// Flags of the C compiler.
    fn for_c(self) -> &'static str {
        match self {
            Mode::DebugFrame => "-O2 -g -fno-asynchronous-unwind-tables -fno-unwind-tables",
            Mode::FramePointers => "-O2 -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-omit-frame-pointer",
            Mode::NoTables => "-O2 -fno-asynchronous-unwind-tables -fno-unwind-tables -fomit-frame-pointer",
            _ => "-O2 -g",
        }
    }

    fn flags(self) -> &'static [&'static str] {
        match self {
            Mode::Plain | Mode::NoC | Mode::DebugFrame | Mode::FramePointers | Mode::NoTables => &[],
            Mode::Pie => &["-buildmode=pie"],
            Mode::RaceInternal => &["-race"],
            Mode::RaceExternal => &["-race", "-ldflags=-linkmode=external"],
        }
    }
}

/// A program that was built.
pub(crate) struct Built {
    /// The release and the mode, for messages.
    pub(crate) name: String,
    pub(crate) mode: Mode,
    folder: tempfile::TempDir,
}

impl Built {
    /// Lets it die, and opens its core.
    pub(crate) fn core(&self, way: &str) -> CoreEvidence {
        let died = self.run(way).output().unwrap();
        assert!(!died.status.success(), "{} {way} did not die", self.name);
        self.open(way)
    }

    /// Kills it when it says that it is ready.
    pub(crate) fn killed(&self, way: &str) -> CoreEvidence {
        let mut child = self.run(way).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "{}", self.name);
        Command::new("kill").args(["-ABRT", &child.id().to_string()]).status().unwrap();
        child.wait().unwrap();
        self.open(way)
    }

    fn run(&self, way: &str) -> Command {
        let mut command = Command::new("sh");
        let script = format!("ulimit -c unlimited && exec ./app {way}");
        command.args(["-c", &script]).current_dir(self.folder.path()).env("GOTRACEBACK", "crash").stderr(Stdio::null());
        command
    }

    fn open(&self, way: &str) -> CoreEvidence {
        let core = self.find_core().unwrap_or_else(|| panic!("{} {way} left no core", self.name));
        let evidence = CoreEvidence::open(&core, Some(&self.folder.path().join("app"))).unwrap();
        // The open file stays readable; cores of race builds have half a gigabyte.
        std::fs::remove_file(core).unwrap();
        evidence
    }

    fn find_core(&self) -> Option<PathBuf> {
        let mut entries = std::fs::read_dir(self.folder.path()).unwrap().filter_map(Result::ok).map(|e| e.path());
        entries.find(|p| p.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"core")))
    }
}

/// Builds the program with each release and shows what was built: in all modes, or by turns in one of them.
pub(crate) fn each(program: &str, modes: &[Mode], show: impl Fn(&Built)) {
    let all = std::env::var("GOPSY_ZOO").as_deref() == Ok("all");
    let mut skipped = Vec::new();
    for (turn, release) in RELEASES.iter().enumerate() {
        let chosen = modes.iter().enumerate().filter(|(i, _)| all || i % modes.len() == turn % modes.len());
        for (_, mode) in chosen {
            match make(program, release, *mode) {
                Ok(built) => show(&built),
                Err(why) => skipped.push(format!("{release} {mode:?}: {why}")),
            }
        }
    }
    if !skipped.is_empty() {
        let required = std::env::var("GOPSY_REQUIRE").is_ok_and(|v| v.split(',').any(|tier| tier.trim() == "zoo"));
        let why = skipped.join("; ");
        assert!(!required, "GOPSY_REQUIRE names zoo, but {why}");
        // Not eprint!, which the test harness keeps to itself when all is well.
        let told = format!("skipped {} of {program}: {why}\n", skipped.len());
        std::io::stderr().write_all(told.as_bytes()).unwrap();
    }
}

/// Builds a program. `Err` says what this machine lacks.
fn make(program: &str, release: &str, mode: Mode) -> Result<Built, String> {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if pattern.starts_with('|') || pattern.contains('/') || !pattern.starts_with("core") {
        return Err(format!("core_pattern is {:?}: cores do not land in the working directory", pattern.trim()));
    }
    if mode != Mode::NoC && Command::new("gcc").arg("--version").output().is_err() {
        return Err("there is no gcc here".to_owned());
    }
    let goroot = goroot(release)?;
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign");
    for ending in ["go", "c"] {
        let file = format!("{program}.{ending}");
        if sources.join(&file).exists() {
            std::fs::copy(sources.join(&file), folder.path().join(&file)).map_err(|e| e.to_string())?;
        }
    }
    std::fs::write(folder.path().join("go.mod"), "module example.com/app\n\ngo 1.16\n").map_err(|e| e.to_string())?;
    let output = Command::new(goroot.join("bin/go"))
        .args(["build", "-o", "app"])
        .args(mode.flags())
        .arg(".")
        .current_dir(folder.path())
        .env("GOROOT", &goroot)
        .env("GOTOOLCHAIN", "local")
        .env("GOENV", "off")
        .env("GOFLAGS", "")
        .env("GOWORK", "off")
        .env("GO111MODULE", "on")
        .env("CGO_ENABLED", if mode == Mode::NoC { "0" } else { "1" })
        .env("CGO_CFLAGS", mode.for_c())
        .env_remove("GOEXPERIMENT")
        .output()
        .map_err(|e| e.to_string())?;
    assert!(output.status.success(), "{release} {mode:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(Built { name: format!("{release} {mode:?}"), mode, folder })
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
    if version.lines().next() == Some(release) {
        return Ok(root);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.trim().lines().last().unwrap_or("the go command has another release").to_owned())
}
