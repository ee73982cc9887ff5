//! The notes of a Linux core: threads, signals, mapped files (`fs/binfmt_elf.c`, `include/uapi/linux/elfcore.h`).
//!
//! The structs are read at explicit offsets of a 64-bit little-endian Linux, which amd64 and arm64 share.
//!
//! Folklore: the kernel writes the thread that died first, with its PRSTATUS before all other notes; NT_SIGINFO is that
//! thread's only. gcore writes PRPSINFO first, then for each thread PRSTATUS, its register sets and its NT_SIGINFO. In both
//! what follows a PRSTATUS belongs to that thread.

use crate::content::Content;
use crate::registers::Registers;
use crate::signals::{SIGSTOP, has_fault_address};
use gopsy_image::Machine;
use gopsy_mem::{Addr, Range};
use std::time::Duration;

/// Offsets within `struct elf_prstatus`.
const PRSTATUS_CURSIG: usize = 12;
const PRSTATUS_SIGPEND: usize = 16;
const PRSTATUS_SIGHOLD: usize = 24;
const PRSTATUS_PID: usize = 32;
const PRSTATUS_UTIME: usize = 48;
const PRSTATUS_STIME: usize = 64;
const PRSTATUS_REGS: usize = 112;
/// Offsets within `struct elf_prpsinfo` (136 bytes).
const PRPSINFO_STATE: usize = 1;
const PRPSINFO_UID: usize = 16;
const PRPSINFO_GID: usize = 20;
const PRPSINFO_PID: usize = 24;
const PRPSINFO_PPID: usize = 28;
const PRPSINFO_FNAME: usize = 40;
const PRPSINFO_ARGS: usize = 56;

/// A note that claims more is passed over. The kernel allows 4 MiB for NT_FILE, 16 MiB when its sysctl
/// `kernel.core_file_note_size_limit` is raised that far.
const MAX_DESC: u64 = 64 << 20;
/// Of a note that is a struct of fixed size, so much is read.
const MAX_STRUCT: u64 = 1024;

/// `siginfo_t`, as far as gopsy reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigInfo {
    /// The signal.
    pub number: i32,
    /// `si_code`: who sent it or why. Above 0: the kernel raised it; 0 (`SI_USER`), -1 (`SI_QUEUE`), -6 (`SI_TKILL`): a
    /// process sent it.
    pub code: i32,
    /// The fault address, where there is one ([`SigInfo::fault_address`]). Other signals keep other things in this word.
    pub address: u64,
}

/// `SI_KERNEL`: the kernel raised it and says nothing more (`include/uapi/asm-generic/siginfo.h`). Of a general protection
/// fault, as by a pointer that is not canonical, the processor does not tell the address.
const SI_KERNEL: i32 = 0x80;

impl SigInfo {
    /// The address of the fault that the signal was raised for, where the kernel knew it.
    #[must_use]
    pub fn fault_address(&self) -> Option<u64> {
        let raised = self.code > 0 && self.code != SI_KERNEL;
        (raised && u32::try_from(self.number).is_ok_and(has_fault_address)).then_some(self.address)
    }

    /// Whether a tracer stopped the process (`ptrace`), not a signal: gdb attached to it.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        self.number == SIGSTOP && self.code == SI_KERNEL
    }

    /// Which process (and which user) sent it, for a signal that a process sent.
    #[must_use]
    pub fn sender(&self) -> Option<(u32, u32)> {
        let [pid, uid] = [self.address & 0xffff_ffff, self.address >> 32].map(|half| u32::try_from(half).unwrap_or(0));
        matches!(self.code, 0 | -1 | -6).then_some((pid, uid))
    }
}

/// Where the bytes of a note stand in the core file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) at: u64,
    pub(crate) len: u64,
}

/// One thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Its Linux thread id.
    pub tid: u32,
    /// Its registers when the core was written.
    pub registers: Registers,
    /// The signal it was taking (`pr_cursig`); 0 for none. The kernel writes that of the death into every thread
    /// (`fill_thread_core_info` in `fs/binfmt_elf.c`, 6.18), the thread that died first; gcore for every thread of a stopped
    /// process that had one.
    pub signal: u16,
    /// The signal's details. The kernel writes them for the thread that died only; gcore for every thread.
    pub siginfo: Option<SigInfo>,
    /// The signals that wait for this thread; bit *n* - 1 is signal *n*.
    pub pending: u64,
    /// The signals that this thread blocks.
    pub blocked: u64,
    /// Processor time in user mode. The kernel gives the first thread the sum over its threads; gcore writes 0.
    pub user_time: Duration,
    /// Processor time in the kernel.
    pub system_time: Duration,
    /// NT_PRFPREG and NT_X86_XSTATE.
    pub(crate) fpregs: Option<Place>,
    pub(crate) xstate: Option<Place>,
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
    /// The first 79 bytes of its arguments, joined by blanks (`pr_psargs`).
    pub arguments: String,
    /// The parent: the id of the thread that started this process, as the kernel has it (seen with 6.18).
    pub parent: u32,
    /// Its real user id.
    pub uid: u32,
    /// Its real group id.
    pub gid: u32,
    /// The state of its first thread, as `ps` writes it (`R`, `S`, `D`, `T`, `Z`).
    pub state: char,
}

