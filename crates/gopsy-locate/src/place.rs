//! One address in the code, from every side.

use crate::told::{Note, Told, Witness};
use crate::{Locator, Named};
use gopsy_image::{Func, SymbolKind};
use gopsy_insn::{Flow, Insn, Reg};
use gopsy_mem::{Addr, LinkAddr};

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Where it begins.
    pub entry: LinkAddr,
    /// The first address behind it, where that is known; of Go's functions with the padding behind them.
    pub end: Option<LinkAddr>,
}

/// A line of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLine {
    /// The file, as the compiler named it.
    pub file: Option<String>,
    /// The line.
    pub line: Option<u64>,
}

/// One function of the source that is active at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its name.
    pub function: Option<String>,
    /// The line of the place, or of the call for the functions around an inlined one.
    pub at: SourceLine,
}

/// The instruction at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstructionAt {
    /// Where it begins: before the place, if that lies within it.
    pub start: LinkAddr,
    /// How many bytes it has.
    pub len: u8,
    /// The instruction.
    pub text: String,
}

/// A call that ends where the place is: the place may be its return address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallBefore {
    /// Where the call begins.
    pub at: LinkAddr,
    /// What it calls, where the code names it.
    pub target: Option<Named>,
    /// The frames of the call, innermost first.
    pub frames: Vec<Frame>,
}

/// What is said of one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The address, as stated in the file.
    pub pc: LinkAddr,
    /// The section that holds it.
    pub section: Option<String>,
    /// The function.
    pub function: Told<Function>,
    /// The line.
    pub line: Told<SourceLine>,
    /// The functions of the source that are active there, innermost first; several where one is inlined.
    pub frames: Told<Vec<Frame>>,
    /// The instruction.
    pub instruction: Option<InstructionAt>,
    /// A call that ends there.
    pub call_before: Option<CallBefore>,
    /// What stands there, if it is no code.
    pub data: Option<Named>,
    /// Why sources differ, and what a reader may fall over.
    pub notes: Vec<Note>,
}

