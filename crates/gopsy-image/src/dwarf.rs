//! DWARF as the Go linker writes it (4 up to Go 1.24, 5 since 1.25): struct layouts and the addresses of globals.
//!
//! Everything the runtime crate asks for stands in compile units called `runtime` (the linker puts the types of package
//! runtime and of what it uses into the first of them, its variables into another), so only those are read.

pub(crate) mod lines;

use crate::bytes;
use crate::{Image, ImageError};
use gimli::{EndianSlice, LittleEndian, SectionId, UnitHeader, UnitOffset};
use gopsy_mem::LinkAddr;
use std::collections::{HashMap, HashSet};
use std::io::Read;

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// Inflated DWARF larger than this many times its compressed form is refused. Real Go programs reach 4 to 6.
const MAX_INFLATION: u64 = 64;
/// Typedefs of typedefs: deeper chains are taken for cycles.
const MAX_TYPE_CHAIN: usize = 16;

/// A member of a struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// From the start of the struct, in bytes.
    pub offset: u64,
    /// In bytes; `None` when DWARF does not say.
    pub size: Option<u64>,
}

/// Where the members of a struct stand in this build.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StructLayout {
    /// The size of the whole, in bytes.
    pub size: u64,
    /// The members by name.
    pub fields: HashMap<String, Field>,
}

impl StructLayout {
    /// A member; `None` when this release has no such member.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Field> {
        self.fields.get(name).copied()
    }
}

/// A global variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Where it stands.
    pub address: LinkAddr,
    /// In bytes; `None` when DWARF does not say.
    pub size: Option<u64>,
}

/// What was found of what was asked for. A name that is not in a map is not in the program.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Struct types by full name (`runtime.g`).
    pub structs: HashMap<String, StructLayout>,
    /// Variables by full name (`runtime.allgs`).
    pub variables: HashMap<String, Variable>,
}

/// The debug information of one file, inflated.
pub struct DebugInfo {
    sections: gimli::DwarfSections<Vec<u8>>,
}

struct Search<'q> {
    structs: HashSet<&'q str>,
    variables: HashSet<&'q str>,
    found: Found,
}

impl DebugInfo {
    pub(crate) fn load(image: &Image) -> Result<DebugInfo, ImageError> {
        if image.section(".debug_info").is_none() && image.section(".zdebug_info").is_none() {
            return Err(ImageError::Absent("debug information"));
        }
        image.debug_is_whole()?;
        let sections = gimli::DwarfSections::load(|id| match id {
            SectionId::DebugInfo | SectionId::DebugAbbrev | SectionId::DebugStr | SectionId::DebugAddr => {
                section(image, id.name())
            }
            _ => Ok(Vec::new()),
        })?;
        Ok(DebugInfo { sections })
    }

    /// Looks for struct types and global variables of package runtime by their full names, all in one pass. The struct
    /// `var X` is the type of the variable X, which may have no name; it is found if X is looked for, too.
    ///
    /// # Errors
    /// When the DWARF is damaged where it had to be read.
    pub fn of_runtime(&self, structs: &[&str], variables: &[&str]) -> Result<Found, ImageError> {
        let mut search = Search {
            structs: structs.iter().copied().collect(),
            variables: variables.iter().copied().collect(),
            found: Found::default(),
        };
        let dwarf = self.sections.borrow(|s| EndianSlice::new(s, LittleEndian));
        let damaged = |e: gimli::Error| ImageError::damaged(format!("its debug information cannot be read ({e})"));
        let mut units = dwarf.units();
        while let Some(unit) = units.next().map_err(damaged)? {
            search.unit(&dwarf, &unit, b"runtime").map_err(damaged)?;
            if search.structs.is_empty() && search.variables.is_empty() {
                break;
            }
        }
        Ok(search.found)
    }
}

impl std::fmt::Debug for DebugInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DebugInfo").finish_non_exhaustive()
    }
}

