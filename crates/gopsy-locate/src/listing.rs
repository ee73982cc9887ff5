//! The instructions around a place, with their lines and what their operands name.

use crate::{Locator, Named, Place, RaceHook, SourceLine};
use gopsy_insn::{Flow, Insn, Mem, Operation, Reg, Syntax};
use gopsy_mem::{Addr, LinkAddr};

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedInsn {
    /// Where it stands, as stated.
    pub at: LinkAddr,
    /// How many bytes it has.
    pub len: u8,
    /// The instruction as Intel's manual writes it.
    pub text: String,
    /// What an address in it names.
    pub names: Option<Named>,
    /// Its line, by pclntab, else by the line table.
    pub line: SourceLine,
    /// The function that is inlined there.
    pub inlined: Option<String>,
    /// It is the one that was asked for.
    pub asked: bool,
    /// What it tells the race detector.
    pub race: Option<RaceHook>,
}

/// A part of a function.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// By address.
    pub insns: Vec<ListedInsn>,
    /// Instructions of the function before these; 0 where no function is known.
    pub before: usize,
    /// And behind them; 0 where the end of the function is not known.
    pub behind: usize,
}

/// How much of a function is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// So many instructions before the one that was asked for and behind it.
    Around(usize),
    /// All of it.
    Whole,
    /// What begins from the first address to before the second. None of it was asked for more than the rest, and how much of
    /// the function is left out says nothing.
    Between(LinkAddr, LinkAddr),
}

/// The registers in which Go passes integers, in order (`cmd/compile/abi-internal.md`): a string is in two of them that
/// follow each other.
const ARGUMENTS: [Reg; 9] = [Reg::Rax, Reg::Rbx, Reg::Rcx, Reg::Rdi, Reg::Rsi, Reg::R8, Reg::R9, Reg::R10, Reg::R11];
/// How many instructions the code of a string's address and its length may be apart.
const NEAR: usize = 8;
/// Code without a known end is listed so far.
const UNKNOWN_END: u64 = 256;

impl Locator<'_> {
    /// The instructions around a place. Empty where the code cannot be decoded.
    #[must_use]
    pub fn listing(&self, place: &Place, window: Window) -> Listing {
        if !self.image.is_executable(place.pc) {
            return Listing::default();
        }
        let function = place.function.first();
        let start = function.map_or(place.pc, |f| f.entry);
        let end = function.and_then(|f| f.end).or_else(|| place.pc.checked_add(UNKNOWN_END));
        let held = self.image.bytes_from(start).and_then(|b| start.checked_add(u64::try_from(b.len()).ok()?));
        let Some(of_file) = end.zip(held).and_then(|(end, held)| self.bytes(start, end.min(held))) else {
            return Listing::default();
        };
        let patched = self.patched(start, of_file);
        let code = patched.as_deref().unwrap_or(of_file);
        let mut insns: Vec<Insn<Addr>> = self.decode(code, start).collect();
        // The padding behind a function is not part of it.
        while insns.last().is_some_and(|i| i.is_nop() || i.flow() == Flow::Trap && i.len() == 1) {
            insns.pop();
        }
        let pc = self.bias.load(place.pc);
        let index_of = |at: LinkAddr| insns.partition_point(|i| i.address() < self.bias.load(at));
        let asked = insns.partition_point(|i| i.address() <= pc).saturating_sub(1);
        let (from, to) = match window {
            Window::Whole => (0, insns.len()),
            Window::Between(first, behind) => (index_of(first), index_of(behind)),
            Window::Around(n) => (asked.saturating_sub(n), asked.saturating_add(n).saturating_add(1).min(insns.len())),
        };
        let mark = !matches!(window, Window::Between(..));
        let lines = Lines::of(self, place, &insns, from, to);
        let listed = (from..to).filter_map(|index| {
            let insn = insns.get(index)?;
            let at = self.bias.unload(insn.address());
            let race = match insn.flow() {
                Flow::Call(target) => self.race_hook(self.bias.unload(target)),
                _ => None,
            };
            let (line, inlined) = lines.at(at);
            Some(ListedInsn {
                at,
                len: insn.len(),
                text: text(insn),
                names: self.names(&insns, index, start, end),
                line,
                inlined,
                asked: mark && index == asked && place.instruction.as_ref().is_some_and(|i| i.start == at),
                race,
            })
        });
        let listed = listed.collect();
        // Without a function, or its end, the code that was decoded ends anywhere.
        let before = if mark && function.is_some() { from } else { 0 };
        let ends = mark && function.is_some_and(|f| f.end.is_some());
        Listing { insns: listed, before, behind: if ends { insns.len().saturating_sub(to) } else { 0 } }
    }

    /// What an address in the instruction names; jumps within the function name nothing.
    fn names(&self, insns: &[Insn<Addr>], index: usize, start: LinkAddr, end: Option<LinkAddr>) -> Option<Named> {
        let insn = insns.get(index)?;
        match insn.flow() {
            Flow::Call(target) => return self.named(self.bias.unload(target)),
            Flow::Jump(target) | Flow::Branch(target) => {
                let target = self.bias.unload(target);
                let within = start <= target && end.is_none_or(|end| target < end);
                return if within { None } else { self.named(target) };
            }
            _ => {}
        }
        if let Operation::Address { to, of } = insn.operation()
            && let Some(at) = of.absolute
            && let Some(len) = length_beside(insns, index, to.reg)
            && let Some(text) = self.text_at(self.bias.unload(at), len)
        {
            return Some(text);
        }
        let (mem, _) = insn.mem()?;
        self.named(self.bias.unload(mem.absolute?))
    }
}

