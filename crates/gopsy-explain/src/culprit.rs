//! The frame a person should open first.

use crate::case::{Case, names, path_below_panic};
use crate::packages::{Owner, is_carrier};
use crate::recursion::Cycle;
use gopsy_model::{Culprit, Frame, Goroutine, Headline, Kind, Role, Stack, Status};

/// The culprit as the design defines it: the top frame of the user's code on the path that failed; the runtime and
/// the standard library only if that is all there is.
pub(crate) fn find(case: &Case<'_>) -> Option<Culprit> {
    match case.kind {
        Kind::RaceReport => race(case),
        // That thread was C's, and its goroutine is gone.
        Kind::RuntimeThrow if case.message().starts_with("runtime.Goexit called in a thread") => on_system_stack(case),
        // Who waits has nothing to do with it.
        Kind::Signalled if case.sent_by_itself() => None,
        // It stood there when somebody sent the signal; others, that wait, have no more to do with it.
        Kind::Signalled if executes(case) => {
            let stood = || "it stood there when the signal came".to_owned();
            of_crashed(case).map(|culprit| Culprit { why: culprit.why.or_else(|| Some(stood())), ..culprit })
        }
        Kind::TestTimeout | Kind::AllAsleep | Kind::GoexitDeadlock | Kind::Dump | Kind::Signalled => {
            let in_bubble = |id| case.program.goroutine(id).bubble.is_some();
            if is_synctest(case) && !case.program.stacks().take(crate::case::MAX_GOROUTINES).any(in_bubble) {
                return of_crashed(case);
            }
            // The runtime's own goroutines wait in every program.
            let is_runtime = |culprit: &Culprit| culprit.function.starts_with("runtime.");
            waiting(case).or_else(|| of_crashed(case).filter(|culprit| !is_runtime(culprit)))
        }
        _ => of_crashed(case),
    }
}

/// Whether the goroutine of the thread that took the signal was executing, or in a system call or in C.
fn executes(case: &Case<'_>) -> bool {
    let status = case.program.crashed().and_then(|id| case.program.goroutine(id).status.into_value());
    status.is_some_and(|status| matches!(status, Status::Running | Status::Syscall))
}

fn is_synctest(case: &Case<'_>) -> bool {
    case.message().starts_with("deadlock: ")
}

fn of_crashed(case: &Case<'_>) -> Option<Culprit> {
    // A stack that was taken when the panic was over shows where the program went on.
    if matches!(case.headline, Some(Headline::ServedPanic { .. }))
        && names(case.path()).next() == Some("runtime/debug.Stack")
    {
        return None;
    }
    let goroutine = case.goroutine_id();
    if case.kind == Kind::StackOverflow
        && let Some(c) = repeating(case)
    {
        return Some(c);
    }
    if let Some(c) = passed_on(case).or_else(|| on_system_stack(case)) {
        return Some(c);
    }
    choose(case, case.path(), goroutine).or_else(|| {
        let all = case.frames.stack();
        choose(case, all, goroutine).or_else(|| {
            case.frames
                .system
                .as_ref()
                .filter(|_| names(all).all(is_carrier))
                .and_then(|s| choose(case, &s.frames, None))
        })
    })
}

/// Where the panic came from that the one that ended the program has in its value, with its stack.
fn passed_on(case: &Case<'_>) -> Option<Culprit> {
    let passed = crate::passed_on::find(case)?;
    let goroutine = passed.quoted.as_ref().and_then(|quoted| quoted.goroutine);
    let frame = passed.raised_at(case)?;
    Some(culprit(frame, goroutine, Some("its stack stands in the panic's value".to_owned())))
}

/// The program's own function on the system stack of the thread that died: further in than the goroutine that the thread ran.
pub(crate) fn on_system_stack(case: &Case<'_>) -> Option<Culprit> {
    let frames = &case.frames.system.as_ref()?.frames;
    let is_user = |frame: &&Frame| case.owner(frame).is_user();
    let repeating = crate::recursion::cycle(frames).and_then(|cycle| second_round(case, frames, cycle));
    let frame = repeating.filter(is_user).or_else(|| frames.iter().find(is_user))?;
    Some(culprit(frame, case.goroutine_id(), Some("it stands on the thread's system stack".to_owned())))
}

