//! Goroutines that wait: for a channel that nobody serves, for a lock that they hold themselves, for each other.

use super::{draft, place};
use crate::case::{Case, MAX_GOROUTINES, names};
use crate::culprit::culprit;
use crate::packages::Owner;
use gopsy_model::{Cause, Confidence, Finding, Frame, Goroutine, Kind, Role, Source, Stack, WaitsAt};
use std::collections::HashMap;

/// So many goroutines at one place are called many.
const MANY: usize = 100;
/// A wait of so many minutes is called long.
const LONG: u64 = 5;

/// What a goroutine waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum For {
    Lock,
    ReadLock,
    Receive,
    Send,
    NilChannel,
    Select,
    EmptySelect,
    WaitGroup,
    Cond,
}

pub(super) struct Waiter {
    pub(super) goroutine: Goroutine,
    pub(super) stack: Stack,
    pub(super) what: For,
    /// Address of the lock, WaitGroup or Cond, if the frames show it.
    pub(super) address: Option<u64>,
}

pub(super) fn rules(case: &Case<'_>) -> Vec<Finding> {
    let kind = case.kind;
    let stuck_kind = matches!(kind, Kind::AllAsleep | Kind::GoexitDeadlock | Kind::TestTimeout);
    if !stuck_kind && !matches!(kind, Kind::Dump | Kind::Signalled) {
        return Vec::new();
    }
    let waiters = waiters(case);
    let mut out = Vec::new();
    out.extend(self_deadlock(case, &waiters));
    out.extend(super::locks::rules(case, &waiters));
    if kind == Kind::AllAsleep || kind == Kind::GoexitDeadlock {
        out.extend(asleep(case, &waiters));
    } else {
        out.extend(stuck(case, &waiters));
        out.extend(leak(case));
    }
    out
}

fn waiters(case: &Case<'_>) -> Vec<Waiter> {
    case.goroutines()
        .filter(|(_, g, _)| matches!(g.role, Role::Goroutine | Role::Bare))
        .filter_map(|(_, goroutine, stack)| {
            let (what, receiver) = waits_for(&goroutine, &stack)?;
            let address = super::locks::by_semaphore(&goroutine, &stack, what).or(receiver);
            Some(Waiter { goroutine, stack, what, address })
        })
        .collect()
}

fn waits_for(goroutine: &Goroutine, stack: &Stack) -> Option<(For, Option<u64>)> {
    let reason = goroutine.wait_reason.value().map_or("", |r| r);
    let find = |test: &dyn Fn(&str) -> bool| {
        stack.frames.iter().take(8).find(|f| f.function.value().is_some_and(|n| test(n.as_str())))
    };
    // The receiver is printed exactly in old releases and stale (`?`) in new ones: a stale one is no address.
    let receiver = |f: &Frame| {
        f.args
            .value()
            .and_then(|a| a.words().first().copied().flatten())
            .filter(|(v, stale)| !stale && *v != 0)
            .map(|(v, _)| v)
    };
    let of = |prefix: &str| {
        let frames =
            stack.frames.iter().take(8).filter(|f| f.function.value().is_some_and(|n| n.as_str().starts_with(prefix)));
        frames.filter_map(receiver).next()
    };
    let waiting = goroutine.wait_reason.value().is_some();
    if reason.contains("nil chan") {
        return Some((For::NilChannel, None));
    }
    if reason.starts_with("select (no cases)") {
        return Some((For::EmptySelect, None));
    }
    if reason == "chan receive" {
        return Some((For::Receive, None));
    }
    if reason == "chan send" {
        return Some((For::Send, None));
    }
    if reason == "select" {
        return Some((For::Select, None));
    }
    let semaphore = reason.starts_with("semacquire") || reason.starts_with("sync.");
    if waiting && semaphore {
        if find(&|n| n.starts_with("sync.(*WaitGroup)")).is_some() {
            return Some((For::WaitGroup, of("sync.(*WaitGroup)")));
        }
        if find(&|n| n.starts_with("sync.(*RWMutex).RLock")).is_some() || reason == "sync.RWMutex.RLock" {
            return Some((For::ReadLock, of("sync.(*RWMutex)")));
        }
        if find(&|n| n.starts_with("sync.(*RWMutex).Lock")).is_some() {
            return Some((For::Lock, of("sync.(*RWMutex)").or_else(|| of("sync.(*Mutex)"))));
        }
        if find(&|n| n.starts_with("sync.(*Mutex)")).is_some() || reason == "sync.Mutex.Lock" {
            return Some((For::Lock, of("sync.(*Mutex)").or_else(|| of("internal/sync.(*Mutex)"))));
        }
        if find(&|n| n.starts_with("sync.(*Cond)")).is_some() || reason == "sync.Cond.Wait" {
            return Some((For::Cond, None));
        }
    }
    if reason == "sync.Cond.Wait" { Some((For::Cond, None)) } else { None }
}

