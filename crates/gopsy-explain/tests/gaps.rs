//! Evidence that has gaps: what is not known is no reason to claim anything.
#![allow(clippy::unwrap_used)]

use gopsy_explain::explain;
use gopsy_model::{
    Cause, Crash, Frame, Goroutine, Headline, Identity, Kind, Known, Missing, Role, Signal, Source, Stack, Status,
    Trust,
};
use gopsy_program::{Evidence, Program, StackId};

struct Mock {
    crash: Crash,
    goroutines: Vec<(Goroutine, Stack)>,
}

impl Evidence for Mock {
    fn source(&self) -> Source {
        Source::Core
    }

    fn crash(&self) -> &Crash {
        &self.crash
    }

    fn identity(&self) -> Identity {
        let missing = || Known::Missing(Missing::NotInCore);
        Identity {
            go_version: missing(),
            os: missing(),
            arch: missing(),
            module: missing(),
            build_id: missing(),
            pid: Known::Missing(Missing::NotInCore),
        }
    }

    fn stack_count(&self) -> usize {
        self.goroutines.len()
    }

    fn goroutine(&self, id: StackId) -> Goroutine {
        self.goroutines[id].0.clone()
    }

    fn stack(&self, id: StackId) -> Stack {
        self.goroutines[id].1.clone()
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

fn known<T>(value: T) -> Known<T> {
    Known::have(value, Trust::DebugInfo, Source::Core)
}

fn goroutine(status: Option<Status>, reason: Option<&str>, frames: &[&str]) -> (Goroutine, Stack) {
    let missing = || Missing::NotInCore;
    let goroutine = Goroutine {
        status: status.map_or(Known::Missing(missing()), known),
        wait_reason: reason.map_or(Known::Missing(missing()), |reason| known(reason.into())),
        ..Goroutine::bare(Role::Goroutine)
    };
    (goroutine, Stack { frames: frames.iter().map(|name| Frame::named(name)).collect(), ..Stack::default() })
}

fn program(crash: Crash, goroutines: Vec<(Goroutine, Stack)>) -> Program {
    Program::new(Mock { crash: Crash { stacks: 0..goroutines.len(), ..crash }, goroutines })
}

/// A core without a headline is a dump of goroutines only if nobody died.
#[test]
fn words_that_cannot_be_read_make_no_dump() {
    let parked = || vec![goroutine(Some(Status::Waiting), Some("chan receive"), &["runtime.gopark", "main.main"])];
    assert_eq!(explain(&program(Crash::default(), parked())).kind, Kind::Dump);
    let unread = Crash { unread: true, ..Crash::default() };
    assert_eq!(explain(&program(unread, parked())).kind, Kind::Unknown);
}

/// That nobody gives a lock back is said only where everybody waits, and who cannot be read may run.
#[test]
fn who_cannot_be_read_may_run() {
    let waits = || goroutine(Some(Status::Waiting), Some("sync.Mutex.Lock"), &["sync.(*Mutex).Lock", "main.work"]);
    let with = |other: Option<(Goroutine, Stack)>| {
        let all = [waits(), waits()].into_iter().chain(other).collect();
        explain(&program(Crash::default(), all)).cause
    };
    assert_eq!(with(None), Cause::Stuck);
    assert_eq!(with(Some(goroutine(None, None, &[]))), Cause::Unknown);
    assert_eq!(with(Some(goroutine(Some(Status::Running), None, &[]))), Cause::Unknown);
    assert_eq!(with(Some(goroutine(Some(Status::Running), None, &["main.work"]))), Cause::Unknown);
}

/// `close` refuses a channel that was never made and one that is closed already: only its words tell which it was.
#[test]
fn a_refused_close_without_words_has_no_cause() {
    let of = |frames: &[&str]| {
        let crash = Crash { unread: true, crashed: Some(0), ..Crash::default() };
        let verdict = explain(&program(crash, vec![goroutine(Some(Status::Running), None, frames)]));
        (verdict.kind, verdict.cause)
    };
    assert_eq!(of(&["panic", "runtime.closechan", "main.main"]), (Kind::ClosedChannel, Cause::Unknown));
    assert_eq!(of(&["panic", "runtime.chansend", "main.main"]), (Kind::ClosedChannel, Cause::SendAfterClose));
}

/// Neither is said which rule of a wait group was broken, nor that a type met was another one, where the words are lost.
#[test]
fn a_panic_without_words_is_said_by_its_frames_only() {
    let of = |frames: &[&str]| {
        let crash = Crash { unread: true, crashed: Some(0), ..Crash::default() };
        let verdict = explain(&program(crash, vec![goroutine(Some(Status::Running), None, frames)]));
        (verdict.kind, verdict.findings[0].sentence.clone())
    };
    let add = of(&["runtime.gopanic", "sync.(*WaitGroup).Add", "main.main"]);
    assert_eq!((add.0, add.1.contains("against its rules")), (Kind::WaitgroupMisuse, true), "{}", add.1);
    for (raised, says) in [("runtime.panicnildottype", "met a nil interface"), ("runtime.panicdottypeE", "or a nil")] {
        let assertion = of(&["runtime.gopanic", raised, "main.main"]);
        assert_eq!((assertion.0, assertion.1.contains(says)), (Kind::TypeAssertion, true), "{}", assertion.1);
    }
}

/// What a function throws its name tells only where all of its throws are of one kind.
#[test]
fn a_throw_without_words() {
    let of = |frames: &[&str]| {
        let crash = Crash { unread: true, crashed: Some(0), ..Crash::default() };
        explain(&program(crash, vec![goroutine(Some(Status::Running), None, frames)])).kind
    };
    assert_eq!(of(&["runtime.throw", "runtime.(*mcache).allocLarge", "main.main"]), Kind::OutOfMemory);
    assert_eq!(of(&["runtime.throw", "runtime.(*mcache).refill", "main.main"]), Kind::Unknown);
    assert_eq!(of(&["runtime.throw", "runtime.mapiterinit", "main.main"]), Kind::RuntimeThrow);
    assert_eq!(of(&["runtime.fatal", "runtime.mapassign_fast64", "main.main"]), Kind::ConcurrentMap);
    assert_eq!(of(&["runtime.throw", "runtime.newproc.func1", "main.main"]), Kind::Unknown);
    // The words of a later panic say nothing of the first.
    let later = |depth| {
        let line = gopsy_model::PanicLine { depth, ..gopsy_model::PanicLine::of("flush: nothing was read") };
        let crash = Crash { headlines: vec![Headline::Panic(line)], crashed: Some(0), ..Crash::default() };
        let frames = ["panic", "main.flush", "panic", "runtime.panicIndex", "main.main"];
        explain(&program(crash, vec![goroutine(Some(Status::Running), None, &frames)])).kind
    };
    assert_eq!((later(0), later(1)), (Kind::CustomPanic, Kind::OutOfRange));
    // Who raised it tells, too.
    let wrapped = ["runtime.gopanic", "runtime.panicwrap", "main.(*degrees).kelvin", "main.main"];
    let crash = Crash { unread: true, crashed: Some(0), ..Crash::default() };
    let verdict = explain(&program(crash, vec![goroutine(Some(Status::Running), None, &wrapped)]));
    assert_eq!((verdict.kind, verdict.cause), (Kind::CustomPanic, Cause::NilPointer));
}

/// Hand-written assembly that meets an illegal instruction may be a trap: without the bytes nothing is likely.
#[test]
fn an_illegal_instruction_without_its_bytes_is_only_possible() {
    let signal = Signal {
        name: "SIGILL".into(),
        description: Known::Missing(Missing::NotInCore),
        code: known(2),
        address: known(0x40_1000),
        pc: known(0x40_1000),
        m: known(0),
        in_foreign_code: false,
        instruction_bytes: Vec::new(),
        sender: Known::not_printed(),
    };
    let headlines = vec![Headline::Signal(signal)];
    let (goroutine, mut stack) = goroutine(Some(Status::Running), None, &["main.sum", "main.main"]);
    stack.frames[0].file = known("/src/sum_amd64.s".into());
    let crash = Crash { headlines, crashed: Some(0), ..Crash::default() };
    let verdict = explain(&program(crash, vec![(goroutine, stack)]));
    assert_eq!((verdict.cause, verdict.confidence), (Cause::CpuFeatureMissing, gopsy_model::Confidence::Possible));
}
