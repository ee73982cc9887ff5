//! The general registers of one activation, and how each is known.

use gopsy_mem::Addr;
use gopsy_model::Trust;

/// How a frame, or the value of a register, was found. The better first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Found {
    /// The kernel wrote it down: a thread's registers, a signal frame.
    Context,
    /// By the tables of Go's linker and what the runtime writes at its crossings.
    Table,
    /// By call frame information.
    Cfi,
    /// By the chain of frame pointers, or by the word that a call pushes: both proved themselves, neither is stated
    /// anywhere.
    FramePointer,
    /// By the only call in the caller that can have led there: the return address was replaced. What stands beyond is found
    /// as if by a frame pointer.
    OnlyCall,
    /// By a search of the stack for a return address.
    Scan,
}

impl Found {
    /// What that is worth.
    #[must_use]
    pub fn trust(self) -> Trust {
        match self {
            Found::Context => Trust::Exact,
            Found::Table | Found::Cfi => Trust::Table,
            Found::FramePointer | Found::OnlyCall => Trust::Inferred,
            Found::Scan => Trust::Scanned,
        }
    }
}

/// The value of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register {
    /// Its value.
    pub value: u64,
    /// How it is known.
    pub found: Found,
}

/// Registers by their DWARF numbers (System V ABI for AMD64, figure 3.36): these are the ones that matter by name.
pub(crate) const RBP: u8 = 6;
pub(crate) const RSP: u8 = 7;
pub(crate) const RIP: u8 = 16;
/// What a C function leaves as it was (the same, 3.2.1), beside rsp: rbx, rbp, r12 to r15.
pub(crate) const CALLEE_SAVED: [u8; 6] = [3, RBP, 12, 13, 14, 15];

const COUNT: usize = 17;
const NAMES: [&str; COUNT] = [
    "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip",
];

/// The sixteen general registers of x86-64 and the instruction pointer, as far as they are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RegisterSet {
    values: [Option<Register>; COUNT],
}

impl RegisterSet {
    /// Registers that the kernel wrote down, by the names that it and the runtime have for them. Others (`rflags`, `cs`)
    /// are passed over.
    #[must_use]
    pub fn of_context<'n>(named: impl IntoIterator<Item = (&'n str, u64)>) -> RegisterSet {
        let mut set = RegisterSet::default();
        for (name, value) in named {
            if let Some(slot) = NAMES.iter().position(|n| *n == name).and_then(|i| set.values.get_mut(i)) {
                *slot = Some(Register { value, found: Found::Context });
            }
        }
        set
    }

    /// Nothing but where execution stands.
    #[must_use]
    pub(crate) fn at(pc: Addr, sp: Addr, found: Found) -> RegisterSet {
        let mut set = RegisterSet::default();
        set.set(RIP, Some(Register { value: pc.0, found }));
        set.set(RSP, Some(Register { value: sp.0, found }));
        set
    }

    /// A register by its name (`rax` … `r15`, `rip`).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Register> {
        NAMES.iter().position(|n| *n == name).and_then(|i| self.values.get(i).copied().flatten())
    }

    /// The instruction pointer.
    #[must_use]
    pub fn pc(&self) -> Option<Addr> {
        self.number(RIP).map(|r| Addr(r.value))
    }

    /// The stack pointer.
    #[must_use]
    pub fn sp(&self) -> Option<Addr> {
        self.number(RSP).map(|r| Addr(r.value))
    }

    /// A register by its DWARF number.
    pub(crate) fn number(&self, number: u8) -> Option<Register> {
        self.values.get(usize::from(number)).copied().flatten()
    }

    pub(crate) fn set(&mut self, number: u8, value: Option<Register>) {
        if let Some(slot) = self.values.get_mut(usize::from(number)) {
            *slot = value;
        }
    }
}
