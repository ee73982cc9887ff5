//! A core with the text that the same death left.
//!
//! The core knows every stack and the memory; the text knows what the runtime said (it keeps 512 bytes of that), what the
//! program logged before, and the arguments that the runtime printed. That they tell of the same death is proved by the
//! goroutine that failed and by what was said of it; a text of another death is told, and nothing is taken from it.

use crate::{Evidence, Program, StackId};
use gopsy_model::{Brief, Crash, Goroutine, Headline, Identity, Known, Source, Stack};
use std::collections::HashMap;

/// A core, and the text if it is proved to tell of the same death.
pub struct CoreWithText {
    core: Program,
    text: Option<Text>,
    crash: Crash,
    /// How they fit.
    note: String,
}

struct Text {
    program: Program,
    /// The stacks of its goroutines, by their numbers.
    by_number: HashMap<u64, StackId>,
}

impl CoreWithText {
    /// Whether a text tells of the death that a core is of.
    #[must_use]
    pub fn fit(core: &Program, text: &Program) -> Fit {
        compare(core, text)
    }

    /// Joins a core with a death that a text tells of; `name` is what to call the text.
    #[must_use]
    pub fn join(core: Program, text: Program, name: &str) -> CoreWithText {
        let mut crash = core.crash().clone();
        let note = match CoreWithText::fit(&core, &text) {
            Fit::Same(what) => format!("{name} tells of the same death: {} agree", what.join(", ")),
            Fit::Other(why) => {
                let note = format!("{name} tells of ANOTHER death: {why}; nothing was taken from it");
                return CoreWithText { core, text: None, crash, note };
            }
            Fit::Unknown => {
                let note = format!("nothing tells whether {name} is of this death; nothing was taken from it");
                return CoreWithText { core, text: None, crash, note };
            }
        };
        let said = text.crash();
        // The runtime's own words are whole there; its record of them in memory is short.
        if said.headlines.len() > crash.headlines.len() || crash.headlines.is_empty() {
            crash.headlines = with_held(&said.headlines, &crash.headlines);
        }
        if said.diagnostics.len() > crash.diagnostics.len() {
            crash.diagnostics.clone_from(&said.diagnostics);
        }
        crash.signal = crash.signal.or_else(|| said.signal.clone());
        crash.log_before.clone_from(&said.log_before);
        crash.test.clone_from(&said.test);
        crash.races.clone_from(&said.races);
        if crash.registers.is_empty() {
            crash.registers.clone_from(&said.registers);
        }
        let number = |id: StackId| Some((text.goroutine(id).id.into_value()?, id));
        let by_number = text.stacks().rev().filter_map(number).collect();
        CoreWithText { core, text: Some(Text { program: text, by_number }), crash, note }
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

/// How a core and a text fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// What agrees.
    Same(Vec<String>),
    /// What does not.
    Other(String),
    /// They have nothing in common that could be compared.
    Unknown,
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
    let names = |program: &Program| -> Vec<String> {
        let stack = program.crashed().map(|id| program.stack(id)).unwrap_or_default();
        let named = stack.frames.iter().filter(|f| !f.foreign).filter_map(|f| Some(f.function.value()?.0.to_string()));
        named.filter(|name| !name.starts_with("runtime.") && name != "panic").take(16).collect()
    };
    let (of_core, of_text) = (names(core), names(text));
    let mut pairs = of_core.iter().zip(&of_text);
    if let Some((a, b)) = pairs.find(|(a, b)| a != b) {
        return Fit::Other(format!("{b} stands where {a} does in the core"));
    }
    match of_core.len().min(of_text.len()) {
        0 => {}
        1 => agreed.push("the frame".to_owned()),
        n => agreed.push(format!("{n} frames")),
    }
    // One number alone is that of many deaths.
    if agreed.len() >= 2 { Fit::Same(agreed) } else { Fit::Unknown }
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
        let printed = self.text.as_ref().and_then(|text| {
            let number = self.core.goroutine(id).id.into_value()?;
            Some(text.program.stack(*text.by_number.get(&number)?))
        });
        let Some(printed) = printed else { return stack };
        let mut rest = printed.frames.into_iter();
        for frame in stack.frames.iter_mut() {
            // A frame that only one of them has is passed over.
            let mut ahead = rest.clone();
            let same = |f: &gopsy_model::Frame| {
                f.function.value() == frame.function.value() && f.line.value() == frame.line.value()
            };
            if let Some(found) = ahead.find(same) {
                rest = ahead;
                if frame.args.value().is_none() && matches!(found.args, Known::Have { .. }) {
                    frame.args = found.args;
                }
            }
        }
        stack
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec![self.note.clone()];
        notes.extend(self.core.notes());
        notes.extend(self.text.iter().flat_map(|text| text.program.notes()));
        notes
    }

    fn stack_key(&self, id: StackId) -> u64 {
        self.core.stack_key(id)
    }

    fn brief(&self, id: StackId) -> Brief {
        self.core.brief(id)
    }
}
