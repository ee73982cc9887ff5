//! The readers of runtime structs against a made-up runtime.

use crate::testkit::{BACKLOG, BIAS, G0, G1, M0, PANIC, TYPES, check, memory, words};
use crate::{FloatFormat, How, PossibleGoroutines, RuntimeError, Threads, Witness};
use gopsy_mem::{Addr, Fault, Memory, Range, SliceMemory, Why};
use gopsy_model::{Known, Missing, Source, Status, Trust};
use std::collections::HashSet;

#[test]
fn a_goroutine() {
    check(&memory(), |runtime| {
        let g = runtime.g(Addr(G1));
        assert_eq!(g.id, Known::have(7, Trust::DebugInfo, Source::Core));
        assert_eq!((g.status.value(), g.scan), (Some(&Status::Running), true));
        assert_eq!(runtime.status(Addr(G1)).value(), Some(&Status::Running));
        assert_eq!(g.wait_reason.value().map(AsRef::as_ref), Some("chan receive"));
        assert_eq!(g.stack.value(), Some(&Range { start: Addr(0x7000_0000), end: Addr(0x7000_2000) }));
        assert_eq!(g.sched.value().map(|s| (s.sp, s.pc)), Some((Addr(0x7000_1f00), Addr(0x40_1234))));
        // This made-up release has no parentGoid: a reason, not a word that stands where another has one.
        assert!(matches!(g.parent.missing(), Some(Missing::NotSupported(why)) if why.contains("parentGoid")));
    });
}

#[test]
fn a_goroutine_that_is_not_there() {
    check(&memory(), |runtime| {
        let g = runtime.g(Addr(0xdead_0000));
        assert!(matches!(g.id.missing(), Some(Missing::Unreadable(_))));
        assert!(g.stack.missing().is_some() && g.wait_reason.missing().is_some());
        assert_eq!(runtime.signal(Addr(0xdead_0000)), None);
    });
}

#[test]
fn of_a_goroutine_that_is_half_there_the_half_is_told() {
    let half = SliceMemory::new().with(Addr(G1), words(&[0, 0, 0x7000_2000, 0x7000_0000, 0x40_1234, 0x7000_1f00, 7]));
    check(&half, |runtime| {
        let g = runtime.g(Addr(G1));
        assert_eq!((g.id.value(), g.stack.value().is_some()), (Some(&7), true));
        assert!(g.status.missing().is_some() && g.m.missing().is_some());
    });
}

#[test]
fn the_signal_of_a_panic() {
    check(&memory(), |runtime| {
        let signal = runtime.signal(Addr(G1)).unwrap();
        assert_eq!(signal.text.value().map(AsRef::as_ref), Some("SIGX: why"));
        assert_eq!((signal.code.value(), signal.address.value()), (Some(&-6), Some(&0x30)));
        assert_eq!(runtime.signal(Addr(G0)), None);
    });
}

#[test]
fn lists_of_goroutines_are_read_as_far_as_they_go() {
    let lying = memory().with(Addr(0x60_0000 + BIAS), words(&[0xc000_5000, u64::MAX, 1]));
    check(&lying, |runtime| {
        let listed = runtime.goroutines().unwrap();
        assert_eq!((listed.addresses, listed.claimed), (vec![Addr(G1)], u64::MAX));
    });
    // One that breaks off in the middle, and one that does not.
    for (held, claimed) in [(700, 1000), (512, 513), (1025, 1025)] {
        let all: Vec<u64> = (0..held).map(|index| 0xc100_0000 + index * 0x200).collect();
        let long = memory()
            .with(Addr(0x60_0000 + BIAS), words(&[0xd000_0000, claimed, claimed]))
            .with(Addr(0xd000_0000), words(&all));
        let listed = check(&long, |runtime| runtime.goroutines().unwrap());
        assert_eq!(listed.addresses.iter().map(|g| g.0).collect::<Vec<_>>(), all);
    }
    check(&SliceMemory::new(), |runtime| {
        assert!(matches!(runtime.goroutines(), Err(RuntimeError::Unreadable { what: "goroutines", .. })));
    });
}

