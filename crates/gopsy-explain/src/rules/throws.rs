//! Fatal errors of the runtime that have no kind of their own: what their text means, as far as it tells.

use super::{draft, place};
use crate::case::Case;
use crate::throws;
use gopsy_model::{Cause, Confidence, Finding, Kind};

/// What texts that begin so mean: the words, a claim if they prove one, what to do.
struct Meaning {
    texts: &'static [&'static str],
    /// The frame that called the runtime did wrong.
    by_caller: bool,
    claim: Option<(Cause, Confidence)>,
    sentence: &'static str,
    advice: &'static str,
}

/// Texts that tell what was done wrong, with the function of package runtime that says so.
const MEANINGS: &[Meaning] = &[
    // newproc1, proc.go.
    Meaning {
        texts: &["go of nil func value"],
        by_caller: true,
        claim: Some((Cause::NilFunc, Confidence::Likely)),
        sentence: "a go statement was given a func value that was nil",
        advice: "look for a func field, a callback or a handler that is started without being set",
    },
    // sigNotOnStack, signal_unix.go.
    Meaning {
        texts: &["non-Go code set up signal handler without SA_ONSTACK flag"],
        by_caller: false,
        claim: Some((Cause::HandlerWithoutOnstack, Confidence::Likely)),
        sentence: "a signal handler that is not Go's ran on a goroutine's stack: it was installed without SA_ONSTACK",
        advice: "find who installs it: strace -f -e trace=rt_sigaction PROGRAM, a call without SA_ONSTACK; the goroutine that was hit is only where the signal came",
    },
    // noSignalStack, signal_unix.go. Every handler may have the flag: there was no stack to switch to.
    Meaning {
        texts: &["non-Go code disabled sigaltstack"],
        by_caller: false,
        claim: None,
        sentence: "code that is not Go's switched the thread's alternate signal stack off, and a signal came",
        advice: "find who does: strace -f -e trace=sigaltstack PROGRAM, a call with SS_DISABLE",
    },
    // SetFinalizer, mfinal.go; checkFinalizersAndCleanups, mcheckmark.go (GODEBUG=checkfinalizers=1).
    Meaning {
        texts: &["runtime.SetFinalizer: "],
        by_caller: true,
        claim: Some((Cause::ProgramCheck, Confidence::Likely)),
        sentence: "runtime.SetFinalizer refused its arguments",
        advice: "the text says which argument is wrong; a finalizer wants a pointer to the beginning of an allocated object, and a func that takes it",
    },
    Meaning {
        texts: &["detected possible issues with cleanups and/or finalizers"],
        by_caller: false,
        claim: Some((Cause::ProgramCheck, Confidence::Likely)),
        sentence: "GODEBUG=checkfinalizers=1 found a finalizer or a cleanup that will not run",
        advice: "the lines above name the object and where its finalizer was set",
    },
    // chan.go, select.go, sema.go: what was made in a bubble stays in it.
    Meaning {
        texts: &[
            "send on synctest channel from outside bubble",
            "receive on synctest channel from outside bubble",
            "select on synctest channel from outside bubble",
            "close of synctest channel from outside bubble",
            "semaphore wake of synctest goroutine from outside bubble",
        ],
        by_caller: true,
        claim: Some((Cause::ProgramCheck, Confidence::Likely)),
        sentence: "something that was made in a bubble of testing/synctest was used from outside of it",
        advice: "make channels, timers and locks inside of the bubble that uses them, none in package variables or TestMain",
    },
    // gdestroy, proc.go (goexit0 up to Go 1.20): the goroutine that a callback from C runs on has nothing to go on with.
    Meaning {
        texts: &["runtime.Goexit called in a thread that was not created by the Go runtime"],
        by_caller: false,
        claim: Some((Cause::ProgramCheck, Confidence::Likely)),
        sentence: "Go code that C had called on a thread of its own called runtime.Goexit (as t.FailNow and log-and-exit helpers do)",
        advice: "look through the functions with //export and what they call: none may end its goroutine; return an error to C instead",
    },
    // gcinit → readGOMEMLIMIT, mgcpacer.go.
    Meaning {
        texts: &["malformed GOMEMLIMIT"],
        by_caller: false,
        claim: None,
        sentence: "the environment variable GOMEMLIMIT is no size",
        advice: "it wants a number with an optional unit: B, KiB, MiB, GiB, TiB (not M or GB), or off",
    },
    // pcvalue, funcdata, symtab.go: the address is as often bad as the table.
    Meaning {
        texts: &["invalid runtime symbol table"],
        by_caller: false,
        claim: None,
        sentence: "the runtime looked up an address that is not covered by the program's tables",
        advice: "a bad return address or a thread that is not Go's brings that about, and so does a packer that changed the binary",
    },
];

