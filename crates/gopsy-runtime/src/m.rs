//! Threads: `runtime.m` (`runtime/runtime2.go`).

use crate::{Known, Runtime, RuntimeError};
use gopsy_mem::{Addr, MemoryExt};
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

impl Runtime<'_> {
    /// All threads, in the order of `allm` (the youngest first). Each is proved: its g0 points back to it.
    ///
    /// # Errors
    /// When the list cannot be read, runs in a circle, or the memory contradicts the layouts.
    pub fn threads(&self) -> Result<Vec<M>, RuntimeError> {
        let unreadable = |why: String| RuntimeError::Unreadable { what: "threads", why };
        let variable = self.layouts.variable("runtime.allm").ok_or(RuntimeError::NotDescribed("runtime.allm"))?;
        let mut next = self.mem.ptr(self.bias.load(variable.address)).map_err(|f| unreadable(f.to_string()))?;
        let mut threads = Vec::new();
        let mut seen = HashSet::new();
        while !next.is_null() {
            if !seen.insert(next) || threads.len() >= MAX_THREADS {
                return Err(RuntimeError::DoNotFit("the list of threads runs in a circle".to_owned()));
            }
            let m = self.m(next);
            let back = m.g0.value().and_then(|g0| self.pointer(*g0, &[("runtime.g", "m")]).into_value());
            match back {
                Some(back) if back == next => {}
                Some(_) => {
                    return Err(RuntimeError::DoNotFit(format!("the g0 of the m at {next} does not point back to it")));
                }
                None => return Err(unreadable(format!("the m at {next} or its g0 is not there"))),
            }
            threads.push(m);
            let link = self.word(next, &[("runtime.m", "alllink")]);
            next = match link {
                Known::Have { value, .. } => Addr(value),
                Known::Missing(why) => return Err(unreadable(why.to_string())),
            };
        }
        Ok(threads)
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
