//! The headers of an ELF file: what is read of them once, when it is opened.

use super::{BuildId, Bytes, Image, Machine, Section, Segment};
use crate::note::Notes;
use crate::{Cut, ImageError, bytes};
use gopsy_mem::LinkAddr;
use object::LittleEndian as LE;
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};

type Header = elf::FileHeader64<LE>;
type Header32 = elf::FileHeader32<LE>;

/// Where an ELF file says whether it is of 32 bits, and in which order it has its bytes.
const EI_CLASS: usize = 4;
const EI_DATA: usize = 5;
impl Image {
    /// Reads the headers. A file without sections, or with damaged ones, is still an image.
    ///
    /// # Errors
    /// When it is no 64-bit little-endian ELF executable, or its program headers cannot be read.
    pub fn parse(data: Bytes) -> Result<Image, ImageError> {
        parse_header((*data).as_ref())?;
        Image::read_headers::<Header>(data, true)
    }

    /// As [`Image::parse`], also of 32 bits: of such a file, headers, sections, build ids, build information and how many symbols it
    /// has are read, and not Go's tables.
    ///
    /// # Errors
    /// As [`Image::parse`], without the class.
    pub fn parse_any(data: Bytes) -> Result<Image, ImageError> {
        let file = (*data).as_ref();
        match is_32(file) && file.get(EI_DATA) != Some(&elf::ELFDATA2MSB.0) {
            false => Image::parse(data),
            true => {
                let image = Image::read_headers::<Header32>(data, true)?;
                // A machine of 64 bits may have programs with addresses of 32 (x32), which are another machine's.
                let machine = match image.machine {
                    Machine::X86_64 => Machine::Other(elf::EM_X86_64.0),
                    Machine::Aarch64 => Machine::Other(elf::EM_AARCH64.0),
                    machine => machine,
                };
                Ok(Image { machine, word: 4, ..image })
            }
        }
    }

    /// As [`Image::parse`], of a file that was put together from the memory into which it was loaded: its section headers, if they
    /// are there, lead to what is not.
    ///
    /// # Errors
    /// As [`Image::parse`].
    pub fn of_memory(data: Bytes) -> Result<Image, ImageError> {
        parse_header((*data).as_ref())?;
        Image::read_headers::<Header>(data, false)
    }

    fn read_headers<H: FileHeader<Endian = LE>>(data: Bytes, has_sections: bool) -> Result<Image, ImageError> {
        let file = (*data).as_ref();
        let header = H::parse(file).map_err(|e| ImageError::damaged(format!("its ELF header cannot be read ({e})")))?;
        let machine = Machine::from_elf(header.e_machine(LE).0);
        let e_type = header.e_type(LE);
        if e_type != elf::ET_EXEC && e_type != elf::ET_DYN {
            return Err(ImageError::not_supported("an ELF file that is neither an executable nor a shared object"));
        }
        let programs = header
            .program_headers(LE, file)
            .map_err(|e| ImageError::damaged(format!("its program headers cannot be read ({e})")))?;
        let segments: Vec<Segment> =
            programs.iter().filter(|p| p.p_type(LE) == elf::PT_LOAD).map(segment::<H>).collect();
        let sections = if has_sections { sections(header, file).unwrap_or_default() } else { Vec::new() };
        let (build_id, go_build_id) = build_ids::<H>(file, programs, &sections);
        let table_end = if has_sections { sections_end(header) } else { 0 };
        let first = |kind| programs.iter().find(|p| p.p_type(LE) == kind);
        let image = Image {
            entry: LinkAddr(header.e_entry(LE).into()),
            relocatable: e_type == elf::ET_DYN,
            cut: Cut::of(u64::try_from(file.len()).unwrap_or(u64::MAX), table_end, &sections, &segments),
            segments,
            sections,
            build_id,
            go_build_id,
            dynamic: first(elf::PT_DYNAMIC).map(|p| (p.p_offset(LE).into(), p.p_filesz(LE).into())),
            interpreter: first(elf::PT_INTERP).map(|p| (p.p_offset(LE).into(), p.p_filesz(LE).into())),
            read_only_after: programs
                .iter()
                .filter(|p| p.p_type(LE) == elf::PT_GNU_RELRO)
                .map(|p| (LinkAddr(p.p_vaddr(LE).into()), p.p_memsz(LE).into()))
                .collect(),
            eh_frame_index: first(elf::PT_GNU_EH_FRAME)
                .map(|p| (LinkAddr(p.p_vaddr(LE).into()), p.p_filesz(LE).into())),
            ..Image::bare(machine, data)
        };
        Ok(image)
    }
}

