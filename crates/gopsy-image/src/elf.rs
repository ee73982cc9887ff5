//! The ELF file itself: segments, sections, symbols, build ids.

mod headers;

use crate::bytes;
use crate::debugfile::{DebugFile, FindDebug};
use crate::reloc::{self, Relocations};
use crate::stated::{Part, Stated};
use crate::{
    BuildInfo, CodeInfo, Cut, DebugInfo, GoModule, ImageError, ModuleData, Pclntab, SymbolTable, Variable, buildinfo,
    pclntab,
};
use gopsy_mem::{Addr, Bias, LinkAddr};
use object::LittleEndian as LE;
use object::elf;
use object::read::elf::{FileHeader, Sym};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

pub(crate) use headers::{is_32, parse_header};

/// The bytes of a file: mapped, or in memory.
pub type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// The instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// GOARCH=amd64.
    X86_64,
    /// GOARCH=arm64.
    Aarch64,
    /// Another `e_machine`.
    Other(u16),
}

impl Machine {
    /// From an ELF header's `e_machine`.
    #[must_use]
    pub fn from_elf(machine: u16) -> Machine {
        match elf::Machine(machine) {
            elf::EM_X86_64 => Machine::X86_64,
            elf::EM_AARCH64 => Machine::Aarch64,
            _ => Machine::Other(machine),
        }
    }

    /// Go's name for it (GOARCH), where gopsy knows it.
    #[must_use]
    pub fn goarch(self) -> Option<&'static str> {
        match self {
            Machine::X86_64 => Some("amd64"),
            Machine::Aarch64 => Some("arm64"),
            Machine::Other(_) => None,
        }
    }
}

/// A part of the file that is mapped when it runs (`PT_LOAD`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Where it is mapped.
    pub address: LinkAddr,
    /// How much of the address space it covers, in bytes.
    pub memory_size: u64,
    /// Where its bytes begin in the file.
    pub file_offset: u64,
    /// How many of them the file holds; the rest is zero.
    pub file_size: u64,
    /// May be written.
    pub writable: bool,
    /// May be executed.
    pub executable: bool,
}

/// A named part of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// Where it is mapped; zero if it is not.
    pub address: LinkAddr,
    /// Where its bytes begin in the file.
    pub file_offset: u64,
    /// Its size in bytes, in the file and in memory (before inflating).
    pub size: u64,
    /// `SHF_COMPRESSED`.
    pub compressed: bool,
    /// `SHT_NOBITS`: it takes no room in the file.
    pub no_bits: bool,
}

/// Flags of the dynamic section (`elf.h`).
const DT_FLAGS_1: u64 = 0x6fff_fffb;
const DF_1_PIE: u64 = 0x0800_0000;

/// Segments begin at any place of a page; the mapping begins with the page.
const PAGE: u64 = 4096;

/// A build id and where it is mapped, so that a core can be asked for the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildId {
    /// The id.
    pub bytes: Vec<u8>,
    /// Where it stands.
    pub address: LinkAddr,
}

/// Lower-case hexadecimal, as build ids are written.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// One executable file.
pub struct Image {
    data: Bytes,
    machine: Machine,
    /// Bytes of an address.
    word: usize,
    entry: LinkAddr,
    relocatable: bool,
    segments: Vec<Segment>,
    sections: Vec<Section>,
    build_id: Option<BuildId>,
    go_build_id: Option<BuildId>,
    cut: Option<Cut>,
    /// Where the dynamic section stands in the file, and its size.
    dynamic: Option<(u64, u64)>,
    /// Where the name of the interpreter stands in the file, and its size.
    interpreter: Option<(u64, u64)>,
    /// What the loader makes read-only when it has filled it in (`PT_GNU_RELRO`): where, and how many bytes.
    read_only_after: Vec<(LinkAddr, u64)>,
    /// Where the index of `.eh_frame` stands (`PT_GNU_EH_FRAME`), and its size.
    pub(crate) eh_frame_index: Option<(LinkAddr, u64)>,
    relocations: OnceLock<Relocations>,
    module: OnceLock<Result<GoModule, ImageError>>,
    pub(crate) debug: OnceLock<Result<DebugInfo, ImageError>>,
    pub(crate) code: OnceLock<Result<CodeInfo, ImageError>>,
    pub(crate) symbols: OnceLock<SymbolTable>,
    pub(crate) find_debug: OnceLock<FindDebug>,
    pub(crate) debug_file: OnceLock<Option<DebugFile>>,
}

