//! One function of pclntab: `runtime._func` and the tables that hang on it (`runtime/runtime2.go`, `runtime/symtab.go`,
//! `runtime/symtabinl.go`, Go 1.27; the same since 1.20).

use crate::bytes;
use crate::{ImageError, Pclntab};
use gopsy_mem::LinkAddr;

/// Size of `_func` without the arrays behind it.
const FUNC_SIZE: u64 = 44;
/// `abi.PCDATA_InlTreeIndex`.
const PCDATA_INL_TREE_INDEX: u32 = 2;
/// `abi.FUNCDATA_InlTree`.
const FUNCDATA_INL_TREE: u8 = 3;
/// Size of `runtime.inlinedCall`.
const INLINED_CALL_SIZE: u64 = 16;
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
    /// The line of the `func` keyword.
    pub start_line: i32,
    /// Which special function of the runtime it is; the numbers change between releases.
    pub func_id: u8,
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
    pcsp: u32,
    pcfile: u32,
    pcln: u32,
    pcdata_count: u32,
    unit_offset: u32,
    start_line: i32,
    func_id: u8,
    flags: FuncFlags,
    funcdata_count: u8,
    /// Where the arrays behind `_func` begin, from the start of functab.
    arrays: u64,
}

impl<'a> Func<'a> {
    pub(crate) fn read(table: Pclntab<'a>, entry: LinkAddr, end: LinkAddr, record: u64) -> Option<Self> {
        let data = bytes::slice(table.functab, record, FUNC_SIZE)?;
        // The first field repeats the entry. A record that names another is not this function's.
        if table.text.checked_add(u64::from(bytes::u32(data, 0)?))? != entry || end < entry {
            return None;
        }
        Some(Func {
            table,
            entry,
            end,
            name_offset: bytes::i32(data, 4)?,
            pcsp: bytes::u32(data, 16)?,
            pcfile: bytes::u32(data, 20)?,
            pcln: bytes::u32(data, 24)?,
            pcdata_count: bytes::u32(data, 28)?,
            unit_offset: bytes::u32(data, 32)?,
            start_line: bytes::i32(data, 36)?,
            func_id: bytes::u8(data, 40)?,
            flags: FuncFlags(bytes::u8(data, 41)?),
            funcdata_count: bytes::u8(data, 43)?,
            arrays: record.checked_add(FUNC_SIZE)?,
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

    /// Which special function of the runtime it is; the numbers change between releases.
    #[must_use]
    pub fn func_id(&self) -> u8 {
        self.func_id
    }

    /// Whether the table knows its stack pointer. Foreign code that is listed (race support) has none.
    #[must_use]
    pub fn has_pcsp(&self) -> bool {
        self.pcsp != 0
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
        let number = u64::try_from(self.pc_value(self.pcfile, pc)?).ok()?;
        let index = u64::from(self.unit_offset).checked_add(number)?.checked_mul(4)?;
        let offset = bytes::u32(self.table.units, index).filter(|o| *o != u32::MAX)?;
        bytes::c_string(self.table.files, u64::from(offset)).map(text)
    }

    /// A value of one of its pcdata tables at `pc`; `None` when it has no such table or the table is damaged.
    #[must_use]
    pub fn pcdata(&self, table: u32, pc: LinkAddr) -> Option<i32> {
        if table >= self.pcdata_count {
            return None;
        }
        let at = self.arrays.checked_add(u64::from(table).checked_mul(4)?)?;
        self.pc_value(bytes::u32(self.table.functab, at)?, pc)
    }

    /// The address of one of its funcdata; `None` when it has none of that kind.
    #[must_use]
    pub fn funcdata(&self, table: u8) -> Option<LinkAddr> {
        if table >= self.funcdata_count {
            return None;
        }
        let skip = u64::from(self.pcdata_count).checked_add(u64::from(table))?.checked_mul(4)?;
        let offset = bytes::u32(self.table.functab, self.arrays.checked_add(skip)?)?;
        if offset == u32::MAX { None } else { self.table.gofunc.checked_add(u64::from(offset)) }
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
                frames.push(self.source_frame(self.name_offset, self.start_line, self.func_id, pc, false));
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

    fn inlined_call(&self, tree: LinkAddr, index: u64, pc: LinkAddr) -> Option<(SourceFrame, LinkAddr)> {
        let record =
            self.table.image.read(tree.checked_add(index.checked_mul(INLINED_CALL_SIZE)?)?, INLINED_CALL_SIZE)?;
        let parent = self.entry.checked_add(u64::try_from(bytes::i32(record, 8)?).ok()?)?;
        if parent >= self.end {
            return None;
        }
        let frame = self.source_frame(bytes::i32(record, 4)?, bytes::i32(record, 12)?, bytes::u8(record, 0)?, pc, true);
        Some((frame, parent))
    }

    fn source_frame(&self, name: i32, start_line: i32, func_id: u8, pc: LinkAddr, inlined: bool) -> SourceFrame {
        let function = self.name_at(name).map(text);
        SourceFrame { function, file: self.file(pc), line: self.line(pc), start_line, func_id, inlined }
    }

    fn name_at(&self, offset: i32) -> Option<&'a [u8]> {
        bytes::c_string(self.table.names, u64::try_from(offset).ok()?).filter(|n| !n.is_empty())
    }

    /// The value of a pc-value table at `pc`: pairs of varints (difference of value, zig-zag; difference of pc, in units
    /// of minLC), from value −1 at the entry, ended by a difference 0 that is not the first (`runtime.step`).
    fn pc_value(&self, table: u32, pc: LinkAddr) -> Option<i32> {
        if table == 0 {
            return None;
        }
        let target = pc.offset_from(self.entry)?;
        let mut data = bytes::tail(self.table.pc_values, u64::from(table))?;
        let mut varint = || {
            let (value, taken) = bytes::uvarint(data)?;
            data = data.get(taken..)?;
            u32::try_from(value).ok()
        };
        let (mut value, mut at, mut first) = (-1i32, 0u64, true);
        let size = self.end.offset_from(self.entry)?;
        while at <= target && at < size {
            let change = varint()?;
            if change == 0 && !first {
                return None;
            }
            let step = u64::from(varint()?).checked_mul(u64::from(self.table.min_lc))?;
            // A table that does not advance is damaged; it could keep us here for as long as the section is.
            if step == 0 {
                return None;
            }
            value = value.wrapping_add(zigzag(change));
            at = at.checked_add(step)?;
            first = false;
        }
        if at > target { Some(value) } else { None }
    }
}

fn zigzag(n: u32) -> i32 {
    let half = (n >> 1).cast_signed();
    if n & 1 == 0 { half } else { !half }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
