//! What was said about the death itself: headlines, the runtime's own lines, the signal, registers.

use gopsy_model::{Goroutine, Headline, PanicLine, Role, Signal, Str};
use gopsy_program::Program;

use super::compare::{Difference, Place, hex, is_quoted, prints_values_bare, quoted};

pub(super) fn compare_deaths(text: &Program, core: &Program, found: &mut Vec<Difference>) {
    let at = "the death".to_owned();
    let place = &mut Place { found, at, goroutines: None, at_rest: true };
    compare_headlines(text, core, place);
    let diagnostics = &text.crash().diagnostics;
    let mut theirs: Vec<&Str> = core.crash().diagnostics.iter().collect();
    for (index, line) in diagnostics.iter().enumerate() {
        // One line of the core bears out one of the text.
        if let Some(at) = theirs.iter().position(|other| *other == line) {
            theirs.swap_remove(at);
        } else {
            let kind = if is_overwritten(&diagnostics[index..], text) {
                "diagnostic.overwritten"
            } else if of_the_traceback(line) {
                "diagnostic.of-the-traceback"
            } else {
                "diagnostic"
            };
            place.absent(kind, quoted(line), "not said");
        }
    }
    match (&text.crash().signal, &core.crash().signal) {
        (None, _) => {}
        (Some(signal), None) => place.absent("signal", quoted(&signal.name), "none"),
        (Some(signal), Some(theirs)) => compare_signals(signal, theirs, place),
    }
    compare_crashed(text, core, place);
    compare_registers(text, core, place);
}

/// Bytes that the runtime keeps of what it printed last before it died (`printBacklog`, runtime/print.go).
const BACKLOG: usize = 512;

/// Whether what was printed behind a line took its place in the record, or part of it. Only the words of an object are counted, each with a
/// blank before it, and the fatal error: they are certainly printed, and there are many words (findObject, badPointer,
/// runtime/mbitmap.go).
fn is_overwritten(from: &[Str], text: &Program) -> bool {
    let words = from.iter().filter(|line| line.starts_with("*(object+")).map(|line| line.len() + 2);
    let fatal = text.crash().headlines.iter().filter_map(|h| match h {
        Headline::Fatal(fatal) => Some("fatal error: \n".len() + fatal.len()),
        _ => None,
    });
    words.clone().count() > 1 && words.chain(fatal).sum::<usize>() > BACKLOG
}

/// What the runtime prints while it prints stacks: nothing of that is recorded (`printpanics` and what follows it).
fn of_the_traceback(line: &str) -> bool {
    line.starts_with("runtime: ") && ["unknown pc ", "unexpected return pc for "].iter().any(|what| line.contains(what))
}

fn compare_crashed(text: &Program, core: &Program, place: &mut Place<'_>) {
    let failed = |program: &Program| program.crashed().map(|id| program.goroutine(id));
    // The stack of a thread is printed as that of goroutine 0.
    let number = |g: &Goroutine| g.id.value().copied().or((g.role == Role::System).then_some(0));
    let Some(stated) = failed(text) else { return };
    let Some(id) = number(&stated) else { return };
    let read = failed(core).as_ref().and_then(number);
    let kind = if is_quoted(&stated, core) { "crashed.quoted" } else { "crashed" };
    match read {
        Some(read) if read == id => {}
        Some(read) => place.unequal(kind, id.to_string(), read.to_string()),
        None => place.absent(kind, id.to_string(), "none"),
    }
}

fn compare_registers(text: &Program, core: &Program, place: &mut Place<'_>) {
    let theirs = &core.crash().registers;
    for (name, value) in &text.crash().registers {
        match theirs.iter().find(|(other, _)| other == name) {
            Some((_, other)) if other == value => {}
            Some((_, other)) => {
                place.unequal("register", format!("{name} {value:#x}"), format!("{name} {other:#x}"));
            }
            None => {
                place.absent("register", format!("{name} {value:#x}"), "none");
                // One stands for all of them.
                break;
            }
        }
    }
}

