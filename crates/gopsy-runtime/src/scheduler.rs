//! The scheduler: its processors, and the queues in which goroutines wait for one (`runtime/proc.go`, `runtime/runtime2.go`).

use crate::{Known, Runtime};
use gopsy_mem::{Addr, MemoryExt};
use gopsy_model::Missing;
use std::collections::HashSet;

const P: &str = "runtime.p";
const SCHEDULER: &str = "runtime.schedt";
const QUEUE: &str = "runtime.gQueue";
/// The runtime itself allows 1024 to 2^20 processors, by release (`_MaxGomaxprocs`); no machine has more than this.
const MAX_PS: u64 = 1 << 16;
/// Places in a processor's own queue (`p.runq`), the same from Go 1.16 to 1.27.
const RING: u64 = 256;
/// More goroutines than this are not followed in the queue of all.
const MAX_QUEUED: usize = 1 << 24;

/// A processor: `runtime.p`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct P {
    /// The address of the struct.
    pub address: Addr,
    /// Its number.
    pub id: Known<u64>,
    /// What it does.
    pub status: Known<PStatus>,
    /// The thread that has it; null for none.
    pub m: Known<Addr>,
    /// The goroutines in its own queue, in the order in which they would run.
    pub queue: Known<Vec<Addr>>,
}

/// `_Pidle` and its kin (`runtime/runtime2.go`), the same from Go 1.16 to 1.27.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum PStatus {
    Idle,
    Running,
    Syscall,
    GcStop,
    Dead,
}

impl PStatus {
    /// The word of the runtime's source.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PStatus::Idle => "idle",
            PStatus::Running => "running",
            PStatus::Syscall => "syscall",
            PStatus::GcStop => "gcstop",
            PStatus::Dead => "dead",
        }
    }

    fn of(raw: u64) -> Option<PStatus> {
        Some(match raw {
            0 => PStatus::Idle,
            1 => PStatus::Running,
            2 => PStatus::Syscall,
            3 => PStatus::GcStop,
            4 => PStatus::Dead,
            _ => return None,
        })
    }
}

/// What all processors share: `runtime.sched`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduler {
    /// The goroutines that any processor may run, in the order in which they would.
    pub queue: Known<Vec<Addr>>,
    /// Threads that wait for work.
    pub idle_threads: Known<u64>,
    /// Threads that look for work.
    pub spinning_threads: Known<u64>,
}

impl Runtime<'_> {
    /// `GOMAXPROCS`.
    #[must_use]
    pub fn gomaxprocs(&self) -> Known<u64> {
        self.global("runtime.gomaxprocs", 4)
    }

    /// The processors that the scheduler has.
    #[must_use]
    pub fn processors(&self) -> Known<Vec<P>> {
        match self.processor_addresses() {
            Ok(all) => self.have(all.into_iter().map(|p| self.processor(p)).collect()),
            Err(why) => Known::Missing(why),
        }
    }

    pub(crate) fn processor_addresses(&self) -> Result<Vec<Addr>, Missing> {
        let (array, len) = self.slice("runtime.allp", MAX_PS)?;
        let address = |index: u64| self.mem.ptr(array.checked_add(index.checked_mul(8)?)?).ok();
        Ok((0..len).map_while(address).filter(|p| !p.is_null()).collect())
    }

    fn processor(&self, address: Addr) -> P {
        let word = |name| self.word(address, &[(P, name)]);
        P {
            address,
            id: word("id"),
            status: self.enumerated(word("status"), PStatus::of, "a processor"),
            m: word("m").map(Addr),
            queue: self.own_queue(address).map_or_else(Known::Missing, |queue| self.have(queue)),
        }
    }

    /// The one that runs next, and the ring.
    fn own_queue(&self, p: Addr) -> Result<Vec<Addr>, Missing> {
        let word = |name| self.word(p, &[(P, name)]).into_result();
        let (head, tail, next) = (word("runqhead")?, word("runqtail")?, word("runnext")?);
        let ring = self.place(p, P, "runq").ok_or_else(|| self.layouts.no_member(P, "runq"))?;
        // Both are uint32 and run over.
        let len = tail.wrapping_sub(head) & 0xffff_ffff;
        if len > RING {
            return Err(Missing::Unreadable("a processor's queue is longer than it can be".into()));
        }
        let mut queue: Vec<Addr> = Some(Addr(next)).into_iter().filter(|g| !g.is_null()).collect();
        for index in 0..len {
            let place = (head.wrapping_add(index) % RING).wrapping_mul(8);
            let at = ring.checked_add(place).ok_or(Missing::NotInCore)?;
            queue.push(self.mem.ptr(at).map_err(crate::missing)?);
        }
        Ok(queue)
    }

    /// What all processors share.
    #[must_use]
    pub fn scheduler(&self) -> Scheduler {
        let count = |name| self.member_of("runtime.sched", SCHEDULER, name);
        Scheduler {
            queue: self.queue_of_all().map_or_else(Known::Missing, |queue| self.have(queue)),
            idle_threads: count("nmidle"),
            spinning_threads: count("nmspinning"),
        }
    }

    /// `sched.runq`, linked through `g.schedlink`, which must have as many as the scheduler counts.
    fn queue_of_all(&self) -> Result<Vec<Addr>, Missing> {
        let variable =
            self.layouts.variable("runtime.sched").ok_or_else(|| self.layouts.no_variable("runtime.sched"))?;
        let sched = self.bias.load(variable.address);
        let word = |path: &[(&str, &str)]| self.word(sched, path).into_result();
        let mut next = Addr(word(&[(SCHEDULER, "runq"), (QUEUE, "head")])?);
        // Go 1.25 moved the count into the queue.
        let counted = word(&[(SCHEDULER, "runqsize")]).or_else(|_| word(&[(SCHEDULER, "runq"), (QUEUE, "size")]))?;
        let (mut queue, mut seen) = (Vec::new(), HashSet::new());
        while !next.is_null() {
            if !seen.insert(next) {
                return Err(Missing::Unreadable("the scheduler's queue runs in a circle".into()));
            }
            if queue.len() >= MAX_QUEUED {
                return Err(Missing::Unreadable("the scheduler's queue is longer than it can be".into()));
            }
            queue.push(next);
            next = self.pointer(next, &[("runtime.g", "schedlink")]).into_result()?;
        }
        if u64::try_from(queue.len()) != Ok(counted) {
            let why =
                format!("the scheduler counts {counted} goroutines in its queue, where {} are linked", queue.len());
            return Err(Missing::Unreadable(why.into()));
        }
        Ok(queue)
    }
}