pub(super) fn rules(case: &Case<'_>) -> Vec<Finding> {
    if case.kind != Kind::RuntimeThrow || case.message().is_empty() {
        return Vec::new();
    }
    meaning(case)
        .or_else(|| printing(case))
        .or_else(|| high_address(case))
        .or_else(|| overwritten(case))
        .or_else(|| family(case))
        .into_iter()
        .collect()
}

fn meaning(case: &Case<'_>) -> Option<Finding> {
    let known = MEANINGS.iter().find(|m| m.texts.iter().any(|text| case.message().starts_with(text)))?;
    let at = case.user_frame().filter(|_| known.by_caller);
    let at = at.map_or_else(String::new, |f| format!(" in {}", place(f)));
    let mut d = draft("throw", format!("{}{at}", known.sentence)).because(case.said());
    for line in case.crash().diagnostics.iter().filter(|l| l.starts_with("signal ")).take(1) {
        d = d.because(case.fact(line.to_string()));
    }
    if let Some((cause, confidence)) = known.claim {
        d = d.claims(cause, confidence);
    }
    Some(d.advise(known.advice).done())
}

/// `preprintpanics`, panic.go: the Error or String method of the value that was given to panic panicked itself.
fn printing(case: &Case<'_>) -> Option<Finding> {
    if !case.message().starts_with("panic while printing panic value") {
        return None;
    }
    let frames = case.frames.stack();
    let named = |frame: &gopsy_model::Frame, name: &str| frame.function.value().is_some_and(|n| n.as_str() == name);
    let at = frames.iter().rposition(|frame| named(frame, "runtime.preprintpanics"));
    let (within, outside) = frames.split_at_checked(at.unwrap_or(0))?;
    let is_user = |frame: &&gopsy_model::Frame| case.owner(frame).is_user();
    let method = within.iter().find(is_user);
    let raised = crate::case::path_below_panic(outside, true).iter().find(is_user);
    let in_method = method.map_or_else(String::new, |frame| format!(", {},", place(frame)));
    let mut d = draft(
        "panic-while-printing",
        format!("the Error or String method of a panic's value{in_method} panicked itself while the runtime wanted to print the value"),
    )
    .claims(Cause::SecondaryFailure, Confidence::Likely)
    .because(case.said());
    if let Some(raised) = raised {
        d = d.because(case.fact(format!("the first panic was raised in {}", place(raised))));
    }
    if let Some(method) = method {
        let goroutine = case.goroutine_id();
        d = d.blames(Some(crate::culprit::culprit(
            method,
            goroutine,
            Some("it panicked while its value was printed".to_owned()),
        )));
    }
    Some(d.advise("mend that method first: it hides what the first panic had to say; it may be called on a value that is not whole").done())
}