pub(super) fn user<'s>(case: &Case<'_>, stack: &'s Stack) -> Option<&'s Frame> {
    stack.frames.iter().find(|f| case.owner(f).is_user())
}

/// The first argument word, and whether it is stale.
fn first_word(frame: &Frame) -> Option<(u64, bool)> {
    frame.args.value()?.words().first().copied().flatten()
}

pub(super) fn called(goroutine: &Goroutine) -> String {
    goroutine.id.value().map_or_else(|| "a goroutine".to_owned(), |id| format!("goroutine {id}"))
}

/// One goroutine that waits for a lock and has, further out on its own stack, the same function with the same lock.
fn self_deadlock(case: &Case<'_>, waiters: &[Waiter]) -> Vec<Finding> {
    let mut out = Vec::new();
    for w in waiters.iter().filter(|w| matches!(w.what, For::Lock | For::ReadLock)) {
        let frames: Vec<&Frame> = w.stack.frames.iter().filter(|f| case.owner(f).is_user()).collect();
        let Some(caller) = frames.first().copied() else { continue };
        let name = caller.function.value().map(|n| n.as_str());
        let again = frames.iter().skip(1).find(|f| f.function.value().map(|n| n.as_str()) == name);
        let Some(again) = again else { continue };
        // A walk over a tree locks each node in the same function, with another receiver each time.
        let confidence = match (first_word(caller), first_word(again)) {
            (Some((a, false)), Some((b, false))) if a != b => continue,
            (Some((a, false)), Some((b, false))) if a == b => Confidence::Likely,
            (None, None) if name.is_none_or(|n| !n.contains(".func")) => Confidence::Likely,
            _ => Confidence::Possible,
        };
        let at = culprit(caller, w.goroutine.id.value().copied(), None);
        out.push(
            draft("self-deadlock", format!("{} waits for a lock in {} and stands inside of the same function already, further out on its stack", called(&w.goroutine), place(caller)))
                .claims(Cause::SelfDeadlock, confidence)
                .because(case.fact(format!("the stack shows {} waiting for the lock", place(caller))))
                .because(case.fact(format!("and {} below it", place(again))))
                .because(Case::known("Go's mutexes do not know who holds them: a second Lock by the holder waits for ever"))
                .blames(Some(at))
                .advise("release the lock before calling out, or split the function into a locked and an unlocked half")
                .done(),
        );
        if out.len() >= 3 {
            break;
        }
    }
    if out.is_empty() && matches!(case.kind, Kind::AllAsleep) {
        // All asleep, and the only one there waits for a lock: nobody else can hold it.
        let numbered: Vec<&Waiter> = waiters.iter().filter(|w| w.goroutine.role == Role::Goroutine).collect();
        let total = case.program.stacks().filter(|id| case.program.goroutine(*id).role == Role::Goroutine).count();
        if let [w] = numbered.as_slice()
            && total == 1
            && w.what == For::Lock
        {
            let at = user(case, &w.stack).map(|f| culprit(f, w.goroutine.id.value().copied(), None));
            out.push(
                draft("lone-locker", format!("the only goroutine waits for a lock: it holds it itself, or one that is gone never gave it back{}", user(case, &w.stack).map_or_else(String::new, |f| format!("; it waits in {}", place(f)))))
                    .claims(Cause::Stuck, Confidence::Possible)
                    .because(case.fact("all goroutines are asleep, and there is one goroutine"))
                    .because(case.fact("it waits for a mutex"))
                    .blames(at)
                    .advise("look for a second Lock on the way to this one, and for a path that returns without Unlock (use defer)")
                    .done(),
            );
        }
    }
    out
}

/// The channel that a goroutine waits at alone, and how many elements it has room for: as a core has it.
fn channel_of(goroutine: &Goroutine) -> Option<(u64, Option<u64>)> {
    match goroutine.waits_at.value()?.as_slice() {
        [WaitsAt::Channel { address, capacity, .. }] => Some((*address, capacity.value().copied())),
        _ => None,
    }
}

