//! Where the value of a register or of a word on the stack comes from, as far as the code of one function proves it.

use crate::Locator;
use crate::body::Body;
use gopsy_image::{Image, Stated};
use gopsy_insn::{Flow, Insn, Mem, Operation, Reg};
use gopsy_mem::LinkAddr;
use std::collections::HashSet;

/// Instructions that one search looks at.
const MAX_STEPS: usize = 4096;
/// Words that lead to each other: a dictionary in a closure's context, one within another, a type in it.
const MAX_LOADS: usize = 4;
/// Instructions between a call of `morestack` and the jump back: one for each register that holds an argument.
const MAX_RELOADS: usize = 32;

/// Where a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Spot {
    /// All eight bytes of a register.
    Reg(Reg),
    /// Eight bytes of the stack, so far above the stack pointer.
    Stack(i64),
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    /// This number.
    Number(u64),
    /// What the function got from whoever called it.
    Argument(Argument),
    /// The address so far above the stack pointer.
    Stack(i64),
    /// What that call returned first.
    Result(LinkAddr),
}

/// What a function finds by one of its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Argument {
    /// The register that holds the argument, or the context of a closure.
    pub(crate) reg: Reg,
    /// How far behind it the next word lies, and so on; the last one is the value.
    pub(crate) loads: Vec<i64>,
}

/// What is known of functions that are called.
pub(crate) trait Callees {
    /// How many bytes above its return address are its own to write: arguments, results, and where it spills them.
    fn arguments(&self, target: LinkAddr) -> Option<u64>;
    /// The registers that it changes, of one that keeps most of them.
    fn changes(&self, target: LinkAddr) -> Option<&'static [Reg]>;
    /// It lets the caller begin anew, with the registers that the caller has saved for itself.
    fn is_morestack(&self, target: LinkAddr) -> bool;
}

impl Callees for Locator<'_> {
    fn arguments(&self, target: LinkAddr) -> Option<u64> {
        self.func(target).filter(|func| func.entry() == target)?.argument_size()
    }

    fn changes(&self, target: LinkAddr) -> Option<&'static [Reg]> {
        // `clobbers` of DUFFZERO, DUFFCOPY (up to Go 1.26) and LoweredWB, whose output is r11 since Go 1.21
        // (`cmd/compile/internal/ssa/_gen/AMD64Ops.go`, before Go 1.20 `gen/AMD64Ops.go`). The first two are entered anywhere.
        match self.func(target)?.raw_name()? {
            b"runtime.duffzero" => Some(&[Reg::Rdi]),
            b"runtime.duffcopy" => Some(&[Reg::Rsi, Reg::Rdi]),
            name if name.starts_with(b"runtime.gcWriteBarrier") => Some(&[Reg::R11]),
            _ => None,
        }
    }

    fn is_morestack(&self, target: LinkAddr) -> bool {
        let func = self.func(target).filter(|func| func.entry() == target);
        func.and_then(|func| func.name()).is_some_and(|name| name.starts_with("runtime.morestack"))
    }
}

/// The word to which these displacements lead from an address, through what does not change while the program runs.
pub(crate) fn follow(image: &Image, from: u64, loads: &[i64]) -> Option<u64> {
    loads.iter().try_fold(from, |at, load| {
        let at = LinkAddr(at.checked_add_signed(*load)?);
        if image.is_variable(at) { None } else { image.word(at) }
    })
}

impl Body {
    /// What a spot holds when execution comes to the instruction at that address, if all ways there agree on it.
    pub(crate) fn origin(&self, image: &Image, callees: &dyn Callees, at: LinkAddr, spot: Spot) -> Option<Origin> {
        let mut search = Search { body: self, image, callees, steps: 0, seen: HashSet::new() };
        search.before(self.index(at)?, spot).ok().flatten()
    }
}

/// What one instruction does to a spot.
enum Effect {
    /// Nothing.
    None,
    /// It sets it to what another spot holds before.
    From(Spot),
    /// It sets it to the word so far behind the address that a register holds before.
    Loaded(Reg, i64),
    /// It sets it to this.
    Value(u64),
    /// It sets it to what is not followed further, but is one thing.
    Own(Origin),
    /// It may set it to something else.
    Lost,
}

