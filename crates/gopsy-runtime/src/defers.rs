//! Deferred calls that have not run: `runtime._defer` (`runtime/runtime2.go`, `runtime/panic.go`).
//!
//! Only those that the compiler made records for: what it puts into a function's own exit (open-coded defers, since Go 1.14)
//! stands in no list.

use crate::{Known, Runtime};
use gopsy_mem::{Addr, MemoryExt};
use std::collections::HashSet;

const DEFER: &str = "runtime._defer";
/// A loop may defer without bound; these are the innermost.
const MAX_DEFERS: usize = 4096;

/// A deferred call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defer {
    /// The function that will run.
    pub func: Known<Addr>,
    /// Behind the `defer` statement.
    pub pc: Known<Addr>,
    /// The stack pointer of the function with the statement.
    pub sp: Known<Addr>,
}

impl Runtime<'_> {
    /// The deferred calls of a goroutine, the next one to run first. Missing where the list cannot be read to its end.
    #[must_use]
    pub fn defers(&self, g: Addr) -> Known<Vec<Defer>> {
        let mut next = match self.pointer(g, &[("runtime.g", "_defer")]) {
            Known::Have { value, .. } => value,
            Known::Missing(why) => return Known::Missing(why),
        };
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        while !next.is_null() && found.len() < MAX_DEFERS && seen.insert(next) {
            // `fn` points to a funcval, the first word of which is the code.
            let func = match self.pointer(next, &[(DEFER, "fn")]) {
                Known::Have { value, .. } if !value.is_null() => self.answer(self.mem.ptr(value)),
                other => other,
            };
            let word = |name| self.pointer(next, &[(DEFER, name)]);
            found.push(Defer { func, pc: word("pc"), sp: word("sp") });
            next = match word("link") {
                Known::Have { value, .. } => value,
                Known::Missing(why) => return Known::Missing(why),
            };
        }
        self.have(found)
    }
}
