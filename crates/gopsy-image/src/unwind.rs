//! The tables by which C code is unwound, as bytes: `.eh_frame` with its index, `.debug_frame`. What they say is for
//! others to read.

use crate::dwarf::section;
use crate::{Image, bytes};
use gopsy_mem::LinkAddr;
use std::borrow::Cow;

/// How `.eh_frame_hdr` states where `.eh_frame` is: four bytes, signed, relative to themselves
/// (`DW_EH_PE_pcrel | DW_EH_PE_sdata4`; Linux Standard Base, 10.6.1). Every linker writes it so.
const PCREL_SDATA4: u8 = 0x1b;
/// Its version.
const HDR_VERSION: u8 = 1;

/// A table and where it is mapped.
#[derive(Debug, Clone)]
pub struct UnwindSection<'a> {
    /// Where it stands; 0 for what is not mapped (`.debug_frame`).
    pub address: LinkAddr,
    /// Its bytes, inflated.
    pub bytes: Cow<'a, [u8]>,
}

impl Image {
    /// The index of `.eh_frame`: found by its segment (`PT_GNU_EH_FRAME`), so also in a file without sections.
    #[must_use]
    pub fn eh_frame_hdr(&self) -> Option<UnwindSection<'_>> {
        let (address, size) = self.eh_frame_index?;
        Some(UnwindSection { address, bytes: Cow::Borrowed(self.read(address, size)?) })
    }

    /// Call frame information as the C compiler writes it. Absent in what the Go linker has linked itself: it leaves the
    /// `.eh_frame` of C objects out (seen with `-race`, Go 1.21 and 1.27).
    #[must_use]
    pub fn eh_frame(&self) -> Option<UnwindSection<'_>> {
        if let Some(section) = self.section(".eh_frame") {
            let bytes = Cow::Borrowed(self.section_bytes(section)?);
            return Some(UnwindSection { address: section.address, bytes });
        }
        // Without sections it reaches to the end of its segment at most; a zero length ends it.
        let hdr = self.eh_frame_hdr()?;
        let encoded = (bytes::u8(&hdr.bytes, 0)?, bytes::u8(&hdr.bytes, 1)?) == (HDR_VERSION, PCREL_SDATA4);
        let relative = bytes::i32(&hdr.bytes, 4).filter(|_| encoded)?;
        let address = LinkAddr(hdr.address.0.checked_add(4)?.checked_add_signed(i64::from(relative))?);
        Some(UnwindSection { address, bytes: Cow::Borrowed(self.bytes_from(address)?) })
    }

    /// Call frame information for debuggers. Go's own says how large frames are and no more.
    #[must_use]
    pub fn debug_frame(&self) -> Option<UnwindSection<'_>> {
        let bytes = section(self, ".debug_frame").ok().filter(|b| !b.is_empty())?;
        Some(UnwindSection { address: LinkAddr(0), bytes: Cow::Owned(bytes) })
    }
}
