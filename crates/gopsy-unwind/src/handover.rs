//! What the runtime's assembly leaves behind where it changes stacks: where each half of a call continues.

use crate::foreign::{CallBefore, call_before};
use crate::registers::{CALLEE_SAVED, RSP};
use crate::sites::{FuncRole, Site};
use crate::walk::WORD;
use crate::{Found, Pc, Register, RegisterSet, Stacks, Walker};
use gopsy_insn::{Decoder, Flow, Insn, Operation, Reg, RegPart};
use gopsy_mem::{Addr, Memory, MemoryExt, Range};

/// Where `asmcgocall` keeps the goroutine and the depth of its stack, from the stack pointer that C was called with
/// (`runtime/asm_amd64.s`): up to Go 1.21 above a home for four registers, which Windows wants; since 1.22 at once.
const SAVED_BY_ASMCGOCALL: [(u64, u64); 2] = [(8, 0), (48, 40)];
/// The instructions behind a call that are looked at for what sets the stack pointer back.
const MAX_BEHIND: usize = 24;
/// The first instructions of a function, which save what C expects back.
const MAX_PROLOGUE: usize = 24;
/// So many words that C saved are looked at.
const MAX_SAVED: u64 = 512;
/// Instructions have 15 bytes at most.
const MAX_INSN: usize = 15;

/// The stack pointer of `asmcgocall` before it changed to the system stack, from the one on that.
///
/// It saves the goroutine and how deep its stack is, not where: stacks move. On a system stack already it saves no
/// goroutine and the bare stack pointer.
///
/// Which goroutine that is may be all that is known of it: its stack is the first of its members, at an offset that C knows, too
/// (`type g` in `runtime/runtime2.go`, Go 1.16 to 1.27). That this very function was called there is the proof.
pub(crate) fn asmcgocall(walker: &Walker<'_>, stacks: &Stacks, site: &Site, sp: Addr, delta: u64) -> Option<Addr> {
    SAVED_BY_ASMCGOCALL.iter().find_map(|(g_at, depth_at)| {
        let g = walker.mem.ptr(sp.checked_add(*g_at)?).ok()?;
        let saved = walker.mem.u64(sp.checked_add(*depth_at)?).ok()?;
        let old = if g.is_null() {
            let (old, here) = (Addr(saved), stacks.holding(sp).map(|s| s.0));
            (old > sp && stacks.holding(old).map(|s| s.0) == here).then_some(old)?
        } else {
            let stack = match stacks.g {
                Some(known) => stacks.goroutine.filter(|_| known == g)?,
                None => Range { start: walker.mem.ptr(g).ok()?, end: walker.mem.ptr(g.checked_add(WORD)?).ok()? },
            };
            stack.end.checked_sub(saved).filter(|old| stack.start <= *old)?
        };
        let slot = old.checked_add(delta)?;
        let proved = match stacks.g {
            Some(_) => is_called_from_go(walker, walker.mem.ptr(slot).ok()?),
            None => call_of(walker, site, slot).is_some(),
        };
        proved.then_some(old)
    })
}

/// The stack pointer with which `systemstack` goes on after what it calls, where no g tells: from the one before.
///
/// What it calls on the system stack saves the frame pointer first. That is still the one of the goroutine's stack: of
/// `systemstack` itself where it has a frame (its table says so), else of its caller. That a call of `systemstack` left its
/// return address right there is the proof.
pub(crate) fn left_for_system_stack(walker: &Walker<'_>, site: &Site, sp: Addr, delta: u64) -> Option<Addr> {
    let fp = walker.mem.ptr(sp.checked_sub(2 * WORD)?).ok()?;
    let slot = if delta > 0 {
        fp.checked_add(WORD).filter(|slot| call_of(walker, site, *slot).is_some())?
    } else {
        // The caller's own table tells how far below its saved frame pointer it called.
        (1..=MAX_SAVED).find_map(|words| {
            let slot = fp.checked_sub(words.checked_mul(WORD)?)?;
            let caller = walker.sites.at(Pc::Return(call_of(walker, site, slot)?), walker.code)?;
            (caller.delta.and_then(|delta| slot.checked_add(delta)) == Some(fp)).then_some(slot)
        })?
    };
    slot.checked_sub(delta)
}

