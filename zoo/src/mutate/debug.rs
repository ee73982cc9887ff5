//! Debug information laid open: of compressed bytes a changed one only shows that inflating fails.

use std::io::Read;

const SECTION_HEADER: usize = 64;
const SHF_COMPRESSED: u64 = 0x800;

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    super::places::word(bytes, at)
}

fn half(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?)))
}

/// The binary with its compressed sections inflated, behind all that it has. As it was where that cannot be done.
pub(super) fn laid_open(binary: Vec<u8>) -> Vec<u8> {
    let mut open = binary.clone();
    lay_open(&mut open).map_or(binary, |()| open)
}

fn lay_open(file: &mut Vec<u8>) -> Option<()> {
    let (headers, count, names) = (usize::try_from(word(file, 40)?).ok()?, half(file, 60)?, half(file, 62)?);
    let names = usize::try_from(word(file, headers + names * SECTION_HEADER + 24)?).ok()?;
    for header in (0..count).map(|index| headers + index * SECTION_HEADER) {
        let (flags, at, size) = (word(file, header + 8)?, word(file, header + 24)?, word(file, header + 32)?);
        let (at, size) = (usize::try_from(at).ok()?, usize::try_from(size).ok()?);
        let name = names + usize::try_from(word(file, header)? & 0xffff_ffff).ok()?;
        let old = file.get(name..)?.starts_with(b".zdebug_");
        // `Elf64_Chdr`, or up to Go 1.18 "ZLIB" with the length.
        let skip = if flags & SHF_COMPRESSED != 0 {
            24
        } else if old && file.get(at..)?.starts_with(b"ZLIB") {
            12
        } else {
            continue;
        };
        let mut inflated = Vec::new();
        flate2::read::ZlibDecoder::new(file.get(at + skip..at + size)?).read_to_end(&mut inflated).ok()?;
        if old {
            // ".zdebug_info" holds ".debug_info" once its z is a dot.
            file[name + 1] = b'.';
            let moved = u32::try_from(name + 1 - names).ok()?;
            file[header..header + 4].copy_from_slice(&moved.to_le_bytes());
        }
        let (begin, len) = (file.len() as u64, inflated.len() as u64);
        file.extend(inflated);
        for (field, value) in [(8, flags & !SHF_COMPRESSED), (24, begin), (32, len)] {
            file[header + field..header + field + 8].copy_from_slice(&value.to_le_bytes());
        }
    }
    Some(())
}
