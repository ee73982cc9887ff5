//! Where the members of g stand, looked up once: a large program has 100,000 of them.

use crate::Layouts;

/// A member that is one word.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Slot {
    /// Its name, for the reason why there is no value.
    pub(crate) name: &'static str,
    /// Its offset and its size in bytes; `None` when it is not known where the release has such a member, if it does.
    pub(crate) place: Option<(u64, u64)>,
}

/// The members of `runtime.g` that are asked of every goroutine.
#[derive(Debug, Clone, Default)]
pub(crate) struct GSlots {
    /// The size of the whole struct.
    pub(crate) size: usize,
    pub(crate) goid: Slot,
    pub(crate) status: Slot,
    pub(crate) wait_reason: Slot,
    pub(crate) wait_since: Slot,
    pub(crate) stack_lo: Slot,
    pub(crate) stack_hi: Slot,
    pub(crate) m: Slot,
    pub(crate) sched_sp: Slot,
    pub(crate) sched_pc: Slot,
    pub(crate) sched_g: Slot,
    pub(crate) syscall_sp: Slot,
    pub(crate) syscall_pc: Slot,
    pub(crate) go_pc: Slot,
    pub(crate) start_pc: Slot,
    pub(crate) parent: Slot,
    pub(crate) panic: Slot,
    pub(crate) locked_m: Slot,
    pub(crate) labels: Slot,
}

impl GSlots {
    pub(crate) fn of(layouts: &Layouts) -> GSlots {
        let place = |path: &[(&str, &str)]| {
            let (offset, size) = layouts.locate(path).ok()?;
            Some((offset, size.filter(|s| matches!(s, 1 | 2 | 4 | 8))?))
        };
        let g = |name| Slot { name, place: place(&[("runtime.g", name)]) };
        let nested = |name, of, member| Slot { name, place: place(&[("runtime.g", name), (of, member)]) };
        GSlots {
            size: layouts.size("runtime.g").and_then(|size| usize::try_from(size).ok()).unwrap_or(0),
            goid: g("goid"),
            status: g("atomicstatus"),
            wait_reason: g("waitreason"),
            wait_since: g("waitsince"),
            stack_lo: nested("stack", "runtime.stack", "lo"),
            stack_hi: nested("stack", "runtime.stack", "hi"),
            m: g("m"),
            sched_sp: nested("sched", "runtime.gobuf", "sp"),
            sched_pc: nested("sched", "runtime.gobuf", "pc"),
            sched_g: nested("sched", "runtime.gobuf", "g"),
            syscall_sp: g("syscallsp"),
            syscall_pc: g("syscallpc"),
            go_pc: g("gopc"),
            start_pc: g("startpc"),
            parent: g("parentGoid"),
            panic: g("_panic"),
            locked_m: g("lockedm"),
            labels: g("labels"),
        }
    }
}
