//! Core files.

use crate::TargetError;
use crate::file::MappedFile;
use crate::notes::{CoreNotes, FileMapping, ProcessInfo, Thread};
use gopsy_image::{Bytes, Image, Machine, Notes};
use gopsy_mem::{Addr, Bias, MemoryExt, Range};
use object::LittleEndian as LE;
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader};
use std::path::Path;
use std::sync::Arc;

/// `AT_ENTRY` of the auxiliary vector.
const AT_ENTRY: u64 = 9;
/// Build ids are 20 (GNU) or 83 (Go) bytes; longer ones are not compared.
const MAX_BUILD_ID: usize = 1024;

/// A stretch of the process's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoreSegment {
    /// Where it was.
    pub range: Range,
    /// Where its bytes begin in the core.
    pub(crate) file_offset: u64,
    /// How many of its bytes the core holds: fewer than its length for pages that the kernel leaves out
    /// (`coredump_filter`) and for cores that were cut off.
    pub held: u64,
    /// It could be read: reserved address space cannot.
    pub readable: bool,
    /// It could be written.
    pub writable: bool,
}

/// Whether a binary belongs to a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attachment {
    /// The core holds a build id, and it is the binary's.
    Same,
    /// The core holds another build id, or the binary cannot have been loaded so.
    Other,
    /// The core does not hold the place where the build id stands, or the binary has none.
    CannotTell,
}

/// A process that was written to a file.
pub struct Core {
    pub(crate) data: Bytes,
    /// The same file, when it is mapped and may change underneath.
    pub(crate) mapped: Option<Arc<MappedFile>>,
    pub(crate) segments: Vec<CoreSegment>,
    pub(crate) notes: CoreNotes,
    machine: Machine,
    truncated: bool,
    pub(crate) backing: Option<Backing>,
}

/// The file that supplies pages which the core does not hold.
pub(crate) struct Backing {
    /// `None`: it was another build, so faults can say so.
    pub(crate) image: Option<Arc<Image>>,
    /// The mappings of that file.
    pub(crate) mappings: Vec<FileMapping>,
}

impl Core {
    /// Maps and reads the headers and notes of a core file.
    ///
    /// # Errors
    /// When the file cannot be read or is not a core of linux/amd64.
    pub fn open(path: &Path) -> Result<Core, TargetError> {
        let file = Arc::new(MappedFile::open(path)?);
        let mut core = Core::parse(Arc::<MappedFile>::clone(&file))?;
        core.mapped = Some(file);
        Ok(core)
    }

    /// Reads the headers and notes of a core in memory.
    ///
    /// # Errors
    /// When it is not a core of linux/amd64.
    pub fn parse(data: Bytes) -> Result<Core, TargetError> {
        let file = (*data).as_ref();
        let damaged = |what: &str| TargetError::Damaged(what.to_owned());
        if !file.starts_with(&elf::ELFMAG) {
            return Err(TargetError::NotCore);
        }
        let header = elf::FileHeader64::<LE>::parse(file).map_err(|_| damaged("its ELF header cannot be read"))?;
        if !header.is_class_64() || !header.is_little_endian() {
            return Err(TargetError::NotSupported("a core of a 32-bit or big-endian machine".to_owned()));
        }
        if header.e_type(LE) != elf::ET_CORE {
            return Err(TargetError::NotCore);
        }
        let machine = Machine::from_elf(header.e_machine(LE).0);
        if machine != Machine::X86_64 {
            let name = machine.goarch().map_or_else(|| format!("machine {}", header.e_machine(LE).0), str::to_owned);
            return Err(TargetError::NotSupported(format!("a core of {name}; only amd64 can be read so far")));
        }
        let programs =
            header.program_headers(LE, file).map_err(|_| damaged("its program headers lie outside of the file"))?;
        let mut notes = CoreNotes::default();
        let (mut segments, mut truncated) = (Vec::new(), false);
        let file_len = u64::try_from(file.len()).unwrap_or(u64::MAX);
        for program in programs {
            let (offset, size) = (program.p_offset(LE), program.p_filesz(LE));
            let held = size.min(file_len.saturating_sub(offset));
            truncated |= held < size;
            match program.p_type(LE) {
                elf::PT_LOAD => segments.push(CoreSegment {
                    range: Range::new(Addr(program.p_vaddr(LE)), program.p_memsz(LE)),
                    file_offset: offset,
                    held: held.min(program.p_memsz(LE)),
                    readable: program.p_flags(LE).contains(elf::PF_R),
                    writable: program.p_flags(LE).contains(elf::PF_W),
                }),
                elf::PT_NOTE => {
                    let data = slice(file, offset, held).unwrap_or(&[]);
                    for note in Notes::new(data, program.p_align(LE)) {
                        notes.add(&note);
                    }
                }
                _ => {}
            }
        }
        segments.sort_by_key(|s| s.range.start);
        if notes.threads.is_empty() {
            return Err(damaged("it names no thread"));
        }
        Ok(Core { mapped: None, segments, notes, machine, truncated, backing: None, data })
    }

