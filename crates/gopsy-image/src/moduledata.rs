//! `runtime.moduledata`: where the linker tells the runtime where everything is (`runtime/symtab.go`).
//!
//! Only what the reading of pclntab and of types needs. Where its members stand differs between releases; which of the
//! known layouts a module has is proved on its own words (a text section map that begins at `text`, a `next` that is null or
//! another module, …), never taken from a version number.

use crate::stated::Stated;
use crate::{ImageError, bytes, pclntab};
use gopsy_mem::LinkAddr;
use std::ops::RangeInclusive;

/// The part of the struct that is read at once; the largest has 592 bytes.
const SIZE: u64 = 600;
/// Sections of text that a module has at most. Only very large programs for some architectures have more than one.
const MAX_TEXT_SECTIONS: u64 = 4096;

/// Since Go 1.21 the text section ends so many bytes behind etext: the length of the machine's shortest instruction
/// (`MinLC` in `cmd/internal/sys/arch.go`, `textaddress` in `cmd/link/internal/ld/data.go`): 1 for amd64, 4 for arm64.
const MAX_BEHIND: u64 = 4;

/// Offsets that are the same in all releases from 1.16 to 1.27.
const PC_HEADER: u64 = 0;
const NAMES: u64 = 8;
const UNITS: u64 = 32;
const FILES: u64 = 56;
const PC_VALUES: u64 = 80;
const FUNCTIONS: u64 = 104;
const FTAB: u64 = 128;
const MINPC: u64 = 160;
const MAXPC: u64 = 168;
const TEXT: u64 = 176;
const ETEXT: u64 = 184;

/// Offsets that moved.
#[derive(Debug, PartialEq, Eq)]
struct Layout {
    /// The releases that have it.
    releases: &'static str,
    minors: RangeInclusive<u32>,
    types: u64,
    etypes: u64,
    /// What funcdata offsets count from; before Go 1.18 they are addresses.
    gofunc: Option<u64>,
    text_sections: u64,
    lists: Lists,
    module_name: u64,
    has_main: u64,
    next: u64,
}

/// Where the types and itabs are listed.
#[derive(Debug, PartialEq, Eq)]
enum Lists {
    /// `typelinks` and `itablinks`, which are slices.
    Slices(u64, u64),
    /// `typedesclen`; `itaboffset`, with `itabsize` behind it.
    Extents(u64, u64),
}

static LAYOUTS: [Layout; 7] = [
    Layout {
        releases: "1.16–1.17",
        minors: 16..=17,
        types: 280,
        etypes: 288,
        gofunc: None,
        text_sections: 296,
        lists: Lists::Slices(320, 344),
        module_name: 432,
        has_main: 472,
        next: 528,
    },
    Layout {
        releases: "1.18–1.19",
        minors: 18..=19,
        types: 280,
        etypes: 288,
        gofunc: Some(304),
        text_sections: 312,
        lists: Lists::Slices(336, 360),
        module_name: 448,
        has_main: 488,
        next: 544,
    },
    Layout {
        releases: "1.20",
        minors: 20..=20,
        types: 296,
        etypes: 304,
        gofunc: Some(320),
        text_sections: 328,
        lists: Lists::Slices(352, 376),
        module_name: 464,
        has_main: 504,
        next: 560,
    },
    Layout {
        releases: "1.21–1.22",
        minors: 21..=22,
        types: 296,
        etypes: 304,
        gofunc: Some(320),
        text_sections: 328,
        lists: Lists::Slices(352, 376),
        module_name: 488,
        has_main: 528,
        next: 584,
    },
    Layout {
        releases: "1.23–1.25",
        minors: 23..=25,
        types: 296,
        etypes: 304,
        gofunc: Some(320),
        text_sections: 328,
        lists: Lists::Slices(352, 376),
        module_name: 488,
        has_main: 528,
        next: 576,
    },
    Layout {
        releases: "1.26",
        minors: 26..=26,
        types: 296,
        etypes: 304,
        gofunc: Some(320),
        text_sections: 336,
        lists: Lists::Slices(360, 384),
        module_name: 496,
        has_main: 536,
        next: 584,
    },
    // The types are walked, no longer listed: typedesclen, itaboffset and itabsize came in between.
    Layout {
        releases: "1.27",
        minors: 27..=27,
        types: 296,
        etypes: 312,
        gofunc: Some(344),
        text_sections: 360,
        lists: Lists::Extents(304, 320),
        module_name: 472,
        has_main: 512,
        next: 560,
    },
];

