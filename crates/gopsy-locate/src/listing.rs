//! The instructions around a place, with their lines and what their operands name.

use crate::{Locator, Named, Place, RaceHook, SourceLine};
use gopsy_insn::{Flow, Insn, Operation, Reg, Syntax};
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
    /// Instructions of the function before these.
    pub before: usize,
    /// And behind them.
    pub behind: usize,
}

/// How much of a function is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// So many instructions before the one that was asked for and behind it.
    Around(usize),
    /// All of it.
    Whole,
}

/// The registers in which Go passes integers, in order (`cmd/compile/abi-internal.md`): a string is in two of them that
/// follow each other.
const ARGUMENTS: [Reg; 9] = [Reg::Rax, Reg::Rbx, Reg::Rcx, Reg::Rdi, Reg::Rsi, Reg::R8, Reg::R9, Reg::R10, Reg::R11];
/// How far apart the code loads the address of a string and its length.
const NEAR: usize = 3;
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
        let asked = insns.partition_point(|i| i.address() <= pc).saturating_sub(1);
        let (from, to) = match window {
            Window::Whole => (0, insns.len()),
            Window::Around(n) => (asked.saturating_sub(n), asked.saturating_add(n).saturating_add(1).min(insns.len())),
        };
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
                asked: index == asked && place.instruction.as_ref().is_some_and(|i| i.start == at),
                race,
            })
        });
        let insns_listed = listed.collect();
        Listing { insns: insns_listed, before: from, behind: insns.len().saturating_sub(to) }
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

/// The length of a string whose address the instruction puts into a register: a number that the code near it puts into the
/// next argument register, or, where the address goes to memory, into the word behind it.
fn length_beside(insns: &[Insn<Addr>], index: usize, reg: Reg) -> Option<u64> {
    let from = index.saturating_sub(NEAR);
    let near = insns.get(from..index.saturating_add(NEAR).saturating_add(1).min(insns.len()))?;
    let next = ARGUMENTS.iter().position(|r| *r == reg).and_then(|i| ARGUMENTS.get(i.checked_add(1)?));
    let in_register = near.iter().find_map(|insn| match insn.operation() {
        Operation::Constant { to, value } if Some(&to.reg) == next => Some(value),
        _ => None,
    });
    // mov [rsp+8], rax; mov qword [rsp+16], 5.
    let stored = insns.get(index..)?.iter().take(NEAR).find_map(|insn| match insn.operation() {
        Operation::Store { to, from } if from.reg == reg && from.width == 8 => Some(to),
        _ => None,
    });
    let in_memory = stored.and_then(|place| {
        near.iter().find_map(|insn| match insn.operation() {
            Operation::StoreConstant { to, value }
                if (to.base, to.index) == (place.base, place.index)
                    && Some(to.displacement) == place.displacement.checked_add(8) =>
            {
                Some(value)
            }
            _ => None,
        })
    });
    in_memory.or(in_register)
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
        let rows = locator.code_info.as_ref().map(|info| info.rows_within(first, behind)).unwrap_or_default();
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
