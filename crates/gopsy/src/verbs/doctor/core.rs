//! A core.

use super::text::{Level, crash_fix, setting};
use super::{bytes, fix, is_plain, unknown};
use gopsy_report::doctor::{Check, Fix, Group, Judgement, Scope};
use gopsy_target::machine::{CorePattern, Handler, Limit, Machine, Place, Reading};

pub(super) fn group(machine: &Machine) -> Group {
    let mut checks = vec![death(machine), limit(machine)];
    checks.extend(file_limit(machine));
    checks.extend([pattern(machine), place(machine), filter(machine), raised(machine)]);
    checks.extend(first_process(machine));
    Group { id: "core", title: "A core", informative: false, checks }
}

fn death(machine: &Machine) -> Check {
    let level = Level::of(machine.go_traceback.as_deref());
    let (what, judgement) = match level {
        Level::Crash => ("a dying Go program raises SIGABRT", Judgement::Ready),
        _ => ("a panic or a fatal error exits with status 2 and leaves no core", Judgement::NotReady),
    };
    Check {
        id: "death",
        name: "death",
        found: format!("{}: {what}", setting(machine)),
        judgement,
        why: "Only at level crash a dying Go program raises SIGABRT, which is what makes the kernel write a core.",
        fixes: if judgement == Judgement::Ready { Vec::new() } else { vec![crash_fix()] },
    }
}

/// Where no file is written at all, what a limit says of files does not count.
fn goes_to(machine: &Machine) -> Option<Option<Handler>> {
    machine.core_pattern.value().map(CorePattern::handler)
}

fn limit(machine: &Machine) -> Check {
    let (id, name) = ("rlimit-core", "core limit");
    let why = "Where the limit is 0 the kernel writes no file and systemd-coredump keeps none; a core longer than the \
               limit is cut off.";
    let Some(Limit { soft, hard }) = machine.core_limit.value().copied() else {
        return unknown(id, name, why, &machine.core_limit);
    };
    let raise = |hard: Option<u64>| match hard {
        None => vec![fix(Scope::Shell, "ulimit -c unlimited")],
        Some(0) => {
            vec![fix(Scope::Account, "echo \"$USER - core unlimited\" | sudo tee /etc/security/limits.d/50-core.conf")]
        }
        Some(_) => vec![fix(Scope::Shell, "ulimit -c \"$(ulimit -H -c)\"")],
    };
    let socket = matches!(machine.core_pattern.value(), Some(CorePattern::Socket(_)));
    let (found, judgement, fixes) = match (soft, goes_to(machine)) {
        (None, _) => ("unlimited".to_owned(), Judgement::Ready, Vec::new()),
        // fs/coredump.c: a limit of 1 is how the kernel knows a handler that crashed itself.
        (Some(1), Some(Some(_))) => ("1: the kernel starts no handler".to_owned(), Judgement::NotReady, raise(hard)),
        (Some(n), Some(Some(Handler::Abrt | Handler::Wsl | Handler::Other))) => (
            format!("{}; the kernel passes it to the handler and ignores it", size(n)),
            Judgement::CannotTell,
            raise(hard),
        ),
        (Some(n), _) if socket => {
            (format!("{}; what the listener makes of it is not known", size(n)), Judgement::CannotTell, raise(hard))
        }
        (Some(0), Some(Some(Handler::SystemdCoredump))) => {
            ("0: systemd-coredump logs the death and keeps no core".to_owned(), Judgement::NotReady, raise(hard))
        }
        (Some(0), Some(Some(Handler::Apport))) => {
            ("0: apport writes no core for a program without a package".to_owned(), Judgement::NotReady, raise(hard))
        }
        (Some(n), Some(Some(Handler::Apport))) => {
            (format!("{}: apport writes no core that is longer", size(n)), Judgement::Limited, raise(hard))
        }
        (Some(0), _) => ("0: no core is written".to_owned(), Judgement::NotReady, raise(hard)),
        (Some(n), _) => (format!("{}: a longer core is cut off", size(n)), Judgement::Limited, raise(hard)),
    };
    let hard = if soft == hard {
        String::new()
    } else {
        format!(" (it may be raised to {})", hard.map_or_else(|| "unlimited".to_owned(), size))
    };
    Check { id, name, found: format!("{found}{hard}"), judgement, why, fixes }
}

