//! Files that supply the pages which a core does not hold, and the proof that they are the right ones.

use crate::core::Core;
use crate::mapped::MappedElf;
use crate::memory::Held;
use crate::notes::FileMapping;
use gopsy_image::{Image, Segment};
use gopsy_mem::{Addr, Bias, LinkAddr, Memory, MemoryExt, Range};
use std::fmt;
use std::sync::Arc;

/// Build ids are 20 (GNU) or 83 (Go) bytes; longer ones are not compared.
const MAX_BUILD_ID: usize = 1024;
/// Loadable segments of one file; a real one has a dozen at most.
const MAX_SEGMENTS: usize = 64;
/// Pages of amd64; those of arm64 may be larger, which only means that fewer bytes count.
const PAGE: u64 = 4096;
/// So many addresses of Go's tables that differ tell another build; fewer may be damage.
const DIFFERENT_TABLES: u64 = 3;
/// Bytes are compared in pieces of this size.
const PIECE: u64 = 1 << 16;

/// Whether a binary belongs to a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attachment {
    /// The core holds a build id, and it is the binary's; or all the code that both hold is the same.
    Same,
    /// The core holds another build id or other code, or the binary cannot have been loaded so.
    Other,
    /// The core does not hold the place where the build id stands, nor any page of code, and Go's tables lie where they should.
    CannotTell,
}

/// What tells whether a file belongs to a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The instruction set.
    Machine,
    /// It would have to lie elsewhere than it can.
    Address,
    /// The GNU build id.
    BuildId,
    /// Go's build id.
    GoBuildId,
    /// So many pages that both hold.
    Pages(u64),
    /// So many of the words that say where Go's tables are: variables of the program, which a core has where it has no code.
    Tables(u64),
    /// It was put together from the process's own memory.
    Memory,
    /// Nothing.
    Nothing,
}

/// The answer, and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// The answer.
    pub answer: Attachment,
    /// What told.
    pub told: Told,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.answer, self.told) {
            (_, Told::Machine) => write!(f, "it is for another machine"),
            (_, Told::Address) => write!(f, "it cannot have been loaded where the core has it"),
            (Attachment::Same, Told::BuildId) => write!(f, "the build ids agree"),
            (Attachment::Same, Told::GoBuildId) => write!(f, "Go's build ids agree"),
            (_, Told::Memory) => write!(f, "it is the process's own memory"),
            (Attachment::Same, Told::Pages(n)) => write!(f, "{n} pages of code are the same"),
            (Attachment::Other, Told::BuildId) => write!(f, "its build id is another"),
            (Attachment::Other, Told::GoBuildId) => write!(f, "its Go build id is another"),
            (Attachment::Other, Told::Pages(_)) => write!(f, "its bytes are others"),
            (Attachment::Other, Told::Tables(n)) => {
                write!(f, "its Go tables lie elsewhere than the core says ({n} addresses differ)")
            }
            (_, Told::Tables(n)) => write!(
                f,
                "the core holds neither its build id nor a page of its code; that its Go tables lie where the core says ({n} addresses) is no proof"
            ),
            (_, Told::Nothing) | (Attachment::CannotTell, _) => {
                write!(f, "the core holds neither its build id nor a page of its code")
            }
        }
    }
}

/// Attached files, and what each supplies.
#[derive(Debug, Default, Clone)]
pub(crate) struct Backing {
    files: Vec<Arc<Image>>,
    /// By address.
    parts: Vec<Part>,
    /// Where files were mapped of which only another build is at hand. By address.
    refused: Vec<Range>,
}

/// A stretch of memory that a file supplies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) range: Range,
    /// The number of the file.
    pub(crate) file: usize,
    pub(crate) file_offset: u64,
}

impl Backing {
    pub(crate) fn file(&self, number: usize) -> Option<&[u8]> {
        self.files.get(number).map(|image| image.file())
    }

