//! Timers in the processors' heaps (`runtime/time.go`): those of sleeping goroutines, of `time.After` and its kin, of deadlines.
//!
//! Each processor has a heap of them: of pointers up to Go 1.22, since then of pairs of a pointer and a time.

use crate::{Known, Runtime};
use gopsy_mem::{Addr, MemoryExt};
use gopsy_model::Missing;

const TIMER: &str = "runtime.timer";
/// More timers of one processor than this are not read.
const MAX_TIMERS: u64 = 1 << 22;

/// A timer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// The address of the struct.
    pub address: Addr,
    /// It is only not taken out of the heap yet: it was stopped, or (Go 1.23+) nobody reads its channel any more.
    pub zombie: Known<bool>,
    /// When it fires, in the nanoseconds of the runtime's clock.
    pub when: Known<i64>,
    /// How long after that it fires again; 0 for never.
    pub period: Known<i64>,
    /// What it calls then.
    pub func: Known<Addr>,
    /// What it gives to that: of a sleeping goroutine its g, of `time.After` the channel.
    pub argument: Known<Addr>,
}

impl Runtime<'_> {
    /// The timers of all processors.
    #[must_use]
    pub fn timers(&self) -> Known<Vec<Timer>> {
        let processors = match self.processor_addresses() {
            Ok(processors) => processors,
            Err(why) => return Known::Missing(why),
        };
        let mut timers = Vec::new();
        for p in processors {
            if let Err(why) = self.timers_of(p, &mut timers) {
                return Known::Missing(why);
            }
        }
        self.have(timers)
    }

    fn timers_of(&self, p: Addr, timers: &mut Vec<Timer>) -> Result<(), Missing> {
        // The member is a slice itself, or a struct that has it.
        let wrapped = self.layouts.field("runtime.timers", "heap");
        let list = self.place(p, "runtime.p", "timers").ok_or_else(|| self.layouts.no_member("runtime.p", "timers"))?;
        let list = wrapped.map_or(Some(list), |heap| list.checked_add(heap.offset)).ok_or(Missing::NotInCore)?;
        let (stride, pointer) = match (wrapped, self.layouts.size("runtime.timerWhen")) {
            (None, _) => (8, 0),
            (Some(_), Some(size)) => (size, self.layouts.field("runtime.timerWhen", "timer").map_or(0, |f| f.offset)),
            (Some(_), None) => return Err(self.layouts.no_member("runtime.timerWhen", "timer")),
        };
        let (array, len) = self.slice_at(list, MAX_TIMERS, "p.timers")?;
        for index in 0..len {
            let offset = index.checked_mul(stride).and_then(|offset| offset.checked_add(pointer));
            let at = offset.and_then(|offset| array.checked_add(offset)).ok_or(Missing::NotInCore)?;
            let timer = self.mem.ptr(at).map_err(crate::missing)?;
            if !timer.is_null() {
                timers.push(self.timer(timer));
            }
        }
        Ok(())
    }

    fn timer(&self, address: Addr) -> Timer {
        let word = |name| self.word(address, &[(TIMER, name)]);
        let func = match word("f") {
            // A func value points to its code.
            Known::Have { value, .. } if value != 0 => self.answer(self.mem.ptr(Addr(value))),
            other => other.map(Addr),
        };
        let argument = match self.place(address, TIMER, "arg").and_then(|at| at.checked_add(8)) {
            Some(at) => self.answer(self.mem.ptr(at)),
            None => Known::Missing(self.layouts.no_member(TIMER, "arg")),
        };
        // `timerDeleted` and `timerRemoving` up to Go 1.22, the bit `timerZombie` since.
        let zombie = match self.layouts.field(TIMER, "state") {
            Some(_) => word("state").map(|state| state & 4 != 0),
            None => word("status").map(|status| matches!(status, 3 | 4)),
        };
        Timer {
            address,
            zombie,
            when: word("when").map(u64::cast_signed),
            period: word("period").map(u64::cast_signed),
            func,
            argument,
        }
    }
}
