//! Goroutines: `runtime.g` (`runtime/runtime2.go`).

use crate::{Known, Runtime, RuntimeError};
use gopsy_mem::{Addr, Fault, Memory, MemoryExt, Range, Why};
use gopsy_model::{Missing, Status, Str};
use std::collections::HashSet;

/// More goroutines than this are counted but not listed: a list of 16 Mi addresses is 128 MiB.
const MAX_GOROUTINES: u64 = 1 << 24;
/// `_Gscan`: the collector is scanning the stack; a bit on top of the status.
pub(crate) const GSCAN: u64 = 0x1000;

/// Where a goroutine that does not run will go on: `runtime.gobuf`. Stale while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gobuf {
    /// Its stack pointer.
    pub sp: Addr,
    /// Where it will go on: the address behind the call that parked it.
    pub pc: Addr,
}

/// The signal that a goroutine's panic or throw came from (`g.sig*`). It stays until the panic is recovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoSignal {
    /// Its number.
    pub number: u64,
    /// Its name and description as the runtime prints them (`SIGSEGV: segmentation violation`), from `runtime.sigtable`.
    pub text: Known<Str>,
    /// `si_code`.
    pub code: Known<i64>,
    /// The fault address.
    pub address: Known<u64>,
    /// The instruction that faulted.
    pub pc: Known<Addr>,
}

/// One goroutine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct G {
    /// The address of the struct.
    pub address: Addr,
    /// Its number.
    pub id: Known<u64>,
    /// What it is doing.
    pub status: Known<Status>,
    /// The collector was scanning its stack.
    pub scan: bool,
    /// Why it waits; says something only when the status is waiting.
    pub wait_reason: Known<Str>,
    /// Since when it waits, in the nanoseconds of the runtime's clock; 0 until a collection has met it waiting.
    pub wait_since: Known<i64>,
    /// Its stack.
    pub stack: Known<Range>,
    /// The thread that runs it; null when none does.
    pub m: Known<Addr>,
    /// Where it will go on.
    pub sched: Known<Gobuf>,
    /// Where it will return from a system call; null pc when it is in none.
    pub syscall: Known<Gobuf>,
    /// The address behind the call of `newproc` that created it.
    pub go_pc: Known<Addr>,
    /// Its first function.
    pub start_pc: Known<Addr>,
    /// Who created it (Go 1.21+); 0 for those that the runtime starts with.
    pub parent: Known<u64>,
    /// Its innermost panic; null when it is not panicking.
    pub panic: Known<Addr>,
    /// The thread it is locked to; null for none.
    pub locked_m: Known<Addr>,
    /// Its profiler labels; null for none.
    pub labels: Known<Addr>,
}

/// Where a goroutine stands, without reasons for what is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What it is doing.
    pub status: Option<Status>,
    /// The number of the reason why it waits ([`Runtime::wait_reason`]); says something only when it is waiting.
    pub wait_reason: Option<u64>,
    /// Since when it waits ([`G::wait_since`]).
    pub wait_since: Option<i64>,
    /// Its stack.
    pub stack: Option<Range>,
    /// The thread that runs it; null when none does.
    pub m: Option<Addr>,
    /// Where it will go on.
    pub sched: Option<Gobuf>,
    /// Where it will return from a system call; null pc when it is in none.
    pub syscall: Option<Gobuf>,
    /// The address behind the call of `newproc` that created it.
    pub go_pc: Option<Addr>,
}

/// The goroutines that `allgs` names, dead ones (kept for reuse) included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Goroutines {
    /// Their addresses, in the order in which they were made.
    pub(crate) addresses: Vec<Addr>,
    /// How many `allgs` claims.
    pub(crate) claimed: u64,
}

/// The goroutines that there can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PossibleGoroutines {
    /// Their addresses, each once: as they are listed, in the order in which they were made, then those that only threads name, then those
    /// that only their own marks tell.
    pub addresses: Vec<Addr>,
    /// The whole list was read.
    pub complete: bool,
    /// What is wrong with the list.
    pub remarks: Vec<String>,
}