    pub(crate) fn part_at(&self, at: Addr) -> Option<&Part> {
        let behind = self.parts.partition_point(|p| p.range.start <= at);
        self.parts.get(behind.checked_sub(1)?).filter(|p| p.range.contains(at))
    }

    /// The first part that begins behind that address.
    pub(crate) fn part_behind(&self, at: Addr) -> Option<&Part> {
        self.parts.get(self.parts.partition_point(|p| p.range.start <= at))
    }

    pub(crate) fn refused(&self, at: Addr) -> bool {
        let behind = self.refused.partition_point(|r| r.start <= at);
        behind.checked_sub(1).and_then(|i| self.refused.get(i)).is_some_and(|r| r.contains(at))
    }

    /// The stretches that files supply, by address.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }
}

impl Core {
    /// Lets a binary supply the pages that the core does not hold, if it is the one that ran.
    ///
    /// Only non-writable parts are ever taken from it: a writable page that is not in the core may have been written to.
    pub fn attach(&mut self, image: &Arc<Image>) -> Attachment {
        let file = self.program();
        self.attach_file(&file, image).answer
    }

    /// As [`Core::attach`], for any file that was mapped. Each file may be attached once; another one for the same
    /// mappings takes its place.
    pub fn attach_file(&mut self, file: &MappedElf, image: &Arc<Image>) -> Comparison {
        let comparison = self.compare(file, image);
        // A core that names no mappings has but one file.
        let mapped = |r: &Range| file.mappings.is_empty() || file.mappings.iter().any(|m| m.range.contains(r.start));
        let bias = self.bias_of(file, image);
        let backing = Arc::make_mut(&mut self.backing);
        backing.parts.retain(|p| !mapped(&p.range));
        backing.refused.retain(|r| !mapped(r));
        match (comparison.answer, bias) {
            (Attachment::Same, Some(bias)) => {
                let number = backing.files.len();
                backing.files.push(Arc::clone(image));
                backing.parts.extend(parts(image, bias, file, number));
                backing.parts.sort_by_key(|p| p.range.start);
            }
            (Attachment::Other, _) => {
                backing.refused.extend(file.mappings.iter().map(|m| m.range));
                backing.refused.sort_by_key(|r| r.start);
            }
            _ => {}
        }
        self.last.set(crate::memory::Extent::default());
        comparison
    }

    /// Whether that file is the one that was mapped, and what tells.
    #[must_use]
    pub fn compare(&self, file: &MappedElf, image: &Image) -> Comparison {
        let says = |answer, told| Comparison { answer, told };
        if image.machine() != self.machine() {
            return says(Attachment::Other, Told::Machine);
        }
        let bias = match self.stated_bias(file, image) {
            Some(bias) if possible(image, bias) => bias,
            Some(_) => return says(Attachment::Other, Told::Address),
            None => return says(Attachment::CannotTell, Told::Nothing),
        };
        // What stood in memory where the loaded file itself says that its ids are, or where this one says so.
        let noted = [
            (&file.build_id, image.build_id(), Told::BuildId),
            (&file.go_build_id, image.go_build_id(), Told::GoBuildId),
        ];
        for (noted, id, told) in noted.into_iter().filter_map(|(noted, id, told)| Some((noted, id?, told))) {
            let len = u64::try_from(id.bytes.len()).unwrap_or(u64::MAX);
            let read = || Held(self).bytes(bias.load(id.address), len, MAX_BUILD_ID).ok();
            match noted.clone().or_else(read) {
                Some(in_core) if !in_core.is_empty() && in_core != id.bytes => return says(Attachment::Other, told),
                Some(in_core) if in_core == id.bytes && names_one_build(image) => return says(Attachment::Same, told),
                _ => {}
            }
        }
        match self.compare_pages(&parts(image, bias, file, 0), image.file()) {
            (0, true) => match self.compare_tables(image, bias) {
                (_, differ) if differ >= DIFFERENT_TABLES => says(Attachment::Other, Told::Tables(differ)),
                (same, 0) if same > 0 => says(Attachment::CannotTell, Told::Tables(same)),
                _ => says(Attachment::CannotTell, Told::Nothing),
            },
            (pages, true) => says(Attachment::Same, Told::Pages(pages)),
            (pages, false) => says(Attachment::Other, Told::Pages(pages)),
        }
    }