/// The instruction as it is written: an address relative to the instruction pointer as the address that it names.
pub(crate) fn text(insn: &Insn<Addr>) -> String {
    let text = insn.text(Syntax::Intel).to_lowercase().replace(" short 0x", " 0x");
    match text.split_once(" # ") {
        Some((text, address)) => match (text.find("[rip"), text.find(']')) {
            (Some(open), Some(close)) if open < close => {
                let (before, behind) = (text.get(..open).unwrap_or(""), text.get(close..).unwrap_or(""));
                format!("{before}[{address}{behind}")
            }
            _ => text.to_owned(),
        },
        None => text,
    }
}

/// The length of a string whose address the instruction puts into a register: a number that the code beside it puts into
/// the next argument register, or, where the address goes to memory, into the word behind it.
fn length_beside(insns: &[Insn<Addr>], index: usize, reg: Reg) -> Option<u64> {
    length_in_memory(insns, index, reg).or_else(|| {
        let next = *ARGUMENTS.iter().position(|r| *r == reg).and_then(|i| ARGUMENTS.get(i.checked_add(1)?))?;
        nearest(insns, index, &[reg, next], |insn| match insn.operation() {
            // Four bytes clear the rest of the register; fewer leave it.
            Operation::Constant { to, value } if to.reg == next && to.width >= 4 => Some(value),
            _ => None,
        })
    })
}

/// `mov [rsp+8], rax; mov qword [rsp+16], 5`.
fn length_in_memory(insns: &[Insn<Addr>], index: usize, reg: Reg) -> Option<u64> {
    let store = |insn: &Insn<Addr>| match insn.operation() {
        Operation::Store { to, from } if from.reg == reg && from.width == 8 => Some(to),
        _ => None,
    };
    let behind = insns.get(index.checked_add(1)?..)?;
    let (at, place) = along(behind.iter(), &[reg]).enumerate().find_map(|(i, insn)| Some((i, store(insn)?)))?;
    let at = index.checked_add(at)?.checked_add(1)?;
    let word = |mem: &Mem<Addr>| match (mem.absolute, place.absolute) {
        (Some(at), Some(before)) => before.checked_add(8) == Some(at),
        (None, None) => {
            (mem.base, mem.index) == (place.base, place.index)
                && place.displacement.checked_add(8) == Some(mem.displacement)
        }
        _ => false,
    };
    let used: Vec<Reg> = place.base.into_iter().chain(place.index).collect();
    nearest(insns, at, &used, |insn| match insn.operation() {
        Operation::StoreConstant { to, value } if word(&to) && to.size == 8 => Some(value),
        _ => None,
    })
}

/// What the nearest instruction says, behind the one at the index or else before it, as long as execution goes from one to the
/// next and none of the registers is set to anything else.
fn nearest<T>(insns: &[Insn<Addr>], index: usize, held: &[Reg], says: impl Fn(&Insn<Addr>) -> Option<T>) -> Option<T> {
    let mut behind = insns.get(index.checked_add(1)?..)?.iter().take(NEAR);
    let mut before = insns.get(..index)?.iter().rev().take(NEAR);
    let sets = |insn: &Insn<Addr>| held.iter().any(|reg| insn.effects().writes(*reg));
    // Only where a call or a jump uses what was there before does it count.
    let ends = |insn: &Insn<Addr>| insn.flow() != Flow::Next;
    let first = behind.find(|insn| says(insn).is_some() || sets(insn) || ends(insn))?;
    if !ends(first) {
        return says(first);
    }
    before.find(|insn| says(insn).is_some() || sets(insn) || ends(insn)).and_then(says)
}

/// The instructions up to the next that jumps, calls or sets one of the registers.
fn along<'i>(insns: impl Iterator<Item = &'i Insn<Addr>>, held: &[Reg]) -> impl Iterator<Item = &'i Insn<Addr>> {
    insns.take(NEAR).take_while(|i| i.flow() == Flow::Next && !held.iter().any(|reg| i.effects().writes(*reg)))
}

/// The lines of a part of a function.
struct Lines {
    /// From, to, line, inlined function; by address.
    runs: Vec<(LinkAddr, LinkAddr, SourceLine, Option<String>)>,
}

