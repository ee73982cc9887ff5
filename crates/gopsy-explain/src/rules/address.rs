//! Faults at addresses that are not near nil: what does the address itself tell?

use super::{Draft, draft};
use crate::case::Case;
use gopsy_model::{Cause, Confidence, Finding, Kind, Signal, Source};

pub(super) fn rules(case: &Case<'_>) -> Vec<Finding> {
    if !matches!(
        case.kind,
        Kind::UnexpectedFault | Kind::BusError | Kind::RuntimeFault | Kind::NativeFault | Kind::NilDereference
    ) {
        return Vec::new();
    }
    let Some(address) = case.fault_address() else { return Vec::new() };
    let mut out = Vec::new();
    if let Some(text) = ascii(address) {
        out.push(
            draft(
                "ascii-address",
                format!("the bad address {address:#x} reads as the text {text:?}: characters were taken for a pointer"),
            )
            .claims(Cause::MemoryCorruption, Confidence::Possible)
            .because(case.fact(format!("fault address {address:#x}")))
            .because(case.inferred(format!("its bytes are {text:?}")))
            .advise("look for a string or a buffer that overran what lies before the pointer")
            .done(),
        );
    }
    if let Some(what) = poison(address) {
        out.push(
            draft("poison-address", format!("the bad address {address:#x} is {what}"))
                .because(case.fact(format!("fault address {address:#x}")))
                .because(Case::known(what))
                .done(),
        );
    }
    match case.kind {
        Kind::UnexpectedFault | Kind::BusError => out.extend(fault(case, address)),
        // What is near 0 is a null pointer in C.
        Kind::NativeFault if address >= 0x1000 || is_non_canonical(case) => out.extend(fault(case, address)),
        _ => {}
    }
    out
}

/// So far below the stack pointer does a function of C touch its frame at once, at most: with `-fstack-clash-protection` a page.
const BELOW_STACK: u64 = 64 << 10;

/// C that touched its stack where that ends: the fault lies right below the stack pointer, or in what was pushed there.
fn stack_of_c(case: &Case<'_>, address: u64, code: Option<i64>) -> Option<Finding> {
    let registers = &case.crash().registers;
    let sp = registers.iter().find(|(name, _)| &**name == "rsp").map(|(_, value)| *value)?;
    let frames = case.frames.system.as_ref().map_or(case.frames.stack(), |stack| &stack.frames);
    // The innermost frame reaches down to the stack pointer.
    let own = frames.iter().find_map(|frame| Some((*frame.sp.value()?, *frame.fp.value()?)));
    let end = own.filter(|(inner, _)| *inner == sp).map_or(sp.saturating_add(8), |(_, end)| end);
    let reach = sp.checked_sub(BELOW_STACK)?..end;
    // Elsewhere on a stack memory is mapped.
    if case.kind != Kind::NativeFault || !matches!(code, Some(1 | 2)) || !reach.contains(&address) {
        return None;
    }
    let repeats = crate::recursion::cycle(frames).is_some();
    let d =
        draft("stack-of-c", format!("a thread's stack of C ended at {address:#x}: what was called there did not fit"))
            .because(case.said())
            .because(case.fact(format!(
                "the fault address {address:#x} lies in the frame that ends at the stack pointer, {sp:#x}, or right below: it cannot be used"
            )));
    let d = if repeats {
        d.claims(Cause::UnboundedRecursion, Confidence::Likely)
            .because(case.fact("the same functions repeat on that stack"))
            .advise("look for the recursion's end: what should stop it, and why it does not")
    } else {
        d.advise("look for large arrays on the stack, and for threads that were made with a small one (pthread_attr_setstacksize)")
    };
    Some(d.done())
}

/// Whether the processor refused an address and did not tell which: `SI_KERNEL` with 0, as a handler was told. Where none could run the
/// kernel says the same of any fault.
fn is_non_canonical(case: &Case<'_>) -> bool {
    let handled = matches!(case.headline, Some(gopsy_model::Headline::Signal(_)));
    handled && case.signal().is_some_and(|s| s.code.value() == Some(&0x80) && s.address.value() == Some(&0))
}

