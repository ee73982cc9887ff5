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

#[test]
fn every_slug_is_said_of_a_text() {
    let (mut kinds, mut causes) = (BTreeSet::new(), BTreeSet::new());
    let mut hear = |text: &[u8]| {
        for program in TextEvidence::programs(gopsy_text::read_bytes(text, &gopsy_text::Options::default())) {
            let verdict = gopsy_explain::explain(&program);
            kinds.insert(verdict.kind.as_str());
            causes.extend(verdict.findings.iter().filter_map(|f| f.claim).map(|claim| claim.cause.as_str()));
        }
    };
    texts().iter().for_each(|path| hear(&std::fs::read(path).unwrap()));
    for (kind, text) in KINDS {
        hear(text.as_bytes());
        let program = TextEvidence::programs(gopsy_text::read_bytes(text.as_bytes(), &gopsy_text::Options::default()));
        assert_eq!(gopsy_explain::explain(&program[0]).kind, *kind);
    }
    for (cause, text) in CAUSES {
        hear(text.as_bytes());
        let program = TextEvidence::programs(gopsy_text::read_bytes(text.as_bytes(), &gopsy_text::Options::default()));
        assert_eq!(gopsy_explain::explain(&program[0]).cause, *cause);
    }
    let silent: Vec<&str> = Kind::ALL.iter().map(|k| k.as_str()).filter(|slug| !kinds.contains(slug)).collect();
    assert_eq!(silent, [""; 0], "kinds that no text has");
    let silent: Vec<&str> = Cause::ALL.iter().map(|c| c.as_str()).filter(|slug| !causes.contains(slug)).collect();
    let mut expected: Vec<&str> = NOT_FROM_A_TEXT.iter().map(|(cause, _)| cause.as_str()).collect();
    expected.push("unknown");
    assert_eq!(silent, expected, "causes that no text proves or makes likely");
}
