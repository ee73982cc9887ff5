//! Where the members of g stand, looked up once: a large program has 100,000 of them.

use crate::Layouts;

/// A member that is one word.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Slot {
    /// Its name, for the reason why there is no value.
    pub(crate) name: &'static str,
    /// Its offset and its size in bytes; `None` when the release has no such member.
    pub(crate) place: Option<(usize, usize)>,
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
    pub(crate) syscall_sp: Slot,
    pub(crate) syscall_pc: Slot,
    pub(crate) go_pc: Slot,
    pub(crate) start_pc: Slot,
    pub(crate) parent: Slot,
    pub(crate) panic: Slot,
    pub(crate) locked_m: Slot,
    pub(crate) labels: Slot,
}

/// Structs larger than this are not read at once.
const MAX_SIZE: usize = 16 * 1024;

impl GSlots {
    pub(crate) fn of(layouts: &Layouts) -> GSlots {
        let place = |path: &[(&str, &str)]| {
            let (mut offset, mut size) = (0u64, None);
            for (of, name) in path {
                let field = layouts.field(of, name)?;
                offset = offset.checked_add(field.offset)?;
                size = field.size;
            }
            let size = size.filter(|s| matches!(s, 1 | 2 | 4 | 8))?;
            Some((usize::try_from(offset).ok()?, usize::try_from(size).ok()?))
        };
        let g = |name| Slot { name, place: place(&[("runtime.g", name)]) };
        let nested = |name, of, member| Slot { name, place: place(&[("runtime.g", name), (of, member)]) };
        GSlots {
            size: usize::try_from(layouts.size("runtime.g").unwrap_or(0)).unwrap_or(0).min(MAX_SIZE),
            goid: g("goid"),
            status: g("atomicstatus"),
            wait_reason: g("waitreason"),
            wait_since: g("waitsince"),
            stack_lo: nested("stack", "runtime.stack", "lo"),
            stack_hi: nested("stack", "runtime.stack", "hi"),
            m: g("m"),
            sched_sp: nested("sched", "runtime.gobuf", "sp"),
            sched_pc: nested("sched", "runtime.gobuf", "pc"),
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