impl Image {
    /// Code that a program generated, which is in no file: where it stands, as an image that has nothing else.
    #[must_use]
    pub fn of_code(machine: Machine, at: LinkAddr, code: Vec<u8>) -> Image {
        let size = u64::try_from(code.len()).unwrap_or(u64::MAX);
        let segment = Segment {
            address: at,
            memory_size: size,
            file_offset: 0,
            file_size: size,
            writable: false,
            executable: true,
        };
        Image { segments: vec![segment], entry: at, ..Image::bare(machine, Arc::new(code)) }
    }

    /// Bytes of which nothing is said.
    fn bare(machine: Machine, data: Bytes) -> Image {
        Image {
            data,
            machine,
            word: 8,
            entry: LinkAddr(0),
            relocatable: false,
            segments: Vec::new(),
            sections: Vec::new(),
            build_id: None,
            go_build_id: None,
            cut: None,
            dynamic: None,
            interpreter: None,
            read_only_after: Vec::new(),
            eh_frame_index: None,
            relocations: OnceLock::new(),
            module: OnceLock::new(),
            debug: OnceLock::new(),
            code: OnceLock::new(),
            symbols: OnceLock::new(),
            find_debug: OnceLock::new(),
            debug_file: OnceLock::new(),
        }
    }

    /// Whether the file ends before what its headers name.
    #[must_use]
    pub fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// The instruction set.
    #[must_use]
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// Bytes of an address: 8, or 4 of a file of 32 bits ([`Image::parse_any`]).
    #[must_use]
    pub fn address_size(&self) -> usize {
        self.word
    }

    /// The address at which execution begins.
    #[must_use]
    pub fn entry(&self) -> LinkAddr {
        self.entry
    }

    /// Whether it may be loaded elsewhere than stated (PIE, shared object).
    #[must_use]
    pub fn relocatable(&self) -> bool {
        self.relocatable
    }

    /// What is mapped when it runs.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// All sections, in the order of the file; none where the section headers are gone or damaged.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The name of an interpreter that loads the file (`PT_INTERP`): it is linked dynamically.
    #[must_use]
    pub fn interpreter(&self) -> Option<&[u8]> {
        self.interpreter
            .and_then(|(at, len)| bytes::slice(self.file(), at, len))
            .map(|name| name.split(|b| *b == 0).next().unwrap_or(name))
    }

    /// Whether other programs load it, and it is none itself: a library, a plugin. Of what has no interpreter, a program that
    /// was linked statically and may be loaded anywhere says that it is one (`DF_1_PIE`).
    #[must_use]
    pub fn is_shared_object(&self) -> bool {
        let mut entries = reloc::dynamic_entries(self.file(), self.dynamic, self.word);
        let is_program =
            self.interpreter.is_some() || entries.any(|(key, value)| key == DT_FLAGS_1 && value & DF_1_PIE != 0);
        self.relocatable && self.dynamic.is_some() && !is_program
    }

    /// Whether a Go program loads it that has the runtime for it (`-buildmode=plugin`); its build settings say so since Go 1.18.
    #[must_use]
    pub fn is_plugin(&self) -> bool {
        self.build_info().is_ok_and(|build| build.setting("-buildmode") == Some("plugin"))
    }

