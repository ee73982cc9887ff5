//! What a function does with the runtime's variables, and whom it calls, in the order of its instructions.

use super::Code;
use gopsy_insn::{Access, Decoder, Flow, Operation};
use gopsy_mem::LinkAddr;
use std::collections::HashMap;

/// No function of the runtime has as many; a longer list is not searched.
const MAX_EVENTS: usize = 4096;
/// The longest function that a recipe names has some 3 KB in Go 1.16 to 1.27.
const MAX_CODE: usize = 64 * 1024;

/// One mention of a variable, or one call of a function that a recipe names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// So many bytes are read there.
    Load(u16, LinkAddr),
    /// So many bytes are written there, read before or not.
    Store(u16, LinkAddr),
    /// The address is taken.
    Lea(LinkAddr),
    /// That function is called.
    Call(&'static str),
}

/// Functions by their entries: those that recipes name.
pub(crate) type Callees = HashMap<LinkAddr, &'static str>;

/// The events of some code. Calls of other functions, among them `morestack`, write barriers and the atomic operations that
/// are not inlined under `-l`, are left out, as are constants: what stands in memory that cannot be written.
pub(crate) fn of(code: &[u8], entry: LinkAddr, program: &dyn Code, callees: &Callees) -> Vec<Event> {
    let mut events = Vec::new();
    let code = code.get(..MAX_CODE.min(code.len())).unwrap_or(code);
    for insn in Decoder::new(code, entry) {
        if let Flow::Call(target) = insn.flow() {
            events.extend(callees.get(&target).map(|name| Event::Call(name)));
        }
        let Some((mem, access)) = insn.mem() else { continue };
        let Some(at) = mem.absolute.filter(|at| program.is_variable(*at)) else { continue };
        match access {
            Access::Read => events.push(Event::Load(mem.size, at)),
            Access::Write | Access::ReadWrite => events.push(Event::Store(mem.size, at)),
            // A long nop names memory too.
            Access::AddressOnly if matches!(insn.operation(), Operation::Address { .. }) => events.push(Event::Lea(at)),
            Access::AddressOnly => {}
        }
        if events.len() > MAX_EVENTS {
            return Vec::new();
        }
    }
    events
}
