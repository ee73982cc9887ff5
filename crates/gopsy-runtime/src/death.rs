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
    /// The thread that crashed: the only one with `m.dying` set (`runtime.startpanic_m` sets it to 1; the threads that
    /// are made to print themselves under `GOTRACEBACK=crash` leave it at 0), else the one that took the signal
    /// (`died_tid`). `None` when neither names a thread of the runtime.
    #[must_use]
    pub fn culprit(&self, threads: &[M], died_tid: Option<u32>) -> Option<Culprit> {
        let mut dying = threads.iter().filter(|m| m.dying.value().is_some_and(|d| *d != 0));
        let (m, how) = match (dying.next(), dying.next()) {
            (Some(m), None) => {
                let thrown = m.throwing.value().is_some_and(|t| *t != 0);
                (m, if thrown { How::Thrown } else { How::Panic })
            }
            // None, or several that crashed at once: then the kernel's word decides.
            _ => {
                let tid = u64::from(died_tid?);
                let m = threads.iter().find(|m| m.tid.value() == Some(&tid))?;
                (m, How::Signalled)
            }
        };
        let g = match &m.curg {
            Known::Have { value, .. } if value.is_null() => Known::Missing(Missing::NotApplicable),
            // The goroutine must agree that this thread runs it.
            Known::Have { value, .. } => match self.pointer(*value, &[("runtime.g", "m")]).into_value() {
                Some(back) if back == m.address => self.have(*value),
                _ => Known::Missing(Missing::Unreadable("m.curg names a goroutine that another thread runs".into())),
            },
            Known::Missing(why) => Known::Missing(why.clone()),
        };
        Some(Culprit { m: m.clone(), g, how })
    }
}