/// A slice of bytes that moduledata names: where, and how many.
pub(crate) type Slice = (LinkAddr, u64);

/// How the types and itabs of a module are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypeLists {
    /// Up to Go 1.26: offsets of types, of 4 bytes; addresses of itabs.
    Slices {
        /// Entries.
        types: Slice,
        /// Entries.
        itabs: Slice,
    },
    /// Since Go 1.27: they stand one behind the other.
    Extents {
        /// Bytes, from the first type on.
        types: Slice,
        /// Bytes.
        itabs: Slice,
    },
}

/// A section of the program's text (`runtime.textsect`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextSection {
    /// What offsets of functions in it count from.
    pub offset: u64,
    /// The first such offset behind it.
    pub end: u64,
    /// Where it stands.
    pub base: LinkAddr,
}

/// What one module says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleData {
    /// Where it stands.
    pub address: LinkAddr,
    /// The releases whose layout it has; several where what differs between them does not show.
    pub releases: Vec<&'static str>,
    /// The header of its pclntab.
    pub pc_header: LinkAddr,
    /// The first address of Go code: what entry offsets in pclntab count from. Not the address of `.text`: with cgo,
    /// C start-up code comes first.
    pub text: LinkAddr,
    /// The end of the Go code.
    pub etext: LinkAddr,
    /// What funcdata offsets count from (`go:func.*`); none before Go 1.18, where funcdata are addresses.
    pub gofunc: Option<LinkAddr>,
    /// What type and name offsets count from.
    pub types: LinkAddr,
    /// The end of the types.
    pub etypes: LinkAddr,
    /// How its types and itabs are listed, as far as its words can be right.
    pub(crate) type_lists: Option<TypeLists>,
    /// Its text sections; one, but in very large programs. Empty for a plugin: it has one.
    pub text_sections: Vec<TextSection>,
    /// The next module (plugins, shared libraries, generated code); null for none.
    pub next: LinkAddr,
    /// Whether the linker made it. Else the program did while it ran, as loaders of generated code do
    /// (`github.com/bytedance/sonic/loader`): its tables lie anywhere.
    pub linked: bool,
    /// The parts of pclntab: names, units, files, pc-values, functions.
    pub(crate) parts: [Slice; 5],
    /// Its function table, and how many entries that has, the end mark included. The linker puts it in front of the functions.
    pub(crate) ftab: Slice,
    layout: &'static Layout,
}

impl ModuleData {
    /// Reads the moduledata at that address.
    ///
    /// # Errors
    /// When what stands there contradicts itself, or has a layout that is not known.
    pub fn read(stated: &dyn Stated, address: LinkAddr) -> Result<ModuleData, ImageError> {
        ModuleData::read_of(stated, address, None)
    }

