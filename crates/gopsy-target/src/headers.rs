//! The headers of a core file.
//!
//! Whatever a file that was cut off still holds is read: some program headers, some notes. What was lost is [`Damage`].

use crate::TargetError;
use crate::content::Content;
use crate::core::CoreSegment;
use crate::notes::{CoreNotes, Place, field, half, text, word};
use gopsy_image::Machine;
use gopsy_mem::{Addr, Range};
use object::elf;
use std::fmt;

/// A core has a program header for each mapping. The kernel's limit for a process (`vm.max_map_count`) is 65,530, and
/// 1,048,576 on some distributions; it may be raised.
const MAX_HEADERS: u64 = 1 << 22;
/// `sizeof(Elf64_Phdr)`.
const PHDR: u64 = 56;
/// Program headers are read in groups.
const GROUP: u64 = 1024;

/// Whether a file that begins so is a core; `None` if it is no ELF file.
pub(crate) fn is_core(head: &[u8]) -> Option<bool> {
    let (order, kind) = (head.get(5)?, head.get(16..18)?.first_chunk()?);
    // e_type, in the byte order that e_ident names.
    let kind = if *order == 2 { u16::from_be_bytes(*kind) } else { u16::from_le_bytes(*kind) };
    head.starts_with(b"\x7fELF").then_some(kind == 4)
}

/// What a core file lost, as far as its headers tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// It ends before what its headers promise.
    Cut {
        /// Its length in bytes.
        len: u64,
        /// The least length that holds everything its headers name.
        promised: u64,
    },
    /// Some program headers are missing: stretches of memory that nothing is known of.
    Headers {
        /// How many there are.
        read: u64,
        /// How many there should be, if that is known.
        of: Option<u64>,
    },
    /// So many groups of notes end within a note.
    NotesCut(u32),
    /// So many notes are too short for what they claim to be, or contradict themselves.
    NotesDamaged(u32),
    /// No thread is named.
    NoThreads,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Cut { len, promised } => write!(f, "the file ends after {len} of {promised} bytes"),
            Damage::Headers { read, of: Some(of) } => write!(f, "{read} of {of} program headers are there"),
            Damage::Headers { read, of: None } => {
                write!(f, "{read} program headers are there; how many there were is lost")
            }
            Damage::NotesCut(_) => write!(f, "the notes are cut off"),
            Damage::NotesDamaged(1) => write!(f, "a note is damaged"),
            Damage::NotesDamaged(n) => write!(f, "{n} notes are damaged"),
            Damage::NoThreads => write!(f, "no thread is named"),
        }
    }
}

/// What can be said about a core of a machine that gopsy does not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherMachine {
    /// `e_machine`.
    pub machine: u16,
    /// Bits of an address: 32 or 64.
    pub bits: u8,
    /// The process's id, name and arguments.
    pub process: Option<(u32, String, String)>,
    /// The signal that the first thread was taking.
    pub signal: Option<u16>,
}

impl fmt::Display for OtherMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match elf::Machine(self.machine) {
            elf::EM_386 => Some("386"),
            elf::EM_ARM => Some("arm"),
            elf::EM_RISCV => Some("riscv"),
            elf::EM_PPC64 => Some("ppc64"),
            elf::EM_S390 => Some("s390x"),
            elf::EM_LOONGARCH => Some("loong64"),
            elf::EM_MIPS => Some("mips"),
            _ => None,
        };
        match name {
            Some(name) => write!(f, "a core of {name} ({} bits)", self.bits)?,
            None => write!(f, "a core of machine {} ({} bits)", self.machine, self.bits)?,
        }
        if let Some((pid, name, arguments)) = &self.process {
            write!(f, ", process {pid} ({name}), started as `{arguments}`")?;
        }
        match self.signal {
            Some(signal) if signal != 0 => write!(f, ", signal {signal}"),
            _ => Ok(()),
        }
    }
}

/// Everything that is read when a core is opened.
#[derive(Debug)]
pub(crate) struct Headers {
    pub(crate) machine: Machine,
    /// By address.
    pub(crate) segments: Vec<CoreSegment>,
    pub(crate) notes: CoreNotes,
    pub(crate) damage: Vec<Damage>,
}

/// Where the program headers are, and how many.
struct Table {
    at: u64,
    count: Option<u64>,
}

struct ProgramHeader {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    file_size: u64,
    memory_size: u64,
    align: u64,
}

