//! What is done where a mapped file is shorter than it was when it was mapped, or cannot be read any more: the system then says SIGBUS,
//! which would end gopsy. Zeros take the place of the page, and it is remembered that they did.
//!
//! Until a file is mapped no handler is installed; a SIGBUS that is not of a mapped file goes to the handler that was there before.

use libc::{c_int, c_void, siginfo_t};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// So many files are mapped at once.
const MAX_FILES: usize = 4096;

/// One mapping; free where `end` is 0.
struct Slot {
    start: AtomicUsize,
    end: AtomicUsize,
    taken: AtomicBool,
    lost: AtomicBool,
}

static SLOTS: [Slot; MAX_FILES] = [const {
    Slot {
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        taken: AtomicBool::new(false),
        lost: AtomicBool::new(false),
    }
}; MAX_FILES];

/// The size of a page, and what was done at a SIGBUS before; `None` where the handler could not be installed.
static BEFORE: OnceLock<Option<(usize, libc::sigaction)>> = OnceLock::new();

/// Guards the pages of one mapping, as long as it lives: it must not outlive the mapping.
#[derive(Debug)]
pub(super) struct Guard(&'static Slot);

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("lost", &self.lost).finish_non_exhaustive()
    }
}

impl Guard {
    /// A guard over the mapping that has those bytes. `None` where there are too many already, or the system refuses.
    pub(super) fn over(mapping: &[u8]) -> Option<Guard> {
        (*BEFORE.get_or_init(install))?;
        let slot = SLOTS.iter().find(|s| !s.taken.load(Ordering::Acquire) && !s.taken.swap(true, Ordering::AcqRel))?;
        slot.lost.store(false, Ordering::Release);
        let start = mapping.as_ptr().addr();
        slot.start.store(start, Ordering::Release);
        slot.end.store(start.saturating_add(mapping.len()), Ordering::Release);
        Some(Guard(slot))
    }

    /// Whether zeros took the place of a page.
    pub(super) fn lost(&self) -> bool {
        self.0.lost.load(Ordering::Acquire)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.end.store(0, Ordering::Release);
        self.0.start.store(0, Ordering::Release);
        self.0.taken.store(false, Ordering::Release);
    }
}

fn install() -> Option<(usize, libc::sigaction)> {
    // SAFETY: sysconf reads a number of the system.
    #[expect(unsafe_code, reason = "a call of libc")]
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok().filter(|p| p.is_power_of_two())?;
    // SAFETY: a sigaction is plain data, for which zeros are a value: no flags, an empty mask, the default action.
    #[expect(unsafe_code, reason = "a struct of libc")]
    let (mut own, mut before): (libc::sigaction, libc::sigaction) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    own.sa_sigaction = on_bus_error as *const () as usize;
    own.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: both structs live through the call, and the handler has the signature that SA_SIGINFO asks for. It does nothing but
    // atomic loads and stores, mmap and sigaction, which are system calls and nothing else.
    #[expect(unsafe_code, reason = "a call of libc")]
    let done = unsafe { libc::sigaction(libc::SIGBUS, &raw const own, &raw mut before) };
    (done == 0).then_some((page, before))
}

/// The handler: the faulting instruction is executed again when it returns.
extern "C" fn on_bus_error(_signal: c_int, info: *mut siginfo_t, _context: *mut c_void) {
    // While it is being installed no file is guarded.
    let Some(Some((page, before))) = BEFORE.get() else { return };
    // SAFETY: with SA_SIGINFO the kernel gives a siginfo_t, which of a SIGBUS has an address.
    #[expect(unsafe_code, reason = "what the kernel gives to a handler")]
    let address = unsafe { (*info).si_addr() }.addr();
    let holds =
        |slot: &&Slot| slot.start.load(Ordering::Acquire) <= address && address < slot.end.load(Ordering::Acquire);
    if let Some(slot) = SLOTS.iter().find(holds) {
        let at = address & !page.wrapping_sub(1);
        // SAFETY: the page lies within a mapping that a MappedFile owns, is private and read-only, and is read as bytes for which
        // every value is valid; it was not readable, so nothing that was read of it changes. With MAP_FIXED only this page is
        // replaced; the mapping's owner unmaps it with the rest.
        #[expect(unsafe_code, reason = "a call of libc")]
        let mapped = unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
            libc::mmap(std::ptr::without_provenance_mut(at), *page, libc::PROT_READ, flags, -1, 0)
        };
        if mapped != libc::MAP_FAILED {
            slot.lost.store(true, Ordering::Release);
            return;
        }
    }
    // SAFETY: it is what sigaction itself gave; the fault happens again, and is handled as if this handler had never been.
    #[expect(unsafe_code, reason = "a call of libc")]
    unsafe {
        libc::sigaction(libc::SIGBUS, std::ptr::from_ref(before), std::ptr::null_mut());
    }
}
