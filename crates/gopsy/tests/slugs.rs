//! Every kind and every cause of the lists is said of some text, or stands here with the reason why no text says it.
#![allow(clippy::unwrap_used)]

use gopsy_model::{Cause, Kind};
use gopsy_program::TextEvidence;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Kinds that no specimen dies of: a text as their runtime prints it, and where that is written.
const KINDS: &[(Kind, &str)] = &[
    // traceback.go and symtab.go, `throw("unknown caller pc")`.
    (
        Kind::UnexpectedReturnPc,
        "runtime: g 1: unexpected return pc for main.f called from 0x7f00\nfatal error: unknown caller pc\n\ngoroutine 1 [running]:\nmain.f()\n\t/src/app/main.go:3 +0x1\n",
    ),
    // plugin/plugin_dlopen.go, `open`.
    (
        Kind::PluginMismatch,
        "panic: plugin.Open(\"p\"): plugin was built with a different version of package internal/cpu\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/app/main.go:3 +0x1\n",
    ),
    (Kind::WindowsException, include_str!("../../gopsy-text/tests/texts/windows-exception.txt")),
];

/// Causes that no specimen dies of, the same way.
const CAUSES: &[(Cause, &str)] = &[
    // Printed by a program of Go 1.26.8 for 386.
    (
        Cause::UnalignedAtomic,
        "panic: unaligned 64-bit atomic operation\n\ngoroutine 1 [running]:\ninternal/runtime/atomic.panicUnaligned()\n\t/usr/local/go/src/internal/runtime/atomic/unaligned.go:8 +0x2d\ninternal/runtime/atomic.Xadd64(0x849c004, 0x1)\n\t/usr/local/go/src/internal/runtime/atomic/atomic_386.s:127 +0x11\nmain.(*counters).hit(0x849c000)\n\t/src/app/main.go:11 +0x36\nmain.main()\n\t/src/app/main.go:15 +0x33\n",
    ),
    // sync/mutex.go, `lockSlow`.
    (
        Cause::CopiedLock,
        "fatal error: sync: inconsistent mutex state\n\ngoroutine 1 [running]:\nsync.(*Mutex).lockSlow(0xc00001c0a8)\n\t/usr/local/go/src/sync/mutex.go:158 +0x1\nmain.f()\n\t/src/app/main.go:3 +0x1\n",
    ),
    // The shape of golang/go's and OpenTelemetry's report: a hook of tsan on g0.
    (
        Cause::RaceHookOnSystemStack,
        "#0  0x000000000041e1c0 in __tsan_func_enter ()\n#1  0x00000000004ad05a in racecall ()\n#2  0x00000000004ae7f1 in runtime.racefuncenter (callpc=4317632)\n#3  0x0000000000a247d8 in example.com/sdk.(*Context).TakeSnapShot (tc=<optimized out>)\n#4  0x0000000000480185 in runtime.newproc1.func1 ()\n#5  0x00000000004a992a in runtime.systemstack ()\n",
    ),
    // libstdc++'s words, the runtime's signal in a cgo call.
    (
        Cause::ForeignException,
        "terminate called after throwing an instance of 'std::runtime_error'\n  what():  boom\nSIGABRT: abort\nPC=0x7f00 m=0 sigcode=18446744073709551610\nsignal arrived during cgo execution\n\ngoroutine 1 [syscall]:\nruntime.cgocall(0x49be20, 0xc000051e50)\n\t/usr/local/go/src/runtime/cgocall.go:167 +0x4b\nmain._Cfunc_run()\n\t_cgo_gotypes.go:53 +0x45\nmain.main()\n\t/src/app/main.go:3 +0x1\n",
    ),
];

/// Causes that no rule claims of a text, and why.
const NOT_FROM_A_TEXT: &[(Cause, &str)] = &[
    (Cause::SecondaryFailure, "a chain of panics is told as a finding; the cause is that of the first"),
    (Cause::SignalStackOverrun, "wants the signal stack's guard page and the stack pointer: a core"),
    (Cause::CgoPointerKept, "wants the memory that C kept: a core"),
    (Cause::CodePageAltered, "wants the code in memory beside that of the file: a core and the binary"),
    (Cause::HardwareBitFlip, "wants the damaged word beside what it should be: a core"),
    (Cause::Instrumentation, "wants the binary: whether a tool rewrote it"),
];

fn texts() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let entries = |folder: PathBuf| std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let recorded = entries(root.join("zoo/texts")).flat_map(|specimen| entries(specimen).collect::<Vec<_>>());
    let known = entries(root.join("crates/gopsy-explain/knowledge")).map(|entry| entry.join("fires.txt"));
    recorded.chain(known.filter(|path| path.exists())).collect()
}

/// The verdicts on the deaths of a text.
fn verdicts(text: &[u8]) -> Vec<gopsy_model::Verdict> {
    let programs = TextEvidence::programs(gopsy_text::read_bytes(text, &gopsy_text::Options::default()));
    programs.iter().map(gopsy_explain::explain).collect()
}

#[test]
fn every_slug_is_said_of_a_text() {
    let mut all: Vec<_> = texts().iter().flat_map(|path| verdicts(&std::fs::read(path).unwrap())).collect();
    for (kind, text) in KINDS {
        let own = verdicts(text.as_bytes());
        assert_eq!(own[0].kind, *kind);
        all.extend(own);
    }
    for (cause, text) in CAUSES {
        let own = verdicts(text.as_bytes());
        assert_eq!(own[0].cause, *cause);
        all.extend(own);
    }
    let kinds: BTreeSet<Kind> = all.iter().map(|v| v.kind).collect();
    let silent: Vec<&Kind> = Kind::ALL.iter().filter(|kind| !kinds.contains(kind)).collect();
    assert!(silent.is_empty(), "kinds that no text has: {silent:?}");
    let claims = all.iter().flat_map(|v| &v.findings).filter_map(|f| f.claim);
    let causes: BTreeSet<Cause> = claims.map(|claim| claim.cause).collect();
    let silent: BTreeSet<Cause> = Cause::ALL.iter().copied().filter(|cause| !causes.contains(cause)).collect();
    let mut expected: BTreeSet<Cause> = NOT_FROM_A_TEXT.iter().map(|(cause, _)| *cause).collect();
    expected.insert(Cause::Unknown);
    assert_eq!(silent, expected, "causes that no text proves or makes likely");
}