fn size(number: u64) -> String {
    if number == 0 { "0".to_owned() } else { bytes(number) }
}

/// Only where there is one.
fn file_limit(machine: &Machine) -> Option<Check> {
    let soft = machine.file_limit.value()?.soft?;
    Some(Check {
        id: "rlimit-fsize",
        name: "file limit",
        found: format!("{}: a longer core is cut off", bytes(soft)),
        judgement: Judgement::Limited,
        why: "The limit of files holds for the files that the kernel writes as cores, too.",
        fixes: vec![fix(Scope::Shell, "ulimit -f unlimited")],
    })
}

/// A place of one's own for cores, with names that do not overwrite each other.
fn own_pattern() -> Vec<Fix> {
    vec![
        fix(Scope::Machine, "sudo install -d -m 1777 /var/cores"),
        fix(Scope::UntilRestart, "sudo sysctl -w kernel.core_pattern=/var/cores/core.%e.%p.%t"),
    ]
}

fn pattern(machine: &Machine) -> Check {
    let (id, name) = ("core-pattern", "core pattern");
    let why =
        "This setting of the whole machine, containers included, decides whether a core becomes a file, and where.";
    let Some(pattern) = machine.core_pattern.value() else {
        return unknown(id, name, why, &machine.core_pattern);
    };
    let text = pattern.text();
    let with_pid = machine.core_uses_pid.value() == Some(&1);
    let apart = pattern.tells_processes_apart() || with_pid;
    let contained = machine.surroundings.container.is_some();
    let (found, judgement, fixes) = match pattern {
        CorePattern::Empty if with_pid => {
            ("empty: a file .PID in the program's directory".to_owned(), Judgement::Limited, own_pattern())
        }
        CorePattern::Empty => ("empty: no core is written".to_owned(), Judgement::NotReady, own_pattern()),
        CorePattern::Relative(_) => {
            let again = if apart { "" } else { "; the next overwrites it" };
            let found = format!("{text}: a file where the program runs{again}");
            (found, Judgement::Limited, own_pattern())
        }
        CorePattern::Absolute(_) if apart => {
            let where_ = if contained { ", seen from inside the container" } else { "" };
            (format!("{text}: a file of its own{where_}"), Judgement::Ready, Vec::new())
        }
        CorePattern::Absolute(_) => {
            (format!("{text}: a file; the next core overwrites it"), Judgement::Limited, own_pattern())
        }
        CorePattern::Socket(_) => (
            format!("{text}: a socket of another program, whose ways are not known"),
            Judgement::CannotTell,
            Vec::new(),
        ),
        CorePattern::Pipe { .. } => return pipe(machine, pattern, contained, (id, name, why)),
    };
    Check { id, name, found, judgement, why, fixes }
}

