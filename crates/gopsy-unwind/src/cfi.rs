//! Call frame information: what a table says of one pc, and the registers of the caller by it.
//!
//! The format is that of DWARF 5, 6.4, and of the Linux Standard Base, 10.6, for `.eh_frame` and its index. Everything
//! here is bounded: how much of a table is read, how many steps an expression takes.

use crate::registers::{CALLEE_SAVED, RIP, RSP};
use crate::{Found, Register, RegisterSet};
use gimli::{
    BaseAddresses, CieOrFde, DebugFrame, EhFrame, EndianSlice, Evaluation, EvaluationResult, LittleEndian, Location,
    RegisterRule, UnwindContext, UnwindOffset, UnwindSection, Value,
};
use gopsy_image::Image;
use gopsy_mem::{Addr, Bias, LinkAddr, Memory, MemoryExt};
use std::cell::{Cell, OnceCell};

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// More entries than this are not listed where a table has no index. The largest C++ programs have a few hundred thousand.
const MAX_ENTRIES: usize = 1 << 20;
/// Entries longer than this are not read: an entry is of one function, and takes some tens of bytes.
const MAX_ENTRY: u64 = 1 << 16;
/// So many bytes of entries are read for one process. It takes about a hundred for a pc.
const BUDGET: u64 = 1 << 28;
/// Steps of one expression. The longest known (a PLT's) has 12.
const MAX_EXPRESSION: u32 = 256;
const REGISTERS: usize = 17;

/// Where a value of the caller is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    /// Nowhere any more.
    Lost,
    /// In the same register.
    Same,
    /// In another register.
    In(u8),
    /// In memory, so far from the frame's end.
    At(i64),
    /// It is that far from the frame's end.
    Is(i64),
    /// In memory, where the expression says.
    AtExpression(Box<[u8]>),
    /// It is what the expression says.
    IsExpression(Box<[u8]>),
    /// It is that number.
    Number(u64),
}

/// Where a frame ends (the canonical frame address: the caller's stack pointer before the call).
#[derive(Debug, Clone, PartialEq, Eq)]
enum FrameEnd {
    From(u8, i64),
    Expression(Box<[u8]>),
}

/// What a table says of one pc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    end: FrameEnd,
    registers: [Rule; REGISTERS],
    /// What stands above is no caller, but what a signal interrupted (augmentation `S`).
    pub(crate) signal: bool,
}

/// An entry of a table without an index.
#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u64,
    end: u64,
    offset: usize,
}

/// The tables of one file.
#[derive(Debug)]
pub(crate) struct Tables {
    eh_frame: EhTable,
    /// Read when the other says nothing: in a Go program it is mostly about Go.
    debug_frame: OnceCell<(Vec<u8>, Vec<Entry>)>,
}

#[derive(Debug)]
enum EhTable {
    None,
    /// With an index in the file.
    Indexed,
    /// By address, where the file has no index.
    Listed(Vec<Entry>),
}

impl Tables {
    /// Finds the tables of a file.
    pub(crate) fn of(image: &Image, budget: &Cell<u64>) -> Tables {
        let indexed = image.eh_frame_hdr().is_some_and(|hdr| Index::of(&hdr.bytes, hdr.address).is_some());
        let eh_frame = match (image.eh_frame(), indexed) {
            (Some(_), true) => EhTable::Indexed,
            (Some(section), false) => {
                let bases = BaseAddresses::default().set_eh_frame(section.address.0);
                EhTable::Listed(list(&EhFrame::new(&section.bytes, LittleEndian), &bases, budget))
            }
            (None, _) => EhTable::None,
        };
        Tables { eh_frame, debug_frame: OnceCell::new() }
    }

    /// What they say of an address.
    pub(crate) fn rules(&self, image: &Image, at: LinkAddr, budget: &Cell<u64>) -> Option<Rules> {
        self.of_eh_frame(image, at, budget).or_else(|| self.of_debug_frame(image, at, budget))
    }