#[cfg(test)]
mod tests {
    use crate::testkit::words;
    use crate::{Basis, Layouts, Runtime};
    use gopsy_image::{Field, StructLayout, Variable};
    use gopsy_mem::{Addr, Bias, LinkAddr, SliceMemory};
    use gopsy_model::Source;
    use std::collections::HashMap;

    const PROCESSOR: u64 = 0xc000_0000;
    const ALLP: u64 = 0x60_0000;
    const SCHED: u64 = 0x60_0040;

    fn layouts() -> Layouts {
        let of = |fields: &[(&str, u64, u64)]| StructLayout {
            size: 4096,
            fields: fields.iter().map(|(n, o, s)| ((*n).to_owned(), Field { offset: *o, size: Some(*s) })).collect(),
        };
        let structs = [
            ("runtime.p", of(&[("runqhead", 0, 4), ("runqtail", 4, 4), ("runnext", 8, 8), ("runq", 16, 2048)])),
            ("runtime.schedt", of(&[("runq", 0, 16), ("runqsize", 16, 4)])),
            ("runtime.gQueue", of(&[("head", 0, 8), ("tail", 8, 8)])),
            ("runtime.g", of(&[("schedlink", 0, 8)])),
        ];
        let variable = |at| Variable { address: LinkAddr(at), size: None };
        Layouts::made_of(
            structs.map(|(n, l)| (n.to_owned(), l)).into_iter().collect(),
            HashMap::from([("runtime.allp".to_owned(), variable(ALLP)), ("runtime.sched".to_owned(), variable(SCHED))]),
            None,
            Basis::DebugInfo,
        )
    }

    fn ask<T>(memory: &SliceMemory, question: impl FnOnce(Runtime<'_>) -> T) -> T {
        question(Runtime::new(memory, &layouts(), Bias::ZERO, Source::Core))
    }

    /// What one processor's ring gives whose place 0 holds 1000, 1 holds 1001 and so on.
    fn own_queue(head: u32, tail: u32, next: u64) -> Option<Vec<u64>> {
        let ring: Vec<u64> = (1000..1256).collect();
        let place = [words(&[u64::from(head) | u64::from(tail) << 32, next]), words(&ring)].concat();
        let memory = SliceMemory::new().with(Addr(ALLP), words(&[0xd000, 1, 1])).with(Addr(PROCESSOR), place);
        let memory = memory.with(Addr(0xd000), words(&[PROCESSOR]));
        let queue = ask(&memory, |runtime| runtime.processors().into_value().unwrap().remove(0).queue);
        queue.into_value().map(|queue| queue.iter().map(|g| g.0).collect())
    }

    #[test]
    fn a_ring_is_read_from_its_head_behind_the_one_that_runs_next() {
        assert_eq!(own_queue(7, 7, 0), Some(vec![]));
        assert_eq!(own_queue(7, 9, 77), Some(vec![77, 1007, 1008]));
        // The counters run over, and the ring with them.
        assert_eq!(own_queue(u32::MAX - 1, 1, 0), Some(vec![1254, 1255, 1000]));
        assert_eq!(own_queue(3, 259, 0).map(|queue| (queue.len(), queue[0], queue[255])), Some((256, 1003, 1002)));
        assert_eq!(own_queue(3, 260, 0), None);
        assert_eq!(own_queue(4, 3, 0), None);
    }

    #[test]
    fn the_queue_of_all_has_as_many_as_the_scheduler_counts() {
        let queue = |counted: u64, links: &[(u64, u64)]| {
            let mut memory = SliceMemory::new().with(Addr(SCHED), words(&[links[0].0, 0, counted]));
            for (at, next) in links {
                memory = memory.with(Addr(*at), words(&[*next]));
            }
            let queue = ask(&memory, |runtime| runtime.scheduler().queue);
            queue.into_value().map(|queue| queue.iter().map(|g| g.0).collect::<Vec<u64>>())
        };
        let three = [(0x1000, 0x3000), (0x3000, 0x2000), (0x2000, 0)];
        assert_eq!(queue(3, &three), Some(vec![0x1000, 0x3000, 0x2000]));
        assert_eq!((queue(2, &three), queue(4, &three)), (None, None));
        assert_eq!(queue(3, &[(0x1000, 0x3000), (0x3000, 0x1000)]), None);
        assert_eq!(queue(2, &[(0x1000, 0x9000)]), None);
    }
}