/// `lfstack.push` packs an address with a counter (lfstack_64bit.go); on amd64 it has 47 bits for it.
fn high_address(case: &Case<'_>) -> Option<Finding> {
    let text = format!("{} {}", case.message(), case.crash().diagnostics.join("\n"));
    if !(text.contains("lfstack.push") || text.contains("taggedPointerPack")) || !text.contains("invalid packing") {
        return None;
    }
    let (_, node) = text.split_once("node=0x")?;
    let node = u64::from_str_radix(node.split(|c: char| !c.is_ascii_hexdigit()).next()?, 16).ok()?;
    // Other kernels hand out addresses from the top (Solaris), other processors have more than 47 bits.
    let amd64 = case.program.identity().arch.value().is_none_or(|a| &**a == "amd64");
    let claim = format!(
        "the kernel handed out an address above 47 bits ({node:#x}), which a real amd64 kernel does not do unasked"
    );
    (node >> 47 == 1 && amd64).then(|| {
        draft("address-above-47-bits", claim)
            .claims(Cause::Emulator, Confidence::Likely)
            .because(case.said())
            .because(case.fact(format!("lfstack.push cannot pack {node:#x}")))
            .because(Case::known("amd64 user space ends at 47 bits; an arm64 host under an amd64 emulator gives 48"))
            .advise("check the image's architecture against the host's (docker inspect, uname -m): build for the host (GOARCH=arm64)")
            .done()
    })
}

/// Texts that only overwritten memory can bring about.
fn overwritten(case: &Case<'_>) -> Option<Finding> {
    let text = case.message();
    let sure = text.contains("bulkBarrierPreWrite: unaligned arguments") || text.contains("found next stack barrier");
    sure.then(|| {
        draft("throw-of-corruption", "the runtime met data that it can only meet when memory was overwritten")
            .claims(Cause::MemoryCorruption, Confidence::Possible)
            .because(case.said())
            .done()
    })
}

/// Any other text: which part of the runtime stopped, without a claim.
fn family(case: &Case<'_>) -> Option<Finding> {
    let message = case.message().lines().next().unwrap_or("");
    let Some(throw) = throws::find(message) else {
        return Some(
            draft("throw-unknown", "the runtime stopped itself, with a text that gopsy's list does not have")
                .because(case.said())
                .because(Case::known("the list has the texts of Go 1.0 to 1.27, whole; those of which every word is computed it cannot have"))
                .advise("it was cut or wrapped, is a later release's or another program's: look for its words in the source of that very version")
                .done(),
        );
    };
    let sentence = of_family(throw.family)?;
    Some(
        draft("throw-of-family", sentence)
            .because(case.said())
            .because(Case::known("the text is a check that the runtime makes of itself: it names what was found, not who brought it about"))
            .advise(format!("read the comment beside it: grep -rn '{message}' $(go env GOROOT)/src/runtime; search golang/go's issues for the whole line"))
            .advise("upgrade to the last patch release of this Go first; then suspect what is new in cgo, unsafe code, kernel or machine")
            .done(),
    )
}

/// What a family of throws is about (`std/README.md`).
pub(crate) fn of_family(family: &str) -> Option<&'static str> {
    Some(match family {
        "allocator" => "a check of the memory manager failed",
        "cgo-checkptr" => "a check at the border between Go and C failed",
        "channel" => "a check of the channels' code failed",
        "concurrent-map" | "map" => "a check of the maps' code failed",
        "crypto" => "the cryptographic code could not go on",
        "deadlock" => "the runtime waits for itself",
        "gc" => "a check of the garbage collector failed",
        "heap-corruption" => "the runtime found its own data damaged",
        "old" | "other" => "a check of the runtime failed",
        "oom" => "the runtime could not have the memory that it must have",
        "os-interface" => "the operating system did not do what the runtime must have",
        "panic-defer" => "a check of the code for panics and deferred calls failed",
        "sanitizer" => "a check of the runtime's part for the sanitizers failed",
        "scheduler" => "a check of the scheduler failed",
        "signal" => "a signal came in a way that the runtime cannot handle",
        "stack" => "a check of the goroutines' stacks failed",
        "startup-selfcheck" => {
            "a check at the start of the runtime failed: the binary does not fit this machine or system"
        }
        "symtab-traceback-type" => "the runtime could not read the program's own tables or walk its own stacks",
        "sync-misuse" => "a lock of the runtime was misused",
        "timer" => "a check of the timers failed",
        "trace-profile" => "a check of the tracer or the profiler failed",
        _ => return None,
    })
}
