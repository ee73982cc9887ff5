//! The code of a process that is not Go's: C in the executable, shared libraries, the vDSO.

use crate::cfi::{self, Rules, Tables};
use gopsy_image::{Image, SourceFrame};
use gopsy_insn::{Decoder, Flow};
use gopsy_mem::{Addr, Bias, Memory, Range};
use rustc_hash::FxHashMap;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// What tables say is kept for so many pcs.
const MAX_KEPT: usize = 1 << 16;
/// The lines of so many addresses are looked for; each may cost as much as the unit that it lies in.
const MAX_LINES: usize = 1 << 12;
/// A call instruction has 2 to 8 bytes (`ff /2` with a prefix, SIB and displacement; Intel's manual, volume 2, CALL).
const CALL_LENGTHS: std::ops::RangeInclusive<u64> = 2..=8;
/// What the kernel returns to behind a handler: `mov $15, %rax; syscall`. gdb and libgcc know signal frames by these
/// bytes, so libraries and the Go runtime (1.27: `runtime.sigreturn__sigaction`) write them exactly so.
const RESTORER: [u8; 9] = [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];

/// One file with code in it.
struct Module {
    image: Arc<Image>,
    bias: Bias,
    /// The base name of the file, for what has no symbol: `libc.so.6`.
    name: String,
    /// Where its code was.
    code: Vec<Range>,
    tables: OnceCell<Tables>,
}

/// A place in code that is not Go's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ForeignRef {
    module: u32,
}

/// What tables say of pcs that were met: of each, if they say anything.
type Kept = FxHashMap<(u32, Addr), Option<Rc<Rules>>>;
/// The lines of addresses that were met.
type KeptLines = FxHashMap<(u32, Addr), Rc<[SourceFrame]>>;

/// What a symbol table says of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbolised {
    /// The function, or the file where no symbol tells: `libc.so.6`.
    pub name: String,
    /// How far the place stands behind the function's first byte, or behind the file's, in bytes.
    pub offset: u64,
    /// It is a function's name.
    pub is_function: bool,
}

/// The files of a process with code that is not Go's, with what was read of their tables.
pub struct Foreign {
    modules: Vec<Module>,
    /// Where files were loaded that cannot be read, and their names.
    missing: Vec<(Range, Rc<str>)>,
    kept: RefCell<Kept>,
    lines: RefCell<KeptLines>,
    budget: Cell<u64>,
}

impl Default for Foreign {
    fn default() -> Self {
        let (kept, lines) = (RefCell::default(), RefCell::default());
        Foreign { modules: Vec::new(), missing: Vec::new(), kept, lines, budget: cfi::budget() }
    }
}

impl Foreign {
    /// No code.
    #[must_use]
    pub fn new() -> Self {
        Foreign::default()
    }

    /// Adds a file that was loaded with that bias: the executable (for its C part), a library, the vDSO.
    pub fn add(&mut self, image: Arc<Image>, bias: Bias, name: impl Into<String>) {
        let executable = image.segments().iter().filter(|s| s.executable);
        let code = executable.map(|s| Range::new(bias.load(s.address), s.memory_size)).collect();
        self.modules.push(Module { image, bias, name: name.into(), code, tables: OnceCell::new() });
    }

    /// Adds where the code of a file was loaded that is not here, or not proved to be the one that was loaded.
    pub fn add_missing(&mut self, mapped: impl IntoIterator<Item = Range>, name: &str) {
        let name: Rc<str> = name.into();
        self.missing.extend(mapped.into_iter().map(|range| (range, Rc::clone(&name))));
    }

    /// The name of the file that was loaded there and cannot be read.
    pub(crate) fn missing_at(&self, pc: Addr) -> Option<Rc<str>> {
        self.missing.iter().find(|(range, _)| range.contains(pc)).map(|(_, name)| Rc::clone(name))
    }

    /// The file whose code holds that address.
    #[must_use]
    pub fn find(&self, pc: Addr) -> Option<ForeignRef> {
        let holds = |m: &Module| m.code.iter().any(|range| range.contains(pc));
        let module = self.modules.iter().position(holds)?;
        Some(ForeignRef { module: u32::try_from(module).ok()? })
    }

    fn module(&self, reference: ForeignRef) -> Option<&Module> {
        self.modules.get(usize::try_from(reference.module).ok()?)
    }

