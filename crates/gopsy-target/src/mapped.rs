//! The ELF files that were mapped, as far as the core itself tells: the executable, its libraries, plugins.

use crate::attach::Attachment;
use crate::core::Core;
use crate::memory::Held;
use crate::notes::{FileMapping, field, half, word};
use gopsy_image::{BuildInfo, Image, Notes};
use gopsy_mem::{Addr, Bias, LinkAddr, Memory, MemoryExt};
use object::elf;
use std::collections::HashMap;

/// Program headers and section headers beyond these are not looked at. Real files have a dozen and some tens.
const MAX_PROGRAMS: u16 = 256;
const MAX_SECTIONS: u16 = 1024;
/// Nor are notes beyond this: build ids have 20 (GNU) or 83 (Go) bytes.
const MAX_NOTES: usize = 1 << 16;
/// Nor are variables beyond this: of most programs they are less than 1 MiB, and build information stands at their beginning.
const MAX_VARIABLES: u64 = 32 << 20;
/// `Elf64_Shdr`: SHT_NOTE with SHF_ALLOC.
const SHT_NOTE: u32 = 7;
const SHF_ALLOC: u64 = 2;

/// A file that was mapped with something to execute in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedElf {
    /// Its path on the machine where the process ran, as bytes.
    pub path: Vec<u8>,
    /// It is the program: the executable, or the library that was taken for it ([`Core::take_for_program`]).
    pub program: bool,
    /// Its mappings, by address.
    pub mappings: Vec<FileMapping>,
    /// Its GNU build id, if the core holds it.
    pub build_id: Option<Vec<u8>>,
    /// Go's own build id, if the core holds it.
    pub go_build_id: Option<Vec<u8>>,
}

impl MappedElf {
    /// Where the file's first byte was mapped: its ELF header.
    pub(crate) fn base(&self) -> Option<Addr> {
        self.mappings.iter().find(|m| m.file_offset == 0).map(|m| m.range.start)
    }
}

impl Core {
    /// The executables and shared objects that were mapped, by address. A file that was loaded twice is there twice.
    #[must_use]
    pub fn elves(&self) -> Vec<MappedElf> {
        let entry = self.program_mapping().map(|m| m.range.start);
        let mut files: Vec<MappedElf> = Vec::new();
        let mut latest: HashMap<&[u8], usize> = HashMap::new();
        for mapping in self.mappings() {
            let known = latest.get(mapping.path.as_slice()).and_then(|i| files.get_mut(*i));
            match known.filter(|file| mapping.file_offset != 0 || file.base().is_none()) {
                Some(file) => file.mappings.push(mapping.clone()),
                None => {
                    latest.insert(&mapping.path, files.len());
                    files.push(MappedElf {
                        path: mapping.path.clone(),
                        program: false,
                        mappings: vec![mapping.clone()],
                        build_id: None,
                        go_build_id: None,
                    });
                }
            }
        }
        for file in &mut files {
            file.program = entry.is_some_and(|entry| file.mappings.iter().any(|m| m.range.start == entry));
        }
        files.retain(|file| file.program || self.may_be_elf(file));
        for file in &mut files {
            if let Some(base) = file.base() {
                let ids = ids(&Held(self), base).unwrap_or_default();
                (file.build_id, file.go_build_id) = (ids.gnu, ids.go);
            }
        }
        files
    }

    /// Takes a library for the program: what a process has of Go whose executable has none.
    pub fn take_for_program(&mut self, library: &MappedElf) {
        self.library = library.base();
    }

    /// The same, if that is a library of the process.
    pub fn take_if_library(&mut self, image: &Image) {
        if image.is_shared_object() && self.library.is_none() && !image.is_plugin() {
            let is_it = |file: &MappedElf| !file.program && self.compare(file, image).answer == Attachment::Same;
            self.library = self.elves().iter().find(|file| is_it(file)).and_then(MappedElf::base);
        }
    }