fn fault(case: &Case<'_>, address: u64) -> Vec<Finding> {
    let said = case.said();
    // The signal with which the runtime kills itself says nothing of the fault before.
    let signal = case.signal().filter(|s| matches!(&*s.name, "SIGSEGV" | "SIGBUS"));
    let code = signal.and_then(|s| s.code.value().copied());
    let bus = signal.is_some_and(|s| &*s.name == "SIGBUS");
    // Since Go 1.22 `addr=` of a signal that somebody sent is the sender's pid.
    if signal.is_some_and(Signal::was_sent) {
        return Vec::new();
    }
    if bus && signal.is_some_and(|s| s.pc.value() == Some(&address)) {
        return vec![
            draft("code-not-there", format!("the code at {address:#x} itself could not be read: the page of the program (or library) behind it is gone"))
                .because(said)
                .because(case.fact("SIGBUS, and the fault address is the program counter"))
                .advise("was the binary overwritten or truncated while it ran, or did its disk (or network file system) fail? The kernel's log tells")
                .done(),
        ];
    }
    if signal.is_some_and(|s| s.pc.value() == Some(&address)) && address != 0 {
        return vec![
            draft(
                "jump-to-data",
                format!(
                    "the program jumped to {address:#x}, which is no code: the program counter is the fault address"
                ),
            )
            .claims(Cause::MemoryCorruption, Confidence::Possible)
            .because(said)
            .because(case.fact("fault address and program counter are the same"))
            .advise(
                "a func value, a method table or a return address was overwritten: look at unsafe, cgo and assembly",
            )
            .done(),
        ];
    }
    if bus {
        // BUS_ADRERR (2): an address without memory behind it; 1 is a misaligned address, 4 and 5 are hardware errors.
        let heap = is_go_heap(address);
        if code == Some(2) && !heap {
            let user = case.user_frame().map_or_else(String::new, |f| format!(" in {}", super::place(f)));
            return vec![
                draft("mapping-truncated", format!("a mapped file ends before {address:#x}: it became shorter than its mapping{user}"))
                    // A full tmpfs or disk behind a sparse file, and an input/output error, have the same face.
                    .claims(Cause::MappingTruncated, Confidence::Possible)
                    .because(said)
                    .because(case.fact(format!("SIGBUS, code 2 (BUS_ADRERR) at {address:#x}: the mapping exists, the page behind it does not")))
                    .because(case.inferred("the address is not in Go's heap: it belongs to a mapping of a file or of shared memory"))
                    .advise("compare the file's size with what the program believes: a truncated, rolled back or half-copied file; a full tmpfs looks the same")
                    .done(),
            ];
        }
        return Vec::new();
    }
    if code == Some(0x80) && address == 0 {
        let sentence =
            "the processor refused an address that is none (not 0: the fault address is not reported for those)";
        return vec![
            non_canonical(case, sentence)
                .advise("look for other crashes of this program: many faces of one death speak for damaged memory")
                .done(),
        ];
    }
    if let Some(finding) = stack_of_c(case, address, code) {
        return vec![finding];
    }
    if (0x1000..1 << 20).contains(&address) {
        return vec![
            draft(
                "far-nil-field",
                format!(
                    "the fault at {address:#x} may still be a nil pointer: a field, or an element, far behind its start"
                ),
            )
            .claims(Cause::NilPointer, Confidence::Possible)
            .because(said)
            .because(case.fact(format!("fault address {address:#x}")))
            .done(),
        ];
    }
    // SEGV_MAPERR and SEGV_ACCERR (`include/uapi/asm-generic/siginfo.h`).
    let (what, code) = match code {
        Some(1) => ("nothing is mapped", "1 (SEGV_MAPERR)".to_owned()),
        Some(2) => (
            "memory is mapped whose protection refuses that: it may not be written, or not be used at all",
            "2 (SEGV_ACCERR)".to_owned(),
        ),
        Some(other) => ("nothing is mapped (or not for this use)", other.to_string()),
        None => ("nothing is mapped (or not for this use)", "not known".to_owned()),
    };
    vec![
        draft("wild-pointer", format!("a pointer to {address:#x} was followed, where {what}"))
            .because(said)
            .because(case.fact(format!("fault address {address:#x}, code {code}")))
            .advise("look for unsafe.Pointer, mmap and cgo around the culprit: memory that was unmapped, freed, or never the program's")
            .done(),
    ]
}

