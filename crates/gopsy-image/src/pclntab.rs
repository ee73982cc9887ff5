//! pclntab: Go's own table of functions, present in every Go binary, stripped or not (`internal/abi/symtab.go`,
//! `runtime/symtab.go`, `cmd/link/internal/ld/pcln.go`). The formats of Go 1.16 to 1.27, 64-bit.

use crate::bytes;
use crate::func::Func;
use crate::moduledata::{self, ModuleData};
use crate::stated::{Part, Stated};
use crate::{Image, ImageError};
use gopsy_mem::LinkAddr;

/// Magic, two zero bytes, minLC, pointer size, eight words (seven up to Go 1.17).
const HEADER_SIZE: u64 = 0x48;

/// A format of the table. It changes seldom; each has its own magic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Go 1.16 and 1.17 (`go116magic`): functions by address.
    Go116,
    /// Go 1.18 and 1.19 (`go118magic`): functions by their offset from the text.
    Go118,
    /// Go 1.20 to 1.27 (`go120magic`): `_func.startLine`, shorter inline trees.
    Go120,
}

impl Format {
    fn of(magic: u32) -> Option<Format> {
        match magic {
            0xffff_fffa => Some(Format::Go116),
            0xffff_fff0 => Some(Format::Go118),
            0xffff_fff1 => Some(Format::Go120),
            _ => None,
        }
    }

    /// The releases that write it.
    #[must_use]
    pub fn releases(self) -> &'static str {
        match self {
            Format::Go116 => "Go 1.16 or 1.17",
            Format::Go118 => "Go 1.18 or 1.19",
            Format::Go120 => "Go 1.20 or later",
        }
    }

    /// The size of one half of an entry of the function table.
    fn word(self) -> u64 {
        if self == Format::Go116 { 8 } else { 4 }
    }

    /// One half of an entry, from the table's bytes.
    fn half(self, table: &[u8], number: u64) -> Option<u64> {
        let at = number.checked_mul(self.word())?;
        match self {
            Format::Go116 => bytes::u64(table, at),
            Format::Go118 | Format::Go120 => bytes::u32(table, at).map(u64::from),
        }
    }

    /// The address that the first half of an entry of a module means.
    fn code(self, module: &ModuleData, key: u64) -> Option<LinkAddr> {
        match self {
            Format::Go116 => Some(LinkAddr(key)),
            Format::Go118 | Format::Go120 => module.code_at(key),
        }
    }

    /// Where the `index`-th function of a module begins, by its table alone.
    pub(crate) fn start_of(self, stated: &dyn Stated, module: &ModuleData, index: u64) -> Option<LinkAddr> {
        let entry = self.word().checked_mul(2)?;
        let at = module.ftab.0.checked_add(index.checked_mul(entry)?)?;
        let mut buf = [0; 8];
        // The end mark has no second half up to Go 1.17.
        let key = buf.get_mut(..usize::try_from(self.word()).ok()?)?;
        stated.fill(at, key).then_some(())?;
        self.code(module, self.half(&buf, 0)?)
    }
}

/// `go12magic`, of Go 1.2 to 1.15.
const MAGIC_12: u32 = 0xffff_fffb;

/// Whether these are the first 8 bytes of a pclntab that this crate reads.
pub(crate) fn is_magic(word: u64) -> bool {
    format_of(word).is_some()
}

/// The format of a pclntab with these first 8 bytes.
pub(crate) fn format_of(word: u64) -> Option<Format> {
    parse_start(&word.to_le_bytes()).ok().map(|(format, _)| format)
}

/// One module's own description: moduledata, and the parts of pclntab.
#[derive(Debug)]
pub struct GoModule {
    data: ModuleData,
    format: Format,
    min_lc: u8,
    names: Part,
    units: Part,
    files: Part,
    pc_values: Part,
    functions: Part,
    /// The function table, where it is not the beginning of the functions.
    table: Option<Part>,
}

impl GoModule {
    /// Reads the module whose moduledata stands at that address.
    ///
    /// # Errors
    /// When it is none, or one of its parts cannot be read.
    pub fn read(stated: &dyn Stated, address: LinkAddr) -> Result<GoModule, ImageError> {
        GoModule::of(stated, ModuleData::read(stated, address)?)
    }

