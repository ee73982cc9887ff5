//! Deaths that leave neither text nor core, and starts that fail.

use super::{bytes, fix, unknown};
use gopsy_report::doctor::{Check, Group, Judgement, Scope};
use gopsy_target::machine::{CgroupVersion, Machine};

pub(super) fn group(machine: &Machine) -> Group {
    let checks = vec![memory(machine), threads(machine), overcommit(machine), mappings(machine), randomised(machine)];
    Group { id: "silent", title: "No death without a word", informative: true, checks }
}

fn memory(machine: &Machine) -> Check {
    let (id, name) = ("memory-limit", "memory");
    let why = "A program at the limit of its cgroup is killed by SIGKILL and leaves neither text nor core; GOMEMLIMIT \
               below the limit lets the garbage collector work against that.";
    let Some(cgroup) = machine.cgroup.value() else { return unknown(id, name, why, &machine.cgroup) };
    let version = match cgroup.version {
        CgroupVersion::V1 => "cgroup v1",
        CgroupVersion::V2 => "cgroup v2",
    };
    let kills = match cgroup.oom_kills {
        Some(kills) if kills > 0 => format!("; killed for want of memory here so far: {kills}"),
        _ => String::new(),
    };
    let Some(limit) = cgroup.memory else {
        let judgement = if kills.is_empty() { Judgement::Ready } else { Judgement::Limited };
        return Check { id, name, found: format!("no limit ({version}){kills}"), judgement, why, fixes: Vec::new() };
    };
    let (soft, fixes) = match machine.go_memory_limit.as_deref() {
        Some(set) => (format!("GOMEMLIMIT={set}"), Vec::new()),
        None => {
            let most = limit / 10 * 9 / (1 << 20);
            ("GOMEMLIMIT is not set".to_owned(), vec![fix(Scope::Shell, format!("export GOMEMLIMIT={most}MiB"))])
        }
    };
    let found = format!("killed at {} ({version}); {soft}{kills}", bytes(limit));
    Check { id, name, found, judgement: Judgement::Limited, why, fixes }
}

fn threads(machine: &Machine) -> Check {
    let (id, name) = ("pids-limit", "threads");
    let why = "At the limit of threads a Go program dies with: runtime: failed to create new OS thread.";
    let Some(cgroup) = machine.cgroup.value() else { return unknown(id, name, why, &machine.cgroup) };
    let (found, judgement) = match cgroup.pids {
        None => ("no limit of the cgroup".to_owned(), Judgement::Ready),
        Some(pids) => (format!("at most {pids} threads in this cgroup"), Judgement::Limited),
    };
    Check { id, name, found, judgement, why, fixes: Vec::new() }
}

fn overcommit(machine: &Machine) -> Check {
    let (id, name) = ("overcommit", "overcommit");
    let why =
        "With 2 the kernel refuses memory that it could not back: Go dies with out of memory while memory is free.";
    let Some(value) = machine.overcommit_memory.value().copied() else {
        return unknown(id, name, why, &machine.overcommit_memory);
    };
    let (judgement, fixes) = match value {
        0 | 1 => (Judgement::Ready, Vec::new()),
        _ => (Judgement::Limited, vec![fix(Scope::UntilRestart, "sudo sysctl -w vm.overcommit_memory=0")]),
    };
    Check { id, name, found: format!("vm.overcommit_memory={value}"), judgement, why, fixes }
}

/// The kernel's own default (include/linux/mm.h, `DEFAULT_MAX_MAP_COUNT`).
const USUAL_MAPPINGS: u64 = 65_530;

fn mappings(machine: &Machine) -> Check {
    let (id, name) = ("max-map-count", "mappings");
    let why = "A process with as many mappings as allowed gets no more memory, whatever is free.";
    let Some(value) = machine.max_map_count.value().copied() else {
        return unknown(id, name, why, &machine.max_map_count);
    };
    let (found, judgement, fixes) = if value < USUAL_MAPPINGS {
        let set = vec![fix(Scope::UntilRestart, format!("sudo sysctl -w vm.max_map_count={USUAL_MAPPINGS}"))];
        (format!("vm.max_map_count={value}, below the usual {USUAL_MAPPINGS}"), Judgement::Limited, set)
    } else {
        (format!("vm.max_map_count={value}"), Judgement::Ready, Vec::new())
    };
    Check { id, name, found, judgement, why, fixes }
}

fn randomised(machine: &Machine) -> Check {
    let (id, name) = ("mmap-rnd-bits", "-race builds");
    let why = "Above 28 binaries built with -race by older Go cannot start: unexpected memory mapping (see \
               https://github.com/google/sanitizers/issues/1716).";
    let Some(value) = machine.mmap_rnd_bits.value().copied() else {
        return unknown(id, name, why, &machine.mmap_rnd_bits);
    };
    let (judgement, fixes) = if value > 28 {
        (Judgement::Limited, vec![fix(Scope::UntilRestart, "sudo sysctl -w vm.mmap_rnd_bits=28")])
    } else {
        (Judgement::Ready, Vec::new())
    };
    Check { id, name, found: format!("vm.mmap_rnd_bits={value}"), judgement, why, fixes }
}
