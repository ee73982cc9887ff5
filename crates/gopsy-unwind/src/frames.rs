//! The model's frames.

use crate::{Code, Foreign, Found, Pc, RawFrame, Walk, printed_name};
use gopsy_image::{Func, SourceFrame};
use gopsy_mem::{Addr, Bias};
use gopsy_model::{Creation, Elision, Frame, FunctionName, Known, Missing, Source, Stack, Trust};
use std::rc::Rc;

/// The frames of a walk from the `skip`-th on, each with those inlined into it.
///
/// Names, files and lines come from the binary's tables; pc, sp and fp from the memory, where those tables say that they
/// stand: `memory` is its source.
#[must_use]
pub fn frames(walk: &Walk, skip: usize, code: &Code<'_>, memory: Source) -> Stack {
    frames_with(walk, skip, code, &Foreign::new(), memory)
}

/// As [`frames`], with the names of code that is not Go's.
#[must_use]
pub fn frames_with(walk: &Walk, skip: usize, code: &Code<'_>, foreign: &Foreign, memory: Source) -> Stack {
    let mut stack = Stack::default();
    for (number, raw) in (1u64..).zip(&walk.frames).skip(skip) {
        if raw.found == Found::OnlyCall {
            let name = stack.frames.last().and_then(|f| f.function.value()).map_or("a function", |name| name.as_str());
            let caller =
                "the caller is inferred: its frame pointer leads to a frame from which only this call can have come";
            stack.remarks.push(format!("a uretprobe replaced the return address of {name}; {caller}").into());
        }
        add(&mut stack.frames, raw, code, foreign, memory);
        for lost in walk.lost.iter().filter(|lost| lost.after == number) {
            let count = Known::Missing(Missing::Unreadable(lost.why.as_str().into()));
            stack.elided.push(Elision::of(stack.frames.len(), count));
        }
    }
    if walk.skipped > 0 {
        stack.elided.push(skipped(walk, stack.frames.len(), code, foreign, memory));
    }
    for raw in walk.outer.iter().skip(skip.saturating_sub(walk.frames.len())) {
        add(&mut stack.frames, raw, code, foreign, memory);
    }
    match &walk.end {
        crate::End::Outermost | crate::End::Stopped => {}
        crate::End::Broken(why) => stack.unavailable = Some(why.as_str().into()),
        crate::End::Limit => {
            let beyond = Known::Missing(Missing::NotSupported("frames beyond the bound".into()));
            stack.elided.push(Elision::of(stack.frames.len(), beyond));
        }
    }
    stack
}

/// Functions that are named of those that were walked and not kept.
const NAMED: usize = 16;

/// What was walked and not kept of a very deep stack: how many frames, those inlined counted, and whose.
fn skipped(walk: &Walk, after: usize, code: &Code<'_>, foreign: &Foreign, memory: Source) -> Elision {
    let (mut count, mut activations, mut trust) = (0u64, 0u64, Trust::Table);
    let mut functions: Vec<(FunctionName, u64)> = Vec::new();
    for (raw, times) in walk.unkept() {
        let mut frames = Vec::new();
        add(&mut frames, raw, code, foreign, memory);
        trust = trust.max(raw.found.trust());
        activations = activations.saturating_add(times);
        count = count.saturating_add(times.saturating_mul(u64::try_from(frames.len()).unwrap_or(1)));
        for name in frames.into_iter().filter_map(|frame| frame.function.into_value()) {
            match functions.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = known.saturating_add(times),
                None => functions.push((name, times)),
            }
        }
    }
    functions.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    functions.truncate(NAMED);
    let count = if activations == walk.skipped {
        Known::have(count, trust, memory)
    } else {
        // Each of the others may have had some inlined.
        let why = format!("{} activations, inlined ones not counted", walk.skipped);
        Known::Missing(Missing::NotSupported(why.into()))
    };
    Elision { after, count, functions }
}

/// The frames of a stack of which only pcs were recorded, one for each function of the source (`printAncestorTraceback` in
/// `runtime/traceback.go`): the runtime looks each up as it is, and prints none of a frame's own words.
#[must_use]
pub fn recorded(pcs: &[Addr], code: &Code<'_>, memory: Source) -> Stack {
    let mut stack = Stack::default();
    for pc in pcs {
        let Some((func, bias)) = code.function(*pc) else {
            stack.unavailable = Some(format!("{pc} is in no Go function").into());
            break;
        };
        let at = bias.unload(*pc);
        let Some(source) = func.source_frames(at).ok().and_then(|all| all.into_iter().next()) else { break };
        let offset = at.offset_from(func.entry()).filter(|o| *o > 0);
        stack.frames.push(Frame {
            offset: offset.map_or_else(none, |o| Known::have(o, Trust::Table, memory)),
            pc: Known::have(pc.0, Trust::DebugInfo, memory),
            sp: none(),
            fp: none(),
            args: Known::Missing(Missing::OptimisedOut),
            inlined: source.inlined,
            foreign: false,
            module: none(),
            function: listed(source.function).map(|n| FunctionName(printed_name(&n).into())),
            file: listed(source.file).map(Into::into),
            line: listed(source.line).map(i64::from),
        });
    }
    stack
}

