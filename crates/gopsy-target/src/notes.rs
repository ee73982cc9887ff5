//! The notes of a Linux core: threads, signals, mapped files (`fs/binfmt_elf.c`, `include/uapi/linux/elfcore.h`).
//!
//! The structs are read at explicit offsets of linux/amd64, never through the host's own definitions: any machine can
//! read any core.

use gopsy_image::Note;
use gopsy_mem::{Addr, Range};

/// The general registers of linux/amd64 in the order of `user_regs_struct`.
const REGISTER_NAMES: [&str; 27] = [
    "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi", "orig_rax",
    "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
];

/// Offsets within `struct elf_prstatus` (336 bytes).
const PRSTATUS_CURSIG: usize = 12;
const PRSTATUS_PID: usize = 32;
const PRSTATUS_REGS: usize = 112;
/// Offsets within `struct elf_prpsinfo` (136 bytes).
const PRPSINFO_PID: usize = 24;
const PRPSINFO_FNAME: usize = 40;

/// The general registers of one thread (linux/amd64).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registers {
    values: [u64; 27],
}

impl Registers {
    /// A register by its name in `user_regs_struct` (`rip`, `rsp`, `fs_base`).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u64> {
        REGISTER_NAMES.iter().zip(self.values).find(|(n, _)| **n == name).map(|(_, v)| v)
    }

    /// The program counter.
    #[must_use]
    pub fn pc(&self) -> Addr {
        Addr(self.get("rip").unwrap_or(0))
    }

    /// The stack pointer.
    #[must_use]
    pub fn sp(&self) -> Addr {
        Addr(self.get("rsp").unwrap_or(0))
    }

    fn parse(data: &[u8]) -> Option<Self> {
        let mut values = [0; 27];
        for (value, bytes) in values.iter_mut().zip(data.get(..216)?.as_chunks::<8>().0) {
            *value = u64::from_le_bytes(*bytes);
        }
        Some(Registers { values })
    }
}

/// `siginfo_t`, as far as all signals share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigInfo {
    /// The signal.
    pub number: i32,
    /// `si_code`: who sent it or why.
    pub code: i32,
    /// The fault address (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP). Other signals keep other things in this word.
    pub address: u64,
}

/// One thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Its Linux thread id.
    pub tid: u32,
    /// Its registers when the core was written.
    pub registers: Registers,
    /// The signal it was taking (`pr_cursig`); 0 for none. The kernel sets it for the thread that died, gcore for none.
    pub signal: u16,
    /// The signal's details. The kernel writes them for the thread that died only.
    pub siginfo: Option<SigInfo>,
}

/// A file that was mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMapping {
    /// Where.
    pub range: Range,
    /// From which byte of the file on.
    pub file_offset: u64,
    /// The file's path on the machine where the process ran, as bytes.
    pub path: Vec<u8>,
}

/// The process (`NT_PRPSINFO`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Process id.
    pub pid: u32,
    /// The name of the executable, at most 15 bytes (`comm`).
    pub name: String,
}

/// Everything the notes say.
#[derive(Debug, Default)]
pub(crate) struct CoreNotes {
    pub(crate) threads: Vec<Thread>,
    pub(crate) process: Option<ProcessInfo>,
    pub(crate) auxv: Vec<(u64, u64)>,
    pub(crate) mappings: Vec<FileMapping>,
    /// Notes that were too short for what they claim to be.
    pub(crate) damaged: u32,
}

impl CoreNotes {
    pub(crate) fn add(&mut self, note: &Note<'_>) {
        // The types below are the owner CORE's. LINUX uses numbers of its own for more register sets.
        if note.owner != b"CORE" {
            return;
        }
        let understood = match object::elf::NoteType(note.kind) {
            object::elf::NT_PRSTATUS => prstatus(note.desc).map(|t| self.threads.push(t)),
            object::elf::NT_PRPSINFO => prpsinfo(note.desc).map(|p| self.process = Some(p)),
            // It belongs to the thread whose PRSTATUS came before it.
            object::elf::NT_SIGINFO => siginfo(note.desc).map(|s| {
                if let Some(thread) = self.threads.last_mut() {
                    thread.siginfo = Some(s);
                }
            }),
            object::elf::NT_AUXV => {
                let words = note.desc.as_chunks::<16>().0.iter().map(|pair| (word(pair, 0), word(pair, 8)));
                self.auxv.extend(words.filter_map(|(key, value)| Some((key?, value?))));
                Some(())
            }
            object::elf::NT_FILE => files(note.desc).map(|f| self.mappings.extend(f)),
            _ => Some(()),
        };
        if understood.is_none() {
            self.damaged = self.damaged.saturating_add(1);
        }
    }
}

fn field<const N: usize>(data: &[u8], at: usize) -> Option<[u8; N]> {
    data.get(at..)?.first_chunk().copied()
}

fn word(data: &[u8], at: usize) -> Option<u64> {
    field(data, at).map(u64::from_le_bytes)
}

fn prstatus(data: &[u8]) -> Option<Thread> {
    Some(Thread {
        tid: u32::from_le_bytes(field(data, PRSTATUS_PID)?),
        registers: Registers::parse(data.get(PRSTATUS_REGS..)?)?,
        signal: u16::from_le_bytes(field(data, PRSTATUS_CURSIG)?),
        siginfo: None,
    })
}

fn prpsinfo(data: &[u8]) -> Option<ProcessInfo> {
    let name: [u8; 16] = field(data, PRPSINFO_FNAME)?;
    let name = name.split(|b| *b == 0).next().unwrap_or(&[]);
    let pid = u32::from_le_bytes(field(data, PRPSINFO_PID)?);
    Some(ProcessInfo { pid, name: String::from_utf8_lossy(name).into_owned() })
}

fn siginfo(data: &[u8]) -> Option<SigInfo> {
    // si_signo, si_errno, si_code, padding, then the union.
    Some(SigInfo {
        number: i32::from_le_bytes(field(data, 0)?),
        code: i32::from_le_bytes(field(data, 8)?),
        address: word(data, 16)?,
    })
}

/// `count`, `page_size`, `count` triples (start, end, offset in pages), then `count` NUL-terminated paths.
fn files(data: &[u8]) -> Option<Vec<FileMapping>> {
    let (count, page_size) = (word(data, 0)?, word(data, 8)?);
    let rest = data.get(16..)?;
    let (triples, paths) = rest.split_at_checked(usize::try_from(count.checked_mul(24)?).ok()?)?;
    let mut paths = paths.split(|b| *b == 0);
    let mapping = |triple: &[u8; 24]| {
        let range = Range { start: Addr(word(triple, 0)?), end: Addr(word(triple, 8)?) };
        let file_offset = word(triple, 16)?.checked_mul(page_size)?;
        Some(FileMapping { range, file_offset, path: paths.next()?.to_vec() })
    };
    triples.as_chunks::<24>().0.iter().map(mapping).collect()
}