/// Whether an ELF file is of 32 bits.
pub(crate) fn is_32(file: &[u8]) -> bool {
    file.starts_with(&elf::ELFMAG) && file.get(EI_CLASS) == Some(&elf::ELFCLASS32.0)
}

pub(crate) fn parse_header(file: &[u8]) -> Result<&Header, ImageError> {
    if !file.starts_with(&elf::ELFMAG) {
        return Err(ImageError::NotElf);
    }
    // Another class has another header: it is asked first, else a sound file would be called damaged.
    if is_32(file) || file.get(EI_DATA) == Some(&elf::ELFDATA2MSB.0) {
        return Err(ImageError::not_supported("a 32-bit or big-endian ELF file"));
    }
    Header::parse(file).map_err(|e| ImageError::damaged(format!("its ELF header cannot be read ({e})")))
}

/// Build ids, from the note segments and then from the note sections: the Go linker's `PT_NOTE` covers its own note
/// only, and leaves the GNU one beside it to the section table (seen with Go 1.27, internal linking).
fn build_ids<H: FileHeader<Endian = LE>>(
    file: &[u8],
    programs: &[H::ProgramHeader],
    sections: &[Section],
) -> (Option<BuildId>, Option<BuildId>) {
    let segments = programs.iter().filter(|p| p.p_type(LE) == elf::PT_NOTE);
    let segments =
        segments.filter_map(|p| Some((p.data(LE, file).ok()?, p.p_align(LE).into(), LinkAddr(p.p_vaddr(LE).into()))));
    let sections = sections.iter().filter(|s| s.name.starts_with(".note") && !s.no_bits);
    let sections = sections.filter_map(|s| Some((bytes::slice(file, s.file_offset, s.size)?, 4, s.address)));
    let (mut build_id, mut go_build_id) = (None, None);
    for (data, align, start) in segments.chain(sections) {
        for note in Notes::new(data, align) {
            let slot = match (note.owner, note.kind) {
                (b"GNU", 3) => &mut build_id,
                (b"Go", 4) => &mut go_build_id,
                _ => continue,
            };
            if let (None, Some(address)) = (&slot, start.checked_add(note.desc_offset)) {
                *slot = Some(BuildId { bytes: note.desc.to_vec(), address });
            }
        }
    }
    (build_id, go_build_id)
}

fn segment<H: FileHeader<Endian = LE>>(p: &H::ProgramHeader) -> Segment {
    let flags = p.p_flags(LE);
    Segment {
        address: LinkAddr(p.p_vaddr(LE).into()),
        memory_size: p.p_memsz(LE).into(),
        file_offset: p.p_offset(LE).into(),
        file_size: p.p_filesz(LE).into(),
        writable: flags.contains(elf::PF_W),
        executable: flags.contains(elf::PF_X),
    }
}

/// Where the table of sections ends.
fn sections_end<H: FileHeader<Endian = LE>>(header: &H) -> u64 {
    let size = u64::from(header.e_shnum(LE)).saturating_mul(u64::from(header.e_shentsize(LE)));
    Into::<u64>::into(header.e_shoff(LE)).saturating_add(size)
}

fn sections<H: FileHeader<Endian = LE>>(header: &H, file: &[u8]) -> Option<Vec<Section>> {
    let table = header.sections(LE, file).ok()?;
    let section = |s: &H::SectionHeader| Section {
        name: table.section_name(LE, s).map(|n| String::from_utf8_lossy(n).into_owned()).unwrap_or_default(),
        address: LinkAddr(s.sh_addr(LE).into()),
        file_offset: s.sh_offset(LE).into(),
        size: s.sh_size(LE).into(),
        compressed: s.sh_flags(LE).contains(elf::SHF_COMPRESSED),
        no_bits: s.sh_type(LE) == elf::SHT_NOBITS,
    };
    Some(table.iter().map(section).collect())
}