    /// As [`ModuleData::read`], of Go 1.`minor`: where several layouts fit and say different things (where the next module is,
    /// in 1.21 to 1.25), the release tells which it is.
    ///
    /// # Errors
    /// As [`ModuleData::read`].
    pub fn read_of(stated: &dyn Stated, address: LinkAddr, minor: Option<u32>) -> Result<ModuleData, ImageError> {
        let words = Words::read(stated, address)?;
        let fitting = |lost| -> Vec<&'static Layout> {
            LAYOUTS.iter().filter(|layout| words.fit(stated, layout, lost)).collect()
        };
        let mut fits = fitting(false);
        if fits.is_empty() {
            // The next may be one of a file that is not here.
            fits = fitting(true);
        }
        // The linker writes 1 into an executable's first module, 0 into all others.
        let main = |l: &&Layout| bytes::u8(&words.bytes, l.has_main) == Some(1);
        if fits.iter().any(main) {
            fits.retain(main);
        }
        let next = |l: &Layout| words.word(l.next);
        let of_release = |l: &&Layout| minor.is_some_and(|minor| l.minors.contains(&minor));
        if fits.iter().any(|l| next(l) != fits.first().and_then(|l| next(l))) && fits.iter().any(of_release) {
            fits.retain(of_release);
        }
        let layout = *fits.first().ok_or_else(|| {
            ImageError::not_supported("its moduledata: none of the layouts of Go 1.16 to 1.27 fits what stands there")
        })?;
        let parts = words.parts().ok_or_else(|| ImageError::damaged("the parts of its pclntab overlap"))?;
        let module = words.module(address, layout, parts).ok_or_else(ends_early)?;
        let releases = fits.iter().map(|l| l.releases).collect();
        let module = ModuleData { releases, text_sections: words.own_text_sections(stated, layout), ..module };
        // Where several layouts fit, they may differ only in what was not needed to tell them apart.
        let same = |l: &&&Layout| words.address(l.next) == Some(module.next);
        if fits.iter().filter(same).count() < fits.len() {
            return Err(ImageError::damaged("its moduledata has several readings"));
        }
        Ok(module)
    }

    /// Reads a module that the list of `first` leads to. All modules of a process have the runtime's own layout, so that one
    /// that the program made itself while it ran is told, too, though it says little of what the linker says.
    ///
    /// # Errors
    /// As [`ModuleData::read`].
    pub fn read_behind(
        stated: &dyn Stated,
        address: LinkAddr,
        first: &ModuleData,
        minor: Option<u32>,
    ) -> Result<ModuleData, ImageError> {
        ModuleData::read_of(stated, address, minor).or_else(|refused| {
            let words = Words::read(stated, address)?;
            words.generated(stated, address, first).ok_or(refused)
        })
    }

    /// Where its tables and its code begin and end, as its own words have it: the offset of each word, and the address that it has.
    /// Nobody writes to them while the program runs, and two builds that differ in more than some bytes differ in most of them.
    pub fn extents(&self) -> impl Iterator<Item = (u64, LinkAddr)> {
        let tables = [NAMES, UNITS, FILES, PC_VALUES, FUNCTIONS].into_iter().zip(self.parts.map(|(at, _)| at));
        let code = [(PC_HEADER, self.pc_header), (FTAB, self.ftab.0), (TEXT, self.text), (ETEXT, self.etext)];
        tables.chain(code)
    }

    /// Whether no module follows this one, by its words alone: what they lead to may be missing. `at` is where it stands in `stated`.
    pub fn is_last_in(&self, stated: &dyn Stated, at: LinkAddr) -> bool {
        let fits = LAYOUTS.iter().filter(|layout| self.releases.contains(&layout.releases));
        let next = |layout: &Layout| at.checked_add(layout.next).and_then(|at| stated.word(at));
        fits.map(next).all(|next| next == Some(0))
    }

    /// How many bytes its tables have at most.
    #[must_use]
    pub fn table_size(&self) -> u64 {
        let entries = self.ftab.1.saturating_mul(16);
        self.parts.iter().map(|(_, len)| *len).fold(if self.linked { 0 } else { entries }, u64::saturating_add)
    }

    /// The address of the code at an offset of the function table. The end mark of the table stands at the end of the last
    /// section.
    pub(crate) fn code_at(&self, offset: u64) -> Option<LinkAddr> {
        match self.text_sections.as_slice() {
            [] | [_] => self.text.checked_add(offset),
            sections => {
                let section = sections.iter().rev().find(|s| s.offset <= offset && offset <= s.end)?;
                section.base.checked_add(offset.checked_sub(section.offset)?)
            }
        }
    }

    /// The offset of the function table for an address of code.
    pub(crate) fn offset_of(&self, code: LinkAddr) -> Option<u64> {
        match self.text_sections.as_slice() {
            [] | [_] => code.offset_from(self.text),
            sections => sections.iter().rev().find_map(|s| {
                let offset = s.offset.checked_add(code.offset_from(s.base)?)?;
                (offset < s.end).then_some(offset)
            }),
        }
    }
}

fn ends_early() -> ImageError {
    ImageError::damaged("its moduledata ends early")
}

struct Words {
    bytes: Vec<u8>,
}

impl Words {
    fn read(stated: &dyn Stated, address: LinkAddr) -> Result<Words, ImageError> {
        let mut buf = vec![0; usize::try_from(SIZE).unwrap_or(0)];
        // The struct may be the last of its segment; the shortest has 528 bytes and a word.
        while !stated.fill(address, &mut buf) {
            buf.truncate(buf.len().saturating_sub(8));
            if buf.len() < 536 {
                return Err(ends_early());
            }
        }
        Ok(Words { bytes: buf })
    }

