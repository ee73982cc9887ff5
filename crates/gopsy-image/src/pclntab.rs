//! pclntab: Go's own table of functions, present in every Go binary, stripped or not (`internal/abi/symtab.go`,
//! `runtime/symtab.go`, `cmd/link/internal/ld/pcln.go`). Format of Go 1.20 to 1.27, 64-bit.

use crate::bytes;
use crate::func::Func;
use crate::{Image, ImageError};
use gopsy_mem::LinkAddr;

/// `abi.Go120PCLnTabMagic`.
const MAGIC_120: u32 = 0xffff_fff1;
/// Magics of other releases, to name them when they are met.
const OTHER_MAGICS: [(u32, &str); 3] =
    [(0xffff_fff0, "Go 1.18 or 1.19"), (0xffff_fffa, "Go 1.16 or 1.17"), (0xffff_fffb, "Go 1.15 or before")];
/// Magic, two zero bytes, minLC, pointer size, eight words.
const HEADER_SIZE: u64 = 0x48;

/// Where a pclntab stands. `len` reaches to the end of its section or segment.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) address: LinkAddr,
    pub(crate) file_offset: u64,
    pub(crate) len: u64,
    pub(crate) names_offset: u64,
}

struct Header {
    min_lc: u8,
    functions: u64,
    names: u64,
    units: u64,
    files: u64,
    pc_values: u64,
    functab: u64,
}

/// A view of the table. Copying it is cheap; nothing is decoded until asked for.
#[derive(Debug, Clone, Copy)]
pub struct Pclntab<'a> {
    pub(crate) image: &'a Image,
    pub(crate) text: LinkAddr,
    pub(crate) gofunc: LinkAddr,
    pub(crate) min_lc: u8,
    count: u64,
    pub(crate) names: &'a [u8],
    pub(crate) units: &'a [u8],
    pub(crate) files: &'a [u8],
    pub(crate) pc_values: &'a [u8],
    pub(crate) functab: &'a [u8],
}

impl<'a> Pclntab<'a> {
    pub(crate) fn at(image: &'a Image, place: &Place) -> Result<Self, ImageError> {
        let data = bytes::slice(image.file(), place.file_offset, place.len)
            .ok_or_else(|| ImageError::damaged("its pclntab reaches beyond the end of the file"))?;
        let header = parse_header(data)?;
        let part = |from| bytes::tail(data, from).unwrap_or(&[]);
        let module = image.module_data()?;
        Ok(Pclntab {
            image,
            text: module.text,
            gofunc: module.gofunc,
            min_lc: header.min_lc,
            count: header.functions,
            names: part(header.names),
            units: part(header.units),
            files: part(header.files),
            pc_values: part(header.pc_values),
            functab: part(header.functab),
        })
    }

    /// How many functions there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The first address of Go code.
    #[must_use]
    pub fn text(&self) -> LinkAddr {
        self.text
    }

    /// The function whose code holds that address. `pc` is where something stands or stood; for a return address ask
    /// with the address before it, since a call may be a function's last instruction.
    #[must_use]
    pub fn find(&self, pc: LinkAddr) -> Option<Func<'a>> {
        let offset = u32::try_from(pc.offset_from(self.text)?).ok()?;
        let end = self.entry_offset(self.count)?;
        if self.count == 0 || offset >= end || offset < self.entry_offset(0)? {
            return None;
        }
        // Invariant: entry(low) <= offset < entry(high). A table that is not sorted gives some function whose own
        // bounds are checked below, never an endless search.
        let (mut low, mut high) = (0, self.count);
        while high.saturating_sub(low) > 1 {
            let middle = low.midpoint(high);
            if self.entry_offset(middle)? <= offset { low = middle } else { high = middle }
        }
        self.func(low).filter(|f| f.entry() <= pc && pc < f.end())
    }

    /// The `index`-th function in the order of addresses.
    #[must_use]
    pub fn func(&self, index: u64) -> Option<Func<'a>> {
        if index >= self.count {
            return None;
        }
        let next = index.checked_add(1)?;
        let record = bytes::u32(self.functab, index.checked_mul(8)?.checked_add(4)?)?;
        let entry = self.text.checked_add(u64::from(self.entry_offset(index)?))?;
        let end = self.text.checked_add(u64::from(self.entry_offset(next)?))?;
        Func::read(*self, entry, end, u64::from(record))
    }

    /// A function by its name in the table (`runtime.sigpanic`). Linear in the table's size.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<Func<'a>> {
        (0..self.count).filter_map(|i| self.func(i)).find(|f| f.raw_name() == Some(name.as_bytes()))
    }

    fn entry_offset(&self, index: u64) -> Option<u32> {
        bytes::u32(self.functab, index.checked_mul(8)?)
    }
}