impl Headers {
    pub(crate) fn read(content: &Content) -> Result<Headers, TargetError> {
        let damaged = |what: &str| TargetError::Damaged(what.to_owned());
        if content.array(0) != Some(elf::ELFMAG) {
            return Err(TargetError::NotCore);
        }
        let ident: [u8; 20] = content.array(0).ok_or(damaged("its ELF header is cut off"))?;
        let [_, _, _, _, class, order, ..] = ident;
        let (wide, little) = (class == elf::ELFCLASS64.0, order == elf::ELFDATA2LSB.0);
        let number = |at: usize| {
            let bytes = field(&ident, at).unwrap_or_default();
            if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) }
        };
        if elf::FileType(number(16)) != elf::ET_CORE {
            return Err(TargetError::NotCore);
        }
        let machine = Machine::from_elf(number(18));
        if !wide || !little {
            let bits = if wide { 64 } else { 32 };
            let mut other = OtherMachine { machine: number(18), bits, process: None, signal: None };
            if little && matches!(elf::Machine(number(18)), elf::EM_386 | elf::EM_ARM) {
                summary_32(content, &mut other);
            }
            return Err(TargetError::OtherMachine(Box::new(other)));
        }
        let header: [u8; 64] = content.array(0).ok_or(damaged("its ELF header is cut off"))?;
        let mut headers = Headers { machine, segments: Vec::new(), notes: CoreNotes::new(machine), damage: Vec::new() };
        let mut promised = 0;
        let table = table(content, &header, &mut promised).ok_or(damaged("its ELF header contradicts itself"))?;
        let notes = headers.programs(content, &table, &mut promised);
        headers.read_notes(content, notes);
        if let Machine::Other(number) = machine {
            let process = headers.notes.process.take().map(|p| (p.pid, p.name, p.arguments));
            let signal = headers.notes.first_signal;
            let other = OtherMachine { machine: number, bits: 64, process, signal };
            return Err(TargetError::OtherMachine(Box::new(other)));
        }
        headers.segments.sort_by_key(|s| s.range.start);
        headers.notes.mappings.sort_by_key(|m| m.range.start);
        let (cut, broken) = (headers.notes.cut, headers.notes.damaged);
        let found = [
            (content.len() < promised).then_some(Damage::Cut { len: content.len(), promised }),
            (cut > 0).then_some(Damage::NotesCut(cut)),
            (broken > 0).then_some(Damage::NotesDamaged(broken)),
            headers.notes.threads.is_empty().then_some(Damage::NoThreads),
        ];
        headers.damage.extend(found.into_iter().flatten());
        Ok(headers)
    }

    /// Reads the program headers; answers with those of notes.
    fn programs(&mut self, content: &Content, table: &Table, promised: &mut u64) -> Vec<ProgramHeader> {
        let mut notes = Vec::new();
        let count = table.count.unwrap_or(MAX_HEADERS).min(MAX_HEADERS);
        // Where their number is lost, they end where what they name begins: all writers put it behind them.
        let mut end = if table.count.is_some() { u64::MAX } else { content.len() };
        let mut read = 0u64;
        'groups: while read < count {
            let at = table.at.saturating_add(read.saturating_mul(PHDR));
            let left = content.len().saturating_sub(at).checked_div(PHDR).unwrap_or(0);
            let group = count.saturating_sub(read).min(GROUP).min(left);
            let Some(bytes) = content.vec(at, group.saturating_mul(PHDR)).filter(|b| !b.is_empty()) else { break };
            for bytes in bytes.as_chunks::<56>().0 {
                if table.at.saturating_add(read.saturating_add(1).saturating_mul(PHDR)) > end {
                    break 'groups;
                }
                let Some(program) = program_header(bytes) else { break 'groups };
                read = read.saturating_add(1);
                if table.count.is_none() && program.offset > table.at {
                    end = end.min(program.offset);
                }
                if matches!(elf::ProgramType(program.kind), elf::PT_LOAD | elf::PT_NOTE) && program.file_size > 0 {
                    *promised = (*promised).max(program.offset.saturating_add(program.file_size));
                }
                match elf::ProgramType(program.kind) {
                    elf::PT_LOAD if program.memory_size > 0 => self.segments.push(segment(content, &program)),
                    elf::PT_NOTE => notes.push(program),
                    _ => {}
                }
            }
        }
        if table.count != Some(read) {
            self.damage.push(Damage::Headers { read, of: table.count });
            let of = table.count.unwrap_or(read);
            *promised = (*promised).max(table.at.saturating_add(of.saturating_mul(PHDR)));
        }
        notes
    }

    fn read_notes(&mut self, content: &Content, programs: Vec<ProgramHeader>) {
        // Overlapping groups of notes are somebody's joke: no byte is read for more than the file's length in all.
        let mut budget = content.len();
        for program in programs {
            let held = program.file_size.min(content.len().saturating_sub(program.offset));
            let len = held.min(budget);
            budget = budget.saturating_sub(len);
            self.notes.read(content, Place { at: program.offset, len }, program.align, held == program.file_size);
            if len == 0 && program.file_size > 0 {
                self.notes.cut = self.notes.cut.saturating_add(1);
            }
        }
    }
}

