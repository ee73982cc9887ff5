//! C, C++ and what is compiled for another machine.

use super::draft;
use crate::case::Case;
use gopsy_model::{Cause, Confidence, Finding, Headline, Kind};

pub(super) fn rules(case: &Case<'_>) -> Vec<Finding> {
    match case.kind {
        Kind::NativeAbort => abort(case),
        Kind::WindowsException => exception(case),
        Kind::IllegalInstruction => illegal(case),
        Kind::ArithmeticFault => arithmetic(case),
        Kind::RuntimeThrow | Kind::UnexpectedReturnPc => longjmp(case),
        _ => Vec::new(),
    }
}

/// Native messages of the text, the one of the headline first, then lines of the log shortly before.
fn messages<'c>(case: &'c Case<'_>) -> impl Iterator<Item = &'c str> {
    let crash = case.crash();
    let native = crash.headlines.iter().filter_map(|h| match h {
        Headline::Native(m) => Some(&**m),
        _ => None,
    });
    native.chain(crash.diagnostics.iter().map(|d| &**d)).chain(crash.log_before.iter().rev().take(6).map(|d| &**d))
}

fn abort(case: &Case<'_>) -> Vec<Finding> {
    for message in messages(case) {
        let Some((cause, mut confidence, sentence)) = of_message(message) else { continue };
        // In a thread of its own the exception was on its way to no Go frame.
        let below_go = case.has_function(|n| n == "runtime.cgocall" || n == "runtime.asmcgocall");
        if cause == Cause::ForeignException && !below_go {
            confidence = Confidence::Possible;
        }
        return vec![
            draft("abort-message", sentence)
                .claims(cause, confidence)
                .because(case.fact(format!("it was said: {message}")))
                .advise(match cause {
                    Cause::CHeapCorruption => "run the C code under AddressSanitizer (go build -asan) or valgrind: glibc notices later than it happens",
                    Cause::UseAfterFree => "AddressSanitizer's report has the stacks of the allocation, the free and the use",
                    Cause::ForeignException => "catch the exception in the C++ code before it reaches the cgo boundary",
                    _ => case.where_c_stood(),
                })
                .done(),
        ];
    }
    Vec::new()
}

/// What glibc, libstdc++ and the sanitizers say before they abort.
fn of_message(message: &str) -> Option<(Cause, Confidence, &'static str)> {
    let has = |s: &str| message.contains(s);
    Some(if has("heap-use-after-free") || has("attempting double-free") || has("AddressSanitizer: use-after-") {
        (Cause::UseAfterFree, Confidence::Likely, "C code used memory after it was freed")
    } else if has("double free")
        || has("free(): ")
        || has("malloc(): ")
        || has("munmap_chunk(): ")
        || has("corrupted size vs. prev_size")
        || has("malloc_consolidate(): ")
        || has("free: invalid pointer")
        || has("heap-buffer-overflow")
    {
        (
            Cause::CHeapCorruption,
            Confidence::Likely,
            "the C heap was damaged: freed twice, overrun, or freed at a wrong address",
        )
    } else if has("stack smashing detected") || has("buffer overflow detected") || has("stack-buffer-overflow") {
        (Cause::MemoryCorruption, Confidence::Likely, "C code overran a buffer")
    } else if has("terminate called without an active exception") {
        (
            Cause::ForeignException,
            Confidence::Possible,
            "C++ gave up without an exception: a std::thread that was neither joined nor detached, or a rethrow of nothing",
        )
    } else if has("terminate called after throwing") || has("libc++abi: terminating") {
        (Cause::ForeignException, Confidence::Likely, "a C++ exception was not caught and went towards Go frames")
    } else if has("Assertion `") && has("failed") || has("assertion failed") || has("assertion \"") {
        (Cause::ProgramCheck, Confidence::Likely, "an assertion of C code failed")
    } else if has("pure virtual") {
        (
            Cause::UseAfterFree,
            Confidence::Possible,
            "a method of a C++ object was called before it was built or after it was destroyed",
        )
    } else {
        return None;
    })
}