    fn of_eh_frame(&self, image: &Image, at: LinkAddr, budget: &Cell<u64>) -> Option<Rules> {
        let section = image.eh_frame()?;
        let bases = BaseAddresses::default().set_eh_frame(section.address.0);
        let offset = match &self.eh_frame {
            EhTable::None => return None,
            EhTable::Indexed => {
                let hdr = image.eh_frame_hdr()?;
                let entry = Index::of(&hdr.bytes, hdr.address)?.entry_of(at)?;
                usize::try_from(entry.offset_from(section.address)?).ok()?
            }
            EhTable::Listed(entries) => holding(entries, at)?,
        };
        rules_at(&EhFrame::new(&section.bytes, LittleEndian), &bases, offset, at, budget)
    }

    fn of_debug_frame(&self, image: &Image, at: LinkAddr, budget: &Cell<u64>) -> Option<Rules> {
        let (bytes, entries) = self.debug_frame.get_or_init(|| {
            let bytes = image.debug_frame().map(|section| section.bytes.into_owned()).unwrap_or_default();
            let entries = list(&debug_frame(&bytes), &BaseAddresses::default(), budget);
            (bytes, entries)
        });
        rules_at(&debug_frame(bytes), &BaseAddresses::default(), holding(entries, at)?, at, budget)
    }
}

/// Where the entry stands that holds an address.
fn holding(entries: &[Entry], at: LinkAddr) -> Option<usize> {
    let behind = entries.partition_point(|e| e.start <= at.0);
    entries.get(behind.checked_sub(1)?).filter(|e| at.0 < e.end).map(|e| e.offset)
}

fn debug_frame(bytes: &[u8]) -> DebugFrame<Slice<'_>> {
    let mut section = DebugFrame::new(bytes, LittleEndian);
    section.set_address_size(8);
    section
}

/// The index of `.eh_frame`, in the one form in which linkers write it: pairs of function and entry, sorted, relative to the
/// index itself.
struct Index<'a> {
    pairs: &'a [[u8; 8]],
    base: LinkAddr,
}

