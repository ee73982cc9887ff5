//! The core tier: a real core of Go 1.27.3 with its binary, compared with what the runtime itself printed in the same run.
//!
//! The recorded specimen (`tests/core/`) needs no Go. The second half makes the specimen anew with the real toolchain; it
//! is skipped, with a message, where there is none, and a skip is a failure when `GOPSY_REQUIRE` names `zoo`.

#![allow(missing_docs, clippy::unwrap_used)]

mod printed;

use gopsy_model::{Frame, Headline, Known, Role, Source, Status, Trust};
use gopsy_program::{CoreError, CoreEvidence, CoreOptions, Evidence, Program};
use gopsy_testing::{Toolchain, core_pattern_problem, recorded, skip};
use printed::Printed;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NIL: &str = "runtime error: invalid memory address or nil pointer dereference";

fn specimen() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/core")
}

/// The recorded core and binary in a folder of their own, with the runtime's text.
fn unpack() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("core"), recorded("core")).unwrap();
    std::fs::write(dir.path().join("nilfield"), recorded("nilfield")).unwrap();
    (dir, std::fs::read_to_string(specimen().join("nilfield.stderr")).unwrap())
}

fn open(dir: &Path) -> Program {
    Program::new(CoreEvidence::open(&dir.join("core"), Some(&dir.join("nilfield"))).unwrap())
}

/// Everything that both the runtime's text and the core say must agree.
fn compare(program: &Program, text: &str) {
    let printed = printed::parse(text);
    assert!(printed.len() >= 3, "the text is not what was expected:\n{text}");
    // The runtime prints the crashing goroutine first, the others in the order of allgs.
    let crashed = program.crashed().unwrap();
    let goroutines = program.stacks().filter(|id| program.goroutine(*id).role == Role::Goroutine);
    let order = std::iter::once(crashed).chain(goroutines.filter(|id| *id != crashed)).collect::<Vec<_>>();
    let found: Vec<Printed> = order.iter().map(|id| printed::from_program(program, *id)).collect();
    for (printed, found) in printed.iter().zip(&found) {
        assert_eq!(printed, found, "goroutine {:?}", printed.id);
    }
    assert_eq!(printed.len(), found.len());
}

#[test]
fn the_crashing_goroutine_is_as_the_runtime_printed_it() {
    let (dir, text) = unpack();
    let program = open(dir.path());
    assert_eq!(program.source(), Source::Core);
    let crashed = program.crashed().unwrap();
    assert_eq!(program.goroutine(crashed).id, Known::have(1, Trust::DebugInfo, Source::Core));
    let printed = printed::parse(&text).into_iter().next().unwrap();
    let found = printed::from_program(&program, crashed);
    assert_eq!(printed.frames, found.frames);
    // From the source, not from either text: the inlined call and the two around it.
    let stack = program.stack(crashed);
    let names: Vec<_> = stack.frames.iter().filter_map(|f| f.function.value()).map(|f| f.as_str()).collect();
    assert_eq!(
        names[..6],
        ["panic", "runtime.panicmem", "runtime.sigpanic", "main.(*ledger).lookup", "main.report", "main.main"]
    );
    assert!(stack.frames[3].inlined && !stack.frames[4].inlined);
    assert_eq!((&stack.unavailable, stack.elided.len()), (&None, 0));
    for frame in &stack.frames {
        assert_eq!((frame.function.trust(), frame.line.trust()), (Some(Trust::Table), Some(Trust::Table)));
        assert!(matches!(frame.function, Known::Have { source: Source::Binary, .. }));
        assert!(frame.inlined || matches!(frame.pc, Known::Have { source: Source::Core, .. }));
    }
}

#[test]
fn all_goroutines_are_as_the_runtime_printed_them() {
    let (dir, text) = unpack();
    compare(&open(dir.path()), &text);
}

#[test]
fn the_death_in_the_words_of_the_text() {
    let (dir, text) = unpack();
    let program = open(dir.path());
    let crash = program.crash();
    let [Headline::Panic(panic)] = crash.headlines.as_slice() else { panic!("{:?}", crash.headlines) };
    assert_eq!((panic.value.as_ref(), panic.recovered, panic.repanicked, panic.depth), (NIL, false, false, 0));
    let signal = crash.signal.as_ref().unwrap();
    let said = format!(
        "[signal {}: {} code={:#x} addr={:#x} pc={:#x}]",
        signal.name,
        signal.description.value().unwrap(),
        signal.code.value().unwrap(),
        signal.address.value().unwrap(),
        signal.pc.value().unwrap()
    );
    assert!(text.contains(&said), "{said}");
    // The offset of account.balance: a string of 16 bytes and four ints stand before it.
    assert_eq!(signal.address.value(), Some(&48));
    assert_eq!((crash.stacks.clone(), crash.stated_kind), (0..program.stacks().end, None));
    let identity = program.identity();
    assert_eq!(identity.go_version.value().map(AsRef::as_ref), Some("go1.27.3"));
    assert_eq!(identity.module.value().map(AsRef::as_ref), Some("example.com/nilfield"));
    assert_eq!(identity.arch.value().map(AsRef::as_ref), Some("amd64"));
    assert!(identity.pid.value().is_some());
}

