//! What DWARF says of places in the code: rows of the line table, and functions with what is inlined into them.
//!
//! Of Go code it is made from the same lists as pclntab (`cmd/internal/obj/dwarf.go`), of C code it is all there is.

use super::section;
use crate::{Image, ImageError, SourceFrame};
use gimli::{AttributeValue, DebugInfoOffset, DebuggingInformationEntry, EndianSlice, LittleEndian, SectionId};
use gopsy_mem::LinkAddr;
use std::collections::HashMap;
use std::sync::Arc;

type Slice<'a> = EndianSlice<'a, LittleEndian>;
type Dwarf<'a> = gimli::Dwarf<Slice<'a>>;
type Unit<'a> = gimli::Unit<Slice<'a>>;
type Entry<'a> = DebuggingInformationEntry<Slice<'a>>;

/// From an instance to its abstract origin to its specification: longer chains are taken for cycles.
const MAX_ORIGINS: usize = 8;
/// Deeper inlining than this is taken for a damaged tree.
const MAX_INLINE_DEPTH: usize = 512;
/// Stretches of code that units have, all together: lists that many units share could make any number. Programs of 100 MB
/// have some ten thousand.
const MAX_SPANS: usize = 1 << 20;
/// Paths longer than this are no paths (`PATH_MAX`).
const MAX_PATH: usize = 4096;

/// A stretch of code that the line table gives to one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineRow {
    /// Where it begins.
    pub start: LinkAddr,
    /// The first address behind it.
    pub end: LinkAddr,
    /// The file, as the compiler named it.
    pub file: Option<Arc<str>>,
    /// The line; `None` where the table says that the code belongs to none (line 0).
    pub line: Option<u64>,
}

/// A function in the debug information, at one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugFunction {
    /// Its name (`main.(*T).M`, `memcpy`).
    pub name: Option<String>,
    /// Where it begins.
    pub entry: LinkAddr,
    /// Functions that are inlined into it there, outermost first.
    pub inlined: Vec<DebugInlined>,
}

/// A function that is inlined into another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugInlined {
    /// Its name.
    pub name: Option<String>,
    /// The file of the call.
    pub call_file: Option<String>,
    /// The line of the call.
    pub call_line: Option<u64>,
}

/// The parts of DWARF that speak of code, inflated, and where each unit's code stands.
pub struct CodeInfo {
    sections: gimli::DwarfSections<Vec<u8>>,
    units: usize,
    /// Code of units: from, to, where the unit stands in `.debug_info`. Sorted.
    spans: Vec<(u64, u64, usize)>,
    /// The furthest end of a span up to each: how far back a search has to look.
    reach: Vec<u64>,
    /// Units that do not say where their code is.
    placeless: Vec<usize>,
    damaged: usize,
}

impl std::fmt::Debug for CodeInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CodeInfo").field("units", &self.units).finish_non_exhaustive()
    }
}

impl CodeInfo {
    /// Inflates what is needed and looks where each unit's code stands.
    pub(crate) fn load(image: &Image) -> Result<CodeInfo, ImageError> {
        if image.section(".debug_line").is_none() && image.section(".zdebug_line").is_none() {
            return Err(ImageError::Absent("debug information"));
        }
        image.debug_is_whole()?;
        let sections = gimli::DwarfSections::load(|id| match id {
            SectionId::DebugInfo
            | SectionId::DebugAbbrev
            | SectionId::DebugStr
            | SectionId::DebugStrOffsets
            | SectionId::DebugAddr
            | SectionId::DebugLine
            | SectionId::DebugLineStr
            | SectionId::DebugRanges
            | SectionId::DebugRngLists => section(image, id.name()),
            _ => Ok(Vec::new()),
        })?;
        let mut info =
            CodeInfo { sections, units: 0, spans: Vec::new(), reach: Vec::new(), placeless: Vec::new(), damaged: 0 };
        info.place_units();
        Ok(info)
    }

