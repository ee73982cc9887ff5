//! Building a specimen and watching it die.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gopsy_testing::core_in;

use crate::watch::{Streams, Watched, watch};
use crate::{BuildMode, Mode, PublicProgram, Specimen, Subject, Toolchain};

/// Recorded texts name this folder, the same one for every specimen, so that
/// a path in a stack cannot give the answer away.
pub const RECORDING_FOLDER: &str = "/tmp/zoo/app";

/// The place of the Go installation in recorded texts.
const PLAIN_GOROOT: &str = "/usr/local/go";

/// The longest life of a specimen. A core of a gigabyte takes its time to write, and one of 2 TiB of nothing over a minute
/// (`oom-huge` under Go 1.18 to 1.21).
const PATIENCE: Duration = Duration::from_secs(180);

/// What makes a build link externally: cgo in package main.
const CGO_FILE: (&str, &str) = ("zz_cgo.go", "package main\n\nimport \"C\"\n");

/// What makes a library of a program: what C calls.
const LIBRARY_FILE: (&str, &str) =
    ("zz_library.go", "package main\n\nimport \"C\"\n\n//export RunMain\nfunc RunMain() { main() }\n");

/// Who calls it: a file of C in a folder without Go, where the go command lets it be.
const CALLER_FILE: (&str, &str) = ("caller/caller.c", "void RunMain(void);\n\nint main(void) {\n\tRunMain();\n}\n");

/// How long goroutines get to settle between the ready line and the signal.
const SETTLE: Duration = Duration::from_millis(300);

/// A folder where one specimen at a time is built and run.
#[derive(Debug)]
pub struct Workshop {
    folder: PathBuf,
}

/// What was left of a specimen.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Standard error and standard output as a person sees them, or the file
    /// that the program wrote; the Go installation is called `/usr/local/go`.
    pub text: String,
    /// Exit status; 128 + n when signal n ended it.
    pub exit: i32,
}

/// What was left of a specimen that was made to leave a core.
#[derive(Debug, Clone)]
pub struct Remains {
    /// Standard error, and nothing else.
    pub text: Vec<u8>,
    /// The core in the folder of the workshop, if the kernel wrote one.
    pub core: Option<PathBuf>,
    /// Exit status, 128 + n when signal n ended it; nothing when it was still alive after a minute.
    pub exit: Option<i32>,
}

impl Workshop {
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Builds the specimen, runs it to its end and returns what it left.
    pub fn run(&self, specimen: &Specimen, go: &Toolchain) -> Result<Outcome> {
        self.clear()?;
        copy_source(specimen, &self.folder)?;
        let run = &specimen.expect.run;
        let command = match run.mode {
            Mode::Run => {
                self.build(specimen, go, BuildMode::Plain)?;
                self.program(&run.args, &run.env, "ulimit -c 0")
            }
            Mode::Test => self.test(specimen, go),
        };
        let seen = watch(command, Streams::Joined, PATIENCE, |watched| signal(specimen, watched))
            .with_context(|| specimen.name.clone())?;
        let exit = seen.exit.with_context(|| format!("{} had to be killed after {PATIENCE:?}", specimen.name))?;
        let mut text = String::from_utf8_lossy(&seen.error).into_owned();
        if let Some(file) = &specimen.expect.run.crash_file {
            let bytes = fs::read(self.folder.join(file)).with_context(|| file.clone())?;
            text = String::from_utf8_lossy(&bytes).into_owned();
        }
        let goroot = go.goroot.display().to_string();
        Ok(Outcome { text: text.replace(&goroot, PLAIN_GOROOT), exit })
    }

    /// Builds a specimen or a public program in one mode and lets it die as under `GOTRACEBACK=crash`, so that the kernel writes a core.
    /// Where the kernel's pattern puts cores elsewhere there is none: see [`crate::core_pattern_problem`].
    ///
    /// # Errors
    /// When it does not build or cannot be started.
    pub fn die(&self, subject: Subject<'_>, go: &Toolchain, mode: BuildMode) -> Result<Remains> {
        self.clear()?;
        let limit = "ulimit -c unlimited";
        let seen = match subject {
            Subject::Specimen(specimen) => {
                copy_source(specimen, &self.folder)?;
                match mode {
                    BuildMode::Cgo => fs::write(self.folder.join(CGO_FILE.0), CGO_FILE.1)?,
                    BuildMode::Library => fs::write(self.folder.join(LIBRARY_FILE.0), LIBRARY_FILE.1)?,
                    _ => {}
                }
                self.build(specimen, go, mode)?;
                let mut command = self.program(&specimen.expect.run.args, &specimen.expect.run.env, limit);
                command.env("GOTRACEBACK", "crash");
                watch(command, Streams::Apart, PATIENCE, |watched| signal(specimen, watched))
            }
            Subject::Program(program) => {
                self.install(program, go, mode)?;
                let errand = program.errand()?;
                let mut command = self.program(&errand.args, &BTreeMap::new(), limit);
                command.env("GOTRACEBACK", "crash").env("HOME", &self.folder);
                watch(command, Streams::Apart, PATIENCE, |watched| errand.run(watched))
            }
        };
        let seen = seen.with_context(|| subject.name().to_owned())?;
        Ok(Remains { text: seen.error, core: core_in(&self.folder), exit: seen.exit })
    }

