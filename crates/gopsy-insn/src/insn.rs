//! One instruction.

use crate::{Access, Address, Effects, Mem, Operation, RegPart};
use iced_x86::{
    FlowControl, Formatter, GasFormatter, Instruction, InstructionInfoFactory, IntelFormatter, Mnemonic, OpKind,
};

/// One instruction, or one byte that is none. Everything but its place is worked out when it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Insn<A> {
    pub(crate) raw: Instruction,
    address: A,
    len: u8,
}

/// Where the processor goes behind an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flow<A> {
    /// To the next instruction.
    Next,
    /// There, always.
    Jump(A),
    /// There or to the next instruction (`jcc`, `loop`, `jrcxz`, `xbegin`).
    Branch(A),
    /// There, and on return to the next instruction.
    Call(A),
    /// Where a register or memory says.
    IndirectJump,
    /// Where a register or memory says, and on return to the next instruction.
    IndirectCall,
    /// Where the stack says (`ret`, `iret`).
    Return,
    /// Nowhere: it exists to raise an exception (`int3`, `ud2`), or may not be used outside of the kernel (`hlt`).
    Trap,
    /// Into the kernel or a hypervisor, and back to the next instruction (`syscall`, `int 0x80`).
    Syscall,
    /// These bytes are no instruction, or the bytes end before it does.
    Invalid,
}

/// How instructions are written for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Syntax {
    /// As gdb and objdump write them unless told otherwise: `mov 0x8(%rsp),%rax`.
    Gnu,
    /// As Intel's manual writes them: `mov rax, [rsp+8]`.
    Intel,
}

impl<A: Address> Insn<A> {
    /// What the disassembler made of the bytes at `address`.
    pub(crate) fn of(raw: Instruction, address: u64) -> Insn<A> {
        let len = if raw.is_invalid() { 1 } else { u8::try_from(raw.len()).unwrap_or(1) };
        Insn { raw, address: A::from_number(address), len }
    }

    /// Where its first byte stands.
    #[must_use]
    pub fn address(&self) -> A {
        self.address
    }

    /// How many bytes it has: 1 to 15.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // No instruction is empty.
    pub fn len(&self) -> u8 {
        self.len
    }

    /// Where the instruction behind it stands.
    #[must_use]
    pub fn next_address(&self) -> A {
        A::from_number(self.address.number().wrapping_add(u64::from(self.len)))
    }