/// A fault with code 0x80 at address 0: the processor does not tell which address it refused.
pub(super) fn non_canonical(case: &Case<'_>, sentence: &str) -> Draft {
    let register = match case.program.source() {
        Source::Core => {
            "a pointer that reads as text or as two small numbers tells the writer: look at what the faulting instruction went through"
        }
        _ => {
            "the register that held the pointer is in a core; a pointer that reads as text or as two small numbers tells the writer"
        }
    };
    draft("non-canonical", sentence)
        .claims(Cause::MemoryCorruption, Confidence::Possible)
        .because(case.said())
        .because(Case::known(
            "code 0x80 (SI_KERNEL) with address 0 is a non-canonical address: a pointer was overwritten with something else",
        ))
        .advise(register)
}

/// Go's heap up to 1.25 grows from 0xc000000000 (0x4000000000 on arm64) or, where that is taken, from 0x1c000000000,
/// 0x2c000000000 and so on (mallocinit, malloc.go); since 1.26 its place is random.
fn is_go_heap(address: u64) -> bool {
    let within = address & 0xff_ffff_ffff;
    address >> 40 < 0x10
        && ((0xc0_0000_0000..=0xff_ffff_ffff).contains(&within) || (0x40_0000_0000..0x60_0000_0000).contains(&within))
}

/// Eight (or at least five) printable characters.
fn ascii(address: u64) -> Option<String> {
    let bytes: Vec<u8> = address.to_le_bytes().into_iter().collect();
    let used = bytes.iter().rposition(|b| *b != 0)? + 1;
    let text = bytes.get(..used)?;
    // The top byte of an address in user space is 0 on all systems: six and seven letters are rarely chance.
    let letters = text.iter().filter(|b| b.is_ascii_alphanumeric() || **b == b' ').count();
    (used >= 6 && text.iter().all(|b| b.is_ascii_graphic() || *b == b' ') && letters * 4 >= used * 3)
        .then(|| String::from_utf8_lossy(text).into_owned())
}

/// Values that allocators, kernels and debuggers write on purpose.
fn poison(address: u64) -> Option<&'static str> {
    let low = address as u32;
    Some(match address {
        0x0b01_dfac_edeb_ac1e => {
            "the value that macOS leaves where a system library must not be called (golang/go#45702)"
        }
        0xdead_beef_dead_beef | 0xdead_beef => "0xdeadbeef: memory that was poisoned on purpose",
        0xcccc_cccc_cccc_cccc => "0xcc: uninitialised memory of a debug build",
        0xcdcd_cdcd_cdcd_cdcd => "0xcd: uninitialised heap memory of a debug build",
        0xdddd_dddd_dddd_dddd => "0xdd: freed heap memory of a debug build",
        0x5a5a_5a5a_5a5a_5a5a => "0x5a: freed memory of jemalloc or FreeBSD's allocator",
        0x6b6b_6b6b_6b6b_6b6b => "0x6b: freed memory of the kernel's allocator",
        _ if low == 0xfeee_feee => "0xfeeefeee: freed memory of a Windows heap",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heaps() {
        for heap in [0xc0_0001_2000, 0xec_c6a0_2000, 0x140_0018_0008, 0x1c0_0000_1000, 0x40_0013_6000] {
            assert!(is_go_heap(heap), "{heap:#x}");
        }
        for other in [0x7fb9_3c71_d000, 0x55d0_0000_1000, 0x46_d405, 0x1_0000] {
            assert!(!is_go_heap(other), "{other:#x}");
        }
    }

    #[test]
    fn addresses_that_speak() {
        assert_eq!(ascii(u64::from_le_bytes(*b"password")).as_deref(), Some("password"));
        assert_eq!(ascii(0xc0_0001_2345), None);
        assert_eq!(ascii(0x7f31_a61d_b000), None);
        assert!(poison(0x0b01_dfac_edeb_ac1e).is_some());
    }
}