/// The return address on the stack there, if a call of the function of a site has left it.
fn call_of(walker: &Walker<'_>, site: &Site, slot: Addr) -> Option<Addr> {
    let (func, bias) = walker.code.func(site.func)?;
    let back = walker.mem.ptr(slot).ok()?;
    let target = bias.load(func.entry());
    (call_before(walker.mem, back) == Some(CallBefore::Direct(target))).then_some(back)
}

/// Whether `morestack` stands on the stack of the function that asked for more, to which it would return from there: it has not
/// gone to the system stack, because it is that stack, or the signal stack, which cannot grow (`runtime/asm_amd64.s`).
pub(crate) fn has_not_switched(walker: &Walker<'_>, slot: Addr) -> bool {
    const ASKS: [&[u8]; 2] = [b"runtime.morestack", b"runtime.morestack_noctxt"];
    let call = walker.mem.ptr(slot).ok().and_then(|back| call_before(walker.mem, back));
    let Some(CallBefore::Direct(target)) = call else { return false };
    walker.code.function(target).is_some_and(|(func, bias)| {
        bias.load(func.entry()) == target && func.raw_name().is_some_and(|name| ASKS.contains(&name))
    })
}

/// Whether an address is one behind a call in a Go function.
fn is_called_from_go(walker: &Walker<'_>, back: Addr) -> bool {
    walker.code.find(Pc::Return(back).lookup()).is_some() && call_before(walker.mem, back).is_some()
}

/// The half of `cgocallback` that stands on the system stack.
pub(crate) struct SystemHalf {
    /// Where its frame ends.
    pub(crate) end: Addr,
    /// Where it returns to: `crosscall2`, which C called.
    pub(crate) back: Addr,
    /// What `m.g0.sched.sp` was before: the half of the next callback further out, if there is one.
    pub(crate) outer_sp: Option<Addr>,
}

/// `cgocallback` saves `m.g0.sched.sp` at 0(SP) and sets it to SP; its frames on the two stacks have one size
/// (`runtime/asm_amd64.s`, Go 1.16 to 1.27). That `crosscall2` called it is the proof.
pub(crate) fn system_half(walker: &Walker<'_>, sp: Addr, delta: u64) -> Option<SystemHalf> {
    let slot = sp.checked_add(delta)?;
    let back = walker.mem.ptr(slot).ok()?;
    let caller = walker.sites.at(Pc::Return(back), walker.code)?;
    if caller.role != FuncRole::EnteredFromC || call_before(walker.mem, back).is_none() {
        return None;
    }
    let outer_sp = walker.mem.ptr(sp).ok().filter(|sp| !sp.is_null());
    Some(SystemHalf { end: slot.checked_add(WORD)?, back, outer_sp })
}

/// How far below the arguments of the function that C calls its half of `cgocallback` is looked for: between them stand the rest of the
/// frame of who calls `crosscall2`, and what that saves.
const MAX_BELOW_ARGUMENTS: u64 = 4096;

/// The half of `cgocallback` on the system stack, by the other one on the goroutine's, which has the same three arguments at its stack
/// pointer: the function, where its arguments stand in its caller's frame on the stack of C, and a context (since Go 1.27 they are passed in
/// registers, and `cgocallbackg` keeps them there). Above the half they are those of `cgocallback` itself.
pub(crate) fn searched_half(walker: &Walker<'_>, own_sp: Addr, delta: u64) -> Option<SystemHalf> {
    let arguments = |at: Addr| -> Option<[u64; 3]> {
        let mut bytes = [0; 24];
        walker.mem.read(at, &mut bytes).ok()?;
        let (words, _) = bytes.as_chunks::<8>();
        let [function, frame, context] = words else { return None };
        Some([*function, *frame, *context].map(u64::from_le_bytes))
    };
    let own = arguments(own_sp)?;
    let [function, frame, _] = own;
    walker.code.find(Addr(function))?;
    // Where there are no arguments it is a byte.
    let frame = Addr(frame & !7);
    (1..MAX_BELOW_ARGUMENTS / WORD).find_map(|words| {
        let end = frame.checked_sub(words.checked_mul(WORD)?)?;
        let sp = end.checked_sub(WORD)?.checked_sub(delta)?;
        let half = system_half(walker, sp, delta).filter(|_| arguments(end) == Some(own))?;
        // What called `crosscall2` may be overwritten all the same: the frame of that is further out.
        let called = walker.sites.at(Pc::Return(half.back), walker.code)?.delta?;
        let by_c = walker.mem.ptr(end.checked_add(called)?).ok()?;
        call_before(walker.mem, by_c).is_some().then_some(half)
    })
}