/// The type of the note with which Delve's notes begin: `DLVE`.
const DELVE_HEADER: u32 = 0x444c_5645;

/// Everything the notes say.
#[derive(Debug)]
pub(crate) struct CoreNotes {
    machine: Machine,
    pub(crate) threads: Vec<Thread>,
    /// The signal of the first thread, of whatever machine.
    pub(crate) first_signal: Option<u16>,
    pub(crate) process: Option<ProcessInfo>,
    pub(crate) auxv: Vec<(u64, u64)>,
    pub(crate) mappings: Vec<FileMapping>,
    /// gdb left a note of its own (`NT_GDB_TDESC`, since gdb 12), or counts files in pages of one byte.
    pub(crate) by_gdb: bool,
    /// Delve left a note of its own (`dump`; `pkg/elfwriter/delve_core_notes.go`, 1.27.2). Its other notes have no owner.
    pub(crate) by_delve: bool,
    /// Notes that were too short for what they claim to be.
    pub(crate) damaged: u32,
    /// Notes that were cut off by the end of the file.
    pub(crate) cut: u32,
}

impl CoreNotes {
    pub(crate) fn new(machine: Machine) -> Self {
        CoreNotes {
            machine,
            threads: Vec::new(),
            first_signal: None,
            process: None,
            auxv: Vec::new(),
            mappings: Vec::new(),
            by_gdb: false,
            by_delve: false,
            damaged: 0,
            cut: 0,
        }
    }

    /// Reads the notes in `place`, of which the file holds `place.len` bytes.
    pub(crate) fn read(&mut self, content: &Content, place: Place, align: u64, whole: bool) {
        let align = if align == 8 { 8 } else { 4 };
        let mut at = 0;
        while at < place.len {
            match self.next(content, place, at, align) {
                Some(next) => at = next,
                None => {
                    let count = if whole { &mut self.damaged } else { &mut self.cut };
                    *count = count.saturating_add(1);
                    return;
                }
            }
        }
    }

    /// Reads one note and says where the next begins. `None` where the notes end within one.
    fn next(&mut self, content: &Content, place: Place, at: u64, align: u64) -> Option<u64> {
        let start = place.at.checked_add(at)?;
        let head: [u8; 12] = content.array(start).filter(|_| at.checked_add(12).is_some_and(|end| end <= place.len))?;
        let [name_len, desc_len, kind] = [0, 4, 8].map(|at| field(&head, at).map(u32::from_le_bytes));
        let (name_len, desc_len, kind) = (u64::from(name_len?), u64::from(desc_len?), kind?);
        if (name_len, desc_len, kind) == (0, 0, 0) {
            // Nobody writes such a note: this is a hole, and it may be 100 GB long.
            return None;
        }
        let name_at = at.checked_add(12)?;
        let desc_at = name_at.checked_add(name_len)?.checked_next_multiple_of(align)?;
        let desc_end = desc_at.checked_add(desc_len)?;
        if desc_end > place.len {
            return None;
        }
        // The types below are the owner CORE's. LINUX uses numbers of its own for more register sets.
        let owner: Option<[u8; 5]> = content.array(place.at.checked_add(name_at)?);
        let desc = Place { at: place.at.checked_add(desc_at)?, len: desc_len };
        let understood = match (name_len, owner?) {
            (4 | 5, owner) if owner.starts_with(b"CORE") => self.core_note(content, kind, desc),
            (5 | 6, owner) if owner.starts_with(b"LINUX") => self.linux_note(kind, desc),
            (0, _) if self.by_delve && kind == object::elf::NT_X86_XSTATE.0 => self.linux_note(kind, desc),
            (0, _) if self.by_delve => self.core_note(content, kind, desc),
            (12 | 13, owner) if owner.starts_with(b"Delve") && kind == DELVE_HEADER => {
                self.by_delve = true;
                Some(())
            }
            (3 | 4, owner) if owner.starts_with(b"GDB\0") => {
                self.by_gdb = true;
                Some(())
            }
            _ => Some(()),
        };
        if understood.is_none() {
            self.damaged = self.damaged.saturating_add(1);
        }
        desc_end.checked_next_multiple_of(align)
    }

