//! `runtime.moduledata`: where the linker tells the runtime where everything is (`runtime/symtab.go`).
//!
//! Only what the reading of pclntab and of types needs. The layout comes from DWARF where there is DWARF, else from a
//! table by release; either way the result must point back to the pclntab that was found, or it is no moduledata.

use crate::bytes;
use crate::{Image, ImageError};
use gopsy_mem::LinkAddr;

/// Offset of `moduledata.text` in all releases from 1.16 to 1.27.
const TEXT: u64 = 176;

/// The first module of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleData {
    /// Where it stands.
    pub address: LinkAddr,
    /// The first address of Go code: what entry offsets in pclntab count from. Not the address of `.text`: with cgo,
    /// C start-up code comes first.
    pub text: LinkAddr,
    /// The end of the Go code.
    pub etext: LinkAddr,
    /// What funcdata offsets count from (`go:func.*`).
    pub gofunc: LinkAddr,
    /// What type and name offsets count from.
    pub types: LinkAddr,
    /// The end of the types.
    pub etypes: LinkAddr,
}

/// Offsets of the fields that moved between releases.
struct Layout {
    gofunc: u64,
    types: u64,
    etypes: u64,
}

pub(crate) fn find(image: &Image) -> Result<ModuleData, ImageError> {
    let place = image.pclntab_place()?;
    let address = locate(image, &place).ok_or_else(|| {
        ImageError::not_supported(if image.relocatable() {
            "finding moduledata in a position-independent file (its pointers are written when it is loaded)"
        } else {
            "this file's moduledata: no pointer to its pclntab was found"
        })
    })?;
    let layout = layout(image)?;
    let word = |offset: u64| {
        let at = address
            .checked_add(offset)
            .ok_or_else(|| ImageError::damaged("its moduledata stands at an impossible address"))?;
        let word = image.read(at, 8).and_then(|b| bytes::u64(b, 0));
        word.map(LinkAddr).ok_or_else(|| ImageError::damaged("its moduledata ends early"))
    };
    let module = ModuleData {
        address,
        text: word(TEXT)?,
        etext: word(TEXT.saturating_add(8))?,
        gofunc: word(layout.gofunc)?,
        types: word(layout.types)?,
        etypes: word(layout.etypes)?,
    };
    if !image.is_executable(module.text) || module.etext <= module.text || image.bytes_from(module.types).is_none() {
        return Err(ImageError::damaged("its moduledata does not describe this file"));
    }
    Ok(module)
}

/// By section (Go 1.26+), by symbol, else by looking for its first two words: pointers to pclntab's header and to the
/// function names behind it.
fn locate(image: &Image, place: &crate::pclntab::Place) -> Option<LinkAddr> {
    let holds = |at: LinkAddr| {
        let words = image.read(at, 16)?;
        let names = place.address.checked_add(place.names_offset)?;
        (bytes::u64(words, 0)? == place.address.0 && bytes::u64(words, 8)? == names.0).then_some(at)
    };
    let stated = image.section(".go.module").map(|s| s.address).and_then(holds);
    stated.or_else(|| image.symbol("runtime.firstmoduledata").and_then(holds)).or_else(|| scan(image, place, &holds))
}

fn scan(
    image: &Image,
    place: &crate::pclntab::Place,
    holds: &dyn Fn(LinkAddr) -> Option<LinkAddr>,
) -> Option<LinkAddr> {
    let needle = place.address.0.to_le_bytes();
    image.segments().iter().filter(|s| s.writable).find_map(|segment| {
        let data = bytes::slice(image.file(), segment.file_offset, segment.file_size)?;
        memchr::memmem::find_iter(data, &needle).find_map(|at| {
            let at = segment.address.checked_add(u64::try_from(at).ok()?)?;
            if at.0.is_multiple_of(8) { holds(at) } else { None }
        })
    })
}

fn layout(image: &Image) -> Result<Layout, ImageError> {
    if let Ok(debug) = image.debug_info()
        && let Ok(found) = debug.of_runtime(&["runtime.moduledata"], &[])
        && let Some(layout) = found.structs.get("runtime.moduledata")
        && let (Some(gofunc), Some(types), Some(etypes)) =
            (layout.field("gofunc"), layout.field("types"), layout.field("etypes"))
    {
        return Ok(Layout { gofunc: gofunc.offset, types: types.offset, etypes: etypes.offset });
    }
    let version = image.build_info().map(|b| b.version).unwrap_or_default();
    match minor(&version) {
        Some(20..=26) => Ok(Layout { gofunc: 320, types: 296, etypes: 304 }),
        // Since Go 1.27 the types are walked, not listed: typedesclen, itaboffset and itabsize came in between.
        Some(27) => Ok(Layout { gofunc: 344, types: 296, etypes: 312 }),
        _ => Err(ImageError::not_supported(format!(
            "the moduledata of Go release {version:?} without debug information"
        ))),
    }
}

/// The minor number of a release: 27 of `go1.27.3`.
fn minor(version: &str) -> Option<u32> {
    let rest = version.strip_prefix("go1.")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minors() {
        assert_eq!(minor("go1.27.3"), Some(27));
        assert_eq!(minor("go1.21rc2"), Some(21));
        assert_eq!(minor("go1.20 X:boringcrypto"), Some(20));
        assert_eq!(minor("devel +abc"), None);
    }
}
