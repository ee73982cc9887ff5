//! Building a specimen and watching it die.

use std::fs;
use std::io::{PipeReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::{BuildMode, Mode, Specimen, Toolchain};

/// Recorded texts name this folder, the same one for every specimen, so that
/// a path in a stack cannot give the answer away.
pub const RECORDING_FOLDER: &str = "/tmp/zoo/app";

/// The place of the Go installation in recorded texts.
const PLAIN_GOROOT: &str = "/usr/local/go";

/// The longest life of a specimen.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest life of a specimen that should leave a core: some never die in some build modes, and each of them is waited for.
const PATIENCE_FOR_CORE: Duration = Duration::from_secs(20);

/// What makes a build link externally: cgo in package main.
const CGO_FILE: (&str, &str) = ("zz_cgo.go", "package main\n\nimport \"C\"\n");

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
    /// Exit status, 128 + n when signal n ended it; nothing when it was still alive after twenty seconds.
    pub exit: Option<i32>,
}

impl Workshop {
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Builds the specimen, runs it to its end and returns what it left.
    pub fn run(&self, specimen: &Specimen, go: &Toolchain) -> Result<Outcome> {
        self.clear()?;
        copy_source(&specimen.folder, &self.folder)?;
        let command = match specimen.expect.run.mode {
            Mode::Run => {
                self.build(specimen, go, BuildMode::Plain)?;
                self.program(specimen, "ulimit -c 0")
            }
            Mode::Test => self.test(specimen, go),
        };
        let seen = watch(command, specimen, Streams::Joined, PATIENCE)?;
        let exit = seen.exit.with_context(|| format!("{} had to be killed after {PATIENCE:?}", specimen.name))?;
        let mut text = String::from_utf8_lossy(&seen.error).into_owned();
        if let Some(file) = &specimen.expect.run.crash_file {
            let bytes = fs::read(self.folder.join(file)).with_context(|| file.clone())?;
            text = String::from_utf8_lossy(&bytes).into_owned();
        }
        let goroot = go.goroot.display().to_string();
        Ok(Outcome { text: text.replace(&goroot, PLAIN_GOROOT), exit })
    }

    /// Builds the specimen in one mode and lets it die as under `GOTRACEBACK=crash`, so that the kernel writes a core.
    /// Where the kernel's pattern puts cores elsewhere there is none: see [`core_pattern_problem`].
    ///
    /// # Errors
    /// When it does not build or cannot be started.
    pub fn die(&self, specimen: &Specimen, go: &Toolchain, mode: BuildMode) -> Result<Remains> {
        self.clear()?;
        copy_source(&specimen.folder, &self.folder)?;
        if mode == BuildMode::Cgo {
            fs::write(self.folder.join(CGO_FILE.0), CGO_FILE.1)?;
        }
        self.build(specimen, go, mode)?;
        let mut command = self.program(specimen, "ulimit -c unlimited");
        command.env("GOTRACEBACK", "crash");
        let seen = watch(command, specimen, Streams::Apart, PATIENCE_FOR_CORE)?;
        Ok(Remains { text: seen.error, core: self.core()?, exit: seen.exit })
    }

    /// The program of the last build.
    pub fn binary(&self) -> PathBuf {
        self.folder.join("app")
    }

    /// `core`, or `core.PID` with `kernel.core_uses_pid`.
    pub(crate) fn core(&self) -> Result<Option<PathBuf>> {
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"core")) && path.is_file() {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    fn clear(&self) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        fs::create_dir_all(&self.folder)?;
        Ok(())
    }

    fn go(&self, specimen: &Specimen, go: &Toolchain, mode: BuildMode) -> Command {
        let mut command = go.command();
        let cgo = specimen.needs_cgo() || mode.needs_cgo();
        command.env("CGO_ENABLED", if cgo { "1" } else { "0" }).current_dir(&self.folder);
        command
    }

    fn build(&self, specimen: &Specimen, go: &Toolchain, mode: BuildMode) -> Result<()> {
        let output = self
            .go(specimen, go, mode)
            .args(["build", "-o", "app"])
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
        Ok(())
    }

    /// The program in an empty environment, with the shell's limit on core files.
    fn program(&self, specimen: &Specimen, limit: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{limit} && exec ./app \"$@\""), "app"])
            .args(&specimen.expect.run.args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(&specimen.expect.run.env)
            .current_dir(&self.folder);
        command
    }

    fn test(&self, specimen: &Specimen, go: &Toolchain) -> Command {
        let mut command = self.go(specimen, go, BuildMode::Plain);
        command
            .args(["test", "-vet=off"])
            .args(&specimen.expect.run.build)
            .args(&specimen.expect.run.args)
            .envs(&specimen.expect.run.env);
        command
    }
}

