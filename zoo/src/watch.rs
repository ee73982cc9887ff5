//! Watching a program until it ends.

use std::io::{PipeReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

/// Whether a program's two outputs are one pipe, as on a terminal, or one each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    Joined,
    Apart,
}

/// What a program printed and how it ended.
pub(crate) struct Seen {
    /// Standard error; both outputs where they are joined.
    pub(crate) error: Vec<u8>,
    /// Exit status, 128 + n when signal n ended it; nothing when it did not end by itself.
    pub(crate) exit: Option<i32>,
}

/// A program that runs.
pub(crate) struct Watched {
    child: Child,
    outputs: Vec<Output>,
    deadline: Instant,
}

/// Starts a command, lets `meanwhile` do what brings it to its end, and waits for that.
pub(crate) fn watch(
    mut command: Command,
    streams: Streams,
    patience: Duration,
    meanwhile: impl FnOnce(&mut Watched) -> Result<()>,
) -> Result<Seen> {
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
    let child = command.spawn()?;
    drop(command);
    let mut watched = Watched { child, outputs, deadline: Instant::now() + patience };
    let ended = meanwhile(&mut watched).and_then(|()| watched.wait());
    if !matches!(ended, Ok(Some(_))) {
        watched.child.kill()?;
        watched.child.wait()?;
    }
    let exit = ended?.map(exit_number);
    let mut printed = watched.outputs.into_iter().map(Output::finish);
    Ok(Seen { error: printed.next().unwrap_or_default(), exit })
}

impl Watched {
    /// Waits until the program has printed this line.
    pub(crate) fn wait_for_line(&mut self, line: &str) -> Result<()> {
        while !self.outputs.iter().any(|o| o.has_line(line)) {
            if self.child.try_wait()?.is_some() || Instant::now() > self.deadline {
                bail!("the line {line:?} was never printed");
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Sends it a signal (`"QUIT"`).
    pub(crate) fn send(&mut self, signal: &str) -> Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "it ended before {signal} was sent");
        let status = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status()?;
        ensure!(status.success(), "cannot send {signal}");
        Ok(())
    }

    /// Nothing when it is still alive at the deadline.
    fn wait(&mut self) -> Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() > self.deadline {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(10));
        }
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
