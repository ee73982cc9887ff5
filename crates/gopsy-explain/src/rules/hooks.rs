//! Tools that rewrote the program: return addresses replaced by a trampoline's, race hooks on system stacks.

use super::{draft, place};
use crate::case::{Case, names};
use crate::packages::{in_runtime, is_carrier};
use gopsy_model::{Cause, Confidence, Finding, Frame, FunctionName, StackDump, StackWord, is_uprobe_page};

pub(super) fn rules(case: &Case<'_>) -> Vec<Finding> {
    let mut out = hijacked(case);
    out.extend(race_hook(case));
    out
}

/// A uretprobe writes the trampoline's address over the return address; Go moves stacks, and the kernel's record of
/// the original no longer fits. The proof is the trampoline's address in a return-address slot; that the page is
/// mapped proves only that some uprobe was once there.
fn hijacked(case: &Case<'_>) -> Vec<Finding> {
    let crash = case.crash();
    let said_by_runtime = crash.diagnostics.iter().find(|l| {
        l.contains("unexpected return pc")
            && l.rsplit("called from 0x")
                .next()
                .and_then(|h| u64::from_str_radix(h.trim(), 16).ok())
                .is_some_and(is_uprobe_page)
    });
    let slot = crash.dumps.iter().find_map(|d| return_slot(d).map(|w| (d, w)));
    let pc = case.fault_pc().filter(|pc| is_uprobe_page(*pc));
    if said_by_runtime.is_none() && slot.is_none() && pc.is_none() {
        return Vec::new();
    }
    let mut d = draft(
        "return-address-hijacked",
        "a return address on a Go stack was replaced by the address of the kernel's uprobe trampoline: somebody attached a uretprobe, and Go moved the stack",
    );
    let mut certain = false;
    if let Some(line) = said_by_runtime {
        certain = true;
        d = d.because(case.fact(line.to_string()));
        if let Some(function) = line.split(" for ").nth(1).and_then(|r| r.split(" called from").next()) {
            d = d.because(case.inferred(format!("the replaced return address belongs to a call of {function}")));
        }
    }
    if let Some((dump, word)) = slot {
        certain = true;
        d =
            d.because(case.fact(format!(
                "the stack holds {:#x} at {:#x}, where a return address belongs",
                word.value, word.address
            )));
        if let Some(name) = nearest_symbol(dump, word) {
            d = d.because(case.inferred(format!("the calls that stood around it: {name}")));
        }
    }
    if let Some(pc) = pc {
        d =
            d.because(case.fact(format!(
                "the program counter {pc:#x} lies in that page: the function returned into the trampoline"
            )));
    }
    let confidence = if certain { Confidence::Certain } else { Confidence::Likely };
    vec![
        d.claims(Cause::ReturnAddressHijacked, confidence)
            .because(Case::known("Go copies goroutine stacks when they grow; a uretprobe's saved address does not move with them (golang/go#22008, iovisor/bcc#1320)"))
            .advise("detach the tool: bpftrace uretprobe:…, bcc's funclatency, perf probe …%return, or a tracer built on them")
            .advise("to time Go functions put uprobes on the entry and on every RET instead of a uretprobe")
            .done(),
    ]
}

/// A word in the trampoline's page that stands where a return address belongs: right below the frame's stack pointer
/// (the callee has just popped it), or behind a saved frame pointer (a word that points further up the same stack).
fn return_slot(dump: &StackDump) -> Option<&StackWord> {
    dump.words.iter().enumerate().find_map(|(i, w)| {
        if !is_uprobe_page(w.value) {
            return None;
        }
        let popped = dump.sp == w.address.checked_add(8);
        let behind_frame_pointer = i.checked_sub(1).and_then(|j| dump.words.get(j)).is_some_and(|below| {
            below.value > w.address && dump.bounds.is_none_or(|(low, high)| (low..high).contains(&below.value))
        });
        (popped || behind_frame_pointer || w.mark == Some('!')).then_some(w)
    })
}

