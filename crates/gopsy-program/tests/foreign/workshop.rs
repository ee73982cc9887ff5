//! Building the programs with the releases, and their cores.

use gopsy_program::CoreEvidence;
use gopsy_testing::{NEWEST, Toolchain, core_in, core_pattern_problem, has_tool, skip};
use std::path::Path;
use std::process::{Command, Stdio};

/// Versions at which the crossings changed, and the newest: `asmcgocall`'s slots at 1.22, the signal in C at 1.21, the
/// calling convention at 1.17.
const VERSIONS: [&str; 6] = ["1.16", "1.18", "1.20", "1.21", "1.24", NEWEST];

/// How a program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Plain,
    Pie,
    /// C whose tables count from the frame pointer, cgo's glue too.
    Unoptimised,
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
            Mode::Unoptimised => "-O0 -g",
            Mode::DebugFrame => "-O2 -g -fno-asynchronous-unwind-tables -fno-unwind-tables",
            Mode::FramePointers => "-O2 -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-omit-frame-pointer",
            Mode::NoTables => "-O2 -fno-asynchronous-unwind-tables -fno-unwind-tables -fomit-frame-pointer",
            _ => "-O2 -g",
        }
    }

    fn flags(self) -> &'static [&'static str] {
        match self {
            Mode::Plain | Mode::NoC | Mode::Unoptimised | Mode::DebugFrame | Mode::FramePointers | Mode::NoTables => {
                &[]
            }
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

    /// Lets it be busy that way until its first thread stands at a function for the 100th time, goes on with gdb's commands
    /// to where it should be met, and sends that thread a signal there. `None` says that gdb may not.
    pub(crate) fn met(&self, way: &str, at: &str, go_on: &[&str]) -> Option<CoreEvidence> {
        let (main, run, at) = (format!("tbreak main.{way}"), format!("run {way}"), format!("break *'{at}'"));
        let pass = "handle SIGURG SIGABRT SIGQUIT nostop noprint pass";
        let until = [pass, &main, &run, &at, "ignore $bpnum 100", "continue"];
        let kill = ["delete", "set scheduler-locking off", "signal SIGABRT"];
        let script: Vec<_> =
            until.iter().chain(&["delete", "set scheduler-locking on"]).chain(go_on).chain(&kill).copied().collect();
        std::fs::write(self.folder.path().join("script"), script.join("\n")).unwrap();
        let mut shell = Command::new("sh");
        let gdb = "ulimit -c unlimited && exec gdb -batch -nx -iex 'set auto-load off' -x script ./app";
        shell.args(["-c", gdb]).current_dir(self.folder.path()).env("GOTRACEBACK", "crash").stdin(Stdio::null());
        let said = shell.output().unwrap();
        if core_in(self.folder.path()).is_none() {
            let said = String::from_utf8_lossy(&said.stderr);
            skip("zoo", &format!("{} {way}: there is no gdb, or it may not trace: {said}", self.name));
            return None;
        }
        Some(self.open(way))
    }

    fn run(&self, way: &str) -> Command {
        let mut command = Command::new("sh");
        let script = format!("ulimit -c unlimited && exec ./app {way}");
        command.args(["-c", &script]).current_dir(self.folder.path()).env("GOTRACEBACK", "crash").stderr(Stdio::null());
        command
    }

    fn open(&self, way: &str) -> CoreEvidence {
        let core = core_in(self.folder.path()).unwrap_or_else(|| panic!("{} {way} left no core", self.name));
        let evidence = CoreEvidence::open(&core, Some(&self.folder.path().join("app"))).unwrap();
        // The open file stays readable; cores of race builds have half a gigabyte.
        std::fs::remove_file(core).unwrap();
        evidence
    }
}

/// Builds the program with each version and shows what was built: in all modes, or by turns in one of them.
pub(crate) fn each(program: &str, modes: &[Mode], show: impl Fn(&Built)) {
    let all = std::env::var("GOPSY_ZOO").as_deref() == Ok("all");
    for (turn, version) in VERSIONS.iter().enumerate() {
        let chosen = modes.iter().enumerate().filter(|(i, _)| all || i % modes.len() == turn % modes.len());
        for (_, mode) in chosen {
            match make(program, version, *mode) {
                Ok(built) => show(&built),
                Err(why) => skip("zoo", &format!("{program}, go{version} {mode:?}: {why}")),
            }
        }
    }
}

/// Builds a program. `Err` says what this machine lacks.
fn make(program: &str, version: &str, mode: Mode) -> Result<Built, String> {
    if let Some(problem) = core_pattern_problem() {
        return Err(problem);
    }
    if mode != Mode::NoC && !has_tool("gcc") {
        return Err("there is no gcc here".to_owned());
    }
    let go = Toolchain::find(version)?;
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign");
    for ending in ["go", "c"] {
        let file = format!("{program}.{ending}");
        if sources.join(&file).exists() {
            std::fs::copy(sources.join(&file), folder.path().join(&file)).map_err(|e| e.to_string())?;
        }
    }
    std::fs::write(folder.path().join("go.mod"), "module example.com/app\n\ngo 1.16\n").map_err(|e| e.to_string())?;
    let mut command = go.build(folder.path(), Path::new("app"), mode.flags(), mode != Mode::NoC);
    let built = gopsy_testing::run(command.arg(".").env("CGO_CFLAGS", mode.for_c()));
    assert_eq!(built, Ok(()), "{} {mode:?}", go.release);
    Ok(Built { name: format!("{} {mode:?}", go.release), mode, folder })
}