    fn core_note(&mut self, content: &Content, kind: u32, desc: Place) -> Option<()> {
        let fixed = || content.vec(desc.at, desc.len.min(MAX_STRUCT));
        let whole = || content.vec(desc.at, desc.len).filter(|_| desc.len <= MAX_DESC);
        match object::elf::NoteType(kind) {
            object::elf::NT_PRSTATUS => {
                let bytes = fixed()?;
                self.first_signal = self.first_signal.or(field(&bytes, PRSTATUS_CURSIG).map(u16::from_le_bytes));
                self.threads.push(prstatus(self.machine, &bytes)?);
            }
            object::elf::NT_PRPSINFO => self.process = Some(prpsinfo(&fixed()?)?),
            object::elf::NT_SIGINFO => {
                let info = siginfo(&fixed()?)?;
                if let Some(thread) = self.threads.last_mut() {
                    thread.siginfo = Some(info);
                }
            }
            object::elf::NT_PRFPREG => {
                if let Some(thread) = self.threads.last_mut() {
                    thread.fpregs = Some(desc);
                }
            }
            object::elf::NT_AUXV => {
                let bytes = whole()?;
                let words = bytes.as_chunks::<16>().0.iter().map(|pair| (word(pair, 0), word(pair, 8)));
                self.auxv.extend(words.filter_map(|(key, value)| Some((key?, value?))));
            }
            object::elf::NT_FILE => {
                let bytes = whole()?;
                self.by_gdb |= word(&bytes, 8) == Some(1);
                self.mappings.extend(files(&bytes)?);
            }
            _ => {}
        }
        Some(())
    }

    fn linux_note(&mut self, kind: u32, desc: Place) -> Option<()> {
        if object::elf::NoteType(kind) == object::elf::NT_X86_XSTATE
            && let Some(thread) = self.threads.last_mut()
        {
            thread.xstate = Some(desc);
        }
        Some(())
    }
}

pub(crate) fn field<const N: usize>(data: &[u8], at: usize) -> Option<[u8; N]> {
    data.get(at..)?.first_chunk().copied()
}

pub(crate) fn word(data: &[u8], at: usize) -> Option<u64> {
    field(data, at).map(u64::from_le_bytes)
}

pub(crate) fn half(data: &[u8], at: usize) -> Option<u32> {
    field(data, at).map(u32::from_le_bytes)
}

/// The text before the first NUL.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|b| *b == 0).next().unwrap_or(&[])).into_owned()
}

fn prstatus(machine: Machine, data: &[u8]) -> Option<Thread> {
    Some(Thread {
        tid: half(data, PRSTATUS_PID)?,
        registers: Registers::parse(machine, data.get(PRSTATUS_REGS..)?)?,
        signal: u16::from_le_bytes(field(data, PRSTATUS_CURSIG)?),
        siginfo: None,
        pending: word(data, PRSTATUS_SIGPEND)?,
        blocked: word(data, PRSTATUS_SIGHOLD)?,
        user_time: time(data, PRSTATUS_UTIME)?,
        system_time: time(data, PRSTATUS_STIME)?,
        fpregs: None,
        xstate: None,
    })
}

/// `struct timeval`: seconds and microseconds.
fn time(data: &[u8], at: usize) -> Option<Duration> {
    let micros = Duration::from_micros(word(data, at.checked_add(8)?)?);
    Some(Duration::from_secs(word(data, at)?).saturating_add(micros))
}

fn prpsinfo(data: &[u8]) -> Option<ProcessInfo> {
    let name: [u8; 16] = field(data, PRPSINFO_FNAME)?;
    let arguments: [u8; 80] = field(data, PRPSINFO_ARGS)?;
    Some(ProcessInfo {
        pid: half(data, PRPSINFO_PID)?,
        name: text(&name),
        arguments: text(&arguments).trim_end().to_owned(),
        parent: half(data, PRPSINFO_PPID)?,
        uid: half(data, PRPSINFO_UID)?,
        gid: half(data, PRPSINFO_GID)?,
        state: char::from(*data.get(PRPSINFO_STATE)?),
    })
}

fn siginfo(data: &[u8]) -> Option<SigInfo> {
    // si_signo, si_errno, si_code, padding, then the union.
    Some(SigInfo {
        number: i32::from_le_bytes(field(data, 0)?),
        code: i32::from_le_bytes(field(data, 8)?),
        address: word(data, 16)?,
    })
}

/// `count`, `page_size`, `count` triples (start, end, offset in pages), then `count` NUL-terminated paths. The kernel's
/// pages are the machine's, gcore's are of one byte.
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
