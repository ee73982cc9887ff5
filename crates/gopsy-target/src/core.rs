//! Core files.

use crate::TargetError;
use crate::attach::{Backing, possible};
use crate::content::{Content, WindowedFile, slice};
use crate::file::{folder_of, open_regular};
use crate::headers::{Damage, Headers};
use crate::memory::Extent;
use crate::notes::{FileMapping, ProcessInfo, Thread};
use crate::registers::{Registers, vectors};
use crate::unpack::{self, Format, Limits, Unpacked};
use gopsy_image::{Bytes, Image, Machine};
use gopsy_mem::{Addr, Bias, MemoryExt, Range};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// `AT_ENTRY` and `AT_SYSINFO_EHDR` of the auxiliary vector.
const AT_ENTRY: u64 = 9;
const AT_SYSINFO_EHDR: u64 = 33;
/// The vDSO of a machine has a few pages.
const MAX_VDSO: usize = 1 << 20;

/// A stretch of the process's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoreSegment {
    /// Where it was.
    pub range: Range,
    /// Where its bytes begin in the core.
    pub(crate) file_offset: u64,
    /// How many of its bytes were to be written to the core: fewer than its length for pages that the kernel leaves out
    /// (`coredump_filter`).
    pub written: u64,
    /// How many of its bytes the core holds: fewer than `written` for cores that were cut off.
    pub held: u64,
    /// It could be read: reserved address space cannot. (gcore says so of every stretch.)
    pub readable: bool,
    /// It could be written.
    pub writable: bool,
    /// It could be executed.
    pub executable: bool,
}

/// A process that was written to a file.
///
/// It may go to another thread, but not be used by two: what was read of the file is kept without a lock. A clone shares
/// everything that was parsed, and keeps what it reads for itself.
#[derive(Clone)]
pub struct Core {
    pub(crate) content: Content,
    pub(crate) headers: Arc<Headers>,
    pub(crate) backing: Arc<Backing>,
    /// The stretch that was read last.
    pub(crate) last: Cell<Extent>,
    unpacked: Option<Arc<Unpacked>>,
    /// Where the file lies.
    folder: Option<Arc<Path>>,
    /// Where the library begins that is taken for the program.
    pub(crate) library: Option<Addr>,
}

impl Core {
    /// Reads the headers and notes of a core file; one that is compressed (zstd, lz4, gzip, xz) is unpacked first.
    ///
    /// # Errors
    /// When the file cannot be read or is not a core of linux/amd64 or linux/arm64.
    pub fn open(path: &Path) -> Result<Core, TargetError> {
        Core::open_within(path, &Limits::default())
    }

    /// As [`Core::open`], with other limits for what is unpacked.
    ///
    /// # Errors
    /// When the file cannot be read or is not a core of linux/amd64 or linux/arm64.
    pub fn open_within(path: &Path, limits: &Limits) -> Result<Core, TargetError> {
        let (file, _) = open_regular(path)?;
        Ok(Core::of_file(file, path, limits)?.lying_in(folder_of(path)))
    }

    /// Reads a regular file that is open; `path` names it in messages.
    pub(crate) fn of_file(file: File, path: &Path, limits: &Limits) -> Result<Core, TargetError> {
        let io = |error| TargetError::Io { path: path.to_owned(), error };
        let Some(format) = unpack::format(&file).map_err(io)? else {
            let metadata = file.metadata().map_err(io)?;
            return Core::read(Content::of_file(WindowedFile::new(file, &metadata)), None);
        };
        Core::of_unpacked(unpack::unpack_file(file, format, limits), path)
    }

    /// Reads what comes through a pipe; `path` names it in messages.
    pub(crate) fn of_stream(
        stream: Box<dyn Read>,
        format: Option<Format>,
        path: &Path,
        limits: &Limits,
    ) -> Result<Core, TargetError> {
        Core::of_unpacked(unpack::unpack(stream, format, limits), path)
    }

    fn of_unpacked(unpacked: io::Result<(File, Unpacked)>, path: &Path) -> Result<Core, TargetError> {
        let unpack = |why: String| TargetError::Unpack { path: path.to_owned(), why };
        let (file, unpacked) = unpacked.map_err(|error| unpack(error.to_string()))?;
        let metadata = file.metadata().map_err(|error| TargetError::Io { path: path.to_owned(), error })?;
        let (format, stopped) = (unpacked.format, unpacked.stopped.clone());
        Core::read(Content::of_file(WindowedFile::new(file, &metadata)), Some(unpacked)).map_err(|error| {
            match (stopped, format) {
                (Some(why), Some(format)) => unpack(format!("{format}, {why}")),
                (Some(why), None) => unpack(why.to_string()),
                (None, _) => error,
            }
        })
    }