/// The attributes of one entry that matter here.
#[derive(Default)]
struct Entry<'a> {
    name: Option<&'a [u8]>,
    size: Option<u64>,
    offset: Option<u64>,
    location: Option<Slice<'a>>,
    target: Option<gimli::AttributeValue<Slice<'a>>>,
    addr_base: Option<usize>,
}

impl Search<'_> {
    /// Reads the top-level entries of a unit of that name.
    fn unit(
        &mut self,
        dwarf: &gimli::Dwarf<Slice<'_>>,
        unit: &UnitHeader<Slice<'_>>,
        name: &[u8],
    ) -> gimli::Result<()> {
        let abbreviations = unit.abbreviations(&dwarf.debug_abbrev)?;
        let mut entries = unit.entries_raw(&abbreviations, None)?;
        let root = match entries.read_abbreviation()? {
            Some(abbreviation) => read_entry(dwarf, &mut entries, abbreviation)?,
            None => return Ok(()),
        };
        if root.name != Some(name) {
            return Ok(());
        }
        // The struct whose members are being read, with the depth at which they stand.
        let mut open: Option<(String, StructLayout, isize)> = None;
        while !entries.is_empty() {
            let depth = entries.next_depth();
            if open.as_ref().is_some_and(|(_, _, members)| depth < *members) {
                self.close(open.take());
            }
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            match abbreviation.tag() {
                gimli::DW_TAG_structure_type if depth == 1 => {
                    self.close(open.take());
                    let entry = read_entry(dwarf, &mut entries, abbreviation)?;
                    if let Some(name) = entry.name.and_then(|n| wanted(&self.structs, n)) {
                        let layout = StructLayout { size: entry.size.unwrap_or(0), fields: HashMap::new() };
                        open = Some((name, layout, depth.saturating_add(1)));
                    }
                }
                gimli::DW_TAG_member => {
                    let entry = read_entry(dwarf, &mut entries, abbreviation)?;
                    if let Some((_, layout, _)) = open.as_mut().filter(|(_, _, members)| depth == *members) {
                        layout.fields.extend(member(dwarf, unit, &abbreviations, &entry));
                    }
                }
                gimli::DW_TAG_variable if depth == 1 && !self.variables.is_empty() => {
                    let entry = read_entry(dwarf, &mut entries, abbreviation)?;
                    if let Some(name) = entry.name.and_then(|n| wanted(&self.variables, n))
                        && let Some(address) = entry.location.and_then(|l| global_address(dwarf, l, root.addr_base))
                    {
                        let size = entry.target.and_then(|t| type_size(dwarf, unit, &abbreviations, &t));
                        self.variables.remove(name.as_str());
                        if let Some(of) = wanted(&self.structs, format!("var {name}").as_bytes())
                            && let Some(layout) =
                                entry.target.and_then(|t| struct_type(dwarf, unit, &abbreviations, &t))
                        {
                            self.structs.remove(of.as_str());
                            self.found.structs.insert(of, layout);
                        }
                        self.found.variables.insert(name, Variable { address, size });
                    }
                }
                _ => entries.skip_attributes(abbreviation.attributes())?,
            }
        }
        self.close(open.take());
        Ok(())
    }

    fn close(&mut self, open: Option<(String, StructLayout, isize)>) {
        if let Some((name, layout, _)) = open {
            self.structs.remove(name.as_str());
            self.found.structs.insert(name, layout);
        }
    }
}

fn wanted(names: &HashSet<&str>, name: &[u8]) -> Option<String> {
    let name = str::from_utf8(name).ok()?;
    names.get(name).map(|n| (*n).to_owned())
}

