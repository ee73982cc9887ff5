//! Signs that memory was written by somebody who should not have.

use super::{draft, place};
use crate::case::Case;
use crate::packages::Owner;
use gopsy_model::{Cause, Confidence, Finding, Kind};

pub(super) fn rules(case: &Case<'_>) -> Vec<Finding> {
    match case.kind {
        Kind::HeapCorruption => heap(case),
        Kind::BadPointer => bad_pointer(case),
        Kind::RuntimeFault => runtime_fault(case),
        Kind::Checkptr => checkptr(case),
        Kind::CgoPointerRule => cgo_pointer(case),
        Kind::UnexpectedReturnPc => return_pc(case),
        Kind::PluginMismatch => plugin(case),
        _ => Vec::new(),
    }
}

fn heap(case: &Case<'_>) -> Vec<Finding> {
    let text = format!("{} {}", case.message(), case.crash().diagnostics.join("\n"));
    // The collector's check of its own work: that it went wrong says nothing of who wrote where.
    let own_work = text.contains("checkmark found unmarked object")
        || text.contains("workbuf is empty")
        || text.contains("workbuf is not empty");
    if own_work {
        return Vec::new();
    }
    let mut d = draft("heap-corruption", "the memory manager found its own data broken: somebody wrote where they should not have, earlier and elsewhere")
        .claims(Cause::MemoryCorruption, Confidence::Possible)
        .because(case.said())
        .because(Case::known("what the collector finds is the victim; the frames of this moment say little about the writer"));
    for line in case
        .crash()
        .diagnostics
        .iter()
        .filter(|l| {
            l.contains("found in object at")
                || l.contains("to unallocated span")
                || l.contains("zombie")
                || l.contains("in span")
        })
        .take(3)
    {
        d = d.because(case.fact(line.to_string()));
    }
    let foreign = case.has_function(|n| n.contains("._Cfunc_") || n == "runtime.cgocall");
    if foreign {
        d = d.because(case.fact("C code is part of the picture: a cgo call is on the stack"));
    }
    vec![
        d.advise(
            "run with -d=checkptr (go build -gcflags=all=-d=checkptr) and -race; then look at unsafe and cgo code",
        )
        .advise("the headline's own guess (unsafe, cgo) is only a guess: old kernels and bad memory have this face too")
        .done(),
    ]
}

fn bad_pointer(case: &Case<'_>) -> Vec<Finding> {
    let frame = case.crash().diagnostics.iter().find_map(|l| {
        l.split_once("bad pointer in frame ").map(|(_, f)| f.split(" at").next().unwrap_or(f).trim().to_owned())
    });
    let named = frame.as_ref().map_or_else(String::new, |f| format!(" of {f}"));
    let culprit = frame.as_ref().and_then(|name| {
        let is_it = |f: &&gopsy_model::Frame| f.function.value().is_some_and(|n| n.as_str() == name);
        case.goroutines().find_map(|(_, g, stack)| {
            let found = stack.frames.iter().find(is_it)?;
            Some(crate::culprit::culprit(found, g.id.value().copied(), Some("the runtime names this frame".to_owned())))
        })
    });
    vec![
        draft("bad-pointer", format!("a slot that is declared as a pointer{named} holds something that is none"))
            .claims(Cause::UnsafeMisuse, Confidence::Possible)
            .because(case.said())
            .because_all(frame.map(|f| case.fact(format!("the runtime names the frame: {f}"))))
            .blames(culprit)
            .advise("look for an integer that is stored in a pointer type: unsafe.Pointer(uintptr(x)), a handle of C or of the system")
            .done(),
    ]
}