fn nearest_symbol(dump: &StackDump, word: &StackWord) -> Option<String> {
    let symbol = |w: &StackWord| w.symbol.as_ref().map(|s| s.split('+').next().unwrap_or(s).to_owned());
    let below = dump.words.iter().filter(|w| w.address < word.address).filter_map(symbol).next_back();
    let above = dump.words.iter().filter(|w| w.address > word.address).find_map(symbol);
    match (below, above) {
        (Some(b), Some(a)) => Some(format!("{b} below it, {a} above it")),
        (Some(b), None) => Some(format!("{b} below it")),
        (None, Some(a)) => Some(format!("{a} above it")),
        (None, None) => None,
    }
}

/// Whether a function is the race detector's, or one by which Go calls it.
fn is_of_detector(name: &str) -> bool {
    name.starts_with("__tsan_") || name.starts_with("runtime.race") || (name.starts_with("race") && !name.contains('.'))
}

/// Whether a function of Go is compiled with race hooks: those of package runtime are not.
fn is_instrumented(frame: &Frame) -> bool {
    let Some(name) = frame.function.value().filter(|name| !frame.foreign && !is_of_detector(name.as_str())) else {
        return false;
    };
    let file = frame.file.value().map(|file| file.replace('\\', "/"));
    name.package().is_some_and(|package| !in_runtime(package, file.as_deref()))
}

