//! The stacks that one thread may stand on.

use gopsy_mem::{Addr, Range};
use gopsy_model::Known;
use gopsy_runtime::{G, Gobuf, M, Runtime};

/// So far may frames reach beyond what the runtime takes for the end of a system stack: it is the address of a variable of
/// `mstart0`, or the stack pointer in `rt0_go` (`runtime/proc.go`, `runtime/asm_amd64.s`), with frames of their own above.
const ABOVE_SYSTEM: u64 = 4096;

/// Which stack a frame stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum On {
    /// The goroutine's own.
    Goroutine,
    /// The thread's system stack (g0).
    System,
    /// The thread's signal stack (gsignal).
    Signal,
    /// One that the runtime does not know: of a thread that C made, or a signal stack that C set up.
    Other,
}

/// The stacks of a goroutine and of the thread that runs it.
#[derive(Debug, Clone, Default)]
pub struct Stacks {
    /// The goroutine's stack.
    pub goroutine: Option<Range>,
    /// Where the goroutine left off when its thread switched to the system stack. Stale unless such a switch is seen.
    pub sched: Option<Gobuf>,
    /// The thread's system stack.
    pub system: Option<Range>,
    /// The thread's signal stack.
    pub signal: Option<Range>,
    /// The system stack that the thread has left for the one that is kept for crashes, and where it left off.
    pub overrun: Option<(Range, Gobuf)>,
    /// The goroutine.
    pub g: Option<Addr>,
    /// Its first function.
    pub entry: Option<Addr>,
    /// Where the thread's system stack was left for the goroutine's: `m.g0.sched.sp`. A callback from C saves it.
    pub system_sp: Option<Addr>,
    /// It is known that the thread runs no goroutine: nobody waits for it to come back from its system stack.
    pub without_goroutine: bool,
}

impl Stacks {
    /// Those of a goroutine and of the thread that runs it, as far as there are any.
    #[must_use]
    pub fn of(runtime: &Runtime<'_>, g: Option<&G>, m: Option<&M>) -> Stacks {
        let stack = |g: &Known<Addr>| g.value().and_then(|g| runtime.stack(*g).into_value());
        Stacks {
            goroutine: g.and_then(|g| g.stack.value().copied()),
            sched: g.and_then(|g| g.sched.value().copied()),
            system: m.and_then(|m| stack(&m.g0)),
            signal: m.and_then(|m| stack(&m.gsignal)),
            overrun: m.and_then(|m| runtime.left_for_crash_stack(m)).and_then(|g0| {
                let G { stack, sched, .. } = runtime.g(g0);
                Some((stack.into_value()?, sched.into_value()?))
            }),
            g: g.map(|g| g.address),
            entry: g.and_then(|g| g.start_pc.value().copied()),
            system_sp: m
                .and_then(|m| m.g0.value())
                .and_then(|g0| runtime.g(*g0).sched.into_value())
                .map(|s| s.sp)
                .filter(|sp| !sp.is_null()),
            without_goroutine: m.and_then(|m| m.curg.value()).is_some_and(|curg| curg.is_null()),
        }
    }

    /// Where a thread that stands on the crash stack left its own system stack.
    pub(crate) fn behind_crash_stack(&self, sp: Addr) -> Option<Gobuf> {
        let (own, left) = self.overrun?;
        // Once behind it nothing leads back.
        (self.system?.contains(sp) && own.contains(left.sp) && !own.contains(sp)).then_some(left)
    }

    /// The stack that holds that stack pointer, and its range. A pointer to a stack's very end belongs to it: the stack is then empty.
    #[must_use]
    pub fn holding(&self, sp: Addr) -> Option<(On, Range)> {
        let above = |r: Range| Range { end: Addr(r.end.0.saturating_add(ABOVE_SYSTEM)), ..r };
        let (system, overrun) = (self.system.map(above), self.overrun.map(|(stack, _)| above(stack)));
        let all =
            [(On::Goroutine, self.goroutine), (On::Signal, self.signal), (On::System, system), (On::System, overrun)];
        all.into_iter().find_map(|(on, range)| range.filter(|r| r.start <= sp && sp <= r.end).map(|r| (on, r)))
    }
}
