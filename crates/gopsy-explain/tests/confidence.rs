//! Texts that look like a cause and have another one, or may have: what is claimed of them, and how surely.
#![allow(clippy::unwrap_used)]

use gopsy_explain::explain;
use gopsy_model::{Cause, Confidence, Kind, Verdict};
use gopsy_program::{Program, TextEvidence};

fn verdict(text: &str) -> Verdict {
    let programs: Vec<Program> =
        TextEvidence::programs(gopsy_text::read_bytes(text.as_bytes(), &gopsy_text::Options::default()));
    explain(programs.first().unwrap())
}

fn claim(text: &str) -> (Cause, Confidence) {
    let v = verdict(text);
    (v.cause, v.confidence)
}

fn panic_in(value: &str, frames: &[&str]) -> String {
    let mut text = format!("panic: {value}\n\ngoroutine 7 [running]:\n");
    for f in frames {
        text.push_str(f);
        text.push_str("\n\t/src/app/x.go:5 +0x1\n");
    }
    text
}

#[test]
fn a_nil_func_below_a_call_from_c_is_only_possible() {
    let head = "runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV: segmentation violation \
                code=0x1 addr=0x0 pc=0x0]";
    let (cause, sure) = claim(&panic_in(head, &["main.run(0x1)", "main.main()"]));
    assert_eq!((cause, sure), (Cause::NilFunc, Confidence::Likely));
    let (cause, sure) = claim(&panic_in(head, &["main.back(0x1)", "runtime.cgocall(0x1, 0x2)", "main.main()"]));
    assert_eq!((cause, sure), (Cause::NilFunc, Confidence::Possible));
}

/// Of a core that lacks what the runtime noted of the fault, only the signal is known with which the runtime killed itself.
#[test]
fn the_code_of_another_signal_says_nothing_of_a_fault() {
    let facts = |signal: &str| {
        let head =
            format!("unexpected fault address 0x7fb51822e005\nfatal error: fault\n[signal {signal} pc=0x4a1b2c]\n\n");
        let verdict = verdict(&format!("{head}goroutine 1 [running]:\nmain.set()\n\t/src/app/x.go:16 +0x1d\n"));
        verdict.findings.iter().flat_map(|f| &f.evidence).map(|e| e.fact.clone()).collect::<Vec<_>>().join("; ")
    };
    let fault = facts("SIGSEGV: segmentation violation code=0x2 addr=0x7fb51822e005");
    assert!(fault.contains("fault address 0x7fb51822e005, code 2 (SEGV_ACCERR)"), "{fault}");
    let abort = facts("SIGABRT: abort code=0x2 addr=0x0");
    assert!(abort.contains("fault address 0x7fb51822e005, code not known"), "{abort}");
}

#[test]
fn a_non_canonical_address_is_no_nil_pointer() {
    let head = "runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV: segmentation violation \
                code=0x80 addr=0x0 pc=0x4a1200]";
    assert_eq!(claim(&panic_in(head, &["main.run(0x1)"])), (Cause::MemoryCorruption, Confidence::Possible));
}

#[test]
fn what_fails_inside_the_library_is_less_sure() {
    let index = "runtime error: index out of range [8] with length 4";
    assert_eq!(claim(&panic_in(index, &["main.run(0x1)"])), (Cause::BadIndex, Confidence::Likely));
    let shared = "goroutine 7 [running]:\nbufio.(*Reader).ReadSlice(0x1)\n\t/usr/lib/go/src/bufio/bufio.go:300 +0x1\nmain.run(0x1)\n\t/src/x.go:1 +0x1\n";
    assert_eq!(claim(&format!("panic: {index}\n\n{shared}")), (Cause::BadIndex, Confidence::Possible));
    let short = "goroutine 7 [running]:\nencoding/binary.bigEndian.Uint32(...)\n\t/usr/lib/go/src/encoding/binary/binary.go:100\nmain.run(0x1)\n\t/src/x.go:1 +0x1\n";
    assert_eq!(claim(&format!("panic: {index}\n\n{short}")), (Cause::BadIndex, Confidence::Likely));
}

