//! One reading of a core held against another that is right: whatever it says is either true, or it is withheld.

use gopsy_model::{Frame, Goroutine, Headline, Known, PanicLine, Role, Signal, Stack, WaitsAt};
use gopsy_program::{Program, StackId};
use std::collections::HashSet;

/// More frames than these no goroutine has on its stack to die.
const DYING: usize = 8;

/// What a reading by other layouts, or of a part of the core, came to.
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
        let all = |program: &Program| -> Vec<_> { program.stacks().map(|id| (id, program.goroutine(id))).collect() };
        let (of_right, of_other) = (all(right), all(other));
        for (id, goroutine) in &of_other {
            let twins = of_right.iter().filter(|(_, twin)| which(twin) == which(goroutine));
            let held = |(twin, of_twin): &(StackId, Goroutine)| {
                let mut one = Reading::default();
                one.goroutine((of_twin, &right.stack(*twin)), (goroutine, &other.stack(*id)));
                one
            };
            // Several goroutines may come from one, which stood elsewhere each time.
            match twins.map(held).min_by_key(|one| one.false_statements.len()) {
                Some(mut one) => {
                    reading.true_statements += one.true_statements;
                    reading.withheld += one.withheld;
                    reading.false_statements.append(&mut one.false_statements);
                }
                // A dead one cannot be told where its state is missing.
                None if goroutine.role == Role::Goroutine && goroutine.status.value().is_none() => {}
                // Nor that a thread does nothing on its system stack but die, where that stack breaks off.
                None if goroutine.role == Role::System && other.stack(*id).unavailable.is_some() => {}
                None => reading.false_statements.push(format!("there is a goroutine: {:?}", which(goroutine))),
            }
        }
        let known: HashSet<_> = of_other.iter().map(|(_, goroutine)| which(goroutine)).collect();
        reading.withheld += of_right.iter().filter(|(_, goroutine)| !known.contains(&which(goroutine))).count() as u64;
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

    fn goroutine(&mut self, (goroutine, right): (&Goroutine, &Stack), (other, stack): (&Goroutine, &Stack)) {
        let name = format!("goroutine {:?}", goroutine.id.value());
        self.say(&format!("{name} id"), &goroutine.id, &other.id);
        self.say(&format!("{name} status"), &goroutine.status, &other.status);
        self.say(&format!("{name} wait reason"), &goroutine.wait_reason, &other.wait_reason);
        // When the process died is known the better the more there is of it: so long at least.
        let minutes = |g: &Goroutine| g.wait_minutes.value().copied();
        match (minutes(goroutine), minutes(other)) {
            (Some(right), Some(less)) if less < right => self.withheld += 1,
            _ => self.say(&format!("{name} minutes"), &goroutine.wait_minutes, &other.wait_minutes),
        }
        self.say(&format!("{name} m"), &goroutine.m, &other.m);
        self.say(&format!("{name} mp"), &goroutine.mp, &other.mp);
        let created =
            |g: &Goroutine| g.created_by.clone().map(|c| (c.function, c.file.into_value(), c.line.into_value()));
        self.say(&format!("{name} creator"), &created(goroutine), &created(other));
        let parent = |g: &Goroutine| g.created_by.clone().into_value().map_or(Known::not_printed(), |c| c.goroutine);
        self.say(&format!("{name} creating goroutine"), &parent(goroutine), &parent(other));
        let deferred = |g: &Goroutine| -> Vec<_> {
            g.deferred.iter().map(|d| (d.function.clone(), d.line.value().copied())).collect()
        };
        self.among(&format!("{name} has deferred"), &deferred(goroutine), &deferred(other));
        self.waits(&name, goroutine, other);
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
        self.say(&format!("{name} labels"), &goroutine.labels, &other.labels);
        self.frames(&name, right, stack);
    }

    /// What it waits at.
    fn waits(&mut self, name: &str, right: &Goroutine, other: &Goroutine) {
        let known = right.waits_at.value().map_or(&[][..], Vec::as_slice);
        let Some(said) = other.waits_at.value() else {
            self.withheld += u64::from(!known.is_empty());
            return;
        };
        if known.len() == said.len() && known.iter().zip(said).all(|(a, b)| is_same(a, b)) {
            self.true_statements += said.len() as u64;
        } else {
            self.false_statements.push(format!("{name} waits at: {said:?} for {known:?}"));
        }
    }

    /// Frame by frame, up to the first that is another function: what follows would only repeat it. Behind a gap a stack is
    /// counted from its outer end, which may be missing: there a frame must be one of those that the right one has.
    fn frames(&mut self, name: &str, right: &Stack, other: &Stack) {
        let gap = |stack: &Stack| stack.elided.first().map_or(usize::MAX, |gap| gap.after);
        let (in_right, in_other) = (gap(right), gap(other));
        let known: HashSet<_> = right.frames.iter().map(place).collect();
        // What a goroutine does to die is left out, where it can be seen that it does no more.
        let begins = other.frames.iter().take(DYING).position(|f| right.frames.first().map(place) == Some(place(f)));
        // That it does no more cannot be seen where the stack breaks off before.
        let dies = other.frames.first().and_then(|f| f.function.value()).is_some_and(|f| f.as_str() == "runtime.raise");
        if begins.is_none() && dies && other.unavailable.is_some() && other.frames.len() < DYING {
            self.withheld += right.frames.len() as u64;
            return;
        }
        for (index, frame) in other.frames.iter().skip(begins.unwrap_or(0)).enumerate() {
            // How a stack goes on that is too deep to be shown whole nobody has said.
            if index >= in_right {
                return;
            }
            if index >= in_other {
                if known.contains(&place(frame)) {
                    self.true_statements += 1;
                } else {
                    self.false_statements.push(format!("{name} behind a gap: {:?}", place(frame)));
                }
                continue;
            }
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

/// What tells a stack from others of the same process.
fn which(goroutine: &Goroutine) -> (Role, Option<u64>, Option<u64>) {
    (goroutine.role, goroutine.gp.value().copied(), goroutine.ancestor)
}

/// Where a frame stands.
fn place(frame: &Frame) -> (Option<String>, Option<i64>, Option<u64>, Option<u64>) {
    let function = frame.function.value().map(|name| name.as_str().to_owned());
    (function, frame.line.value().copied(), frame.pc.value().copied(), frame.sp.value().copied())
}

fn agree<T: PartialEq>(right: &Known<T>, other: &Known<T>) -> bool {
    other.value().is_none() || other.value() == right.value()
}

/// Whether what is said of the one is not another thing than what is said of the other.
fn is_same(right: &WaitsAt, other: &WaitsAt) -> bool {
    match (right, other) {
        (
            WaitsAt::Channel { address, element, len, capacity, closed },
            WaitsAt::Channel { address: at, element: of, len: held, capacity: room, closed: shut },
        ) => address == at && agree(element, of) && agree(len, held) && agree(capacity, room) && agree(closed, shut),
        (right, other) => right == other,
    }
}

/// Whether a headline says the same as the right one, or less, however well it is known.
fn say_the_same(right: &Headline, other: &Headline) -> bool {
    match (right, other) {
        (Headline::Panic(a), Headline::Panic(b)) => {
            let of = |p: &PanicLine| (p.value.clone(), p.recovered, p.repanicked, p.depth);
            // What of a value cannot be read is a question mark in it; of what a pointer leads to, the pointer is left.
            let less = matches!((a.held.value(), b.held.value()), (Some(a), Some(b))
                if a.type_name == b.type_name && (b.text.contains('?') || b.text.starts_with("(*")));
            of(a) == of(b) && (less || agree(&a.held, &b.held))
        }
        (Headline::Signal(a), Headline::Signal(b)) => {
            let of = |s: &Signal| {
                (s.name.clone(), s.code.value().copied(), s.address.value().copied(), s.pc.value().copied())
            };
            of(a) == of(b)
        }
        _ => right == other,
    }
}

#[cfg(test)]
mod tests {
    use super::Reading;
    use crate::told::Told;
    use gopsy_model::{Elision, Headline, HeldValue, Known, PanicLine, Source, Status, Trust, WaitsAt};
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
            ("labels", |t| t.stacks[1].0.labels = wrong(vec![("k".into(), "w".into())])),
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
            ("waits at", |t| t.stacks[1].0.waits_at = wrong(vec![WaitsAt::Semaphore { address: 1 }])),
            ("has deferred", |t| {
                let creation = t.stacks[1].0.created_by.value().unwrap().clone();
                t.stacks[1].0.deferred.push(creation);
            }),
            ("headline", |t| {
                let held = wrong(HeldValue { type_name: "main.T".into(), text: "main.T{}".into() });
                t.crash.headlines[0] = Headline::Panic(PanicLine { held, ..PanicLine::of("first\n\nsecond") });
            }),
            ("behind a gap", |t| {
                let mut frame = t.frame("main.work", 31);
                frame.sp = wrong(7);
                t.stacks[1].1.frames.push(frame);
                let count = Known::not_printed();
                t.stacks[1].1.elided.push(Elision::of(2, count));
            }),
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

    #[test]
    fn what_a_thread_does_to_die_is_left_out_only_where_the_stack_can_be_followed() {
        let found = |innermost: &str, unavailable: Option<&str>| {
            let (right, mut other) = (Told::new(Source::Core), Told::new(Source::Core));
            other.stacks[2].1.frames = vec![other.frame(innermost, 1)];
            other.stacks[2].1.unavailable = unavailable.map(Into::into);
            let reading = Reading::of(&Program::new(right), &Program::new(other));
            reading.false_statements.len()
        };
        assert_eq!(found("runtime.raise", Some("a return address is 0")), 0);
        assert_eq!(found("runtime.raise", None), 1);
        assert_eq!(found("runtime.futex", Some("a return address is 0")), 1);
    }
}
