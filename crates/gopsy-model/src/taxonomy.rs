//! The names of what is said about a death ([`Kind`]) and of why it came about ([`Cause`]).
//!
//! The lists are open: a slug is added where a real crash needs one, with a page in `docs/about/`, and never renamed.

use std::fmt;
use std::str::FromStr;

/// The text names no known slug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseSlugError(pub String);

impl fmt::Display for ParseSlugError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no kind or cause is called {:?}", self.0)
    }
}

impl std::error::Error for ParseSlugError {}

macro_rules! slugs {
    ($(#[$meta:meta])* $name:ident { $($variant:ident $slug:literal $text:literal)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = $text] $variant,)*
        }

        impl $name {
            /// Every one of them, in the order of the documentation.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The slug: the name used on the wire, on the command line and in the documentation.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $slug,)* }
            }

            /// What it means, in a few words.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = ParseSlugError;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                match s {
                    $($slug => Ok($name::$variant),)*
                    _ => Err(ParseSlugError(s.to_owned())),
                }
            }
        }
    };
}

slugs! {
    /// What the runtime, the kernel or the race detector itself said: a matter of reading, never of opinion.
    Kind {
        NilDereference "nil-dereference" "panic: … invalid memory address or nil pointer dereference"
        OutOfRange "out-of-range" "index out of range, slice bounds out of range, slice to array conversion"
        NilMapWrite "nil-map-write" "assignment to entry in nil map"
        TypeAssertion "type-assertion" "interface conversion: …"
        DivideByZero "divide-by-zero" "integer divide by zero"
        ClosedChannel "closed-channel" "send on closed channel, close of closed or nil channel"
        MakeSize "make-size" "makeslice, makechan, growslice: bad sizes; negative shift amount and kin"
        WaitgroupMisuse "waitgroup-misuse" "negative WaitGroup counter, WaitGroup reused, Add called concurrently with Wait"
        CustomPanic "custom-panic" "any other value given to panic by Go code"
        GoexitDeadlock "goexit-deadlock" "no goroutines (main called runtime.Goexit) - deadlock!"
        AllAsleep "all-asleep" "all goroutines are asleep - deadlock!, synctest bubble deadlock"
        ConcurrentMap "concurrent-map" "concurrent map writes / read and write / iteration and write"
        BadUnlock "bad-unlock" "unlock of unlocked mutex, RUnlock of unlocked RWMutex, inconsistent mutex state"
        StackOverflow "stack-overflow" "goroutine stack exceeds N-byte limit"
        OutOfMemory "out-of-memory" "out of memory, cannot allocate N-byte block"
        ThreadExhaustion "thread-exhaustion" "failed to create new OS thread, pthread_create failed, thread limit exceeded"
        CgoPointerRule "cgo-pointer-rule" "cgo argument/result has Go pointer to unpinned Go pointer"
        Checkptr "checkptr" "checkptr: …"
        RaceReport "race-report" "WARNING: DATA RACE"
        TestTimeout "test-timeout" "panic: test timed out after …"
        Dump "dump" "no crash: a dump of goroutines (SIGQUIT, pprof, runtime.Stack in a log, a live process)"
        Signalled "signalled" "a fatal signal that somebody sent (sigcode 0, SI_USER/SI_TKILL): a watchdog's SIGABRT, SIGTERM under GOTRACEBACK=crash"
        HeapCorruption "heap-corruption" "the memory manager found its own data broken: found bad pointer, sweep increased allocation count, marked free object, workbuf is empty, unswept span, allocCount, freeindex …"
        BadPointer "bad-pointer" "invalid pointer found on stack, bad pointer in frame, objectstart"
        UnexpectedReturnPc "unexpected-return-pc" "unexpected return pc for F called from …"
        StackSplit "stack-split" "stack split at bad time, morestack on g0 / gsignal, split stack overflow"
        RuntimeThrow "runtime-throw" "any other fatal error: thrown by the runtime"
        UnexpectedFault "unexpected-fault" "unexpected fault address (a fault in Go code at an address that is not near nil)"
        RuntimeFault "runtime-fault" "unexpected signal during runtime execution, SIGSEGV inside the runtime"
        NativeFault "native-fault" "SIGSEGV while in C code (signal arrived during cgo execution, goroutine 0)"
        NativeAbort "native-abort" "SIGABRT from C (abort, glibc, C++ terminate)"
        BusError "bus-error" "SIGBUS"
        IllegalInstruction "illegal-instruction" "SIGILL"
        ArithmeticFault "arithmetic-fault" "SIGFPE"
        Trap "trap" "SIGTRAP"
        WindowsException "windows-exception" "Exception 0x…"
        Killed "killed" "the kernel ended it: SIGKILL, OOM killer, seccomp"
        PluginMismatch "plugin-mismatch" "plugin was built with a different version of package …"
        Unknown "unknown" "none of these"
    }
}