/// A list that is not in the core does not hide who was running; nor does a thread's word alone make a goroutine.
#[test]
fn goroutines_that_only_threads_name() {
    let lost = memory().with(Addr(0x60_0000 + BIAS), words(&[0xd000_0000, 3, 3]));
    let found = |memory: &SliceMemory| check(memory, |runtime| runtime.possible_goroutines(&[]).unwrap());
    let PossibleGoroutines { addresses, complete, remarks } = found(&lost);
    assert_eq!((addresses, complete, remarks.len()), (vec![Addr(G1)], false, 2), "{remarks:?}");
    let denied = found(&lost.with(Addr(G1 + 0x40), words(&[0])));
    assert_eq!((denied.addresses, denied.complete, denied.remarks.len()), (vec![], false, 1), "{:?}", denied.remarks);
    // In a whole list everybody is.
    let whole = found(&memory());
    assert_eq!(
        (whole.addresses, whole.complete, whole.remarks.len()),
        (vec![Addr(G1)], true, 0),
        "{:?}",
        whole.remarks
    );
}

#[test]
fn threads_are_proved() {
    let threads = |memory: &SliceMemory| {
        check(memory, |runtime| {
            let Threads { list, broken } = runtime.threads().unwrap();
            let why = broken.map(|broken| broken.why).unwrap_or_default();
            (list.iter().map(|m| m.tid.value().copied()).collect::<Vec<_>>(), why)
        })
    };
    assert_eq!(threads(&memory()), (vec![Some(4242)], String::new()));
    // What is sound is given, and why the list breaks off.
    let circle = threads(&memory().with(Addr(M0 + 0x20), words(&[M0])));
    assert!(circle.0 == [Some(4242)] && circle.1.contains("circle"), "{circle:?}");
    let stranger = threads(&memory().with(Addr(G0 + 0x40), words(&[M0 + 8])));
    assert!(stranger.0.is_empty() && stranger.1.contains("does not point back"), "{stranger:?}");
    let torn = threads(&memory().with(Addr(M0), words(&[0xdead_0000])));
    assert!(torn.0.is_empty() && torn.1.contains("is not there"), "{torn:?}");
    check(&SliceMemory::new(), |runtime| {
        assert!(matches!(runtime.threads(), Err(RuntimeError::Unreadable { what: "threads", .. })));
    });
}

/// Memory of which nothing else was saved.
struct Saved(SliceMemory);

impl Memory for Saved {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), Fault> {
        self.0.read(addr, buf).map_err(|fault| Fault { why: Why::NotHeld, ..fault })
    }
}

/// Nothing that is wrong is another matter than nothing that is right.
#[test]
fn a_process_that_has_hardly_begun_is_not_damaged() {
    let proof = |memory: &SliceMemory, tid: u64| {
        let (function, tids) = (|_: Addr| None, HashSet::from([tid]));
        check(memory, |runtime| runtime.prove(&Witness { function: &function, tids: &tids, parent: None }))
    };
    // Goroutines are listed, and the thread has its number, as soon as there are any.
    let none = memory().with(Addr(0x60_0000 + BIAS), words(&[0, 0, 0]));
    let begun = none.clone().with(Addr(M0 + 8), words(&[0, 0]));
    let proof_of_begun = proof(&begun, 4242);
    assert!(proof_of_begun.silent && proof_of_begun.refuted.is_some() && proof_of_begun.proved.is_empty());
    let stranger = proof(&none, 1);
    assert!(!stranger.silent && stranger.refuted.unwrap().contains("numbers that the kernel did not give"));
    let torn = proof(&begun.with(Addr(M0 + 0x20), words(&[M0])), 4242);
    assert!(!torn.silent && torn.refuted.is_some());
    // What was not saved may be as it should; what never was mapped is not.
    let chain = none.with(Addr(M0 + 0x20), words(&[0xdead_0000]));
    assert!(!proof(&chain, 4242).silent);
    let tids = HashSet::from([4242]);
    let cut =
        check(&Saved(chain), |runtime| runtime.prove(&Witness { function: &|_| None, tids: &tids, parent: None }));
    assert!(cut.silent && cut.refuted.is_some(), "{cut:?}");
    // A goroutine of which nothing fits.
    let wrong = proof(&memory(), 4242);
    assert!(!wrong.silent && wrong.refuted.is_some());
}

