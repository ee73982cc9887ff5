//! Memory, threads and other things of which there was no more.

use super::draft;
use crate::case::Case;
use gopsy_model::{Cause, Confidence, Finding, Kind};

const GIB: u64 = 1 << 30;

pub(super) fn rules(case: &Case<'_>) -> Vec<Finding> {
    match case.kind {
        Kind::OutOfMemory => memory(case),
        Kind::ThreadExhaustion => threads(case),
        Kind::Killed => killed(case),
        _ => Vec::new(),
    }
}

/// `runtime: out of memory: cannot allocate N-byte block (M in use)`.
fn numbers(case: &Case<'_>) -> Option<(u64, Option<u64>)> {
    let lines = case.crash().diagnostics.iter().map(|d| &**d).chain(std::iter::once(case.message()));
    for line in lines {
        if let Some((_, rest)) = line.split_once("cannot allocate ") {
            let wanted = rest.split("-byte").next()?.parse().ok()?;
            let used = rest.split_once('(').and_then(|(_, r)| r.split(' ').next()?.parse().ok());
            return Some((wanted, used));
        }
    }
    None
}

/// The size that `mallocgc` or a function above it was asked for, from printed arguments.
fn asked(case: &Case<'_>) -> Option<u64> {
    case.frames.stack().iter().find_map(|f| {
        let name = f.function.value()?.as_str();
        let exact = |n: usize| {
            f.args.value().and_then(|a| a.words().get(n).copied().flatten()).filter(|(_, stale)| !stale).map(|(v, _)| v)
        };
        match name {
            "runtime.mallocgc" | "runtime.largeAlloc" => exact(0),
            _ => None,
        }
    })
}

fn memory(case: &Case<'_>) -> Vec<Finding> {
    let said = case.said();
    let (wanted, used) = match numbers(case) {
        Some((w, u)) => (Some(w), u),
        None => (asked(case), None),
    };
    let narrow =
        case.program.identity().arch.value().is_some_and(|a| matches!(&**a, "386" | "arm" | "mips" | "mipsle"));
    let mut out = Vec::new();
    if let Some(wanted) = wanted {
        let fact = match used {
            Some(used) => case.fact(format!("{} were asked for with {} in use", size(wanted), size(used))),
            None => case.fact(format!("{} were asked for at once", size(wanted))),
        };
        if wanted >= 1 << 47 {
            out.push(
                draft(
                    "absurd-allocation",
                    format!("one allocation of {} cannot be meant: the size itself is wrong", size(wanted)),
                )
                .claims(Cause::HugeAllocation, Confidence::Possible)
                .because(said.clone())
                .because(fact)
                .advise("a length read from input or damaged memory")
                .done(),
            );
        } else if wanted >= GIB {
            // What grows by appending asks for more than there is at the end of every growth.
            let grows = case.has_function(|n| {
                n == "runtime.growslice"
                    || n.starts_with("bytes.(*Buffer).")
                    || n.starts_with("strings.(*Builder).")
                    || n == "io.ReadAll"
            });
            let at_once = used.is_none_or(|u| wanted > u) && !grows;
            let confidence = if at_once { Confidence::Likely } else { Confidence::Possible };
            out.push(
                draft("huge-allocation", format!("one allocation of {} was too much", size(wanted)))
                    .claims(Cause::HugeAllocation, confidence)
                    .because(said.clone())
                    .because(fact)
                    .advise("bound the size before make: a length or a count read from input is the usual one")
                    .done(),
            );
        } else if used.is_some_and(|u| u < GIB) && wanted >= 16 << 20 {
            out.push(
                draft("small-limit", format!("{} could not be had on top of {}: a limit stands in the way, not the machine's memory", size(wanted), size(used.unwrap_or(0))))
                    .claims(Cause::AddressSpaceLimit, Confidence::Possible)
                    .because(said.clone())
                    .because(fact)
                    .advise("look at ulimit -v (RLIMIT_AS), the cgroup and vm.overcommit_memory; a 32-bit program ends at 4 GB of addresses")
                    .done(),
            );
        } else if used.is_some_and(|u| u >= wanted.saturating_mul(4) && u >= 256 << 20) {
            out.push(
                draft("memory-growth", format!("memory grew to {} until {} more could not be had", size(used.unwrap_or(0)), size(wanted)))
                    .claims(if narrow { Cause::AddressSpaceLimit } else { Cause::MemoryGrowth }, Confidence::Possible)
                    .because(said.clone())
                    .because(fact)
                    .advise("take a heap profile before it happens (net/http/pprof, /debug/pprof/heap); look at the limit it ran into (ulimit -v, cgroup)")
                    .done(),
            );
        }
    }
    let reserve = ["page summary", "arena", "reserve", "metadata"].iter().any(|w| case.message().contains(w))
        || case.crash().diagnostics.iter().any(|d| d.contains("errno=12") || d.contains("failed to reserve"));
    if out.is_empty() && (narrow || reserve) {
        let why = if narrow {
            "the program is a 32-bit one: its address space ends at 4 GB"
        } else {
            "address space could not be reserved"
        };
        out.push(
            draft("address-space", format!("{why}: not the memory but the addresses were used up"))
                .claims(Cause::AddressSpaceLimit, Confidence::Possible)
                .because(said)
                .because(case.fact(why))
                .advise("look at ulimit -v (RLIMIT_AS), vm.overcommit_memory and vm.max_map_count; build for 64 bits where it is a 32-bit program")
                .done(),
        );
    } else if out.is_empty() {
        out.push(
            draft("out-of-memory", "the system gave no more memory; the text does not tell how much was in use")
                .claims(Cause::MemoryGrowth, Confidence::Possible)
                .because(said)
                .advise("look at the limit it ran into (cgroup, ulimit -v) and take heap profiles on the way there")
                .done(),
        );
    }
    out
}

