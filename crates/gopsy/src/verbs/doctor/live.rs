//! Looking at a live process: what debuggers, profilers and tracers may do here.

use super::{fix, unknown};
use gopsy_report::doctor::{Check, Group, Judgement, Scope};
use gopsy_target::machine::{Capability, Machine, Reading};

pub(super) fn group(machine: &Machine) -> Group {
    let mut checks = vec![ptrace(machine)];
    checks.extend(seccomp(machine));
    checks.extend([
        perf(machine),
        kernel_addresses(machine),
        bpf(machine),
        uprobes(machine),
        multi(machine),
        btf(machine),
    ]);
    Group { id: "live", title: "Looking at a live process, with debuggers and tracers", informative: true, checks }
}

fn ptrace(machine: &Machine) -> Check {
    let (id, name) = ("ptrace", "ptrace");
    let why = "A debugger reads the memory of a process and stops it by the right to ptrace it.";
    let may = machine.can(Capability::SysPtrace);
    // The file is there with Yama only; that it is missing says something only where its neighbours are not.
    let scope = match &machine.ptrace_scope {
        Reading::Have(scope) => Some(*scope),
        Reading::Missing(_) if machine.kernel.value().is_some() => None,
        other => return unknown(id, name, why, other),
    };
    let relax = || vec![fix(Scope::UntilRestart, "sudo sysctl -w kernel.yama.ptrace_scope=0")];
    let (found, judgement, fixes) = match (scope, may) {
        (Some(3..), _) => ("ptrace_scope=3: nobody, until the machine restarts", Judgement::NotReady, Vec::new()),
        (_, Some(true)) => ("CAP_SYS_PTRACE: processes of all accounts", Judgement::Ready, Vec::new()),
        (None, _) => ("no Yama: processes of this account", Judgement::Ready, Vec::new()),
        (Some(0), _) => ("ptrace_scope=0: processes of this account", Judgement::Ready, Vec::new()),
        (Some(1), _) => ("ptrace_scope=1: only what the debugger itself started", Judgement::Limited, relax()),
        (Some(_), _) => ("ptrace_scope=2: only with CAP_SYS_PTRACE", Judgement::NotReady, relax()),
    };
    Check { id, name, found: found.to_owned(), judgement, why, fixes }
}

/// Only where there is a filter.
fn seccomp(machine: &Machine) -> Option<Check> {
    let mode = *machine.seccomp.value()?;
    (mode != 0).then(|| Check {
        id: "seccomp",
        name: "seccomp",
        found: format!("mode {mode}: system calls are filtered, and what is refused cannot be seen"),
        judgement: Judgement::CannotTell,
        why: "A filter, as container engines set one, can refuse ptrace, perf_event_open and bpf in spite of all rights.",
        fixes: Vec::new(),
    })
}

fn perf(machine: &Machine) -> Check {
    let (id, name) = ("perf-events", "perf events");
    let why = "Sampling profilers from outside the process use perf_event_open.";
    let Some(level) = machine.perf_event_paranoid.value().copied() else {
        return unknown(id, name, why, &machine.perf_event_paranoid);
    };
    let rights = [Capability::Perfmon, Capability::SysAdmin].map(|c| machine.can(c));
    let (privileged, unsure) = (rights.contains(&Some(true)), rights.contains(&None));
    let (what, judgement) = match level {
        _ if privileged => ("all, with CAP_PERFMON", Judgement::Ready),
        ..=2 => ("this account's processes, without the kernel's part", Judgement::Ready),
        _ if unsure => ("what the account's rights are worth is not known", Judgement::CannotTell),
        // A patch of Debian and Ubuntu: above 2 nothing without rights.
        _ => ("nothing without CAP_PERFMON", Judgement::NotReady),
    };
    let fixes = match judgement {
        Judgement::Ready => Vec::new(),
        _ => vec![fix(Scope::UntilRestart, "sudo sysctl -w kernel.perf_event_paranoid=2")],
    };
    Check { id, name, found: format!("perf_event_paranoid={level}: {what}"), judgement, why, fixes }
}