/// The place of the program headers. A number of 0xffff (`PN_XNUM`) stands for the number in `sh_info` of the first section
/// header (`fs/binfmt_elf.c`, fill_extnum_info), which the kernel writes at the very end of the file.
fn table(content: &Content, header: &[u8; 64], promised: &mut u64) -> Option<Table> {
    let at = word(header, 32)?;
    let [entry, count] = [54, 56].map(|at| field(header, at).map(u16::from_le_bytes));
    let count = count?;
    if count > 0 && u64::from(entry?) != PHDR {
        return None;
    }
    if count != elf::PN_XNUM {
        return Some(Table { at, count: Some(u64::from(count)) });
    }
    let sections = word(header, 40)?;
    *promised = sections.saturating_add(64);
    let info = content.array::<64>(sections).and_then(|section| half(&section, 44));
    Some(Table { at, count: info.map(u64::from) })
}

fn program_header(bytes: &[u8; 56]) -> Option<ProgramHeader> {
    Some(ProgramHeader {
        kind: half(bytes, 0)?,
        flags: half(bytes, 4)?,
        offset: word(bytes, 8)?,
        address: word(bytes, 16)?,
        file_size: word(bytes, 32)?,
        memory_size: word(bytes, 40)?,
        align: word(bytes, 48)?,
    })
}

fn segment(content: &Content, program: &ProgramHeader) -> CoreSegment {
    let in_file = program.file_size.min(program.memory_size);
    let flags = elf::ProgramFlags(program.flags);
    CoreSegment {
        range: Range::new(Addr(program.address), program.memory_size),
        file_offset: program.offset,
        written: in_file,
        held: in_file.min(content.len().saturating_sub(program.offset)),
        readable: flags.contains(elf::PF_R),
        writable: flags.contains(elf::PF_W),
        executable: flags.contains(elf::PF_X),
    }
}

/// Process and signal of a 32-bit core (386 and arm, whose user and group ids have 16 bits in these structs).
fn summary_32(content: &Content, other: &mut OtherMachine) {
    let Some(header) = content.array::<52>(0) else { return };
    let (Some(at), Some(count)) = (half(&header, 28), field(&header, 44).map(u16::from_le_bytes)) else { return };
    for index in 0..u64::from(count.min(1024)) {
        let at = u64::from(at).saturating_add(index.saturating_mul(32));
        let Some(program) = content.array::<32>(at) else { return };
        let (kind, offset, size) = (half(&program, 0), half(&program, 4), half(&program, 16));
        let (Some(elf::PT_NOTE), Some(offset), Some(size)) = (kind.map(elf::ProgramType), offset, size) else {
            continue;
        };
        let Some(bytes) = content.vec(u64::from(offset), u64::from(size.min(1 << 20))) else { continue };
        for note in gopsy_image::Notes::new(&bytes, 4).filter(|n| n.owner == b"CORE") {
            match elf::NoteType(note.kind) {
                elf::NT_PRSTATUS if other.signal.is_none() => {
                    other.signal = field(note.desc, 12).map(u16::from_le_bytes);
                }
                elf::NT_PRPSINFO => {
                    let (pid, name) = (half(note.desc, 12), field::<16>(note.desc, 28));
                    let arguments = field::<80>(note.desc, 44);
                    if let (Some(pid), Some(name), Some(arguments)) = (pid, name, arguments) {
                        other.process = Some((pid, text(&name), text(&arguments).trim_end().to_owned()));
                    }
                }
                _ => {}
            }
        }
    }
}
