//! The differences between a text and a core of the same death that nobody can do anything about.
//!
//! Each has a reason and is as narrow as it can be. Two more are not in this list because nothing is compared there:
//! arguments, and frames that the runtime itself left out or could not print (`...additional frames elided...`,
//! `goroutine running on other thread; stack unavailable`).

use gopsy_model::{Goroutine, Status};

use super::Difference;

/// One permitted difference.
pub struct Permitted {
    /// The word for it in counts.
    pub name: &'static str,
    /// Why no reader of cores can do better.
    pub reason: &'static str,
    applies: fn(&Difference) -> bool,
}

/// All of them.
pub const PERMITTED: &[Permitted] = &[
    Permitted {
        name: "minutes",
        reason: "the header says whole minutes, and one may have passed between the print and the core",
        applies: |d| d.kind == "goroutine.minutes" && one_more(d),
    },
    Permitted {
        name: "printed-by-others",
        reason: "libc, the race detector or the program itself printed it; the runtime knows nothing of it",
        applies: |d| {
            ["headline.native", "headline.outside", "headline.served-panic", "headline.race"].contains(&d.kind)
        },
    },
    Permitted {
        name: "value-with-empty-line",
        reason: "up to Go 1.22 a panic's value is printed as it is: behind an empty line nothing tells it from what follows, \
                 and a stack in it is read as that of the goroutine that died",
        applies: |d| ["panic.value-cut", "goroutine.quoted", "crashed.quoted"].contains(&d.kind),
    },
    Permitted {
        name: "overwritten",
        reason: "the runtime keeps the last 512 bytes of what it printed, and it printed more than that behind this line",
        applies: |d| d.kind == "diagnostic.overwritten",
    },
    Permitted {
        name: "unrecorded",
        reason: "of threads that die at once the runtime records the words of those that spoke before the first began to print",
        applies: |d| d.kind == "headline.unrecorded",
    },
    Permitted {
        name: "torn",
        reason: "another thread's race report was written into the middle of the runtime's line",
        applies: |d| d.kind == "text.torn",
    },
    Permitted {
        name: "address-of-sent",
        reason: "a signal that was sent has no address: from Go 1.22 on the sender's process id is printed as one",
        applies: |d| d.kind == "signal.address-of-sent",
    },
    Permitted {
        name: "of-the-traceback",
        reason: "the runtime printed it because it could not print a stack, and records nothing of what it prints then",
        applies: |d| ["diagnostic.of-the-traceback", "stack.outer-lost"].contains(&d.kind),
    },
    Permitted {
        name: "on-in-c",
        reason: "the runtime ends a system stack where C begins; the core is read further",
        applies: |d| d.kind == "stack.outer-in-c",
    },
    Permitted {
        name: "out-of-morestack",
        reason: "up to Go 1.21 the runtime ends at morestack, which writes the stack pointer, also where it did not do so because it stood on \
                 a stack that cannot grow; the core is read further",
        applies: |d| d.kind == "stack.outer-of-morestack",
    },
    Permitted {
        name: "out-of-sp-write",
        reason: "the runtime ends at racecall and at what calls the vDSO, which write the stack pointer, or behind racecall on the system \
                 stack takes the next word for its caller; the core is read further",
        applies: |d| ["stack.outer-of-sp-write", "frame.fp-of-racecall"].contains(&d.kind),
    },
    Permitted {
        name: "before-the-preempted",
        reason: "up to Go 1.20 a traceback names the line before the one at which a goroutine was interrupted, as if that were a call",
        applies: |d| !d.absent && ["frame.line-of-preempted", "frame.function-of-preempted"].contains(&d.kind),
    },
    Permitted {
        name: "cut-without-a-word",
        reason: "up to Go 1.20 a traceback that a frame with inlined ones took past its limit ends without saying so",
        applies: |d| d.kind == "stack.outer-cut",
    },
    Permitted {
        name: "moved-on",
        reason: "the runtime does not stop the world to print: a goroutine that can run goes on until the process ends; not \
                 where its pc and sp are as printed",
        applies: |d| !d.at_rest && could_run(d) && says_where_it_stands(d.kind) && (!d.absent || applies_no_more(d)),
    },
];

/// The permitted difference that this is, if it is one.
pub fn permitted(difference: &Difference) -> Option<&'static Permitted> {
    PERMITTED.iter().find(|p| (p.applies)(difference))
}

fn one_more(difference: &Difference) -> bool {
    let minutes = |text: &str| text.parse::<u64>().ok();
    matches!((minutes(&difference.text), minutes(&difference.core)), (Some(a), Some(b)) if b == a + 1)
}

