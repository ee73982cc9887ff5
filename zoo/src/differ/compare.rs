//! What the runtime printed held against what gopsy reads out of the core of the same death.
//!
//! Everything that the text states must be stated equally by the core, and the core must have no goroutine that the text
//! lacks. What the text does not state is not asked. Arguments are not compared, nor are stacks printed as words: the
//! core holds the memory itself.

use std::fmt;

use gopsy_model::{Creation, Elision, Frame, FunctionName, Goroutine, Headline, Known, Role, Stack, Status};
use gopsy_program::{Program, StackId};

use super::death::compare_deaths;

/// One statement of the text that the core does not make.
#[derive(Debug, Clone)]
pub struct Difference {
    /// What differs, the same words for every run: `frame.line`.
    pub kind: &'static str,
    /// Whether the core is silent about it; otherwise it says something else.
    pub absent: bool,
    /// Where: `goroutine 7 frame 3`.
    pub at: String,
    pub text: String,
    pub core: String,
    /// The goroutine in the text and in the core, where it is about one that both have.
    pub goroutines: Option<Box<(Goroutine, Goroutine)>>,
    /// It is about a stack that the thread itself printed that ran it: the one that failed, or one that was relayed. Such a
    /// thread comes no further.
    pub at_rest: bool,
}

impl Difference {
    /// The kind with the manner, for counting.
    pub fn group(&self) -> String {
        let manner = if self.absent { " (absent)" } else { "" };
        format!("{}{manner}", self.kind)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: text {}, core {}", self.kind, self.at, self.text, self.core)
    }
}

/// Collects differences at one place.
pub(super) struct Place<'a> {
    pub(super) found: &'a mut Vec<Difference>,
    pub(super) at: String,
    pub(super) goroutines: Option<(Goroutine, Goroutine)>,
    pub(super) at_rest: bool,
}

impl Place<'_> {
    fn add(&mut self, kind: &'static str, absent: bool, text: String, core: String) {
        let goroutines = self.goroutines.clone().map(Box::new);
        let at = self.at.clone();
        self.found.push(Difference { kind, absent, at, text, core, goroutines, at_rest: self.at_rest });
    }

    pub(super) fn unequal(&mut self, kind: &'static str, text: impl Into<String>, core: impl Into<String>) {
        self.add(kind, false, text.into(), core.into());
    }

    pub(super) fn absent(&mut self, kind: &'static str, text: impl Into<String>, core: impl Into<String>) {
        self.add(kind, true, text.into(), core.into());
    }

    /// A value that the text states must be the core's.
    pub(super) fn value<T: PartialEq>(
        &mut self,
        kind: &'static str,
        text: &Known<T>,
        core: &Known<T>,
        show: impl Fn(&T) -> String,
    ) {
        match (text.value(), core) {
            (None, _) => {}
            (Some(stated), Known::Have { value, .. }) if value == stated => {}
            (Some(stated), Known::Have { value, .. }) => self.unequal(kind, show(stated), show(value)),
            (Some(stated), Known::Missing(why)) => self.absent(kind, show(stated), format!("nothing ({why})")),
        }
    }

    /// A mark of which the text says by its presence that it is there, and by its absence that it is not.
    fn flag(&mut self, kind: &'static str, text: bool, core: bool) {
        if text != core {
            let word = |set| if set { "yes" } else { "no" };
            self.unequal(kind, word(text), word(core));
        }
    }
}

pub(super) fn hex(value: &u64) -> String {
    format!("{value:#x}")
}

pub(super) fn quoted(value: impl AsRef<str>) -> String {
    format!("{:?}", value.as_ref())
}