/// By section, else by looking for its magic. External linking of a PIE up to Go 1.25 leaves it without a section.
pub(crate) fn find(image: &Image) -> Result<Place, ImageError> {
    for name in [".gopclntab", ".data.rel.ro.gopclntab"] {
        if let Some(section) = image.section(name) {
            let data = image
                .section_bytes(section)
                .ok_or_else(|| ImageError::damaged("its pclntab lies outside of the file"))?;
            let header = parse_header(data)?;
            return Ok(Place {
                address: section.address,
                file_offset: section.file_offset,
                len: section.size,
                names_offset: header.names,
            });
        }
    }
    let mut other = None;
    for segment in image.segments() {
        let Some(data) = bytes::slice(image.file(), segment.file_offset, segment.file_size) else { continue };
        // Two zero bytes follow every magic.
        for at in memchr::memmem::find_iter(data, b"\xff\xff\xff\0\0").filter_map(|at| at.checked_sub(1)) {
            let Some((candidate, offset)) = data.get(at..).zip(u64::try_from(at).ok()) else { continue };
            match parse_header(candidate) {
                Ok(header) => {
                    let (Some(address), Some(file_offset)) =
                        (segment.address.checked_add(offset), segment.file_offset.checked_add(offset))
                    else {
                        continue;
                    };
                    let len = segment.file_size.saturating_sub(offset);
                    return Ok(Place { address, file_offset, len, names_offset: header.names });
                }
                Err(error @ ImageError::NotSupported(_)) => other = Some(error),
                Err(_) => {}
            }
        }
    }
    Err(other.unwrap_or(ImageError::Absent("pclntab: it is no Go program, or somebody removed Go's tables from it")))
}

fn parse_header(data: &[u8]) -> Result<Header, ImageError> {
    let early = || ImageError::damaged("its pclntab ends early");
    let magic = bytes::u32(data, 0).ok_or_else(early)?;
    let (min_lc, pointer) = bytes::u8(data, 6).zip(bytes::u8(data, 7)).ok_or_else(early)?;
    if !matches!(min_lc, 1 | 2 | 4) || !matches!(pointer, 4 | 8) || bytes::slice(data, 4, 2) != Some(&[0, 0]) {
        return Err(ImageError::damaged("its pclntab has no valid header"));
    }
    if let Some((_, release)) = OTHER_MAGICS.iter().find(|(m, _)| *m == magic) {
        return Err(ImageError::not_supported(format!("the pclntab of {release}")));
    }
    if magic != MAGIC_120 {
        return Err(ImageError::damaged("its pclntab has no valid header"));
    }
    if pointer != 8 {
        return Err(ImageError::not_supported("the pclntab of a 32-bit program"));
    }
    let word = |index: u64| {
        let at = index.checked_mul(8).and_then(|o| o.checked_add(8));
        at.and_then(|at| bytes::u64(data, at)).ok_or_else(early)
    };
    // nfunc, nfiles, textStart, then the offsets of the five parts. textStart is not used: since Go 1.26 it is 0.
    let header = Header {
        min_lc,
        functions: word(0)?,
        names: word(3)?,
        units: word(4)?,
        files: word(5)?,
        pc_values: word(6)?,
        functab: word(7)?,
    };
    let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
    let order = [HEADER_SIZE, header.names, header.units, header.files, header.pc_values, header.functab, len];
    let room = len.saturating_sub(header.functab) / 8;
    if !order.is_sorted() || header.functions >= room {
        return Err(ImageError::damaged("the parts of its pclntab overlap or lie outside of it"));
    }
    Ok(header)
}
