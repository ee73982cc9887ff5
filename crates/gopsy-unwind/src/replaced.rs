//! Return addresses that a uretprobe has replaced.
//!
//! The kernel keeps the real one to itself, and nothing of it is in the process. But the frame pointer that the called function
//! saved leads to the frame of its caller: how large that is, and which function it is of, by the call that entered it or as
//! the goroutine's first. If one call in that function, and no other, can have led here, the caller returns behind it. A call by
//! a func value or an interface names no function, so it may be any; and what is found this way is inferred.

use crate::foreign::{CallBefore, call_before};
use crate::sites::{FuncRole, Site};
use crate::walk::{Pc, WORD};
use crate::{Stacks, Walker};
use gopsy_insn::{Decoder, Flow};
use gopsy_mem::{Addr, MemoryExt, Range};
use gopsy_model::is_uprobe_page;

/// A function longer than this is not decoded.
const MAX_FUNCTION: u64 = 1 << 20;

/// Whether a return address was replaced by a uretprobe.
pub(crate) fn is_uretprobe(back: Addr) -> bool {
    is_uprobe_page(back.0)
}

impl Walker<'_> {
    /// Where a function of Go will return to whose return address was replaced; its frame ends at `end`, on `stack`. `None`
    /// where several calls fit, or none.
    pub(crate) fn real_return(&self, callee: &Site, end: Addr, stacks: &Stacks, stack: Range) -> Option<Addr> {
        let saved = self.saved_frame_pointer(callee, end)?;
        let caller_end = saved.checked_add(WORD.checked_mul(2)?)?;
        if saved < end || saved.0.checked_rem(WORD) != Some(0) || caller_end > stack.end {
            return None;
        }
        let caller = self.entered(self.mem.ptr(saved.checked_add(WORD)?).ok()?, stacks, stack)?;
        let delta = caller_end.offset_from(end)?.checked_sub(WORD)?;
        let (func, bias) = self.code.func(callee.func)?;
        let callee = bias.load(func.entry());
        // Thousands of goroutines may stand in the function that is probed.
        self.sites.only_call((caller, callee, delta), || self.only_call(caller, callee, delta))
    }

    /// The function that returns to an address, if that says which. At the end of a goroutine's stack it is the goroutine's
    /// first.
    fn entered(&self, back: Addr, stacks: &Stacks, stack: Range) -> Option<Addr> {
        if self.sites.at(Pc::Return(back), self.code)?.top_frame {
            return stacks.entry.filter(|_| stacks.goroutine == Some(stack));
        }
        match call_before(self.mem, back)? {
            CallBefore::Direct(function) => Some(function),
            CallBefore::Indirect => None,
        }
    }

    /// Behind the only call in the function `caller` that can have entered `callee` from a frame of that size.
    fn only_call(&self, caller: Addr, callee: Addr, delta: u64) -> Option<Addr> {
        let (func, bias) = self.code.function(caller).filter(|(func, bias)| bias.load(func.entry()) == caller)?;
        let len = bias.load(func.end()).offset_from(caller).filter(|len| *len <= MAX_FUNCTION)?;
        let bytes = self.mem.bytes(caller, len, usize::try_from(len).ok()?).ok()?;
        let leads_there = |flow| matches!(flow, Flow::IndirectCall) || flow == Flow::Call(callee);
        let calls = Decoder::new(&bytes, caller).filter(|insn| leads_there(insn.flow()));
        let mut fit = calls.map(|insn| insn.next_address()).filter(|back| {
            let site = self.sites.at(Pc::Return(*back), self.code);
            site.is_some_and(|site| site.delta == Some(delta) && site.role == FuncRole::Plain)
        });
        match (fit.next(), fit.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }

    /// The frame pointer that a Go function has saved right below its return address.
    pub(crate) fn saved_frame_pointer(&self, site: &Site, end: Addr) -> Option<Addr> {
        let slot = end.checked_sub(2u64.saturating_mul(WORD)).filter(|_| site.delta.is_some_and(|d| d >= WORD))?;
        self.mem.ptr(slot).ok()
    }
}
