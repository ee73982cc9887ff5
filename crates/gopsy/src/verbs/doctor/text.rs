//! A crash text with everything.

use super::fix;
use gopsy_report::doctor::{Check, Fix, Group, Judgement, Scope};
use gopsy_target::machine::Machine;

/// What the runtime makes of `GOTRACEBACK` (runtime/runtime1.go, `setTraceback`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// No goroutine, but for a throw and a fatal signal: seen with go1.26.8.
    None,
    /// The goroutine that failed.
    Single,
    /// All but the runtime's own.
    All,
    /// The runtime's own as well.
    System,
    /// The same, and SIGABRT.
    Crash,
}

impl Level {
    /// Other words than the runtime's own, and 0, print no goroutine; numbers print all: seen with go1.26.8.
    pub(super) fn of(value: Option<&str>) -> Level {
        match value {
            None | Some("" | "single") => Level::Single,
            Some("all") => Level::All,
            Some("system") => Level::System,
            Some("crash") => Level::Crash,
            Some(other) => match other.parse::<u32>() {
                Err(_) | Ok(0) => Level::None,
                Ok(1) => Level::All,
                Ok(_) => Level::System,
            },
        }
    }
}

/// How the variable stands, in words.
pub(super) fn setting(machine: &Machine) -> String {
    match machine.go_traceback.as_deref() {
        None | Some("") => "GOTRACEBACK is not set".to_owned(),
        Some(value) => format!("GOTRACEBACK={value}"),
    }
}

/// The one command that gives both: a full text and a core.
pub(super) fn crash_fix() -> Fix {
    fix(Scope::Shell, "export GOTRACEBACK=crash")
}

pub(super) fn group(machine: &Machine) -> Group {
    Group {
        id: "text",
        title: "A crash text with everything",
        informative: false,
        checks: vec![traceback(machine), debug(machine)],
    }
}

fn traceback(machine: &Machine) -> Check {
    let level = Level::of(machine.go_traceback.as_deref());
    let (what, judgement) = match level {
        Level::None => ("a panic and a fatal error print no goroutine", Judgement::NotReady),
        Level::Single => ("only the goroutine that failed", Judgement::Limited),
        Level::All => ("all goroutines of the program", Judgement::Ready),
        Level::System => ("all goroutines, the runtime's own too", Judgement::Ready),
        Level::Crash => ("all goroutines, the runtime's own too, then a core", Judgement::Ready),
    };
    let fixes = match judgement {
        Judgement::Ready => Vec::new(),
        _ => vec![crash_fix()],
    };
    Check {
        id: "gotraceback",
        name: "goroutines",
        found: format!("{}: {what}", setting(machine)),
        judgement,
        why: "The other writer of a map and the holder of a lock are other goroutines; since Go 1.26 fatal errors, too, \
              print only the one that noticed, unless the level is all or more.",
        fixes,
    }
}

fn debug(machine: &Machine) -> Check {
    let why = "GODEBUG can leave the labels of goroutines (who the request was for) out of a crash text.";
    let settings = machine.go_debug.as_deref().unwrap_or("");
    // The last one counts.
    let labels = settings.split(',').rev().find_map(|s| s.trim().strip_prefix("tracebacklabels="));
    let (found, judgement) = match labels {
        Some("0") => ("GODEBUG has tracebacklabels=0: labels are left out".to_owned(), Judgement::Limited),
        Some(_) => ("GODEBUG has tracebacklabels=1: labels are printed from Go 1.26 on".to_owned(), Judgement::Ready),
        None => {
            let set = if settings.is_empty() { "GODEBUG is not set" } else { "GODEBUG says nothing of them" };
            (format!("{set}: printed by modules of go 1.27 or later"), Judgement::Ready)
        }
    };
    let fixes = match judgement {
        Judgement::Ready => Vec::new(),
        _ => vec![fix(Scope::Shell, "export GODEBUG=$GODEBUG,tracebacklabels=1")],
    };
    Check { id: "godebug", name: "labels", found, judgement, why, fixes }
}
