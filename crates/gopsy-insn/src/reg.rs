//! Registers.

use iced_x86::Register;
use std::fmt;

/// A register as a whole, whatever part of it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // Sixteen names that say all there is to say.
pub enum Reg {
    Rax,
    Rcx,
    Rdx,
    Rbx,
    Rsp,
    Rbp,
    Rsi,
    Rdi,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    /// The instruction pointer. Only memory operands name it: that every instruction changes it goes without saying.
    Rip,
    /// The arithmetic flags and the direction flag.
    Flags,
    Es,
    Cs,
    Ss,
    Ds,
    /// Of a memory operand: the base of the segment, behind which Go keeps thread-local words on linux/amd64.
    Fs,
    Gs,
    /// A vector register by its number, 0 to 31, whether its first 16, 32 or all 64 bytes are used.
    Vector(u8),
    /// A mask register of AVX-512, 0 to 7.
    Mask(u8),
    /// Any other: of the x87 and MMX units, control, debug and tile registers. Two of them need not be the same.
    Other,
}

/// Part of a register, as an instruction names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RegPart {
    /// The whole register.
    pub reg: Reg,
    /// How many bytes of it.
    pub width: u16,
    /// Whether these are not its lowest bytes: `ah`, `ch`, `dh` and `bh` are the second byte.
    pub high: bool,
}

const GENERAL: [Reg; 16] = [
    Reg::Rax,
    Reg::Rcx,
    Reg::Rdx,
    Reg::Rbx,
    Reg::Rsp,
    Reg::Rbp,
    Reg::Rsi,
    Reg::Rdi,
    Reg::R8,
    Reg::R9,
    Reg::R10,
    Reg::R11,
    Reg::R12,
    Reg::R13,
    Reg::R14,
    Reg::R15,
];

impl Reg {
    /// One of the sixteen general registers, `rsp` and `rbp` among them.
    #[must_use]
    pub fn is_general(self) -> bool {
        GENERAL.contains(&self)
    }
}

impl RegPart {
    /// How many bytes of the register a write to this part sets. A write to the lower half of a general register clears
    /// the upper half; narrower ones leave the rest as it was (Intel's manual, volume 1, 3.4.1.1).
    #[must_use]
    pub fn written_width(self) -> u16 {
        if self.reg.is_general() && self.width == 4 { 8 } else { self.width }
    }

    pub(crate) fn of(register: Register) -> Option<RegPart> {
        if register == Register::None {
            return None;
        }
        let whole = register.full_register();
        let number = u8::try_from(whole.number()).unwrap_or(u8::MAX);
        let reg = match whole {
            Register::ES => Reg::Es,
            Register::CS => Reg::Cs,
            Register::SS => Reg::Ss,
            Register::DS => Reg::Ds,
            Register::FS => Reg::Fs,
            Register::GS => Reg::Gs,
            r if r.is_ip() => Reg::Rip,
            r if r.is_gpr() => GENERAL.get(usize::from(number)).copied().unwrap_or(Reg::Other),
            r if r.is_vector_register() => Reg::Vector(number),
            r if r.is_k() => Reg::Mask(number),
            _ => Reg::Other,
        };
        let high = matches!(register, Register::AH | Register::CH | Register::DH | Register::BH);
        Some(RegPart { reg, width: u16::try_from(register.size()).unwrap_or(u16::MAX), high })
    }
}

impl fmt::Display for Reg {
    /// The name of the whole register: `rax`, `r8`, `v3`, `k1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reg::Vector(n) => write!(f, "v{n}"),
            Reg::Mask(n) => write!(f, "k{n}"),
            named => f.write_str(&format!("{named:?}").to_lowercase()),
        }
    }
}