/// All goroutines are asleep: what does the one that matters wait for?
fn asleep(case: &Case<'_>, waiters: &[Waiter]) -> Vec<Finding> {
    if case.message().starts_with("deadlock: ") {
        return bubble(case, waiters);
    }
    let said = case.said();
    let numbered: Vec<&Waiter> =
        waiters.iter().filter(|w| w.goroutine.role == Role::Goroutine && user(case, &w.stack).is_some()).collect();
    let main = numbered.iter().find(|w| w.goroutine.id.value() == Some(&1)).or_else(|| numbered.first()).copied();
    let Some(main) = main else { return Vec::new() };
    // A WaitGroup waits for workers: if they wait themselves, they are the matter.
    let workers: Vec<&Waiter> =
        numbered.iter().copied().filter(|w| w.what != For::WaitGroup && !std::ptr::eq(*w, main)).collect();
    let subject = if main.what == For::WaitGroup { workers.first().copied().unwrap_or(main) } else { main };
    let frame = user(case, &subject.stack);
    let at = frame.map_or_else(String::new, |f| format!(" in {}", place(f)));
    let who = called(&subject.goroutine);
    let others = numbered.len().saturating_sub(1);
    let senders = numbered.iter().any(|w| w.what == For::Send);
    let receivers = numbered.iter().any(|w| matches!(w.what, For::Receive | For::Select));
    // Nothing follows from who is not there when somebody cut the text: the main goroutine is always printed, and
    // goroutines have frames.
    let main_shown = case.goroutines().any(|(_, g, s)| {
        g.id.value() == Some(&1) || names(&s.frames).any(|n| matches!(n, "main.main" | "runtime.main"))
    });
    let cut = !main_shown || case.goroutines().any(|(_, g, s)| g.role == Role::Goroutine && s.frames.is_empty());
    let likely = if cut { Confidence::Possible } else { Confidence::Likely };
    let d = match subject.what {
        For::Receive | For::NilChannel => {
            let nil = subject.what == For::NilChannel;
            let sending = subject.goroutine.wait_reason.value().is_some_and(|r| r.starts_with("chan send"));
            let cause = if sending { Cause::NobodyReceives } else { Cause::NobodySends };
            let confidence = if nil || senders || others > 3 { Confidence::Possible } else { likely };
            let d = draft(
                "nobody-sends",
                if nil {
                    format!(
                        "{who} {}{at} a channel that is nil: that waits for ever",
                        if sending { "sends on" } else { "receives from" }
                    )
                } else {
                    format!("{who} waits to receive{at}, and no goroutine is left that could send or close")
                },
            )
            .claims(if nil { cause } else { Cause::NobodySends }, confidence);
            if nil && others == 0 {
                // Nobody else is there who could have been meant to send: the channel itself is the matter.
                d.claims(Cause::NilChannel, Confidence::Likely)
                    .because(case.fact("the state says (nil chan)"))
                    .advise("find where the channel should have been made: a struct field without make, a map lookup that failed")
            } else if nil {
                d.because(case.fact("the state says (nil chan)")).advise("find where the channel should have been made: a struct field without make, a map lookup that failed")
            } else {
                d.advise("find who should send, or close the channel, and why it returned; a range over a channel ends only when it is closed")
            }
        }
        For::Send => {
            let channel = channel_of(&subject.goroutine);
            // Who waits to send on another channel may be the receiver of this one: a circle.
            let elsewhere = |w: &Waiter| w.what == For::Send && channel_of(&w.goroutine) != channel;
            let circle = channel.is_some() && numbered.iter().any(|w| elsewhere(w));
            let left = match others {
                0 => "no goroutine is left that could receive",
                _ => "none of those that are left receives from it",
            };
            let advice = match channel.and_then(|(_, capacity)| capacity).filter(|capacity| *capacity > 0) {
                Some(full) => format!("the channel's buffer of {full} is full: look for who should receive, and why it does not"),
                None => "an unbuffered channel needs its receiver at the same time: start it first, or make room in the channel".to_owned(),
            };
            draft("nobody-receives", format!("{who} waits to send{at}, and {left}"))
                .claims(Cause::NobodyReceives, if receivers || circle { Confidence::Possible } else { likely })
                .advise(advice)
        }
        For::WaitGroup => {
            let alone = numbered.len() == 1;
            draft("waitgroup-never-done", format!("{who} waits for a WaitGroup{at} whose Done calls will not come"))
                .claims(Cause::WaitgroupImbalance, if alone { likely } else { Confidence::Possible })
                .advise("count Add against Done: an early return without defer wg.Done(), an Add in the wrong place, or a WaitGroup passed by value")
        }
        For::EmptySelect => draft(
            "select-nothing",
            format!("{who} stands in select {{}}{at}: it waits for ever on purpose, and nobody else is left to work"),
        )
        .claims(Cause::Stuck, Confidence::Likely)
        .advise("the goroutines that should do the work have ended: look for why"),
        For::Select => {
            draft("select-asleep", format!("{who} waits in a select{at}, and none of its channels will get ready"))
                .claims(Cause::Stuck, Confidence::Possible)
                .advise("look for a case on a context or a done channel that nobody closes")
        }
        For::Lock | For::ReadLock => {
            draft("lock-asleep", format!("{who} waits for a lock{at} that nobody will give back"))
                .claims(Cause::Stuck, Confidence::Possible)
                .advise("look for a path that returns without Unlock; a mutex does not record its holder")
        }
        For::Cond => draft("cond-asleep", format!("{who} waits for a sync.Cond{at} that nobody will signal"))
            .claims(Cause::Stuck, Confidence::Possible)
            .advise("Signal before Wait is lost: change the condition and signal under the lock"),
    };
    let at = frame.map(|f| culprit(f, subject.goroutine.id.value().copied(), None));
    let mut d = d
        .because(said)
        .because(
            case.fact(format!("{who} is in state {}", subject.goroutine.wait_reason.value().map_or("waiting", |r| r))),
        )
        .blames(at);
    if others == 0 {
        d = d.because(case.fact("no other goroutine of the program is there"));
    } else {
        d = d.because(case.fact(format!(
            "{others} more goroutine{} wait{} too",
            if others == 1 { "" } else { "s" },
            if others == 1 { "s" } else { "" }
        )));
    }
    vec![d.done()]
}

