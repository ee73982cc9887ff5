//! The code of a function.

use crate::Locator;
use gopsy_image::{Func, Image, Stated};
use gopsy_insn::{Decoder, Flow, Insn, Operation, Reg};
use gopsy_mem::LinkAddr;
use std::collections::{HashMap, HashSet};

/// A function's instructions, by address, without a gap.
pub(crate) struct Body {
    insns: Vec<Insn<LinkAddr>>,
    /// Where a jump leads: from which instructions.
    jumps: HashMap<LinkAddr, Vec<usize>>,
    /// Where jump tables lead (Go 1.19+): the ways there are not followed.
    cases: HashSet<LinkAddr>,
    /// It jumps to places that could not be found: any instruction may be one of them.
    anywhere: bool,
}

/// Entries of a jump table that are read. More than it has does no harm: what is taken for a case is only not followed.
const MAX_CASES: u64 = 4096;

impl Locator<'_> {
    /// The instructions of a function; `None` where they cannot be read or decoded.
    pub(crate) fn body(&self, func: &Func<'_>) -> Option<Body> {
        Some(Body::of(self.image, self.bytes(func.entry(), func.end())?, func.entry()))
    }
}

impl Body {
    pub(crate) fn of(image: &Image, bytes: &[u8], start: LinkAddr) -> Body {
        let insns: Vec<Insn<LinkAddr>> = Decoder::new(bytes, start).collect();
        let mut body = Body { insns, jumps: HashMap::new(), cases: HashSet::new(), anywhere: false };
        for (index, insn) in body.insns.iter().enumerate() {
            match insn.flow() {
                Flow::Jump(to) | Flow::Branch(to) => body.jumps.entry(to).or_default().push(index),
                Flow::IndirectJump => match body.table_before(index) {
                    Some(table) => body.cases.extend(body.cases_in(image, table)),
                    None => body.anywhere = true,
                },
                _ => {}
            }
        }
        body
    }

    /// The jump table that an indirect jump reads: `lea table, reg` a few instructions before `jmp [reg + index*8]`.
    fn table_before(&self, index: usize) -> Option<LinkAddr> {
        let (mem, _) = self.insns.get(index)?.mem()?;
        if mem.scale != 8 || mem.index.is_none() {
            return None;
        }
        let before = self.insns.get(index.saturating_sub(4)..index)?.iter().rev();
        let base = mem.base?;
        let setter = before.filter(|insn| insn.effects().writes(base)).map(Insn::operation).next()?;
        match setter {
            Operation::Address { to, of } if to.reg == base => of.absolute,
            _ => None,
        }
    }

    /// The places in this function that stand in the table.
    fn cases_in(&self, image: &Image, table: LinkAddr) -> Vec<LinkAddr> {
        let (first, last) = (self.insns.first().map(Insn::address), self.insns.last().map(Insn::address));
        let entry = |n: u64| image.word(table.checked_add(n.checked_mul(8)?)?).map(LinkAddr);
        (0..MAX_CASES).map_while(entry).take_while(|at| first <= Some(*at) && Some(*at) <= last).collect()
    }

    /// The calls that name their target: where, and of what.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (LinkAddr, LinkAddr)> + '_ {
        self.insns.iter().filter_map(|insn| match insn.flow() {
            Flow::Call(target) => Some((insn.address(), target)),
            _ => None,
        })
    }

    /// The instruction at that address, by its number.
    pub(crate) fn index(&self, at: LinkAddr) -> Option<usize> {
        self.insns.binary_search_by_key(&at, Insn::address).ok()
    }

    pub(crate) fn insn(&self, index: usize) -> Option<&Insn<LinkAddr>> {
        self.insns.get(index)
    }

    /// It jumps to places that could not be found.
    pub(crate) fn jumps_anywhere(&self) -> bool {
        self.anywhere
    }

    /// The instructions behind which execution can come to this one; none where any may be one of them.
    pub(crate) fn ways_to(&self, index: usize) -> Vec<usize> {
        let here = self.insns.get(index).map(Insn::address);
        if self.anywhere || here.is_some_and(|at| self.cases.contains(&at)) {
            return Vec::new();
        }
        let mut ways = Vec::new();
        let before = index.checked_sub(1).and_then(|i| Some((i, self.insns.get(i)?)));
        if let Some((i, insn)) = before
            && goes_on(insn)
            && !self.is_padding(i)
        {
            ways.push(i);
        }
        ways.extend(here.and_then(|at| self.jumps.get(&at)).into_iter().flatten());
        ways
    }

    /// Whether it does nothing, to have what follows at a round address, and nothing leads there.
    fn is_padding(&self, index: usize) -> bool {
        for insn in self.insns.get(..=index).unwrap_or_default().iter().rev() {
            if !goes_on(insn) {
                return true;
            }
            let led_to = self.jumps.contains_key(&insn.address()) || self.cases.contains(&insn.address());
            if !insn.is_nop() || led_to {
                return false;
            }
        }
        false
    }

    /// Whether the function at the beginning of this code takes its first argument in `rax`: it reads it before it writes
    /// it. (The stack-based calling convention of Go 1.16 and before has it at 8(SP) of the callee.)
    pub(crate) fn takes_rax(&self) -> Option<bool> {
        for insn in self.insns.iter().take(64) {
            let set = matches!(insn.operation(), Operation::Constant { to, .. } if to.reg == Reg::Rax);
            let effects = insn.effects();
            if !set && effects.reads(Reg::Rax) {
                return Some(true);
            }
            if effects.writes(Reg::Rax) {
                return Some(false);
            }
        }
        None
    }
}

/// Whether the next instruction may be the next one that runs.
fn goes_on(insn: &Insn<LinkAddr>) -> bool {
    matches!(insn.flow(), Flow::Next | Flow::Branch(_) | Flow::Call(_) | Flow::IndirectCall | Flow::Syscall)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::origin::tests::image;

    #[test]
    fn how_a_function_takes_its_first_argument() {
        let takes = |code: &[u8]| Body::of(&image(code), code, LinkAddr(0x40_1000)).takes_rax();
        // mov [rsp+8], rax: Go 1.17+. mov rax, [rsp+8]: before. xor eax, eax sets it.
        assert_eq!(takes(&[0x48, 0x89, 0x44, 0x24, 0x08]), Some(true));
        assert_eq!(takes(&[0x48, 0x8b, 0x44, 0x24, 0x08]), Some(false));
        assert_eq!(takes(&[0x31, 0xc0]), Some(false));
        assert_eq!(takes(&[0x90, 0xc3]), None);
    }
}