/// The registers that a function which C calls has saved in its frame: those that C expects back.
///
/// `crosscall2`, `racecallbackthunk` and `sigtramp` store them before anything else; where, differs between releases
/// (`PUSH_REGS_HOST_TO_ABI0` in `runtime/cgo/abi_amd64.h` since Go 1.17), so their code is asked.
pub(crate) fn saved_registers(walker: &Walker<'_>, site: &Site, end: Addr) -> Vec<(u8, Register)> {
    let mut saved: Vec<(u8, Register)> = Vec::new();
    let Some((func, bias)) = walker.code.func(site.func) else { return saved };
    let entry = bias.load(func.entry());
    // What the prologue has subtracted so far is in the table: the stack pointer at each instruction.
    for insn in instructions(walker.mem, entry, MAX_PROLOGUE) {
        if !matches!(insn.flow(), Flow::Next | Flow::Branch(_)) {
            break;
        }
        let (from, below) = match (insn.pushed(), insn.operation()) {
            (Some(from), _) => (from, WORD.cast_signed().saturating_neg()),
            (None, Operation::Store { to, from })
                if (to.base, to.index, to.segment) == (Some(Reg::Rsp), None, None) =>
            {
                (from, to.displacement)
            }
            _ => continue,
        };
        let Some(number) = dwarf(from) else { continue };
        let here = func.sp_delta(bias.unload(insn.address())).map(u64::from);
        let sp = here.and_then(|delta| end.checked_sub(WORD)?.checked_sub(delta));
        let value = sp.and_then(|sp| sp.0.checked_add_signed(below)).and_then(|at| walker.mem.u64(Addr(at)).ok());
        if let Some(value) = value
            && CALLEE_SAVED.contains(&number)
            && !saved.iter().any(|(n, _)| *n == number)
        {
            saved.push((number, Register { value, found: Found::Table }));
        }
    }
    saved
}

/// The stack pointer that a function which changed stacks will set again: by the registers that C gives back, and by what
/// was saved on the stack. Followed through moves and loads, over calls and past branches that are not taken.
///
/// From an instruction that was interrupted the function may still be on its way to C, and load the stack pointer of the
/// other stack: then only a register will do, which is how the way back is kept (`MOVQ R12, SP`).
pub(crate) fn restored_sp(walker: &Walker<'_>, pc: Pc, sp: Addr, registers: &RegisterSet) -> Option<Register> {
    let mut now = *registers;
    now.set(RSP, Some(Register { value: sp.0, found: Found::Table }));
    let interrupted = match pc {
        Pc::Interrupted(_) => true,
        Pc::Return(_) => {
            called(&mut now);
            false
        }
    };
    for insn in instructions(walker.mem, pc.address(), MAX_BEHIND) {
        match insn.flow() {
            Flow::Next => {}
            Flow::Branch(_) if interrupted => {}
            // time.now asks the vDSO twice.
            Flow::Call(_) | Flow::IndirectCall => {
                called(&mut now);
                continue;
            }
            _ => return None,
        }
        let value = match insn.operation() {
            Operation::Move { to, from, .. } => dwarf(to).map(|n| (n, dwarf(from).and_then(|f| now.number(f)))),
            Operation::Load { to, .. } if interrupted && dwarf(to) == Some(RSP) => return None,
            Operation::Load { to, from, .. } if from.index.is_none() && from.segment.is_none() && from.size == 8 => {
                let base = from.base.and_then(of_reg).and_then(|n| now.number(n));
                let at = base.and_then(|b| b.value.checked_add_signed(from.displacement));
                let word = at.and_then(|at| walker.mem.u64(Addr(at)).ok());
                let found = base.map_or(Found::Table, |b| b.found);
                dwarf(to).map(|n| (n, word.map(|value| Register { value, found })))
            }
            _ => None,
        };
        if let Some((RSP, value)) = value {
            return value;
        }
        for used in insn.effects().registers.iter().filter(|used| used.access.writes()) {
            if let Some(number) = of_reg(used.part.reg) {
                now.set(number, None);
            }
        }
        if let Some((number, value)) = value {
            now.set(number, value);
        }
    }
    None
}