fn bubble(case: &Case<'_>, waiters: &[Waiter]) -> Vec<Finding> {
    let said = case.fact(format!("testing/synctest says: {}", case.headline_text()));
    let inside: Vec<&Waiter> = waiters.iter().filter(|w| w.goroutine.bubble.is_some() || w.goroutine.durable).collect();
    let sends = inside.iter().any(|w| w.what == For::Send);
    let receives = inside.iter().find(|w| matches!(w.what, For::Receive | For::NilChannel));
    let mut out = Vec::new();
    if let Some(w) = receives
        && !sends
    {
        let at = user(case, &w.stack).map(|f| culprit(f, w.goroutine.id.value().copied(), None));
        out.push(
            draft(
                "bubble-nobody-sends",
                format!(
                    "{} of the bubble waits to receive{}, and nobody inside can send",
                    called(&w.goroutine),
                    user(case, &w.stack).map_or_else(String::new, |f| format!(" in {}", place(f)))
                ),
            )
            .claims(Cause::NobodySends, Confidence::Likely)
            .because(said.clone())
            .because(case.fact(format!(
                "{} is in state {}",
                called(&w.goroutine),
                w.goroutine.wait_reason.value().map_or("waiting", |r| r)
            )))
            .blames(at)
            .done(),
        );
    }
    out.push(
        draft(
            "bubble-deadlock",
            "every goroutine of a synctest bubble is blocked on something inside of it, and no timer is pending",
        )
        .claims(Cause::Stuck, Confidence::Possible)
        .because(said)
        .advise("only what happens inside of the bubble can wake it: find the send, close or Done that is missing")
        .done(),
    );
    out
}