fn copy_source(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_file() && name != "expect.toml" {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// Why no core can be had here, if that is so: the kernel gives it to a program, or puts it where it is not looked for.
pub fn core_pattern_problem() -> Option<String> {
    let file = "/proc/sys/kernel/core_pattern";
    match fs::read_to_string(file) {
        Ok(pattern) => pattern_problem(pattern.trim_end()),
        Err(error) => Some(format!("{file}: {error}")),
    }
}

fn pattern_problem(pattern: &str) -> Option<String> {
    let why = match pattern {
        _ if pattern.starts_with('|') => "the kernel gives cores to a program",
        _ if pattern.contains('/') => "the kernel puts cores into another folder",
        _ if !pattern.starts_with("core") => "the kernel gives cores another name",
        _ => return None,
    };
    Some(format!("kernel.core_pattern is {pattern:?}: {why} (sysctl kernel.core_pattern=core would do)"))
}

/// Whether a program's two outputs are one pipe, as on a terminal, or one each.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Streams {
    Joined,
    Apart,
}

/// What a program printed and how it ended.
struct Seen {
    /// Standard error; both outputs where they are joined.
    error: Vec<u8>,
    /// Nothing when it did not end by itself.
    exit: Option<i32>,
}

fn watch(mut command: Command, specimen: &Specimen, streams: Streams, patience: Duration) -> Result<Seen> {
    let (reader, writer) = std::io::pipe()?;
    let mut outputs = vec![Output::follow(reader)];
    let other = match streams {
        Streams::Joined => writer.try_clone()?,
        Streams::Apart => {
            let (reader, writer) = std::io::pipe()?;
            outputs.push(Output::follow(reader));
            writer
        }
    };
    command.stdin(Stdio::null()).stdout(other).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot start {}", specimen.name))?;
    drop(command);
    let deadline = Instant::now() + patience;
    let ended = match &specimen.expect.run.signal {
        Some(signal) => {
            let ready = specimen.expect.run.signal_when.as_deref().unwrap_or("");
            send(signal, ready, &outputs, &mut child, deadline).and_then(|()| wait(&mut child, deadline))
        }
        None => wait(&mut child, deadline),
    };
    if !matches!(ended, Ok(Some(_))) {
        child.kill()?;
        child.wait()?;
    }
    let exit = ended.with_context(|| format!("{} had to be killed", specimen.name))?.map(exit_number);
    let mut printed = outputs.into_iter().map(Output::finish);
    Ok(Seen { error: printed.next().unwrap_or_default(), exit })
}

fn send(signal: &str, ready: &str, outputs: &[Output], child: &mut Child, deadline: Instant) -> Result<()> {
    while !outputs.iter().any(|o| o.has_line(ready)) {
        if child.try_wait()?.is_some() || Instant::now() > deadline {
            bail!("the line {ready:?} was never printed");
        }
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(SETTLE);
    let status = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status()?;
    ensure!(status.success(), "cannot send {signal}");
    Ok(())
}

/// Nothing when it is still alive at the deadline.
fn wait(child: &mut Child, deadline: Instant) -> Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() > deadline {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn exit_number(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// What the program has printed so far, read by a thread.
struct Output {
    seen: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Output {
    fn follow(mut reader: PipeReader) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&seen);
        let thread = thread::spawn(move || {
            let mut buffer = [0; 1 << 16];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
                seen.extend_from_slice(&buffer[..length]);
            }
        });
        Self { seen, thread }
    }

    fn text(&self) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&seen).into_owned()
    }

    fn has_line(&self, wanted: &str) -> bool {
        self.text().lines().any(|line| line == wanted)
    }

    /// Waits for the end of the pipe: all writers are gone.
    fn finish(self) -> Vec<u8> {
        let Self { seen, thread } = self;
        // The thread only reads and appends; had it panicked, what it read is still good.
        let _ = thread.join();
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut seen)
    }
}

#[cfg(test)]
mod tests {
    use super::pattern_problem;

    #[test]
    fn only_a_core_beside_the_program_will_do() {
        assert_eq!(pattern_problem("core"), None);
        assert_eq!(pattern_problem("core.%p"), None);
        for (pattern, says) in [("|/usr/lib/systemd/systemd-coredump %P", "to a program"), ("/var/c/core", "folder")] {
            assert!(pattern_problem(pattern).is_some_and(|why| why.contains(says)), "{pattern}");
        }
        assert!(pattern_problem("").is_some() && pattern_problem("dump.%e").is_some());
    }
}
