//! The code of a function, and where the value of a register in it comes from.

use crate::Locator;
use gopsy_image::{Func, Image, Stated};
use gopsy_insn::{Decoder, Flow, Insn, Mem, Operation, Reg};
use gopsy_mem::LinkAddr;
use std::collections::{HashMap, HashSet};

/// Instructions that one search looks at.
const MAX_STEPS: usize = 4096;

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

/// Where a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Spot {
    /// All eight bytes of a register.
    Reg(Reg),
    /// Eight bytes of the stack, so far above the stack pointer.
    Stack(i64),
}

/// What one instruction does to a spot.
enum Effect {
    /// Nothing.
    None,
    /// It sets it to what another spot holds before.
    From(Spot),
    /// It sets it to this.
    Value(u64),
    /// It may set it to something else.
    Lost,
}

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

    /// The number that a spot holds when execution comes to the instruction at that address, if all ways there agree on it.
    pub(crate) fn value(&self, image: &Image, at: LinkAddr, spot: Spot) -> Option<u64> {
        let index = self.insns.binary_search_by_key(&at, Insn::address).ok()?;
        let mut search = Search { body: self, image, steps: 0, seen: HashSet::new() };
        search.before(index, spot).ok().flatten()
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

/// Something that must not happen on the way of a value, happens.
struct Doubt;

struct Search<'s> {
    body: &'s Body,
    image: &'s Image,
    steps: usize,
    seen: HashSet<(usize, Spot)>,
}

impl Search<'_> {
    /// The value before an instruction; none where all ways to it lead back to questions already asked.
    fn before(&mut self, index: usize, spot: Spot) -> Result<Option<u64>, Doubt> {
        // Every question that is open, and the one value that all answers must have.
        let mut open = vec![(index, spot)];
        let mut answer: Option<u64> = None;
        while let Some((index, spot)) = open.pop() {
            if !self.seen.insert((index, spot)) {
                continue;
            }
            self.steps = self.steps.saturating_add(1);
            if self.steps > MAX_STEPS {
                return Err(Doubt);
            }
            let ways = self.ways_to(index);
            // Into a function's first instruction the value comes from outside.
            if ways.is_empty() || index == 0 {
                return Err(Doubt);
            }
            for way in ways {
                match self.effect(way, spot) {
                    Effect::None => open.push((way, spot)),
                    Effect::From(spot) => open.push((way, spot)),
                    Effect::Value(value) if answer.is_none_or(|a| a == value) => answer = Some(value),
                    Effect::Value(_) | Effect::Lost => return Err(Doubt),
                }
            }
        }
        Ok(answer)
    }

    /// The instructions behind which execution can come to this one.
    fn ways_to(&self, index: usize) -> Vec<usize> {
        let here = self.body.insns.get(index).map(Insn::address);
        if self.body.anywhere || here.is_some_and(|at| self.body.cases.contains(&at)) {
            return Vec::new();
        }
        let mut ways = Vec::new();
        let before = index.checked_sub(1).and_then(|i| Some((i, self.body.insns.get(i)?)));
        if let Some((i, insn)) = before
            && matches!(insn.flow(), Flow::Next | Flow::Branch(_) | Flow::Call(_) | Flow::IndirectCall | Flow::Syscall)
        {
            ways.push(i);
        }
        ways.extend(here.and_then(|at| self.body.jumps.get(&at)).into_iter().flatten());
        ways
    }

    fn effect(&self, index: usize, spot: Spot) -> Effect {
        let Some(insn) = self.body.insns.get(index) else { return Effect::Lost };
        match insn.flow() {
            Flow::Next => {}
            Flow::Jump(_) | Flow::Branch(_) => return Effect::None,
            // A callee may use every register and the stack below the caller's variables.
            _ => return Effect::Lost,
        }
        match spot {
            Spot::Reg(reg) => self.effect_on_register(insn, reg),
            Spot::Stack(offset) => effect_on_stack(insn, offset),
        }
    }

    fn effect_on_register(&self, insn: &Insn<LinkAddr>, reg: Reg) -> Effect {
        match insn.operation() {
            Operation::Move { to, from, .. } if to.reg == reg && to.width == 8 && from.width == 8 && !from.high => {
                Effect::From(Spot::Reg(from.reg))
            }
            Operation::Address { to, of } if to.reg == reg && to.width == 8 => match of.absolute {
                Some(at) => Effect::Value(at.0),
                None => Effect::Lost,
            },
            Operation::Constant { to, value } if to.reg == reg && to.width >= 4 => Effect::Value(value),
            Operation::Load { to, from, .. } if to.reg == reg && to.width == 8 && from.size == 8 => {
                match (from.absolute, on_stack(&from)) {
                    (Some(at), _) if !self.image.is_variable(at) => {
                        self.image.word(at).map_or(Effect::Lost, Effect::Value)
                    }
                    (None, Some(offset)) => Effect::From(Spot::Stack(offset)),
                    _ => Effect::Lost,
                }
            }
            _ if insn.effects().writes(reg) => Effect::Lost,
            _ => Effect::None,
        }
    }
}

