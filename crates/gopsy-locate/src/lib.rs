//! What every source says of one place in a program's code, where they differ and why; and who writes a map.
//!
//! A [`Locator`] asks one image: pclntab with its inline trees, DWARF, the symbol table, and the code itself. What agrees
//! is said once, with all its witnesses ([`Told`]); what differs stays side by side. Page: `docs/locate.md`.
//!
//! Invariants: a name stands only where a source of this file has it; a map's type is only given where the value that the
//! code passes is proved to be the descriptor of a map; any bytes are survived.

#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]

mod asked;
mod body;
mod dictionary;
mod find;
mod listing;
mod maps;
mod maptype;
mod named;
mod origin;
mod place;
mod race;
mod told;
mod unseen;

pub use asked::AskedType;
pub use find::{CodeOfLine, Found, Line, MAX_FOUND, OnlyInlined};
pub use listing::{ListedInsn, Listing, Window};
pub use maps::{MapOperation, MapUse, MapUses, UsesOfType};
pub use maptype::{MapSlot, MapType};
pub use named::Named;
pub use place::{CallBefore, Frame, Function, InstructionAt, Place, SourceLine};
pub use race::{RaceCall, RaceHook};
pub use told::{Note, Statement, Told, Witness};
pub use unseen::Unseen;

use gopsy_image::{CodeInfo, Func, Image, ImageError, Machine, Pclntab};
use gopsy_insn::Decoder;
use gopsy_mem::{Addr, Bias, LinkAddr, Memory};

/// Asks everything that one image has.
pub struct Locator<'a> {
    image: &'a Image,
    table: Result<Pclntab<'a>, ImageError>,
    bias: Bias,
    memory: Option<&'a dyn Memory>,
    /// The image is code that a program generated: there is no file that could have more.
    generated: bool,
}

/// A function longer than this is not decoded: the longest of real programs (generated tables) have some megabytes.
const MAX_FUNCTION: u64 = 16 << 20;

impl<'a> Locator<'a> {
    /// Of a file.
    #[must_use]
    pub fn new(image: &'a Image) -> Self {
        Locator { image, table: image.pclntab(), bias: Bias::ZERO, memory: None, generated: false }
    }

    /// Of a file as it was loaded into a process: instructions are written with the addresses of the process, and its memory
    /// is compared with the file where both have the code.
    #[must_use]
    pub fn loaded(image: &'a Image, bias: Bias, memory: &'a dyn Memory) -> Self {
        Locator { bias, memory: Some(memory), ..Locator::new(image) }
    }

    /// Of code that a program generated, with the table that it told the runtime of.
    #[must_use]
    pub fn generated(code: &'a Image, table: Pclntab<'a>, memory: &'a dyn Memory) -> Self {
        Locator { table: Ok(table), generated: true, ..Locator::loaded(code, Bias::ZERO, memory) }
    }

    /// The file that is asked.
    #[must_use]
    pub fn image(&self) -> &'a Image {
        self.image
    }

    /// What is added to a stated address to have the one that is written.
    #[must_use]
    pub fn bias(&self) -> Bias {
        self.bias
    }

    /// The functions of Go.
    ///
    /// # Errors
    /// Why there are none.
    pub fn table(&self) -> Result<&Pclntab<'a>, &ImageError> {
        self.table.as_ref()
    }

    /// Whether the instructions of this file can be decoded.
    #[must_use]
    pub fn decodes(&self) -> bool {
        self.image.machine() == Machine::X86_64
    }

    /// What DWARF says. It is inflated when it is first asked: who writes a map, for one, does not need it.
    fn code_info(&self) -> Result<&'a CodeInfo, ImageError> {
        self.image.code_info()
    }

    fn func(&self, pc: LinkAddr) -> Option<Func<'a>> {
        self.table.as_ref().ok()?.find(pc)
    }

    /// The code of a stretch, as the file has it.
    fn bytes(&self, start: LinkAddr, end: LinkAddr) -> Option<&'a [u8]> {
        let len = end.offset_from(start).filter(|len| *len <= MAX_FUNCTION && self.decodes())?;
        // A function's padding may lie behind the end of its section.
        let held = self.image.bytes_from(start).map_or(0, <[u8]>::len);
        self.image.read(start, len.min(u64::try_from(held).ok()?))
    }

    /// The code of a stretch as the process had it, where that is another than the file's.
    fn patched(&self, start: LinkAddr, of_file: &[u8]) -> Option<Vec<u8>> {
        let mut of_memory = vec![0; of_file.len()];
        self.memory?.read(self.bias.load(start), &mut of_memory).ok()?;
        (of_memory != of_file).then_some(of_memory)
    }

    fn decode<'b>(&self, bytes: &'b [u8], start: LinkAddr) -> Decoder<'b, Addr> {
        Decoder::new(bytes, self.bias.load(start))
    }
}

impl std::fmt::Debug for Locator<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Locator").field("image", self.image).finish_non_exhaustive()
    }
}