/// Everything in which the core does not bear out the text.
pub fn compare(text: &Program, core: &Program) -> Vec<Difference> {
    let mut found = Vec::new();
    compare_deaths(text, core, &mut found);
    for id in text.stacks() {
        compare_stack(text, id, core, &mut found);
    }
    more_than_printed(text, core, &mut found);
    // Where the runtime lost its way it says at which function; what it printed of that one is no frame.
    let lost = |d: &Difference| {
        let lines = text.crash().diagnostics.iter();
        let mut after = lines.filter_map(|line| line.split_once("unexpected return pc for ")?.1.split(' ').next());
        after.any(|function| d.text.ends_with(&format!("the next {function}")))
    };
    // A report of the race detector in the middle of a line: what stood there is lost, and the rest of the report looks like a stack.
    let torn = |h: &Headline| matches!(h, Headline::Fatal(words) if words.starts_with("  "));
    if text.crash().headlines.iter().any(torn) {
        for difference in found.iter_mut().filter(|d| ["headline.fatal", "bare-stack"].contains(&d.kind)) {
            difference.kind = "text.torn";
        }
    }
    for difference in found.iter_mut().filter(|d| d.kind == "stack.outer" && d.absent) {
        if lost(difference) {
            difference.kind = "stack.outer-lost";
        }
    }
    found
}

fn compare_stack(text: &Program, id: StackId, core: &Program, found: &mut Vec<Difference>) {
    let (goroutine, stack) = (text.goroutine(id), text.stack(id));
    // Of a goroutine that runs on another thread the runtime prints no frames (tracebackothers, runtime/traceback.go).
    let printed_itself = goroutine.status.value() == Some(&Status::Running) && !stack.frames.is_empty();
    let at_rest = printed_itself || text.crashed() == Some(id);
    let at = name(&goroutine);
    if text.crashed() == Some(id) && is_quoted(&goroutine, core) {
        let stated = format!("{} frames", stack.frames.len());
        Place { found, at, goroutines: None, at_rest }.unequal("goroutine.quoted", stated, "a panic's value has them");
        return;
    }
    let died_at = text.crash().any_signal().and_then(|signal| signal.pc.value().copied());
    let Some(other) = counterpart(&goroutine, &stack, died_at, core) else {
        let what = match stack.frames.first() {
            Some(top) => format!("{} frames, the innermost {}", stack.frames.len(), function(top)),
            None => "it without frames".to_owned(),
        };
        let kind = match goroutine.role {
            Role::Goroutine if goroutine.id.value() != Some(&0) => "goroutine",
            Role::Goroutine | Role::System => "system-stack",
            Role::Signal => "signal-stack",
            Role::Bare => "bare-stack",
            Role::Ancestor => "ancestor",
            Role::Thread => "thread",
        };
        Place { found, at, goroutines: None, at_rest }.absent(kind, what, "no such stack");
        return;
    };
    let theirs = core.goroutine(other);
    let pair = (goroutine, theirs);
    compare_goroutines(&mut Place { found, at: at.clone(), goroutines: Some(pair.clone()), at_rest });
    let place = &mut Place { found, at, goroutines: Some(pair), at_rest };
    compare_frames(&stack, &core.stack(other), minor(core), place);
}

/// Whether a panic's value in the core holds the header of this goroutine, where a text does not tell it from the one that
/// died.
pub(super) fn is_quoted(goroutine: &Goroutine, core: &Program) -> bool {
    if !prints_values_bare(core) {
        return false;
    }
    let Some(number) = goroutine.id.value() else { return false };
    let header = format!("goroutine {number} [");
    let holds =
        |h: &Headline| matches!(h, Headline::Panic(panic) if panic.value.lines().any(|l| l.starts_with(&header)));
    core.crash().headlines.iter().any(holds)
}

/// Whether the lines of a panic's value begin at the margin. From Go 1.23 on they are indented (printindented,
/// runtime/error.go). A text without such a value does not show which it is, so the release has to tell.
pub(super) fn prints_values_bare(core: &Program) -> bool {
    minor(core).is_some_and(|minor| minor < 23)
}

/// 27 of `go1.27.3`.
fn minor(core: &Program) -> Option<u32> {
    let release = core.identity().go_version.into_value()?;
    release.strip_prefix("go1.")?.split(['.', 'r', 'b']).next()?.parse().ok()
}