    fn word(&self, offset: u64) -> Option<u64> {
        bytes::u64(&self.bytes, offset)
    }

    fn address(&self, offset: u64) -> Option<LinkAddr> {
        self.word(offset).map(LinkAddr)
    }

    /// A slice header: where, length, capacity.
    fn list(&self, offset: u64) -> Option<(LinkAddr, u64, u64)> {
        Some((self.address(offset)?, self.word(offset.checked_add(8)?)?, self.word(offset.checked_add(16)?)?))
    }

    /// One whose capacity is its length: nobody appends to what the linker made.
    fn slice(&self, offset: u64) -> Option<Slice> {
        self.list(offset).filter(|(_, len, cap)| len == cap).map(|(at, len, _)| (at, len))
    }

    /// The parts of pclntab and its function table, if they stand behind its header in their order.
    ///
    /// Each reaches to the next: up to Go 1.25 the length of the second, a list of words, counts bytes, later words.
    fn parts(&self) -> Option<([Slice; 5], Slice)> {
        let mut slices =
            [NAMES, UNITS, FILES, PC_VALUES, FUNCTIONS].map(|offset| self.slice(offset).unwrap_or_default());
        let mut before = self.address(PC_HEADER).filter(|h| h.0 != 0)?;
        for (at, _) in slices {
            if at <= before {
                return None;
            }
            before = at;
        }
        // The function table is the beginning of the last part, and has an end mark.
        let (functions, _) = *slices.last()?;
        let (table, entries) = self.slice(FTAB)?;
        let starts: Vec<LinkAddr> = slices.iter().skip(1).map(|(at, _)| *at).collect();
        for ((at, len), next) in slices.iter_mut().zip(starts) {
            let room = next.offset_from(*at)?;
            if *len > room {
                return None;
            }
            *len = room;
        }
        (table == functions && entries > 0).then_some((slices, (table, entries)))
    }

    /// What they say in that layout, of a module with those parts that the linker made.
    fn module(
        &self,
        address: LinkAddr,
        layout: &'static Layout,
        (parts, ftab): ([Slice; 5], Slice),
    ) -> Option<ModuleData> {
        Some(ModuleData {
            address,
            releases: vec![layout.releases],
            pc_header: self.address(PC_HEADER)?,
            text: self.address(TEXT)?,
            etext: self.address(ETEXT)?,
            gofunc: match layout.gofunc {
                Some(gofunc) => Some(self.address(gofunc)?),
                None => None,
            },
            types: self.address(layout.types)?,
            etypes: self.address(layout.etypes)?,
            type_lists: self.type_lists(layout),
            text_sections: Vec::new(),
            next: self.address(layout.next)?,
            linked: true,
            parts,
            ftab,
            layout,
        })
    }

    fn type_lists(&self, layout: &Layout) -> Option<TypeLists> {
        Some(match layout.lists {
            Lists::Slices(types, itabs) => TypeLists::Slices { types: self.slice(types)?, itabs: self.slice(itabs)? },
            Lists::Extents(types, itabs) => {
                let section = self.address(layout.types)?;
                let first = section.checked_add(self.word(itabs)?)?;
                TypeLists::Extents {
                    types: (section, self.word(types)?),
                    itabs: (first, self.word(itabs.checked_add(8)?)?),
                }
            }
        })
    }

