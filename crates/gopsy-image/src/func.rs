//! One function of pclntab: `runtime._func` and the tables that hang on it (`runtime/runtime2.go`, `runtime/symtab.go`,
//! `runtime/symtabinl.go`, of Go 1.16 to 1.27).

pub(crate) mod runs;

use crate::bytes;
use crate::pclntab::Format;
use crate::{ImageError, Pclntab};
use gopsy_mem::LinkAddr;

/// Where the members of `_func` stand; the first two are the entry and the name.
struct Layout {
    pcsp: u64,
    pcdata_count: u64,
    unit_offset: u64,
    func_id: u64,
    size: u64,
}

impl Layout {
    fn of(format: Format) -> &'static Layout {
        match format {
            Format::Go116 => &Layout { pcsp: 20, pcdata_count: 32, unit_offset: 36, func_id: 40, size: 44 },
            Format::Go118 => &Layout { pcsp: 16, pcdata_count: 28, unit_offset: 32, func_id: 36, size: 40 },
            Format::Go120 => &Layout { pcsp: 16, pcdata_count: 28, unit_offset: 32, func_id: 40, size: 44 },
        }
    }
}

/// `abi.PCDATA_InlTreeIndex`.
const PCDATA_INL_TREE_INDEX: u32 = 2;
/// `abi.FUNCDATA_InlTree`.
const FUNCDATA_INL_TREE: u8 = 3;
/// Deeper inlining than this is taken for a damaged table: the compiler's budget keeps real trees far below.
const MAX_INLINE_DEPTH: usize = 512;

/// `abi.FuncFlag`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FuncFlags(pub u8);

impl FuncFlags {
    /// The outermost function of its stack (`goexit`, `mstart`, `sigtramp`).
    #[must_use]
    pub fn top_frame(self) -> bool {
        self.0 & 1 != 0
    }

    /// It writes the stack pointer in ways that pcsp cannot express.
    #[must_use]
    pub fn sp_write(self) -> bool {
        self.0 & 2 != 0
    }

    /// Written in assembly.
    #[must_use]
    pub fn asm(self) -> bool {
        self.0 & 4 != 0
    }
}

/// A function as the source has it, at one pc: the function itself or one inlined into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFrame {
    /// Its name in the table.
    pub function: Option<String>,
    /// The file of the pc, or of the call for the frames around an inlined one.
    pub file: Option<String>,
    /// The line in that file.
    pub line: Option<i32>,
    /// Inlined into the next frame.
    pub inlined: bool,
}

/// A function in the code.
#[derive(Debug, Clone, Copy)]
pub struct Func<'a> {
    table: Pclntab<'a>,
    entry: LinkAddr,
    end: LinkAddr,
    name_offset: i32,
    argument_size: i32,
    pcsp: u32,
    pcfile: u32,
    pcln: u32,
    pcdata_count: u32,
    unit_offset: u32,
    flags: FuncFlags,
    funcdata_count: u8,
    /// Where the arrays behind `_func` begin, from the start of the table.
    arrays: u64,
}

impl<'a> Func<'a> {
    pub(crate) fn read(table: Pclntab<'a>, entry: LinkAddr, end: LinkAddr, record: u64) -> Option<Self> {
        let layout = Layout::of(table.format());
        let data = bytes::slice(table.functions(), record, layout.size)?;
        // The first member repeats the entry. A record that names another is not this function's.
        let (own, name) = match table.format() {
            Format::Go116 => (bytes::u64(data, 0)?, 8),
            Format::Go118 | Format::Go120 => (u64::from(bytes::u32(data, 0)?), 4),
        };
        if table.code(own)? != entry || end < entry {
            return None;
        }
        Some(Func {
            table,
            entry,
            end,
            name_offset: bytes::i32(data, name)?,
            argument_size: bytes::i32(data, name.checked_add(4)?)?,
            pcsp: bytes::u32(data, layout.pcsp)?,
            pcfile: bytes::u32(data, layout.pcsp.checked_add(4)?)?,
            pcln: bytes::u32(data, layout.pcsp.checked_add(8)?)?,
            pcdata_count: bytes::u32(data, layout.pcdata_count)?,
            unit_offset: bytes::u32(data, layout.unit_offset)?,
            // Go 1.16 has none: the byte is padding there, and 0.
            flags: FuncFlags(bytes::u8(data, layout.func_id.checked_add(1)?)?),
            funcdata_count: bytes::u8(data, layout.func_id.checked_add(3)?)?,
            arrays: record.checked_add(layout.size)?,
        })
    }

