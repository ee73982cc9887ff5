//! Threads: `runtime.m` (`runtime/runtime2.go`).

use crate::{Known, Runtime, RuntimeError};
use gopsy_mem::{Addr, MemoryExt};
use gopsy_model::Missing;
use std::collections::HashSet;

/// The runtime itself throws at 10,000 threads unless told otherwise (`debug.SetMaxThreads`).
const MAX_THREADS: usize = 1 << 20;

/// One thread of the runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct M {
    /// The address of the struct.
    pub address: Addr,
    /// Its number (`m=3`).
    pub id: Known<u64>,
    /// Its Linux thread id; 0 before the thread has started.
    pub tid: Known<u64>,
    /// The g of its system stack.
    pub g0: Known<Addr>,
    /// The g of its signal stack.
    pub gsignal: Known<Addr>,
    /// The goroutine that it runs; null for none.
    pub curg: Known<Addr>,
    /// 1: it is printing the crash; 2 and 3: it crashed again while doing so.
    pub dying: Known<u64>,
    /// 0: no throw; 1: `fatal`; 2: `throw` or a fatal signal (Go 1.19+; before, a plain counter).
    pub throwing: Known<u64>,
}

/// The threads that `allm` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threads {
    /// Those of which the g0 points back to them, the youngest first.
    pub list: Vec<M>,
    /// Why the list breaks off, if it does: what follows in it is not known.
    pub broken: Option<Break>,
}

/// Why a list breaks off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// In words.
    pub why: String,
    /// The memory there was not saved: that says nothing against the list.
    pub not_saved: bool,
}

impl Break {
    fn wrong(why: impl Into<String>) -> Option<Break> {
        Some(Break { why: why.into(), not_saved: false })
    }

    fn missing(why: &Missing, what: &str) -> Option<Break> {
        Some(Break { why: format!("{what}: {why}"), not_saved: *why == Missing::NotInCore })
    }
}

impl Runtime<'_> {
    /// The g of the system stack that a thread has left, because that is full, for the one that is kept for crashes
    /// (`switchToCrashStack` in `runtime/proc.go`, since Go 1.22). `None` for one that has not.
    #[must_use]
    pub fn left_for_crash_stack(&self, m: &M) -> Option<Addr> {
        let variable = self.layouts.variable("runtime.crashingG")?;
        let left = self.mem.ptr(self.bias.load(variable.address)).ok().filter(|left| !left.is_null())?;
        let of = self.pointer(left, &[("runtime.g", "m")]).into_value()?;
        (of == m.address && m.g0.value().is_some_and(|g0| *g0 != left)).then_some(left)
    }

    /// All threads, in the order of `allm` (the youngest first). Each is proved: its g0 points back to it.
    ///
    /// # Errors
    /// When the list cannot be read at all. One that runs in a circle, or into memory that is no thread, is given as far as
    /// it goes.
    pub fn threads(&self) -> Result<Threads, RuntimeError> {
        let variable = self.layouts.variable("runtime.allm").ok_or(RuntimeError::NotFound("runtime.allm"))?;
        let head = self.mem.ptr(self.bias.load(variable.address));
        let mut next = head.map_err(|fault| RuntimeError::unreadable("threads", fault))?;
        let (mut list, mut seen) = (Vec::new(), HashSet::new());
        let broken = loop {
            if next.is_null() {
                break None;
            }
            if !seen.insert(next) || list.len() >= MAX_THREADS {
                break Break::wrong("it runs in a circle");
            }
            let m = self.m(next);
            let back = match &m.g0 {
                Known::Have { value, .. } => self.pointer(*value, &[("runtime.g", "m")]),
                Known::Missing(why) => Known::Missing(why.clone()),
            };
            match back {
                Known::Have { value, .. } if value == next => {}
                Known::Have { .. } => {
                    break Break::wrong(format!("the g0 of the m at {next} does not point back to it"));
                }
                Known::Missing(why) => break Break::missing(&why, &format!("the m at {next} or its g0 is not there")),
            }
            list.push(m);
            match self.pointer(next, &[("runtime.m", "alllink")]) {
                Known::Have { value, .. } => next = value,
                Known::Missing(why) => break Break::missing(&why, &format!("what follows the m at {next}")),
            }
        };
        Ok(Threads { list, broken })
    }

    /// The thread at that address.
    #[must_use]
    pub fn m(&self, address: Addr) -> M {
        let word = |name| self.word(address, &[("runtime.m", name)]);
        // dying and throwing are int32.
        M {
            address,
            id: word("id"),
            tid: word("procid"),
            g0: word("g0").map(Addr),
            gsignal: word("gsignal").map(Addr),
            curg: word("curg").map(Addr),
            dying: word("dying"),
            throwing: word("throwing"),
        }
    }
}
