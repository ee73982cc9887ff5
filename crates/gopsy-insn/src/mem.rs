//! Memory operands.

use crate::{Address, Reg, RegPart};
use iced_x86::{Instruction, MemorySize, OpAccess, Register};

/// What an instruction does with the memory that an operand names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// It reads it, or may.
    Read,
    /// It writes it without regard to what stood there, or may.
    Write,
    /// It reads it and writes it, or may.
    ReadWrite,
    /// It only computes the address (`lea`), or names memory without reading or writing it (`prefetcht0`, a long `nop`).
    AddressOnly,
}

impl Access {
    /// Whether it may read.
    #[must_use]
    pub fn reads(self) -> bool {
        matches!(self, Access::Read | Access::ReadWrite)
    }

    /// Whether it may write.
    #[must_use]
    pub fn writes(self) -> bool {
        matches!(self, Access::Write | Access::ReadWrite)
    }

    pub(crate) fn of(access: OpAccess) -> Access {
        match access {
            OpAccess::Read | OpAccess::CondRead => Access::Read,
            OpAccess::Write | OpAccess::CondWrite => Access::Write,
            OpAccess::ReadWrite | OpAccess::ReadCondWrite => Access::ReadWrite,
            OpAccess::None | OpAccess::NoMemAccess => Access::AddressOnly,
        }
    }
}

/// A place in memory as an instruction names it: `segment:[base + index * scale + displacement]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mem<A> {
    /// [`Reg::Fs`] or [`Reg::Gs`], whose base is added. The bases of the others are 0 and they are not named.
    pub segment: Option<Reg>,
    /// A general register; never the instruction pointer, which is already added in `absolute`.
    pub base: Option<Reg>,
    /// With a vector register, every element of it names a place (gather, scatter).
    pub index: Option<Reg>,
    /// 1, 2, 4 or 8.
    pub scale: u8,
    /// What is added. 0 where `absolute` says it all.
    pub displacement: i64,
    /// The address, where no register but the instruction pointer decides it: `x(%rip)`, or a bare number.
    pub absolute: Option<A>,
    /// How wide the sum is before a segment's base is added, in bytes: 8, or 4 with an address-size prefix.
    pub address_width: u8,
    /// How many bytes are read or written, from the lowest address. 0 where that is not for the instruction alone to
    /// say (`xsave`, `lea`).
    pub size: u16,
}

/// The parts of a memory operand as the disassembler has them.
pub(crate) struct Parts {
    pub(crate) segment: Register,
    pub(crate) base: Register,
    pub(crate) index: Register,
    pub(crate) scale: u32,
    pub(crate) displacement: u64,
    pub(crate) size: MemorySize,
    pub(crate) narrow: bool,
}

impl<A: Address> Mem<A> {
    /// Where that is, with those registers. `None` where one of them is not known, or where there are several places.
    #[must_use]
    pub fn place(&self, register: &dyn Fn(Reg) -> Option<u64>) -> Option<A> {
        if let Some(absolute) = self.absolute {
            return Some(absolute);
        }
        let of = |reg: Option<Reg>| reg.map_or(Some(0), register);
        let index = match self.index {
            Some(reg) if !reg.is_general() => return None,
            index => of(index)?.wrapping_mul(u64::from(self.scale)),
        };
        let sum = of(self.base)?.wrapping_add(index).wrapping_add_signed(self.displacement);
        let sum = if self.address_width == 4 { sum & u64::from(u32::MAX) } else { sum };
        Some(A::from_number(sum.wrapping_add(of(self.segment)?)))
    }

    pub(crate) fn of(parts: &Parts) -> Self {
        let reg = |register| RegPart::of(register).map(|part| part.reg);
        let segment = reg(parts.segment).filter(|s| matches!(s, Reg::Fs | Reg::Gs));
        // Of an operand relative to the instruction pointer the disassembler has already made the sum.
        let (base, index) = (reg(parts.base).filter(|r| *r != Reg::Rip), reg(parts.index));
        let fixed = segment.is_none() && index.is_none() && base.is_none();
        let low = u32::try_from(parts.displacement & u64::from(u32::MAX)).unwrap_or(0);
        Mem {
            segment,
            base,
            index,
            scale: u8::try_from(parts.scale).unwrap_or(1),
            displacement: match (fixed, parts.narrow) {
                (true, _) => 0,
                (false, true) => i64::from(low.cast_signed()),
                (false, false) => parts.displacement.cast_signed(),
            },
            absolute: fixed.then(|| A::from_number(parts.displacement)),
            address_width: if parts.narrow { 4 } else { 8 },
            size: u16::try_from(parts.size.size()).unwrap_or(0),
        }
    }

    /// The operand that the instruction spells out; there is at most one.
    pub(crate) fn explicit(raw: &Instruction) -> Self {
        let narrow = |r: Register| r.is_gpr32() || r == Register::EIP;
        Mem::of(&Parts {
            segment: raw.memory_segment(),
            base: raw.memory_base(),
            index: raw.memory_index(),
            scale: raw.memory_index_scale(),
            displacement: raw.memory_displacement64(),
            size: raw.memory_size(),
            narrow: narrow(raw.memory_base()) || narrow(raw.memory_index()),
        })
    }
}