impl Locator<'_> {
    /// What every source says of that address.
    #[must_use]
    pub fn place(&self, pc: LinkAddr) -> Place {
        let func = self.func(pc);
        let mut place = Place {
            pc,
            section: self.section(pc),
            function: Told::default(),
            line: Told::default(),
            frames: Told::default(),
            instruction: None,
            call_before: None,
            data: None,
            notes: Vec::new(),
        };
        if !self.image.is_executable(pc) {
            let mapped = self.image.is_mapped(pc);
            place.data = if mapped { self.named(pc) } else { None };
            place.notes.push(if mapped {
                Note::new("no-code", "there is no code at this address: it may not be executed")
            } else {
                Note::new("not-mapped", "no part of the file is loaded at this address")
            });
            return place;
        }
        self.functions(&mut place, func.as_ref());
        self.lines(&mut place, func.as_ref());
        self.instruction(&mut place, func.as_ref());
        self.explain(&mut place, func.as_ref());
        place
    }

    fn section(&self, pc: LinkAddr) -> Option<String> {
        let within = |address: LinkAddr, size| pc.offset_from(address).is_some_and(|o| o < size);
        let mut sections = self.image.sections().iter().filter(|s| s.address.0 != 0);
        sections.find(|s| within(s.address, s.size)).map(|s| s.name.clone())
    }

    fn functions(&self, place: &mut Place, func: Option<&Func<'_>>) {
        let same = same_function;
        if let Some(func) = func
            && let Some(name) = func.name()
        {
            place.function.add(Witness::Pclntab, Function { name, entry: func.entry(), end: Some(func.end()) }, same);
        }
        self.function_by_symbols(place, func);
        if let Some(function) = self.code_info().ok().and_then(|info| info.function_at(place.pc))
            && let Some(name) = function.name
        {
            place.function.add(Witness::DebugInfo, Function { name, entry: function.entry, end: None }, same);
        }
    }

    fn function_by_symbols(&self, place: &mut Place, func: Option<&Func<'_>>) {
        let same = same_function;
        let symbols = self.image.symbol_table().covering(self.image, place.pc);
        let functions: Vec<Function> = symbols
            .iter()
            .filter(|s| s.kind != SymbolKind::Object)
            .filter(|s| s.kind == SymbolKind::Function || s.size > 0 || func.is_none())
            .map(|s| Function {
                name: s.name.clone().into_owned(),
                entry: s.address,
                end: s.address.checked_add(s.size).filter(|_| s.size > 0),
            })
            .collect();
        // Of several names for one place the one that others use comes first; the rest are told in a note.
        let known = |f: &&Function| place.function.statements().iter().any(|s| same(&s.says, f));
        let chosen = functions.iter().find(known).or(functions.first()).cloned();
        let Some(chosen) = chosen else { return };
        let others: Vec<&str> =
            functions.iter().filter(|f| f.name != chosen.name && f.entry == chosen.entry).map(|f| &*f.name).collect();
        if !others.is_empty() {
            place.notes.push(Note::new(
                "other-names",
                format!("the symbol table has other names for it: {}", others.join(", ")),
            ));
        }
        if let Some(first) = place.function.first().filter(|f| same(f, &chosen) && f.name != chosen.name) {
            place.notes.push(spelling(&first.name, &chosen.name));
        }
        place.function.add(Witness::Symbols, chosen, same);
    }

    fn lines(&self, place: &mut Place, func: Option<&Func<'_>>) {
        if let Some(func) = func {
            let line = SourceLine::of(func, place.pc);
            // Generated code need have no source.
            if !self.generated || line.file.is_some() {
                place.line.add(Witness::Pclntab, line, |a, b| a == b);
            }
            match func.source_frames(place.pc) {
                Ok(frames) => {
                    place.frames.add(Witness::Pclntab, frames.iter().map(Frame::of).collect(), |a, b| same_frames(a, b))
                }
                Err(error) => place.notes.push(Note::new("inline-tree-damaged", error.to_string())),
            }
        }
        let Ok(info) = self.code_info() else { return };
        let row = info.row_at(place.pc);
        if let Some(row) = &row {
            let file = row.file.as_deref().map(str::to_owned);
            place.line.add(Witness::LineTable, SourceLine { file, line: row.line }, |a, b| a == b);
        }
        let frames: Vec<Frame> = info.source_frames(place.pc, row.as_ref()).iter().map(Frame::of).collect();
        if !frames.is_empty() {
            place.frames.add(Witness::DebugInfo, frames, |a, b| same_frames(a, b));
        }
    }

    /// Where in memory the instruction that begins at a place reads or writes, with those registers (by the names of Linux), and how many
    /// bytes; 0 where that is not for the instruction to say. `None` for one that does neither, or only pushes and pops, or where a
    /// register is not known.
    #[must_use]
    pub fn memory_operand(&self, place: &Place, register: &dyn Fn(&str) -> Option<u64>) -> Option<(Addr, u16)> {
        let at = place.instruction.as_ref().filter(|insn| insn.start == place.pc)?;
        let end = at.start.checked_add(u64::from(at.len))?;
        let of_file = self.bytes(at.start, end)?;
        let patched = self.patched(at.start, of_file);
        let insn = self.decode(patched.as_deref().unwrap_or(of_file), at.start).next()?;
        let (operand, _) = insn.mem().filter(|(_, access)| access.reads() || access.writes())?;
        let value = |reg: Reg| match reg {
            // What counts of a segment is its base.
            Reg::Fs => register("fs_base"),
            Reg::Gs => register("gs_base"),
            reg => register(&reg.to_string()),
        };
        Some((operand.place(&value)?, operand.size))
    }

    fn instruction(&self, place: &mut Place, func: Option<&Func<'_>>) {
        let start = match (func, place.function.first()) {
            (Some(func), _) => func.entry(),
            (None, Some(function)) => function.entry,
            (None, None) => place.pc,
        };
        let end = func.map(Func::end).or_else(|| place.pc.checked_add(16));
        let held = end.and_then(|end| {
            let last = self.image.bytes_from(start).and_then(|b| start.checked_add(u64::try_from(b.len()).ok()?))?;
            self.bytes(start, end.min(last))
        });
        let Some(of_file) = held else { return };
        if func.is_none() && place.function.first().is_none() {
            place.notes.push(Note::new(
                "boundaries-not-known",
                "no function is known here, so nothing tells where instructions begin: they are read as if one began at this address",
            ));
        }
        let patched = self.patched(start, of_file);
        if patched.is_some() {
            place.notes.push(Note::new(
                "code-differs",
                "the code in memory is not the file's: a breakpoint, a probe, or something that wrote over it; the memory is shown",
            ));
        }
        let code = patched.as_deref().unwrap_or(of_file);
        let pc = self.bias.load(place.pc);
        let mut before: Option<Insn<Addr>> = None;
        for insn in self.decode(code, start) {
            if insn.address() == pc {
                place.call_before = before.and_then(|before| self.call_before(&before, func));
            }
            let behind = insn.address().checked_add(u64::from(insn.len()));
            if insn.address() <= pc && behind.is_none_or(|behind| pc < behind) {
                let start = self.bias.unload(insn.address());
                if start != place.pc {
                    place.notes.push(Note::new(
                        "inside-instruction",
                        "no instruction begins at this address, read from the beginning of its function",
                    ));
                }
                let text = crate::listing::text(&insn);
                place.instruction = Some(InstructionAt { start, len: insn.len(), text });
                return;
            }
            before = Some(insn);
        }
    }

    fn call_before(&self, insn: &Insn<Addr>, func: Option<&Func<'_>>) -> Option<CallBefore> {
        let target = match insn.flow() {
            Flow::Call(target) => self.named(self.bias.unload(target)),
            Flow::IndirectCall => None,
            _ => return None,
        };
        let at = self.bias.unload(insn.address());
        let frames = func.and_then(|f| f.source_frames(at).ok());
        let frames = frames.map(|frames| frames.iter().map(Frame::of).collect()).unwrap_or_default();
        Some(CallBefore { at, target, frames })
    }

    /// Why something is missing, or differs.
    fn explain(&self, place: &mut Place, func: Option<&Func<'_>>) {
        let mut note = |id, text: String| place.notes.push(Note { id, text });
        match (&self.table, func) {
            (Err(error), _) => note("no-pclntab", error.to_string()),
            (Ok(table), None) if (table.text()..table.etext()).contains(&place.pc) => {
                note("not-in-pclntab", "it lies within Go's code, but in no function of pclntab".to_owned());
            }
            (Ok(table), None) => {
                let before = place.section.as_deref() == Some(".text") && place.pc < table.text();
                let text = if before {
                    "it lies before runtime.text, in the same section: code of the C compiler, which pclntab does not list"
                } else {
                    "it lies outside of Go's code: C or the linker's, which pclntab does not list"
                };
                note("not-go", text.to_owned());
            }
            (Ok(_), Some(_)) => {}
        }
        if self.generated {
            note("generated", "the program generated this code while it ran: it is in no file".to_owned());
        }
        match self.code_info() {
            _ if self.generated => {}
            Err(error) => note("no-debug-info", error.to_string()),
            Ok(info) if info.damaged() > 0 => {
                let text =
                    format!("{} of DWARF's units cannot be read: what they say of the code is missing", info.damaged());
                note("debug-info-damaged", text);
            }
            Ok(_) => {}
        }
        let symbols = self.image.symbol_table();
        if !self.generated && (symbols.is_empty() || symbols.only_dynamic()) {
            note("no-symbols", "the file has no symbol table".to_owned());
        }
        if place.line.differs() {
            let place_of = |w| place.line.statements().iter().any(|s| s.by.contains(&w));
            if place_of(Witness::Pclntab) && place_of(Witness::LineTable) {
                let text = "pclntab and the line table disagree: the runtime's tracebacks go by pclntab, debuggers by the line table";
                place.notes.push(Note::new("lines-differ", text));
            }
        }
        if place.frames.differs() {
            let text = "pclntab and DWARF disagree on what is inlined here: the runtime's tracebacks go by pclntab";
            place.notes.push(Note::new("inlining-differs", text));
        }
        if let Some(call) = &place.call_before
            && call.frames.first().map(|f| &f.at) != place.frames.first().and_then(|f| f.first()).map(|f| &f.at)
        {
            let text = "as a return address it belongs to the call before it: tracebacks look up the byte before";
            place.notes.push(Note::new("return-address", text));
        }
    }
}