    /// What stands at an address of that file: its function by the symbol table, else its place in the file.
    #[must_use]
    pub fn symbolise(&self, reference: ForeignRef, at: Addr) -> Option<Symbolised> {
        let module = self.module(reference)?;
        let stated = module.bias.unload(at);
        if let Some(symbol) = module.image.symbol_at(stated) {
            // `.symtab` has versions in its names.
            let name = symbol.name.split_once('@').map_or(&*symbol.name, |(name, _)| name).to_owned();
            return Some(Symbolised { name, offset: stated.offset_from(symbol.address)?, is_function: true });
        }
        let base = module.image.segments().iter().map(|s| s.address).min()?;
        Some(Symbolised { name: module.name.clone(), offset: stated.offset_from(base)?, is_function: false })
    }

    /// The base name of that file.
    #[must_use]
    pub fn name(&self, reference: ForeignRef) -> Option<&str> {
        Some(&self.module(reference)?.name)
    }

    /// The functions of the source at an address in that file, by its debug information: those that are inlined there, innermost
    /// first, then the one that holds the code. Empty where nothing tells; `None` where so many places were looked up that no more are.
    #[must_use]
    pub fn source_frames(&self, reference: ForeignRef, at: Addr) -> Option<Rc<[SourceFrame]>> {
        let key = (reference.module, at);
        if let Some(frames) = self.lines.borrow().get(&key) {
            return Some(Rc::clone(frames));
        }
        let mut kept = self.lines.borrow_mut();
        if kept.len() >= MAX_LINES {
            return None;
        }
        let frames: Rc<[SourceFrame]> = self.read_frames(reference, at).unwrap_or_default().into();
        kept.insert(key, Rc::clone(&frames));
        Some(frames)
    }

    fn read_frames(&self, reference: ForeignRef, at: Addr) -> Option<Vec<SourceFrame>> {
        let module = self.module(reference)?;
        let stated = module.bias.unload(at);
        let info = module.image.code_info().ok()?;
        let row = info.row_at(stated)?;
        let frames = info.source_frames(stated, Some(&row));
        // A line table alone tells the line of the function that the symbols name.
        let bare = || {
            let line = row.line.and_then(|line| i32::try_from(line).ok());
            SourceFrame { function: None, file: row.file.as_deref().map(str::to_owned), line, inlined: false }
        };
        Some(if frames.is_empty() { vec![bare()] } else { frames })
    }

    /// Where the function begins that holds an address, if a symbol tells.
    pub(crate) fn function_start(&self, at: Addr) -> Option<Addr> {
        let module = self.module(self.find(at)?)?;
        module.image.symbol_at(module.bias.unload(at)).map(|s| module.bias.load(s.address))
    }

    /// What the tables say of an address, and the bias of its file.
    pub(crate) fn rules(&self, at: Addr) -> Option<(Rc<Rules>, Bias)> {
        let reference = self.find(at)?;
        let module = self.module(reference)?;
        let key = (reference.module, at);
        if let Some(rules) = self.kept.borrow().get(&key) {
            return rules.clone().map(|r| (r, module.bias));
        }
        let tables = module.tables.get_or_init(|| Tables::of(&module.image, &self.budget));
        let rules = tables.rules(&module.image, module.bias.unload(at), &self.budget).map(Rc::new);
        let mut kept = self.kept.borrow_mut();
        if kept.len() < MAX_KEPT {
            kept.insert(key, rules.clone());
        }
        rules.map(|r| (r, module.bias))
    }

    /// Whether an instruction is the one that the kernel returns to behind a signal handler.
    pub(crate) fn is_restorer(&self, mem: &dyn Memory, at: Addr) -> bool {
        let mut bytes = [0; RESTORER.len()];
        if mem.read(at, &mut bytes).is_ok() && bytes == RESTORER {
            return true;
        }
        self.rules(at).is_some_and(|(rules, _)| rules.signal)
    }
}

impl std::fmt::Debug for Foreign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.modules.iter().map(|m| &m.name)).finish()
    }
}

/// The call instruction that ends right before an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallBefore {
    /// It calls this function.
    Direct(Addr),
    /// It calls whatever a register or memory says.
    Indirect,
}

/// The call instruction right before a return address. Bytes can be read as calls by chance: that there is one makes a
/// return address plausible, that there is none refutes it.
pub(crate) fn call_before(mem: &dyn Memory, back: Addr) -> Option<CallBefore> {
    let mut indirect = false;
    for length in CALL_LENGTHS {
        let start = back.checked_sub(length)?;
        let mut bytes = [0; 8];
        let bytes = bytes.get_mut(..usize::try_from(length).ok()?)?;
        if mem.read(start, bytes).is_err() {
            break;
        }
        let Some(insn) = Decoder::new(bytes, start).next().filter(|i| u64::from(i.len()) == length) else { continue };
        match insn.flow() {
            Flow::Call(target) => return Some(CallBefore::Direct(target)),
            Flow::IndirectCall => indirect = true,
            _ => {}
        }
    }
    indirect.then_some(CallBefore::Indirect)
}
