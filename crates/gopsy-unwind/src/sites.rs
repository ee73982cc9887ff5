//! What the tables say of a pc, kept: the goroutines of a large program stand at few.

use crate::code::FuncRef;
use crate::walk::Pc;
use crate::{Code, source_key};
use gopsy_image::Func;
use gopsy_mem::Bias;
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
}

/// The functions that a walk treats in a way of their own. By name: their numbers change between releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FuncRole {
    Plain,
    /// It never returns to its caller: newstack goes on at the goroutine's saved pc.
    Morestack,
    /// It returns on the goroutine's stack, where it was called.
    Systemstack,
    /// It writes SP too, but keeps its frame valid on both stacks.
    Cgocallback,
    /// A signal handler pushed the pc behind its frame: it was interrupted, not called from (`isInjectedCall` in
    /// `runtime/traceback.go`).
    Injected,
    /// The kernel's signal frame stands above it.
    Handler,
    /// The outermost of its stack (`topofstack` in `runtime/traceback.go`). Go 1.16 has no flag for it.
    Outermost,
}

impl FuncRole {
    fn of(name: &[u8]) -> FuncRole {
        match name {
            b"runtime.morestack" => FuncRole::Morestack,
            b"runtime.systemstack" => FuncRole::Systemstack,
            b"runtime.cgocallback" => FuncRole::Cgocallback,
            b"runtime.sigpanic" | b"runtime.asyncPreempt" | b"runtime.debugCallV2" | b"runtime.debugCallV1" => {
                FuncRole::Injected
            }
            b"runtime.sigtramp" | b"runtime.cgoSigtramp" | b"runtime.sigprofNonGoWrapper" => FuncRole::Handler,
            b"runtime.goexit" | b"runtime.mstart" | b"runtime.rt0_go" | b"runtime.mcall" => FuncRole::Outermost,
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
}

impl Sites {
    pub(crate) fn at(&self, pc: Pc, code: &Code<'_>) -> Option<Site> {
        if let Some(site) = self.sites.borrow().get(&pc) {
            return *site;
        }
        let site = code.find(pc.lookup()).and_then(|reference| {
            let (func, bias) = code.func(reference)?;
            Some(Site {
                func: reference,
                role: FuncRole::of(func.raw_name().unwrap_or(b"")),
                delta: sp_delta(&func, pc, bias).map(u64::from),
                top_frame: func.flags().top_frame(),
                sp_write: func.flags().sp_write(),
            })
        });
        let mut sites = self.sites.borrow_mut();
        if sites.len() < MAX_SITES {
            sites.insert(pc, site);
        }
        site
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
