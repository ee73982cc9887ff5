//! Every core read by the layouts of every other release: whatever is then said is either true, or it is withheld.

use gopsy_model::{Goroutine, Headline, Known, Signal, Stack};
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
        self.say(&format!("{name} minutes"), &goroutine.wait_minutes, &other.wait_minutes);
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
        self.frames(&name, &right.stack(twin), stack);
    }

    /// Frame by frame, up to the first that is another function: what follows would only repeat it.
    fn frames(&mut self, name: &str, right: &Stack, other: &Stack) {
        for (index, frame) in other.frames.iter().enumerate() {
            let name = format!("{name} frame {index}");
            let Some(twin) = right.frames.get(index) else {
                self.false_statements.push(format!("{name}: {:?} for none", frame.function.value()));
                return;
            };
            self.say(&format!("{name} function"), &twin.function, &frame.function);
            if twin.function.value() != frame.function.value() {
                return;
            }
            self.say(&format!("{name} file"), &twin.file, &frame.file);
            self.say(&format!("{name} line"), &twin.line, &frame.line);
            for (what, a, b) in [
                ("offset", &twin.offset, &frame.offset),
                ("pc", &twin.pc, &frame.pc),
                ("sp", &twin.sp, &frame.sp),
                ("fp", &twin.fp, &frame.fp),
            ] {
                self.say(&format!("{name} {what}"), a, b);
            }
            self.same(&format!("{name} inlined"), &twin.inlined, &frame.inlined);
            self.same(&format!("{name} in C"), &twin.foreign, &frame.foreign);
        }
        self.withheld += right.frames.len().saturating_sub(other.frames.len()) as u64;
    }

    fn death(&mut self, right: &Program, other: &Program) {
        let (a, b) = (right.crash(), other.crash());
        for headline in &b.headlines {
            if a.headlines.iter().any(|right| say_the_same(right, headline)) {
                self.true_statements += 1;
            } else {
                self.false_statements.push(format!("headline {headline:?} for {:?}", a.headlines));
            }
        }
        self.withheld += a.headlines.len().saturating_sub(b.headlines.len()) as u64;
        self.among("diagnostic", &a.diagnostics, &b.diagnostics);
        self.among("register", &a.registers, &b.registers);
        let crashed = |p: &Program| p.crashed().map(|id| p.goroutine(id).gp.into_value());
        match (crashed(right), crashed(other)) {
            (None, None) => {}
            (Some(_), None) => self.withheld += 1,
            (a, b) => self.same("crashed", &a, &b),
        }
        match (&a.signal, &b.signal) {
            (_, None) => self.withheld += u64::from(a.signal.is_some()),
            (None, Some(b)) => self.false_statements.push(format!("signal {b:?} for none")),
            (Some(a), Some(b)) => {
                self.same("signal", &a.name, &b.name);
                self.say("signal code", &a.code, &b.code);
                self.say("signal address", &a.address, &b.address);
                self.say("signal pc", &a.pc, &b.pc);
                self.say("signal thread", &a.m, &b.m);
                self.same("signal in C", &a.in_foreign_code, &b.in_foreign_code);
            }
        }
    }

    /// What both readings must say.
    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, right: &T, other: &T) {
        if right == other {
            self.true_statements += 1;
        } else {
            self.false_statements.push(format!("{what}: {other:?} for {right:?}"));
        }
    }

    /// A list of which the other reading may say a part.
    fn among<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, right: &[T], other: &[T]) {
        for said in other {
            if right.contains(said) {
                self.true_statements += 1;
            } else {
                self.false_statements.push(format!("{what} {said:?}"));
            }
        }
        self.withheld += right.iter().filter(|one| !other.contains(one)).count() as u64;
    }
}

