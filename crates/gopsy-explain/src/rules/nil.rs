//! Nil pointers, nil funcs, nil maps.

use super::{draft, place};
use crate::case::Case;
use gopsy_model::{Cause, Confidence, Finding, Frame, Kind};

/// The runtime turns a fault below this address into a nil panic (sigpanic, signal_unix.go; `addr < 0x1000`).
const NIL_PAGE: u64 = 0x1000;
/// Fields of very large structs lie further away; the compiler then checks explicitly, so a fault there is rare.
const NEAR_NIL: u64 = 1 << 20;

pub(super) fn rules(case: &Case<'_>) -> Vec<Finding> {
    match case.kind {
        Kind::NilDereference => dereference(case),
        Kind::NilMapWrite => nil_map(case),
        Kind::NativeFault => null_in_c(case),
        Kind::WindowsException => near_null_exception(case),
        _ => Vec::new(),
    }
}

fn dereference(case: &Case<'_>) -> Vec<Finding> {
    let address = case.fault_address();
    let pc = case.fault_pc();
    let in_race = case.has_function(|n| n.starts_with("__tsan") || n.starts_with("runtime.racec"));
    let top = case.path().iter().find(|f| !crate::packages::is_carrier(f.function.value().map_or("", |n| n.as_str())));
    let headline = case.said();
    if let Some(signal) = case.signal().filter(|s| &*s.name == "SIGBUS") {
        // With debug.SetPanicOnFault every fault of a goroutine reads as a nil dereference.
        let mut d = draft(
            "fault-as-panic",
            "the headline says nil pointer, the signal does not: SIGBUS is a mapping without memory behind it",
        )
        .because(headline)
        .because(case.fact(format!("SIGBUS at {:#x}", signal.address.value().copied().unwrap_or(0))))
        .because(Case::known("with debug.SetPanicOnFault a fault at any address becomes this panic"));
        if signal.code.value() == Some(&2) {
            d = d.claims(Cause::MappingTruncated, Confidence::Possible);
        }
        return vec![d.advise("compare the size of the mapped file with what the program believes").done()];
    }
    if top.is_some_and(|f| f.function.value().is_some_and(|n| n.as_str() == "runtime.handleEvent")) {
        return vec![
            draft("js-without-events", "every goroutine waits, and this js/wasm program has nothing that could wake one")
                .claims(Cause::Stuck, Confidence::Likely)
                .because(headline)
                .because(case.fact("the runtime itself failed in runtime.handleEvent, and no event handler of the program stands above it"))
                .because(Case::known("the host wakes a js/wasm program through a handler that syscall/js sets (lock_js.go); a program without one cannot be woken once all its goroutines wait, and node's last wake-up, which is to report the deadlock (wasm_exec_node.js), reads as a nil pointer"))
                .advise("read what main and the others wait for: the program run natively prints them with its deadlock")
                .done(),
        ];
    }
    if in_race {
        return vec![
            draft(
                "nil-in-race-runtime",
                "the fault lies in the race detector's own code, not in a nil pointer of the program",
            )
            .because(headline)
            .because(case.fact("frames of the race runtime stand on top of the stack"))
            .done(),
        ];
    }
    if let (Some(0), Some(0)) = (address, pc) {
        // Below a call from C it may be C that jumped to 0.
        let cgo = case.has_function(|n| n == "runtime.cgocall" || n == "runtime.asmcgocall");
        let confidence = if cgo { Confidence::Possible } else { Confidence::Likely };
        return vec![
            draft("nil-func", format!("{} called a func value that was nil", case.who()))
                .claims(Cause::NilFunc, confidence)
                .because(headline)
                .because(case.fact("both the fault address and the program counter are 0: the jump went to address 0"))
                .advise("look for a func field, a callback or a handler that is called without being set")
                .done(),
        ];
    }
    if address == Some(0) && case.signal().and_then(|s| s.code.value().copied()) == Some(0x80) {
        let sentence =
            "the headline says nil pointer, the signal does not: the processor refused an address that is none";
        return vec![super::address::non_canonical(case, sentence).advise("look at unsafe and cgo").done()];
    }
    if let Some(a) = address.filter(|&a| a >= NIL_PAGE) {
        return vec![
            draft("odd-nil-address", format!("the pointer was not nil itself: the fault is at {a:#x}, too far from 0 for a field of a nil pointer"))
                .claims(Cause::NilPointer, Confidence::Possible)
                .because(headline)
                .because(case.fact(format!("fault address {a:#x}")))
                .advise("suspect an index into a nil array pointer, unsafe arithmetic, or a damaged pointer")
                .done(),
        ];
    }
    // With every real nil dereference Go prints the signal. Without it the text is cut, or the program (or a wrapper
    // that panics again with the text of an error) made the words itself.
    let panicked = matches!(case.headline, Some(gopsy_model::Headline::Panic(_)));
    let unsigned = panicked && case.signal().is_none();
    let mut d = draft("nil-dereference", sentence(case, address, top))
        .claims(Cause::NilPointer, if unsigned { Confidence::Possible } else { Confidence::Likely })
        .because(headline);
    if unsigned {
        d = d.because(case.fact("the [signal …] line that Go prints with every nil dereference is missing: the text is cut, or these are the program's own words"));
    }
    if let Some(a) = address {
        d = d.because(if a == 0 {
            case.inferred("the fault is at address 0: the pointer itself, or its first field, was read or written")
        } else {
            case.inferred(format!("the fault is at address {a:#x}: a field (or method slot) {a} bytes into what a nil pointer should point to"))
        });
    }
    if let Some(top) = top {
        if let Some(fact) = nil_argument(top) {
            d = d.because(case.fact(fact));
        }
        d = d.advise(format!(
            "open {}: every pointer, interface and map lookup that is followed on that line may be the nil one",
            place(top)
        ));
    }
    let mut out = vec![
        d.advise("a value that is nil together with an error that was not checked is the most frequent reason: look at the call that made it").done(),
    ];
    if let Some(top) = top.filter(|t| receiver_is_nil(t)) {
        out.push(
            draft("nil-receiver", format!("the method {} was called on a nil receiver", place(top)))
                .claims(Cause::TypedNilInterface, Confidence::Possible)
                .because(case.fact("its first argument, the receiver, is 0x0"))
                .advise("a nil pointer stored in an interface is not a nil interface: check where it was assigned")
                .done(),
        );
    }
    out
}