/// Who created a goroutine, from the address behind the `go` statement's call (`printcreatedby1` in
/// `runtime/traceback.go`). Like the runtime it names the function in the code, not one inlined into it.
#[must_use]
pub fn creation(code: &Code<'_>, go_pc: Addr, goroutine: Known<u64>) -> Known<Creation> {
    if go_pc.is_null() {
        return Known::Missing(Missing::NotApplicable);
    }
    let lookup = Pc::Return(go_pc).lookup();
    let Some((func, bias)) = code.function(lookup) else {
        return Known::Missing(Missing::Unreadable(format!("{go_pc} is in no Go function").into()));
    };
    let at = bias.unload(lookup);
    let Some(name) = func.name() else {
        return Known::Missing(Missing::Unreadable("the function's name is not in its table".into()));
    };
    let creation = Creation {
        function: FunctionName(printed_name(&name).into()),
        file: listed(func.file(at)).map(Into::into),
        line: listed(func.line(at)).map(i64::from),
        goroutine,
    };
    Known::have(creation, Trust::Table, Source::Binary)
}

/// The function that begins at an address, and where it is defined.
#[must_use]
pub fn definition(code: &Code<'_>, entry: Addr) -> Option<Creation> {
    let (func, bias) = code.function(entry)?;
    let at = bias.unload(entry);
    Some(Creation {
        function: FunctionName(printed_name(&func.name()?).into()),
        file: listed(func.file(at)).map(Into::into),
        line: listed(func.line(at)).map(i64::from),
        goroutine: Known::Missing(Missing::NotApplicable),
    })
}

/// What a pc shares with all that stand at the same lines of the same functions, inlined ones included.
pub(crate) fn source_key(pc: Pc, code: &Code<'_>) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut hasher = rustc_hash::FxHasher::default();
    let source = code.function(pc.lookup()).and_then(|(f, bias)| f.source_frames(bias.unload(pc.lookup())).ok());
    match source {
        Some(source) => source.iter().for_each(|f| (&f.function, &f.file, f.line).hash(&mut hasher)),
        None => pc.hash(&mut hasher),
    }
    hasher.finish()
}

fn add(frames: &mut Vec<Frame>, raw: &RawFrame, code: &Code<'_>, foreign: &Foreign, memory: Source) {
    let Some((func, bias)) = raw.func.and_then(|f| code.func(f)) else {
        add_foreign(frames, raw, None, foreign, memory);
        return;
    };
    let source = func.source_frames(bias.unload(raw.pc.lookup()));
    match source {
        // The Go linker knows the names of the C functions that it links.
        _ if !func.has_pcsp() => {
            let named = frame(func.without_line(), raw, (&func, bias), memory);
            add_foreign(frames, raw, Some(named), foreign, memory);
        }
        Ok(source) => frames.extend(source.into_iter().map(|s| frame(s, raw, (&func, bias), memory))),
        // The function itself is known; which line of which function was inlined into it there is not.
        Err(error) => {
            let why = || Missing::Unreadable(error.to_string().into());
            let physical = frame(func.without_line(), raw, (&func, bias), memory);
            frames.push(Frame { file: Known::Missing(why()), line: Known::Missing(why()), ..physical });
        }
    }
}