    /// Of the addresses that the file's moduledata has: how many stand where it was loaded, and how many others do. A word that the core
    /// does not hold counts as neither.
    fn compare_tables(&self, image: &Image, bias: Bias) -> (u64, u64) {
        let Ok(module) = image.module_data() else { return (0, 0) };
        let (mut same, mut differ) = (0u64, 0u64);
        for (offset, stated) in module.extents() {
            let Some(at) = bias.load(module.address).checked_add(offset) else { continue };
            match Held(self).ptr(at) {
                Ok(loaded) if loaded == bias.load(stated) => same = same.saturating_add(1),
                Ok(_) => differ = differ.saturating_add(1),
                Err(_) => {}
            }
        }
        (same, differ)
    }

    /// How many whole pages of these parts the core holds, and whether all of them are the file's.
    ///
    /// The file's first page is compared, but does not count: it has headers, and two builds that differ in a constant may
    /// have the same (seen with Go 1.22 and `-buildid=`).
    fn compare_pages(&self, parts: &[Part], file: &[u8]) -> (u64, bool) {
        let mut pages = 0u64;
        let (mut of_core, mut same) = (Vec::new(), true);
        for part in parts {
            let behind = self.segments().partition_point(|s| s.range.start < part.range.end);
            let overlapping = self.segments().iter().take(behind).rev().take_while(|s| s.range.end > part.range.start);
            for held in overlapping.map(|s| s.held_range()) {
                let (mut at, end) = (part.range.start.max(held.start), part.range.end.min(held.end));
                while same && at < end {
                    let len = end.offset_from(at).unwrap_or(0).min(PIECE);
                    let offset = at.offset_from(part.range.start).and_then(|o| o.checked_add(part.file_offset));
                    let of_file = offset.and_then(|offset| crate::content::slice(file, offset, len));
                    of_core.resize(usize::try_from(len).unwrap_or(0), 0);
                    same = Held(self).read(at, &mut of_core).is_err() || of_file == Some(of_core.as_slice());
                    let counted = if offset.is_some_and(|o| o >= PAGE) { len } else { len.saturating_sub(PAGE) };
                    pages = pages.saturating_add(counted.checked_div(PAGE).unwrap_or(0));
                    at = Range::new(at, len).end;
                }
            }
        }
        (pages, same)
    }

    /// Where a file was loaded: the program by its entry point, others by where their first byte was mapped. `None` where
    /// the core does not say that, or says what cannot be.
    #[must_use]
    pub fn bias_of(&self, file: &MappedElf, image: &Image) -> Option<Bias> {
        self.stated_bias(file, image).filter(|bias| possible(image, *bias))
    }

    /// The same as the core has it.
    fn stated_bias(&self, file: &MappedElf, image: &Image) -> Option<Bias> {
        if file.program
            && let Some(bias) = self.bias_by_entry(image)
        {
            return Some(bias);
        }
        match file.base() {
            Some(base) => image.bias_at(base),
            None => (!image.relocatable()).then_some(Bias::ZERO),
        }
    }

    /// The program itself. Where the core does not name the files that were mapped it has no mappings, and may be where the process's
    /// arguments say.
    #[must_use]
    pub fn program(&self) -> MappedElf {
        let called = || self.process().and_then(|process| process.arguments.split(' ').next()).unwrap_or_default();
        self.elves().into_iter().find(|file| file.program).unwrap_or_else(|| MappedElf {
            path: if self.mappings().is_empty() { called().into() } else { Vec::new() },
            program: true,
            mappings: Vec::new(),
            build_id: None,
            go_build_id: None,
        })
    }
}