    fn dwarf(&self) -> Dwarf<'_> {
        self.sections.borrow(|s| EndianSlice::new(s, LittleEndian))
    }

    fn place_units(&mut self) {
        let (mut spans, mut placeless, mut count, mut damaged) = (Vec::new(), Vec::new(), 0usize, 0usize);
        let dwarf = self.dwarf();
        let mut units = dwarf.units();
        while let Ok(Some(header)) = units.next() {
            count = count.saturating_add(1);
            let Some(at) = header.debug_info_offset().map(|o| o.0) else { continue };
            let Ok(unit) = dwarf.unit(header) else {
                damaged = damaged.saturating_add(1);
                continue;
            };
            let before = spans.len();
            if let Ok(mut ranges) = dwarf.unit_ranges(&unit) {
                while let Ok(Some(range)) = ranges.next() {
                    if range.begin < range.end && spans.len() < MAX_SPANS {
                        spans.push((range.begin, range.end, at));
                    }
                }
            }
            if spans.len() == before && unit.line_program.is_some() {
                placeless.push(at);
            }
        }
        spans.sort_unstable();
        let mut furthest = 0;
        let reach = spans.iter().map(|(_, end, _)| {
            furthest = furthest.max(*end);
            furthest
        });
        self.reach = reach.collect();
        (self.spans, self.placeless, self.units, self.damaged) = (spans, placeless, count, damaged);
    }

    /// How many units could not be read.
    #[must_use]
    pub fn damaged(&self) -> usize {
        self.damaged
    }

    /// The units whose code may overlap a stretch, each once.
    fn units_within(&self, start: LinkAddr, end: LinkAddr) -> Vec<usize> {
        let behind = self.spans.partition_point(|(from, ..)| *from < end.0);
        let before = self.spans.iter().zip(&self.reach).take(behind).rev();
        let mut units: Vec<usize> = before
            .take_while(|(_, reach)| **reach > start.0)
            .filter(|((_, to, _), _)| *to > start.0)
            .map(|((.., unit), _)| *unit)
            .collect();
        units.extend(&self.placeless);
        units.sort_unstable();
        units.dedup();
        units
    }

    fn unit<'a>(dwarf: &Dwarf<'a>, at: usize) -> Option<Unit<'a>> {
        dwarf.unit(dwarf.unit_header(DebugInfoOffset(at)).ok()?).ok()
    }

    /// The rows of the line table that overlap a stretch of code, by address.
    #[must_use]
    pub fn rows_within(&self, start: LinkAddr, end: LinkAddr) -> Vec<LineRow> {
        let dwarf = self.dwarf();
        let mut found = Vec::new();
        for unit in self.units_within(start, end) {
            let Some(unit) = CodeInfo::unit(&dwarf, unit) else { continue };
            rows(&dwarf, &unit, &|_| true, &mut |row| {
                if row.start < end && start < row.end {
                    found.push(row);
                }
            });
        }
        found.sort_by_key(|row| (row.start, row.end));
        found
    }

    /// The row of the line table for an address.
    #[must_use]
    pub fn row_at(&self, pc: LinkAddr) -> Option<LineRow> {
        self.rows_within(pc, pc.checked_add(1)?).into_iter().next_back()
    }

    /// All rows of one line, in every file whose name fits, by address.
    #[must_use]
    pub fn rows_of(&self, fits: &dyn Fn(&str) -> bool, line: u64) -> Vec<LineRow> {
        let dwarf = self.dwarf();
        let mut found = Vec::new();
        let mut units = dwarf.units();
        while let Ok(Some(header)) = units.next() {
            let Ok(unit) = dwarf.unit(header) else { continue };
            rows(&dwarf, &unit, fits, &mut |row| {
                if row.line == Some(line) && row.file.as_deref().is_some_and(fits) {
                    found.push(row);
                }
            });
        }
        found.sort_by_key(|row| (row.start, row.end));
        found
    }

    /// The function whose code holds that address, with what is inlined into it there.
    #[must_use]
    pub fn function_at(&self, pc: LinkAddr) -> Option<DebugFunction> {
        let dwarf = self.dwarf();
        let units = self.units_within(pc, pc.checked_add(1)?);
        units.into_iter().find_map(|unit| function(&dwarf, &CodeInfo::unit(&dwarf, unit)?, pc).ok().flatten())
    }

    /// The functions of the source at an address, innermost first: those that are inlined there, each where the next one calls it
    /// and the innermost at the row of the line table, then the function that holds the code. None where no function is known.
    #[must_use]
    pub fn source_frames(&self, pc: LinkAddr, row: Option<&LineRow>) -> Vec<SourceFrame> {
        let Some(function) = self.function_at(pc) else { return Vec::new() };
        let number = |line: Option<u64>| line.and_then(|line| i32::try_from(line).ok());
        let own = row.map(|row| (row.file.as_deref().map(str::to_owned), number(row.line)));
        let (mut file, mut line) = own.unwrap_or_default();
        let mut frames = Vec::with_capacity(function.inlined.len().saturating_add(1));
        for inlined in function.inlined.into_iter().rev() {
            frames.push(SourceFrame { function: inlined.name, file, line, inlined: true });
            (file, line) = (inlined.call_file, number(inlined.call_line));
        }
        frames.push(SourceFrame { function: function.name, file, line, inlined: false });
        frames
    }
}

