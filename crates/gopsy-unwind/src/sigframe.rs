//! The frame that the kernel builds on a stack when it delivers a signal (linux/amd64: `struct rt_sigframe` in
//! `arch/x86/include/asm/sigframe.h`, `struct sigcontext` in `arch/x86/include/uapi/asm/sigcontext.h`).

use gopsy_mem::{Addr, Fault, Memory, MemoryExt};

/// `uc_mcontext` begins behind uc_flags, uc_link and uc_stack; offsets below are from the start of `struct ucontext`.
const UC_LINK: u64 = 8;
const RSP: u64 = 160;
const RIP: u64 = 168;
const CS: u64 = 184;
const FS: u64 = 188;
/// The processor's last exception in that thread, and the address of its last page fault.
const TRAPNO: u64 = 200;
const CR2: u64 = 216;
/// `struct ucontext` takes 304 bytes; siginfo follows.
const SIGINFO: u64 = 304;
/// All of `uc_flags`: `UC_FP_XSTATE`, `UC_SIGCONTEXT_SS`, `UC_STRICT_RESTORE_SS` (`arch/x86/include/uapi/asm/ucontext.h`).
const UC_FLAGS: u64 = 7;
/// The code segment of 64-bit user code (`__USER_CS`).
const USER_CS: u16 = 0x33;
/// `SI_KERNEL`.
const SI_KERNEL: i32 = 0x80;

/// The registers in the order in which the runtime prints them (`dumpregs` in `runtime/signal_amd64.go`), with their places.
const REGISTERS: [(&str, u64); 18] = [
    ("rax", 144),
    ("rbx", 128),
    ("rcx", 152),
    ("rdx", 136),
    ("rdi", 104),
    ("rsi", 112),
    ("rbp", 120),
    ("rsp", RSP),
    ("r8", 40),
    ("r9", 48),
    ("r10", 56),
    ("r11", 64),
    ("r12", 72),
    ("r13", 80),
    ("r14", 88),
    ("r15", 96),
    ("rip", RIP),
    ("rflags", 176),
];

/// What was interrupted by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalFrame {
    /// The signal; 0 where it is not told: the kernel writes it for handlers that were installed with `SA_SIGINFO` only, as Go's are.
    pub number: u32,
    /// `si_code`: who sent it or why.
    pub code: i32,
    /// The fault address, for signals that have one; other signals keep other things in this word.
    pub address: u64,
    /// The instruction that was about to be executed, or that faulted.
    pub pc: Addr,
    /// The stack pointer then.
    pub sp: Addr,
    /// Where the kernel put it: right above the handler's return address.
    pub ucontext: Addr,
}

impl SignalFrame {
    /// Reads the signal frame whose ucontext stands at `ucontext`: right above the handler's return address. `None` when
    /// what stands there is no signal frame.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(mem: &dyn Memory, ucontext: Addr) -> Result<Option<SignalFrame>, Fault> {
        let at = |offset: u64| Addr(ucontext.0.wrapping_add(offset));
        let frame = SignalFrame {
            number: mem.u32(at(SIGINFO))?,
            code: mem.u32(at(SIGINFO.saturating_add(8)))?.cast_signed(),
            address: mem.u64(at(SIGINFO.saturating_add(16)))?,
            pc: mem.ptr(at(RIP))?,
            sp: mem.ptr(at(RSP))?,
            ucontext,
        };
        if mem.u16(at(CS))? != USER_CS {
            return Ok(None);
        }
        if (1..=64).contains(&frame.number) {
            return Ok(Some(frame));
        }
        // What the kernel writes into each: flags of which there are three, and no link.
        let is_frame = mem.u64(at(0))? <= UC_FLAGS && mem.u64(at(UC_LINK))? == 0;
        Ok(is_frame.then_some(SignalFrame { number: 0, code: 0, address: 0, ..frame }))
    }

    /// What is certain of the frame of a handler that may be installed without `SA_SIGINFO`: there may stand what an earlier signal has
    /// left. That it is this one's is proved where it is a fault of which the processor's own record is in the frame, too
    /// (`setup_sigcontext` in `arch/x86/kernel/signal_64.c`).
    pub(crate) fn as_the_processor_says(self, mem: &dyn Memory) -> SignalFrame {
        const SIGILL: u32 = 4;
        const SIGBUS: u32 = 7;
        const SIGFPE: u32 = 8;
        const SIGSEGV: u32 = 11;
        // `arch/x86/include/asm/trapnr.h`: divide error, invalid opcode, stack segment and general protection fault, page fault,
        // and the two of the floating point units.
        const DIVIDE: u64 = 0;
        const OPCODE: u64 = 6;
        const STACK: u64 = 12;
        const PROTECTION: u64 = 13;
        const PAGE: u64 = 14;
        const X87: u64 = 16;
        const SIMD: u64 = 19;
        let at = |offset: u64| mem.u64(Addr(self.ucontext.0.wrapping_add(offset))).ok();
        let agrees = match (self.number, at(TRAPNO)) {
            (SIGSEGV | SIGBUS, Some(STACK | PROTECTION)) => self.code == SI_KERNEL,
            (SIGSEGV | SIGBUS, Some(PAGE)) => (1..SI_KERNEL).contains(&self.code) && at(CR2) == Some(self.address),
            (SIGFPE, Some(DIVIDE | X87 | SIMD)) | (SIGILL, Some(OPCODE)) => self.code > 0 && self.address == self.pc.0,
            _ => false,
        };
        if agrees { self } else { SignalFrame { number: 0, code: 0, address: 0, ..self } }
    }

    /// The registers of the interrupted code, in the order in which the runtime prints them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn registers(&self, mem: &dyn Memory) -> Result<Vec<(&'static str, u64)>, Fault> {
        let at = |offset: u64| Addr(self.ucontext.0.wrapping_add(offset));
        let mut registers = Vec::new();
        for (name, offset) in REGISTERS {
            registers.push((name, mem.u64(at(offset))?));
        }
        for (name, offset) in [("cs", CS), ("fs", FS), ("gs", CS.saturating_add(2))] {
            registers.push((name, u64::from(mem.u16(at(offset))?)));
        }
        Ok(registers)
    }
}
