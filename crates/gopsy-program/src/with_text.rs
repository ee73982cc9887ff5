//! A core with the text that the same death left.
//!
//! The core knows every stack and the memory; the text knows what the runtime said (it keeps 512 bytes of that), what the
//! program logged before, and the arguments that the runtime printed. A text of another death is told, and nothing is taken from
//! it. That a text is of this very death only addresses can tell (`GOTRACEBACK=system` or `crash` prints stack pointers): two
//! runs that died alike say the same in all else, and then what is taken from the text is inferred.

use crate::{Evidence, Program, StackId};
use gopsy_model::{Brief, Crash, Frame, Goroutine, Headline, Identity, Known, Source, Stack, Trust};
use std::collections::HashMap;

/// A core with a text that tells of its death.
pub struct CoreWithText {
    core: Program,
    text: Program,
    /// The stacks of the text's goroutines, by their numbers.
    by_number: HashMap<u64, StackId>,
    crash: Crash,
    agreed: Agreement,
    /// What to say of how they fit.
    note: String,
}

/// How a core and a text fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// Nothing contradicts, and more than one thing agrees.
    Same(Agreement),
    /// They do not, and why.
    Other(String),
    /// They have too little in common that could be compared.
    Unknown,
}

/// What agrees between a core and a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    what: Vec<String>,
    /// Addresses are among it.
    exact: bool,
}

impl CoreWithText {
    /// Whether a text tells of the death that a core is of.
    #[must_use]
    pub fn fit(core: &Program, text: &Program) -> Fit {
        compare(core, text)
    }

    /// Joins a core with a death that a text tells of, which [`CoreWithText::fit`] has found the same; `name` is what to call
    /// the text.
    #[must_use]
    pub fn join(core: Program, text: Program, agreed: Agreement, name: &str) -> CoreWithText {
        let what = agreed.what.join(", ");
        let note = if agreed.exact {
            format!("{name} tells of the same death: {what} agree")
        } else {
            format!(
                "{name} tells of a death like this one: {what} agree; it has no addresses that would prove it the same"
            )
        };
        let (mut crash, said) = (core.crash().clone(), text.crash());
        // The runtime's own words are whole there; its record of them in memory is short.
        if said.headlines.len() > crash.headlines.len() {
            crash.headlines = with_held(&said.headlines, &crash.headlines);
            crash.unread = false;
        }
        if said.diagnostics.len() > crash.diagnostics.len() {
            crash.diagnostics.clone_from(&said.diagnostics);
        }
        crash.signal = crash.signal.or_else(|| said.signal.clone());
        crash.log_before.clone_from(&said.log_before);
        crash.test.clone_from(&said.test);
        crash.races.clone_from(&said.races);
        if crash.registers.is_empty() && agreed.exact {
            crash.registers.clone_from(&said.registers);
        }
        let number = |id: StackId| Some((text.goroutine(id).id.into_value()?, id));
        let by_number = text.stacks().rev().filter_map(number).collect();
        CoreWithText { core, text, by_number, crash, agreed, note }
    }
}

/// The headlines of a text, with the values that the core has beside its own.
fn with_held(said: &[Headline], read: &[Headline]) -> Vec<Headline> {
    let held = |value: &str| {
        read.iter().find_map(|headline| match headline {
            Headline::Panic(line) if &*line.value == value => Some(line.held.clone()),
            _ => None,
        })
    };
    let mut all = said.to_vec();
    for headline in &mut all {
        if let Headline::Panic(line) = headline
            && let Some(held) = held(&line.value)
        {
            line.held = held;
        }
    }
    all
}