fn pipe(
    machine: &Machine,
    pattern: &CorePattern,
    contained: bool,
    (id, name, why): (&'static str, &'static str, &'static str),
) -> Check {
    let handler = pattern.handler().unwrap_or(Handler::Other);
    let program = pattern.program().map(|p| p.display().to_string()).unwrap_or_default();
    let (found, judgement, fixes) = match handler {
        Handler::Nothing => {
            (format!("{}: every core is thrown away", pattern.text()), Judgement::NotReady, own_pattern())
        }
        _ if contained => (
            format!("|{program}: runs on the host, not in this container; the core lies there"),
            Judgement::CannotTell,
            Vec::new(),
        ),
        _ if machine.core_handler_there == Some(false) => {
            (format!("|{program}: there is no such program, so cores are lost"), Judgement::NotReady, own_pattern())
        }
        Handler::SystemdCoredump => systemd(machine),
        Handler::Apport => (
            "apport: a core for programs without a package, a report in /var/crash for others".to_owned(),
            Judgement::Limited,
            own_pattern(),
        ),
        Handler::Abrt => (
            "abrt: keeps cores of programs without a package only if told to (ProcessUnpackaged)".to_owned(),
            Judgement::CannotTell,
            own_pattern(),
        ),
        Handler::Wsl => {
            ("WSL keeps cores on the side of Windows, if at all".to_owned(), Judgement::CannotTell, own_pattern())
        }
        Handler::Other => (
            format!("|{program}: a program whose ways are not known takes the core"),
            Judgement::CannotTell,
            own_pattern(),
        ),
    };
    Check { id, name, found, judgement, why, fixes }
}

fn systemd(machine: &Machine) -> (String, Judgement, Vec<Fix>) {
    let settings = machine.systemd_coredump.clone().unwrap_or_default();
    let keep = || {
        vec![
            fix(Scope::Machine, "sudo install -d /etc/systemd/coredump.conf.d"),
            fix(
                Scope::Machine,
                "printf '[Coredump]\\nStorage=external\\nProcessSizeMax=32G\\nExternalSizeMax=32G\\n' | \
                 sudo tee /etc/systemd/coredump.conf.d/50-keep.conf",
            ),
        ]
    };
    if let Some(unread) = settings.unread {
        return (format!("systemd-coredump, but {unread}"), Judgement::CannotTell, Vec::new());
    }
    match settings.storage.as_deref() {
        Some("none") => ("systemd-coredump, told to keep none (Storage=none)".to_owned(), Judgement::NotReady, keep()),
        Some("journal") => (
            "systemd-coredump keeps cores in the journal; coredumpctl dump -o core PID".to_owned(),
            Judgement::Limited,
            keep(),
        ),
        _ => {
            let most = settings.external_size_max.map_or_else(String::new, |most| format!(", at most {most} each"));
            let found = format!("systemd-coredump keeps cores{most}; coredumpctl dump -o core PID");
            (found, Judgement::Ready, Vec::new())
        }
    }
}

fn place(machine: &Machine) -> Check {
    let (id, name) = ("core-place", "room");
    let why = "A core is about as large as the memory that the program used: without room it is cut off or missing.";
    // What a process may use, at most.
    let limit = machine.cgroup.value().and_then(|c| c.memory);
    let most = limit.into_iter().chain(machine.memory.value().copied()).min();
    let contained = machine.surroundings.container.is_some();
    let piped = machine.core_pattern.value().is_some_and(|p| p.program().is_some());
    if machine.core_pattern.value().is_none() {
        return unknown(id, name, why, &machine.core_pattern);
    }
    if piped && contained {
        let found = "cores lie on the host: not seen from here".to_owned();
        return Check { id, name, found, judgement: Judgement::CannotTell, why, fixes: Vec::new() };
    }
    let Place { directory, writable, free } = match &machine.core_place {
        Reading::Have(place) => place,
        Reading::Missing(directory) => {
            // A handler makes its directory when it first needs it.
            let judgement = if piped { Judgement::CannotTell } else { Judgement::NotReady };
            let fixes = if !piped && is_plain(directory) {
                vec![fix(Scope::Machine, format!("sudo install -d -m 1777 {}", directory.display()))]
            } else {
                Vec::new()
            };
            let found = format!("{} is not there", directory.display());
            return Check { id, name, found, judgement, why, fixes };
        }
        other => return unknown(id, name, why, other),
    };
    let relative = machine.core_pattern.value().is_some_and(CorePattern::is_relative);
    let named = if relative { "this directory".to_owned() } else { directory.display().to_string() };
    let room = free.map_or_else(|| "room not known".to_owned(), |free| format!("{} free", bytes(free)));
    // A handler writes as root; so the account's own rights do not matter.
    let (words, judgement) = match (free, most) {
        _ if !piped && !writable => ("but this account may not write there".to_owned(), Judgement::NotReady),
        (Some(free), Some(most)) if *free >= most => (format!("a program can use {}", bytes(most)), Judgement::Ready),
        (Some(_), Some(most)) => (format!("a program can use {}", bytes(most)), Judgement::Limited),
        _ => ("how much a program can use is not known".to_owned(), Judgement::CannotTell),
    };
    Check { id, name, found: format!("{room} in {named}, {words}"), judgement, why, fixes: Vec::new() }
}

fn filter(machine: &Machine) -> Check {
    let (id, name) = ("coredump-filter", "core filter");
    let why = "Heap and stacks of a Go program are private anonymous memory (bit 0); code and constants come from the \
               binary, which is found by its build id (bit 4).";
    let Some(filter) = machine.coredump_filter.value().copied() else {
        return unknown(id, name, why, &machine.coredump_filter);
    };
    let (words, judgement) = match (filter & 1 != 0, filter & 0x10 != 0, filter & 4 != 0) {
        (false, ..) => ("without private memory: no heap, no stacks", Judgement::NotReady),
        (true, _, true) => ("memory, and the pages of files", Judgement::Ready),
        (true, true, false) => ("memory and build ids, no pages of files: normal", Judgement::Ready),
        (true, false, false) => ("memory, but no build ids: the binary must be named", Judgement::Limited),
    };
    let fixes = match judgement {
        Judgement::Ready => Vec::new(),
        _ => vec![fix(Scope::Shell, "echo 0x33 > /proc/$$/coredump_filter")],
    };
    Check { id, name, found: format!("{filter:#x}: {words}"), judgement, why, fixes }
}

fn raised(machine: &Machine) -> Check {
    let (id, name) = ("suid-dumpable", "setcap, suid");
    let why = "A binary with setuid or file capabilities (setcap cap_net_bind_service) is not dumped by default, and since \
               Go 1.19.10 and 1.20.5 GOTRACEBACK is taken as none there: debug.SetTraceback(\"crash\") in the program helps.";
    let Some(value) = machine.suid_dumpable.value().copied() else {
        return unknown(id, name, why, &machine.suid_dumpable);
    };
    let absolute = machine.core_pattern.value().map(|p| !p.is_relative());
    let set = || vec![fix(Scope::UntilRestart, "sudo sysctl -w fs.suid_dumpable=2")];
    let (found, judgement, fixes) = match (value, absolute) {
        (0, _) => ("fs.suid_dumpable=0: only such programs leave no core", Judgement::Ready, set()),
        (2, Some(true)) => ("fs.suid_dumpable=2: such programs leave cores for root", Judgement::Ready, Vec::new()),
        (2, Some(false)) => (
            "fs.suid_dumpable=2: such programs leave none while core_pattern is relative",
            Judgement::Ready,
            own_pattern(),
        ),
        (2, None) => ("fs.suid_dumpable=2, which needs an absolute core_pattern", Judgement::CannotTell, Vec::new()),
        (1, _) => ("fs.suid_dumpable=1: such programs leave cores like others", Judgement::Ready, Vec::new()),
        _ => ("fs.suid_dumpable has a value without a known meaning", Judgement::CannotTell, Vec::new()),
    };
    Check { id, name, found: found.to_owned(), judgement, why, fixes }
}

/// Only in what seems a container.
fn first_process(machine: &Machine) -> Option<Check> {
    machine.surroundings.container.as_ref()?;
    let first = machine.surroundings.first_process.as_deref().unwrap_or("not known");
    Some(Check {
        id: "process-1",
        name: "process 1",
        found: format!("a Go program as process 1 leaves no core (here: {first})"),
        judgement: Judgement::Limited,
        why: "The kernel ignores a SIGABRT that process 1 raises itself: with GOTRACEBACK=crash such a program prints \
              everything and then exits (status 2; 134 from Go 1.27 on).",
        fixes: vec![fix(Scope::Container, "docker run --init --ulimit core=-1 -e GOTRACEBACK=crash IMAGE")],
    })
}