/// Something that must not happen on the way of a value, happens.
struct Doubt;

/// A question: what a spot holds before an instruction, and what is then loaded by it.
type Question = (usize, Spot, Vec<i64>);

struct Search<'s> {
    body: &'s Body,
    image: &'s Image,
    callees: &'s dyn Callees,
    steps: usize,
    seen: HashSet<Question>,
}

impl Search<'_> {
    /// The value before an instruction; none where all ways to it lead back to questions already asked.
    fn before(&mut self, index: usize, spot: Spot) -> Result<Option<Origin>, Doubt> {
        // Every question that is open, and the one value that all answers must have.
        let mut open: Vec<Question> = vec![(index, spot, Vec::new())];
        let mut answer: Option<Origin> = None;
        let mut agree = |found: Origin| match answer.get_or_insert_with(|| found.clone()) {
            known if *known == found => Ok(()),
            _ => Err(Doubt),
        };
        while let Some((index, spot, loads)) = open.pop() {
            if !self.seen.insert((index, spot, loads.clone())) {
                continue;
            }
            self.steps = self.steps.saturating_add(1);
            if self.steps > MAX_STEPS {
                return Err(Doubt);
            }
            if index == 0 {
                agree(Origin::Argument(self.argument(spot, loads)?))?;
                continue;
            }
            let ways = self.body.ways_to(index);
            if ways.is_empty() {
                return Err(Doubt);
            }
            for way in ways {
                match self.effect(way, spot) {
                    Effect::None => open.push((way, spot, loads.clone())),
                    Effect::From(spot) => open.push((way, spot, loads.clone())),
                    Effect::Loaded(reg, offset) if loads.len() < MAX_LOADS => {
                        let loads = std::iter::once(offset).chain(loads.iter().copied()).collect();
                        open.push((way, Spot::Reg(reg), loads));
                    }
                    Effect::Value(value) => {
                        agree(Origin::Number(follow(self.image, value, &loads).ok_or(Doubt)?))?;
                    }
                    Effect::Own(origin) if loads.is_empty() => agree(origin)?,
                    Effect::Loaded(..) | Effect::Own(_) | Effect::Lost => return Err(Doubt),
                }
            }
        }
        Ok(answer)
    }

    /// At a function's first instruction the value comes from outside; or from the function itself, if it jumps back there.
    /// Behind `morestack` it does, with the same registers.
    fn argument(&self, spot: Spot, loads: Vec<i64>) -> Result<Argument, Doubt> {
        let Spot::Reg(reg) = spot else { return Err(Doubt) };
        let begins_anew = |from: usize| {
            let before = (from.saturating_sub(MAX_RELOADS)..from).rev().filter_map(|i| self.body.insn(i));
            let mut before = before.map(Insn::flow).skip_while(|flow| matches!(flow, Flow::Next));
            matches!(before.next(), Some(Flow::Call(target)) if self.callees.is_morestack(target))
        };
        let anew = self.body.ways_to(0).into_iter().all(begins_anew);
        // Also where any instruction may be jumped to there are no ways.
        let argument = Argument { reg, loads };
        if anew && !self.body.jumps_anywhere() { Ok(argument) } else { Err(Doubt) }
    }

    fn effect(&self, index: usize, spot: Spot) -> Effect {
        let Some(insn) = self.body.insn(index) else { return Effect::Lost };
        match (insn.flow(), spot) {
            (Flow::Next, Spot::Reg(reg)) => self.effect_on_register(insn, reg),
            (Flow::Next, Spot::Stack(offset)) => effect_on_stack(insn, offset),
            (Flow::Jump(_) | Flow::Branch(_), _) => Effect::None,
            // A callee may use every register and what of the stack is its own to write, and has the address of no spill slot.
            (Flow::Call(target), Spot::Stack(offset)) => {
                let own = self.callees.arguments(target).and_then(|size| i64::try_from(size).ok());
                let keeps = self.callees.changes(target).is_some() || own.is_some_and(|own| offset >= own);
                if keeps { Effect::None } else { Effect::Lost }
            }
            (Flow::Call(target), Spot::Reg(reg)) => match self.callees.changes(target) {
                Some(changed) if !changed.contains(&reg) => Effect::None,
                None if reg == Reg::Rax => Effect::Own(Origin::Result(insn.address())),
                _ => Effect::Lost,
            },
            _ => Effect::Lost,
        }
    }

    fn effect_on_register(&self, insn: &Insn<LinkAddr>, reg: Reg) -> Effect {
        match insn.operation() {
            Operation::Move { to, from, .. } if to.reg == reg && to.width == 8 && from.width == 8 && !from.high => {
                Effect::From(Spot::Reg(from.reg))
            }
            Operation::Address { to, of } if to.reg == reg && to.width == 8 => match of.absolute {
                Some(at) => Effect::Value(at.0),
                None => on_stack(&of).map_or(Effect::Lost, |offset| Effect::Own(Origin::Stack(offset))),
            },
            Operation::Constant { to, value } if to.reg == reg && to.width >= 4 => Effect::Value(value),
            Operation::Load { to, from, .. } if to.reg == reg && to.width == 8 && from.size == 8 => {
                match (from.absolute, on_stack(&from), from.base) {
                    (Some(at), ..) if !self.image.is_variable(at) => {
                        self.image.word(at).map_or(Effect::Lost, Effect::Value)
                    }
                    (None, Some(offset), _) => Effect::From(Spot::Stack(offset)),
                    (None, None, Some(base)) if from.index.is_none() && from.segment.is_none() && base != Reg::Rsp => {
                        Effect::Loaded(base, from.displacement)
                    }
                    _ => Effect::Lost,
                }
            }
            _ if insn.effects().writes(reg) => Effect::Lost,
            _ => Effect::None,
        }
    }
}

