//! What goroutines wait at: channels (`runtime/chan.go`, `runtime/select.go`) and semaphores (`runtime/sema.go`), which is
//! what mutexes, wait groups and their kin are made of.
//!
//! A goroutine that waits hangs on both by a `sudog`. That of a channel is found from the goroutine (`g.waiting`); that of a
//! semaphore from the table of all of them (`runtime.semtable`), since Go 1.26 from the goroutine too.

use crate::{Known, Runtime};
use gopsy_mem::Addr;
use gopsy_model::{Missing, Str};
use std::collections::{HashMap, HashSet};

const SUDOG: &str = "runtime.sudog";
const CHANNEL: &str = "runtime.hchan";
/// More cases than this no `select` has (`selectgo` has room for 65536 in its order).
const MAX_CASES: usize = 1 << 16;
/// `semTabSize`, and the distance of its entries: a `semaRoot` each, padded to a cache line. The same from Go 1.16 to 1.27.
const SEMAPHORES: u64 = 251;
const SEMAPHORE_ENTRY: u64 = 64;
/// So many places from the head of a channel's queue are looked at.
const NEAR: usize = 64;
/// More goroutines than this are not looked for below one entry of the table.
const MAX_BELOW: usize = 1 << 24;

/// Something that a goroutine waits at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WaitsAt {
    /// A channel.
    Channel(Addr),
    /// A semaphore, by the address of its count; since Go 1.26 a `sync.Cond` too, by the address of its list of waiters. Which
    /// of them it is only the reason to wait tells.
    Semaphore(Addr),
}

/// A channel, as far as it tells of those that wait at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// The type of its elements, as `%T` prints it.
    pub element: Known<Str>,
    /// How many elements it holds.
    pub len: Known<u64>,
    /// How many it has room for.
    pub capacity: Known<u64>,
    /// Whether it was closed.
    pub closed: Known<bool>,
}