fn read_entry<'a>(
    dwarf: &gimli::Dwarf<Slice<'a>>,
    entries: &mut gimli::EntriesRaw<'_, Slice<'a>>,
    abbreviation: &gimli::Abbreviation,
) -> gimli::Result<Entry<'a>> {
    let mut entry = Entry::default();
    for spec in abbreviation.attributes() {
        let attribute = entries.read_attribute(*spec)?;
        let value = attribute.value();
        match attribute.name() {
            gimli::DW_AT_name => {
                entry.name = match value {
                    gimli::AttributeValue::String(s) => Some(s.slice()),
                    gimli::AttributeValue::DebugStrRef(o) => dwarf.debug_str.get_str(o).ok().map(|s| s.slice()),
                    _ => None,
                }
            }
            gimli::DW_AT_byte_size => entry.size = value.udata_value(),
            gimli::DW_AT_data_member_location => entry.offset = value.udata_value(),
            gimli::DW_AT_location => entry.location = value.exprloc_value().map(|e| e.0),
            gimli::DW_AT_type => entry.target = Some(value),
            gimli::DW_AT_addr_base => {
                if let gimli::AttributeValue::DebugAddrBase(base) = value {
                    entry.addr_base = Some(base.0);
                }
            }
            _ => {}
        }
    }
    Ok(entry)
}

/// `DW_OP_addr X` or, with an address table, `DW_OP_addrx I`; everything else is no fixed address.
fn global_address(
    dwarf: &gimli::Dwarf<Slice<'_>>,
    expression: Slice<'_>,
    addr_base: Option<usize>,
) -> Option<LinkAddr> {
    let (operation, operand) = expression.slice().split_first()?;
    match *operation {
        0x03 => operand.try_into().ok().map(|b| LinkAddr(u64::from_le_bytes(b))),
        0xa1 => {
            let (index, _) = bytes::uvarint(operand)?;
            let index = gimli::DebugAddrIndex(usize::try_from(index).ok()?);
            let base = gimli::DebugAddrBase(addr_base?);
            dwarf.debug_addr.get_address(8, base, index).ok().map(LinkAddr)
        }
        _ => None,
    }
}

/// A struct type.
fn struct_type(
    dwarf: &gimli::Dwarf<Slice<'_>>,
    unit: &UnitHeader<Slice<'_>>,
    abbreviations: &gimli::Abbreviations,
    target: &gimli::AttributeValue<Slice<'_>>,
) -> Option<StructLayout> {
    let Some(offset) = within(unit, target) else {
        let (unit, abbreviations, target) = in_other_unit(dwarf, target)?;
        return struct_type(dwarf, &unit, &abbreviations, &target);
    };
    let mut entries = unit.entries_raw(abbreviations, Some(offset)).ok()?;
    let abbreviation = entries.read_abbreviation().ok()??;
    if abbreviation.tag() != gimli::DW_TAG_structure_type || !abbreviation.has_children() {
        return None;
    }
    let size = read_entry(dwarf, &mut entries, abbreviation).ok()?.size.unwrap_or(0);
    let mut layout = StructLayout { size, fields: HashMap::new() };
    // Members have no children; the list ends with an empty entry.
    while let Some(abbreviation) = entries.read_abbreviation().ok()? {
        let entry = read_entry(dwarf, &mut entries, abbreviation).ok()?;
        if abbreviation.tag() == gimli::DW_TAG_member {
            layout.fields.extend(member(dwarf, unit, abbreviations, &entry));
        }
    }
    Some(layout)
}

/// A member of a struct.
fn member(
    dwarf: &gimli::Dwarf<Slice<'_>>,
    unit: &UnitHeader<Slice<'_>>,
    abbreviations: &gimli::Abbreviations,
    entry: &Entry<'_>,
) -> Option<(String, Field)> {
    let size = entry.target.as_ref().and_then(|t| type_size(dwarf, unit, abbreviations, t));
    Some((String::from_utf8_lossy(entry.name?).into_owned(), Field { offset: entry.offset?, size }))
}

fn within(unit: &UnitHeader<Slice<'_>>, value: &gimli::AttributeValue<Slice<'_>>) -> Option<UnitOffset> {
    match value {
        gimli::AttributeValue::UnitRef(offset) => Some(*offset),
        gimli::AttributeValue::DebugInfoRef(offset) => offset.to_unit_offset(unit),
        _ => None,
    }
}