    /// What the variables of a program say of how it was built, as far as the core itself holds them: that of Go 1.18 and later. Among
    /// its constants may be another program's, which it has embedded.
    #[must_use]
    pub fn build_info(&self, file: &MappedElf) -> Option<BuildInfo> {
        file.mappings.iter().find_map(|mapping| {
            let segment = self.segment_at(mapping.range.start).filter(|segment| segment.writable)?;
            let held = segment.held_range().end.min(mapping.range.end).offset_from(mapping.range.start)?;
            let len = held.min(MAX_VARIABLES);
            let variables = Held(self).bytes(mapping.range.start, len, usize::try_from(len).ok()?).ok()?;
            BuildInfo::among(&variables)
        })
    }

    /// It begins as ELF files do, or its beginning is not in the core; and something in it could be executed. Of what
    /// gcore leaves out nothing says that: there the beginning must be seen.
    fn may_be_elf(&self, file: &MappedElf) -> bool {
        let Some(base) = file.base() else { return false };
        let segments = || file.mappings.iter().map(|m| self.segment_at(m.range.start));
        let execute = segments().flatten().any(|s| s.executable);
        let mut magic = [0; 4];
        match Held(self).read(base, &mut magic) {
            Ok(()) => magic == elf::ELFMAG && (execute || segments().any(|s| s.is_none())),
            Err(_) => execute,
        }
    }
}

/// Build ids as they stood in memory.
#[derive(Default)]
struct Ids {
    gnu: Option<Vec<u8>>,
    go: Option<Vec<u8>>,
}

/// Reads the notes of an ELF file whose header stands at `base`: those that the program headers name, and those that the
/// section headers name where these are in the same page (the Go linker puts them there).
fn ids(held: &Held<'_>, base: Addr) -> Option<Ids> {
    let mut header = [0u8; 64];
    held.read(base, &mut header).ok()?;
    let is_64 = header.starts_with(&elf::ELFMAG) && header.get(4..6) == Some(&[2, 1]);
    let count = |at| field(&header, at).map(u16::from_le_bytes);
    let table = |at: u64, size: u64, count: u16, max: u16| {
        let len = size.checked_mul(u64::from(count.min(max)))?;
        held.bytes(base.checked_add(at)?, len, usize::try_from(len).ok()?).ok()
    };
    let programs = is_64.then(|| table(word(&header, 32)?, 56, count(56)?, MAX_PROGRAMS)).flatten()?;
    let (programs, _) = programs.as_chunks::<56>();
    let first = programs.iter().find(|p| half(*p, 0) == Some(elf::PT_LOAD.0) && word(*p, 8) == Some(0))?;
    let bias = Bias::between(LinkAddr(word(first, 16)?), base);
    let mut ids = Ids::default();
    for program in programs.iter().filter(|p| half(*p, 0) == Some(elf::PT_NOTE.0)) {
        let (address, size, align) = (word(program, 16)?, word(program, 32)?, word(program, 48)?);
        ids.add(held, bias.load(LinkAddr(address)), size, align);
    }
    let sections = table(word(&header, 40)?, 64, count(60)?, MAX_SECTIONS).unwrap_or_default();
    for section in sections.as_chunks::<64>().0 {
        let (kind, flags) = (half(section, 4)?, word(section, 8)?);
        if kind == SHT_NOTE && flags & SHF_ALLOC != 0 {
            let (address, size, align) = (word(section, 16)?, word(section, 32)?, word(section, 48)?);
            ids.add(held, bias.load(LinkAddr(address)), size, align);
        }
    }
    Some(ids)
}

impl Ids {
    fn add(&mut self, held: &Held<'_>, address: Addr, size: u64, align: u64) {
        let Ok(bytes) = held.bytes(address, size, MAX_NOTES) else { return };
        for note in Notes::new(&bytes, align).filter(|n| !n.desc.is_empty()) {
            let slot = match (note.owner, note.kind) {
                (b"GNU", 3) => &mut self.gnu,
                (b"Go", 4) => &mut self.go,
                _ => continue,
            };
            slot.get_or_insert_with(|| note.desc.to_vec());
        }
    }
}