impl Runtime<'_> {
    /// What a goroutine that waits hangs on, by its own word: one channel, or all those of a `select`. Empty where it hangs on
    /// none. Says nothing of a goroutine that does not wait.
    #[must_use]
    pub fn waiting(&self, g: Addr) -> Known<Vec<WaitsAt>> {
        let mut next = match self.pointer(g, &[("runtime.g", "waiting")]) {
            Known::Have { value, .. } => value,
            Known::Missing(why) => return Known::Missing(why),
        };
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        while !next.is_null() {
            if found.len() >= MAX_CASES || !seen.insert(next) {
                return Known::Missing(Missing::Unreadable("g.waiting runs in a circle".into()));
            }
            match self.sudog(g, next) {
                Ok((at, linked)) => {
                    found.push(at);
                    next = linked;
                }
                Err(why) => return Known::Missing(why),
            }
        }
        // A select may name a channel twice.
        let mut unlike = HashSet::new();
        found.retain(|at| unlike.insert(*at));
        self.have(found)
    }

    /// What one of a goroutine's sudogs hangs on, and the next one.
    fn sudog(&self, g: Addr, at: Addr) -> Result<(WaitsAt, Addr), Missing> {
        if self.sudog_pointer(at, "g")? != g {
            return Err(Missing::Unreadable(format!("the sudog at {at} is another goroutine's").into()));
        }
        let channel = self.sudog_pointer(at, "c")?;
        if channel.is_null() {
            // The list goes on with the other goroutines that wait at the semaphore.
            return Ok((WaitsAt::Semaphore(self.sudog_pointer(at, "elem")?), Addr(0)));
        }
        Ok((WaitsAt::Channel(channel), self.sudog_pointer(at, "waitlink")?))
    }

    /// A pointer member of a sudog. Since Go 1.26 some of them have two words, the second of which counts
    /// (`maybeTraceablePtr`).
    pub(crate) fn sudog_pointer(&self, at: Addr, name: &str) -> Result<Addr, Missing> {
        let wide = self.layouts.field(SUDOG, name).is_some_and(|field| field.size == Some(16));
        let path: &[(&str, &str)] = &[(SUDOG, name), ("runtime.maybeTraceablePtr", "vu")];
        self.pointer(at, if wide { path } else { path.get(..1).unwrap_or(path) }).into_result()
    }

    /// Whether a sudog stands in one of the queues of its channel; `None` where it is not among the first.
    pub(crate) fn is_queued(&self, sudog: Addr, channel: Addr) -> Option<bool> {
        let mut whole = true;
        for queue in ["recvq", "sendq"] {
            let path = [(CHANNEL, queue), ("runtime.waitq", "first")];
            let mut next = self.pointer(channel, &path).into_value().unwrap_or_default();
            for _ in 0..NEAR {
                if next == sudog {
                    return Some(true);
                }
                if next.is_null() {
                    break;
                }
                next = self.sudog_pointer(next, "next").unwrap_or_default();
            }
            whole &= next.is_null();
        }
        whole.then_some(false)
    }

    /// The channel at that address.
    #[must_use]
    pub fn channel(&self, at: Addr) -> Channel {
        let word = |name| self.word(at, &[(CHANNEL, name)]);
        let element = match word("elemtype") {
            Known::Have { value, .. } => match self.type_at(Addr(value)) {
                Ok(found) => self.have(found.name.into()),
                Err(why) => Known::Missing(why),
            },
            Known::Missing(why) => Known::Missing(why),
        };
        Channel {
            element,
            len: word("qcount"),
            capacity: word("dataqsiz"),
            closed: word("closed").map(|closed| closed != 0),
        }
    }

    /// The goroutines that wait at semaphores, each with the address of the semaphore.
    #[must_use]
    pub fn semaphores(&self) -> Known<HashMap<Addr, Addr>> {
        let Some(table) = self.layouts.variable("runtime.semtable") else {
            return Known::Missing(self.layouts.no_variable("runtime.semtable"));
        };
        let mut found = HashMap::new();
        for index in 0..SEMAPHORES {
            let root = self.bias.load(table.address).checked_add(index.saturating_mul(SEMAPHORE_ENTRY));
            let treap = root.map(|root| self.pointer(root, &[("runtime.semaRoot", "treap")]));
            match treap {
                Some(Known::Have { value, .. }) => {
                    if let Err(why) = self.below(value, index, &mut found) {
                        return Known::Missing(why);
                    }
                }
                Some(Known::Missing(why)) => return Known::Missing(why),
                None => break,
            }
        }
        self.have(found)
    }

    /// Adds the goroutines in the tree of sudogs of one entry: one for each semaphore, behind which hang those that wait at the
    /// same. The entry is the semaphore's address by 8, modulo their number (`semTable.rootFor`).
    fn below(&self, treap: Addr, index: u64, found: &mut HashMap<Addr, Addr>) -> Result<(), Missing> {
        let (mut open, mut seen) = (vec![treap], HashSet::new());
        while let Some(first) = open.pop() {
            if first.is_null() {
                continue;
            }
            let semaphore = self.sudog_pointer(first, "elem")?;
            if semaphore.0.wrapping_shr(3).checked_rem(SEMAPHORES) != Some(index) {
                return Err(Missing::Unreadable(
                    "the table of semaphores names one that belongs elsewhere in it".into(),
                ));
            }
            let mut next = first;
            while !next.is_null() {
                if seen.len() >= MAX_BELOW || !seen.insert(next) {
                    return Err(Missing::Unreadable("the table of semaphores runs in a circle".into()));
                }
                found.insert(self.sudog_pointer(next, "g")?, semaphore);
                next = self.sudog_pointer(next, "waitlink")?;
            }
            open.extend([self.sudog_pointer(first, "prev")?, self.sudog_pointer(first, "next")?]);
        }
        Ok(())
    }
}