#[test]
fn the_culprit() {
    let culprit = |memory: &SliceMemory, signalled| {
        check(memory, |runtime| {
            let threads = runtime.threads().unwrap().list;
            runtime.culprit(&threads, signalled).map(|c| (c.how, c.g.value().copied()))
        })
    };
    assert_eq!(culprit(&memory(), None), Some((How::Panic, Some(Addr(G1)))));
    let thrown = memory().with(Addr(M0 + 0x1c), 2u32.to_le_bytes());
    assert_eq!(culprit(&thrown, None), Some((How::Thrown, Some(Addr(G1)))));
    let quiet = memory().with(Addr(M0 + 0x18), [0; 8]);
    assert_eq!(culprit(&quiet, None), None);
    assert_eq!(culprit(&quiet, Some(0)), Some((How::Signalled, Some(Addr(G1)))));
    assert_eq!(culprit(&quiet, Some(1)), None);
    // The goroutine says that another thread runs it.
    let moved = memory().with(Addr(G1 + 0x40), words(&[0xc000_9000]));
    assert_eq!(culprit(&moved, None), Some((How::Panic, None)));
    let idle = memory().with(Addr(M0 + 8), words(&[0]));
    assert_eq!(culprit(&idle, None), Some((How::Panic, None)));
    // A goroutine that is not there says nothing of which thread runs it.
    let why = |memory: &SliceMemory| {
        check(memory, |runtime| {
            let threads = runtime.threads().unwrap().list;
            runtime.culprit(&threads, None).and_then(|c| c.g.missing().map(ToString::to_string)).unwrap_or_default()
        })
    };
    assert!(why(&moved).contains("does not say that this thread runs it"), "{}", why(&moved));
    let lost = why(&memory().with(Addr(M0 + 8), words(&[0xdead_0000])));
    assert!(lost.contains("0xdead0040") && !lost.contains("this thread"), "{lost}");
}

/// `abi.TFlagNamed`.
const NAMED: u8 = 4;

/// A panic with that value.
fn panicking(kind: u8, flag: u8, name: &str, data: &[u8]) -> SliceMemory {
    let descriptor = TYPES + BIAS + 0x1000;
    let mut encoded = vec![0, name.len() as u8];
    encoded.extend(name.bytes());
    encoded.resize(encoded.len() + 16, 0);
    // abi.Type: TFlag, Align, FieldAlign, Kind_, Str.
    let mut abi_type = [0; 48];
    (abi_type[20], abi_type[21], abi_type[22], abi_type[23], abi_type[40]) = (flag, 8, 8, kind, 0x40);
    memory()
        .with(Addr(PANIC), words(&[0, descriptor, 0xc000_6000, 0]))
        .with(Addr(descriptor), abi_type)
        .with(Addr(TYPES + BIAS + 0x40), encoded)
        .with(Addr(0xc000_6000), data)
        .with(Addr(0xc000_7000), *b"out of cheese")
}

fn value(memory: &SliceMemory) -> Known<String> {
    check(memory, |runtime| {
        runtime.panics(Addr(PANIC), &|| FloatFormat::Shortest).remove(0).value.map(|v| v.to_string())
    })
}