#[test]
fn an_unlock_by_the_library_or_of_a_copy() {
    let fatal = |frames: &str| {
        format!(
            "fatal error: sync: unlock of unlocked mutex\n\ngoroutine 7 [running]:\nsync.(*Mutex).unlockSlow(0x1)\n\t/usr/lib/go/src/sync/mutex.go:9 +0x1\nsync.(*Mutex).Unlock(...)\n\t/usr/lib/go/src/sync/mutex.go:8\n{frames}"
        )
    };
    let own = "main.(*store).put(0x1)\n\t/src/x.go:1 +0x1\n";
    let by_value = "main.Store.put(0x1)\n\t/src/x.go:1 +0x1\n";
    let library = format!("net/http.(*Server).Close(0x1)\n\t/usr/lib/go/src/net/http/server.go:3 +0x1\n{own}");
    assert_eq!(claim(&fatal(own)), (Cause::UnbalancedUnlock, Confidence::Likely));
    assert_eq!(claim(&fatal(by_value)).1, Confidence::Possible);
    assert_eq!(claim(&fatal(&library)).1, Confidence::Possible);
}

#[test]
fn a_refused_thread_is_no_limit() {
    let text = |words: &str| {
        format!(
            "runtime/cgo: pthread_create failed: {words}\nSIGABRT: abort\nPC=0x7f01 m=0 sigcode=18446744073709551610\n\ngoroutine 0 [idle]:\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/x.go:1 +0x1\n"
        )
    };
    assert_eq!(claim(&text("Resource temporarily unavailable")), (Cause::ResourceLimit, Confidence::Likely));
    assert_ne!(claim(&text("Operation not permitted")).0, Cause::ResourceLimit);
}

#[test]
fn a_fault_in_the_heap_is_no_truncated_file() {
    let text = |address: &str, pc: &str| {
        format!(
            "unexpected fault address {address}\nfatal error: fault\n[signal SIGBUS: bus error code=0x2 addr={address} pc={pc}]\n\ngoroutine 7 [running]:\nruntime.throw(0x1, 0x5)\n\t/usr/lib/go/src/runtime/panic.go:608 +0x72\nmain.read(0x1)\n\t/src/x.go:1 +0x1\n"
        )
    };
    assert_eq!(claim(&text("0x7f12c6a02000", "0x458641")), (Cause::MappingTruncated, Confidence::Possible));
    assert_eq!(claim(&text("0xecc6a02000", "0x458641")).0, Cause::Unknown);
    assert_eq!(claim(&text("0x46d405", "0x46d405")).0, Cause::Unknown);
}

#[test]
fn an_address_of_another_kernel_is_no_emulator() {
    let text = |node: &str| {
        format!(
            "runtime: lfstack.push invalid packing: node={node} cnt=0x1 packed=0x1 -> node=0x2\nfatal error: lfstack.push\n\nruntime stack:\nruntime.throw(0x1, 0x5)\n\t/usr/lib/go/src/runtime/panic.go:608 +0x72\n"
        )
    };
    assert_eq!(claim(&text("0xffff9b4d0000")), (Cause::Emulator, Confidence::Likely));
    assert_eq!(claim(&text("0xfffffd7fe7c00000")).0, Cause::Unknown);
}

#[test]
fn zeros_are_no_missing_feature() {
    let text = |bytes: &str| {
        format!(
            "SIGILL: illegal instruction\nPC=0x7af662 m=0 sigcode=2\ninstruction bytes: {bytes}\n\ngoroutine 8 [running]:\nexample.com/simd.sum(0x1)\n\t/src/simd/sum_arm64.s:60 +0x42\n"
        )
    };
    assert_eq!(claim(&text("0x4e 0x1 0x2 0x3")), (Cause::CpuFeatureMissing, Confidence::Likely));
    assert_eq!(claim(&text("0x0 0x0 0x0 0x0")).0, Cause::Unknown);
}