/// What a call does not give back is not known behind it.
fn called(registers: &mut RegisterSet) {
    for number in (0..RSP).chain(8..16).filter(|n| !CALLEE_SAVED.contains(n)) {
        registers.set(number, None);
    }
}

/// Where no table tells what became of r12: the stack pointer that `racecall` keeps there, looked for among the words that C
/// saved. It is one on the goroutine's stack at which the return address of a call of the race hooks stands.
pub(crate) fn searched_race_sp(walker: &Walker<'_>, stacks: &Stacks, from: Addr, to: Addr) -> Option<Addr> {
    let stack = stacks.goroutine?;
    let mut slot = from;
    for _ in 0..MAX_SAVED {
        if slot >= to {
            return None;
        }
        let value = walker.mem.ptr(slot).ok()?;
        if stack.contains(value) && is_race_call(walker, value) {
            return Some(value);
        }
        slot = slot.checked_add(WORD)?;
    }
    None
}

/// The stack pointer of `racecall` where it stands on the system stack already, or on the signal stack (Go 1.25 on): it changes
/// no stacks then, and only makes room for what C wants, which calls on a multiple of 16 (`ANDQ $~15, SP`,
/// `runtime/race_amd64.s`). Where it came from the goroutine's, no race hook was called here: above it stands where the
/// thread began, or a callback. The word that makes room may hold what an earlier call has left: who called must have been called, too.
pub(crate) fn unswitched_race_sp(walker: &Walker<'_>, sp: Addr) -> Option<Addr> {
    let was_called = |sp: &Addr| {
        let hook = walker.mem.ptr(*sp).ok().and_then(|back| walker.sites.at(Pc::Return(back), walker.code));
        let end = hook.and_then(|hook| sp.checked_add(WORD)?.checked_add(hook.delta?));
        end.and_then(|slot| walker.mem.ptr(slot).ok()).is_some_and(|back| is_called_from_go(walker, back))
    };
    let candidates = [Some(sp), sp.checked_add(WORD)].into_iter().flatten();
    candidates.filter(|sp| is_race_call(walker, *sp)).find(was_called)
}

/// Whether the return address of a call of one of the runtime's race functions stands there.
pub(crate) fn is_race_call(walker: &Walker<'_>, sp: Addr) -> bool {
    let back = walker.mem.ptr(sp).ok();
    let target = back.and_then(|back| match call_before(walker.mem, back) {
        Some(CallBefore::Direct(target)) => walker.code.function(target),
        _ => None,
    });
    target
        .and_then(|(f, _)| f.raw_name())
        .is_some_and(|name| name.starts_with(b"runtime.race") || name.starts_with(b"race"))
}

/// The instructions from an address on, as far as memory has them.
fn instructions(mem: &dyn Memory, at: Addr, count: usize) -> Vec<Insn<Addr>> {
    let mut bytes = vec![0; count.saturating_mul(MAX_INSN)];
    // Less where the memory ends.
    while !bytes.is_empty() && mem.read(at, &mut bytes).is_err() {
        bytes.truncate(bytes.len().checked_div(2).unwrap_or(0));
    }
    Decoder::new(&bytes, at).take(count).collect()
}

/// The DWARF number of a whole general register.
fn dwarf(part: RegPart) -> Option<u8> {
    (part.width == 8 && !part.high).then(|| of_reg(part.reg)).flatten()
}

fn of_reg(reg: Reg) -> Option<u8> {
    Some(match reg {
        Reg::Rax => 0,
        Reg::Rdx => 1,
        Reg::Rcx => 2,
        Reg::Rbx => 3,
        Reg::Rsi => 4,
        Reg::Rdi => 5,
        Reg::Rbp => 6,
        Reg::Rsp => RSP,
        Reg::R8 => 8,
        Reg::R9 => 9,
        Reg::R10 => 10,
        Reg::R11 => 11,
        Reg::R12 => 12,
        Reg::R13 => 13,
        Reg::R14 => 14,
        Reg::R15 => 15,
        _ => return None,
    })
}