    /// The module that says that of itself.
    ///
    /// # Errors
    /// When one of its parts cannot be read.
    pub fn of(stated: &dyn Stated, data: ModuleData) -> Result<GoModule, ImageError> {
        let mut start = [0; 8];
        if !stated.fill(data.pc_header, &mut start) {
            return Err(ImageError::Absent("pclntab where its moduledata says"));
        }
        let (format, min_lc) = parse_start(&start)?;
        let entry = format.word().saturating_mul(2);
        let read = |(at, len): (LinkAddr, u64)| match len {
            0 => Ok(Part::default()),
            _ => stated.part(at, len).ok_or_else(|| ImageError::damaged("a part of its pclntab is not there")),
        };
        let mut parts = data.parts.iter().map(|part| read(*part));
        let mut part = || parts.next().unwrap_or_else(|| Ok(Part::default()));
        let (table, entries) = data.ftab;
        let table = (!data.linked).then(|| read((table, entries.saturating_mul(entry)))).transpose()?;
        let module = GoModule {
            table,
            names: part()?,
            units: part()?,
            files: part()?,
            pc_values: part()?,
            functions: part()?,
            format,
            min_lc,
            data,
        };
        let room = u64::try_from(module.table().len()).unwrap_or(u64::MAX);
        if entries.checked_mul(entry).is_none_or(|size| size > room) {
            return Err(ImageError::damaged("its table of functions is longer than its pclntab"));
        }
        Ok(module)
    }

    /// The bytes from the function table on.
    fn table(&self) -> &[u8] {
        self.table.as_ref().unwrap_or(&self.functions).bytes()
    }

    /// What it says of itself.
    #[must_use]
    pub fn data(&self) -> &ModuleData {
        &self.data
    }

    /// The format of its pclntab.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Its table of functions. `stated` is what the module was read from.
    #[must_use]
    pub fn pclntab<'a>(&'a self, stated: &'a dyn Stated) -> Pclntab<'a> {
        Pclntab { module: self, stated }
    }
}

/// A view of the table. Copying it is cheap; nothing is decoded until asked for.
#[derive(Clone, Copy)]
pub struct Pclntab<'a> {
    pub(crate) module: &'a GoModule,
    pub(crate) stated: &'a dyn Stated,
}

impl std::fmt::Debug for Pclntab<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pclntab").field("module", &self.module.data.address).finish_non_exhaustive()
    }
}

impl<'a> Pclntab<'a> {
    /// How many functions there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.module.data.ftab.1.saturating_sub(1)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first address of Go code.
    #[must_use]
    pub fn text(&self) -> LinkAddr {
        self.module.data.text
    }

    /// The first address behind the Go code.
    #[must_use]
    pub fn etext(&self) -> LinkAddr {
        self.module.data.etext
    }