#[test]
fn a_walk_that_locks_node_by_node_is_no_self_deadlock() {
    let text = |inner: &str, outer: &str| {
        format!(
            "goroutine 7 [sync.Mutex.Lock, 9 minutes]:\nsync.runtime_SemacquireMutex(0xc0000140f4, 0x0, 0x1)\n\t/usr/lib/go/src/runtime/sema.go:71 +0x47\nsync.(*Mutex).Lock(0xc0000140f0)\n\t/usr/lib/go/src/sync/mutex.go:81 +0x1\nmain.(*node).walk({inner})\n\t/src/x.go:3 +0x1\nmain.(*node).walk({outer})\n\t/src/x.go:9 +0x1\nmain.main()\n\t/src/x.go:20 +0x1\n"
        )
    };
    assert_eq!(claim(&text("0xc00001", "0xc00001")), (Cause::SelfDeadlock, Confidence::Likely));
    assert_eq!(claim(&text("0xc00001?", "0xc00001?")), (Cause::SelfDeadlock, Confidence::Possible));
    assert_ne!(claim(&text("0xc00001", "0xc00002")).0, Cause::SelfDeadlock);
}

#[test]
fn growth_by_appending_is_no_huge_request() {
    let text = |frame: &str| {
        format!(
            "runtime: out of memory: cannot allocate 5368709120-byte block (4294967296 in use)\nfatal error: out of memory\n\ngoroutine 7 [running]:\nruntime.throw(0x1, 0x5)\n\t/usr/lib/go/src/runtime/panic.go:608 +0x72\n{frame}main.read(0x1)\n\t/src/x.go:1 +0x1\n"
        )
    };
    assert_eq!(claim(&text("")), (Cause::HugeAllocation, Confidence::Likely));
    let grown = "runtime.growslice(0x1, 0x2)\n\t/usr/lib/go/src/runtime/slice.go:8 +0x72\n";
    assert_eq!(claim(&text(grown)).1, Confidence::Possible);
}

#[test]
fn an_exception_in_a_thread_of_its_own_passed_no_go_frame() {
    let text = |words: &str, cgo: &str| {
        format!(
            "{words}\nSIGABRT: abort\nPC=0x7f01 m=0 sigcode=18446744073709551610\n\ngoroutine 1 [syscall]:\n{cgo}main.main()\n\t/src/x.go:1 +0x1\n"
        )
    };
    let cgo = "runtime.cgocall(0x1, 0x2)\n\t/usr/lib/go/src/runtime/cgocall.go:1 +0x1\n";
    let thrown = "terminate called after throwing an instance of 'std::bad_alloc'";
    assert_eq!(claim(&text(thrown, cgo)), (Cause::ForeignException, Confidence::Likely));
    assert_eq!(claim(&text(thrown, "")).1, Confidence::Possible);
    assert_eq!(claim(&text("terminate called without an active exception", cgo)).1, Confidence::Possible);
}

#[test]
fn a_handler_that_printed_its_stack_is_not_the_place() {
    let text = "goroutine 61 [running]:\nruntime/debug.Stack()\n\t/usr/lib/go/src/runtime/debug/stack.go:24 +0x65\nexample.com/app.recovered(0x1)\n\t/src/app/recover.go:70 +0xdb\npanic({0x1a8e700, 0x32500a0})\n\t/usr/lib/go/src/runtime/panic.go:1038 +0x215\nexample.com/app.(*Store).Series(0x1)\n\t/src/app/store.go:9 +0xdb\n";
    assert_eq!(&*verdict(text).culprit.unwrap().function, "example.com/app.(*Store).Series");
}

#[test]
fn who_is_missing_from_a_cut_text_is_not_gone() {
    let wait = "goroutine 1 [chan receive]:\nmain.wait(0x1)\n\t/src/x.go:1 +0x1\nmain.main()\n\t/src/x.go:2 +0x1\n";
    let fatal = "fatal error: all goroutines are asleep - deadlock!\n\n";
    assert_eq!(claim(&format!("{fatal}{wait}")), (Cause::NobodySends, Confidence::Likely));
    assert_eq!(claim(&format!("{fatal}{wait}\ngoroutine 18 [chan receive]:\n")).1, Confidence::Possible);
    let other = wait.replace("goroutine 1 ", "goroutine 9 ").replace("main.main", "main.part");
    assert_eq!(claim(&format!("{fatal}{other}")).1, Confidence::Possible);
}

