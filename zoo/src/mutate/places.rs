//! What of a core and of a binary is worth damaging: found in the sound ones before anything is changed.
//!
//! Most of a core is empty, and of the rest most is never looked at. The runtime's structures are reached from the
//! goroutines and threads by following pointers, without knowing what any member means.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use gopsy_image::Image;
use gopsy_mem::Addr;
use gopsy_program::{CoreEvidence, Modules};
use gopsy_runtime::StatedVersion;
use gopsy_target::Core;

const PAGE: usize = 4096;
/// `sizeof(Elf64_Phdr)`.
const PROGRAM_HEADER: usize = 56;
/// `sizeof(Elf64_Shdr)`.
const SECTION_HEADER: usize = 64;
/// Bytes of a g and of an m that are damaged. Both are smaller in all releases, but for an m's profiling stacks.
const G: usize = 512;
const M: usize = 1024;
/// Of a module that the program made, or of a plugin's, up to its code: where the tables are, and how long.
const MODULE: usize = 192;
/// So much counts of a structure that is reached by a pointer.
const REACHED: usize = 128;
/// So many of them are found, and that many pointers away from a g or an m.
const MAX_REACHED: usize = 4096;
const MAX_STEPS: usize = 3;
/// Of a stack, the innermost bytes.
const STACK: usize = 4096;

/// Places of one kind in a file.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: String,
    /// How often it is chosen, relative to the others.
    pub(super) weight: usize,
    pub(super) ranges: Vec<Range<usize>>,
}

/// A part of memory that a core holds.
#[derive(Debug, Clone, Copy)]
struct Load {
    address: u64,
    offset: usize,
    len: usize,
    writable: bool,
}

/// What of a core or a binary is damaged.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) parts: Vec<Part>,
    /// Where the program headers stand, one each.
    pub(super) headers: Vec<usize>,
    /// The pages that hold something, by offset.
    pub(super) pages: Vec<usize>,
    /// Addresses of structures, to point at.
    pub(super) structures: Vec<u64>,
    loads: Vec<Load>,
}

pub(super) fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..at + 2).map_or(0, |b| usize::from(u16::from_le_bytes([b[0], b[1]])))
}

impl Places {
    /// The places of a sound core.
    pub(super) fn of_core(bytes: &[u8], core: &Core, image: &Image, evidence: &CoreEvidence) -> Self {
        let mut places = Self::default();
        places.elf(bytes);
        let notes = places.program_headers(bytes, 4);
        places.add("notes", 12, notes);
        places.pages(bytes);
        let runtime = evidence.runtime();
        let goroutines = runtime.possible_goroutines(&[]).map(|g| g.addresses).unwrap_or_default();
        let threads: Vec<Addr> =
            runtime.threads().map(|t| t.list.iter().map(|m| m.address).collect()).unwrap_or_default();
        places.structures = goroutines.iter().chain(&threads).map(|a| a.0).collect();
        let lists = places.lists(bytes, &goroutines);
        places.add("allgs", 10, lists);
        let of = |places: &Self, list: &[Addr], len| {
            list.iter().filter_map(|at| places.range(at.0, len)).collect::<Vec<_>>()
        };
        places.add("g", 25, of(&places, &goroutines, G));
        places.add("m", 12, of(&places, &threads, M));
        let stacks = goroutines.iter().filter_map(|g| {
            let g = runtime.g(*g);
            let (stack, sched) = (g.stack.into_value()?, g.sched.into_value()?);
            let from = Some(sched.sp).filter(|sp| stack.contains(*sp)).unwrap_or(stack.start);
            places.range(from.0, (stack.end.0.checked_sub(from.0)? as usize).min(STACK))
        });
        places.add("stack", 20, stacks.collect());
        let panics = goroutines.iter().filter_map(|g| runtime.g(*g).panic.into_value().filter(|p| !p.is_null()));
        places.add("panic", 4, panics.filter_map(|p| places.range(p.0, REACHED)).collect());
        let reached = places.reached(bytes);
        let addresses: Vec<u64> = reached.iter().filter_map(|r| places.address(r.start)).collect();
        places.structures.extend(addresses);
        places.add("reached", 30, reached);
        let modules = core
            .bias(image)
            .map(|bias| Modules::of(core, image, bias, StatedVersion::of(image).as_ref()).list)
            .unwrap_or_default();
        let modules = modules.iter().filter_map(|module| places.range(module.data().address.0, MODULE));
        let tables =
            modules.clone().flat_map(|module| module.step_by(8).filter_map(|at| word(bytes, at)).collect::<Vec<_>>());
        let tables = tables.filter_map(|at| places.range(at, REACHED));
        places.add("modules", 12, modules.chain(tables).collect());
        // What the process wrote of its own files' memory is variables.
        let in_files = |load: &&Load| {
            let inside = |m: &gopsy_target::FileMapping| m.range.contains(Addr(load.address));
            load.writable && core.mappings().iter().any(inside)
        };
        let words = places.loads.iter().filter(in_files).flat_map(|load| filled_words(bytes, load));
        places.add("variables", 15, words.collect());
        let pages = places.pages.iter().map(|at| *at..at + PAGE).collect();
        places.add("anything", 10, pages);
        places
    }

