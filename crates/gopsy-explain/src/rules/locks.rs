//! Locks that nobody gives back. A mutex does not record its holder: which goroutines wait for which lock is all that is known.

use super::waits::{For, Waiter, called, user};
use super::{draft, place};
use crate::case::{Case, names};
use crate::culprit::culprit;
use gopsy_model::{Cause, Confidence, Evidence, Finding, Goroutine, Kind, Source, Stack, WaitsAt};

/// Where the semaphores stand in a lock, in bytes: of `sync.Mutex` behind its state; of `sync.RWMutex` that of its mutex, then the
/// writer's, then the readers' (`sync/mutex.go`, `internal/sync/mutex.go` since Go 1.24, `sync/rwmutex.go`; Go 1.16 to 1.27).
const OF_MUTEX: u64 = 4;
const OF_WRITER: u64 = 8;
const OF_READERS: u64 = 12;

/// The lock that a goroutine waits for, by the semaphore that it waits at, as a core has it.
pub(super) fn by_semaphore(goroutine: &Goroutine, stack: &Stack, what: For) -> Option<u64> {
    let at = goroutine.waits_at.value()?.first()?;
    let WaitsAt::Semaphore { address, .. } = at else { return None };
    let on = |prefix: &str| names(&stack.frames).take(8).any(|name| name.starts_with(prefix));
    let offset = match what {
        For::ReadLock => OF_READERS,
        For::Lock if on("sync.(*RWMutex).Lock") && !on("sync.(*Mutex).") && !on("internal/sync.(*Mutex).") => OF_WRITER,
        For::Lock if on("sync.(*Mutex).") || on("internal/sync.(*Mutex).") => OF_MUTEX,
        _ => return None,
    };
    address.checked_sub(offset)
}

/// Two or more goroutines that wait for locks while nobody runs.
pub(super) fn rules(case: &Case<'_>, waiters: &[Waiter]) -> Vec<Finding> {
    let lockers: Vec<&Waiter> = waiters.iter().filter(|w| matches!(w.what, For::Lock | For::ReadLock)).collect();
    if lockers.len() < 2 || case.kind != Kind::AllAsleep {
        return Vec::new();
    }
    let mut locks: Vec<u64> = lockers.iter().filter_map(|w| w.address).collect();
    let all_known = locks.len() == lockers.len();
    locks.sort_unstable();
    locks.dedup();
    match locks.as_slice() {
        [lock] if all_known => one_lock(case, &lockers, *lock),
        several if several.len() >= 2 || distinct_places(case, &lockers) >= 2 => cycle(case, &lockers),
        _ => Vec::new(),
    }
}

/// `goroutine 1 waits for the lock 0xc000012000 in main.main (main.go:7)`
fn waits(case: &Case<'_>, waiter: &Waiter) -> Option<Evidence> {
    let frame = user(case, &waiter.stack)?;
    let lock = waiter.address.map_or_else(|| "a lock".to_owned(), |lock| format!("the lock {lock:#x}"));
    let fact = format!("{} waits for {lock} in {}", called(&waiter.goroutine), place(frame));
    // In a core the semaphore is read, and where its lock begins follows from that.
    let follows = waiter.address.is_some() && case.program.source() == Source::Core;
    Some(if follows { case.inferred(fact) } else { case.fact(fact) })
}

/// Goroutines that are told, at most.
const TOLD: usize = 5;

/// All of them wait for the same lock: no circle can be made of that.
fn one_lock(case: &Case<'_>, lockers: &[&Waiter], lock: u64) -> Vec<Finding> {
    let facts: Vec<Evidence> = lockers.iter().filter_map(|w| waits(case, w)).take(TOLD).collect();
    let reader =
        lockers.iter().find(|w| w.what == For::ReadLock).filter(|_| lockers.iter().any(|w| w.what == For::Lock));
    let blamed = reader
        .or(lockers.first())
        .and_then(|w| Some(culprit(user(case, &w.stack)?, w.goroutine.id.value().copied(), None)));
    let count = lockers.len();
    let d = match reader {
        Some(reader) => draft(
            "reader-behind-writer",
            format!(
                "{count} goroutines wait for one sync.RWMutex, {lock:#x}, as readers and as writers: a reader that holds it already and \
                 locks it again, as {} may, waits for the writer that waits for it",
                called(&reader.goroutine)
            ),
        )
        .claims(Cause::SelfDeadlock, Confidence::Possible)
        .because_all(facts)
        .because(Case::known("a writer that waits keeps new readers out, also those that hold the lock already (sync.RWMutex)"))
        .advise("look for a second RLock on the way to this one, and for a path that returns without RUnlock (use defer)"),
        None => draft(
            "one-lock",
            format!("{count} goroutines wait for one lock, {lock:#x}, and nobody runs who could give it back: one of them holds it itself, or who held it has ended"),
        )
        .claims(Cause::Stuck, Confidence::Possible)
        .because_all(facts)
        .because(Case::known("a mutex does not record its holder"))
        .advise("look for a second Lock on the way to this one, and for a path that returns without Unlock (use defer)"),
    };
    vec![d.blames(blamed).done()]
}

/// Two or more goroutines, each waiting for a lock in code of the other: possible, since nobody records a holder.
fn cycle(case: &Case<'_>, lockers: &[&Waiter]) -> Vec<Finding> {
    let facts: Vec<Evidence> = lockers.iter().filter_map(|w| waits(case, w)).take(TOLD).collect();
    if facts.len() < 2 {
        return Vec::new();
    }
    let first =
        lockers.iter().find_map(|w| user(case, &w.stack).map(|f| culprit(f, w.goroutine.id.value().copied(), None)));
    let advice = match case.program.source() {
        Source::Core => "take the locks in one order everywhere",
        _ => "take the locks in one order everywhere; a core shows the locks themselves",
    };
    vec![
        draft(
            "lock-cycle",
            "goroutines wait for locks at different places, and nobody runs: each may hold what the other wants",
        )
        .claims(Cause::LockCycle, Confidence::Possible)
        .because_all(facts)
        .because(Case::known("a mutex does not record its holder, so that the circle is not proved"))
        .blames(first)
        .advise(advice)
        .done(),
    ]
}

fn distinct_places(case: &Case<'_>, waiters: &[&Waiter]) -> usize {
    let mut places: Vec<String> = waiters.iter().filter_map(|w| user(case, &w.stack).map(place)).collect();
    places.sort();
    places.dedup();
    places.len()
}