impl Runtime<'_> {
    /// All goroutines.
    ///
    /// # Errors
    /// When `allgs` cannot be read. A list that breaks off is returned as far as it goes: compare with `claimed`.
    pub(crate) fn goroutines(&self) -> Result<Goroutines, RuntimeError> {
        let unreadable = |fault| RuntimeError::unreadable("goroutines", fault);
        let variable = self.layouts.variable("runtime.allgs").ok_or(RuntimeError::NotFound("runtime.allgs"))?;
        let slice = self.bias.load(variable.address);
        let array = self.mem.ptr(slice).map_err(unreadable)?;
        let claimed = self.mem.u64(Addr(slice.0.wrapping_add(8))).map_err(unreadable)?;
        // A slice that is longer than its room was damaged; what stands behind its room are no goroutines.
        let room = slice.checked_add(16).and_then(|at| self.mem.u64(at).ok()).unwrap_or(u64::MAX);
        let listed = claimed.min(room).min(MAX_GOROUTINES);
        self.mem.prefetch(&[Range::new(array, listed.saturating_mul(8))]);
        Ok(Goroutines { addresses: self.pointers(array, listed), claimed })
    }

    /// Pointers that stand one behind the other, as far as they can be read.
    fn pointers(&self, array: Addr, count: u64) -> Vec<Addr> {
        const BATCH: u64 = 512;
        let (mut found, mut batch) = (Vec::new(), [0u8; 8 * BATCH as usize]);
        for first in (0..count).step_by(BATCH as usize) {
            let Some(at) = array.checked_add(first.saturating_mul(8)) else { break };
            let words = count.saturating_sub(first).min(BATCH);
            let Some(bytes) = batch.get_mut(..usize::try_from(words.saturating_mul(8)).unwrap_or(0)) else { break };
            if self.mem.read(at, bytes).is_ok() {
                let (words, _) = bytes.as_chunks::<8>();
                found.extend(words.iter().map(|word| Addr(u64::from_le_bytes(*word))));
                continue;
            }
            // It breaks off somewhere in these.
            let one = |index: u64| self.mem.ptr(at.checked_add(index.saturating_mul(8))?).ok();
            found.extend((0..words).map_while(one));
            break;
        }
        found
    }

    /// The goroutines that there can be: a damaged list may be long, and each of its entries would be asked for. Where the list is not
    /// whole, these stretches of memory are searched for others.
    ///
    /// # Errors
    /// When the list of goroutines cannot be read at all.
    pub fn possible_goroutines(&self, memory: &[Range]) -> Result<PossibleGoroutines, RuntimeError> {
        let Goroutines { addresses, claimed } = self.goroutines()?;
        let mut remarks = Vec::new();
        let complete = u64::try_from(addresses.len()) == Ok(claimed);
        if !complete {
            remarks.push(format!("{} of {claimed} goroutines are listed in the core", addresses.len()));
        }
        let (mut addresses, wrong) = possible(self.mem, addresses);
        if !complete || wrong > 0 {
            let unlisted = self.unlisted(&addresses);
            match unlisted.len() {
                0 => {}
                1 => remarks.push("a goroutine that is not listed is known by the thread that runs it".into()),
                n => remarks.push(format!("{n} goroutines that are not listed are known by the threads that run them")),
            }
            addresses.extend(unlisted);
            let known = addresses.iter().copied().collect();
            let scattered = self.scattered(memory, &known);
            if !scattered.is_empty() {
                let count = scattered.len();
                remarks.push(format!(
                    "goroutines that are not listed were found by a search of the memory, dead ones among them: {count}"
                ));
            }
            addresses.extend(scattered);
        }
        if wrong > 0 {
            remarks.push(format!("{wrong} entries of the list of goroutines are damaged: no goroutine can be there"));
        }
        Ok(PossibleGoroutines { addresses, complete, remarks })
    }

    /// The goroutines that threads run, other than these.
    fn unlisted(&self, listed: &[Addr]) -> Vec<Addr> {
        let mut seen: HashSet<Addr> = listed.iter().copied().collect();
        let threads = self.threads().map(|threads| threads.list).unwrap_or_default();
        threads.iter().filter_map(|m| self.run_by(m).into_value()).filter(|g| seen.insert(*g)).collect()
    }

    /// What the goroutine at that address is doing.
    #[must_use]
    pub fn status(&self, g: Addr) -> Known<Status> {
        self.slot(g, self.layouts.slots().status).map(|s| status(s & !GSCAN))
    }

    /// The goroutine at that address.
    #[must_use]
    pub fn g(&self, address: Addr) -> G {
        let (record, at) = (self.record(address), self.layouts.slots());
        let raw_status = record.word(at.status);
        G {
            address,
            id: record.word(at.goid),
            scan: raw_status.value().is_some_and(|s| s & GSCAN != 0),
            status: raw_status.map(|s| status(s & !GSCAN)),
            wait_reason: match record.word(at.wait_reason) {
                Known::Have { value, .. } => self.string_in("runtime.waitReasonStrings", 16, 0, value),
                Known::Missing(why) => Known::Missing(why),
            },
            wait_since: record.word(at.wait_since).map(u64::cast_signed),
            stack: self.bounds(record.word(at.stack_lo), record.word(at.stack_hi)),
            m: record.word(at.m).map(Addr),
            sched: self.pair(record.word(at.sched_sp), record.word(at.sched_pc)),
            syscall: self.pair(record.word(at.syscall_sp), record.word(at.syscall_pc)),
            go_pc: record.word(at.go_pc).map(Addr),
            start_pc: record.word(at.start_pc).map(Addr),
            parent: record.word(at.parent),
            panic: record.word(at.panic).map(Addr),
            locked_m: record.word(at.locked_m).map(Addr),
            labels: record.word(at.labels).map(Addr),
        }
    }

    /// What decides where a goroutine's stack begins, and in which state it is: all that is asked of every goroutine of a
    /// large program.
    #[must_use]
    pub fn standing(&self, address: Addr) -> Standing {
        let (record, at) = (self.record(address), self.layouts.slots());
        let value = |slot| record.word(slot).into_value();
        let gobuf = |sp, pc| Some(Gobuf { sp: Addr(value(sp)?), pc: Addr(value(pc)?) });
        Standing {
            status: value(at.status).map(|s| status(s & !GSCAN)),
            wait_reason: value(at.wait_reason),
            wait_since: value(at.wait_since).map(u64::cast_signed),
            stack: self.bounds(record.word(at.stack_lo), record.word(at.stack_hi)).into_value(),
            m: value(at.m).map(Addr),
            sched: gobuf(at.sched_sp, at.sched_pc),
            syscall: gobuf(at.syscall_sp, at.syscall_pc),
            go_pc: value(at.go_pc).map(Addr),
        }
    }

    /// Why a goroutine waits, by the number in its g.
    #[must_use]
    pub fn wait_reason(&self, number: u64) -> Known<Str> {
        self.string_in("runtime.waitReasonStrings", 16, 0, number)
    }

    /// The stack bounds of the g at that address (also of a g0 or gsignal).
    #[must_use]
    pub fn stack(&self, g: Addr) -> Known<Range> {
        let word = |name| self.word(g, &[("runtime.g", "stack"), ("runtime.stack", name)]);
        self.bounds(word("lo"), word("hi"))
    }

    fn bounds(&self, low: Known<u64>, high: Known<u64>) -> Known<Range> {
        match (low, high) {
            (Known::Have { value: low, .. }, Known::Have { value: high, .. }) if low < high => {
                self.have(Range { start: Addr(low), end: Addr(high) })
            }
            (Known::Have { .. }, Known::Have { .. }) => Known::Missing(Missing::NotApplicable),
            (Known::Missing(why), _) | (_, Known::Missing(why)) => Known::Missing(why),
        }
    }

    fn pair(&self, sp: Known<u64>, pc: Known<u64>) -> Known<Gobuf> {
        match (sp, pc) {
            (Known::Have { value: sp, .. }, Known::Have { value: pc, .. }) => {
                self.have(Gobuf { sp: Addr(sp), pc: Addr(pc) })
            }
            (Known::Missing(why), _) | (_, Known::Missing(why)) => Known::Missing(why),
        }
    }

    /// What the runtime prints for a signal (`SIGSEGV: segmentation violation`), from its own table.
    #[must_use]
    pub fn signal_text(&self, number: u64) -> Known<Str> {
        match (self.layouts.size("runtime.sigTabT"), self.layouts.field("runtime.sigTabT", "name")) {
            (Some(size), Some(name)) => self.string_in("runtime.sigtable", size, name.offset, number),
            _ => Known::Missing(self.layouts.no_member("runtime.sigTabT", "name")),
        }
    }

    /// The signal that the goroutine's panic came from, if it came from one.
    #[must_use]
    pub fn signal(&self, g: Addr) -> Option<GoSignal> {
        let word = |name| self.word(g, &[("runtime.g", name)]);
        let number = word("sig").into_value().filter(|n| *n != 0)?;
        let text = self.signal_text(number);
        Some(GoSignal {
            number,
            text,
            // g.sigcode0 is a uintptr that holds the sign-extended si_code.
            code: word("sigcode0").map(u64::cast_signed),
            address: word("sigcode1"),
            pc: word("sigpc").map(Addr),
        })
    }
}