impl Lines {
    fn of(locator: &Locator<'_>, place: &Place, insns: &[Insn<Addr>], from: usize, to: usize) -> Lines {
        let address = |i: usize| insns.get(i).map(|insn| locator.bias.unload(insn.address()));
        let (Some(first), Some(last)) = (address(from), address(to.saturating_sub(1))) else {
            return Lines { runs: Vec::new() };
        };
        let behind = last.checked_add(16).unwrap_or(last);
        if let Some(func) = locator.func(place.pc) {
            let runs = func.line_runs().into_iter().filter(|r| r.start < behind && first < r.end);
            let run = runs.map(|r| {
                let file = r.file.and_then(|n| func.file_of(n));
                // The frames of a stretch are those of its beginning: it ends where one of the tables changes.
                let inlined = if r.inlined { func.source_frames(r.start).ok() } else { None };
                let inlined = inlined.and_then(|frames| frames.into_iter().next()).and_then(|f| f.function);
                (r.start, r.end, SourceLine { file, line: r.line.map(u64::from) }, inlined)
            });
            return Lines { runs: run.collect() };
        }
        let rows = locator.code_info().map(|info| info.rows_within(first, behind)).unwrap_or_default();
        let run = rows.into_iter().map(|r| {
            let file = r.file.as_deref().map(str::to_owned);
            (r.start, r.end, SourceLine { file, line: r.line }, None)
        });
        Lines { runs: run.collect() }
    }

    fn at(&self, at: LinkAddr) -> (SourceLine, Option<String>) {
        let behind = self.runs.partition_point(|(start, ..)| *start <= at);
        let run = behind.checked_sub(1).and_then(|i| self.runs.get(i)).filter(|(_, end, ..)| at < *end);
        run.map_or((SourceLine { file: None, line: None }, None), |(.., line, name)| (line.clone(), name.clone()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::origin::tests::image;
    use gopsy_insn::Decoder;

    /// `lea rax, [rip]`, and numbers in `ebx`.
    const LEA: &[u8] = &[0x48, 0x8d, 0x05, 0, 0, 0, 0];
    const THREE: &[u8] = &[0xbb, 3, 0, 0, 0];
    const NINE: &[u8] = &[0xbb, 9, 0, 0, 0];
    const CALL: &[u8] = &[0xe8, 0, 0, 0, 0];

    /// The length beside the first `lea`.
    fn length(code: &[&[u8]]) -> Option<u64> {
        let insns: Vec<Insn<Addr>> = Decoder::new(&code.concat(), Addr(0x1000)).collect();
        let is_lea = |i: &Insn<Addr>| matches!(i.operation(), Operation::Address { .. });
        length_beside(&insns, insns.iter().position(is_lea).unwrap(), Reg::Rax)
    }

    #[test]
    fn a_length_is_that_of_its_own_text() {
        assert_eq!(length(&[THREE, CALL, LEA, NINE, CALL]), Some(9));
        assert_eq!(length(&[THREE, LEA, CALL, NINE]), Some(3));
        // What is loaded behind the address counts, not what stood there before.
        assert_eq!(length(&[THREE, LEA, NINE, CALL]), Some(9));
        // Nothing in between that calls, jumps or sets: mov rbx, rcx; mov bl, 9; jz.
        assert_eq!(length(&[THREE, CALL, LEA, CALL]), None);
        assert_eq!(length(&[LEA, CALL, NINE]), None);
        assert_eq!(length(&[THREE, LEA, &[0x48, 0x89, 0xcb], CALL]), None);
        assert_eq!(length(&[THREE, LEA, &[0xb3, 9], CALL]), None);
        assert_eq!(length(&[LEA, &[0x74, 0], NINE, CALL]), None);
        assert_eq!(length(&[THREE, LEA, LEA, CALL]), None);
    }

    #[test]
    fn a_length_in_memory_is_the_word_behind_the_address() {
        // mov [rsp], rax; mov qword [rsp+8], n; mov qword [rsp+16], n.
        let address: &[u8] = &[0x48, 0x89, 0x04, 0x24];
        let three: &[u8] = &[0x48, 0xc7, 0x44, 0x24, 8, 3, 0, 0, 0];
        let nine: &[u8] = &[0x48, 0xc7, 0x44, 0x24, 8, 9, 0, 0, 0];
        let behind: &[u8] = &[0x48, 0xc7, 0x44, 0x24, 16, 9, 0, 0, 0];
        assert_eq!(length(&[three, CALL, LEA, address, nine, CALL]), Some(9));
        assert_eq!(length(&[three, LEA, address, CALL, nine]), Some(3));
        assert_eq!(length(&[LEA, address, behind, CALL]), None);
        // The stack pointer moves: push rax.
        assert_eq!(length(&[LEA, address, &[0x50], nine, CALL]), None);
    }

    #[test]
    fn without_a_function_boundaries_are_not_known() {
        let image = image(&[0x50; 64]);
        let locator = Locator::new(&image);
        let place = locator.place(LinkAddr(0x40_1010));
        assert!(place.notes.iter().any(|n| n.id == "boundaries-not-known"), "{:?}", place.notes);
        let listing = locator.listing(&place, Window::Around(2));
        assert_eq!((listing.before, listing.insns.len(), listing.behind), (0, 3, 0));
    }
}