    /// Its first instruction.
    #[must_use]
    pub fn entry(&self) -> LinkAddr {
        self.entry
    }

    /// The first address behind it (padding included).
    #[must_use]
    pub fn end(&self) -> LinkAddr {
        self.end
    }

    /// How many bytes above its return address are its own: arguments and results on the stack, and room to spill those in
    /// registers (`_func.args`, which the compiler sets to `ArgWidth` of `cmd/compile/internal/abi`). Of some functions in
    /// assembly nobody knows (`abi.ArgsSizeUnknown`).
    #[must_use]
    pub fn argument_size(&self) -> Option<u64> {
        u64::try_from(self.argument_size).ok()
    }

    /// Its name as bytes of the file.
    #[must_use]
    pub fn raw_name(&self) -> Option<&'a [u8]> {
        self.name_at(self.name_offset)
    }

    /// Its name (`main.(*T).M`, `main.f.func1`, `slices.Sort[...]`).
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.raw_name().map(text)
    }

    /// What is special about it.
    #[must_use]
    pub fn flags(&self) -> FuncFlags {
        self.flags
    }

    /// Whether the table knows its stack pointer. Foreign code that is listed (race support) has none.
    #[must_use]
    pub fn has_pcsp(&self) -> bool {
        self.pcsp != 0
    }

    /// Whether the program generated it while it ran.
    #[must_use]
    pub fn is_generated(&self) -> bool {
        !self.table.module.data().linked
    }

    /// How far the stack pointer stands below its value at entry when execution is at `pc`, in bytes.
    #[must_use]
    pub fn sp_delta(&self, pc: LinkAddr) -> Option<u32> {
        self.pc_value(self.pcsp, pc).and_then(|v| u32::try_from(v).ok())
    }

    /// The line at `pc`.
    #[must_use]
    pub fn line(&self, pc: LinkAddr) -> Option<i32> {
        self.pc_value(self.pcln, pc).filter(|l| *l >= 0)
    }

    /// The file at `pc`.
    #[must_use]
    pub fn file(&self, pc: LinkAddr) -> Option<String> {
        self.file_of(u32::try_from(self.pc_value(self.pcfile, pc)?).ok()?)
    }

    /// A value of one of its pcdata tables at `pc`; `None` when it has no such table or the table is damaged.
    #[must_use]
    pub fn pcdata(&self, table: u32, pc: LinkAddr) -> Option<i32> {
        self.pc_value(self.pcdata_table(table)?, pc)
    }

    /// The address of one of its funcdata; `None` when it has none of that kind.
    #[must_use]
    pub fn funcdata(&self, table: u8) -> Option<LinkAddr> {
        if table >= self.funcdata_count {
            return None;
        }
        let arrays = self.arrays.checked_add(u64::from(self.pcdata_count).checked_mul(4)?)?;
        match self.table.module.data().gofunc {
            // Up to Go 1.17: addresses, aligned to 8 bytes from the start of the table.
            None => {
                let at = arrays.checked_next_multiple_of(8)?.checked_add(u64::from(table).checked_mul(8)?)?;
                bytes::u64(self.table.functions(), at).filter(|a| *a != 0).map(LinkAddr)
            }
            Some(base) => {
                let at = arrays.checked_add(u64::from(table).checked_mul(4)?)?;
                let offset = bytes::u32(self.table.functions(), at)?;
                if offset == u32::MAX { None } else { base.checked_add(u64::from(offset)) }
            }
        }
    }

    /// The functions of the source that are active at `pc`, innermost first; the last is this function.
    ///
    /// # Errors
    /// When the inline tree is damaged; the function itself is still known then.
    pub fn source_frames(&self, pc: LinkAddr) -> Result<Vec<SourceFrame>, ImageError> {
        let tree = self.funcdata(FUNCDATA_INL_TREE);
        let mut frames = Vec::new();
        let mut pc = pc;
        while frames.len() < MAX_INLINE_DEPTH {
            let index = tree.and_then(|_| self.pcdata(PCDATA_INL_TREE_INDEX, pc)).unwrap_or(-1);
            let inlined = tree.zip(u64::try_from(index).ok());
            let Some((tree, index)) = inlined else {
                frames.push(self.source_frame(self.name_offset, pc, false));
                return Ok(frames);
            };
            let (call, parent) = self.inlined_call(tree, index, pc).ok_or_else(|| {
                ImageError::damaged(format!("the inline tree of the function at {} leads outside of it", self.entry))
            })?;
            frames.push(call);
            pc = parent;
        }
        Err(ImageError::damaged(format!("the inline tree of the function at {} has no end", self.entry)))
    }

    /// This function without a line: what is left where the inline tree is damaged, because the lines there may be those of a
    /// function that was inlined.
    #[must_use]
    pub fn without_line(&self) -> SourceFrame {
        SourceFrame { function: self.name(), file: None, line: None, inlined: false }
    }

    /// One entry of the inline tree: the function that was inlined, and where in this function it was called.
    fn inlined_call(&self, tree: LinkAddr, index: u64, pc: LinkAddr) -> Option<(SourceFrame, LinkAddr)> {
        let mut record = [0; 20];
        let frame = match self.table.format() {
            // parent, funcID, file, line, func, parentPc.
            Format::Go116 | Format::Go118 => {
                self.table.stated.fill(tree.checked_add(index.checked_mul(20)?)?, &mut record).then_some(())?;
                self.source_frame(bytes::i32(&record, 12)?, pc, true)
            }
            // funcID, nameOff, parentPc, startLine.
            Format::Go120 => {
                let record = record.get_mut(..16)?;
                self.table.stated.fill(tree.checked_add(index.checked_mul(16)?)?, record).then_some(())?;
                self.source_frame(bytes::i32(record, 4)?, pc, true)
            }
        };
        let parent = match self.table.format() {
            Format::Go116 | Format::Go118 => bytes::i32(&record, 16)?,
            Format::Go120 => bytes::i32(&record, 8)?,
        };
        let parent = self.entry.checked_add(u64::try_from(parent).ok()?)?;
        (parent < self.end).then_some((frame, parent))
    }

    fn source_frame(&self, name: i32, pc: LinkAddr, inlined: bool) -> SourceFrame {
        let function = self.name_at(name).map(text);
        SourceFrame { function, file: self.file(pc), line: self.line(pc), inlined }
    }

    fn name_at(&self, offset: i32) -> Option<&'a [u8]> {
        bytes::c_string(self.table.names(), u64::try_from(offset).ok()?).filter(|n| !n.is_empty())
    }

    /// The value of a pc-value table at `pc`.
    fn pc_value(&self, table: u32, pc: LinkAddr) -> Option<i32> {
        let target = pc.offset_from(self.entry)?;
        self.steps(table).find(|(end, _)| *end > target).map(|(_, value)| value)
    }

    /// A pc-value table: to which offset from the entry, which value. It ends where it is damaged.
    fn steps(&self, table: u32) -> Steps<'a> {
        let data = if table == 0 { None } else { bytes::tail(self.table.pc_values(), u64::from(table)) };
        let size = self.end.offset_from(self.entry).unwrap_or(0);
        Steps { data: data.unwrap_or(&[]), size, quantum: self.table.min_lc(), value: -1, at: 0, first: true }
    }
}