    /// The instruction set.
    #[must_use]
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// The threads, in the order of the core. The kernel writes the one that died first.
    #[must_use]
    pub fn threads(&self) -> &[Thread] {
        &self.notes.threads
    }

    /// The process's id and name.
    #[must_use]
    pub fn process(&self) -> Option<&ProcessInfo> {
        self.notes.process.as_ref()
    }

    /// The files that were mapped.
    #[must_use]
    pub fn mappings(&self) -> &[FileMapping] {
        &self.notes.mappings
    }

    /// A word of the auxiliary vector.
    #[must_use]
    pub fn auxv(&self, key: u64) -> Option<u64> {
        self.notes.auxv.iter().find(|(k, _)| *k == key).map(|(_, v)| *v)
    }

    /// The stretches of memory, by address.
    #[must_use]
    pub fn segments(&self) -> &[CoreSegment] {
        &self.segments
    }

    /// Whether the file ends before what its headers promise.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// How many notes were too short for what they claim to be.
    #[must_use]
    pub fn damaged_notes(&self) -> u32 {
        self.notes.damaged
    }

    /// The executable's path on the machine where the process ran: the file mapped at its entry point.
    #[must_use]
    pub fn executable(&self) -> Option<&FileMapping> {
        let entry = Addr(self.auxv(AT_ENTRY)?);
        self.notes.mappings.iter().find(|m| m.range.contains(entry))
    }

    /// Where the executable was loaded, relative to what it states.
    #[must_use]
    pub fn bias(&self, image: &Image) -> Option<Bias> {
        Some(Bias::between(image.entry(), Addr(self.auxv(AT_ENTRY)?)))
    }

    /// Lets a binary supply the pages that the core does not hold, if it is the one that ran.
    ///
    /// Only non-writable parts are ever taken from it: a writable page that is not in the core may have been written to.
    pub fn attach(&mut self, image: &Arc<Image>) -> Attachment {
        let attachment = self.compare(image);
        let path = self.executable().map(|m| m.path.clone());
        let mappings = self.notes.mappings.iter().filter(|m| Some(&m.path) == path.as_ref()).cloned().collect();
        self.backing = match attachment {
            Attachment::Same => Some(Backing { image: Some(Arc::clone(image)), mappings }),
            Attachment::Other => Some(Backing { image: None, mappings }),
            Attachment::CannotTell => None,
        };
        attachment
    }

    fn compare(&self, image: &Image) -> Attachment {
        let bias = self.bias(image).unwrap_or(Bias::ZERO);
        if image.machine() != self.machine || (!image.relocatable() && bias != Bias::ZERO) {
            return Attachment::Other;
        }
        for id in [image.build_id(), image.go_build_id()].into_iter().flatten().filter(|id| !id.bytes.is_empty()) {
            let len = u64::try_from(id.bytes.len()).unwrap_or(u64::MAX);
            if let Ok(in_core) = self.bytes(bias.load(id.address), len, MAX_BUILD_ID) {
                return if in_core == id.bytes { Attachment::Same } else { Attachment::Other };
            }
        }
        Attachment::CannotTell
    }

    /// How many bytes of readable memory the core names, and how many of them it holds. (Go reserves far more address
    /// space than it uses; that is not memory that is missing.)
    #[must_use]
    pub fn extent(&self) -> (u64, u64) {
        self.segments.iter().filter(|s| s.readable).fold((0, 0), |(named, held), s| {
            (u64::saturating_add(named, s.range.len()), u64::saturating_add(held, s.held))
        })
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("threads", &self.notes.threads.len())
            .field("segments", &self.segments)
            .finish_non_exhaustive()
    }
}

pub(crate) fn slice(data: &[u8], at: u64, len: u64) -> Option<&[u8]> {
    let start = usize::try_from(at).ok()?;
    data.get(start..start.checked_add(usize::try_from(len).ok()?)?)
}