/// Dumps and test time-outs: who has waited for long, and is it a wait that does not end?
fn stuck(case: &Case<'_>, waiters: &[Waiter]) -> Vec<Finding> {
    let killed_test = case
        .crash()
        .headlines
        .iter()
        .any(|h| matches!(h, gopsy_model::Headline::Outside(m) if m.starts_with("*** Test killed")));
    let timed_out = case.kind == Kind::TestTimeout || killed_test;
    let alone = case.program.stacks().len() == 1;
    let mut locks: Vec<&Waiter> = waiters
        .iter()
        .filter(|w| matches!(w.what, For::Lock | For::ReadLock) && user(case, &w.stack).is_some())
        .collect();
    locks.sort_by_key(|w| std::cmp::Reverse(w.goroutine.wait_minutes.value().copied().unwrap_or(0)));
    let minutes = |w: &Waiter| w.goroutine.wait_minutes.value().copied().unwrap_or(0);
    // Who cannot be read may run.
    let of_user = |s: &Stack| s.frames.is_empty() || s.frames.iter().any(|f| case.owner(f).is_user());
    let nobody_runs = !case.goroutines().any(|(_, g, s)| match g.status.value() {
        Some(status) => matches!(status.as_str(), "running" | "runnable") && of_user(&s),
        None => g.role == Role::Goroutine && case.program.source() == Source::Core,
    });
    if let Some(w) = locks.first()
        && (minutes(w) >= 1
            || timed_out
            || (nobody_runs && locks.len() >= 2)
            || (alone && case.program.stack_count() == 1))
    {
        let frame = user(case, &w.stack);
        let at = frame.map_or_else(String::new, |f| format!(" in {}", place(f)));
        let how_long = if minutes(w) > 0 { format!("for {} minutes ", minutes(w)) } else { String::new() };
        return vec![
            draft("lock-not-returned", format!("{} waits {how_long}for a lock{at}", called(&w.goroutine)))
                .claims(Cause::Stuck, Confidence::Possible)
                .because(case.fact(format!("{} goroutine{} wait{} for a lock", locks.len(), if locks.len() == 1 { "" } else { "s" }, if locks.len() == 1 { "s" } else { "" })))
                .because(Case::known("a mutex does not record its holder: a text cannot name it"))
                .blames(frame.map(|f| culprit(f, w.goroutine.id.value().copied(), None)))
                .advise("look for the path that takes this lock and does not give it back, or calls something that waits while it holds it")
                .done(),
        ];
    }
    let subject = waiters
        .iter()
        .filter(|w| user(case, &w.stack).is_some() && !matches!(w.what, For::EmptySelect))
        .filter(|w| {
            timed_out && !names(&w.stack.frames).any(|n| n.starts_with("testing.(*T).Run") || n == "testing.(*M).Run")
                || alone && minutes(w) >= LONG
        })
        .max_by_key(|w| {
            // The program's own code before a library's (a test framework waits for the test), the test before its helpers.
            let own = user(case, &w.stack).is_some_and(|f| case.owner(f) == Owner::Own);
            let channel = matches!(w.what, For::Receive | For::Send | For::NilChannel);
            (own, in_running_test(case, &w.stack), minutes(w), channel)
        });
    if let Some(w) = subject {
        let frame = user(case, &w.stack);
        let at = frame.map_or_else(String::new, |f| format!(" in {}", place(f)));
        let (cause, what) = match w.what {
            For::Receive if timed_out => (Cause::NobodySends, "waits to receive"),
            For::Send if timed_out => (Cause::NobodyReceives, "waits to send"),
            For::NilChannel => (Cause::NobodySends, "waits on a nil channel"),
            For::WaitGroup => (Cause::Stuck, "waits for a WaitGroup"),
            _ => (Cause::Stuck, "waits"),
        };
        return vec![
            draft(
                "waits-for-long",
                format!(
                    "{} {what}{at}{}",
                    called(&w.goroutine),
                    if minutes(w) > 0 { format!(" since {} minutes", minutes(w)) } else { String::new() }
                ),
            )
            .claims(cause, Confidence::Possible)
            .because(case.fact(format!(
                "{} is in state {}",
                called(&w.goroutine),
                w.goroutine.wait_reason.value().map_or("waiting", |r| r)
            )))
            .because(if timed_out {
                case.fact("the test ran out of time meanwhile")
            } else {
                case.fact(format!("it has waited for {} minutes", minutes(w)))
            })
            .blames(frame.map(|f| culprit(f, w.goroutine.id.value().copied(), None)))
            .advise("find who should wake it; the other goroutines of the dump show whether that one waits as well")
            .done(),
        ];
    }
    if timed_out {
        let busy = case.goroutines().find(|(_, g, s)| {
            let active = g.status.value().is_some_and(|s| matches!(s.as_str(), "running" | "runnable" | "syscall"))
                || g.wait_reason.value().is_some_and(|r| &**r == "sleep" || r.starts_with("IO wait"));
            active && in_running_test(case, s)
        });
        if let Some((_, g, s)) = busy {
            let state = g
                .wait_reason
                .value()
                .map(|r| r.to_string())
                .or_else(|| g.status.value().map(|s| s.as_str().to_owned()))
                .unwrap_or_default();
            if state == "syscall" || state.starts_with("IO wait") {
                let frame = user(case, &s).or_else(|| {
                    s.frames
                        .iter()
                        .find(|f| !crate::packages::is_carrier(f.function.value().map_or("", |n| n.as_str())))
                });
                return vec![
                    draft("test-in-syscall", format!("{} of the test has not come back from {state}", called(&g)))
                        .claims(Cause::Stuck, Confidence::Possible)
                        .because(case.fact(format!("{} is in state {state}", called(&g))))
                        .blames(frame.map(|f| culprit(f, g.id.value().copied(), None)))
                        .advise("give the operation a deadline")
                        .done(),
                ];
            }
        }
    }
    Vec::new()
}

