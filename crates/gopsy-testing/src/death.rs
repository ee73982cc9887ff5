//! Letting a program die.

use crate::{core_pattern_problem, has_tool};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a program left that died.
pub struct Died {
    /// Its core.
    pub core: PathBuf,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// What this machine lacks to build a program with C in it and to have its core.
#[must_use]
pub fn cgo_core_problem() -> Option<String> {
    core_pattern_problem().or_else(|| (!has_tool("gcc")).then(|| "there is no gcc".to_owned()))
}

/// The core that the kernel has left in a folder: `core`, or `core.PID` with `kernel.core_uses_pid`, or as a pattern that begins
/// so has it.
#[must_use]
pub fn core_in(folder: &Path) -> Option<PathBuf> {
    let is_core = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"core")) && path.is_file()
    };
    std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).find(is_core)
}

/// Runs a command line of the shell (`./app nil`) in a folder until it dies, under `GOTRACEBACK=crash` and with what else is to be
/// in its environment. Cores that were in the folder before are removed.
///
/// # Errors
/// Why there is no core of it.
pub fn dies(folder: &Path, line: &str, env: &[(&str, &str)]) -> Result<Died, String> {
    while let Some(core) = core_in(folder) {
        std::fs::remove_file(core).map_err(|error| error.to_string())?;
    }
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -c unlimited && exec {line}")]).current_dir(folder);
    command.env("GOTRACEBACK", "crash").envs(env.iter().copied());
    let output = command.output().map_err(|error| error.to_string())?;
    let core = core_in(folder).ok_or_else(|| {
        format!("{line} left no core ({}): {}", output.status, String::from_utf8_lossy(&output.stderr))
    })?;
    Ok(Died { core, stdout: output.stdout, stderr: output.stderr })
}