/// The sequence must be the same: what differs first is told.
fn compare_headlines(of_text: &Program, of_core: &Program, place: &mut Place<'_>) {
    let (text, core) = (&of_text.crash().headlines, &of_core.crash().headlines);
    let bare = prints_values_bare(of_core);
    // The core says itself how many died, and how many of them it has the words of.
    let unrecorded = of_core.crash().unrecorded > 0;
    // What the program or C printed by itself is no statement of the runtime, but it is one of the text.
    let kind = |headline: &Headline| match headline {
        Headline::Panic(_) => "headline.panic",
        Headline::Fatal(_) => "headline.fatal",
        Headline::Signal(_) => "headline.signal",
        Headline::FaultAddress(_) => "headline.fault-address",
        Headline::Exception(_) => "headline.exception",
        Headline::Race(_) => "headline.race",
        Headline::ServedPanic { .. } => "headline.served-panic",
        Headline::Native(_) => "headline.native",
        Headline::Outside(_) => "headline.outside",
    };
    let of_runtime = |h: &&Headline| {
        matches!(h, Headline::Panic(_) | Headline::Fatal(_) | Headline::Signal(_) | Headline::FaultAddress(_))
    };
    for headline in text.iter().filter(|h| !of_runtime(h)) {
        if !core.iter().any(|other| other == headline) {
            place.absent(kind(headline), words(headline), "not said");
        }
    }
    let mut theirs = core.iter().filter(of_runtime);
    for stated in text.iter().filter(of_runtime) {
        match (stated, theirs.next()) {
            (Headline::Fatal(_), None) if unrecorded && !core.is_empty() => {
                place.absent("headline.unrecorded", words(stated), "not said");
            }
            (stated, None) => {
                place.absent(kind(stated), words(stated), "not said");
                return;
            }
            (Headline::Panic(stated), Some(Headline::Panic(read))) => compare_panics(stated, read, bare, place),
            (Headline::Signal(stated), Some(Headline::Signal(read))) => compare_signals(stated, read, place),
            (Headline::Fatal(a), Some(Headline::Fatal(b))) if a == b => {}
            (Headline::FaultAddress(a), Some(Headline::FaultAddress(b))) if a == b => {}
            (stated, Some(read)) => {
                place.unequal(kind(stated), words(stated), words(read));
                if std::mem::discriminant(stated) != std::mem::discriminant(read) {
                    return;
                }
            }
        }
    }
    if let Some(more) = theirs.next() {
        place.unequal("headline.extra", "no more", words(more));
    }
}

fn words(headline: &Headline) -> String {
    match headline {
        Headline::Panic(panic) => format!("panic {:?}", panic.value),
        Headline::Fatal(text) => format!("fatal error {text:?}"),
        Headline::Signal(signal) => signal.name.to_string(),
        Headline::FaultAddress(address) => format!("fault address {address:#x}"),
        Headline::Race(_) => "a race report".to_owned(),
        Headline::ServedPanic { value, .. } => format!("a served panic {value:?}"),
        Headline::Native(text) | Headline::Outside(text) => format!("{text:?}"),
        Headline::Exception(exception) => format!("exception {:#x}", exception.code),
    }
}

fn compare_panics(text: &PanicLine, core: &PanicLine, bare: bool, place: &mut Place<'_>) {
    let rest = core.value.strip_prefix(&*text.value);
    if bare && rest.is_some_and(|rest| rest.starts_with("\n\n")) {
        place.unequal("panic.value-cut", quoted(&text.value), quoted(&core.value));
    // The reader of texts drops the blanks that end a value.
    } else if *text.value != *core.value.trim_end() {
        place.unequal("panic.value", quoted(&text.value), quoted(&core.value));
    }
    let suffix = |panic: &PanicLine| match (panic.recovered, panic.repanicked) {
        (_, true) => "[recovered, repanicked]",
        (true, false) => "[recovered]",
        (false, false) => "no suffix",
    };
    if suffix(text) != suffix(core) {
        place.unequal("panic.recovered", suffix(text), suffix(core));
    }
    if text.depth != core.depth {
        place.unequal("panic.depth", text.depth.to_string(), core.depth.to_string());
    }
}

fn compare_signals(text: &Signal, core: &Signal, place: &mut Place<'_>) {
    if text.name != core.name {
        place.unequal("signal.name", quoted(&text.name), quoted(&core.name));
    }
    place.value("signal.description", &text.description, &core.description, |text| quoted(text));
    place.value("signal.code", &text.code, &core.code, |code| format!("{code:#x}"));
    // si_code of a signal that a process sent is not positive (sigaction(2)).
    let sent = text.code.value().is_some_and(|code| *code <= 0) && core.address.value().is_none();
    let kind = if sent { "signal.address-of-sent" } else { "signal.address" };
    place.value(kind, &text.address, &core.address, hex);
    place.value("signal.pc", &text.pc, &core.pc, hex);
    place.value("signal.m", &text.m, &core.m, u64::to_string);
    if text.in_foreign_code && !core.in_foreign_code {
        place.unequal("signal.in-foreign-code", "yes", "no");
    }
    // The runtime stops where the code ends; the core goes on.
    if !core.instruction_bytes.starts_with(&text.instruction_bytes) {
        let (stated, read) = (format!("{:x?}", text.instruction_bytes), format!("{:x?}", core.instruction_bytes));
        match core.instruction_bytes.is_empty() {
            true => place.absent("signal.instruction-bytes", stated, "none"),
            false => place.unequal("signal.instruction-bytes", stated, read),
        }
    }
}