    /// The same, as a core that lies in a folder.
    pub(crate) fn lying_in(self, folder: &Path) -> Core {
        Core { folder: Some(Arc::from(folder)), ..self }
    }

    /// Reads the headers and notes of a core in memory.
    ///
    /// # Errors
    /// When it is not a core of linux/amd64 or linux/arm64.
    pub fn parse(data: Bytes) -> Result<Core, TargetError> {
        Core::read(Content::Bytes(data), None)
    }

    fn read(content: Content, unpacked: Option<Unpacked>) -> Result<Core, TargetError> {
        let headers = Headers::read(&content)?;
        Ok(Core {
            content,
            headers: Arc::new(headers),
            backing: Arc::default(),
            last: Cell::default(),
            unpacked: unpacked.map(Arc::new),
            folder: None,
            library: None,
        })
    }

    /// The instruction set.
    #[must_use]
    pub fn machine(&self) -> Machine {
        self.headers.machine
    }

    /// The threads, in the order of the core. The kernel writes the one that died first.
    #[must_use]
    pub fn threads(&self) -> &[Thread] {
        &self.headers.notes.threads
    }

    /// The process's id, name and arguments.
    #[must_use]
    pub fn process(&self) -> Option<&ProcessInfo> {
        self.headers.notes.process.as_ref()
    }

    /// The files that were mapped.
    #[must_use]
    pub fn mappings(&self) -> &[FileMapping] {
        &self.headers.notes.mappings
    }

    /// A word of the auxiliary vector.
    #[must_use]
    pub fn auxv(&self, key: u64) -> Option<u64> {
        self.headers.notes.auxv.iter().find(|(k, _)| *k == key).map(|(_, v)| *v)
    }

    /// The stretches of memory, by address.
    #[must_use]
    pub fn segments(&self) -> &[CoreSegment] {
        &self.headers.segments
    }

    /// What the core itself holds of the memory that the process could write to: stretches, by address.
    #[must_use]
    pub fn written_memory(&self) -> Vec<Range> {
        let written = self.segments().iter().filter(|segment| segment.writable && segment.held > 0);
        written.map(CoreSegment::held_range).collect()
    }

    /// Whether the file ends before what its headers promise, or what was compressed could not be unpacked to its end.
    #[must_use]
    pub fn truncated(&self) -> bool {
        let cut = |d: &Damage| matches!(d, Damage::Cut { .. } | Damage::Headers { .. } | Damage::NotesCut(_));
        self.headers.damage.iter().any(cut) || self.unpacked().is_some_and(|u| u.stopped.is_some())
    }