slugs! {
    /// gopsy's diagnosis of why: a matter of evidence, with a confidence.
    Cause {
        NilPointer "nil-pointer" "a nil pointer was followed"
        TypedNilInterface "typed-nil-interface" "an interface that holds a nil pointer was not nil"
        NilFunc "nil-func" "a nil func was called"
        NilMap "nil-map" "a nil map was written"
        NilChannel "nil-channel" "a channel was nil"
        ZeroDivisor "zero-divisor" "a divisor was zero"
        UnalignedAtomic "unaligned-atomic" "a 64-bit atomic on a misaligned word of a 32-bit machine"
        BadIndex "bad-index" "an index or a bound was outside"
        UncheckedAssertion "unchecked-assertion" "a type assertion without the comma-ok form met another type"
        UnsynchronisedMap "unsynchronised-map" "several goroutines used one map without a lock"
        CorruptedMapHeader "corrupted-map-header" "the map itself was overwritten: the flag that reports a race is not to be trusted"
        DoubleClose "double-close" "a channel was closed twice"
        SendAfterClose "send-after-close" "a channel was sent to after it was closed"
        UnbalancedUnlock "unbalanced-unlock" "a lock was released that was not held"
        CopiedLock "copied-lock" "a lock was copied while in use"
        LockCycle "lock-cycle" "goroutines wait for each other in a circle"
        SelfDeadlock "self-deadlock" "a goroutine waits for a lock that it holds itself"
        Stuck "stuck" "goroutines wait and nothing will end it; the reason is not known"
        NobodySends "nobody-sends" "a receiver waits and nobody is left to send"
        NobodyReceives "nobody-receives" "a sender waits and nobody is left to receive"
        LeakedGoroutines "leaked-goroutines" "goroutines outlived their purpose"
        WaitgroupImbalance "waitgroup-imbalance" "Add, Done and Wait do not match"
        UnboundedRecursion "unbounded-recursion" "a function calls itself without end"
        CyclicData "cyclic-data" "data that refers to itself was walked without end"
        MemoryGrowth "memory-growth" "memory grew until there was no more"
        HugeAllocation "huge-allocation" "one allocation was far too large"
        AddressSpaceLimit "address-space-limit" "the address space was used up"
        ResourceLimit "resource-limit" "a limit of the system was reached"
        DataRace "data-race" "memory was used by two goroutines without synchronisation"
        ProgramCheck "program-check" "the program's own check stopped it"
        SecondaryFailure "secondary-failure" "the visible crash hides an earlier one"
        ReturnAddressHijacked "return-address-hijacked" "a tool replaced a return address on a Go stack (uretprobe)"
        RaceHookOnSystemStack "race-hook-on-system-stack" "a race-detector hook ran on a system stack"
        ForeignCodeOverranStack "foreign-code-overran-stack" "foreign code used more of a goroutine stack than there was"
        SignalStackOverrun "signal-stack-overrun" "a signal handler ran out of its stack, or ran on the wrong one"
        HandlerWithoutOnstack "handler-without-onstack" "a signal handler was installed without SA_ONSTACK"
        LongjmpOverGoFrames "longjmp-over-go-frames" "C jumped over Go frames"
        CHeapCorruption "c-heap-corruption" "C's heap was damaged"
        UseAfterFree "use-after-free" "memory was used after it was freed"
        NullInC "null-in-c" "C followed a null pointer"
        CgoPointerKept "cgo-pointer-kept" "C kept a Go pointer after the call"
        CgoPointerPassed "cgo-pointer-passed" "a Go pointer to Go pointers was handed to C"
        ForeignException "foreign-exception" "a C++ or Windows exception went through Go frames"
        UnsafeMisuse "unsafe-misuse" "unsafe.Pointer was used against its rules"
        MappingTruncated "mapping-truncated" "a mapped file became shorter than its mapping"
        CodePageAltered "code-page-altered" "code in memory differs from the file"
        CpuFeatureMissing "cpu-feature-missing" "the CPU lacks an instruction"
        HardwareBitFlip "hardware-bit-flip" "a bit flipped in memory"
        KernelCorruption "kernel-corruption" "the kernel damaged the memory of the process"
        MemoryCorruption "memory-corruption" "somebody wrote where they should not have; who is not known"
        Emulator "emulator" "the CPU is emulated and behaves differently"
        CompilerBug "compiler-bug" "the compiler made wrong code"
        RuntimeBug "runtime-bug" "a bug of the Go runtime or standard library"
        UnsupportedSystem "unsupported-system" "the system under the program is older, newer or stricter than this build can live with"
        WrongBuild "wrong-build" "parts of different builds were mixed"
        Instrumentation "instrumentation" "a tool rewrote the program"
        Unknown "unknown" "not known"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_round_trip_and_are_unique() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse::<Kind>().as_ref(), Ok(kind));
        }
        for cause in Cause::ALL {
            assert_eq!(cause.as_str().parse::<Cause>().as_ref(), Ok(cause));
        }
        assert!("no-such-slug".parse::<Kind>().is_err());
    }
}