/// Pairs of varints (difference of value, zig-zag; difference of pc, in units of minLC), from value −1 at the entry, ended by
/// a difference 0 that is not the first (`runtime.step`).
struct Steps<'a> {
    data: &'a [u8],
    size: u64,
    quantum: u8,
    value: i32,
    at: u64,
    first: bool,
}

impl Steps<'_> {
    fn varint(&mut self) -> Option<u32> {
        let (value, taken) = bytes::uvarint(self.data)?;
        self.data = self.data.get(taken..)?;
        u32::try_from(value).ok()
    }

    fn step(&mut self) -> Option<(u64, i32)> {
        let change = self.varint().filter(|change| *change != 0 || self.first)?;
        // A table that does not advance is damaged; it could keep us here for as long as the section is.
        let step = u64::from(self.varint()?).checked_mul(u64::from(self.quantum)).filter(|step| *step > 0)?;
        self.value = self.value.wrapping_add(zigzag(change));
        self.at = self.at.checked_add(step)?;
        self.first = false;
        Some((self.at.min(self.size), self.value))
    }
}

impl Iterator for Steps<'_> {
    type Item = (u64, i32);

    fn next(&mut self) -> Option<(u64, i32)> {
        if self.at >= self.size {
            return None;
        }
        let step = self.step();
        if step.is_none() {
            self.at = self.size;
        }
        step
    }
}

fn zigzag(n: u32) -> i32 {
    let half = (n >> 1).cast_signed();
    if n & 1 == 0 { half } else { !half }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