/// The size of a type, through typedefs. Pointers, maps and channels state none: they are one word.
fn type_size(
    dwarf: &gimli::Dwarf<Slice<'_>>,
    unit: &UnitHeader<Slice<'_>>,
    abbreviations: &gimli::Abbreviations,
    target: &gimli::AttributeValue<Slice<'_>>,
) -> Option<u64> {
    let Some(mut offset) = within(unit, target) else {
        let (unit, abbreviations, target) = in_other_unit(dwarf, target)?;
        return type_size(dwarf, &unit, &abbreviations, &target);
    };
    for _ in 0..MAX_TYPE_CHAIN {
        let entry = unit.entry(abbreviations, offset).ok()?;
        if let Some(size) = entry.attr_value(gimli::DW_AT_byte_size).and_then(|v| v.udata_value()) {
            return Some(size);
        }
        if entry.tag() == gimli::DW_TAG_pointer_type {
            return Some(u64::from(unit.address_size()));
        }
        offset = within(unit, &entry.attr_value(gimli::DW_AT_type)?)?;
    }
    None
}

/// A reference into another unit: that unit, its abbreviations, and the reference within it.
fn in_other_unit<'a>(
    dwarf: &gimli::Dwarf<Slice<'a>>,
    target: &gimli::AttributeValue<Slice<'a>>,
) -> Option<(UnitHeader<Slice<'a>>, gimli::Abbreviations, gimli::AttributeValue<Slice<'a>>)> {
    let gimli::AttributeValue::DebugInfoRef(reference) = target else { return None };
    let mut units = dwarf.units();
    while let Ok(Some(unit)) = units.next() {
        if let Some(offset) = reference.to_unit_offset(&unit) {
            let abbreviations = unit.abbreviations(&dwarf.debug_abbrev).ok()?;
            return Some((unit, abbreviations, gimli::AttributeValue::UnitRef(offset)));
        }
    }
    None
}

/// A debug section, inflated: plain, `SHF_COMPRESSED` (Go 1.19+) or `.zdebug_*` (up to Go 1.18).
pub(crate) fn section(image: &Image, name: &str) -> Result<Vec<u8>, ImageError> {
    let damaged = || ImageError::damaged(format!("its section {name} cannot be read"));
    if let Some(section) = image.section(name) {
        let data = image.section_bytes(section).ok_or_else(damaged)?;
        if !section.compressed {
            return Ok(data.to_vec());
        }
        // Elf64_Chdr: type, reserved, size, alignment.
        let (kind, size) = bytes::u32(data, 0).zip(bytes::u64(data, 8)).ok_or_else(damaged)?;
        if kind != object::elf::ELFCOMPRESS_ZLIB.0 {
            return Err(ImageError::not_supported(format!("section {name}, compressed otherwise than by zlib")));
        }
        return inflate(bytes::tail(data, 24).unwrap_or(&[]), size).ok_or_else(damaged);
    }
    let old = name.replacen(".debug", ".zdebug", 1);
    match image.section(&old).and_then(|s| image.section_bytes(s)) {
        Some(data) if data.starts_with(b"ZLIB") => {
            let size = bytes::u64(data, 4).map(u64::swap_bytes).ok_or_else(damaged)?;
            inflate(bytes::tail(data, 12).unwrap_or(&[]), size).ok_or_else(damaged)
        }
        Some(data) => Ok(data.to_vec()),
        None => Ok(Vec::new()),
    }
}

fn inflate(data: &[u8], size: u64) -> Option<Vec<u8>> {
    let limit = u64::try_from(data.len()).ok()?.saturating_mul(MAX_INFLATION).saturating_add(4096);
    if size > limit {
        return None;
    }
    let mut out = Vec::new();
    flate2::read::ZlibDecoder::new(data).take(size).read_to_end(&mut out).ok()?;
    (u64::try_from(out.len()) == Ok(size)).then_some(out)
}
