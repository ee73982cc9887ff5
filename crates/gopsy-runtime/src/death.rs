//! Who died: the thread and the goroutine that a crash is about.

use crate::{Known, M, Runtime};
use gopsy_mem::Addr;
use gopsy_model::Missing;

/// How the crashing thread was recognised, and what it was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// `m.dying` is set and nothing was thrown: a panic that nobody recovered.
    Panic,
    /// `m.dying` is set and `m.throwing` too: `throw`, `fatal`, or a fatal signal that the runtime handled.
    Thrown,
    /// `m.dying` is set; whether of a panic or a throw does not show in `m.throwing`.
    Dying,
    /// The runtime did not notice; the kernel killed the process while this thread took a signal.
    Signalled,
}

/// The thread that crashed, with its goroutine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Culprit {
    /// The thread.
    pub m: M,
    /// Its goroutine; missing when it ran none.
    pub g: Known<Addr>,
    /// How it was recognised.
    pub how: How,
}

impl Runtime<'_> {
    /// The thread that crashed: one with `m.dying` set (`runtime.startpanic_m` sets it to 1; the threads that are made to
    /// print themselves under `GOTRACEBACK=crash` leave it at 0), else the one that took the signal (its number in `threads`). `None` when
    /// neither names a thread of the runtime.
    ///
    /// Of two that crashed at once the first prints itself and then waits for ever, while the second, when it has printed
    /// too, ends the process (`dopanic_m` in `runtime/panic.go`): so the one that did not take the signal was the first. Of
    /// more than two, the one that took the signal was the last; which of the others was the first does not show.
    #[must_use]
    pub fn culprit(&self, threads: &[M], signalled: Option<usize>) -> Option<Culprit> {
        // Who took the signal is the last that died, perhaps not the first: without `m.dying` that cannot be told.
        if threads.iter().any(|m| m.dying.missing().is_some()) {
            return None;
        }
        let signalled = signalled.and_then(|thread| threads.get(thread));
        let took_signal = |m: &&M| signalled.is_some_and(|signalled| signalled.address == m.address);
        let dying: Vec<&M> = threads.iter().filter(|m| m.dying.value().is_some_and(|d| *d != 0)).collect();
        let m = match dying.as_slice() {
            [] => None,
            [m] => Some(*m),
            [a, b] if took_signal(b) => Some(*a),
            [a, b] if took_signal(a) => Some(*b),
            all => all.iter().copied().find(took_signal),
        };
        let (m, how) = match m {
            Some(m) => {
                let how = match m.throwing.value() {
                    Some(0) => How::Panic,
                    Some(_) => How::Thrown,
                    None => How::Dying,
                };
                (m, how)
            }
            None => (signalled?, How::Signalled),
        };
        Some(Culprit { m: m.clone(), g: self.run_by(m), how })
    }

    /// The goroutine that a thread runs, which must agree; missing when it runs none.
    #[must_use]
    pub fn run_by(&self, m: &M) -> Known<Addr> {
        match &m.curg {
            Known::Have { value, .. } if value.is_null() => Known::Missing(Missing::NotApplicable),
            Known::Have { value, .. } => match self.pointer(*value, &[("runtime.g", "m")]) {
                Known::Have { value: back, .. } if back == m.address => self.have(*value),
                Known::Have { .. } => Known::Missing(Missing::Unreadable(
                    "the goroutine that m.curg names does not say that this thread runs it".into(),
                )),
                Known::Missing(why) => Known::Missing(why),
            },
            Known::Missing(why) => Known::Missing(why.clone()),
        }
    }
}