/// Whether a file can have been loaded so: at whole pages, and what cannot be moved where it states.
pub(crate) fn possible(image: &Image, bias: Bias) -> bool {
    match image.relocatable() {
        true => bias.load(LinkAddr(0)).0.is_multiple_of(PAGE),
        false => bias == Bias::ZERO,
    }
}

/// Whether another build would have other ids. Those that Go makes have parts, of what went into the build and of what came
/// out; one that was set by hand (`-buildid=redacted`) may be that of every program there, and so may the GNU id, which the Go
/// linker makes of it (1.24 and later).
fn names_one_build(image: &Image) -> bool {
    image.go_build_id().is_none_or(|id| id.bytes.contains(&b'/'))
}

/// What a file supplies, by address: where a mapping shows what a segment that is never written to would be loaded from.
///
/// A page that is read-only when the process dies may have been written to before (the loader's relocations, RELRO), so
/// the file's own word counts, not only the core's. Debug files and stripped copies have the same build id and other
/// offsets: offsets of mapping and segment must agree.
fn parts(image: &Image, bias: Bias, file: &MappedElf, number: usize) -> Vec<Part> {
    let (segments, file_len) = (image.segments(), u64::try_from(image.file().len()).unwrap_or(u64::MAX));
    if segments.len() > MAX_SEGMENTS {
        return Vec::new();
    }
    let unnamed: Vec<FileMapping> = if file.program && file.mappings.is_empty() {
        segments.iter().map(|s| whole(s, bias)).collect()
    } else {
        Vec::new()
    };
    let loaded = |s: &Segment, size| Range::new(bias.load(s.address), size);
    let mut parts = Vec::new();
    for mapping in file.mappings.iter().chain(&unnamed) {
        for segment in segments.iter().filter(|s| !s.writable) {
            let range = loaded(segment, mapped_size(segment, image));
            let (start, mut end) = (range.start.max(mapping.range.start), range.end.min(mapping.range.end));
            for written in segments.iter().filter(|s| s.writable) {
                let written = loaded(written, written.memory_size);
                let page = Addr(written.start.0 & !(PAGE.wrapping_sub(1)));
                if page < end && written.end > start {
                    end = page;
                }
            }
            let by_mapping = start.offset_from(mapping.range.start).and_then(|o| o.checked_add(mapping.file_offset));
            let by_segment = start.offset_from(range.start).and_then(|o| o.checked_add(segment.file_offset));
            let (Some(file_offset), true) = (by_mapping, by_mapping == by_segment) else { continue };
            // A file that was cut off has less.
            let end = end.min(Range::new(start, file_len.saturating_sub(file_offset)).end);
            if start < end {
                parts.push(Part { range: Range { start, end }, file: number, file_offset });
            }
        }
    }
    parts.sort_by_key(|p| p.range.start);
    parts
}

/// How much of the file is mapped with a segment that is not written to: whole pages, whatever stands in the file behind it. Where the
/// segment is longer than its part of the file, zeros stand behind that.
fn mapped_size(segment: &Segment, image: &Image) -> u64 {
    let stated = segment.file_size.min(segment.memory_size);
    if segment.memory_size > segment.file_size {
        return stated;
    }
    let rest = segment.address.0.wrapping_add(stated).wrapping_neg() & PAGE.wrapping_sub(1);
    let held = u64::try_from(image.file().len()).unwrap_or(u64::MAX).saturating_sub(segment.file_offset);
    stated.saturating_add(rest).min(held).max(stated)
}

/// A segment as if the core had named its mapping.
fn whole(segment: &Segment, bias: Bias) -> FileMapping {
    FileMapping {
        range: Range::new(bias.load(segment.address), segment.file_size),
        file_offset: segment.file_offset,
        path: Vec::new(),
    }
}