/// In a recursion, the repeating frame.
pub(crate) fn repeating(case: &Case<'_>) -> Option<Culprit> {
    let frames = case.frames.stack();
    let best = second_round(case, frames, crate::recursion::cycle(frames)?)?;
    Some(culprit(best, case.goroutine_id(), Some("it repeats in the stack".to_owned())))
}

/// The best frame of a recursion's second round: in the first one the innermost frame stands at its entry, where the stack ran out.
fn second_round<'f>(case: &Case<'_>, frames: &'f [Frame], cycle: Cycle) -> Option<&'f Frame> {
    let from = cycle.start + cycle.period;
    let round = frames.get(from..from + cycle.period)?;
    let best = round.iter().max_by_key(|f| rank(case, f)).filter(|f| rank(case, f) > 0)?;
    // Of several equally good ones the innermost: max_by_key gives the last.
    round.iter().find(|f| rank(case, f) == rank(case, best))
}

/// How much a frame deserves to be opened; 0: never.
fn rank(case: &Case<'_>, frame: &Frame) -> u8 {
    // What has no name cannot be opened.
    if frame.function.value().is_none() && frame.file.value().is_none() {
        return 0;
    }
    match case.owner(frame) {
        Owner::Own | Owner::Dependency => 6,
        Owner::Messenger => 5,
        Owner::Standard => 4,
        Owner::Foreign if is_of_c_library(frame) => 2,
        Owner::Foreign => 3,
        // A wrapper that nobody wrote counts only if nothing else is there.
        Owner::Generated => 2,
        Owner::Runtime => 1,
        Owner::Carrier => 0,
    }
}

/// Whether a frame is in a file that comes with every compiler of C: how `abort` ends, how a thread begins.
fn is_of_c_library(frame: &Frame) -> bool {
    const LIBRARIES: [&str; 8] =
        ["libc.so", "libc-", "libpthread", "ld-linux", "ld-musl", "libstdc++.so", "libgcc_s.so", "[vdso]"];
    frame.module.value().is_some_and(|module| LIBRARIES.iter().any(|library| module.starts_with(library)))
}

fn choose(case: &Case<'_>, frames: &[Frame], goroutine: Option<u64>) -> Option<Culprit> {
    for level in (1..=6).rev() {
        if let Some(frame) = frames.iter().find(|f| rank(case, f) == level) {
            return Some(culprit(frame, goroutine, why(case, frame, frames)));
        }
    }
    None
}

fn why(case: &Case<'_>, frame: &Frame, frames: &[Frame]) -> Option<String> {
    match case.owner(frame) {
        Owner::Runtime | Owner::Standard => Some("no frame of the program's own code was printed".to_owned()),
        Owner::Dependency => {
            let own = frames.iter().find(|f| case.owner(f) == Owner::Own)?;
            let name = own.function.value()?;
            Some(format!("a library; it was called from {}", name.as_str()))
        }
        _ => None,
    }
}

pub(crate) fn culprit(frame: &Frame, goroutine: Option<u64>, why: Option<String>) -> Culprit {
    Culprit {
        function: frame.function.value().map_or_else(|| "?".into(), |n| n.0.clone()),
        file: frame.file.value().cloned(),
        line: frame.line.value().copied(),
        goroutine,
        why,
    }
}

fn race(case: &Case<'_>) -> Option<Culprit> {
    let report = case.crash().races.first()?;
    let mut best: Option<(u8, Culprit)> = None;
    for access in &report.accesses {
        let frame = best_frame(case, &access.stack);
        if let Some((level, frame)) = frame
            && best.as_ref().is_none_or(|(l, _)| level > *l)
        {
            best = Some((level, culprit(frame, access.goroutine.value().copied(), None)));
        }
    }
    best.map(|(_, c)| c)
}

