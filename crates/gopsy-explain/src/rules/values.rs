//! Panics that Go code raised itself: what does the value say?

use super::{draft, place};
use crate::case::Case;
use gopsy_model::{Cause, Confidence, Finding, Kind};

pub(super) fn rules(case: &Case<'_>) -> Vec<Finding> {
    if !matches!(case.kind, Kind::CustomPanic | Kind::Trap) {
        return Vec::new();
    }
    let message = case.message();
    let lower = message.to_lowercase();
    let at = case.user_frame().map_or_else(String::new, |f| format!(" in {}", place(f)));
    let said = || case.fact(format!("the value of the panic: {}", case.headline_text()));
    let mut out = Vec::new();
    if lower.starts_with("concurrent write to ") || lower.contains("concurrent write to websocket connection") {
        out.push(
            draft(
                "library-noticed-race",
                format!("a library noticed that two goroutines use one of its objects at once{at}"),
            )
            .claims(Cause::DataRace, Confidence::Likely)
            .because(said())
            .advise("one goroutine may write at a time: give the object one writer, or a mutex")
            .done(),
        );
    }
    for (text, what) in [
        ("cannot allocate memory", "memory (ENOMEM)"),
        ("too many open files", "file descriptors (ulimit -n)"),
        ("resource temporarily unavailable", "a resource (EAGAIN): threads, processes, locked memory"),
        ("no space left on device", "disk space, inodes or inotify watches"),
        ("disk quota exceeded", "disk quota"),
    ] {
        if lower.contains(text) {
            out.push(
                draft("limit-in-value", format!("the system refused {what}, and the program panicked over it{at}"))
                    .claims(Cause::ResourceLimit, Confidence::Possible)
                    .because(said())
                    .advise("look at the limits of the process (/proc/PID/limits, the cgroup) and at what uses them up")
                    .done(),
            );
        }
    }
    // Of a panic without words its frames tell.
    let wrapped = message.is_empty() && case.has_function(|n| n == "runtime.panicwrap");
    if wrapped || (message.starts_with("value method ") && message.contains(" called using nil *")) {
        out.push(
            draft("value-method-on-nil", format!("a method with a value receiver was called through a nil pointer{at}"))
                .claims(Cause::NilPointer, Confidence::Likely)
                .because(if wrapped { case.inferred("the frames show that runtime.panicwrap raised the panic") } else { said() })
                .because(Case::known("the generated wrapper must copy the value that the pointer points to, and there is none (runtime.panicwrap)"))
                .advise("look for a nil pointer that was stored in an interface: the interface itself was not nil")
                .done(),
        );
    }
    if message.starts_with("unaligned 64-bit atomic operation") {
        out.push(
            draft(
                "unaligned-atomic",
                format!("a 64-bit atomic operation met a word that is not aligned to 8 bytes{at}"),
            )
            .claims(Cause::UnalignedAtomic, Confidence::Likely)
            .because(said())
            .because(Case::known(
                "on 32-bit machines only the first word of an allocation is sure to be aligned (sync/atomic)",
            ))
            .advise("use atomic.Int64 or atomic.Uint64, which align themselves (Go 1.19+), or put the field first")
            .done(),
        );
    }
    if message.starts_with("bytes.Buffer: too large") {
        out.push(
            draft("buffer-too-large", format!("a buffer grew beyond what memory can hold{at}"))
                .claims(Cause::MemoryGrowth, Confidence::Possible)
                .because(said())
                .done(),
        );
    }
    if lower.contains("plugin was built with a different version") {
        out.push(
            draft("plugin", "the plugin and the program were built from different versions")
                .claims(Cause::WrongBuild, Confidence::Likely)
                .because(said())
                .done(),
        );
    }
    out
}
