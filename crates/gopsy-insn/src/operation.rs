//! The plain instructions: those through which a value can be followed.

use crate::insn::immediate;
use crate::{Address, Insn, Mem, RegPart};
use iced_x86::{Mnemonic, OpKind};

/// How a value becomes wider on its way into a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Extend {
    /// It does not; only as much as [`RegPart::written_width`] says.
    No,
    /// With zeroes (`movzx`, `movd`).
    Zero,
    /// With its highest bit (`movsx`, `movsxd`).
    Sign,
}

/// One side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operand<A> {
    /// A register.
    Reg(RegPart),
    /// Memory.
    Mem(Mem<A>),
    /// A number, as wide as the comparison.
    Constant(u64),
}

/// What an instruction does, where it is one thing and happens always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation<A> {
    /// One register's value goes into another, or as many of its lowest bytes as that has.
    Move {
        /// The register that is set.
        to: RegPart,
        /// The register whose value it is.
        from: RegPart,
        /// What happens to the bytes that `to` has and `from` has not.
        extend: Extend,
    },
    /// A value goes from memory into a register.
    Load {
        /// The register that is set.
        to: RegPart,
        /// Where the value is.
        from: Mem<A>,
        /// What happens to the bytes that `to` has and `from` has not.
        extend: Extend,
    },
    /// A register's value goes into memory, or as many of its lowest bytes as the place has.
    Store {
        /// Where it goes.
        to: Mem<A>,
        /// The register whose value it is.
        from: RegPart,
    },
    /// A number goes into memory.
    StoreConstant {
        /// Where it goes.
        to: Mem<A>,
        /// The number, as wide as the place.
        value: u64,
    },
    /// An address goes into a register (`lea`).
    Address {
        /// The register that is set.
        to: RegPart,
        /// What it is the address of. Its `size` is 0.
        of: Mem<A>,
    },
    /// A number goes into a register; also what sets one to zero by itself (`xor`, `sub`, `pxor` and the like of a register
    /// with itself).
    Constant {
        /// The register that is set.
        to: RegPart,
        /// The number, as wide as the register's part.
        value: u64,
    },
    /// Two values are compared and nothing but the flags is set (`cmp`).
    Compare {
        /// The first operand of Intel's manual, the second of GNU's.
        left: Operand<A>,
        /// The other.
        right: Operand<A>,
    },
    /// Anything else: ask [`Insn::effects`].
    Other,
}

impl<A: Address> Operation<A> {
    pub(crate) fn of(insn: &Insn<A>) -> Self {
        use Mnemonic as M;
        let (first, second) = (operand(insn, 0), operand(insn, 1));
        match insn.raw.mnemonic() {
            M::Mov => copy(first, second, Extend::No),
            // Scalar loads clear the rest of the first 16 bytes; between registers they merge, which is no move.
            M::Movss | M::Movsd if insn.raw.op_count() == 2 => match (first, second) {
                (Some(Operand::Reg(_)), Some(Operand::Reg(_))) => Operation::Other,
                _ => copy(first, second, Extend::Zero),
            },
            // Between two vector registers it takes 8 of 16 bytes, which is no plain move either.
            M::Movq if matches!((first, second), (Some(Operand::Reg(a)), Some(Operand::Reg(b))) if a.width == b.width) => {
                Operation::Other
            }
            M::Movzx | M::Movd | M::Movq => copy(first, second, Extend::Zero),
            M::Movsx | M::Movsxd => copy(first, second, Extend::Sign),
            M::Movups | M::Movaps | M::Movupd | M::Movapd | M::Movdqu | M::Movdqa => copy(first, second, Extend::No),
            // The VEX forms clear what is above; those of AVX-512 may be masked and are told apart by their operands.
            M::Vmovups | M::Vmovaps | M::Vmovupd | M::Vmovapd | M::Vmovdqu | M::Vmovdqa => {
                copy(first, second, Extend::Zero)
            }
            M::Lea => match (first, second) {
                (Some(Operand::Reg(to)), Some(Operand::Mem(of))) => Operation::Address { to, of },
                _ => Operation::Other,
            },
            M::Xor | M::Sub | M::Pxor | M::Xorps | M::Xorpd => match (first, second) {
                (Some(Operand::Reg(a)), Some(Operand::Reg(b))) if a == b && known(a) => {
                    Operation::Constant { to: a, value: 0 }
                }
                _ => Operation::Other,
            },
            M::Cmp => match (first, second) {
                (Some(left), Some(right)) => Operation::Compare { left, right },
                _ => Operation::Other,
            },
            _ => Operation::Other,
        }
    }
}

/// The register that goes onto the stack, 8 bytes below the stack pointer.
pub(crate) fn pushed<A: Address>(insn: &Insn<A>) -> Option<RegPart> {
    match operand(insn, 0) {
        Some(Operand::Reg(part)) if insn.raw.mnemonic() == Mnemonic::Push && part.width == 8 => Some(part),
        _ => None,
    }
}

fn copy<A: Address>(to: Option<Operand<A>>, from: Option<Operand<A>>, extend: Extend) -> Operation<A> {
    // Only a wider register is filled up: what a store extends is nothing.
    let filled = |to: RegPart, width: u16| if to.width > width { extend } else { Extend::No };
    match (to, from) {
        (Some(Operand::Reg(to)), Some(Operand::Reg(from))) if known(to) && known(from) => {
            Operation::Move { to, from, extend: filled(to, from.width) }
        }
        (Some(Operand::Reg(to)), Some(Operand::Mem(from))) if known(to) => {
            Operation::Load { to, from, extend: filled(to, from.size) }
        }
        (Some(Operand::Mem(to)), Some(Operand::Reg(from))) if known(from) => Operation::Store { to, from },
        (Some(Operand::Reg(to)), Some(Operand::Constant(value))) => Operation::Constant { to, value },
        (Some(Operand::Mem(to)), Some(Operand::Constant(value))) => Operation::StoreConstant { to, value },
        _ => Operation::Other,
    }
}

/// Selectors, control registers and the like are moved by `mov` too, but are no place for a value.
fn known(part: RegPart) -> bool {
    part.reg.is_general() || matches!(part.reg, crate::Reg::Vector(_))
}

fn operand<A: Address>(insn: &Insn<A>, number: u32) -> Option<Operand<A>> {
    if number >= insn.raw.op_count() || insn.raw.has_op_mask() {
        return None;
    }
    match insn.raw.op_kind(number) {
        OpKind::Register => RegPart::of(insn.raw.op_register(number)).map(Operand::Reg),
        OpKind::Memory => Some(Operand::Mem(Mem::explicit(&insn.raw))),
        _ => immediate(&insn.raw, number).map(Operand::Constant),
    }
}