    /// The section of that name.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|s| s.name == name)
    }

    /// The GNU build id (`NT_GNU_BUILD_ID`). The Go linker writes one by default since Go 1.24; external linkers may.
    #[must_use]
    pub fn build_id(&self) -> Option<&BuildId> {
        self.build_id.as_ref()
    }

    /// Go's own build id: `actionID/…/contentID`, text.
    #[must_use]
    pub fn go_build_id(&self) -> Option<&BuildId> {
        self.go_build_id.as_ref()
    }

    /// All bytes of the file.
    #[must_use]
    pub fn file(&self) -> &[u8] {
        (*self.data).as_ref()
    }

    /// The bytes of a section as they are in the file (perhaps compressed).
    #[must_use]
    pub fn section_bytes(&self, section: &Section) -> Option<&[u8]> {
        if section.no_bits { None } else { bytes::slice(self.file(), section.file_offset, section.size) }
    }

    /// Whether the file still has its debug information, as far as it was cut off.
    pub(crate) fn debug_is_whole(&self) -> Result<(), ImageError> {
        let lost = |s: &Section| s.name.starts_with(".debug_") && self.section_bytes(s).is_none();
        self.cut.filter(|_| self.sections.iter().any(lost)).map_or(Ok(()), |cut| Err(ImageError::Cut(cut)))
    }

    /// Where in the file the bytes of the segment stand from that address on, as far as the file holds them.
    fn range_from(&self, address: LinkAddr) -> Option<std::ops::Range<usize>> {
        self.segments.iter().find_map(|s| {
            let within = address.offset_from(s.address).filter(|o| *o < s.file_size)?;
            let start = usize::try_from(s.file_offset.checked_add(within)?).ok()?;
            let end = usize::try_from(s.file_offset.checked_add(s.file_size)?).ok()?.min(self.file().len());
            (start < end).then_some(start..end)
        })
    }

    /// The bytes of a segment, as far as the file holds them.
    pub(crate) fn segment_bytes(&self, segment: &Segment) -> &[u8] {
        let held = u64::try_from(self.file().len()).unwrap_or(u64::MAX).saturating_sub(segment.file_offset);
        bytes::slice(self.file(), segment.file_offset, segment.file_size.min(held)).unwrap_or(&[])
    }

    /// The bytes of the segment from that address on, as far as the file holds them.
    #[must_use]
    pub fn bytes_from(&self, address: LinkAddr) -> Option<&[u8]> {
        self.file().get(self.range_from(address)?)
    }

    /// `len` bytes at that address.
    #[must_use]
    pub fn read(&self, address: LinkAddr, len: u64) -> Option<&[u8]> {
        bytes::slice(self.bytes_from(address)?, 0, len)
    }

    /// What was added to the addresses of the file if its first byte was mapped at `base`.
    #[must_use]
    pub fn bias_at(&self, base: Addr) -> Option<Bias> {
        let first = self.segments.iter().find(|s| s.file_offset < PAGE)?;
        Some(Bias::between(LinkAddr(first.address.0.wrapping_sub(first.file_offset)), base))
    }

    /// Whether anything of the file is mapped at that address.
    #[must_use]
    pub fn is_mapped(&self, address: LinkAddr) -> bool {
        self.segments.iter().any(|s| address.offset_from(s.address).is_some_and(|o| o < s.memory_size))
    }

    /// Whether two addresses lie in the same section; of a file without sections, in the same segment.
    pub(crate) fn in_one_part(&self, a: LinkAddr, b: LinkAddr) -> bool {
        let holds = |start: LinkAddr, size: u64| {
            let within = |at: LinkAddr| at.offset_from(start).is_some_and(|o| o < size);
            within(a) && within(b)
        };
        let mut placed = self.sections.iter().filter(|s| s.address.0 != 0).peekable();
        if placed.peek().is_some() {
            return placed.any(|s| holds(s.address, s.size));
        }
        self.segments.iter().any(|s| holds(s.address, s.memory_size))
    }

    /// Whether code is mapped at that address.
    #[must_use]
    pub fn is_executable(&self, address: LinkAddr) -> bool {
        self.segments.iter().any(|s| s.executable && address.offset_from(s.address).is_some_and(|o| o < s.memory_size))
    }

    /// Whether the running program may write there: in a writable segment, and not in what the loader makes read-only when it
    /// has filled it in.
    #[must_use]
    pub fn is_variable(&self, address: LinkAddr) -> bool {
        let within = |start: LinkAddr, size: u64| address.offset_from(start).is_some_and(|o| o < size);
        self.segments.iter().any(|s| s.writable && within(s.address, s.memory_size))
            && !self.read_only_after.iter().any(|(start, size)| within(*start, *size))
    }

    /// The address of a symbol of the symbol table (absent in stripped files). Linear in the table's size: for several
    /// names use [`Image::symbols`].
    #[must_use]
    pub fn symbol(&self, name: &str) -> Option<LinkAddr> {
        self.symbols(&[name]).remove(name).map(|v| v.address)
    }

    /// Symbols by their names, in one pass over the symbol table. A symbol that states no size has none.
    #[must_use]
    pub fn symbols<'n>(&self, names: &[&'n str]) -> HashMap<&'n str, Variable> {
        let mut found = HashMap::new();
        let file = self.file();
        let table = || parse_header(file).ok()?.sections(LE, file).ok()?.symbols(LE, file, elf::SHT_SYMTAB).ok();
        let Some(table) = table() else { return found };
        let wanted: HashMap<&[u8], &'n str> = names.iter().map(|n| (n.as_bytes(), *n)).collect();
        for symbol in table.iter() {
            let name = table.symbol_name(LE, symbol).ok().and_then(|n| wanted.get(n).copied());
            if let Some(name) = name {
                let size = Some(symbol.st_size(LE)).filter(|s| *s != 0);
                found.entry(name).or_insert(Variable { address: LinkAddr(symbol.st_value(LE)), size });
                if found.len() == wanted.len() {
                    break;
                }
            }
        }
        found
    }

    /// What `go version -m` prints.
    ///
    /// # Errors
    /// When there is none: not a Go program, or a plugin before Go 1.21.
    pub fn build_info(&self) -> Result<BuildInfo, ImageError> {
        buildinfo::read(self)
    }

    /// The first Go module: its moduledata and its pclntab.
    ///
    /// # Errors
    /// When there is none, it is damaged, or it has a format older than that of Go 1.16.
    pub fn module(&self) -> Result<&GoModule, ImageError> {
        self.module.get_or_init(|| pclntab::first_module(self)).as_ref().map_err(Clone::clone)
    }

    /// Go's table of functions.
    ///
    /// # Errors
    /// As [`Image::module`].
    pub fn pclntab(&self) -> Result<Pclntab<'_>, ImageError> {
        Ok(self.module()?.pclntab(self))
    }

    /// The first moduledata.
    ///
    /// # Errors
    /// As [`Image::module`].
    pub fn module_data(&self) -> Result<&ModuleData, ImageError> {
        Ok(self.module()?.data())
    }

    /// What the loader fills in. Read once, when first asked for.
    pub(crate) fn relocations(&self) -> &Relocations {
        let dynamic = self.dynamic.filter(|_| self.word == 8);
        self.relocations.get_or_init(|| Relocations::read(self.file(), self.machine, &self.segments, dynamic))
    }
}

impl Stated for Image {
    fn fill(&self, at: LinkAddr, buf: &mut [u8]) -> bool {
        let Some(bytes) = u64::try_from(buf.len()).ok().and_then(|len| self.read(at, len)) else { return false };
        buf.copy_from_slice(bytes);
        self.relocations().apply(at, buf);
        true
    }

    fn part(&self, at: LinkAddr, len: u64) -> Option<Part> {
        let from = self.range_from(at)?;
        let end = from.start.checked_add(usize::try_from(len).ok()?).filter(|end| *end <= from.end)?;
        let range = from.start..end;
        if self.relocations().within(at, len).is_empty() {
            return Some(Part::File { data: Arc::clone(&self.data), range });
        }
        let mut own = self.file().get(range)?.to_vec();
        self.relocations().apply(at, &mut own);
        Some(Part::Own(own))
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image")
            .field("machine", &self.machine)
            .field("segments", &self.segments)
            .finish_non_exhaustive()
    }
}