impl<'a> Index<'a> {
    fn of(hdr: &'a [u8], base: LinkAddr) -> Option<Index<'a>> {
        // Version 1; where .eh_frame is as pcrel sdata4, the count as udata4, the pairs as datarel sdata4.
        let rest = hdr.strip_prefix(&[1, 0x1b, 0x03, 0x3b])?;
        let count = usize::try_from(u32::from_le_bytes(*rest.get(4..)?.first_chunk()?)).ok()?;
        let (pairs, _) = rest.get(8..)?.as_chunks::<8>();
        Some(Index { pairs: pairs.get(..count.min(pairs.len()))?, base })
    }

    fn word(&self, half: Option<&[u8; 4]>) -> Option<LinkAddr> {
        let relative = i64::from(i32::from_le_bytes(*half?));
        self.base.0.checked_add_signed(relative).map(LinkAddr)
    }

    /// Where the entry of the function stands that begins last before that address. It need not hold it.
    fn entry_of(&self, at: LinkAddr) -> Option<LinkAddr> {
        let behind = self.pairs.partition_point(|p| self.word(p.first_chunk()).is_some_and(|start| start <= at));
        self.word(self.pairs.get(behind.checked_sub(1)?)?.last_chunk())
    }
}

/// All entries of a table by address, as far as it can be read.
fn list<'a, S>(section: &S, bases: &BaseAddresses, budget: &Cell<u64>) -> Vec<Entry>
where
    S: UnwindSection<Slice<'a>>,
{
    let mut entries: Vec<Entry> = Vec::new();
    let mut iter = section.entries(bases);
    // Entries of one object file share their common part, and follow each other.
    let mut last: Option<(S::Offset, gimli::CommonInformationEntry<Slice<'a>>)> = None;
    while let Ok(Some(entry)) = iter.next() {
        let CieOrFde::Fde(partial) = entry else { continue };
        if entries.len() >= MAX_ENTRIES || !spend(budget, partial.entry_len()) {
            break;
        }
        let parsed = partial.parse(|section, bases, offset| match &last {
            Some((at, cie)) if *at == offset => Ok(cie.clone()),
            _ => {
                let cie = section.cie_from_offset(bases, offset)?;
                if !spend(budget, cie.entry_len()) {
                    return Err(gimli::Error::TooManyIterations);
                }
                last = Some((offset, cie.clone()));
                Ok(cie)
            }
        });
        match parsed {
            Ok(fde) => {
                entries.push(Entry { start: fde.initial_address(), end: fde.end_address(), offset: fde.offset() });
            }
            Err(gimli::Error::TooManyIterations) => break,
            Err(_) => {}
        }
    }
    entries.sort_by_key(|e| e.start);
    entries
}

/// Takes the length of an entry from what may still be read.
fn spend(budget: &Cell<u64>, len: usize) -> bool {
    let len = u64::try_from(len).unwrap_or(u64::MAX);
    match budget.get().checked_sub(len) {
        Some(rest) if len <= MAX_ENTRY => {
            budget.set(rest);
            true
        }
        _ => false,
    }
}

/// So much may be read of the tables of one process.
pub(crate) fn budget() -> Cell<u64> {
    Cell::new(BUDGET)
}

fn rules_at<'a, S>(section: &S, bases: &BaseAddresses, offset: usize, at: LinkAddr, budget: &Cell<u64>) -> Option<Rules>
where
    S: UnwindSection<Slice<'a>>,
    S::Offset: UnwindOffset<usize>,
{
    let fde = section.fde_from_offset(bases, S::Offset::from(offset), S::cie_from_offset).ok()?;
    let cost = fde.entry_len().checked_add(fde.cie().entry_len())?;
    if !fde.contains(at.0) || !spend(budget, cost) {
        return None;
    }
    let mut context = UnwindContext::new();
    let row = fde.unwind_info_for_address(section, bases, &mut context, at.0).ok()?;
    let bytes = |e: &gimli::UnwindExpression<usize>| e.get(section).ok().map(|e| Box::from(e.0.slice()));
    let end = match row.cfa() {
        gimli::CfaRule::RegisterAndOffset { register, offset } => {
            FrameEnd::From(u8::try_from(register.0).ok()?, *offset)
        }
        gimli::CfaRule::Expression(expression) => FrameEnd::Expression(bytes(expression)?),
    };
    let mut registers = [const { Rule::Lost }; REGISTERS];
    for (number, slot) in (0u8..).zip(registers.iter_mut()) {
        *slot = match row.register(gimli::Register(u16::from(number))) {
            // Of what is not said the calling convention decides; rsp is the frame's end.
            None if CALLEE_SAVED.contains(&number) => Rule::Same,
            None if number == RSP => Rule::Is(0),
            None | Some(RegisterRule::Undefined | RegisterRule::Architectural) => Rule::Lost,
            Some(RegisterRule::SameValue) => Rule::Same,
            Some(RegisterRule::Offset(offset)) => Rule::At(offset),
            Some(RegisterRule::ValOffset(offset)) => Rule::Is(offset),
            Some(RegisterRule::Register(other)) => u8::try_from(other.0).map_or(Rule::Lost, Rule::In),
            Some(RegisterRule::Expression(e)) => bytes(&e).map_or(Rule::Lost, Rule::AtExpression),
            Some(RegisterRule::ValExpression(e)) => bytes(&e).map_or(Rule::Lost, Rule::IsExpression),
            Some(RegisterRule::Constant(number)) => Rule::Number(number),
        };
    }
    Some(Rules { end, registers, signal: fde.is_signal_trampoline() })
}

/// The registers of a caller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) registers: RegisterSet,
    /// The table says that there is none: this is the thread's first function.
    pub(crate) outermost: bool,
}

impl Rules {
    /// The caller's registers. `None` when what they are worked out from is not known or cannot be read.
    pub(crate) fn caller(&self, own: &RegisterSet, bias: Bias, mem: &dyn Memory) -> Option<Caller> {
        let end = match &self.end {
            FrameEnd::From(register, offset) => own.number(*register)?.moved(*offset)?,
            FrameEnd::Expression(bytes) => evaluate(bytes, None, own, bias, mem)?,
        };
        let outermost = self.registers.get(usize::from(RIP)) == Some(&Rule::Lost);
        let mut registers = RegisterSet::default();
        for (number, rule) in (0u8..).zip(&self.registers) {
            // What stands at a place is no surer than the place.
            let word = |at: Register| mem.u64(Addr(at.value)).ok().map(|value| Register { value, ..at });
            let expression = |bytes: &[u8]| evaluate(bytes, Some(end), own, bias, mem);
            let value = match rule {
                Rule::Lost => None,
                Rule::Same => own.number(number),
                Rule::In(other) => own.number(*other),
                Rule::At(offset) => end.moved(*offset).and_then(word),
                Rule::Is(offset) => end.moved(*offset),
                Rule::AtExpression(bytes) => expression(bytes).and_then(word),
                Rule::IsExpression(bytes) => expression(bytes),
                Rule::Number(value) => Some(Register { value: *value, found: Found::Cfi }),
            };
            registers.set(number, value);
        }
        let complete = registers.sp().is_some() && (outermost || registers.pc().is_some());
        complete.then_some(Caller { registers, outermost })
    }
}

impl Register {
    /// What a table works out from it.
    fn moved(self, offset: i64) -> Option<Register> {
        Some(Register { value: self.value.checked_add_signed(offset)?, found: self.found.max(Found::Cfi) })
    }
}

/// The value of an expression over the frame's own registers and memory; it is no surer than what it is worked out from.
fn evaluate(
    bytes: &[u8],
    initial: Option<Register>,
    own: &RegisterSet,
    bias: Bias,
    mem: &dyn Memory,
) -> Option<Register> {
    let mut found = initial.map_or(Found::Cfi, |initial| initial.found.max(Found::Cfi));
    let encoding = gimli::Encoding { address_size: 8, format: gimli::Format::Dwarf32, version: 4 };
    let mut evaluation = Evaluation::new(EndianSlice::new(bytes, LittleEndian), encoding);
    evaluation.set_max_iterations(MAX_EXPRESSION);
    if let Some(initial) = initial {
        evaluation.set_initial_value(initial.value);
    }
    let mut asked = evaluation.evaluate().ok()?;
    // Each answer follows a step of the expression, and those are counted.
    loop {
        asked = match asked {
            EvaluationResult::Complete => break,
            EvaluationResult::RequiresRegister { register, .. } => {
                let asked = own.number(u8::try_from(register.0).ok()?)?;
                found = found.max(asked.found);
                evaluation.resume_with_register(Value::Generic(asked.value)).ok()?
            }
            EvaluationResult::RequiresMemory { address, size, space: None, .. } => {
                let mut word = [0; 8];
                mem.read(Addr(address), word.get_mut(..usize::from(size))?).ok()?;
                evaluation.resume_with_memory(Value::Generic(u64::from_le_bytes(word))).ok()?
            }
            EvaluationResult::RequiresRelocatedAddress(address) => {
                evaluation.resume_with_relocated_address(bias.load(LinkAddr(address)).0).ok()?
            }
            _ => return None,
        };
    }
    let value = match evaluation.as_result() {
        [piece] => match piece.location {
            Location::Address { address } => address,
            Location::Value { value: Value::Generic(value) } => value,
            _ => return None,
        },
        _ => return None,
    };
    Some(Register { value, found })
}