    /// Whether it is a byte that no instruction begins with, or an instruction that is cut.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        self.raw.is_invalid()
    }

    /// Where the processor goes behind it.
    #[must_use]
    pub fn flow(&self) -> Flow<A> {
        let raw = &self.raw;
        if raw.is_invalid() {
            return Flow::Invalid;
        }
        let target = matches!(raw.op0_kind(), OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64)
            .then(|| A::from_number(raw.near_branch_target()));
        match (raw.flow_control(), target) {
            (FlowControl::UnconditionalBranch, Some(target)) => Flow::Jump(target),
            (FlowControl::ConditionalBranch | FlowControl::XbeginXabortXend, Some(target)) => Flow::Branch(target),
            (FlowControl::Call, Some(target)) => Flow::Call(target),
            (FlowControl::Call, None) => Flow::Syscall,
            (FlowControl::UnconditionalBranch | FlowControl::IndirectBranch, _) => Flow::IndirectJump,
            (FlowControl::IndirectCall, _) => Flow::IndirectCall,
            (FlowControl::Return, _) => Flow::Return,
            (FlowControl::Interrupt, _) if raw.mnemonic() == Mnemonic::Int && raw.immediate8() == 0x80 => Flow::Syscall,
            (FlowControl::Interrupt | FlowControl::Exception, _) => Flow::Trap,
            (FlowControl::Next, _) if raw.mnemonic() == Mnemonic::Hlt => Flow::Trap,
            (FlowControl::Next | FlowControl::ConditionalBranch | FlowControl::XbeginXabortXend, _) => Flow::Next,
        }
    }

    /// What it does, where that is one of the plain things.
    #[must_use]
    pub fn operation(&self) -> Operation<A> {
        Operation::of(self)
    }

    /// The register whose value it puts on the stack, 8 bytes below the stack pointer.
    #[must_use]
    pub fn pushed(&self) -> Option<RegPart> {
        crate::operation::pushed(self)
    }

    /// Everything it reads and writes, also what it does not spell out (the stack, flags).
    #[must_use]
    pub fn effects(&self) -> Effects<A> {
        Effects::of(self)
    }

    /// The memory operand that it spells out, and what is done with it. The operands of string instructions and the
    /// stack are in [`Insn::effects`].
    #[must_use]
    pub fn mem(&self) -> Option<(Mem<A>, Access)> {
        let operand = (0..self.raw.op_count()).find(|&i| self.raw.op_kind(i) == OpKind::Memory)?;
        let access = InstructionInfoFactory::new().info(&self.raw).op_access(operand);
        Some((Mem::explicit(&self.raw), Access::of(access)))
    }

    /// Its immediates, in the order of Intel's manual, as wide as the operation: `cmp byte [rax], -1` has `0xff`,
    /// `add rsp, -8` has `0xffff_ffff_ffff_fff8`. Targets of branches and displacements are none.
    pub fn immediates(&self) -> impl Iterator<Item = u64> {
        let raw = self.raw;
        (0..raw.op_count()).filter_map(move |i| immediate(&raw, i))
    }

    /// Whether the processor's `lock` prefix makes its change of memory one step, or it is an `xchg` with memory, which
    /// needs no prefix.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        let exchange = self.raw.mnemonic() == Mnemonic::Xchg && self.raw.op_kinds().any(|kind| kind == OpKind::Memory);
        self.raw.has_lock_prefix() || exchange
    }

    /// Whether it does nothing: the paddings of compilers, `endbr64`, `pause`.
    #[must_use]
    pub fn is_nop(&self) -> bool {
        matches!(self.raw.mnemonic(), Mnemonic::Nop | Mnemonic::Endbr64 | Mnemonic::Pause)
    }

    /// The instruction for people. An address relative to the instruction pointer follows behind `#`, as gdb has it.
    #[must_use]
    pub fn text(&self, syntax: Syntax) -> String {
        let mut text = String::new();
        if self.raw.is_invalid() {
            return "(bad)".to_owned();
        }
        match syntax {
            Syntax::Gnu => {
                let mut formatter = GasFormatter::new();
                let options = formatter.options_mut();
                options.set_rip_relative_addresses(true);
                options.set_small_hex_numbers_in_decimal(false);
                options.set_branch_leading_zeros(false);
                formatter.format(&self.raw, &mut text);
            }
            Syntax::Intel => {
                let mut formatter = IntelFormatter::new();
                let options = formatter.options_mut();
                options.set_rip_relative_addresses(true);
                options.set_hex_prefix("0x");
                options.set_hex_suffix("");
                options.set_branch_leading_zeros(false);
                options.set_space_after_operand_separator(true);
                formatter.format(&self.raw, &mut text);
            }
        }
        if self.raw.is_ip_rel_memory_operand() {
            text.push_str(&format!(" # {:#x}", self.raw.ip_rel_memory_address()));
        }
        text
    }
}

pub(crate) fn immediate(raw: &Instruction, operand: u32) -> Option<u64> {
    Some(match raw.op_kind(operand) {
        OpKind::Immediate8 => u64::from(raw.immediate8()),
        OpKind::Immediate8_2nd => u64::from(raw.immediate8_2nd()),
        OpKind::Immediate16 => u64::from(raw.immediate16()),
        OpKind::Immediate32 => u64::from(raw.immediate32()),
        OpKind::Immediate64 => raw.immediate64(),
        OpKind::Immediate8to16 => u64::from(raw.immediate8to16().cast_unsigned()),
        OpKind::Immediate8to32 => u64::from(raw.immediate8to32().cast_unsigned()),
        OpKind::Immediate8to64 => raw.immediate8to64().cast_unsigned(),
        OpKind::Immediate32to64 => raw.immediate32to64().cast_unsigned(),
        _ => return None,
    })
}
