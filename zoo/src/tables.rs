//! Every core read by the layouts of every other release: whatever is then said is either true, or it is withheld.

use gopsy_model::{Goroutine, Known, Stack};
use gopsy_program::{Program, StackId};

/// What a reading by other layouts came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// Statements that are those of the right reading.
    pub true_statements: u64,
    /// Statements that only the right reading makes.
    pub withheld: u64,
    /// Statements that contradict the right reading: there may be none.
    pub false_statements: Vec<String>,
}

impl Reading {
    /// What `other` says, held against `right`.
    #[must_use]
    pub fn of(right: &Program, other: &Program) -> Reading {
        let mut reading = Reading::default();
        for id in other.stacks() {
            let goroutine = other.goroutine(id);
            match right.stacks().find(|r| right.goroutine(*r).gp.value() == goroutine.gp.value()) {
                Some(twin) => reading.goroutine((right, twin), (&goroutine, &other.stack(id))),
                None => reading.false_statements.push(format!("there is a goroutine at {:?}", goroutine.gp.value())),
            }
        }
        let known =
            |id: &StackId| other.stacks().any(|o| other.goroutine(o).gp.value() == right.goroutine(*id).gp.value());
        reading.withheld += right.stacks().filter(|id| !known(id)).count() as u64;
        reading.death(right, other);
        reading
    }

    fn say<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, right: &Known<T>, other: &Known<T>) {
        match (right.value(), other.value()) {
            (Some(a), Some(b)) if a == b => self.true_statements += 1,
            (a, Some(b)) => self.false_statements.push(format!("{what}: {b:?} for {a:?}")),
            (Some(_), None) => self.withheld += 1,
            (None, None) => {}
        }
    }

    fn goroutine(&mut self, (right, twin): (&Program, StackId), (other, stack): (&Goroutine, &Stack)) {
        let goroutine = right.goroutine(twin);
        let name = format!("goroutine {:?}", goroutine.id.value());
        self.say(&format!("{name} id"), &goroutine.id, &other.id);
        self.say(&format!("{name} status"), &goroutine.status, &other.status);
        self.say(&format!("{name} wait reason"), &goroutine.wait_reason, &other.wait_reason);
        self.say(&format!("{name} m"), &goroutine.m, &other.m);
        self.say(&format!("{name} mp"), &goroutine.mp, &other.mp);
        let created =
            |g: &Goroutine| g.created_by.clone().map(|c| (c.function, c.file.into_value(), c.line.into_value()));
        self.say(&format!("{name} creator"), &created(&goroutine), &created(other));
        let parent = |g: &Goroutine| g.created_by.clone().into_value().map_or(Known::not_printed(), |c| c.goroutine);
        self.say(&format!("{name} creating goroutine"), &parent(&goroutine), &parent(other));
        for (what, a, b) in [
            ("locked", goroutine.locked_to_thread, other.locked_to_thread),
            ("scan", goroutine.scan, other.scan),
            ("leaked", goroutine.leaked, other.leaked),
            ("durable", goroutine.durable, other.durable),
        ] {
            if b && !a {
                self.false_statements.push(format!("{name} is {what}"));
            }
        }
        if other.bubble.is_some() && other.bubble != goroutine.bubble {
            self.false_statements.push(format!("{name} bubble {:?}", other.bubble));
        }
        if !other.labels.is_empty() && other.labels != goroutine.labels {
            self.false_statements.push(format!("{name} labels {:?}", other.labels));
        }
        let theirs = right.stack(twin);
        for (index, frame) in stack.frames.iter().enumerate() {
            match theirs.frames.get(index) {
                Some(twin) if (&twin.function, &twin.line, &twin.pc) == (&frame.function, &frame.line, &frame.pc) => {
                    self.true_statements += 1;
                }
                twin => {
                    let twin = twin.and_then(|t| t.function.value());
                    self.false_statements
                        .push(format!("{name} frame {index}: {:?} for {twin:?}", frame.function.value()));
                    return;
                }
            }
        }
        self.withheld += theirs.frames.len().saturating_sub(stack.frames.len()) as u64;
    }

    fn death(&mut self, right: &Program, other: &Program) {
        let (a, b) = (right.crash(), other.crash());
        for headline in &b.headlines {
            if a.headlines.contains(headline) {
                self.true_statements += 1;
            } else {
                self.false_statements.push(format!("headline {headline:?} for {:?}", a.headlines));
            }
        }
        let crashed = |p: &Program| p.crashed().map(|id| p.goroutine(id).gp.into_value());
        match (crashed(right), crashed(other)) {
            (a, b) if a == b => self.true_statements += 1,
            (_, None) => self.withheld += 1,
            (a, b) => self.false_statements.push(format!("crashed {b:?} for {a:?}")),
        }
        if let (Some(b), a) = (&b.signal, &a.signal) {
            let same = a.as_ref().is_some_and(|a| {
                (&a.name, a.pc.value(), a.address.value()) == (&b.name, b.pc.value(), b.address.value())
            });
            if same { self.true_statements += 1 } else { self.false_statements.push(format!("signal {b:?} for {a:?}")) }
        }
    }
}