/// Whether two headlines say the same, however well it is known.
fn say_the_same(a: &Headline, b: &Headline) -> bool {
    match (a, b) {
        (Headline::Signal(a), Headline::Signal(b)) => {
            let of = |s: &Signal| {
                (s.name.clone(), s.code.value().copied(), s.address.value().copied(), s.pc.value().copied())
            };
            of(a) == of(b)
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::Reading;
    use crate::told::Told;
    use gopsy_model::{Headline, Known, Source, Status, Trust};
    use gopsy_program::Program;

    fn read(change: impl FnOnce(&mut Told)) -> Reading {
        let mut other = Told::new(Source::Core);
        change(&mut other);
        Reading::of(&Program::new(Told::new(Source::Core)), &Program::new(other))
    }

    fn wrong<T>(value: T) -> Known<T> {
        Known::have(value, Trust::Inferred, Source::Core)
    }

    type Change = fn(&mut Told);

    #[test]
    fn what_is_true_is_counted_and_nothing_else() {
        let all = read(|_| {});
        assert!(all.true_statements > 40 && all.withheld == 0 && all.false_statements.is_empty(), "{all:?}");
        // Of nobody who died neither reading states anything.
        let mut right = Told::new(Source::Core);
        right.crash.crashed = None;
        let nobody = Reading::of(&Program::new(right.clone()), &Program::new(right));
        assert_eq!(nobody.true_statements, all.true_statements - 1);
    }

    #[test]
    fn every_statement_that_is_not_true_is_seen() {
        let cases: &[(&str, Change)] = &[
            ("id", |t| t.stacks[1].0.id = wrong(8)),
            ("status", |t| t.stacks[1].0.status = wrong(Status::Running)),
            ("wait reason", |t| t.stacks[1].0.wait_reason = wrong("select".into())),
            ("minutes", |t| t.stacks[1].0.wait_minutes = wrong(3)),
            ("m", |t| t.stacks[0].0.m = wrong(3)),
            ("mp", |t| t.stacks[0].0.mp = wrong(3)),
            ("locked", |t| t.stacks[0].0.locked_to_thread = true),
            ("labels", |t| t.stacks[1].0.labels = vec![("k".into(), "w".into())]),
            ("file", |t| t.stacks[1].1.frames[1].file = wrong("x.go".into())),
            ("line", |t| t.stacks[1].1.frames[1].line = wrong(1)),
            ("offset", |t| t.stacks[1].1.frames[1].offset = wrong(1)),
            ("pc", |t| t.stacks[1].1.frames[1].pc = wrong(1)),
            ("sp", |t| t.stacks[1].1.frames[1].sp = wrong(1)),
            ("fp", |t| t.stacks[1].1.frames[1].fp = wrong(1)),
            ("inlined", |t| t.stacks[1].1.frames[1].inlined = true),
            ("frame 2", |t| {
                let more = t.frame("main.x", 1);
                t.stacks[1].1.frames.push(more);
            }),
            ("diagnostic", |t| t.crash.diagnostics.push("runtime: y".into())),
            ("register", |t| t.crash.registers[0].1 = 8),
            ("code", |t| t.crash.signal.as_mut().unwrap().code = wrong(2)),
            ("headline", |t| t.crash.headlines.push(Headline::FaultAddress(1))),
            ("crashed", |t| t.crash.crashed = Some(1)),
            ("there is a goroutine", |t| t.stacks[1].0.gp = wrong(1)),
        ];
        for (what, change) in cases {
            let reading = read(*change);
            let seen = reading.false_statements.iter().any(|lie| lie.contains(what));
            assert!(seen && reading.false_statements.len() == 1, "{what}: {reading:?}");
        }
    }

    #[test]
    fn what_is_left_out_is_withheld() {
        let all = read(|_| {}).true_statements;
        for (left_out, reading) in [
            (1, read(|t| t.stacks[1].0.wait_reason = Known::not_printed())),
            (1, read(|t| t.stacks[1].1.frames[1].sp = Known::not_printed())),
            (1, read(|t| t.crash.diagnostics.clear())),
            (1, read(|t| t.crash.registers.clear())),
            (1, read(|t| t.crash.crashed = None)),
            (1, read(|t| t.crash.headlines.truncate(1))),
        ] {
            assert_eq!(reading.false_statements, [""; 0]);
            assert_eq!((reading.true_statements, reading.withheld), (all - left_out, left_out));
        }
    }
}
