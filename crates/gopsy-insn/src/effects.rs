//! Everything an instruction reads and writes, spelled out or not.

use crate::mem::Parts;
use crate::{Access, Address, Flow, Insn, Mem, Reg, RegPart};
use iced_x86::{CodeSize, InstructionInfoFactory, OpAccess};

/// A register that an instruction uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RegUse {
    /// Which part of which register. A write tells the part that is set, not the one that is named:
    /// [`RegPart::written_width`].
    pub part: RegPart,
    /// What is done with it. A write that need not happen (`cmove`) is [`Access::ReadWrite`]: the value behind it may be
    /// the one before it.
    pub access: Access,
}

/// A place in memory that an instruction uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemUse<A> {
    /// Where.
    pub mem: Mem<A>,
    /// What is done with it.
    pub access: Access,
}

/// All registers and memory that an instruction uses.
///
/// Of a call it is what the call itself does, not what is called. Of what enters the kernel it is what the processor
/// does on the way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effects<A> {
    /// Registers; one that is used twice may be listed twice. [`Reg::Rip`] is listed as written by what can go elsewhere.
    pub registers: Vec<RegUse>,
    /// Memory; of `rep` instructions the first element.
    pub memory: Vec<MemUse<A>>,
}

impl<A: Address> Effects<A> {
    /// Whether any part of the register may be set.
    #[must_use]
    pub fn writes(&self, reg: Reg) -> bool {
        self.registers.iter().any(|used| used.part.reg == reg && used.access.writes())
    }

    /// Whether the value of any part of the register matters.
    #[must_use]
    pub fn reads(&self, reg: Reg) -> bool {
        self.registers.iter().any(|used| used.part.reg == reg && used.access.reads())
    }

    pub(crate) fn of(insn: &Insn<A>) -> Self {
        let mut factory = InstructionInfoFactory::new();
        let info = factory.info(&insn.raw);
        let mut registers: Vec<RegUse> = Vec::new();
        for used in info.used_registers() {
            let access = match used.access() {
                OpAccess::None | OpAccess::NoMemAccess => continue,
                // What is written only perhaps keeps its value otherwise.
                OpAccess::CondWrite => Access::ReadWrite,
                other => Access::of(other),
            };
            if let Some(part) = RegPart::of(used.register()) {
                registers.push(RegUse { part, access });
            }
        }
        // Flags left undefined are set to something: whoever asks whether they survive must be told no.
        let (read, written) = (insn.raw.rflags_read() != 0, insn.raw.rflags_modified() != 0);
        let partly = |access| RegUse { part: RegPart { reg: Reg::Flags, width: 8, high: false }, access };
        match (read, written) {
            (true, false) => registers.push(partly(Access::Read)),
            // Some flags are set, others keep their value.
            (_, true) => registers.push(partly(Access::ReadWrite)),
            (false, false) => {}
        }
        let rip = match insn.flow() {
            Flow::Branch(_) => Some(Access::ReadWrite),
            Flow::Jump(_) | Flow::Call(_) | Flow::IndirectJump | Flow::IndirectCall | Flow::Return => {
                Some(Access::Write)
            }
            Flow::Next | Flow::Trap | Flow::Syscall | Flow::Invalid => None,
        };
        if let Some(access) = rip {
            registers.push(RegUse { part: RegPart { reg: Reg::Rip, width: 8, high: false }, access });
        }
        let memory = info.used_memory().iter().map(|used| MemUse {
            mem: Mem::of(&Parts {
                segment: used.segment(),
                base: used.base(),
                index: used.index(),
                scale: used.scale(),
                displacement: used.displacement(),
                size: used.memory_size(),
                narrow: used.address_size() == CodeSize::Code32,
            }),
            access: Access::of(used.access()),
        });
        Effects { registers, memory: memory.collect() }
    }
}