/// How far above the stack pointer a memory operand lies.
pub(crate) fn on_stack(mem: &Mem<LinkAddr>) -> Option<i64> {
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

    /// Three functions are known: one at 0x402000, what is `morestack` at 0x403000, and one that keeps registers at 0x404000.
    struct Known;

    impl Callees for Known {
        fn arguments(&self, target: LinkAddr) -> Option<u64> {
            (target == LinkAddr(0x40_2000)).then_some(16)
        }

        fn changes(&self, target: LinkAddr) -> Option<&'static [Reg]> {
            (target == LinkAddr(0x40_4000)).then_some(&[Reg::Rdi])
        }

        fn is_morestack(&self, target: LinkAddr) -> bool {
            target == LinkAddr(0x40_3000)
        }
    }

    fn origin(code: &[u8], call: u64, spot: Spot) -> Option<Origin> {
        Body::of(&image(code), code, LinkAddr(0x40_1000)).origin(&image(code), &Known, LinkAddr(0x40_1000 + call), spot)
    }

    fn value(code: &[u8], call: u64, spot: Spot) -> Option<u64> {
        match origin(code, call, spot)? {
            Origin::Number(value) => Some(value),
            _ => None,
        }
    }

    /// A call of the function there, standing so far behind the beginning.
    fn call_to(target: u64, at: u64) -> Vec<u8> {
        let relative = (target as i64 - (0x40_1000 + at as i64 + 5)) as i32;
        [&[0xe8], &relative.to_le_bytes()[..]].concat()
    }

    #[test]
    fn a_callee_writes_what_is_its_own() {
        // mov [rsp+0x10], rax; call; mov rax, [rsp+0x10].
        let over = |offset: u8, target: u64| {
            let stored = [&[NOP], &LEA[..], &[0x48, 0x89, 0x44, 0x24, offset]].concat();
            let call = call_to(target, stored.len() as u64);
            value(&[&stored[..], &call, &[0x48, 0x8b, 0x44, 0x24, offset], &CALL].concat(), 23, RAX)
        };
        assert_eq!(over(0x10, 0x40_2000), Some(0x40_1108));
        assert_eq!(over(0x08, 0x40_2000), None);
        assert_eq!(over(0x10, 0x40_5000), None);
        // One that keeps all registers but one; another that may use all.
        let kept = |target: u64| value(&[&[NOP], &LEA[..], &call_to(target, 8), &CALL].concat(), 13, RAX);
        assert_eq!((kept(0x40_4000), kept(0x40_2000)), (Some(0x40_1108), None));
    }

    #[test]
    fn what_comes_from_outside_is_an_argument() {
        let argument = |reg, loads: &[i64]| Some(Origin::Argument(Argument { reg, loads: loads.to_vec() }));
        // nop; mov rdx, [rbx+0x30]; mov rax, [rdx+8].
        let loads = [&[NOP], &[0x48, 0x8b, 0x53, 0x30, 0x48, 0x8b, 0x42, 0x08][..], &CALL].concat();
        assert_eq!(origin(&loads, 9, RAX), argument(Reg::Rbx, &[0x30, 8]));
        // What was returned, and what stands on the stack, are themselves, but nothing is loaded by them.
        let called = [&[NOP], &CALL[..], &[0x48, 0x89, 0xc1], &CALL].concat();
        assert_eq!(origin(&called, 9, Spot::Reg(Reg::Rcx)), Some(Origin::Result(LinkAddr(0x40_1001))));
        assert_eq!(origin(&called, 9, Spot::Reg(Reg::Rbx)), None);
        let returned = [&[NOP], &CALL[..], &[0x48, 0x8b, 0x40, 0x08], &CALL].concat();
        assert_eq!(origin(&returned, 10, RAX), None);
        let slot = [&[NOP], &[0x48, 0x8d, 0x44, 0x24, 0x10][..], &CALL].concat();
        assert_eq!(origin(&slot, 6, RAX), Some(Origin::Stack(0x10)));
        // With an index; of four bytes.
        assert_eq!(origin(&[&[NOP], &[0x48, 0x8b, 0x04, 0xcb][..], &CALL].concat(), 5, RAX), None);
        assert_eq!(origin(&[&[NOP], &[0x8b, 0x43, 0x30][..], &CALL].concat(), 4, RAX), None);
        // jb behind; nop; call; ret; mov [rsp+8], rbx; call morestack; mov rbx, [rsp+8]; jmp to the beginning.
        let begin = |target: u64| {
            let head = [&[0x72, 0x0a], &[0x48, 0x8b, 0x03][..], &CALL, &[0xc3, NOP]].concat();
            let saved = [&head[..], &[0x48, 0x89, 0x5c, 0x24, 0x08]].concat();
            let called = [&saved[..], &call_to(target, saved.len() as u64), &[0x48, 0x8b, 0x5c, 0x24, 0x08]].concat();
            let back = -(called.len() as i8 + 2);
            origin(&[&called[..], &[0xeb, back as u8]].concat(), 5, RAX)
        };
        assert_eq!(begin(0x40_3000), argument(Reg::Rbx, &[0]));
        // A loop may have changed it.
        assert_eq!(begin(0x40_2000), None);
        // lea rcx, [rip+…]; mov rax, [rcx+2]: constant memory, which the code itself is here.
        let constant =
            [&[NOP, 0x48, 0x8d, 0x0d], &(-8i32).to_le_bytes()[..], &[0x48, 0x8b, 0x41, 0x02], &CALL].concat();
        let word = u64::from_le_bytes(constant[2..10].try_into().unwrap());
        assert_eq!(value(&constant, 12, RAX), Some(word));
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
        // je to the call; jmp to it; a nop that nothing leads to; and one that a jump leads to, behind another value.
        let padded = [&[NOP], &LEA[..], &[0x74, 3, 0xeb, 1, NOP], &CALL].concat();
        assert_eq!(value(&padded, 13, RAX), Some(0x40_1108));
        let led_to = [&[NOP], &LEA[..], &[0x74, 9], &LEA, &[0xeb, 1, NOP], &CALL].concat();
        assert_eq!(value(&led_to, 20, RAX), None);
        // jmp rcx somewhere: any place may be its target.
        assert_eq!(value(&[&[NOP], &LEA[..], &CALL, &[0xff, 0xe1]].concat(), 8, RAX), None);
    }
}