fn compare(core: &Program, text: &Program) -> Fit {
    let mut agreed = Vec::new();
    let failed = |program: &Program| program.crashed().and_then(|id| program.goroutine(id).id.into_value());
    match (failed(core), failed(text)) {
        (Some(a), Some(b)) if a != b => return Fit::Other(format!("goroutine {b} failed there, {a} in the core")),
        (Some(a), Some(_)) => agreed.push(format!("goroutine {a}")),
        _ => {}
    }
    let words = |headline: &Headline| match headline {
        Headline::Panic(line) => Some(format!("panic: {}", line.value)),
        Headline::Fatal(text) => Some(format!("fatal error: {text}")),
        Headline::Signal(signal) => Some(signal.name.to_string()),
        _ => None,
    };
    let said = text.crash().headlines.iter().find_map(words);
    let read: Vec<String> = core.crash().headlines.iter().filter_map(words).collect();
    match (&said, read.first()) {
        (Some(said), Some(first)) if !read.iter().any(|word| same_words(said, word)) => {
            return Fit::Other(format!("it says {:?}, the core {:?}", short(said), short(first)));
        }
        (Some(_), Some(_)) => agreed.push("what was said".to_owned()),
        _ => {}
    }
    // The stack that failed has the same functions, innermost first, as far as both go.
    let own = |program: &Program| -> Vec<Frame> {
        let stack = program.crashed().map(|id| program.stack(id)).unwrap_or_default();
        let named = |f: &Frame| f.function.value().is_some_and(|name| !is_runtime(name.as_str()));
        stack.frames.into_iter().filter(|f| !f.foreign && named(f)).take(16).collect()
    };
    let (of_core, of_text) = (own(core), own(text));
    let mut exact = false;
    for (read, stated) in of_core.iter().zip(&of_text) {
        let name = |frame: &Frame| frame.function.value().map(|name| name.0.clone()).unwrap_or_default();
        if name(read) != name(stated) {
            return Fit::Other(format!("{} stands where {} does in the core", name(stated), name(read)));
        }
        match (read.sp.value(), stated.sp.value()) {
            (Some(a), Some(b)) if a != b => {
                return Fit::Other(format!("{} stands at {b:#x} there, at {a:#x} in the core", name(read)));
            }
            (Some(_), Some(_)) => exact = true,
            _ => {}
        }
    }
    match of_core.len().min(of_text.len()) {
        0 => {}
        1 => agreed.push("the frame".to_owned()),
        n => agreed.push(format!("{n} frames")),
    }
    if exact {
        agreed.push("stack pointers".to_owned());
    }
    // One number alone is that of many deaths.
    if agreed.len() >= 2 { Fit::Same(Agreement { what: agreed, exact }) } else { Fit::Unknown }
}

fn is_runtime(name: &str) -> bool {
    name.starts_with("runtime.") || name == "panic"
}

/// A value may be cut, or printed over several lines.
fn same_words(a: &str, b: &str) -> bool {
    let (a, b) = (a.trim_end(), b.trim_end());
    let line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    a == b || line(a) == line(b)
}

fn short(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(80).collect()
}

impl Evidence for CoreWithText {
    fn source(&self) -> Source {
        self.core.source()
    }

    fn crash(&self) -> &Crash {
        &self.crash
    }

    fn identity(&self) -> Identity {
        self.core.identity()
    }

    fn stack_count(&self) -> usize {
        self.core.stack_count()
    }

    fn goroutines(&self) -> std::ops::Range<StackId> {
        self.core.goroutines()
    }

    fn goroutine(&self, id: StackId) -> Goroutine {
        self.core.goroutine(id)
    }

    /// The frames of the core, with the arguments that the runtime printed.
    fn stack(&self, id: StackId) -> Stack {
        let mut stack = self.core.stack(id);
        let number = self.core.goroutine(id).id.into_value();
        let Some(printed) = number.and_then(|number| self.by_number.get(&number)) else { return stack };
        let printed = self.text.stack(*printed);
        let mut rest = printed.frames.into_iter();
        for frame in stack.frames.iter_mut() {
            // A frame that only one of them has is passed over.
            let mut ahead = rest.clone();
            let same = |f: &Frame| f.function.value() == frame.function.value() && f.line.value() == frame.line.value();
            if let Some(found) = ahead.find(same) {
                rest = ahead;
                if frame.args.value().is_none()
                    && let Known::Have { value, trust, source } = found.args
                {
                    let trust = if self.agreed.exact { trust } else { trust.max(Trust::Inferred) };
                    frame.args = Known::have(value, trust, source);
                }
            }
        }
        stack
    }

    fn alarms(&self) -> Vec<String> {
        self.core.alarms().into_iter().chain(self.text.alarms()).collect()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec![self.note.clone()];
        notes.extend(self.core.notes());
        notes.extend(self.text.notes());
        notes
    }

    fn called_from_c(&self, id: StackId) -> Option<Stack> {
        self.core.called_from_c(id)
    }

    fn stack_key(&self, id: StackId) -> u64 {
        self.core.stack_key(id)
    }

    fn brief(&self, id: StackId) -> Brief {
        self.core.brief(id)
    }
}
