//! General and vector registers of a thread, in the layouts of linux/amd64 and linux/arm64.
//!
//! They are read at explicit offsets, never through the host's own definitions: any machine can read any core.

use gopsy_image::Machine;
use gopsy_mem::Addr;

/// `struct user_regs_struct`, `arch/x86/include/asm/user_64.h`.
const AMD64: &[&str] = &[
    "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi", "orig_rax",
    "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
];
/// `struct user_pt_regs`, `arch/arm64/include/uapi/asm/ptrace.h`; `regs[0]` to `regs[30]` by the names of the instruction set.
const ARM64: &[&str] = &[
    "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",
    "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "x30", "sp", "pc", "pstate",
];
/// Where the vector registers stand in what NT_PRFPREG holds, and how many there are: `xmm_space` of the FXSAVE area
/// (Intel SDM volume 1, 10.5.1); `vregs` of `struct user_fpsimd_state`.
const AMD64_VECTORS: (u64, usize) = (160, 16);
const ARM64_VECTORS: (u64, usize) = (0, 32);

/// The general registers of one thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registers {
    names: &'static [&'static str],
    values: [u64; 34],
    pc: u64,
    sp: u64,
}

impl Registers {
    /// A register by its name in `user_regs_struct` (`rip`, `rsp`, `orig_rax`, `fs_base`); of arm64 `x0` to `x30`, `sp`,
    /// `pc`, `pstate`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u64> {
        self.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    /// All of them, in the order of the kernel's struct.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.names.iter().copied().zip(self.values)
    }

    /// The program counter.
    #[must_use]
    pub fn pc(&self) -> Addr {
        Addr(self.pc)
    }

    /// The stack pointer.
    #[must_use]
    pub fn sp(&self) -> Addr {
        Addr(self.sp)
    }

    /// From `pr_reg`. `None` when it is too short, or of another machine.
    pub(crate) fn parse(machine: Machine, data: &[u8]) -> Option<Self> {
        let (names, pc, sp) = match machine {
            Machine::X86_64 => (AMD64, "rip", "rsp"),
            Machine::Aarch64 => (ARM64, "pc", "sp"),
            Machine::Other(_) => return None,
        };
        let mut registers = Registers { names, values: [0; 34], pc: 0, sp: 0 };
        let (words, _) = data.as_chunks::<8>();
        for (value, bytes) in registers.values.iter_mut().zip(words.get(..names.len())?) {
            *value = u64::from_le_bytes(*bytes);
        }
        registers.pc = registers.get(pc)?;
        registers.sp = registers.get(sp)?;
        Some(registers)
    }
}

/// Where the vector registers stand in NT_PRFPREG's bytes.
pub(crate) fn vectors(machine: Machine) -> Option<(u64, usize)> {
    match machine {
        Machine::X86_64 => Some(AMD64_VECTORS),
        Machine::Aarch64 => Some(ARM64_VECTORS),
        Machine::Other(_) => None,
    }
}