/// Whether a goroutine can run, or does: one that is called waiting and has a thread executes on its system stack, and lets others
/// look at its own meanwhile (`casGToWaiting`, runtime/proc.go). Who waits for somebody has none.
fn could_run(difference: &Difference) -> bool {
    let able = |goroutine: &Goroutine| match goroutine.status.value() {
        Some(Status::Runnable | Status::Running | Status::Syscall | Status::Preempted) => true,
        Some(Status::Waiting) => goroutine.m.value().is_some(),
        _ => false,
    };
    difference.goroutines.as_deref().is_some_and(|(text, core)| able(text) || able(core))
}

/// The core has no wait reason because the goroutine does not wait any more, or no thread because it left it.
fn applies_no_more(difference: &Difference) -> bool {
    let now = difference.goroutines.as_deref().and_then(|(_, core)| core.status.value());
    match difference.kind {
        "goroutine.wait-reason" => now.is_some_and(|status| *status != Status::Waiting),
        "goroutine.m" | "goroutine.mp" => matches!(now, Some(Status::Runnable | Status::Waiting)),
        _ => false,
    }
}

/// What changes when a goroutine goes on: not what it is, only what it does.
fn says_where_it_stands(kind: &str) -> bool {
    let of_goroutine = ["goroutine.status", "goroutine.wait-reason", "goroutine.m", "goroutine.mp", "goroutine.scan"];
    of_goroutine.contains(&kind) || kind.starts_with("frame.") || kind.starts_with("stack.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use gopsy_model::{Known, Role, Source, Trust};

    fn about(kind: &'static str, text: Status, core: Status) -> Difference {
        let goroutine = |status, source| Goroutine {
            status: Known::have(status, Trust::Exact, source),
            ..Goroutine::bare(Role::Goroutine)
        };
        let goroutines = Some(Box::new((goroutine(text, Source::Text), goroutine(core, Source::Core))));
        let (at, text, core) = ("goroutine 7".to_owned(), "1".to_owned(), "2".to_owned());
        Difference { kind, absent: false, at, text, core, goroutines, at_rest: false }
    }

    fn named(difference: &Difference) -> Option<&'static str> {
        permitted(difference).map(|p| p.name)
    }

    #[test]
    fn only_a_goroutine_that_can_run_moves_on() {
        assert_eq!(named(&about("frame.line", Status::Runnable, Status::Waiting)), Some("moved-on"));
        assert_eq!(named(&about("goroutine.status", Status::Waiting, Status::Running)), Some("moved-on"));
        assert_eq!(named(&about("frame.line", Status::Waiting, Status::Waiting)), None);
        assert_eq!(named(&about("creator.line", Status::Runnable, Status::Running)), None);
        // It waits for nobody, but lends its stack.
        let mut lent = about("goroutine.wait-reason", Status::Waiting, Status::Waiting);
        assert_eq!(named(&lent), None);
        lent.goroutines.as_mut().unwrap().0.m = Known::have(4, Trust::Exact, Source::Text);
        assert_eq!(named(&lent), Some("moved-on"));
        // A wait that is over has no reason, and one that is not has.
        let reason = |core| Difference { absent: true, ..about("goroutine.wait-reason", Status::Waiting, core) };
        assert_eq!(named(&reason(Status::Runnable)), Some("moved-on"));
        assert_eq!(named(&reason(Status::Waiting)), None);
        let thread = |core| Difference { absent: true, ..about("goroutine.m", Status::Running, core) };
        assert_eq!(named(&thread(Status::Waiting)), Some("moved-on"));
        assert_eq!(named(&thread(Status::Running)), None);
        // A core that is silent has not moved on: it is not read.
        let silent = Difference { absent: true, ..about("frame.line", Status::Waiting, Status::Running) };
        assert_eq!(named(&silent), None);
        let at_rest = Difference { at_rest: true, ..about("frame.line", Status::Running, Status::Running) };
        assert_eq!(named(&at_rest), None);
    }

    #[test]
    fn one_minute_may_pass_and_no_more() {
        let minutes = about("goroutine.minutes", Status::Waiting, Status::Waiting);
        assert_eq!(named(&minutes), Some("minutes"));
        assert_eq!(named(&Difference { core: "3".to_owned(), ..minutes.clone() }), None);
        assert_eq!(named(&Difference { core: "nothing".to_owned(), ..minutes }), None);
    }

    #[test]
    fn every_reason_is_given() {
        for permitted in PERMITTED {
            assert!(permitted.reason.len() > 20 && !permitted.name.contains(' '), "{}", permitted.name);
        }
    }
}
