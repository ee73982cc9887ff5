//! Building a specimen and watching it die.

use std::fs;
use std::io::{PipeReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::{Mode, Specimen, Toolchain};

/// Recorded texts name this folder, the same one for every specimen, so that
/// a path in a stack cannot give the answer away.
pub const RECORDING_FOLDER: &str = "/tmp/zoo/app";

/// The place of the Go installation in recorded texts.
const PLAIN_GOROOT: &str = "/usr/local/go";

/// The longest life of a specimen.
const PATIENCE: Duration = Duration::from_secs(60);

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
                self.build(specimen, go)?;
                self.program(specimen)
            }
            Mode::Test => self.test(specimen, go),
        };
        let (mut text, exit) = watch(command, specimen)?;
        if let Some(file) = &specimen.expect.run.crash_file {
            let bytes = fs::read(self.folder.join(file)).with_context(|| file.clone())?;
            text = String::from_utf8_lossy(&bytes).into_owned();
        }
        let goroot = go.goroot.display().to_string();
        Ok(Outcome { text: text.replace(&goroot, PLAIN_GOROOT), exit })
    }

    fn clear(&self) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        fs::create_dir_all(&self.folder)?;
        Ok(())
    }

    fn go(&self, specimen: &Specimen, go: &Toolchain) -> Command {
        let mut command = go.command();
        command.env("CGO_ENABLED", if specimen.needs_cgo() { "1" } else { "0" }).current_dir(&self.folder);
        command
    }

    fn build(&self, specimen: &Specimen, go: &Toolchain) -> Result<()> {
        let output = self
            .go(specimen, go)
            .args(["build", "-o", "app"])
            .args(&specimen.expect.run.build)
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

    /// The program in an empty environment, which may not leave a core file.
    fn program(&self, specimen: &Specimen) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", "ulimit -c 0; exec ./app \"$@\"", "app"])
            .args(&specimen.expect.run.args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(&specimen.expect.run.env)
            .current_dir(&self.folder);
        command
    }

    fn test(&self, specimen: &Specimen, go: &Toolchain) -> Command {
        let mut command = self.go(specimen, go);
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

/// Runs a command with standard output and standard error on one pipe.
fn watch(mut command: Command, specimen: &Specimen) -> Result<(String, i32)> {
    let (reader, writer) = std::io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot start {}", specimen.name))?;
    drop(command);
    let output = Output::follow(reader);
    let deadline = Instant::now() + PATIENCE;
    let ended = match &specimen.expect.run.signal {
        Some(signal) => {
            let ready = specimen.expect.run.signal_when.as_deref().unwrap_or("");
            send(signal, ready, &output, &mut child, deadline).and_then(|()| wait(&mut child, deadline))
        }
        None => wait(&mut child, deadline),
    };
    let status = match ended {
        Ok(status) => status,
        Err(error) => {
            child.kill()?;
            child.wait()?;
            return Err(error.context(format!("{} had to be killed", specimen.name)));
        }
    };
    Ok((output.finish(), exit_number(status)))
}

fn send(signal: &str, ready: &str, output: &Output, child: &mut Child, deadline: Instant) -> Result<()> {
    while !output.has_line(ready) {
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

fn wait(child: &mut Child, deadline: Instant) -> Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        ensure!(Instant::now() < deadline, "it did not end in {PATIENCE:?}");
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
    fn finish(self) -> String {
        let Self { seen, thread } = self;
        // The thread only reads and appends; had it panicked, what it read is still good.
        let _ = thread.join();
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&seen).into_owned()
    }
}