    /// What a build of that mode made of the Go code.
    pub fn binary(&self, mode: BuildMode) -> PathBuf {
        self.folder.join(binary_name(mode))
    }

    fn clear(&self) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        fs::create_dir_all(&self.folder)?;
        Ok(())
    }

    fn go(&self, go: &Toolchain, cgo: bool) -> Command {
        let mut command = go.command();
        command.env("CGO_ENABLED", if cgo { "1" } else { "0" }).current_dir(&self.folder);
        command
    }

    /// Builds a program of the module proxy, which may download it.
    fn install(&self, program: &PublicProgram, go: &Toolchain, mode: BuildMode) -> Result<()> {
        let version = program.versions.get(&go.version).with_context(|| format!("not for Go {}", go.version))?;
        let mut command = self.go(go, mode.needs_cgo());
        command.env("GOBIN", &self.folder).arg("install").args(mode.flags_with(&[]));
        let output = command.arg(format!("{}@{version}", program.package)).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} {version}: {}", program.name, said.lines().last().unwrap_or_default());
        let name = command_name(&program.package);
        fs::rename(self.folder.join(name), self.binary(mode))?;
        Ok(())
    }

    fn build(&self, specimen: &Specimen, go: &Toolchain, mode: BuildMode) -> Result<()> {
        let output = self
            .go(go, specimen.needs_cgo() || mode.needs_cgo())
            .args(["build", "-o", binary_name(mode)])
            .args(mode.flags_with(&specimen.expect.run.build))
            .arg(".")
            .output()
            .with_context(|| format!("cannot run {}", go.goroot.display()))?;
        ensure!(
            output.status.success(),
            "{} does not build with {}: {}",
            specimen.name,
            go.release,
            String::from_utf8_lossy(&output.stderr)
        );
        if mode == BuildMode::Library { self.build_caller() } else { Ok(()) }
    }

    /// The program that calls the library.
    fn build_caller(&self) -> Result<()> {
        let (name, source) = CALLER_FILE;
        let file = self.folder.join(name);
        file.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&file, source)?;
        let mut gcc = Command::new("gcc");
        gcc.args(["-g", "-o", "app", name, "-L.", "-lapp", "-Wl,-rpath,$ORIGIN"]);
        gopsy_testing::run(gcc.current_dir(&self.folder)).map_err(anyhow::Error::msg)
    }

    /// The program in an empty environment, with the shell's limit on core files.
    fn program(&self, args: &[String], env: &BTreeMap<String, String>, limit: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{limit} && exec ./app \"$@\""), "app"])
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(env)
            .current_dir(&self.folder);
        command
    }

    fn test(&self, specimen: &Specimen, go: &Toolchain) -> Command {
        let mut command = self.go(go, specimen.needs_cgo());
        command
            .args(["test", "-vet=off"])
            .args(&specimen.expect.run.build)
            .args(&specimen.expect.run.args)
            .envs(&specimen.expect.run.env);
        command
    }
}

fn binary_name(mode: BuildMode) -> &'static str {
    if mode == BuildMode::Library { "libapp.so" } else { "app" }
}

fn copy_source(specimen: &Specimen, to: &Path) -> Result<()> {
    for source in specimen.sources() {
        let copy = to.join(&source.name);
        copy.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::copy(&source.path, copy)?;
    }
    Ok(())
}

/// What the go command calls the program of a package: the major version at the end of a path is no name.
fn command_name(package: &str) -> &str {
    let is_version = |part: &str| {
        part.strip_prefix('v').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    package.rsplit('/').find(|part| !is_version(part)).unwrap_or_default()
}

/// Sends the specimen's signal, if it has one, when it has printed that it is ready.
fn signal(specimen: &Specimen, watched: &mut Watched) -> Result<()> {
    let run = &specimen.expect.run;
    let Some(signal) = &run.signal else { return Ok(()) };
    watched.wait_for_line(run.signal_when.as_deref().unwrap_or(""))?;
    std::thread::sleep(SETTLE);
    watched.send(signal)
}

#[cfg(test)]
mod tests {
    use super::command_name;

    #[test]
    fn a_major_version_names_no_program() {
        let names =
            ["go.etcd.io/bbolt/cmd/bbolt", "github.com/nats-io/nats-server/v2", "example.com/viewer", "a/v", "v2"];
        assert_eq!(names.map(command_name), ["bbolt", "nats-server", "viewer", "v", ""]);
    }
}