/// How far above the stack pointer a memory operand lies.
fn on_stack(mem: &Mem<LinkAddr>) -> Option<i64> {
    let plain = mem.base == Some(Reg::Rsp) && mem.index.is_none() && mem.segment.is_none();
    plain.then_some(mem.displacement)
}

fn effect_on_stack(insn: &Insn<LinkAddr>, offset: i64) -> Effect {
    let here = |mem: &Mem<LinkAddr>| on_stack(mem) == Some(offset) && mem.size == 8;
    match insn.operation() {
        Operation::Store { to, from } if here(&to) && from.width == 8 => return Effect::From(Spot::Reg(from.reg)),
        Operation::StoreConstant { to, value } if here(&to) => return Effect::Value(value),
        _ => {}
    }
    let effects = insn.effects();
    let overlaps = |mem: &Mem<LinkAddr>| match on_stack(mem) {
        Some(at) => {
            let (end, own_end) = (at.saturating_add(i64::from(mem.size)), offset.saturating_add(8));
            at < own_end && offset < end
        }
        // An index reaches anywhere from there.
        None => mem.base == Some(Reg::Rsp) && mem.index.is_some(),
    };
    let written = effects.memory.iter().any(|used| used.access.writes() && overlaps(&used.mem));
    if written || effects.writes(Reg::Rsp) { Effect::Lost } else { Effect::None }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
pub(crate) mod tests {
    use super::*;

    /// An ELF file whose code at 0x401000 is this.
    pub(crate) fn image(code: &[u8]) -> Image {
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        // ET_EXEC, EM_X86_64, entry; one PT_LOAD, readable and executable.
        for half in [2u16, 62] {
            file.extend(half.to_le_bytes());
        }
        file.extend(1u32.to_le_bytes());
        for word in [0x40_1000u64, 64, 0] {
            file.extend(word.to_le_bytes());
        }
        file.extend(0u32.to_le_bytes());
        for half in [64u16, 56, 1, 64, 0, 0] {
            file.extend(half.to_le_bytes());
        }
        file.extend(1u32.to_le_bytes());
        file.extend(5u32.to_le_bytes());
        let len = code.len() as u64;
        for word in [120, 0x40_1000u64, 0x40_1000, len, len, 0x1000] {
            file.extend(word.to_le_bytes());
        }
        file.extend(code);
        Image::parse(std::sync::Arc::new(file)).unwrap()
    }

    fn value(code: &[u8], call: u64, spot: Spot) -> Option<u64> {
        Body::of(&image(code), code, LinkAddr(0x40_1000)).value(&image(code), LinkAddr(0x40_1000 + call), spot)
    }

    const RAX: Spot = Spot::Reg(Reg::Rax);
    /// lea rax, [rip+0x100]: 7 bytes; at the beginning it names 0x401107.
    const LEA: [u8; 7] = [0x48, 0x8d, 0x05, 0, 1, 0, 0];
    const NOP: u8 = 0x90;
    const CALL: [u8; 5] = [0xe8, 0, 0, 0, 0];

    #[test]
    fn a_value_is_followed_through_moves_and_the_stack() {
        assert_eq!(value(&[&[NOP], &LEA[..], &CALL].concat(), 8, RAX), Some(0x40_1108));
        // mov [rsp], rax: the stack-based convention.
        let stored = [&[NOP], &LEA[..], &[0x48, 0x89, 0x04, 0x24], &CALL].concat();
        assert_eq!(value(&stored, 12, Spot::Stack(0)), Some(0x40_1108));
        assert_eq!(value(&stored, 12, Spot::Stack(8)), None);
        // mov rcx, rax; xor eax, eax; mov rax, rcx.
        let moved = [&[NOP], &LEA[..], &[0x48, 0x89, 0xc1, 0x31, 0xc0, 0x48, 0x89, 0xc8], &CALL].concat();
        assert_eq!(value(&moved, 16, RAX), Some(0x40_1108));
        // mov [rsp+0x10], rax; mov rax, [rsp+0x10].
        let spilled = [&[NOP], &LEA[..], &[0x48, 0x89, 0x44, 0x24, 0x10, 0x48, 0x8b, 0x44, 0x24, 0x10], &CALL].concat();
        assert_eq!(value(&spilled, 18, RAX), Some(0x40_1108));
    }

    #[test]
    fn what_may_be_another_value_is_none() {
        // A call in between; the upper half overwritten; the low byte overwritten; the stack pointer moved.
        assert_eq!(value(&[&[NOP], &LEA[..], &CALL, &CALL].concat(), 13, RAX), None);
        assert_eq!(value(&[&[NOP], &LEA[..], &[0x89, 0xc0], &CALL].concat(), 10, RAX), None);
        assert_eq!(value(&[&[NOP], &LEA[..], &[0xb0, 1], &CALL].concat(), 10, RAX), None);
        let pushed = [&[NOP], &LEA[..], &[0x48, 0x89, 0x04, 0x24, 0x50], &CALL].concat();
        assert_eq!(value(&pushed, 13, Spot::Stack(0)), None);
        // The value comes into the function from outside.
        assert_eq!(value(&[&[NOP], &CALL[..]].concat(), 1, RAX), None);
        // Not at the beginning of an instruction.
        assert_eq!(value(&[&[NOP], &LEA[..], &CALL].concat(), 3, RAX), None);
    }

    #[test]
    fn all_ways_must_agree() {
        // lea rax; jz +7; lea rax, other; call: two values meet. With a jump over nothing that sets it: one.
        let two = [&[NOP], &LEA[..], &[0x74, 7], &LEA, &CALL].concat();
        assert_eq!(value(&two, 17, RAX), None);
        let one = [&[NOP], &LEA[..], &[0x74, 1], &[NOP], &CALL].concat();
        assert_eq!(value(&one, 11, RAX), Some(0x40_1108));
        // A loop around a nop leads back to the question itself.
        let again = [&[NOP], &LEA[..], &[NOP, 0x75, 0xfd], &CALL].concat();
        assert_eq!(value(&again, 11, RAX), Some(0x40_1108));
        // Behind a jump, with no way there.
        assert_eq!(value(&[&[NOP], &LEA[..], &[0xeb, 0], &CALL].concat(), 10, RAX), Some(0x40_1108));
        assert_eq!(value(&[&[NOP], &LEA[..], &[0xc3], &CALL].concat(), 9, RAX), None);
        // jmp rcx somewhere: any place may be its target.
        assert_eq!(value(&[&[NOP], &LEA[..], &CALL, &[0xff, 0xe1]].concat(), 8, RAX), None);
    }

    #[test]
    fn how_a_function_takes_its_first_argument() {
        let takes = |code: &[u8]| Body::of(&image(code), code, LinkAddr(0x40_1000)).takes_rax();
        // mov [rsp+8], rax: Go 1.17+. mov rax, [rsp+8]: before. xor eax, eax sets it.
        assert_eq!(takes(&[0x48, 0x89, 0x44, 0x24, 0x08]), Some(true));
        assert_eq!(takes(&[0x48, 0x8b, 0x44, 0x24, 0x08]), Some(false));
        assert_eq!(takes(&[0x31, 0xc0]), Some(false));
        assert_eq!(takes(&[NOP, 0xc3]), None);
    }
}
