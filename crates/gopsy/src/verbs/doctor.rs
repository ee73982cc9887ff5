//! `gopsy doctor`: will the next crash leave enough behind?
//!
//! The facts are read by `gopsy_target::machine`, the pages are made by `gopsy_report`. What the facts mean for a Go
//! program is said here, one file a wish. Nothing is `ready` that was not proved, and nothing is changed.

mod core;
mod live;
mod silent;
#[cfg(test)]
mod tests;
mod text;

use crate::output::{Look, print};
use anyhow::Result;
use clap::Args;
use gopsy_report::doctor::{Check, Checkup, Fix, Judgement, Scope};
use gopsy_report::names::bytes;
use gopsy_report::{terminal, wire};
use gopsy_target::machine::{Capability, Machine, Outside, Reading};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, io};

/// Say whether this machine and this account are ready for a post-mortem of a Go program
///
/// Looks at what decides whether the next death of a Go program leaves a full crash text and a core: the environment,
/// limits, the kernel's settings, containers. For whatever stands in the way there is the command that changes it;
/// gopsy changes nothing itself. What holds for this shell need not hold for a service: docs/post-mortem.md tells how to
/// set one up. The exit status is 0 whatever was found.
#[derive(Args)]
#[command(after_help = "Examples:
  gopsy doctor
  gopsy doctor --why                        why each thing matters, also what is ready
  gopsy doctor --json | jq -r '.groups[] | \"\\(.id): \\(.judgement)\"'

What it says of a core in a shell where nothing was set up:

  A core                                                           not ready
    !!  death         GOTRACEBACK is not set: a panic or a fatal error exits
                      with status 2 and leaves no core
        Only at level crash a dying Go program raises SIGABRT, which is what
        makes the kernel write a core.
        export GOTRACEBACK=crash  # this shell
    !!  core limit    0: no core is written (it may be raised to unlimited)
        Where the limit is 0 the kernel writes no file and systemd-coredump
        keeps none; a core longer than the limit is cut off.
        ulimit -c unlimited  # this shell")]
pub(crate) struct Doctor {
    /// Tell of what is ready as fully as of what is not
    #[arg(long, conflicts_with = "json")]
    why: bool,
    /// Write gopsy.doctor/1 (docs/wire/doctor.md)
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Looks at the machine and prints what was found.
    pub(crate) fn run(&self, look: &Look) -> Result<ExitCode> {
        let machine = Machine::read(&Outside {
            root: Path::new("/"),
            working_directory: env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            variable: &|name| env::var_os(name),
        });
        let checkup = checkup(&machine);
        if self.json {
            wire::doctor(io::stdout().lock(), &checkup, wire::Form::Pretty)?;
        } else {
            print(&terminal::doctor(&checkup, self.why, &look.view()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What the facts mean.
fn checkup(machine: &Machine) -> Checkup {
    let surroundings =
        [("seems a container", &machine.surroundings.container), ("seems a VM", &machine.surroundings.machine)];
    Checkup {
        system: format!("{}/{}", env::consts::OS, go_arch(env::consts::ARCH)),
        kernel: machine.kernel.value().cloned(),
        account: account(machine),
        surroundings: surroundings
            .into_iter()
            .filter_map(|(what, sign)| sign.as_ref().map(|(kind, by)| format!("{what}: {kind}, by {by}")))
            .collect(),
        groups: vec![text::group(machine), core::group(machine), silent::group(machine), live::group(machine)],
        notes: notes(machine),
    }
}

/// Go's name of an architecture.
fn go_arch(arch: &str) -> &str {
    match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "loongarch64" => "loong64",
        other => other,
    }
}

fn account(machine: &Machine) -> String {
    let uid = machine.uid.value().map_or_else(|| "uid not known".to_owned(), |uid| format!("uid {uid}"));
    let inside = match machine.first_user_namespace.value() {
        Some(false) => " of a user namespace",
        _ => "",
    };
    let wanted = [Capability::SysAdmin, Capability::SysPtrace, Capability::Perfmon, Capability::Bpf];
    let held: Vec<&str> = wanted
        .into_iter()
        .filter(|c| machine.capabilities.value().is_some_and(|set| c.is_in(*set)))
        .map(Capability::as_str)
        .collect();
    let capabilities = match (machine.capabilities.value(), held.as_slice()) {
        (None, _) => "capabilities not known".to_owned(),
        (Some(_), []) => "no capabilities for tracing".to_owned(),
        (Some(_), held) => format!("{}{inside}", held.join(" ")),
    };
    format!("{uid}, {capabilities}")
}

fn notes(machine: &Machine) -> Vec<String> {
    let mut notes = Vec::new();
    match &machine.go {
        Some(go) => notes.push(match &go.version {
            Some(version) => format!("go in PATH: {}, {version} by its VERSION file", go.path.display()),
            None => format!("go in PATH: {}; its version is told by `go version` only", go.path.display()),
        }),
        None => notes.push("no go in PATH; gopsy needs none".to_owned()),
    }
    if machine.debuginfod.is_some() {
        notes.push("DEBUGINFOD_URLS is set: gopsy asks those servers only with --debuginfod; other tools may do so by themselves".to_owned());
    }
    if let Some(pages) = machine.transparent_hugepages.value() {
        notes.push(format!("transparent huge pages: {pages}"));
    }
    notes
}

/// A check whose evidence could not be read.
fn unknown(id: &'static str, name: &'static str, why: &'static str, reading: &Reading<impl Sized>) -> Check {
    let found = reading.why().unwrap_or_else(|| "not known".to_owned());
    Check { id, name, found, judgement: Judgement::CannotTell, why, fixes: Vec::new() }
}

fn fix(scope: Scope, command: impl Into<String>) -> Fix {
    Fix { command: command.into(), scope }
}

/// Whether a path can stand in a command as it is.
fn is_plain(path: &Path) -> bool {
    path.to_str().is_some_and(|p| {
        p.starts_with('/') && p.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'-' | b'_'))
    })
}