fn in_running_test(case: &Case<'_>, stack: &Stack) -> bool {
    case.crash().test.running.iter().any(|t| {
        let root = t.name.split('/').next().unwrap_or(&t.name);
        names(&stack.frames).any(|n| n.split('.').any(|part| part == root))
    }) || names(&stack.frames).any(|n| n == "testing.tRunner")
        && !names(&stack.frames).any(|n| n.starts_with("testing.(*T).Run") || n == "testing.(*M).Run")
}

/// Many goroutines at one place that have waited for long. Idle workers look the same when they are few or fresh.
fn leak(case: &Case<'_>) -> Vec<Finding> {
    let mut groups: HashMap<u64, (usize, u64, usize)> = HashMap::new();
    let mut leaked = 0u64;
    let mut first_leaked = None;
    for id in case.program.stacks().take(1_000_000) {
        let g = case.program.brief(id);
        let entry = groups.entry(case.program.stack_key(id)).or_insert((0, 0, id));
        entry.0 += usize::try_from(g.copies).unwrap_or(1);
        entry.1 = entry.1.max(g.wait_minutes.unwrap_or(0));
    }
    for (id, g, _) in case.goroutines() {
        if g.leaked {
            leaked = leaked.saturating_add(g.copies);
            first_leaked.get_or_insert(id);
        }
    }
    if let Some(id) = first_leaked {
        let stack = case.program.stack(id);
        let frame = user(case, &stack);
        return vec![
            draft(
                "leaked-by-collector",
                format!(
                    "the garbage collector has proved that {}{leaked} goroutine{} can never wake up",
                    if case.program.stacks().len() > MAX_GOROUTINES { "at least " } else { "" },
                    if leaked == 1 { "" } else { "s" }
                ),
            )
            .claims(Cause::LeakedGoroutines, Confidence::Certain)
            .because(case.fact("they are marked as leaked: nothing that is reachable could wake them (Go 1.26+)"))
            .advise("nobody knows their channel or lock any more: whoever goes away early must close it or cancel a context; a channel with room for the answer frees its sender")
            .blames(frame.map(|f| culprit(f, case.program.goroutine(id).id.value().copied(), None)))
            .done(),
        ];
    }
    let total: usize = groups.values().map(|g| g.0).sum();
    let Some((count, minutes, sample)) = groups.into_values().max_by_key(|g| g.0) else { return Vec::new() };
    if count < MANY || count * 2 < total || case.kind == Kind::TestTimeout {
        return Vec::new();
    }
    let stack = case.program.stack(sample);
    let goroutine = case.program.goroutine(sample);
    let Some((what, _)) = waits_for(&goroutine, &stack) else { return Vec::new() };
    // Workers of a pool wait to receive from one channel: that is how a pool looks. Senders that nobody hears do not.
    let suspicious = matches!(what, For::Send | For::NilChannel | For::Lock)
        || minutes >= LONG && !matches!(what, For::Receive | For::Select);
    if !suspicious {
        return Vec::new();
    }
    let frame = user(case, &stack);
    let creator = goroutine.created_by.value().map(|c| c.function.as_str().to_owned());
    vec![
        draft(
            "many-waiters",
            format!(
                "{count} goroutines wait at one place{}",
                frame.map_or_else(String::new, |f| format!(", {}", place(f)))
            ),
        )
        .claims(Cause::LeakedGoroutines, Confidence::Possible)
        .because(case.fact(format!(
            "{count} of {} goroutines have this stack{}",
            total,
            creator.map_or_else(String::new, |c| format!(", started by {c}"))
        )))
        .because(case.fact(format!("they are in state {}", goroutine.wait_reason.value().map_or("waiting", |r| r))))
        .blames(frame.map(|f| culprit(f, None, None)))
        .advise("a goroutine that sends needs a receiver that outlives it, or a select with its context's Done")
        .done(),
    ]
}