    /// The places of a sound binary.
    pub(super) fn of_binary(image: &Image) -> Self {
        let bytes = image.file();
        let mut places = Self::default();
        places.elf(bytes);
        places.program_headers(bytes, 6);
        if let (Some(at), count) = (word(bytes, 40), half(bytes, 60)) {
            places.add("section headers", 10, in_file(bytes, at, count * SECTION_HEADER).into_iter().collect());
        }
        if let Ok(module) = image.module_data() {
            let in_segment = |s: &&gopsy_image::Segment| {
                module.address.0.checked_sub(s.address.0).is_some_and(|within| within < s.file_size)
            };
            let at = image.segments().iter().find(in_segment).map(|s| module.address.0 - s.address.0 + s.file_offset);
            places.add("moduledata", 30, at.and_then(|at| in_file(bytes, at, 640)).into_iter().collect());
        }
        for section in image.sections().iter().filter(|s| !s.no_bits) {
            let weight = match section.name.as_str() {
                ".gopclntab" | ".data.rel.ro.gopclntab" => 60,
                ".rodata" | ".typelink" => 15,
                ".text" => 10,
                name if name.starts_with(".debug_") => 15,
                _ => 4,
            };
            let size = usize::try_from(section.size).unwrap_or(0);
            let range = in_file(bytes, section.file_offset, size);
            // The beginning of a table leads to all the rest.
            let head = range.clone().map(|r| r.start..r.end.min(r.start + 128));
            places.add(&format!("head of {}", section.name), weight / 3, head.into_iter().collect());
            places.add(&section.name, weight, range.into_iter().collect());
        }
        places.pages(bytes);
        places
    }

    fn add(&mut self, name: &str, weight: usize, mut ranges: Vec<Range<usize>>) {
        ranges.retain(|r| r.len() >= 8);
        if !ranges.is_empty() && weight > 0 {
            self.parts.push(Part { name: name.to_owned(), weight, ranges });
        }
    }

    fn elf(&mut self, bytes: &[u8]) {
        self.add("ELF header", 3, in_file(bytes, 0, 64).into_iter().collect());
    }

    /// Reads the program headers; answers with the places of the notes.
    fn program_headers(&mut self, bytes: &[u8], weight: usize) -> Vec<Range<usize>> {
        let (at, count) = (word(bytes, 32).unwrap_or(0) as usize, half(bytes, 56));
        let mut notes = Vec::new();
        for header in (0..count).map(|index| at + index * PROGRAM_HEADER) {
            let field = |offset| word(bytes, header + offset);
            let (Some(kind), Some(offset), Some(address), Some(len)) = (field(0), field(8), field(16), field(32))
            else {
                break;
            };
            self.headers.push(header);
            let Some(range) = in_file(bytes, offset, usize::try_from(len).unwrap_or(usize::MAX)) else { continue };
            match kind as u32 {
                1 => self.loads.push(Load {
                    address,
                    offset: range.start,
                    len: range.len(),
                    writable: (kind >> 32) & 2 != 0,
                }),
                4 => notes.push(range),
                _ => {}
            }
        }
        let headers = self.headers.iter().map(|at| *at..at + PROGRAM_HEADER).collect();
        self.add("program headers", weight, headers);
        notes
    }