    pub(crate) fn names(&self) -> &'a [u8] {
        self.module.names.bytes()
    }

    pub(crate) fn units(&self) -> &'a [u8] {
        self.module.units.bytes()
    }

    pub(crate) fn files(&self) -> &'a [u8] {
        self.module.files.bytes()
    }

    pub(crate) fn pc_values(&self) -> &'a [u8] {
        self.module.pc_values.bytes()
    }

    pub(crate) fn functions(&self) -> &'a [u8] {
        self.module.functions.bytes()
    }

    pub(crate) fn format(&self) -> Format {
        self.module.format
    }

    pub(crate) fn min_lc(&self) -> u8 {
        self.module.min_lc
    }

    /// The function whose code holds that address. `pc` is where something stands or stood; for a return address ask
    /// with the address before it, since a call may be a function's last instruction.
    #[must_use]
    pub fn find(&self, pc: LinkAddr) -> Option<Func<'a>> {
        self.at(pc).map(|(_, func)| func)
    }

    /// The index of that function in the order of addresses: what [`Pclntab::func`] takes.
    #[must_use]
    pub fn index_of(&self, pc: LinkAddr) -> Option<u64> {
        self.at(pc).map(|(index, _)| index)
    }

    fn at(&self, pc: LinkAddr) -> Option<(u64, Func<'a>)> {
        let count = self.len();
        let key = match self.format() {
            Format::Go116 => pc.0,
            Format::Go118 | Format::Go120 => self.module.data.offset_of(pc)?,
        };
        if count == 0 || key >= self.key(count)? || key < self.key(0)? {
            return None;
        }
        // Invariant: key(low) <= key < key(high). A table that is not sorted gives some function whose own bounds are
        // checked below, never an endless search.
        let (mut low, mut high) = (0, count);
        while high.saturating_sub(low) > 1 {
            let middle = low.midpoint(high);
            if self.key(middle)? <= key { low = middle } else { high = middle }
        }
        self.func(low).filter(|f| f.entry() <= pc && pc < f.end()).map(|func| (low, func))
    }

    /// The `index`-th function in the order of addresses.
    #[must_use]
    pub fn func(&self, index: u64) -> Option<Func<'a>> {
        if index >= self.len() {
            return None;
        }
        let entry = self.code(self.key(index)?)?;
        let end = self.code(self.key(index.checked_add(1)?)?)?;
        Func::read(*self, entry, end, self.record(index)?)
    }

    /// A function by its name in the table (`runtime.sigpanic`): the first of that name. Linear in the table's size.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<Func<'a>> {
        self.funcs().find(|func| func.raw_name() == Some(name.as_bytes()))
    }

    /// All functions, by address.
    pub fn funcs(&self) -> impl Iterator<Item = Func<'a>> + '_ {
        (0..self.len()).filter_map(|index| self.func(index))
    }

    /// The first half of an entry: an address (Go 1.16, 1.17) or an offset.
    fn key(&self, index: u64) -> Option<u64> {
        self.half(index.checked_mul(2)?)
    }

    /// The second half of an entry: where the function's record stands, from the start of the table.
    fn record(&self, index: u64) -> Option<u64> {
        self.half(index.checked_mul(2)?.checked_add(1)?)
    }

    fn half(&self, number: u64) -> Option<u64> {
        self.format().half(self.module.table(), number)
    }

    /// The address that the first half of an entry means.
    pub(crate) fn code(&self, key: u64) -> Option<LinkAddr> {
        self.format().code(&self.module.data, key)
    }
}

/// The first module of a file. Its moduledata is found by section (Go 1.26+), by symbol, else by what it points to.
pub(crate) fn first_module(image: &Image) -> Result<GoModule, ImageError> {
    if image.address_size() != 8 {
        return Err(ImageError::not_supported("the tables of a 32-bit program"));
    }
    let section = image.section(".go.module").map(|s| s.address);
    let stated = section.into_iter().chain(image.symbol("runtime.firstmoduledata"));
    let mut failed = None;
    for address in stated {
        match GoModule::read(image, address) {
            Ok(module) => return Ok(module),
            Err(error) => failed = Some(error),
        }
    }
    for (header, names) in headers(image, &mut failed) {
        for address in pointers_to(image, header) {
            if address.0.is_multiple_of(8) && moduledata::begins_at(image, address, header, names) {
                match GoModule::read(image, address) {
                    Ok(module) => return Ok(module),
                    Err(error) => failed = Some(error),
                }
            }
        }
    }
    let nothing = ImageError::Absent("pclntab: it is no Go program, or somebody removed Go's tables from it");
    let cut = image.cut().filter(|cut| cut.loaded).map(ImageError::Cut);
    Err(cut.or(failed).unwrap_or(nothing))
}