/// Bytes for a person.
fn size(n: u64) -> String {
    if n >= GIB << 10 {
        format!("{:.1} TiB", n as f64 / (GIB << 10) as f64)
    } else if n >= GIB {
        format!("{:.1} GiB", n as f64 / GIB as f64)
    } else if n >= 1 << 20 {
        format!("{:.1} MiB", n as f64 / f64::from(1u32 << 20))
    } else {
        format!("{n} bytes")
    }
}

fn threads(case: &Case<'_>) -> Vec<Finding> {
    let said = case.fact(format!("it was said: {}", case.headline_text()));
    // Refused, not used up: a seccomp filter that does not know clone3 answers EPERM or ENOSYS, a bad attribute EINVAL.
    let text = format!("{} {}", case.headline_text(), case.crash().diagnostics.join("\n"));
    let refused =
        ["Operation not permitted", "errno=1)", "errno=22)", "errno=38)", "Invalid argument", "not implemented"]
            .iter()
            .any(|w| text.contains(w));
    if refused {
        return vec![
            draft("thread-refused", "the system refused a thread: not for want of threads, which is answered otherwise")
                .because(said)
                .because(Case::known("a limit is answered with EAGAIN (11) or ENOMEM (12)"))
                .advise("a container's seccomp filter that is older than the C library's clone3 refuses threads: update docker, runc and libseccomp, or try --security-opt seccomp=unconfined once")
                .done(),
        ];
    }
    let mut d = draft(
        "threads",
        "no further thread could be started: a limit of the system, of the container or of the Go runtime was reached",
    )
    .claims(Cause::ResourceLimit, Confidence::Likely)
    .because(said);
    for line in case.crash().diagnostics.iter().filter(|l| l.contains("thread") || l.contains("errno")).take(2) {
        d = d.because(case.fact(line.to_string()));
    }
    let blocked =
        case.goroutines().filter(|(_, g, _)| g.status.value().is_some_and(|s| s.as_str() == "syscall")).count();
    if blocked > 50 {
        d = d.because(case.fact(format!("{blocked} goroutines are in system calls or C: each holds a thread")));
    }
    vec![
        d.advise("look at ulimit -u, pids.max of the cgroup and kernel.threads-max; Go's own limit is debug.SetMaxThreads (10,000)")
            .advise("goroutines blocked in C or in file I/O hold a thread each: bound them")
            .done(),
    ]
}

fn killed(case: &Case<'_>) -> Vec<Finding> {
    let oom = case.message().contains("OOM") || case.message().starts_with("Out of memory");
    if !oom {
        return Vec::new();
    }
    vec![
        draft("oom-killed", "the kernel ended the program because memory ran out")
            .claims(Cause::MemoryGrowth, Confidence::Possible)
            .because(case.fact(format!("it was said: {}", case.message())))
            .advise("set GOMEMLIMIT below the container's limit, and take heap profiles on the way there")
            .done(),
    ]
}