#[test]
fn the_binary_beside_the_core_is_found() {
    let (dir, _) = unpack();
    // What lies at the recorded path here and now is taken only if it is that build.
    let evidence = CoreEvidence::open(&dir.path().join("core"), None).unwrap();
    assert!(evidence.crash().crashed.is_some());
}

#[test]
fn a_binary_of_another_build_is_refused() {
    let (dir, _) = unpack();
    let path = dir.path().join("nilfield");
    let mut other = std::fs::read(&path).unwrap();
    let note = other.windows(4).position(|w| w == b"GNU\0").unwrap();
    other[note + 4] ^= 1;
    std::fs::write(&path, other).unwrap();
    // The GNU id is not in the first page's PT_NOTE, but it is in the page: the core holds it.
    let error = CoreEvidence::open(&dir.path().join("core"), Some(&path)).err().unwrap();
    assert!(matches!(error, CoreError::OtherBuild { .. }), "{error}");
}

#[test]
fn files_that_are_no_core_are_told_apart() {
    let (dir, _) = unpack();
    let binary = dir.path().join("nilfield");
    assert!(CoreEvidence::open(&binary, Some(&binary)).is_err());
    assert!(CoreEvidence::open(&dir.path().join("none"), None).is_err());
    let script = specimen().join("record.sh");
    assert!(CoreEvidence::open(&script, None).is_err());
    assert!(CoreEvidence::open(&dir.path().join("core"), Some(&script)).is_err());
}

/// Asks a program everything.
fn exercise(core: Vec<u8>, binary: Vec<u8>) {
    let Some(evidence) = joined(core, binary) else { return };
    let program = Program::new(evidence);
    let _ = (program.identity(), program.notes());
    for id in program.stacks() {
        let _ = (program.goroutine(id), program.stack(id));
    }
}

#[test]
fn a_core_that_was_cut_off_is_survived() {
    let (core, binary) = (recorded("core"), recorded("nilfield"));
    for sixteenth in 0..16 {
        exercise(core[..core.len() * sixteenth / 16].to_vec(), binary.clone());
    }
    for len in [0, 63, 64, 0x700, 0x800, 0x5000, 0x6000] {
        exercise(core[..len].to_vec(), binary.clone());
    }
}

/// The recorded core with as much of each stretch of memory or notes as `kept` says, by the type of its program header and its
/// addresses.
fn with(kept: &dyn Fn(u32, std::ops::Range<u64>) -> u64) -> Program {
    let (mut core, binary) = (recorded("core"), recorded("nilfield"));
    let word = |core: &[u8], at: usize| u64::from_le_bytes(core[at..at + 8].try_into().unwrap());
    let (at, count) = (word(&core, 32) as usize, word(&core, 56) & 0xffff);
    for header in (0..count as usize).map(|index| at + index * 56) {
        let (kind, start, len) = (word(&core, header) as u32, word(&core, header + 16), word(&core, header + 32));
        let len = kept(kind, start..start + len).min(len);
        core[header + 32..header + 40].copy_from_slice(&len.to_le_bytes());
    }
    Program::new(joined(core, binary).unwrap())
}

fn joined(core: Vec<u8>, binary: Vec<u8>) -> Option<CoreEvidence> {
    let core = gopsy_target::Core::parse(Arc::new(core)).ok()?;
    let image = gopsy_image::Image::parse(Arc::new(binary)).ok()?;
    CoreEvidence::join(core, Arc::new(image), Path::new("nilfield"), &CoreOptions::default()).ok()
}

/// Where the registers of the threads are lost nobody knows where the goroutine stood that ran, nor what ended the process.
/// What its g says of the last time that it left off is long past.
#[test]
fn without_registers_a_goroutine_that_ran_stands_nowhere() {
    let program = with(&|kind, _| if kind == 4 { 0 } else { u64::MAX });
    assert!(program.crash().unread || !program.crash().headlines.is_empty());
    let ran = program.stacks().find(|id| program.goroutine(*id).status.value() == Some(&Status::Running)).unwrap();
    let stack = program.stack(ran);
    assert!(stack.frames.is_empty() && stack.unavailable.is_some(), "{stack:?}");
    let waits = program.stacks().filter(|id| program.goroutine(*id).status.value() == Some(&Status::Waiting));
    assert!(waits.map(|id| program.stack(id)).all(|stack| !stack.frames.is_empty()));
}

