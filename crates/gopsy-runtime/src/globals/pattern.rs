//! The shape of a function that gives a variable away, and whether a function has it.

use super::events::Event;
use gopsy_mem::LinkAddr;
use std::fmt;

/// A variable of a pattern: an address that is not known yet. Steps with the same one must mean the same address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Var {
    /// The first.
    A,
    /// And so on.
    B,
    /// The third.
    C,
    /// The fourth.
    D,
}

/// One step of a pattern. Steps follow each other without another event between them, unless there is a [`Step::Gap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The function begins.
    Start,
    /// The function ends.
    End,
    /// Any events, or none.
    Gap,
    /// So many bytes are read, so far behind the variable.
    Load(u16, Var, u64),
    /// So many bytes are written, or read and written, so far behind the variable.
    Store(u16, Var, u64),
    /// The address so far behind the variable is taken.
    Lea(Var, u64),
    /// So many bytes are read at the variable, or its address is taken: under `-l` atomic loads are calls.
    Touch(u16, Var),
    /// One of these functions is called.
    Call(&'static [&'static str]),
}

/// The addresses of a pattern's variables, one for each of [`Var`].
pub(crate) type Binding = [Option<LinkAddr>; 4];

/// How many steps may be tried. The patterns of the runtime's own functions need some thousands.
const MAX_TRIALS: u32 = 200_000;

/// All ways in which the pattern fits, as the addresses that it finds; `None` when there are too many to try.
pub(crate) fn fits(steps: &[Step], events: &[Event]) -> Option<Vec<Binding>> {
    let mut search = Search { events, found: Vec::new(), trials: 0 };
    // Without an anchor a pattern may begin anywhere.
    let starts = if steps.first() == Some(&Step::Start) { 0..=0 } else { 0..=events.len() };
    for at in starts {
        search.from(steps, at, [None; 4])?;
    }
    Some(search.found)
}

struct Search<'a> {
    events: &'a [Event],
    found: Vec<Binding>,
    trials: u32,
}

impl Search<'_> {
    fn from(&mut self, steps: &[Step], at: usize, mut binding: Binding) -> Option<()> {
        let (mut steps, mut at) = (steps, at);
        while let Some((step, rest)) = steps.split_first() {
            self.trials = self.trials.checked_add(1).filter(|n| *n < MAX_TRIALS)?;
            match step {
                Step::Start if at == 0 => {}
                Step::End if at == self.events.len() => {}
                Step::Start | Step::End => return Some(()),
                Step::Gap => {
                    for next in at..=self.events.len() {
                        self.from(rest, next, binding)?;
                    }
                    return Some(());
                }
                _ => {
                    let Some(event) = self.events.get(at) else { return Some(()) };
                    if !step.takes(*event, &mut binding) {
                        return Some(());
                    }
                    at = at.saturating_add(1);
                }
            }
            steps = rest;
        }
        if !self.found.contains(&binding) {
            self.found.push(binding);
        }
        Some(())
    }
}

impl Step {
    /// Whether the event is what the step says; if so, its variable is bound.
    fn takes(self, event: Event, binding: &mut Binding) -> bool {
        let (var, offset, at) = match (self, event) {
            (Step::Load(size, var, offset), Event::Load(wide, at)) if size == wide => (var, offset, at),
            (Step::Store(size, var, offset), Event::Store(wide, at)) if size == wide => (var, offset, at),
            (Step::Touch(size, var), Event::Load(wide, at)) if size == wide => (var, 0, at),
            (Step::Touch(_, var), Event::Lea(at)) => (var, 0, at),
            (Step::Lea(var, offset), Event::Lea(at)) => (var, offset, at),
            (Step::Call(names), Event::Call(name)) => return names.contains(&name),
            _ => return false,
        };
        let Some(base) = at.0.checked_sub(offset).map(LinkAddr) else { return false };
        match var.of_mut(binding) {
            Some(bound) => *bound == base,
            free => {
                *free = Some(base);
                true
            }
        }
    }
}

impl Var {
    fn of_mut(self, binding: &mut Binding) -> &mut Option<LinkAddr> {
        let [a, b, c, d] = binding;
        match self {
            Var::A => a,
            Var::B => b,
            Var::C => c,
            Var::D => d,
        }
    }

    /// Its address in a binding.
    pub(crate) fn of(self, mut binding: Binding) -> Option<LinkAddr> {
        *self.of_mut(&mut binding)
    }
}

impl fmt::Display for Step {
    /// As the table of the module's documentation has it: `load8 A+8`, `lea B`, `call lock`, `…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let behind = |offset: u64| if offset == 0 { String::new() } else { format!("+{offset}") };
        match self {
            Step::Start => f.write_str("start"),
            Step::End => f.write_str("end"),
            Step::Gap => f.write_str("…"),
            Step::Load(size, var, offset) => write!(f, "load{size} {var:?}{}", behind(*offset)),
            Step::Store(size, var, offset) => write!(f, "store{size} {var:?}{}", behind(*offset)),
            Step::Lea(var, offset) => write!(f, "lea {var:?}{}", behind(*offset)),
            Step::Touch(size, var) => write!(f, "load{size}/lea {var:?}"),
            Step::Call(names) => {
                let name = names.first().copied().unwrap_or_default();
                write!(f, "call {}", name.strip_prefix("runtime.").unwrap_or(name))
            }
        }
    }
}
