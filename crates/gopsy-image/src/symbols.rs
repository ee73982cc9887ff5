//! The symbol table (`.symtab`, else `.dynsym`), by address.
//!
//! It knows what pclntab does not: C code, data, what the linker made. Go's linker marks the second calling convention of
//! a name by an ending (`runtime.memmove.abi0`; `cmd/link/internal/ld/symtab.go`), which pclntab leaves out.

use crate::Image;
use gopsy_mem::LinkAddr;
use object::LittleEndian as LE;
use object::elf;
use object::read::elf::{FileHeader, Sym};
use std::borrow::Cow;

/// What stands at a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SymbolKind {
    /// Code (`STT_FUNC`, `STT_GNU_IFUNC`).
    Function,
    /// Data (`STT_OBJECT`).
    Object,
    /// A mark without a type (`STT_NOTYPE`): of assembly, of linkers.
    Mark,
}

/// A symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Its name; bytes that are not UTF-8 are replaced.
    pub name: Cow<'a, str>,
    /// Where it stands.
    pub address: LinkAddr,
    /// In bytes; 0 where the table does not say.
    pub size: u64,
    /// What stands there.
    pub kind: SymbolKind,
    /// Other files may use it (`STB_GLOBAL`): of several names for one place, that by which it is known.
    pub global: bool,
}

/// A symbol without its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    address: LinkAddr,
    size: u64,
    /// Its index in the table of the file.
    index: usize,
}

/// The symbols of a file that stand at an address, sorted by it.
#[derive(Debug, Default)]
pub struct SymbolTable {
    entries: Vec<Entry>,
    /// The largest size of an entry up to each: how far back a search has to look.
    reach: Vec<u64>,
    dynamic: bool,
    /// It is the debug file's.
    of_debug_file: bool,
}

/// So many symbols before an address are looked at for one that covers it.
const MAX_BACK: usize = 4096;

impl SymbolTable {
    /// Reads the table; empty for a file that has none, or a damaged one. Of a file of 32 bits the names are not read.
    pub(crate) fn read(file: &[u8]) -> SymbolTable {
        let of =
            if crate::elf::is_32(file) { entries::<elf::FileHeader32<LE>> } else { entries::<elf::FileHeader64<LE>> };
        for (kind, dynamic) in [(elf::SHT_SYMTAB, false), (elf::SHT_DYNSYM, true)] {
            let Some(mut entries) = of(file, kind).filter(|entries| !entries.is_empty()) else { continue };
            entries.sort_unstable();
            let mut longest = 0;
            let reach = entries.iter().map(|e| {
                longest = longest.max(e.size);
                longest
            });
            return SymbolTable { reach: reach.collect(), entries, dynamic, of_debug_file: false };
        }
        SymbolTable::default()
    }

    /// The table of the debug file of another.
    pub(crate) fn of_debug_file(file: &[u8]) -> SymbolTable {
        SymbolTable { of_debug_file: true, ..SymbolTable::read(file) }
    }

    /// How many symbols stand at an address.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none: the file is stripped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether these are only the symbols for dynamic linking, which stripping leaves.
    #[must_use]
    pub fn only_dynamic(&self) -> bool {
        self.dynamic
    }

    fn symbol<'a>(&self, image: &'a Image, entry: &Entry) -> Option<Symbol<'a>> {
        let kind = if self.dynamic { elf::SHT_DYNSYM } else { elf::SHT_SYMTAB };
        let file = if self.of_debug_file { image.debug_file()?.image.file() } else { image.file() };
        let table = table(file, kind)?;
        let symbol = table.symbol(object::SymbolIndex(entry.index)).ok()?;
        let name = table.symbol_name(LE, symbol).ok()?;
        let kind = kind_of(symbol.st_type())?;
        let global = symbol.st_bind() == elf::STB_GLOBAL;
        Some(Symbol { name: String::from_utf8_lossy(name), address: entry.address, size: entry.size, kind, global })
    }

    /// The symbols that cover an address, those that begin last first. One without a size covers what lies before the next
    /// symbol in the same section, if nothing else covers the address.
    #[must_use]
    pub fn covering<'a>(&self, image: &'a Image, at: LinkAddr) -> Vec<Symbol<'a>> {
        let behind = self.entries.partition_point(|e| e.address <= at);
        let before = self.entries.get(..behind).unwrap_or(&[]);
        let mut found: Vec<&Entry> = Vec::new();
        for (entry, reach) in before.iter().zip(&self.reach).rev().take(MAX_BACK) {
            let Some(within) = at.offset_from(entry.address) else { break };
            if within < entry.size || within == 0 {
                found.push(entry);
            }
            if within >= *reach && within != 0 {
                break;
            }
        }
        if found.is_empty()
            && let Some(last) = before.last().filter(|e| e.size == 0 && image.in_one_part(e.address, at))
        {
            found.extend(before.iter().rev().take_while(|e| e.address == last.address));
        }
        found.into_iter().filter_map(|entry| self.symbol(image, entry)).filter(|s| !s.name.is_empty()).collect()
    }

    /// All symbols, by address.
    pub fn iter<'a>(&'a self, image: &'a Image) -> impl Iterator<Item = Symbol<'a>> + 'a {
        self.entries.iter().filter_map(|entry| self.symbol(image, entry))
    }
}

impl Image {
    /// The function of the symbol table that holds that address: the innermost; of several names for it the one by which other
    /// files know it. A mark of assembly counts where nothing else covers the address.
    #[must_use]
    pub fn symbol_at(&self, address: LinkAddr) -> Option<Symbol<'_>> {
        let covering = self.symbol_table().covering(self, address);
        let code = covering.into_iter().filter(|s| s.kind != SymbolKind::Object && self.is_executable(s.address));
        code.max_by_key(|s| (s.kind == SymbolKind::Function, s.address, s.global))
    }
}

fn kind_of(kind: elf::SymbolType) -> Option<SymbolKind> {
    match kind {
        elf::STT_FUNC | elf::STT_GNU_IFUNC => Some(SymbolKind::Function),
        elf::STT_OBJECT => Some(SymbolKind::Object),
        elf::STT_NOTYPE => Some(SymbolKind::Mark),
        _ => None,
    }
}

type Table<'data, H> = object::read::elf::SymbolTable<'data, H>;

fn table(file: &[u8], kind: elf::SectionType) -> Option<Table<'_, elf::FileHeader64<LE>>> {
    table_of(crate::elf::parse_header(file).ok()?, file, kind)
}

fn table_of<'data, H: FileHeader<Endian = LE>>(
    header: &H,
    file: &'data [u8],
    kind: elf::SectionType,
) -> Option<Table<'data, H>> {
    let table = header.sections(LE, file).ok()?.symbols(LE, file, kind).ok()?;
    (!table.is_empty()).then_some(table)
}

/// The symbols that stand at an address.
fn entries<H: FileHeader<Endian = LE>>(file: &[u8], kind: elf::SectionType) -> Option<Vec<Entry>> {
    let table = table_of(H::parse(file).ok()?, file, kind)?;
    let placed = |symbol: &H::Sym| {
        symbol.st_shndx(LE) != elf::SHN_UNDEF
            && symbol.st_shndx(LE) != elf::SHN_ABS
            && kind_of(symbol.st_type()).is_some()
    };
    let symbols = table.enumerate().filter(|(_, symbol)| placed(symbol));
    let entry = |(index, symbol): (object::SymbolIndex, &H::Sym)| Entry {
        address: LinkAddr(symbol.st_value(LE).into()),
        size: symbol.st_size(LE).into(),
        index: index.0,
    };
    Some(symbols.map(entry).collect())
}
