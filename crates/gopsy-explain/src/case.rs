//! What every rule asks for: the program with the stack that failed, read once.

use crate::packages::{Owner, Owners};
use gopsy_model::{
    Crash, Elision, Evidence, Frame, Goroutine, Headline, Kind, Known, Missing, Role, Signal, Source, Stack, Trust,
};
use gopsy_program::{Program, StackId};

/// Goroutines that are looked at when a question is about all of them. A question about more is a sample, and says so.
pub(crate) const MAX_GOROUTINES: usize = 20_000;

/// Whether a frame is one of C: it says so, or (a debugger's text says nothing of it) its function has no package. Nothing tells
/// where it has no name.
pub(crate) fn is_of_c(frame: &Frame) -> Option<bool> {
    match &frame.function {
        _ if frame.foreign => Some(true),
        Known::Have { value, source: Source::Text, .. } => Some(!value.as_str().contains('.')),
        // Go's own tables name it; generated code is called anything.
        Known::Have { .. } => Some(false),
        Known::Missing(_) => None,
    }
}

/// The stack that failed and the system stack that belongs to it.
pub(crate) struct Frames {
    pub(crate) crashed: Option<(StackId, Goroutine, Stack)>,
    pub(crate) system: Option<Stack>,
}

impl Frames {
    pub(crate) fn read(program: &Program) -> Self {
        let of = |id: StackId| (id, program.goroutine(id), program.stack(id));
        Frames { crashed: program.crashed().map(of), system: program.crash().system_stack.map(|id| program.stack(id)) }
    }

    pub(crate) fn stack(&self) -> &[Frame] {
        self.crashed.as_ref().map_or(&[], |(_, _, s)| &s.frames)
    }

    pub(crate) fn len(&self) -> usize {
        self.stack().len()
    }

    /// Whether the stack that failed is as deep as of a recursion without end: more than the runtime prints (100), or frames of it
    /// are left out because there are so many. One that could not be read says nothing of that.
    pub(crate) fn is_deep(&self) -> bool {
        let lost = |gap: &Elision| matches!(gap.count.missing(), Some(Missing::Unreadable(_)));
        let left_out = |stack: &Stack| stack.elided.iter().any(|gap| !lost(gap));
        self.crashed.as_ref().is_some_and(|(_, _, stack)| stack.frames.len() > 100 || left_out(stack))
    }

    /// Whether the frame behind the first of such a function is one of C.
    pub(crate) fn is_of_c_behind(&self, function: &str) -> bool {
        let mut frames = self.stack().iter().skip_while(|f| f.function.value().is_none_or(|n| n.as_str() != function));
        frames.nth(1).and_then(is_of_c) == Some(true)
    }

    /// Whether functions of C are known in which the thread stood.
    pub(crate) fn has_native(&self) -> bool {
        let is_c = |frame: &Frame| frame.foreign && frame.function.value().is_some();
        self.system.iter().flat_map(|stack| &stack.frames).chain(self.stack()).any(is_c)
    }

    /// Function names of the stack that failed, innermost first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        names(self.stack())
    }

    pub(crate) fn first_name(&self) -> Option<&str> {
        self.names().next()
    }

    /// Function names of the system stack, then of the stack that failed.
    pub(crate) fn all_names(&self) -> impl Iterator<Item = &str> {
        names(self.system.as_ref().map_or(&[], |s| &s.frames)).chain(self.names())
    }

    pub(crate) fn is_bare(&self) -> bool {
        self.crashed.as_ref().is_some_and(|(_, g, _)| g.role == Role::Bare)
    }

    /// The innermost frame has a pc and no argument list: a debugger's backtrace.
    pub(crate) fn has_pc(&self) -> bool {
        self.stack().first().is_some_and(|f| f.pc.value().is_some() && f.args.value().is_none())
    }
}

pub(crate) fn names(frames: &[Frame]) -> impl Iterator<Item = &str> {
    frames.iter().filter_map(|f| f.function.value().map(|n| n.as_str()))
}

/// One death, as the rules see it.
pub(crate) struct Case<'p> {
    pub(crate) program: &'p Program,
    pub(crate) frames: Frames,
    pub(crate) owners: Owners,
    pub(crate) kind: Kind,
    /// The headline that explains the death.
    pub(crate) headline: Option<&'p Headline>,
}