/// The core's stack that is the text's. A goroutine is found by its number; the stack of a thread, which has none of its
/// own, by the address of its g, and where that is not printed by the outermost frame that the text has of it. The one of which
/// it has none, because the signal came in C, holds the place of the signal.
fn counterpart(goroutine: &Goroutine, stack: &Stack, died_at: Option<u64>, core: &Program) -> Option<StackId> {
    let number = goroutine.id.value().filter(|id| **id != 0);
    if let (Role::Goroutine, Some(number)) = (goroutine.role, number) {
        return core.stacks().find(|id| {
            let theirs = core.goroutine(*id);
            theirs.role == Role::Goroutine && theirs.id.value() == Some(number)
        });
    }
    if goroutine.role == Role::Ancestor {
        // Several goroutines may come from one, which stood elsewhere each time.
        let same = |id: &StackId| {
            let theirs = core.goroutine(*id);
            theirs.role == Role::Ancestor && theirs.ancestor == goroutine.ancestor
        };
        let places = |frames: &[Frame]| frames.iter().map(|f| (function(f), stated_line(f))).collect::<Vec<_>>();
        let alike = |id: &StackId| places(&core.stack(*id).frames) == places(&stack.frames);
        return core.stacks().filter(same).find(alike).or_else(|| core.stacks().find(same));
    }
    if let Some(gp) = goroutine.gp.value() {
        return core.stacks().find(|id| core.goroutine(*id).gp.value() == Some(gp));
    }
    let fp = stack.frames.iter().rev().find_map(|f| f.fp.value());
    let is_it = |frame: &Frame| match fp {
        Some(fp) => frame.fp.value() == Some(fp),
        None => stack.frames.is_empty() && died_at.is_some() && frame.pc.value() == died_at.as_ref(),
    };
    let system = |id: &StackId| {
        let theirs = core.goroutine(*id);
        theirs.role != Role::Goroutine || theirs.id.value() == Some(&0)
    };
    core.stacks().filter(system).find(|id| core.stack(*id).frames.iter().any(is_it))
}

fn name(goroutine: &Goroutine) -> String {
    let role = match goroutine.role {
        Role::Goroutine => "goroutine",
        Role::System => "runtime stack",
        Role::Signal => "signal stack",
        Role::Bare => "bare stack",
        Role::Ancestor => "ancestor",
        Role::Thread => "thread",
    };
    let number = goroutine.id.value().copied().or(goroutine.ancestor);
    let thread = goroutine.m.value().filter(|_| number == Some(0)).map(|m| format!(" of m={m}"));
    let number = number.map(|n| format!(" {n}")).unwrap_or_default();
    format!("{role}{number}{}", thread.unwrap_or_default())
}

fn compare_goroutines(place: &mut Place<'_>) {
    let Some((text, core)) = place.goroutines.clone() else { return };
    place.value("goroutine.status", &text.status, &core.status, |s| s.as_str().to_owned());
    place.value("goroutine.wait-reason", &text.wait_reason, &core.wait_reason, |why| quoted(why));
    place.value("goroutine.minutes", &text.wait_minutes, &core.wait_minutes, u64::to_string);
    place.value("goroutine.gp", &text.gp, &core.gp, hex);
    place.value("goroutine.m", &text.m, &core.m, u64::to_string);
    place.value("goroutine.mp", &text.mp, &core.mp, hex);
    // Where gp= is printed, m=nil is a statement too.
    if let (Some(_), None, Some(m)) = (text.gp.value(), text.m.value(), core.m.value()) {
        place.unequal("goroutine.m", "nil", m.to_string());
    }
    // The header is where these are said, by a word or by none.
    if text.status.value().is_some() {
        place.flag("goroutine.locked-to-thread", text.locked_to_thread, core.locked_to_thread);
        place.flag("goroutine.scan", text.scan, core.scan);
        place.flag("goroutine.leaked", text.leaked, core.leaked);
        place.flag("goroutine.durable", text.durable, core.durable);
        if text.bubble != core.bubble {
            place.unequal("goroutine.bubble", format!("{:?}", text.bubble), format!("{:?}", core.bubble));
        }
    }
    // Not every level and release prints labels: only those that are there are a statement.
    let (printed, held) = (text.labels.value(), core.labels.value());
    if printed.is_some_and(|labels| !labels.is_empty()) && printed != held {
        let labels = (format!("{printed:?}"), format!("{held:?}"));
        match held.is_none_or(Vec::is_empty) {
            true => place.absent("goroutine.labels", labels.0, labels.1),
            false => place.unequal("goroutine.labels", labels.0, labels.1),
        }
    }
    compare_creators(&text.created_by, &core.created_by, place);
}