#[test]
fn what_a_library_observed_is_told_by_its_own_words() {
    let text = "E0623 15:24:30.674204 1 runtime.go:78] Observed a panic: \"invalid memory address or nil pointer dereference\" (runtime error: invalid memory address or nil pointer dereference)\ngoroutine 52 [running]:\nk8s.io/apimachinery/pkg/util/runtime.HandleCrash(0x0)\n\t/m/pkg/mod/k8s.io/apimachinery@v0.19.2/pkg/util/runtime/runtime.go:48 +0x86\npanic(0x15e2ba0, 0x22e29c0)\n\t/go/src/runtime/panic.go:965 +0x1b9\nexample.com/op.(*reader).logs(0xc0)\n\t/src/op/logs.go:35 +0x1\n";
    let v = verdict(text);
    assert_eq!(v.kind, Kind::NilDereference);
    assert_eq!((v.cause, &*v.culprit.unwrap().function), (Cause::NilPointer, "example.com/op.(*reader).logs"));
}

/// `panic` is on the stack of a deferred function that recovers; one that was taken later has another path.
#[test]
fn a_stack_taken_after_the_panic_names_no_culprit() {
    let log = |frames: &str| {
        format!(
            r#"{{"recovered":"boom","stack":"goroutine 1 [running]:\nruntime/debug.Stack()\n\t/usr/lib/go/src/runtime/debug/stack.go:26 +0x5e\n{frames}main.work()\n\t/src/x.go:3 +0x1"}}"#
        )
    };
    let panic =
        r"main.work.func1()\n\t/src/x.go:9 +0x1\npanic({0x1, 0x2})\n\t/usr/lib/go/src/runtime/panic.go:787 +0x1\n";
    let (during, after) = (verdict(&log(panic)), verdict(&log("")));
    assert_eq!((during.headline.as_str(), &during.headline), ("a panic in a log: boom", &after.headline));
    assert_eq!(during.culprit.map(|c| c.function.to_string()).as_deref(), Some("main.work"));
    assert_eq!(after.culprit, None);
}

/// What the runtime would have made of a fault is known where the address is: in lldb's words, not in gdb's.
#[test]
fn a_signal_without_a_headline() {
    let lldb = |address: &str| {
        verdict(&format!(
            "* thread #1, stop reason = signal SIGSEGV: address not mapped to object (fault address: {address})\n  * frame #0: 0x0000000000456e0f svc`main.walk(n=0x0) at list.go:12:9\n    frame #1: 0x0000000000456f30 svc`main.main at list.go:20:14\n"
        ))
    };
    assert_eq!((lldb("0x8").kind, lldb("0x8").cause), (Kind::NilDereference, Cause::NilPointer));
    assert_eq!(lldb("0x7f0012345678").kind, Kind::UnexpectedFault);
    let gdb = "Thread 1 \"app\" received signal SIGSEGV, Segmentation fault.\n#0  0x000000000047a75a in main.walk (n=0x0) at /src/app/main.go:6\n#1  0x000000000047a795 in main.main () at /src/app/main.go:8\n";
    let gdb = verdict(gdb);
    assert_eq!(
        (gdb.kind, gdb.cause, gdb.headline.as_str()),
        (Kind::Dump, Cause::Unknown, "SIGSEGV: Segmentation fault")
    );
    let lost = verdict(
        "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x7fff823874cc]\n\nruntime stack:\nruntime.throw(0x40ac919, 0x2a)\n\t/go/src/runtime/panic.go:566 +0x95\nruntime.sigpanic()\n\t/go/src/runtime/sigpanic_unix.go:12 +0x2cc\n\ngoroutine 1 [syscall]:\nruntime.cgocall(0x407fb20, 0xc420049e60, 0x0)\n\t/go/src/runtime/cgocall.go:131 +0x110\nrobot._Cfunc_tap(0x46001c0)\n\t??:0 +0x4e\nrobot.Tap(0x40a76c5)\n\t/src/robot.go:144 +0x73\n",
    );
    assert_eq!((lost.kind, lost.cause), (Kind::RuntimeFault, Cause::NullInC));
}