/// Faults inside of the allocator or the collector: their data were bad before.
fn runtime_fault(case: &Case<'_>) -> Vec<Finding> {
    let memory_code = |n: &str| {
        let Some(local) = n.strip_prefix("runtime.") else { return false };
        [
            "mallocgc",
            "heapBits",
            "scanobject",
            "scanblock",
            "greyobject",
            "(*mspan)",
            "(*mcache)",
            "(*mcentral)",
            "(*mheap)",
            "findObject",
            "spanOf",
            "gcDrain",
            "sweepone",
            "memclrNoHeapPointers",
            "growslice",
            "bulkBarrier",
            "typedmemmove",
            "(*gcWork)",
            "nextFreeFast",
        ]
        .iter()
        .any(|p| local.starts_with(p))
    };
    let names: Vec<&str> = case.frames.all_names().filter(|n| !crate::packages::is_carrier(n)).take(4).collect();
    let pc_is_address = case.fault_pc().is_some() && case.fault_pc() == case.fault_address();
    let in_c = case.has_function(|n| n == "runtime.cgocall")
        && case
            .frames
            .crashed
            .as_ref()
            .is_some_and(|(_, g, _)| g.status.value().is_some_and(|s| s.as_str() == "syscall"));
    if in_c {
        let call = case.frames.stack().iter().find_map(|f| {
            f.function
                .value()
                .filter(|n| n.local().starts_with("_Cfunc_"))
                .map(|n| n.local().trim_start_matches("_Cfunc_").to_owned())
        });
        let mut d = draft(
            "fault-in-c",
            format!(
                "the fault lies in C code{}",
                call.as_ref().map_or_else(String::new, |c| format!(", called through {c}"))
            ),
        )
        .because(case.said())
        .because(case.fact("the goroutine stands in a cgo call"));
        let memory = case.signal().is_some_and(|s| matches!(&*s.name, "SIGSEGV" | "SIGBUS" | "0xb"));
        if case.signal().is_some_and(|s| &*s.name == "SIGFPE" && s.code.value() == Some(&1)) {
            d = d.because(case.fact("SIGFPE, code 1 (FPE_INTDIV)")).claims(Cause::ZeroDivisor, Confidence::Possible);
        } else if memory && case.fault_pc() == Some(0) {
            d = d
                .because(case.fact("the program counter is 0: C called a function through a null pointer"))
                .claims(Cause::NullInC, Confidence::Likely);
        } else if memory && pc_is_address {
            d = d
                .because(case.fact("the program counter is the fault address: C jumped through a bad function pointer"))
                .claims(Cause::UseAfterFree, Confidence::Possible)
                .advise(
                    "a function pointer read from freed memory is the usual reason: look for a second free or destroy",
                );
        } else if case.fault_address().is_some_and(|a| a < 0x1000) {
            d = d
                .because(case.fact(format!("the fault address {:#x} is near 0", case.fault_address().unwrap_or(0))))
                .claims(Cause::NullInC, Confidence::Likely);
        }
        return vec![d.advise(case.where_c_stood()).done()];
    }
    if names.first().is_some_and(|n| memory_code(n)) {
        let address = case.fault_address().map_or_else(String::new, |a| format!(" at {a:#x}"));
        return vec![
            draft(
                "fault-in-allocator",
                format!("the allocator or the collector itself faulted{address}: its data were already broken"),
            )
            .claims(Cause::MemoryCorruption, Confidence::Possible)
            .because(case.said())
            .because(case.fact(format!("the fault is in {}", names.first().copied().unwrap_or("the runtime"))))
            .advise("look for other crashes of this program: many faces of one death speak for damaged memory")
            .advise("run with -race and -d=checkptr; look at cgo, unsafe, and what runs on goroutine stacks")
            .done(),
        ];
    }
    Vec::new()
}

fn checkptr(case: &Case<'_>) -> Vec<Finding> {
    let library = case
        .path()
        .iter()
        .find(|f| !matches!(case.owner(f), Owner::Carrier | Owner::Runtime))
        .is_some_and(|f| case.owner(f) == Owner::Standard);
    let at = case.user_frame().map_or_else(String::new, |f| format!(" in {}", place(f)));
    let message = case.message();
    let sentence = if message.contains("straddles multiple allocations") {
        format!("a pointer was converted to a type that is larger than what it points to{at}")
    } else if message.contains("misaligned pointer conversion") {
        format!("a pointer was converted to a type that needs a stricter alignment{at}")
    } else if message.contains("pointer arithmetic") {
        format!("unsafe arithmetic left the object it began in{at}")
    } else {
        format!("unsafe.Pointer was used against its rules{at}")
    };
    vec![
        draft("checkptr", sentence)
            .claims(Cause::UnsafeMisuse, if library { Confidence::Possible } else { Confidence::Likely })
            .because(case.said())
            .because(Case::known(
                "checkptr is on in -race, -msan and -asan builds: the same code runs unchecked without them",
            ))
            .advise(
                "use unsafe.Slice, or copy into a value of the larger type; dropping -race hides it and mends nothing",
            )
            .done(),
    ]
}

fn cgo_pointer(case: &Case<'_>) -> Vec<Finding> {
    let user = case.user_frame().is_some() && !super::failed_in_library(case);
    let at = case.user_frame().map_or_else(String::new, |f| format!(" in {}", place(f)));
    vec![
        draft("cgo-pointer", format!("memory that holds Go pointers was handed to C{at}"))
            .claims(Cause::CgoPointerPassed, if user { Confidence::Likely } else { Confidence::Possible })
            .because(case.said())
            .advise("hand C memory from C.malloc, or pin what it points to (runtime.Pinner, Go 1.21+)")
            .advise("a slice of a larger object is checked as the whole object: take the address in the call itself, C.f(unsafe.Pointer(&b[0]))")
            .done(),
    ]
}

fn return_pc(case: &Case<'_>) -> Vec<Finding> {
    vec![
        draft("return-pc", "a return address on a goroutine's stack was overwritten")
            .claims(Cause::MemoryCorruption, Confidence::Possible)
            .because(case.said())
            .advise("look for a tool that rewrites return addresses (uretprobes), and for C or assembly that ran on this stack")
            .done(),
    ]
}

fn plugin(case: &Case<'_>) -> Vec<Finding> {
    vec![
        draft("plugin", "the plugin and the program were built from different versions of a package")
            .claims(Cause::WrongBuild, Confidence::Likely)
            .because(case.said())
            .advise("build both with the same toolchain, flags and versions (go version -m on each shows them)")
            .done(),
    ]
}