impl<'p> Case<'p> {
    pub(crate) fn new(program: &'p Program) -> Self {
        let frames = Frames::read(program);
        let sample: Vec<Stack> = program.stacks().take(64).map(|id| program.stack(id)).collect();
        let owners = Owners::learn(
            sample.iter().chain(program.crash().races.iter().flat_map(|r| r.accesses.iter().map(|a| &a.stack))),
        );
        let reading = crate::kind::read(program, &frames);
        let headline = reading.headline.and_then(|i| program.crash().headlines.get(i));
        Case { program, frames, owners, kind: reading.kind, headline }
    }

    pub(crate) fn crash(&self) -> &'p Crash {
        self.program.crash()
    }

    /// Where to look for what C did.
    pub(crate) fn where_c_stood(&self) -> &'static str {
        match self.program.source() {
            _ if self.frames.has_native() => "begin with the innermost frame of C that is your own",
            Source::Core => "no function of C is known that stood there: look at what the Go frame calls",
            _ => "the C frames are in a core: GOTRACEBACK=crash, ulimit -c unlimited",
        }
    }

    /// A fact that stands in the source as it is.
    pub(crate) fn fact(&self, fact: impl Into<String>) -> Evidence {
        Evidence { fact: fact.into(), source: self.program.source(), trust: Trust::Exact }
    }

    /// What the headline says, as evidence.
    pub(crate) fn said(&self) -> Evidence {
        let text = self.headline_text();
        if text.is_empty() {
            return self.inferred(format!("no headline; the frames show: {}", self.kind.meaning()));
        }
        let speaker = match self.headline {
            Some(Headline::ServedPanic { .. }) => return self.fact(text),
            // In a text it may be a debugger's word.
            None if self.bare_signal().is_some() => match self.program.source() {
                Source::Text => "the text",
                _ => "the kernel",
            },
            _ => "the runtime",
        };
        self.fact(format!("{speaker} says: {text}"))
    }

    /// A fact that follows from others.
    pub(crate) fn inferred(&self, fact: impl Into<String>) -> Evidence {
        Evidence { fact: fact.into(), source: self.program.source(), trust: Trust::Inferred }
    }

    /// A fact that gopsy knows of Go or the kernel, not of this program.
    pub(crate) fn known(fact: impl Into<String>) -> Evidence {
        Evidence { fact: fact.into(), source: Source::Knowledge, trust: Trust::Exact }
    }

    /// The signal: that of a headline, or the one noted beside a panic or a fatal error.
    pub(crate) fn signal(&self) -> Option<&'p Signal> {
        let of_headline = match self.headline {
            Some(Headline::Signal(s)) => Some(s),
            _ => None,
        };
        of_headline.or_else(|| self.crash().any_signal())
    }

    /// A signal that stands without any headline: a debugger stopped at it, or the runtime's words before it are lost.
    pub(crate) fn bare_signal(&self) -> Option<&'p Signal> {
        self.crash().signal.as_ref().filter(|_| self.crash().headlines.is_empty())
    }

    /// The address that could not be used.
    pub(crate) fn fault_address(&self) -> Option<u64> {
        let of_headline = self.crash().headlines.iter().find_map(|h| match h {
            Headline::FaultAddress(a) => Some(*a),
            Headline::Exception(e) if e.code == 0xc000_0005 => e.information.get(1).copied(),
            _ => None,
        });
        let raised = self.signal().filter(|signal| !signal.was_sent());
        of_headline.or_else(|| raised.and_then(|signal| signal.address.value().copied()))
    }

    pub(crate) fn fault_pc(&self) -> Option<u64> {
        self.signal().and_then(|s| s.pc.value().copied()).or_else(|| {
            self.crash().headlines.iter().find_map(|h| match h {
                Headline::Exception(e) => e.pc.value().copied(),
                _ => None,
            })
        })
    }

    /// Whether the program sent the signal to itself.
    pub(crate) fn sent_by_itself(&self) -> bool {
        let sender = self.signal().and_then(|signal| signal.sender.value());
        sender.is_some_and(|sender| self.program.identity().pid.value() == Some(&sender.pid))
    }

    /// The value of the panic or the text of the fatal error that explains the death.
    pub(crate) fn message(&self) -> &'p str {
        match self.headline {
            Some(Headline::Panic(p)) => &p.value,
            Some(Headline::ServedPanic { value, .. }) => value,
            Some(Headline::Fatal(message) | Headline::Native(message) | Headline::Outside(message)) => message,
            _ => "",
        }
    }

    /// The headline as it was printed.
    pub(crate) fn headline_text(&self) -> String {
        headline_text(self.headline, self.crash())
    }

    /// The crashed goroutine's number.
    pub(crate) fn goroutine_id(&self) -> Option<u64> {
        self.frames.crashed.as_ref().and_then(|(_, g, _)| g.id.value().copied())
    }

    /// The frames of the path that failed: below the lowest panic if a panic explains the death, else all.
    pub(crate) fn path(&self) -> &[Frame] {
        path_below_panic(self.frames.stack(), self.died_by_panic())
    }

    pub(crate) fn died_by_panic(&self) -> bool {
        matches!(self.headline, Some(Headline::Panic(_) | Headline::ServedPanic { .. }) | None)
    }

    /// The first frame of user code on the path that failed.
    pub(crate) fn user_frame(&self) -> Option<&Frame> {
        self.path().iter().find(|f| self.owners.owner(f).is_user())
    }

    /// Whether some frame of the dying stacks has one of these names.
    pub(crate) fn has_function(&self, test: impl Fn(&str) -> bool) -> bool {
        self.frames.all_names().any(test)
    }

    /// The goroutines of this death with their stacks, as far as a person would read them.
    pub(crate) fn goroutines(&self) -> impl Iterator<Item = (StackId, Goroutine, Stack)> + '_ {
        self.program.stacks().take(MAX_GOROUTINES).map(|id| (id, self.program.goroutine(id), self.program.stack(id)))
    }

    /// How the crashed goroutine is called in sentences.
    pub(crate) fn who(&self) -> String {
        match self.goroutine_id() {
            Some(id) => format!("goroutine {id}"),
            // A debugger shows threads.
            None if self.frames.is_bare() && !self.frames.has_pc() => "the goroutine that failed".to_owned(),
            None => "the thread that failed".to_owned(),
        }
    }

    pub(crate) fn owner(&self, frame: &Frame) -> Owner {
        self.owners.owner(frame)
    }
}

