//! Channels and WaitGroups that were used against their rules.

use super::{draft, place};
use crate::case::Case;
use gopsy_model::{Cause, Confidence, Finding, Kind};

pub(super) fn rules(case: &Case<'_>) -> Vec<Finding> {
    let at = case.user_frame().map_or_else(String::new, |f| format!(" in {}", place(f)));
    let said = || case.said();
    match case.kind {
        Kind::ClosedChannel => {
            let message = case.message();
            let d = if message.starts_with("close of nil channel") {
                draft("close-of-nil", format!("a channel that was never made was closed{at}"))
                    .claims(Cause::NilChannel, Confidence::Likely)
                    .advise("nobody closed it twice: the field was never set, or set to nil; make it where its owner is made")
            } else if message.starts_with("send on closed channel")
                || (message.is_empty() && case.has_function(|n| n.starts_with("runtime.chansend")))
            {
                draft("send-on-closed", format!("a value was sent on a channel that had been closed{at}"))
                    .claims(Cause::SendAfterClose, Confidence::Likely)
                    .advise("only the sender may close; with several senders close a separate done channel, or wait for all of them first")
            } else if message.is_empty() {
                // The same function refuses both, and its words are lost.
                draft("closed-channel", format!("a channel was closed that was closed already, or was never made{at}"))
            } else {
                draft("double-close", format!("a channel was closed a second time{at}"))
                    .claims(Cause::DoubleClose, Confidence::Likely)
                    .advise("give the close to one owner, or wrap it in a sync.Once; look for a shutdown path that runs twice (a reload and a stop)")
            };
            vec![d.because(said()).done()]
        }
        Kind::WaitgroupMisuse => {
            let message = case.message();
            let sentence = if message.contains("negative WaitGroup counter") {
                format!("Done was called more often than Add allowed{at}")
            } else if message.contains("reused") {
                format!("the WaitGroup was used again before the Wait of the round before had returned{at}")
            } else if message.is_empty() {
                // Its functions refuse several things, and their words are lost.
                format!("a WaitGroup was used against its rules{at}")
            } else {
                format!("Add ran concurrently with Wait while the counter was zero{at}")
            };
            vec![
                draft("waitgroup", sentence)
                    .claims(Cause::WaitgroupImbalance, Confidence::Likely)
                    .because(said())
                    .advise("call Add before the go statement, exactly once for each Done; never start a new round before Wait has returned")
                    .done(),
            ]
        }
        Kind::BadUnlock => bad_unlock(case, &at),
        _ => Vec::new(),
    }
}

fn bad_unlock(case: &Case<'_>, at: &str) -> Vec<Finding> {
    let message = case.message();
    let said = case.said();
    if message.starts_with("unlock of unlocked lock")
        || case.has_function(|n| n == "runtime.unlock" || n == "runtime.unlock2")
    {
        // The runtime's own lock: nothing that a program does with sync can bring this about.
        return vec![
            draft(
                "runtime-lock",
                "a lock of the runtime itself was found unlocked: memory was changed behind its back",
            )
            .claims(Cause::MemoryCorruption, Confidence::Possible)
            .because(said)
            .because(case.fact("the frames show a lock of the runtime (runtime.unlock), no sync.Mutex"))
            .done(),
        ];
    }
    if message.contains("inconsistent mutex state") {
        return vec![
            draft("inconsistent-mutex", format!("the state word of a mutex is impossible{at}"))
                .claims(Cause::CopiedLock, Confidence::Possible)
                .because(said)
                .advise("look for a struct with a lock that is copied or overwritten while in use (go vet's copylocks)")
                .done(),
        ];
    }
    // Unlocks that the library makes itself are balanced: then the lock was copied or overwritten. sync's own frames
    // on top are the Unlock.
    let in_library = super::failed_in_library_below(case, |package| matches!(package, "sync" | "internal/sync"));
    let in_once = case.has_function(|n| n.starts_with("sync.(*Once)"));
    let by_value = case.path().iter().find_map(|f| {
        let n = f.function.value()?;
        let receiver = n.local().split('.').next()?;
        let method = n.local().contains('.')
            && !receiver.starts_with("(*")
            && !receiver.starts_with("func")
            && receiver.chars().next()?.is_uppercase();
        (method && case.owner(f).is_user()).then(|| place(f))
    });
    let doubtful = in_once || in_library || by_value.is_some();
    let confidence = if doubtful { Confidence::Possible } else { Confidence::Likely };
    let mut out = Vec::new();
    if let Some(method) = by_value {
        out.push(
            draft("lock-by-value", format!("a lock was released in {method}, a method with a value receiver: it may be a copy of the lock that was taken"))
                .claims(Cause::CopiedLock, Confidence::Possible)
                .because(case.fact(format!("{method} has a value receiver")))
                .advise("go vet (copylocks) finds it")
                .done(),
        );
    }
    out.push(
        draft("unbalanced-unlock", format!("a lock was released that was not held{at}"))
            .claims(Cause::UnbalancedUnlock, confidence)
            .because(said)
            .advise("pair every Unlock with its Lock by defer; look for an early return, or an error path, that unlocks twice")
            .advise("a copy of a struct that holds a lock looks the same: run go vet (copylocks)")
            .done(),
    );
    out
}
