//! What the tables say of a pc, kept: the goroutines of a large program stand at few.

use crate::code::FuncRef;
use crate::walk::Pc;
use crate::{Code, On, RawFrame, source_key};
use gopsy_image::Func;
use gopsy_mem::{Addr, Bias};
use rustc_hash::FxHashMap;
use std::cell::RefCell;

/// More pcs than this are not kept: no program stands at so many, a damaged one may seem to.
const MAX_SITES: usize = 1 << 18;

/// A pc that stacks stand at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site {
    pub(crate) func: FuncRef,
    pub(crate) role: FuncRole,
    /// How far the stack pointer stands below its value at entry, in bytes.
    pub(crate) delta: Option<u64>,
    pub(crate) top_frame: bool,
    pub(crate) sp_write: bool,
    /// It runs deferred functions, which may give callbacks from C up (`unwindm` in `runtime/cgocall.go`).
    pub(crate) panics: bool,
    /// It is the systemstack of Go 1.16, which has no flags.
    pub(crate) feigns_mstart: bool,
    /// It is C: the Go linker lists what it links, and of C objects it knows the names and no more.
    pub(crate) foreign: bool,
}

impl Site {
    /// Whether a walk goes through it like through nearly all: to the caller, on the same stack.
    pub(crate) fn is_plain(&self) -> bool {
        self.role == FuncRole::Plain && !self.top_frame && !self.sp_write && !self.panics
    }
}

/// The functions that a walk treats in a way of their own. By name: their numbers change between releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FuncRole {
    Plain,
    /// It never returns to its caller: newstack goes on at the goroutine's saved pc.
    Morestack,
    /// It returns on the goroutine's stack, where it was called.
    Systemstack,
    /// It has left its caller for good: what it calls on the system stack does not return, and the goroutine is nobody's.
    Mcall,
    /// It writes SP too, but keeps its frame valid on both stacks.
    Cgocallback,
    /// A signal handler pushed the pc behind its frame: it was interrupted, not called from (`isInjectedCall` in
    /// `runtime/traceback.go`).
    Injected,
    /// The kernel's signal frame stands above it, or C code that handles the signal.
    Handler,
    /// It has left the thread's system stack, which is full, for the one that is kept for crashes.
    ToCrashStack,
    /// It calls C on the system stack.
    Asmcgocall,
    /// It calls the race detector on the system stack; the thread's g stays.
    Racecall,
    /// It calls C or the vDSO on another part of the stack, and keeps the old stack pointer in a register or there.
    CallsC,
    /// C calls it; it saves the registers that C expects back.
    EnteredFromC,
}

/// Functions that set the stack pointer. Since Go 1.17 the tables say so (`FUNCFLAG_SPWRITE`); 1.16 has no flags, and these
/// are the ones of its `runtime/asm_amd64.s`, `sys_linux_amd64.s` and `race_amd64.s`.
const SP_WRITE: &[&[u8]] = &[
    b"runtime.gogo",
    b"runtime.mcall",
    b"runtime.systemstack",
    b"runtime.morestack",
    b"runtime.asmcgocall",
    b"runtime.cgocallback",
    b"runtime.clone",
    b"runtime.sigfwd",
    b"runtime.nanotime1",
    b"runtime.walltime1",
    b"runtime.callCgoSigaction",
    b"runtime.callCgoMmap",
    b"runtime.callCgoMunmap",
    b"racecall",
];
/// Functions at which a stack begins: `FUNCFLAG_TOPFRAME` since Go 1.17; in 1.16 `topofstack` in `runtime/traceback.go`.
const TOP_FRAME: &[&[u8]] = &[b"runtime.goexit", b"runtime.mstart", b"runtime.rt0_go"];

impl FuncRole {
    /// Whether C returns to it. Only assembly that changes stacks calls C.
    pub(crate) fn calls_c(self) -> bool {
        matches!(self, FuncRole::Asmcgocall | FuncRole::Racecall | FuncRole::CallsC)
    }