fn compare_creators(text: &Known<Creation>, core: &Known<Creation>, place: &mut Place<'_>) {
    match (text.value(), core) {
        (None, Known::Missing(_)) => {}
        // Whoever prints a goroutine prints its creator (printcreatedby, runtime/traceback.go).
        (None, Known::Have { value, .. }) => place.unequal("creator", "none", value.function.as_str()),
        (Some(text), Known::Missing(why)) => {
            place.absent("creator", text.function.as_str(), format!("nothing ({why})"));
        }
        (Some(text), Known::Have { value: core, .. }) => {
            if text.function != core.function {
                place.unequal("creator.function", text.function.as_str(), core.function.as_str());
            }
            compare_files(["creator.file", "creator.path"], &text.file, &core.file, place);
            place.value("creator.line", &text.line, &core.line, i64::to_string);
            place.value("creator.goroutine", &text.goroutine, &core.goroutine, u64::to_string);
        }
    }
}

/// The base name first, and the path where only the folder differs.
fn compare_files<S>(kinds: [&'static str; 2], text: &Known<S>, core: &Known<S>, place: &mut Place<'_>)
where
    S: AsRef<str> + PartialEq,
{
    let base = |path: &S| path.as_ref().rsplit('/').next().unwrap_or_default().to_owned();
    let same_base = text.value().map(base) == core.value().map(base);
    place.value(kinds[usize::from(same_base)], text, core, |path| quoted(path.as_ref()));
}

/// How a printed stack lies on a read one: both are cut at their first gap, and the outer parts are laid end to end.
fn halves<'a>(frames: &'a [Frame], elided: &[Elision]) -> (&'a [Frame], &'a [Frame]) {
    let gap = elided.first().map_or(frames.len(), |gap| gap.after.min(frames.len()));
    frames.split_at(gap)
}

fn compare_frames(text: &Stack, core: &Stack, minor: Option<u32>, place: &mut Place<'_>) {
    let Some(first) = text.frames.first() else { return };
    if core.frames.is_empty() {
        let why = core.unavailable.as_deref().unwrap_or("no reason given");
        let stated = format!("{} frames, the innermost {}", text.frames.len(), function(first));
        place.absent("stack", stated, format!("none ({why})"));
        return;
    }
    if text.elided.is_empty() {
        follow(&text.frames, &core.frames, 0, minor, place);
        compare_lengths(&text.frames, core, minor, place);
        return;
    }
    let (inner, outer) = halves(&text.frames, &text.elided);
    let (their_inner, their_outer) = halves(&core.frames, &core.elided);
    follow(inner, their_inner, 0, minor, place);
    let their_outer = if core.elided.is_empty() { &core.frames[..] } else { their_outer };
    match their_outer.len().checked_sub(outer.len()) {
        Some(skip) => {
            follow(outer, &their_outer[skip..], inner.len(), minor, place);
        }
        None => place.absent("stack.outer", format!("{} outer frames", outer.len()), their_outer.len().to_string()),
    }
    let counted = text.elided.iter().map(|gap| gap.count.value().copied()).sum::<Option<u64>>();
    let known = core.elided.iter().map(|gap| gap.count.value().copied()).sum::<Option<u64>>();
    if let (Some(counted), Some(known)) = (counted, known) {
        let all = |frames: &[Frame], more: u64| frames.len() as u64 + more;
        let (stated, read) = (all(&text.frames, counted), all(&core.frames, known));
        if stated != read {
            place.unequal("stack.depth", stated.to_string(), read.to_string());
        }
    }
}