/// Frames below the lowest `panic`: those above it only handled it (testing, net/http, supervisors).
pub(crate) fn path_below_panic(frames: &[Frame], by_panic: bool) -> &[Frame] {
    if !by_panic {
        return frames;
    }
    let lowest = frames.iter().rposition(|f| {
        f.function.value().is_some_and(|n| {
            matches!(
                n.as_str(),
                "panic" | "runtime.gopanic" | "runtime.panic" | "runtime.panicmem" | "runtime.sigpanic"
            )
        })
    });
    match lowest {
        Some(i) => frames.get(i + 1..).unwrap_or(&[]),
        None => frames,
    }
}

/// Characters of a headline that are told; a panic's value can be a whole document.
const LONGEST_HEADLINE: usize = 400;

fn signal_text(signal: &Signal) -> String {
    match signal.description.value() {
        Some(described) => format!("{}: {described}", signal.name),
        None => signal.name.to_string(),
    }
}

/// A headline as the runtime prints it, on one line.
pub(crate) fn headline_text(headline: Option<&Headline>, crash: &Crash) -> String {
    let one_line = |s: &str| {
        let mut lines = s.lines();
        let first = lines.next().unwrap_or("");
        let shown: String = first.chars().take(LONGEST_HEADLINE).collect();
        if shown.len() < first.len() || lines.next().is_some() { format!("{shown} …") } else { shown }
    };
    match headline {
        Some(Headline::Panic(p)) => {
            let suffix = if p.repanicked {
                " [recovered, repanicked]"
            } else if p.recovered {
                " [recovered]"
            } else {
                ""
            };
            format!("panic: {}{suffix}", one_line(&p.value))
        }
        Some(Headline::ServedPanic { who, value }) if &**who == "log" => {
            format!("a panic in a log: {}", one_line(value))
        }
        Some(Headline::ServedPanic { who, value }) => format!("http: panic serving {who}: {}", one_line(value)),
        Some(Headline::Fatal(message)) => format!("fatal error: {}", one_line(message)),
        Some(Headline::FaultAddress(address)) => format!("unexpected fault address {address:#x}"),
        Some(Headline::Signal(s)) => signal_text(s),
        Some(Headline::Exception(e)) => format!("Exception {:#x}", e.code),
        Some(Headline::Race(_)) => "WARNING: DATA RACE".to_owned(),
        Some(Headline::Native(message) | Headline::Outside(message)) => one_line(message),
        None => match (crash.diagnostics.first(), &crash.signal) {
            (Some(line), _) => line.to_string(),
            (None, Some(signal)) => signal_text(signal),
            (None, None) => String::new(),
        },
    }
}