fn sentence(case: &Case<'_>, address: Option<u64>, top: Option<&Frame>) -> String {
    let place = top.map_or_else(String::new, |t| format!(" in {}", place(t)));
    match address {
        Some(a) if a > 0 => {
            format!("{} followed a nil pointer{place}: it wanted the field at offset {a:#x}", case.who())
        }
        _ => format!("{} followed a nil pointer{place}", case.who()),
    }
}

/// Arguments are what the registers' home slots hold: without the `?` they are what was passed.
fn nil_argument(frame: &Frame) -> Option<String> {
    let args = frame.args.value()?;
    let words = args.words();
    let zero: Vec<String> = words
        .iter()
        .enumerate()
        .filter_map(|(i, w)| w.filter(|(value, stale)| *value == 0 && !stale).map(|_| ordinal(i + 1)))
        .take(3)
        .collect();
    if zero.is_empty() || zero.len() == words.len() && words.len() > 2 {
        return None;
    }
    Some(format!(
        "{} argument word{} of {} {} 0x0",
        zero.join(", "),
        if zero.len() > 1 { "s" } else { "" },
        place(frame),
        if zero.len() > 1 { "are" } else { "is" }
    ))
}

fn ordinal(n: usize) -> String {
    match n {
        1 => "1st".to_owned(),
        2 => "2nd".to_owned(),
        3 => "3rd".to_owned(),
        _ => format!("{n}th"),
    }
}

fn receiver_is_nil(frame: &Frame) -> bool {
    let method = frame.function.value().is_some_and(|n| n.local().starts_with("(*"));
    let first = frame.args.value().and_then(|a| a.words().first().copied().flatten());
    method && first == Some((0, false))
}

fn nil_map(case: &Case<'_>) -> Vec<Finding> {
    let at = case.user_frame().map_or_else(String::new, |f| format!(" in {}", place(f)));
    vec![
        draft("nil-map", format!("{} assigned into a map that was never made{at}", case.who()))
            .claims(Cause::NilMap, Confidence::Likely)
            .because(case.said())
            .advise("make the map where its owner is made; a map field of a struct literal, or of decoded input, starts as nil")
            .done(),
    ]
}

/// C code that followed a null pointer: the fault address is near 0 and C was running.
fn null_in_c(case: &Case<'_>) -> Vec<Finding> {
    let Some(signal) = case.signal() else { return Vec::new() };
    // A jump to 0 needs no fault address (Go 1.21 prints none).
    let jumped = (signal.pc.value() == Some(&0)).then_some(0);
    let Some(address) = signal.address.value().copied().or(jumped) else {
        return Vec::new();
    };
    // Since Go 1.22 `addr=` of a signal that was sent is the sender's pid: only a fault has an address.
    let fault = signal.code.value().is_some_and(|c| matches!(c, 1 | 2));
    if address >= NEAR_NIL || !fault || !signal.in_foreign_code {
        return Vec::new();
    }
    let confidence = if address < NIL_PAGE { Confidence::Likely } else { Confidence::Possible };
    let called = signal.pc.value() == Some(&0);
    let sentence = if called {
        "C code called a function through a null pointer".to_owned()
    } else {
        format!("C code followed a null pointer: the fault is at {address:#x}")
    };
    vec![
        draft("null-in-c", sentence)
            .claims(Cause::NullInC, confidence)
            .because(case.fact(format!(
                "{} at {address:#x}, code {}",
                signal.name,
                signal.code.value().copied().unwrap_or(0)
            )))
            .because(case.fact("the signal arrived while C code was running"))
            .advise(case.where_c_stood())
            .done(),
    ]
}

fn near_null_exception(case: &Case<'_>) -> Vec<Finding> {
    let access = case.crash().headlines.iter().find_map(|h| match h {
        gopsy_model::Headline::Exception(e) if e.code == 0xc000_0005 => Some(e),
        _ => None,
    });
    let Some(e) = access else { return Vec::new() };
    let (Some(how), Some(address)) = (e.information.first().copied(), e.information.get(1).copied()) else {
        return Vec::new();
    };
    // 8 is an attempt to execute: a jump, not a null pointer that was read.
    if address >= NIL_PAGE || how == 8 {
        return Vec::new();
    }
    vec![
        draft("null-in-c", format!("foreign code followed a null pointer: access to {address:#x}"))
            .claims(Cause::NullInC, Confidence::Possible)
            .because(case.fact(format!(
                "access violation (0xc0000005), {} at {address:#x}",
                if how == 0 { "read" } else { "write" }
            )))
            .advise("a crash dump (Windows Error Reporting) has the frames of the DLL")
            .done(),
    ]
}