/// Gives the rows of a unit to `take`, if one of its files fits.
fn rows(dwarf: &Dwarf<'_>, unit: &Unit<'_>, fits: &dyn Fn(&str) -> bool, take: &mut dyn FnMut(LineRow)) {
    let Some(program) = unit.line_program.clone() else { return };
    let mut files: HashMap<u64, Option<Arc<str>>> = HashMap::new();
    let count = u64::try_from(program.header().file_names().len()).unwrap_or(u64::MAX);
    // Files count from 1 up to DWARF 4, and from 0 since.
    let any = (0..=count).any(|n| path(dwarf, unit, program.header(), n).is_some_and(|name| fits(&name)));
    if !any {
        return;
    }
    let mut rows = program.rows();
    let mut open: Option<LineRow> = None;
    while let Ok(Some((header, row))) = rows.next_row() {
        let address = LinkAddr(row.address());
        if let Some(before) = open.take()
            && before.start < address
        {
            take(LineRow { end: address, ..before });
        }
        if !row.end_sequence() {
            let index = row.file_index();
            let file = files.entry(index).or_insert_with(|| path(dwarf, unit, header, index).map(Arc::from));
            let line = row.line().map(u64::from);
            open = Some(LineRow { start: address, end: address, file: file.clone(), line });
        }
    }
}

/// A file of a line program, with its directory where its name is not a path of its own.
fn path(
    dwarf: &Dwarf<'_>,
    unit: &Unit<'_>,
    header: &gimli::LineProgramHeader<Slice<'_>>,
    index: u64,
) -> Option<String> {
    let file = header.file(index)?;
    let text = |value| {
        let bytes = dwarf.attr_string(unit, value).ok()?;
        Some(String::from_utf8_lossy(bytes.slice().get(..MAX_PATH).unwrap_or(bytes.slice())).into_owned())
    };
    let name = text(file.path_name())?;
    let directory = file.directory(header).and_then(text).unwrap_or_default();
    // Go's compiler gives "." (or nothing) and whole paths.
    if name.starts_with('/') || matches!(directory.as_str(), "" | ".") {
        return Some(name);
    }
    Some(format!("{}/{name}", directory.trim_end_matches('/')))
}