fn kernel_addresses(machine: &Machine) -> Check {
    let (id, name) = ("kptr-restrict", "kernel names");
    let why = "Names of the kernel's functions matter for what a goroutine waits for inside a system call, and for nothing \
               else here.";
    let Some(value) = machine.kptr_restrict.value().copied() else {
        return unknown(id, name, why, &machine.kptr_restrict);
    };
    let judgement = match value {
        0 => Judgement::Ready,
        _ => Judgement::Limited,
    };
    let fixes = match judgement {
        Judgement::Ready => Vec::new(),
        _ => vec![fix(Scope::UntilRestart, "sudo sysctl -w kernel.kptr_restrict=0")],
    };
    Check { id, name, found: format!("kptr_restrict={value}"), judgement, why, fixes }
}

fn bpf(machine: &Machine) -> Check {
    let (id, name) = ("bpf", "BPF");
    let why = "Tracers count and time calls inside the kernel with BPF programs.";
    let Some(disabled) = machine.unprivileged_bpf_disabled.value().copied() else {
        return unknown(id, name, why, &machine.unprivileged_bpf_disabled);
    };
    let may = |c| machine.can(c);
    let both = may(Capability::Bpf).zip(may(Capability::Perfmon)).map(|(b, p)| b && p);
    let (found, judgement) = match (may(Capability::SysAdmin), both) {
        (Some(true), _) => ("bpf(2) is there, CAP_SYS_ADMIN is held".to_owned(), Judgement::Ready),
        (_, Some(true)) => ("bpf(2) is there, CAP_BPF and CAP_PERFMON are held".to_owned(), Judgement::Ready),
        (None, _) | (_, None) => ("what the account's rights are worth is not known".to_owned(), Judgement::CannotTell),
        _ => (
            format!("no CAP_BPF with CAP_PERFMON (unprivileged_bpf_disabled={disabled}; tracing needs them anyway)"),
            Judgement::NotReady,
        ),
    };
    Check { id, name, found, judgement, why, fixes: Vec::new() }
}

fn uprobes(machine: &Machine) -> Check {
    let (id, name) = ("uprobes", "uprobes");
    let why = "Probes on functions of a Go program are uprobes.";
    let perf = machine.uprobes.perf;
    let (found, judgement) = match (&machine.uprobes.tracefs, perf) {
        (_, true) => ("the kernel has them, by perf_event_open".to_owned(), Judgement::Ready),
        (Reading::Have(path), false) => (format!("the kernel has them, by {}", path.display()), Judgement::Ready),
        // tracefs need not be mounted; and a kernel before 4.17 has uprobes without the device of perf.
        (other, false) => (other.why().unwrap_or_default(), Judgement::CannotTell),
    };
    Check { id, name, found, judgement, why, fixes: Vec::new() }
}

fn multi(machine: &Machine) -> Check {
    let (id, name) = ("uprobe-multi", "uprobe_multi");
    let why = "Many probes at once need Linux 6.6; before 6.10 (6.6.35, 6.9.5) its filter by process lets most threads of a \
               Go program pass unseen.";
    let (found, judgement) = match machine.kernel_version() {
        None => return unknown(id, name, why, &machine.kernel),
        Some(version) if version >= (6, 6) => {
            ("should be there by the kernel's version, which is no proof".to_owned(), Judgement::CannotTell)
        }
        Some((major, minor)) => (format!("not before Linux 6.6; this is {major}.{minor}"), Judgement::NotReady),
    };
    Check { id, name, found, judgement, why, fixes: Vec::new() }
}

fn btf(machine: &Machine) -> Check {
    let (id, name) = ("btf", "BTF");
    let why = "Tracers built with libbpf or bpftrace find the kernel's structures by BTF.";
    let (found, judgement) = match &machine.btf {
        Reading::Have(()) => ("/sys/kernel/btf/vmlinux is there".to_owned(), Judgement::Ready),
        Reading::Missing(_) if machine.kernel.value().is_some() => {
            ("the kernel has none (CONFIG_DEBUG_INFO_BTF)".to_owned(), Judgement::NotReady)
        }
        other => return unknown(id, name, why, other),
    };
    Check { id, name, found, judgement, why, fixes: Vec::new() }
}