impl Frame {
    pub(crate) fn of(frame: &gopsy_image::SourceFrame) -> Frame {
        let line = frame.line.and_then(|l| u64::try_from(l).ok());
        Frame { function: frame.function.clone(), at: SourceLine { file: frame.file.clone(), line } }
    }
}

impl SourceLine {
    /// What pclntab says of a place in a function.
    pub(crate) fn of(func: &Func<'_>, pc: LinkAddr) -> SourceLine {
        SourceLine { file: func.file(pc), line: func.line(pc).and_then(|l| u64::try_from(l).ok()) }
    }
}

fn same_function(a: &Function, b: &Function) -> bool {
    a.entry == b.entry && same_name(&a.name, &b.name)
}

/// The same functions, and the same calls around the innermost. Its own line is compared elsewhere.
fn same_frames(a: &[Frame], b: &[Frame]) -> bool {
    let name = |f: &Frame| f.function.clone().unwrap_or_default();
    let calls = a.iter().zip(b).skip(1).all(|(a, b)| a.at == b.at);
    a.len() == b.len() && calls && a.iter().zip(b).all(|(a, b)| same_name(&name(a), &name(b)))
}

/// The mark of the second calling convention of a name (`mangleABIName` in `cmd/link/internal/ld/symtab.go`).
fn without_abi(name: &str) -> &str {
    name.strip_suffix(".abi0").or_else(|| name.strip_suffix(".abiinternal")).unwrap_or(name)
}

/// A name with `[...]` for its type arguments, as pclntab has it up to Go 1.20 (`cmd/link/internal/ld/pcln.go`) and as
/// tracebacks print it since (`runtime.funcNameForPrint`).
pub(crate) fn without_type_arguments(name: &str) -> String {
    match (name.find('['), name.rfind(']')) {
        (Some(open), Some(close)) if open < close => {
            let end = close.saturating_add(1);
            format!("{}[...]{}", name.get(..open).unwrap_or(""), name.get(end..).unwrap_or(""))
        }
        _ => name.to_owned(),
    }
}

/// Whether two sources mean one function.
pub(crate) fn same_name(a: &str, b: &str) -> bool {
    let plain = |name: &str| without_type_arguments(without_abi(name));
    a == b || plain(a) == plain(b)
}

/// How two spellings of one name differ.
fn spelling(first: &str, symbol: &str) -> Note {
    if without_abi(symbol) != symbol {
        let ending = symbol.rsplit('.').next().unwrap_or_default();
        let text = format!(
            "the symbol table has it as {symbol}: .{ending} is the calling convention, which pclntab leaves out"
        );
        return Note::new("calling-convention", text);
    }
    let text = format!("the symbol table has it as {symbol}: pclntab leaves type arguments out ({first})");
    Note::new("type-arguments", text)
}