    fn pages(&mut self, bytes: &[u8]) {
        let filled = bytes.chunks_exact(PAGE).enumerate().filter(|(_, page)| page.iter().any(|b| *b != 0));
        self.pages = filled.map(|(index, _)| index * PAGE).collect();
    }

    /// Where that memory stands in the file.
    fn range(&self, address: u64, len: usize) -> Option<Range<usize>> {
        let within = |load: &Load| address.checked_sub(load.address).filter(|w| *w < load.len as u64);
        let (load, within) = self.loads.iter().find_map(|load| Some((load, within(load)? as usize)))?;
        Some(load.offset + within..load.offset + load.len.min(within + len))
    }

    /// The address of what stands there in the file.
    pub(super) fn address(&self, offset: usize) -> Option<u64> {
        let load = self.loads.iter().find(|load| (load.offset..load.offset + load.len).contains(&offset))?;
        Some(load.address + (offset - load.offset) as u64)
    }

    /// Where the addresses of all goroutines stand one behind another, and what points there: `allgs` and its kin.
    fn lists(&self, bytes: &[u8], goroutines: &[Addr]) -> Vec<Range<usize>> {
        let count = goroutines.len();
        let wanted: Vec<u8> = goroutines.iter().take(4).flat_map(|g| g.0.to_le_bytes()).collect();
        let Some(first) = goroutines.first() else { return Vec::new() };
        let words = |value: u64| {
            let pages = self.pages.iter().flat_map(|page| (*page..page + PAGE).step_by(8));
            pages.filter(move |at| word(bytes, *at) == Some(value))
        };
        let lists: Vec<usize> = words(first.0).filter(|at| bytes[*at..].starts_with(&wanted)).collect();
        let heads = lists.iter().filter_map(|at| self.address(*at)).flat_map(words).map(|at| at..at + 24);
        let heads: Vec<Range<usize>> = heads.filter(|r| r.end <= bytes.len()).collect();
        lists.iter().map(|at| *at..(at + count * 8).min(bytes.len())).chain(heads).collect()
    }

    /// The structures that goroutines and threads lead to, by a few pointers.
    fn reached(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut seen: HashSet<usize> = HashSet::new();
        let own = self.parts.iter().filter(|p| matches!(p.name.as_str(), "g" | "m")).flat_map(|p| p.ranges.clone());
        let mut last: Vec<Range<usize>> = own.collect();
        let mut found = Vec::new();
        let mut known: HashMap<u64, Option<Range<usize>>> = HashMap::new();
        for _ in 0..MAX_STEPS {
            let mut next = Vec::new();
            for at in last.iter().flat_map(|r| r.clone().step_by(8)) {
                let Some(pointer) = word(bytes, at).filter(|p| *p > PAGE as u64) else { continue };
                let range = known.entry(pointer).or_insert_with(|| self.range(pointer, REACHED)).clone();
                if let Some(range) = range.filter(|r| found.len() < MAX_REACHED && seen.insert(r.start)) {
                    found.push(range.clone());
                    next.push(range);
                }
            }
            last = next;
        }
        found
    }
}

/// A part of the file, if it lies in it.
fn in_file(bytes: &[u8], at: u64, len: usize) -> Option<Range<usize>> {
    let start = usize::try_from(at).ok().filter(|start| *start < bytes.len())?;
    Some(start..start.saturating_add(len).min(bytes.len()))
}

/// The words of a part of memory that are not zero, neighbours together.
fn filled_words(bytes: &[u8], load: &Load) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    for at in (load.offset..load.offset + load.len).step_by(8).filter(|at| word(bytes, *at).is_some_and(|w| w != 0)) {
        match out.last_mut() {
            Some(last) if last.end == at => last.end = at + 8,
            _ => out.push(at..at + 8),
        }
    }
    out
}