    /// A module that the program made while it ran. That it is a module is told by what the runtime asks of all that the
    /// linker made (`moduledataverify1` in `runtime/symtab.go`, Go 1.16 to 1.27): the header is one of this release, and the
    /// function table begins at `minpc` and ends at `maxpc`. That no linker made it is told by what it lacks: types, and a map of
    /// its text.
    fn generated(&self, stated: &dyn Stated, address: LinkAddr, first: &ModuleData) -> Option<ModuleData> {
        let header = stated.word(first.pc_header)?;
        let is_header = |at: LinkAddr| stated.word(at) == Some(header);
        // They are lists that the program has appended to. The units are words.
        let list = |offset: u64, size: u64| {
            let (at, len, cap) = self.list(offset)?;
            (len <= cap).then_some((at, len.checked_mul(size)?))
        };
        let parts = [list(NAMES, 1)?, list(UNITS, 4)?, list(FILES, 1)?, list(PC_VALUES, 1)?, list(FUNCTIONS, 1)?];
        let ftab = list(FTAB, 1)?;
        let module = ModuleData { linked: false, ..self.module(address, first.layout, (parts, ftab))? };
        let (min, max) = (self.address(MINPC)?, self.address(MAXPC)?);
        let format = pclntab::format_of(header)?;
        let (start, end) =
            (format.start_of(stated, &module, 0)?, format.start_of(stated, &module, ftab.1.checked_sub(1)?)?);
        let bounded = module.text <= min && min < max && max <= module.etext && start == min && end == max;
        let follows = || {
            let next = module.next;
            next.0 == 0 || stated.word(next).is_some_and(|header| is_header(LinkAddr(header)))
        };
        let (_, sections) = list(first.layout.text_sections, 1)?;
        let is_bare = module.types == module.etypes && sections == 0;
        (is_bare && is_header(module.pc_header) && bounded && follows()).then_some(module)
    }

    fn text_sections(&self, stated: &dyn Stated, layout: &Layout) -> Option<Vec<TextSection>> {
        let (at, len) = self.slice(layout.text_sections)?;
        if len == 0 || len > MAX_TEXT_SECTIONS {
            return None;
        }
        let mut sections = Vec::new();
        for index in 0..len {
            let at = at.checked_add(index.checked_mul(24)?)?;
            let word = |n: u64| stated.word(at.checked_add(n)?);
            sections.push(TextSection { offset: word(0)?, end: word(8)?, base: LinkAddr(word(16)?) });
        }
        Some(sections)
    }

    /// The module's own sections of text; none for a plugin, whose map is another's.
    fn own_text_sections(&self, stated: &dyn Stated, layout: &Layout) -> Vec<TextSection> {
        let sections = self.text_sections(stated, layout).unwrap_or_default();
        let own = sections.first().is_some_and(|first| self.address(TEXT) == Some(first.base));
        if own { sections } else { Vec::new() }
    }

    /// Whether the words have this layout; where the header of the next module's pclntab may be `lost`, it is not asked for.
    fn fit(&self, stated: &dyn Stated, layout: &Layout, lost: bool) -> bool {
        let fits = || -> Option<bool> {
            let (text, etext) = (self.address(TEXT)?, self.address(ETEXT)?);
            let (types, etypes) = (self.address(layout.types)?, self.address(layout.etypes)?);
            let (next, has_main) = (self.address(layout.next)?, bytes::u8(&self.bytes, layout.has_main)?);
            let (name, name_len) = (self.address(layout.module_name)?, self.word(layout.module_name.checked_add(8)?)?);
            let named = name_len == 0 || (name_len < 4096 && stated.word(name).is_some());
            let follows = next.0 == 0
                || stated.word(next).is_some_and(|header| match stated.word(LinkAddr(header)) {
                    Some(word) => pclntab::is_magic(word),
                    None => lost && header != 0,
                });
            let size = etext.offset_from(text)?.checked_add(MAX_BEHIND)?;
            let covers = match self.text_sections(stated, layout).as_deref() {
                Some([first, ..]) if first.base == text => first.offset < first.end && first.end <= size,
                // The symbol of a plugin's map is the executable's (`runtime.textsectionmap`): nothing tells where its own stands,
                // and the runtime does not ask one that has a single section.
                _ => has_main == 0 && self.slice(layout.text_sections).is_some_and(|(_, len)| len == 1),
            };
            let gofunc = layout.gofunc.is_none_or(|g| self.word(g).is_some_and(|g| g != 0));
            Some(self.parts().is_some() && covers && types < etypes && gofunc && has_main <= 1 && named && follows)
        };
        fits().unwrap_or(false)
    }
}

/// Whether the two words at that address are those with which the moduledata of this pclntab begins.
pub(crate) fn begins_at(stated: &dyn Stated, at: LinkAddr, pc_header: LinkAddr, names: LinkAddr) -> bool {
    stated.word(at) == Some(pc_header.0) && at.checked_add(NAMES).and_then(|n| stated.word(n)) == Some(names.0)
}
