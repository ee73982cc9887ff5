//! Return addresses that a uretprobe has replaced.
//!
//! The kernel keeps the real one to itself, and nothing of it is in the process. But the frame pointer that the called function
//! saved says how large the frame of its caller is, and the tables say of every call how large the frame is there: if only
//! one call of that function in the whole program stands in a frame of that size, the caller returns behind it. A call by a func
//! value or an interface names no function; so what is found this way is inferred, and its caller's return address must prove
//! itself.

use crate::code::FuncRef;
use crate::foreign::call_before;
use crate::sites::FuncRole;
use crate::walk::{Pc, WORD, is_uretprobe};
use crate::{Code, Walker};
use gopsy_insn::{Decoder, Flow};
use gopsy_mem::{Addr, Memory, MemoryExt, Range};

/// A call with a relative address.
const CALL: u8 = 0xe8;
/// Its length.
const CALL_LEN: u64 = 5;
/// So much code is read at once.
const CHUNK: u64 = 1 << 20;
/// More code than this is not searched.
const MAX_TEXT: u64 = 1 << 30;
/// A function longer than this is not decoded to see where its instructions begin.
const MAX_FUNCTION: u64 = 1 << 20;

impl Walker<'_> {
    /// Where the function will return to whose return address was replaced; its frame ends at `end`. `None` where several calls
    /// fit, or none.
    pub(crate) fn real_return(&self, callee: FuncRef, end: Addr, stack: Range) -> Option<Addr> {
        let saved = self.mem.ptr(end.checked_sub(WORD.checked_mul(2)?)?).ok()?;
        let caller_end = saved.checked_add(WORD.checked_mul(2)?)?;
        if saved < end || saved.0.checked_rem(WORD) != Some(0) || caller_end > stack.end {
            return None;
        }
        // The caller's own return address stands above the frame pointer that it saved.
        let above = self.mem.ptr(saved.checked_add(WORD)?).ok()?;
        if !is_uretprobe(above) {
            self.code.find(Pc::Return(above).lookup())?;
            call_before(self.mem, above)?;
        }
        let delta = caller_end.offset_from(end)?.checked_sub(WORD)?;
        let (func, bias) = self.code.func(callee)?;
        let entry = bias.load(func.entry());
        // Thousands of goroutines may stand in the function that is probed.
        self.sites.only_call(entry, delta, || self.only_call(entry, delta))
    }

    /// The only call of that function in a frame of that size: where it returns to.
    fn only_call(&self, entry: Addr, delta: u64) -> Option<Addr> {
        let fits = |back: &Addr| {
            let site = self.sites.at(Pc::Return(*back), self.code);
            site.is_some_and(|site| site.delta == Some(delta) && site.role == FuncRole::Plain)
                && begins_instruction(self.mem, self.code, *back)
        };
        let calls = self.code.calls_of(self.mem, entry)?;
        let mut found = calls.iter().filter(|back| fits(back));
        match (found.next(), found.next()) {
            (Some(only), None) => Some(*only),
            _ => None,
        }
    }
}

/// Whether a call ends right before an address, by the instructions of its function from the first on.
fn begins_instruction(mem: &dyn Memory, code: &Code<'_>, back: Addr) -> bool {
    let bytes = || {
        let (func, bias) = code.function(Pc::Return(back).lookup())?;
        let entry = bias.load(func.entry());
        let len = back.offset_from(entry).filter(|len| *len <= MAX_FUNCTION)?;
        Some((entry, mem.bytes(entry, len, usize::try_from(len).ok()?).ok()?))
    };
    let Some((entry, bytes)) = bytes() else { return false };
    let last = Decoder::new(&bytes, entry).last();
    last.is_some_and(|insn| matches!(insn.flow(), Flow::Call(_)) && insn.next_address() == back)
}

impl Code<'_> {
    /// What looks like a call of the function that begins at `entry`: where each would return to. Bytes within instructions can
    /// look so by chance. `None` where a part of the code cannot be read, in which there may be another.
    pub(crate) fn calls_of(&self, mem: &dyn Memory, entry: Addr) -> Option<Vec<Addr>> {
        let mut found = Vec::new();
        for (table, bias) in self.modules() {
            let (start, stop) = (bias.load(table.text()), bias.load(table.etext()));
            let size = stop.offset_from(start).filter(|size| *size <= MAX_TEXT)?;
            let mut done = 0u64;
            while done < size {
                let at = start.checked_add(done)?;
                // One that begins at the end of a part is seen whole in the next.
                let len = CHUNK.saturating_add(CALL_LEN.saturating_sub(1)).min(size.saturating_sub(done));
                calls_in(&mem.bytes(at, len, usize::try_from(len).ok()?).ok()?, at, entry, &mut found);
                done = done.saturating_add(CHUNK);
            }
        }
        Some(found)
    }
}

fn calls_in(bytes: &[u8], start: Addr, entry: Addr, found: &mut Vec<Addr>) {
    for index in memchr::memchr_iter(CALL, bytes) {
        let displacement = index.checked_add(1).and_then(|at| bytes.get(at..)?.first_chunk());
        let Some(displacement) = displacement.map(|bytes| i32::from_le_bytes(*bytes)) else { break };
        let back = u64::try_from(index).ok().and_then(|index| start.checked_add(index)?.checked_add(CALL_LEN));
        if let Some(back) = back
            && back.0.wrapping_add_signed(displacement.into()) == entry.0
        {
            found.push(back);
        }
    }
}