    fn of(name: &[u8]) -> FuncRole {
        match name {
            b"runtime.morestack" => FuncRole::Morestack,
            b"runtime.systemstack" => FuncRole::Systemstack,
            b"runtime.switchToCrashStack0" => FuncRole::ToCrashStack,
            b"runtime.mcall" => FuncRole::Mcall,
            b"runtime.cgocallback" => FuncRole::Cgocallback,
            b"runtime.sigpanic" | b"runtime.asyncPreempt" | b"runtime.debugCallV2" | b"runtime.debugCallV1" => {
                FuncRole::Injected
            }
            b"runtime.sigtramp" | b"runtime.cgoSigtramp" | b"runtime.sigprofNonGoWrapper" => FuncRole::Handler,
            b"runtime.asmcgocall" => FuncRole::Asmcgocall,
            b"crosscall2" | b"runtime.racecallbackthunk" => FuncRole::EnteredFromC,
            b"racecall" => FuncRole::Racecall,
            b"runtime.nanotime1" | b"runtime.walltime1" | b"time.now" | b"runtime.vgetrandom1" => FuncRole::CallsC,
            b"runtime.sigfwd" | b"runtime.callCgoSigaction" | b"runtime.callCgoMmap" | b"runtime.callCgoMunmap" => {
                FuncRole::CallsC
            }
            _ => FuncRole::Plain,
        }
    }
}

/// What the tables of one process's code say of the pcs that were met in it. It belongs to one [`Code`]: ask it with no
/// other.
#[derive(Debug, Default)]
pub struct Sites {
    sites: RefCell<FxHashMap<Pc, Option<Site>>>,
    keys: RefCell<FxHashMap<Pc, u64>>,
    /// The only calls that fit, by the calling function, the called one and the size of the frame.
    calls: RefCell<FxHashMap<(Addr, Addr, u64), Option<Addr>>>,
}

impl Sites {
    /// The only call that fits, by the function that calls, the one that is called and the size of the frame; searched for
    /// once.
    pub(crate) fn only_call(&self, key: (Addr, Addr, u64), search: impl FnOnce() -> Option<Addr>) -> Option<Addr> {
        if let Some(known) = self.calls.borrow().get(&key) {
            return *known;
        }
        let found = search();
        let mut calls = self.calls.borrow_mut();
        if calls.len() < MAX_SITES {
            calls.insert(key, found);
        }
        found
    }

    pub(crate) fn at(&self, pc: Pc, code: &Code<'_>) -> Option<Site> {
        if let Some(site) = self.sites.borrow().get(&pc) {
            return *site;
        }
        let site = code.find(pc.lookup()).and_then(|reference| {
            let (func, bias) = code.func(reference)?;
            let delta = sp_delta(&func, pc, bias).map(u64::from);
            let name = func.raw_name().unwrap_or(b"");
            Some(Site {
                func: reference,
                role: FuncRole::of(name),
                delta,
                feigns_mstart: name == b"runtime.systemstack" && !func.flags().sp_write(),
                foreign: !func.has_pcsp(),
                top_frame: func.flags().top_frame() || TOP_FRAME.contains(&name),
                sp_write: func.flags().sp_write() || SP_WRITE.contains(&name),
                panics: matches!(name, b"runtime.gopanic" | b"runtime.Goexit"),
            })
        });
        let mut sites = self.sites.borrow_mut();
        if sites.len() < MAX_SITES {
            sites.insert(pc, site);
        }
        site
    }

    /// Whether a frame is of a function that calls C or the vDSO on the system stack without that its goroutine leaves off: it keeps
    /// the old stack pointer to itself (`nanotime1`, `time.now`), and its table does not tell of it.
    #[must_use]
    pub fn visits_system_stack(&self, frame: &RawFrame, code: &Code<'_>) -> bool {
        self.at(frame.pc, code).is_some_and(|site| site.role == FuncRole::CallsC)
    }

    /// Whether a frame on the system stack is of a function that was called there: whoever changed to that stack for it
    /// (`systemstack`, `mcall`, `morestack`) has saved before where the goroutine left off.
    #[must_use]
    pub fn was_called_on_system_stack(&self, frame: &RawFrame, code: &Code<'_>) -> bool {
        let called = |site: Site| !site.sp_write && !site.foreign && site.role == FuncRole::Plain;
        frame.on == On::System && frame.foreign.is_none() && self.at(frame.pc, code).is_some_and(called)
    }

    /// What a pc shares with all that stand at the same lines of the same functions, inlined ones included.
    #[must_use]
    pub fn source_key(&self, pc: Pc, code: &Code<'_>) -> u64 {
        if let Some(key) = self.keys.borrow().get(&pc) {
            return *key;
        }
        let key = source_key(pc, code);
        let mut keys = self.keys.borrow_mut();
        if keys.len() < MAX_SITES {
            keys.insert(pc, key);
        }
        key
    }
}

/// pcsp at the pc itself, as the runtime has it; for a return address behind the function's end, at the call.
fn sp_delta(func: &Func<'_>, pc: Pc, bias: Bias) -> Option<u32> {
    let stated = bias.unload(pc.address());
    let at = if stated < func.end() { stated } else { bias.unload(pc.lookup()) };
    if func.has_pcsp() { func.sp_delta(at) } else { None }
}