/// wasm prints zeros for the address and the program counter that it does not have: no jump to address 0.
#[test]
fn a_nil_pointer_on_wasm_is_no_nil_func() {
    let v = verdict(include_str!("../../gopsy-text/tests/texts/wasm.txt"));
    assert_eq!((v.kind, v.cause), (Kind::NilDereference, Cause::NilPointer));
    assert!(v.findings.iter().flat_map(|f| &f.evidence).all(|e| !e.fact.contains("address 0")), "{:?}", v.findings);
}

/// node wakes a js/wasm program that waits for ever; a handler of the program that fails stands above the runtime's.
#[test]
fn a_deadlock_of_a_js_program_reads_as_a_nil_pointer() {
    let deadlock = include_str!("../../gopsy-text/tests/texts/wasm-js.txt");
    assert_eq!((verdict(deadlock).kind, verdict(deadlock).cause), (Kind::NilDereference, Cause::Stuck));
    let handler = "main.onClick({0x1, 0x2}, {0x3, 0x0, 0x0})\n\t/src/app/main.go:7 +0x2\nsyscall/js.handleEvent()\n\t/usr/local/go/src/syscall/js/func.go:98 +0x24\nruntime.handleEvent()";
    assert_eq!(verdict(&deadlock.replace("runtime.handleEvent()", handler)).cause, Cause::NilPointer);
}

/// A signal that somebody sent is no fault, with a headline or without.
#[test]
fn a_sent_signal_without_a_headline() {
    let text = "[signal SIGSEGV: segmentation violation code=0x0 addr=0x1a0 pc=0x47db03]\n\ngoroutine 1 [running]:\nmain.f(0x1)\n\t/src/x.go:5 +0x1\n";
    assert_eq!(verdict(text).kind, Kind::Signalled);
    assert_eq!(verdict(&text.replace("code=0x0", "code=0x1")).kind, Kind::NilDereference);
}

/// A logger's `error` may be another one; the frame that raised the panic is not.
#[test]
fn who_raised_a_logged_panic_is_on_its_trace() {
    let log = |by: &str| {
        format!(
            r#"{{"msg":"failed","error":"context canceled","stacktrace":"main.run.func1\n\t/src/x.go:9\nruntime.gopanic\n\t/go/src/runtime/panic.go:860\n{by}main.run\n\t/src/x.go:3"}}"#
        )
    };
    let by_runtime =
        r"runtime.panicmem\n\t/go/src/runtime/panic.go:336\nruntime.sigpanic\n\t/go/src/runtime/signal_unix.go:931\n";
    assert_eq!(verdict(&log(by_runtime)).kind, Kind::NilDereference);
    assert_eq!(verdict(&log("")).kind, Kind::CustomPanic);
}

/// A throw of a deferred function stands above the panic that ran it.
#[test]
fn a_throw_during_a_panic_in_a_debugger() {
    let frames = |names: &[&str]| {
        let line = |(i, name): (usize, &&str)| format!("#{i}  0x000000000047a75a in {name} () at /src/x.go:6\n");
        names.iter().enumerate().map(line).collect::<String>()
    };
    let panic = ["runtime.gopanic", "runtime.panicmem", "runtime.sigpanic", "main.run"];
    let fatal = frames(&[&["runtime.fatalpanic"], &panic[..]].concat());
    assert_eq!(verdict(&fatal).kind, Kind::NilDereference);
    let throw = frames(&[&["runtime.fatal", "runtime.mapassign_faststr", "main.run.func1"], &panic[..]].concat());
    assert_eq!(verdict(&throw).kind, Kind::ConcurrentMap);
}

/// A text that was cut is not one that no release has.
#[test]
fn a_throw_that_is_not_in_the_list() {
    let said = |message: &str| {
        verdict(&format!("fatal error: {message}\n\ngoroutine 1 [running]:\nmain.f()\n\t/src/x.go:5 +0x1\n"))
    };
    let cut = said("exitsyscall: syscall frame is no lon");
    assert_eq!((cut.kind, cut.cause), (Kind::RuntimeThrow, Cause::Unknown));
    assert!(cut.summary.contains("gopsy's list does not have"), "{}", cut.summary);
    assert!(said("bad g status").summary.contains("scheduler"));
}
