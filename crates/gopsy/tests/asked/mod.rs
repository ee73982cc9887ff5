//! What gopsy says of a core or a text, as JSON.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// `gopsy VERB TARGET ARGS --json`; whatever the exit code, since a verb may answer with it.
pub(crate) fn json(verb: &str, target: &Path, args: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gopsy"));
    let output = command.arg(verb).arg(target).args(args).arg("--json").output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)))
}