/// A race-detector hook on top, a switch to the system stack below, and between them a function that does not
/// belong to package runtime: on g0 racectx is 0, and tsan follows it.
fn race_hook(case: &Case<'_>) -> Vec<Finding> {
    let stacks = [Some(case.frames.stack()), case.frames.system.as_ref().map(|s| s.frames.as_slice())];
    for frames in stacks.into_iter().flatten() {
        // Up to Go 1.20 the signal is a throw.
        let carried = |frame: &&Frame| frame.function.value().is_some_and(|name| is_carrier(name.as_str()));
        let thrown = frames.iter().take_while(carried).count();
        let frames = frames.get(thrown..).unwrap_or(&[]);
        let all: Vec<&str> = names(frames).collect();
        // Further in than the hook stands what the detector calls in turn.
        let innermost = frames.iter().find(|frame| !frame.foreign).and_then(|frame| frame.function.value());
        let mut tsan = [all.first().copied(), innermost.map(FunctionName::as_str)].into_iter().flatten();
        let Some(switch) =
            all.iter().position(|n| *n == "runtime.systemstack" || *n == "runtime.mcall" || *n == "runtime.mstart")
        else {
            continue;
        };
        if !tsan.any(is_of_detector) {
            continue;
        }
        let injected = frames.iter().take(switch).find(|f| is_instrumented(f));
        let Some(injected) = injected else { continue };
        // Timers legitimately run instrumented code on g0, with the P's race context swapped in.
        if all.iter().take(switch).any(|n| {
            n.contains("runTimer") || n.contains("runtimer") || n.contains("(*timer)") || n.contains("(*timers)")
        }) {
            continue;
        }
        let caller = frames.iter().take(switch).skip_while(|f| !std::ptr::eq(*f, injected)).nth(1);
        // Where C has no tables a search has found the detector's callers.
        let searched = frames.iter().take(switch).any(Frame::is_scanned);
        let seen = |fact: String| if searched { case.inferred(fact) } else { case.fact(fact) };
        let mut d = draft("race-hook-on-system-stack", format!("code compiled with race hooks ran on a system stack: {} calls the race detector, and there is no race context on g0", place(injected)))
            .claims(Cause::RaceHookOnSystemStack, Confidence::Likely)
            .because(seen(format!("the innermost frames are the race detector's: {}", all.iter().take(2).copied().collect::<Vec<_>>().join(" ← "))))
            .because(seen(format!("{} is not in package runtime, so a -race build instruments it", place(injected))))
            .because(seen(format!("further out the stack shows {}: this is a system stack", all.get(switch).copied().unwrap_or("runtime.systemstack"))))
            .because(Case::known("racefuncenter hands g.racectx to tsan; on g0 it is 0 after start-up"));
        if let Some(caller) = caller {
            d = d.because(seen(format!("it was called from {}", place(caller))));
        }
        return vec![
            d.blames(Some(crate::culprit::culprit(injected, case.goroutine_id(), Some("the instrumented function on the system stack".to_owned()))))
                .advise("do not call instrumented code from inside the runtime: a tool that patches runtime functions must use only code of package runtime")
                .advise("//go:norace on that function is not enough when it calls others, uses atomics or maps")
                .done(),
        ];
    }
    Vec::new()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use gopsy_model::{Cause, Verdict};
    use gopsy_program::TextEvidence;

    /// The verdict on a backtrace of gdb's, by functions and files.
    fn verdict(frames: &[(&str, &str)]) -> Verdict {
        let text: String = frames
            .iter()
            .enumerate()
            .map(|(number, (function, file))| {
                let at = if file.is_empty() { String::new() } else { format!(" at {file}:7") };
                format!("#{number}  0x000000000041e1c0 in {function} (){at}\n")
            })
            .collect();
        let programs = TextEvidence::programs(gopsy_text::read_bytes(text.as_bytes(), &gopsy_text::Options::default()));
        crate::explain(programs.first().unwrap())
    }

    const DETECTOR: [(&str, &str); 3] = [("__tsan_func_enter", ""), ("racecall", ""), ("racefuncenter", "")];
    const CREATION: [(&str, &str); 2] =
        [("runtime.newproc1", "/go/src/runtime/proc.go"), ("runtime.systemstack", "/go/src/runtime/asm_amd64.s")];

    #[test]
    fn instrumented_code_is_known_by_its_file_or_else_its_name() {
        for (function, file) in [
            ("example.com/sdk.(*Context).TakeSnapShot", ""),
            // `race` is in its name.
            ("tracer.Hook", ""),
            ("tracer.Hook", "/src/tracer/hook.go"),
            // By a name of the runtime's.
            ("runtime.contextPropagate", "/src/sdk/trace/context.go"),
            ("runtime.contextPropagate", "go.opentelemetry.io/otel/sdk@v1.0.0/trace/context.go"),
        ] {
            let verdict = verdict(&[&DETECTOR[..], &[(function, file)], &CREATION].concat());
            assert_eq!(verdict.cause, Cause::RaceHookOnSystemStack, "{function} {file}");
            assert_eq!(&*verdict.culprit.unwrap().function, function);
        }
    }

    #[test]
    fn the_runtime_itself_calls_the_detector_there() {
        for (function, file) in [
            ("runtime.racegostart", "/go/src/runtime/race.go"),
            ("runtime.goexit0", "/go/src/runtime/proc.go"),
            ("runtime.goexit0", ""),
            // The runtime's, by names of other packages.
            ("time.Sleep", "/go/src/runtime/time.go"),
            ("sync.runtime_Semacquire", "runtime/sema.go"),
            ("runtime.goexit0", "/snap/go/10/src/runtime/proc.go"),
        ] {
            let verdict = verdict(&[&DETECTOR[..], &[(function, file)], &CREATION].concat());
            assert_eq!(verdict.cause, Cause::Unknown, "{function} {file}");
        }
        // `racecall` is in its name.
        let named = [("main.tracecall", "/src/main.go"), ("main.f", "/src/main.go")];
        assert_ne!(verdict(&[&named[..], &CREATION].concat()).cause, Cause::RaceHookOnSystemStack);
        // On a goroutine's stack it is where it belongs.
        let goroutine = [("main.work", "/src/main.go"), ("runtime.goexit", "/go/src/runtime/asm_amd64.s")];
        assert_ne!(verdict(&[&DETECTOR[..], &goroutine].concat()).cause, Cause::RaceHookOnSystemStack);
    }
}