/// All stacks of a core: pcs and functions.
fn stacks_of(core: Vec<u8>) -> (CoreEvidence, Vec<Vec<(u64, String)>>) {
    let evidence = joined(core, recorded("nilfield")).unwrap();
    let frame = |f: &Frame| (f.pc.value().copied().unwrap_or_default(), format!("{:?}", f.function.value()));
    let stacks = (0..evidence.stack_count()).map(|id| evidence.stack(id).frames.iter().map(frame).collect()).collect();
    (evidence, stacks)
}

/// A thread lets signals in before it tells the runtime its number (`minit` in `runtime/os_linux.go`), and may be made to print
/// itself then. Which it is tells the stack on which it stands.
#[test]
fn threads_without_numbers_are_known_by_their_stacks() {
    let core = recorded("core");
    let (evidence, whole) = stacks_of(core.clone());
    let word = |at: usize| u64::from_le_bytes(core[at..at + 8].try_into().unwrap());
    let (at, count) = (word(32) as usize, word(56) & 0xffff);
    let headers: Vec<usize> = (0..count as usize).map(|index| at + index * 56).collect();
    let in_file = |address: u64| {
        let holds =
            |header: &&usize| (word(**header + 16)..word(**header + 16) + word(**header + 32)).contains(&address);
        let header = headers.iter().filter(|header| word(**header) as u32 == 1).find(holds).unwrap();
        (address - word(header + 16) + word(header + 8)) as usize
    };
    let threads = evidence.runtime().threads().unwrap().list;
    let numbers: Vec<usize> = threads
        .iter()
        .map(|m| {
            let (begin, number) = (in_file(m.address.0), *m.tid.value().unwrap());
            (begin..begin + 0x100).step_by(8).find(|at| word(*at) == number).unwrap()
        })
        .collect();
    assert!(numbers.len() >= 3, "{}", numbers.len());
    assert!(evidence.stack_count() > evidence.goroutines().len() + 1, "threads on their system stacks");
    // Each pair of them.
    for (a, b) in (0..numbers.len()).flat_map(|a| (0..a).map(move |b| (a, b))) {
        let mut changed = core.clone();
        for number in [numbers[a], numbers[b]] {
            changed[number..number + 8].fill(0);
        }
        assert_eq!(stacks_of(changed).1, whole, "{a} {b}");
    }
}

#[test]
fn damaged_bytes_are_survived() {
    // Most of a Go core is reserved and empty memory: only pages that hold something are changed.
    let (core, binary) = (recorded("core"), recorded("nilfield"));
    let pages: Vec<usize> =
        (0..core.len() / 4096).filter(|p| core[p * 4096..][..4096].iter().any(|b| *b != 0)).collect();
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 33) as usize % below
    };
    for round in 0..32 {
        let (mut core, mut binary) = (core.clone(), binary.clone());
        for _ in 0..=random(256) {
            let value = random(256) as u8;
            if round % 2 == 0 {
                core[pages[random(pages.len())] * 4096 + random(4096)] = value;
            } else {
                let place = random(binary.len());
                binary[place] = value;
            }
        }
        exercise(core, binary);
    }
}

/// The tier that needs Go.
#[test]
fn made_anew_with_the_real_toolchain() {
    match make() {
        Ok((dir, text)) => {
            let program = open(dir.path());
            compare(&program, &text);
            let waits = |id| program.goroutine(id).status.value() == Some(&Status::Waiting);
            assert!(program.stacks().filter(|id| waits(*id)).count() >= 2);
        }
        Err(why) => skip("zoo", &why),
    }
}

/// Builds the specimen and lets it die. `Err` says what this machine lacks.
fn make() -> Result<(tempfile::TempDir, String), String> {
    if let Some(problem) = core_pattern_problem() {
        return Err(problem);
    }
    let go = Toolchain::exactly("go1.27.3")?;
    let dir = tempfile::tempdir().unwrap();
    for file in ["main.go", "go.mod"] {
        std::fs::copy(specimen().join(file), dir.path().join(file)).unwrap();
    }
    gopsy_testing::run(go.build(dir.path(), Path::new("nilfield"), &[], false).arg("."))?;
    let died = gopsy_testing::dies(dir.path(), "./nilfield", &[])?;
    std::fs::rename(died.core, dir.path().join("core")).unwrap();
    Ok((dir, String::from_utf8(died.stderr).unwrap()))
}