/// The function of a unit that covers the address.
fn function<'a>(dwarf: &Dwarf<'a>, unit: &Unit<'a>, pc: LinkAddr) -> gimli::Result<Option<DebugFunction>> {
    let mut entries = unit.entries();
    // The depth of the function, once it is found.
    let mut found: Option<(DebugFunction, isize)> = None;
    while let Some(entry) = entries.next_dfs()? {
        match &mut found {
            Some((_, depth)) if entry.depth() <= *depth => break,
            Some((function, _)) => {
                let inlined = entry.tag() == gimli::DW_TAG_inlined_subroutine;
                if inlined && covers(dwarf, unit, entry, pc).is_some() {
                    function.inlined.push(DebugInlined {
                        name: name(dwarf, unit, entry),
                        call_file: call_file(dwarf, unit, entry),
                        call_line: entry.attr_value(gimli::DW_AT_call_line).and_then(|v| v.udata_value()),
                    });
                    if function.inlined.len() >= MAX_INLINE_DEPTH {
                        break;
                    }
                }
            }
            None if entry.tag() == gimli::DW_TAG_subprogram => {
                if let Some(entry_pc) = covers(dwarf, unit, entry, pc) {
                    let name = name(dwarf, unit, entry);
                    found = Some((DebugFunction { name, entry: entry_pc, inlined: Vec::new() }, entry.depth()));
                }
            }
            None => {}
        }
    }
    Ok(found.map(|(function, _)| function))
}

fn call_file<'a>(dwarf: &Dwarf<'a>, unit: &Unit<'a>, entry: &Entry<'a>) -> Option<String> {
    let index = match entry.attr_value(gimli::DW_AT_call_file)? {
        AttributeValue::FileIndex(index) => index,
        other => other.udata_value()?,
    };
    path(dwarf, unit, unit.line_program.as_ref()?.header(), index)
}

/// Where the code of an entry begins, if the address is in it.
fn covers<'a>(dwarf: &Dwarf<'a>, unit: &Unit<'a>, entry: &Entry<'a>, pc: LinkAddr) -> Option<LinkAddr> {
    let mut ranges = dwarf.die_ranges(unit, entry).ok()?;
    let (mut lowest, mut inside) = (u64::MAX, false);
    while let Ok(Some(range)) = ranges.next() {
        lowest = lowest.min(range.begin);
        inside |= (range.begin..range.end).contains(&pc.0);
    }
    inside.then_some(LinkAddr(lowest))
}

/// The name of an entry, or of the entry that it is an instance of.
fn name<'a>(dwarf: &Dwarf<'a>, unit: &Unit<'a>, entry: &Entry<'a>) -> Option<String> {
    let mut foreign: Option<Unit<'a>> = None;
    let mut current = entry.clone();
    for _ in 0..MAX_ORIGINS {
        let unit = foreign.as_ref().unwrap_or(unit);
        if let Some(value) = current.attr_value(gimli::DW_AT_name) {
            let bytes = dwarf.attr_string(unit, value).ok()?;
            return Some(String::from_utf8_lossy(bytes.slice()).into_owned());
        }
        let origin = current.attr_value(gimli::DW_AT_abstract_origin);
        match origin.or_else(|| current.attr_value(gimli::DW_AT_specification))? {
            AttributeValue::UnitRef(offset) => current = unit.entry(offset).ok()?,
            AttributeValue::DebugInfoRef(reference) => {
                let owner = owner(dwarf, reference)?;
                let offset = reference.to_unit_offset(&owner.header)?;
                current = owner.entry(offset).ok()?;
                foreign = Some(owner);
            }
            _ => return None,
        }
    }
    None
}

/// The unit in which a reference points.
fn owner<'a>(dwarf: &Dwarf<'a>, reference: DebugInfoOffset) -> Option<Unit<'a>> {
    let mut units = dwarf.units();
    while let Ok(Some(header)) = units.next() {
        if reference.to_unit_offset(&header).is_some() {
            return dwarf.unit(header).ok();
        }
    }
    None
}