/// Frame by frame, up to the first that is another function: what follows would only repeat it.
fn follow(texts: &[Frame], cores: &[Frame], number: usize, minor: Option<u32>, place: &mut Place<'_>) {
    let at = place.at.clone();
    let (mut strayed, mut interrupted) = (false, false);
    let before_1_21 = minor.is_some_and(|minor| minor <= 20);
    for (index, (text, core)) in texts.iter().zip(cores).enumerate() {
        place.at = format!("{at} frame {}", number + index);
        if strayed {
            place.unequal("stack.outer-of-sp-write", function(text), function(core));
            break;
        }
        strayed = strays(text, core);
        let (at_rest, here) = (place.at_rest, same_place(text, core));
        place.at_rest |= here;
        let same = text.function.value() == core.function.value();
        // Up to Go 1.20 a traceback looks up the instruction before the one at which a goroutine was interrupted, as if that were a
        // call (gentraceback, runtime/traceback.go: `tracepc--` but for sigpanic).
        let preempted = before_1_21 && interrupted && here;
        interrupted = function(text) == "runtime.asyncPreempt" && same;
        if same {
            compare_frame(text, core, preempted, place);
        } else {
            // Only what is inlined at the one instruction and not at the other may differ.
            let one_function = whole(texts, index).is_some_and(|of| Some(of) == whole(cores, index));
            let kind = if preempted && one_function { "frame.function-of-preempted" } else { "frame.function" };
            place.unequal(kind, function(text), function(core));
        }
        place.at_rest = at_rest;
        if !same {
            break;
        }
    }
    place.at = at;
}

/// The function that a frame is of, or is inlined into.
fn whole(frames: &[Frame], index: usize) -> Option<&FunctionName> {
    frames.iter().skip(index).find(|frame| !frame.inlined)?.function.value()
}

/// Up to Go 1.20 a traceback ends after `_TracebackMaxFrames` frames, and says so only when it counted exactly that many:
/// a frame that inlined others may take it past that number (traceback1, runtime/traceback.go).
const MOST_WITHOUT_A_WORD: usize = 100;

fn compare_lengths(text: &[Frame], core: &Stack, minor: Option<u32>, place: &mut Place<'_>) {
    let of_thread = place
        .goroutines
        .as_ref()
        .is_some_and(|(text, _)| matches!(text.role, Role::System | Role::Signal) || text.id.value() == Some(&0));
    let may_be_cut = minor.is_some_and(|minor| minor <= 20) && text.len() >= MOST_WITHOUT_A_WORD;
    let same = text.iter().zip(&core.frames).all(|(t, c)| t.function.value() == c.function.value());
    let next = |frames: &[Frame], other: usize| match frames.get(other) {
        Some(frame) => format!("{} frames, the next {}", frames.len(), function(frame)),
        None => format!("{} frames", frames.len()),
    };
    let (stated, mut read) = (next(text, core.frames.len()), next(&core.frames, text.len()));
    if let Some(why) = &core.unavailable {
        read.push_str(&format!(" ({why})"));
    }
    match text.len().cmp(&core.frames.len()) {
        _ if !same => {}
        std::cmp::Ordering::Equal => {}
        std::cmp::Ordering::Greater => place.absent("stack.outer", stated, read),
        std::cmp::Ordering::Less if of_thread && core.frames.get(text.len()).is_some_and(|f| f.foreign) => {
            place.unequal("stack.outer-in-c", stated, read);
        }
        std::cmp::Ordering::Less if text.iter().zip(&core.frames).next_back().is_some_and(|(t, c)| abandons(t, c)) => {
            place.unequal("stack.outer-of-sp-write", stated, read);
        }
        std::cmp::Ordering::Less if of_thread && gave_up(text) => {
            place.unequal("stack.outer-of-morestack", stated, read);
        }
        std::cmp::Ordering::Less if may_be_cut => place.unequal("stack.outer-cut", stated, read),
        std::cmp::Ordering::Less => place.unequal("stack.outer", stated, read),
    }
}

/// Whether a stack that cannot grow should have grown: `morestack` aborts, unless what it calls first faults itself
/// (`runtime/asm_amd64.s`).
fn gave_up(text: &[Frame]) -> bool {
    const CALLED: [&str; 3] = ["runtime.abort", "runtime.badmorestackg0", "runtime.badmorestackgsignal"];
    matches!(text, [.., inner, outer] if CALLED.contains(&&*function(inner)) && function(outer) == "runtime.morestack")
}