    /// What the file lost.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.headers.damage
    }

    /// How many notes were too short for what they claim to be.
    #[must_use]
    pub fn damaged_notes(&self) -> u32 {
        self.headers.notes.damaged
    }

    /// What was done to read a compressed core.
    #[must_use]
    pub fn unpacked(&self) -> Option<&Unpacked> {
        self.unpacked.as_deref()
    }

    /// The folder in which the core lies; none of a core in memory.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The length of the core file in bytes, unpacked.
    #[must_use]
    pub fn file_len(&self) -> u64 {
        self.content.len()
    }

    /// The executable's path on the machine where the process ran: the file mapped at its entry point.
    #[must_use]
    pub fn executable(&self) -> Option<&FileMapping> {
        let entry = Addr(self.auxv(AT_ENTRY)?);
        self.mapping_at(entry)
    }

    /// What tells the program's file from others: the mapping of its entry point; of a library that of its first byte.
    #[must_use]
    pub fn program_mapping(&self) -> Option<&FileMapping> {
        match self.library {
            Some(base) => self.mapping_at(base),
            None => self.executable(),
        }
    }

    /// Where the program was loaded, relative to what it states. An executable that cannot be moved lies where it states; of another
    /// the entry point tells, unless it cannot be one of this file's; of a library its first byte.
    #[must_use]
    pub fn bias(&self, image: &Image) -> Option<Bias> {
        let bias = match (self.library, image.relocatable()) {
            (Some(base), _) => image.bias_at(base),
            (None, true) => self.bias_by_entry(image),
            (None, false) => return Some(Bias::ZERO),
        };
        bias.filter(|bias| possible(image, *bias))
    }

    /// The same by the entry point, which the kernel tells the process. One where nothing was mapped is damaged, and says
    /// nothing.
    pub(crate) fn bias_by_entry(&self, image: &Image) -> Option<Bias> {
        let entered = self.mappings().is_empty() || self.executable().is_some();
        let entry = self.auxv(AT_ENTRY).filter(|_| entered && self.library.is_none())?;
        Some(Bias::between(image.entry(), Addr(entry)))
    }

    /// What is mapped at an address, in words: a file, the vDSO, or memory that is in no file, if the core names any files.
    #[must_use]
    pub fn describe(&self, at: Addr) -> Option<String> {
        if let Some(mapping) = self.mapping_at(at) {
            let path = String::from_utf8_lossy(&mapping.path);
            let offset = at.offset_from(mapping.range.start)?.checked_add(mapping.file_offset)?;
            return Some(format!("{path}, {offset:#x} bytes from its beginning"));
        }
        if let Some(vdso) = self.vdso_range().filter(|vdso| vdso.contains(at)) {
            return Some(format!("vDSO+{:#x}", at.offset_from(vdso.start)?));
        }
        let segment = self.segments().iter().find(|s| s.range.contains(at)).filter(|_| !self.mappings().is_empty())?;
        let executable = if segment.executable { ", and may be executed" } else { "" };
        Some(format!("memory that is in no file{executable}"))
    }

    /// The signal that a thread was taking. The kernel writes that of the death into every thread (`fill_thread_core_info` in
    /// `fs/binfmt_elf.c`, 6.18): only the first thread's is believed, and one with its details.
    #[must_use]
    pub fn signal_of(&self, thread: &Thread) -> Option<u16> {
        let first = self.threads().first().is_some_and(|first| first.tid == thread.tid);
        ((first || thread.siginfo.is_some()) && thread.signal != 0).then_some(thread.signal)
    }

    /// Whether a thread of amd64 stands where it began: behind the `syscall` that made it, of which it sees 0 and its parent its
    /// number (clone(2); orig_rax is the number of the call). Nobody called it; what its stack holds there is not of a caller.
    #[must_use]
    pub fn has_just_begun(&self, registers: &Registers) -> bool {
        const CLONE: u64 = 56;
        const CLONE3: u64 = 435;
        const SYSCALL: [u8; 2] = [0x0f, 0x05];
        let made = matches!(registers.get("orig_rax"), Some(CLONE | CLONE3)) && registers.get("rax") == Some(0);
        let before = || self.bytes(registers.pc().checked_sub(2)?, 2, 2).ok();
        made && before().is_some_and(|bytes| bytes == SYSCALL)
    }

    /// Where the shared object was that the kernel maps into every process, as far as the core holds it.
    #[must_use]
    pub fn vdso_range(&self) -> Option<Range> {
        let start = self.vdso_at()?;
        let segment = self.segment_at(start).filter(|s| s.range.start == start && s.held > 0)?;
        Some(Range::new(start, segment.held))
    }

    /// That object, an ELF image as it stood in memory.
    #[must_use]
    pub fn vdso(&self) -> Option<Vec<u8>> {
        let range = self.vdso_range()?;
        self.bytes(range.start, range.len(), MAX_VDSO).ok().filter(|bytes| !bytes.is_empty())
    }

    /// The same read, and what is added to an address that it states to have the one in the process.
    #[must_use]
    pub fn vdso_image(&self) -> Option<(Arc<Image>, Bias)> {
        let image = Image::parse(Arc::new(self.vdso()?)).ok()?;
        let bias = image.bias_at(self.vdso_at()?)?;
        Some((Arc::new(image), bias))
    }

    pub(crate) fn vdso_at(&self) -> Option<Addr> {
        self.auxv(AT_SYSINFO_EHDR).map(Addr)
    }

    /// The vector registers of a thread (`NT_PRFPREG`): xmm0 to xmm15, of arm64 v0 to v31.
    #[must_use]
    pub fn vector_registers(&self, thread: &Thread) -> Option<Vec<u128>> {
        let (at, count) = vectors(self.machine())?;
        let place = thread.fpregs?;
        let len = u64::try_from(count).ok()?.checked_mul(16)?;
        let bytes = self.content.vec(place.at, place.len.min(at.checked_add(len)?))?;
        let (vectors, _) = slice(&bytes, at, len)?.as_chunks::<16>();
        Some(vectors.iter().map(|v| u128::from_le_bytes(*v)).collect())
    }

    /// The whole register state of an amd64 thread as the processor saves it (`NT_X86_XSTATE`, Intel SDM volume 1, 13.4).
    #[must_use]
    pub fn xstate(&self, thread: &Thread) -> Option<Vec<u8>> {
        let place = thread.xstate?;
        // An area with AMX has 11 KiB.
        self.content.vec(place.at, place.len.min(1 << 20))
    }

    /// How many bytes of readable memory the core names, and how many of them it holds. (Go reserves far more address
    /// space than it uses; that is not memory that is missing.)
    #[must_use]
    pub fn extent(&self) -> (u64, u64) {
        self.segments().iter().filter(|s| s.readable).fold((0, 0), |(named, held), s| {
            (u64::saturating_add(named, s.range.len()), u64::saturating_add(held, s.held))
        })
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("threads", &self.threads().len())
            .field("segments", &self.segments())
            .finish_non_exhaustive()
    }
}