/// Among goroutines that wait, the one whose wait explains most: on a lock rather than on a WaitGroup, in the
/// program's own code rather than in a library, in the test that hangs rather than in its runner.
fn waiting(case: &Case<'_>) -> Option<Culprit> {
    let mut best: Option<(i64, Culprit)> = None;
    let alone = case.program.stacks().len() == 1;
    for (id, goroutine, stack) in case.goroutines() {
        if !matches!(goroutine.role, Role::Goroutine | Role::Bare) {
            continue;
        }
        if case.kind == Kind::TestTimeout && Some(id) == case.program.crashed() {
            // The running goroutine is only the alarm.
            continue;
        }
        // A handler that printed its stack stands above the panic that it recovered.
        let path = path_below_panic(&stack.frames, true);
        let Some((level, frame)) = best_of(case, path).or_else(|| best_frame(case, &stack)) else { continue };
        if level < 5 && !alone {
            continue;
        }
        let score = score(case, &goroutine, &stack, frame);
        if best.as_ref().is_none_or(|(s, _)| score > *s) {
            let why = if alone { None } else { Some(reason(&goroutine)) };
            best = Some((score, culprit(frame, goroutine.id.value().copied(), why)));
        }
    }
    best.map(|(_, c)| c)
}

fn best_frame<'s>(case: &Case<'_>, stack: &'s Stack) -> Option<(u8, &'s Frame)> {
    best_of(case, &stack.frames)
}

fn best_of<'s>(case: &Case<'_>, frames: &'s [Frame]) -> Option<(u8, &'s Frame)> {
    (1..=6u8).rev().find_map(|level| frames.iter().find(|f| rank(case, f) == level).map(|f| (level, f)))
}

fn score(case: &Case<'_>, goroutine: &Goroutine, stack: &Stack, frame: &Frame) -> i64 {
    let reason = goroutine.wait_reason.value().map_or("", |r| r);
    let on = |name: &str| names(&stack.frames).any(|n| n.starts_with(name));
    let mut score = if on("sync.(*Mutex).")
        || on("sync.(*RWMutex).")
        || reason.starts_with("sync.Mutex")
        || reason.starts_with("sync.RWMutex")
    {
        60
    } else if reason.contains("nil chan") {
        55
    } else if reason.starts_with("chan ") {
        40
    } else if on("sync.(*WaitGroup).") || reason.contains("WaitGroup") {
        10
    } else if reason == "select" {
        20
    } else if reason.starts_with("select (no cases)") {
        5
    } else if goroutine.status.value().is_some_and(|s| s.as_str() == "running") {
        15
    } else {
        0
    };
    if case.owner(frame) == Owner::Own {
        score += 8;
    }
    let in_test =
        names(&stack.frames).any(is_test) || case.crash().test.running.iter().any(|t| on_test(&stack.frames, &t.name));
    if in_test {
        score += if case.kind == Kind::TestTimeout { 50 } else { 6 };
    }
    if on("testing.(*T).Run") && !in_test {
        score -= 20;
    }
    if names(&stack.frames).any(|n| n == "main.main") {
        score += 4;
    }
    score + goroutine.wait_minutes.value().map_or(0, |m| i64::try_from(*m).unwrap_or(0).min(3))
}

fn is_test(name: &str) -> bool {
    let last = name.rsplit(['.', '/']).next().unwrap_or("");
    (last.starts_with("Test") || last.starts_with("Benchmark") || last.starts_with("Fuzz"))
        && last.len() > 4
        && last != "TestMain"
        || name
            .split('.')
            .any(|part| part.starts_with("Test") && part.len() > 4 && part != "TestMain" && !part.contains('/'))
}

fn on_test(frames: &[Frame], test: &str) -> bool {
    let root = test.split('/').next().unwrap_or(test);
    names(frames).any(|n| n.split('.').any(|part| part == root))
}

fn reason(goroutine: &Goroutine) -> String {
    let state = goroutine
        .wait_reason
        .value()
        .map(|r| r.to_string())
        .or_else(|| goroutine.status.value().map(|s| s.as_str().to_owned()));
    match (state, goroutine.wait_minutes.value()) {
        (Some(state), Some(minutes)) => format!("it has been in {state} for {minutes} minutes"),
        (Some(state), None) => format!("it is in {state}"),
        _ => "its wait explains most".to_owned(),
    }
}