/// The headers of pclntabs, with the address of their function names: by section, else by looking for the magic. External
/// linking of a PIE up to Go 1.25 leaves the table without a section.
fn headers(image: &Image, failed: &mut Option<ImageError>) -> Vec<(LinkAddr, LinkAddr)> {
    let mut found = Vec::new();
    let mut consider = |at: LinkAddr| match names_of(image, at) {
        Ok(names) => found.push((at, names)),
        Err(error @ ImageError::NotSupported(_)) => *failed = Some(error),
        Err(_) => {}
    };
    let sections = [".gopclntab", ".data.rel.ro.gopclntab"];
    let named: Vec<LinkAddr> = sections.iter().filter_map(|s| image.section(s)).map(|s| s.address).collect();
    if !named.is_empty() {
        named.iter().copied().for_each(&mut consider);
        if found.is_empty() && failed.is_none() {
            *failed = named.into_iter().find_map(|at| of_unknown_format(image, at));
        }
        return found;
    }
    for segment in image.segments() {
        let data = image.segment_bytes(segment);
        // Two zero bytes follow every magic.
        for at in memchr::memmem::find_iter(data, b"\xff\xff\xff\0\0").filter_map(|at| at.checked_sub(1)) {
            if let Some(at) = u64::try_from(at).ok().and_then(|at| segment.address.checked_add(at)) {
                consider(at);
            }
        }
    }
    found
}

/// What to say of a table whose header is like that of all releases but for its magic. A new magic means another layout: nothing is
/// read by that of the latest format.
fn of_unknown_format(stated: &dyn Stated, at: LinkAddr) -> Option<ImageError> {
    let mut start = [0; 8];
    stated.fill(at, &mut start).then_some(())?;
    let [a, b, c, d, 0, 0, 1 | 2 | 4, 8] = start else { return None };
    let magic = u32::from_le_bytes([a, b, c, d]);
    let known = Format::of(magic).is_some() || magic == MAGIC_12;
    let who = "a release of Go that is not known here, or an obfuscator";
    (!known).then(|| ImageError::not_supported(format!("a pclntab that begins with {magic:#x}: by {who}")))
}

/// Words that hold that address: those in the file, and those that the loader fills in.
fn pointers_to(image: &Image, target: LinkAddr) -> Vec<LinkAddr> {
    let mut found: Vec<LinkAddr> = image.relocations().places_of(target.0).collect();
    let needle = target.0.to_le_bytes();
    for segment in image.segments() {
        let at =
            memchr::memmem::find_iter(image.segment_bytes(segment), &needle).filter_map(|at| u64::try_from(at).ok());
        found.extend(at.filter_map(|at| segment.address.checked_add(at)));
    }
    found
}

/// The address of the function names of the pclntab whose header stands there.
fn names_of(stated: &dyn Stated, at: LinkAddr) -> Result<LinkAddr, ImageError> {
    let mut header = [0; 0x48];
    let whole = stated.fill(at, &mut header);
    let start = if whole { header.first_chunk() } else { None };
    let (format, _) = parse_start(start.ok_or_else(|| ImageError::damaged("its pclntab ends early"))?)?;
    // nfunc, nfiles, textStart (since Go 1.18; 0 since Go 1.26), then the offsets of the five parts.
    let first = if format == Format::Go116 { 24 } else { 32 };
    let offsets: Vec<u64> =
        (0..5u64).filter_map(|i| bytes::u64(&header, i.checked_mul(8)?.checked_add(first)?)).collect();
    let least = if format == Format::Go116 { HEADER_SIZE.saturating_sub(8) } else { HEADER_SIZE };
    let names = offsets.first().filter(|o| **o >= least && offsets.len() == 5 && offsets.is_sorted());
    names
        .and_then(|o| at.checked_add(*o))
        .ok_or_else(|| ImageError::damaged("the parts of its pclntab overlap or lie outside of it"))
}

/// Magic, zeros, minLC, pointer size.
fn parse_start(data: &[u8; 8]) -> Result<(Format, u8), ImageError> {
    let [a, b, c, d, 0, 0, min_lc @ (1 | 2 | 4), pointer @ (4 | 8)] = *data else {
        return Err(ImageError::damaged("its pclntab has no valid header"));
    };
    match (u32::from_le_bytes([a, b, c, d]), pointer) {
        (MAGIC_12, _) => Err(ImageError::not_supported("the pclntab of Go 1.15 or before")),
        (magic, pointer) => match Format::of(magic) {
            None => Err(ImageError::damaged("its pclntab has no valid header")),
            Some(_) if pointer != 8 => Err(ImageError::not_supported("the pclntab of a 32-bit program")),
            Some(format) => Ok((format, min_lc)),
        },
    }
}