fn function(frame: &Frame) -> String {
    frame.function.value().map_or_else(|| "without a name".to_owned(), |name| name.as_str().to_owned())
}

/// The line that a text states. Where the runtime itself does not know it, it prints `?:0`.
fn stated_line(frame: &Frame) -> Option<i64> {
    frame.line.value().copied().filter(|line| *line != 0)
}

/// Whether a goroutine has not moved since the frame was printed: then all that is said of it must be equal.
fn same_place(text: &Frame, core: &Frame) -> bool {
    let both = |a: &Known<u64>, b: &Known<u64>| a.value().is_some() && a.value() == b.value();
    both(&text.pc, &core.pc) && both(&text.sp, &core.sp)
}

fn compare_frame(text: &Frame, core: &Frame, preempted: bool, place: &mut Place<'_>) {
    if stated_line(text).is_some() {
        compare_files(["frame.file", "frame.path"], &text.file, &core.file, place);
        let line = if preempted { "frame.line-of-preempted" } else { "frame.line" };
        place.value(line, &text.line, &core.line, i64::to_string);
    }
    // Of an ancestor's frames the runtime prints none of their arguments, inlined or not.
    let recorded = place.goroutines.as_ref().is_some_and(|(text, _)| text.role == Role::Ancestor);
    place.flag("frame.inlined", text.inlined && !recorded, core.inlined && !recorded);
    place.value("frame.offset", &text.offset, &core.offset, hex);
    place.value("frame.pc", &text.pc, &core.pc, hex);
    place.value("frame.sp", &text.sp, &core.sp, hex);
    let fp = if strays(text, core) { "frame.fp-of-racecall" } else { "frame.fp" };
    place.value(fp, &text.fp, &core.fp, hex);
}

/// Whether a frame is that of `racecall` on the system stack, whose next word the runtime takes for its caller's, while the core has
/// it on another stack.
fn strays(text: &Frame, core: &Frame) -> bool {
    let (Some(sp), Some(fp), Some(read)) = (text.sp.value(), text.fp.value(), core.fp.value()) else { return false };
    let next_word = fp.checked_sub(*sp) == Some(8);
    function(text) == "racecall" && next_word && core.sp.value() == Some(sp) && fp.abs_diff(*read) >= SMALLEST_STACK
}

/// Functions that write the stack pointer and come back: they call the race detector, or the vDSO.
const SP_WRITES: [&str; 4] = ["racecall", "runtime.nanotime1", "runtime.walltime1", "time.now"];

/// Whether the runtime goes no further than that frame, or only astray: a traceback that is printed ends at a function that writes
/// the stack pointer, on whichever stack that was interrupted (`unwinder.resolveInternal` in `runtime/traceback.go`).
fn abandons(text: &Frame, core: &Frame) -> bool {
    let writes = || SP_WRITES.contains(&function(text).as_str());
    strays(text, core) || (writes() && same_place(text, core) && text.fp.value() == core.fp.value())
}

/// Two places on one stack of a goroutine are not so far apart but in a deep one; `racecall` is called at its inner end.
const SMALLEST_STACK: u64 = 1 << 11;

/// Goroutines that only the core has.
fn more_than_printed(text: &Program, core: &Program, found: &mut Vec<Difference>) {
    let printed: Vec<Goroutine> = text.stacks().map(|id| text.goroutine(id)).collect();
    for id in core.stacks() {
        let goroutine = core.goroutine(id);
        let number = goroutine.id.value();
        // The stacks of threads are printed of those only that the dying process could reach.
        if goroutine.role != Role::Goroutine || number == Some(&0) {
            continue;
        }
        if !printed.iter().any(|p| p.role == Role::Goroutine && p.id.value() == number) {
            let at = name(&goroutine);
            let status = goroutine.status.value().map_or("of no known status", |s| s.as_str()).to_owned();
            let read = match core.stack(id).frames.last() {
                Some(outermost) => format!("one that is {status}, at the bottom {}", function(outermost)),
                None => format!("one that is {status}"),
            };
            Place { found: &mut *found, at, goroutines: None, at_rest: false }.unequal("goroutine.extra", "none", read);
        }
    }
}