#[test]
fn values_as_the_runtime_prints_them() {
    let string = words(&[0xc000_7000, 13]);
    let printed = |memory| value(&memory).into_value();
    assert_eq!(printed(panicking(24, NAMED, "string", &string)).as_deref(), Some("out of cheese"));
    assert_eq!(printed(panicking(24, NAMED, "main.Err", &string)).as_deref(), Some("main.Err(\"out of cheese\")"));
    assert_eq!(printed(panicking(2, NAMED, "int", &words(&[u64::MAX]))).as_deref(), Some("-1"));
    assert_eq!(printed(panicking(8, NAMED, "main.Code", &[200])).as_deref(), Some("main.Code(200)"));
    assert_eq!(printed(panicking(1, NAMED, "bool", &[1])).as_deref(), Some("true"));
    let float = 1.5f64.to_bits();
    assert_eq!(printed(panicking(14, NAMED, "float64", &words(&[float]))).as_deref(), Some("1.5"));
    assert_eq!(printed(panicking(14, NAMED, "main.F", &words(&[float]))).as_deref(), Some("main.F(1.5)"));
    assert_eq!(printed(panicking(16, NAMED, "main.C", &words(&[float, float]))).as_deref(), Some("main.C(1.5+1.5i)"));
    let half = 1.5f32.to_bits().to_le_bytes();
    assert_eq!(printed(panicking(15, NAMED, "complex64", &[half, half].concat())).as_deref(), Some("(1.5+1.5i)"));
    // The name of a struct type is stored as `*main.T`, with a flag that says so.
    assert_eq!(printed(panicking(25, NAMED | 2, "*main.T", &[])).as_deref(), Some("(main.T) 0xc0006000"));
    assert_eq!(printed(panicking(22, 0, "*main.T", &[])).as_deref(), Some("(*main.T) 0xc0006000"));
    assert_eq!(printed(memory().with(Addr(PANIC), words(&[0, 0, 0, 0]))).as_deref(), Some("nil"));
}

#[test]
fn values_that_cannot_be_told() {
    let lost = panicking(24, NAMED, "string", &words(&[0xdead_0000, 5]));
    assert!(matches!(value(&lost).missing(), Some(Missing::Unreadable(_))));
    // What is named as a slice is, and says that it is an integer, is no descriptor.
    let no_type = panicking(2, 0, "[]int", &[0; 8]);
    assert!(matches!(value(&no_type).missing(), Some(Missing::Unreadable(_))));
}

#[test]
fn chains_of_panics() {
    let chain = |first: [u8; 8], second: [u8; 8]| {
        let memory = memory()
            .with(Addr(PANIC), words(&[PANIC + 0x100, 0, 0]))
            .with(Addr(PANIC + 0x18), second)
            .with(Addr(PANIC + 0x100), words(&[0, 0, 0]))
            .with(Addr(PANIC + 0x118), first);
        check(&memory, |runtime| {
            runtime
                .panics(Addr(PANIC), &|| FloatFormat::Shortest)
                .iter()
                .map(|p| (p.recovered, p.repanicked))
                .collect::<Vec<_>>()
        })
    };
    // recovered, repanicked, goexit
    assert_eq!(chain([1, 0, 0, 0, 0, 0, 0, 0], [0; 8]), [(true, false), (false, false)]);
    assert_eq!(chain([1, 1, 0, 0, 0, 0, 0, 0], [0; 8]), [(true, true)]);
    assert_eq!(chain([0, 0, 1, 0, 0, 0, 0, 0], [0; 8]), [(false, false)]);
    let circle = memory().with(Addr(PANIC), words(&[PANIC, 0, 0, 0]));
    assert_eq!(check(&circle, |runtime| runtime.panics(Addr(PANIC), &|| FloatFormat::Shortest).len()), 1);
}

#[test]
fn what_was_printed_last() {
    let ring = |bytes: &[u8; 16], next: u64| {
        let memory = memory().with(Addr(BACKLOG + BIAS), bytes).with(Addr(BACKLOG + 16 + BIAS), words(&[next]));
        check(&memory, |runtime| runtime.backlog().into_value())
    };
    assert_eq!(ring(b"fatal error: x\n\0", 15).as_deref(), Some("fatal error: x\n"));
    // The ring went round: the oldest byte stands at the index.
    assert_eq!(ring(b"or: x\nfatal err\n", 6).as_deref(), Some("fatal err\nor: x\n"));
    // An index that lies is the end.
    assert_eq!(ring(b"fatal error: xy\n", u64::MAX).as_deref(), Some("fatal error: xy\n"));
    assert!(check(&memory(), |runtime| runtime.backlog()).missing().is_some());
}
