//! What time it was, by the runtime's own clock (`nanotime`, which began when the machine did).
//!
//! A core does not say when its process died. But the runtime writes the time down again and again: of the last poll of
//! the network, and, on each P, when `sysmon` last saw it change what it does, every 10 ms at most while something runs. The
//! latest of these is a time at which the process was alive; it died then or a little later.

use crate::Runtime;

impl Runtime<'_> {
    /// The latest time that the runtime is seen to have written down, in nanoseconds; `None` when none was.
    #[must_use]
    pub fn last_seen_alive(&self) -> Option<i64> {
        let sched = self.layouts.variable("runtime.sched").map(|v| self.bias.load(v.address));
        let poll = sched.and_then(|at| self.word(at, &[("runtime.schedt", "lastpoll")]).into_value());
        let ticks = self.processor_addresses().unwrap_or_default().into_iter().flat_map(|p| {
            ["schedwhen", "syscallwhen"]
                .map(|when| self.word(p, &[("runtime.p", "sysmontick"), ("runtime.sysmontick", when)]).into_value())
        });
        ticks.chain([poll]).flatten().map(u64::cast_signed).max().filter(|time| *time > 0)
    }
}