fn frame(source: SourceFrame, raw: &RawFrame, (func, bias): (&Func<'_>, Bias), memory: Source) -> Frame {
    // An inlined function has no activation of its own.
    let own = |value: Option<(u64, Found)>| match value.filter(|_| !source.inlined) {
        Some((value, found)) => Known::have(value, found.trust(), memory),
        None => Known::Missing(Missing::NotApplicable),
    };
    let offset = bias.unload(raw.pc.address()).offset_from(func.entry());
    Frame {
        offset: own(offset.map(|o| (o, raw.found))),
        pc: own(Some((raw.pc.address().0, raw.found))),
        sp: own(Some((raw.sp.0, raw.found))),
        fp: own(raw.end.map(|(end, found)| (end.0, found))),
        args: Known::Missing(Missing::NotSupported("arguments of frames in memory".into())),
        inlined: source.inlined,
        foreign: false,
        module: Known::Missing(Missing::NotApplicable),
        function: listed_at(source.function, raw.found).map(|n| FunctionName(printed_name(&n).into())),
        file: of_source(listed_at(source.file, raw.found), func).map(Into::into),
        line: of_source(listed_at(source.line, raw.found), func).map(i64::from),
    }
}

/// A file or a line: generated code need have none.
fn of_source<T>(listed: Known<T>, func: &Func<'_>) -> Known<T> {
    match listed {
        Known::Missing(_) if func.is_generated() => Known::Missing(Missing::Generated),
        listed => listed,
    }
}

/// What a table says of a place is no surer than the place.
fn listed_at<T>(value: Option<T>, found: Found) -> Known<T> {
    match listed(value) {
        Known::Have { value, trust, source } => Known::have(value, trust.max(found.trust()), source),
        missing => missing,
    }
}

/// A frame of code that is not Go's, behind those of the functions that the debug information says are inlined there. `named` is what the
/// Go linker's tables say of it, if they do. Where nothing names its function, the file and the place in it do: `libc.so.6+0x8ae2c`.
fn add_foreign(frames: &mut Vec<Frame>, raw: &RawFrame, named: Option<Frame>, foreign: &Foreign, memory: Source) {
    let at = raw.pc.lookup();
    let (source, why) = match raw.foreign.map(|r| foreign.source_frames(r, at)) {
        Some(Some(source)) => (source, "no debug information at hand tells"),
        Some(None) => (Rc::default(), "the lines of so many places in C were looked up that no more are"),
        None => (Rc::default(), NO_FILE),
    };
    let module = match raw.foreign.and_then(|r| foreign.name(r)) {
        Some(name) => Known::have(name.into(), raw.found.trust(), memory),
        None => Known::Missing(Missing::Unreadable(NO_FILE.into())),
    };
    let placed = |frame: Frame, source: Option<&SourceFrame>| Frame {
        file: described(source.and_then(|s| s.file.as_deref()).map(Into::into), raw.found, why),
        line: described(source.and_then(|s| s.line).map(i64::from), raw.found, why),
        foreign: true,
        module: module.clone(),
        ..frame
    };
    for inlined in source.iter().filter(|source| source.inlined) {
        let name = inlined.function.as_deref().map(|name| FunctionName(name.into()));
        let frame = Frame {
            function: described(name, raw.found, why),
            offset: none(),
            pc: none(),
            sp: none(),
            fp: none(),
            args: none(),
            inlined: true,
            ..Frame::named("")
        };
        frames.push(placed(frame, Some(inlined)));
    }
    let own = source.iter().find(|source| !source.inlined);
    let frame = named.unwrap_or_else(|| foreign_frame(raw, own, foreign, memory));
    frames.push(placed(frame, own));
}

const NO_FILE: &str = "no file that was loaded has code there";

/// What symbols and debug information say of the function of such a frame.
fn foreign_frame(raw: &RawFrame, source: Option<&SourceFrame>, foreign: &Foreign, memory: Source) -> Frame {
    let symbol = raw.foreign.and_then(|r| foreign.symbolise(r, raw.pc.lookup()));
    let stated = |value: u64, found: Found| Known::have(value, found.trust(), memory);
    let behind = raw.pc.address().0.wrapping_sub(raw.pc.lookup().0);
    let trust = raw.found.trust();
    let by_source = source.and_then(|s| s.function.as_deref());
    let (function, offset) = match (&symbol, by_source) {
        (Some(s), _) if s.is_function => {
            let offset = s.offset.saturating_add(behind);
            let name = Known::have(FunctionName(s.name.as_str().into()), trust.max(Trust::Table), Source::Binary);
            (name, stated(offset, raw.found))
        }
        (_, Some(name)) => (described(Some(FunctionName(name.into())), raw.found, ""), none()),
        (Some(s), None) => {
            let name = format!("{}+{:#x}", s.name, s.offset.saturating_add(behind));
            (Known::have(FunctionName(name.into()), trust.max(Trust::Table), Source::Binary), none())
        }
        (None, None) => {
            let file = foreign.missing_at(raw.pc.lookup());
            let why =
                file.map(|file| format!("{file} has code there, and is not here or not proved to be the one that ran"));
            (Known::Missing(Missing::Unreadable(why.as_deref().unwrap_or(NO_FILE).into())), none())
        }
    };
    Frame {
        function,
        offset,
        pc: stated(raw.pc.address().0, raw.found),
        sp: stated(raw.sp.0, raw.found),
        fp: match raw.end {
            Some((end, found)) => stated(end.0, found),
            None => Known::Missing(Missing::Unreadable("its caller was not found".into())),
        },
        args: Known::Missing(Missing::NotSupported("arguments of frames in memory".into())),
        ..Frame::named("")
    }
}

/// What debug information says of a place is no surer than the place.
fn described<T>(value: Option<T>, found: Found, why: &str) -> Known<T> {
    match value {
        Some(value) => Known::have(value, found.trust().max(Trust::DebugInfo), Source::Binary),
        None => Known::Missing(Missing::Unreadable(why.into())),
    }
}

/// What such a frame does not have.
fn none<T>() -> Known<T> {
    Known::Missing(Missing::NotApplicable)
}

fn listed<T>(value: Option<T>) -> Known<T> {
    match value {
        Some(value) => Known::have(value, Trust::Table, Source::Binary),
        None => Known::Missing(Missing::Unreadable("the function's table does not say".into())),
    }
}