/// The addresses at which there can be goroutines, each once, and how many there cannot be.
fn possible(mem: &dyn Memory, mut listed: Vec<Addr>) -> (Vec<Addr>, usize) {
    listed.retain(|g| !g.is_null());
    let all = listed.len();
    let mut seen = HashSet::with_capacity(all.min(1 << 16));
    let mapped = |g: &Addr| !matches!(mem.u8(*g), Err(Fault { why: Why::Unmapped, .. }));
    listed.retain(|g| g.0.is_multiple_of(8) && mapped(g) && seen.insert(*g));
    let wrong = all.saturating_sub(listed.len());
    (listed, wrong)
}

/// `_Gidle` and its kin (`runtime/runtime2.go`): the numbers are the same in all releases, some are newer.
fn status(raw: u64) -> Status {
    match raw {
        0 => Status::Idle,
        1 => Status::Runnable,
        2 => Status::Running,
        3 => Status::Syscall,
        4 => Status::Waiting,
        6 => Status::Dead,
        8 => Status::CopyStack,
        9 => Status::Preempted,
        10 => Status::Leaked,
        // _Gdeadextra (Go 1.26): a g that waits for a C thread to use it.
        11 => Status::Dead,
        other => Status::Other(format!("status {other}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory from 0x1000 to 0x2000, of which the upper half is not held.
    struct Half;

    impl Memory for Half {
        fn read(&self, address: Addr, buf: &mut [u8]) -> Result<(), Fault> {
            let why = match address.0 {
                0x1000..0x1800 => {
                    buf.fill(0);
                    return Ok(());
                }
                0x1800..0x2000 => Why::NotHeld,
                _ => Why::Unmapped,
            };
            Err(Fault { address, why })
        }
    }

    #[test]
    fn what_is_only_missing_may_be_a_goroutine() {
        let listed = [0, 0x1000, 0x1900, 0x1000, 0x1004, 0x3000, 7].map(Addr).to_vec();
        assert_eq!(possible(&Half, listed), (vec![Addr(0x1000), Addr(0x1900)], 4));
    }
}
