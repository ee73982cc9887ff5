//! Files that end before what their headers name.

use crate::{Section, Segment};
use std::fmt;

/// A file that ends before what its headers name: a copy that was not finished, a disk that was full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Its length in bytes.
    pub len: u64,
    /// The least length that holds everything its headers name.
    pub promised: u64,
    /// Some of what is mapped when it runs is lost; else only what debuggers read.
    pub loaded: bool,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cut { len, promised, .. } = self;
        write!(f, "the file is cut off: {len} of the {promised} bytes that its headers name are there")
    }
}

impl Cut {
    /// By sections, segments and the end of the table of sections. A debug file keeps the segments of the executable that it is
    /// of, and has none of their bytes.
    pub(crate) fn of(len: u64, table_end: u64, sections: &[Section], segments: &[Segment]) -> Option<Cut> {
        let end = |at: u64, size: u64| at.saturating_add(size);
        let of_sections =
            sections.iter().filter(|s| !s.no_bits).map(|s| (end(s.file_offset, s.size), s.address.0 != 0));
        let debug_file = sections.iter().any(|s| s.name == ".text" && s.no_bits);
        let of_segments = segments.iter().filter(|s| s.file_size > 0 && !debug_file);
        let of_segments = of_segments.map(|s| (end(s.file_offset, s.file_size), true));
        let ends = of_sections.chain(of_segments).chain([(table_end, false)]).filter(|(end, _)| *end > len);
        ends.reduce(|(most, any), (end, loaded)| (most.max(end), any || loaded)).map(|(promised, loaded)| Cut {
            len,
            promised,
            loaded,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Cut;
    use crate::testkit::Elf;
    use crate::{Image, ImageError, Section, Segment};
    use gopsy_mem::LinkAddr;
    use std::sync::Arc;

    /// The file's length, and what is said of the file when only so many of its bytes are there.
    fn cut(file: &Elf, keep: impl Fn(usize) -> usize) -> (u64, Option<(u64, u64, bool)>) {
        let mut bytes = file.bytes();
        let len = bytes.len();
        bytes.truncate(keep(len));
        let cut = Image::parse(Arc::new(bytes)).unwrap().cut().map(|cut| (cut.len, cut.promised, cut.loaded));
        (len as u64, cut)
    }

    #[test]
    fn what_is_mapped_and_what_only_debuggers_read() {
        let file = Elf::new().segment(0x40_0000, "r", &[1; 100]).segment(0x41_0000, "rw", &[2; 50]);
        let file = file.section(".debug_info", 0, &[3; 64]);
        let (len, whole) = cut(&file, |len| len);
        assert_eq!(whole, None);
        // The table of sections stands at the end.
        assert_eq!(cut(&file, |len| len - 1).1, Some((len - 1, len, false)));
        let segments = 64 + 2 * 56 + 150;
        let keep = |keep: u64| cut(&file, |_| keep as usize).1;
        assert_eq!(keep(segments), Some((segments, len, false)));
        assert_eq!(keep(segments - 1), Some((segments - 1, len, true)));
    }

    #[test]
    fn what_is_there_of_a_segment_is_read() {
        let mut bytes = Elf::new().segment(0x40_0000, "r", &[7; 100]).bytes();
        bytes.truncate(64 + 56 + 30);
        let image = Image::parse(Arc::new(bytes)).unwrap();
        assert_eq!(image.read(LinkAddr(0x40_0000), 30), Some(&[7; 30][..]));
        assert_eq!(image.read(LinkAddr(0x40_0000), 31), None);
        assert_eq!(image.read(LinkAddr(0x40_0000 + 30), 1), None);
        // Nobody removed anything.
        assert!(matches!(image.module(), Err(ImageError::Cut(_))));
    }

    #[test]
    fn sections_that_lie_behind_the_end() {
        // Their table may stand anywhere, as before them.
        let section = |name: &str, address, file_offset, no_bits| Section {
            name: name.to_owned(),
            address: LinkAddr(address),
            file_offset,
            size: 100,
            compressed: false,
            no_bits,
        };
        let said = |sections: &[Section], segments: &[Segment]| {
            Cut::of(1000, 500, sections, segments).map(|cut| (cut.promised, cut.loaded))
        };
        assert_eq!(said(&[section(".debug_info", 0, 950, false)], &[]), Some((1050, false)));
        assert_eq!(said(&[section(".data", 0x1000, 950, false)], &[]), Some((1050, true)));
        assert_eq!(said(&[section(".bss", 0x1000, 950, true)], &[]), None);
        assert_eq!(said(&[section(".data", 0x1000, u64::MAX, false)], &[]), Some((u64::MAX, true)));
        // A debug file has its executable's segments, and not their bytes.
        let segment = Segment {
            address: LinkAddr(0x1000),
            memory_size: 100,
            file_offset: 2000,
            file_size: 100,
            writable: false,
            executable: true,
        };
        assert_eq!(said(&[section(".text", 0x1000, 950, true)], &[segment]), None);
        assert_eq!(said(&[section(".text", 0x1000, 50, false)], &[segment]), Some((2100, true)));
    }
}