fn exception(case: &Case<'_>) -> Vec<Finding> {
    let Some(e) = case.crash().headlines.iter().find_map(|h| match h {
        Headline::Exception(e) => Some(e),
        _ => None,
    }) else {
        return Vec::new();
    };
    let whose = match e.code {
        0x2047_4343 => "0x20474343 is a C++ exception of GCC (\" GCC\")",
        0xe06d_7363 => "0xe06d7363 is a C++ exception of Visual C++ (\"msc\")",
        0xe043_4352 | 0xe043_4f4d => "this code is an exception of .NET",
        _ => return Vec::new(),
    };
    vec![
        draft(
            "foreign-exception",
            "a C++ (or .NET) exception was raised below Go frames, and Go's handler took it for a crash",
        )
        .claims(Cause::ForeignException, Confidence::Likely)
        .because(case.fact(format!("exception code {:#x}", e.code)))
        .because(Case::known(whose))
        .advise(
            "catch it in C++ before the cgo boundary; Go releases before 1.6 saw it even when C++ would have caught it",
        )
        .done(),
    ]
}

/// SIGILL: a missing CPU feature, a deliberate trap, or a jump into data.
fn illegal(case: &Case<'_>) -> Vec<Finding> {
    let Some(signal) = case.signal() else { return Vec::new() };
    let bytes = &signal.instruction_bytes;
    let said = case.fact(format!("it was said: {}", case.headline_text()));
    if bytes.starts_with(&[0x0f, 0x0b]) || bytes.starts_with(&[0xcc]) {
        return vec![
            draft("deliberate-trap", "the instruction at the program counter is a trap that somebody put there on purpose (UD2, INT3)")
                .because(said)
                .because(case.fact(format!("instruction bytes {}", hex(bytes))))
                .advise("compilers place UD2 behind what cannot be reached and after failed checks (-fsanitize-trap, __builtin_trap)")
                .done(),
        ];
    }
    let top = case
        .frames
        .stack()
        .iter()
        .find(|f| !crate::packages::is_carrier(f.function.value().map_or("", |n| n.as_str())));
    let assembly = top.and_then(|f| f.file.value()).is_some_and(|f| f.ends_with(".s") || f.ends_with(".S"));
    let runtime = top.and_then(|f| f.function.value()).is_some_and(|n| n.as_str().starts_with("runtime."));
    let vector = bytes.iter().take(2).any(|b| matches!(b, 0x62 | 0xc4 | 0xc5))
        || bytes.starts_with(&[0x66, 0x0f, 0x38])
        || bytes.starts_with(&[0xf3, 0x0f, 0xb8]);
    // A page of zeros is no code: it was lost, or never there.
    let blank = !bytes.is_empty() && bytes.iter().all(|b| *b == 0);
    if ((assembly && !runtime) || vector) && !blank {
        let mut d = draft(
            "cpu-feature",
            format!(
                "this processor lacks an instruction that {} uses",
                top.map_or_else(|| "the program".to_owned(), super::place)
            ),
        )
        // Assembly has traps of its own: without the bytes it may be one.
        .claims(Cause::CpuFeatureMissing, if bytes.is_empty() { Confidence::Possible } else { Confidence::Likely })
        .because(said);
        if assembly {
            d = d.because(case.fact("the instruction stands in hand-written assembly"));
        }
        if vector {
            d = d.because(case.fact(format!("instruction bytes {}: an extension (AVX, AVX-512, SSE4, …)", hex(bytes))));
        }
        return vec![d.advise("compare /proc/cpuinfo with what the code needs; the code should ask golang.org/x/sys/cpu first; emulators and old hypervisors hide features").done()];
    }
    Vec::new()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(8).map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ")
}

fn arithmetic(case: &Case<'_>) -> Vec<Finding> {
    let Some(signal) = case.signal() else { return Vec::new() };
    // FPE_INTDIV.
    if signal.code.value() != Some(&1) {
        return Vec::new();
    }
    vec![
        draft("division-in-c", "an integer was divided by zero outside of Go code (or the smallest integer by -1)")
            .claims(Cause::ZeroDivisor, Confidence::Possible)
            .because(case.fact(format!("{}, code 1 (FPE_INTDIV)", signal.name)))
            .done(),
    ]
}

/// longjmp over Go frames leaves the thread's Go state as it was inside the callback.
fn longjmp(case: &Case<'_>) -> Vec<Finding> {
    if !case.message().contains("syscall frame is no longer valid") {
        return Vec::new();
    }
    vec![
        draft("longjmp", "C came back from a Go callback without returning through it: a longjmp, or an exception, jumped over Go frames")
            .claims(Cause::LongjmpOverGoFrames, Confidence::Possible)
            .because(case.said())
            .because_all(case.has_function(|n| n.starts_with("runtime.cgocallback") || n == "runtime.cgocallbackg").then(|| case.fact("a callback from C is on the stack")))
            .advise("set the jump's target inside of the C code that the callback calls, never above it")
            .done(),
    ]
}
