//! The code of a process.

use crate::Pc;
use gopsy_image::{Func, GoModule, Pclntab, Stated};
use gopsy_mem::{Addr, Bias};

/// A function of a process: the module that holds it, and its index in that module's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FuncRef {
    module: u32,
    index: u32,
}

/// The Go code of a process: the tables of its modules. The first is the executable; plugins, shared libraries and generated code
/// follow.
#[derive(Clone, Default)]
pub struct Code<'a> {
    /// With what was added to the addresses that it states.
    first: Option<(Pclntab<'a>, Bias)>,
    /// Those that state where they were loaded, by the address of their code, and what they were read from. There may be thousands.
    more: Option<(&'a [GoModule], &'a dyn Stated)>,
}

impl<'a> Code<'a> {
    /// The code of one module.
    #[must_use]
    pub fn of(table: Pclntab<'a>, bias: Bias) -> Self {
        Code { first: Some((table, bias)), more: None }
    }

    /// With the modules that were read from the memory of the process, by the address of their code.
    #[must_use]
    pub fn with(self, modules: &'a [GoModule], memory: &'a dyn Stated) -> Self {
        Code { more: Some((modules, memory)), ..self }
    }

    /// The table of a module, with what was added to the addresses that it states.
    fn module(&self, number: u32) -> Option<(Pclntab<'a>, Bias)> {
        match number.checked_sub(1) {
            None => self.first,
            Some(index) => {
                let (modules, memory) = self.more?;
                Some((modules.get(usize::try_from(index).ok()?)?.pclntab(memory), Bias::ZERO))
            }
        }
    }

    /// Which function holds that address.
    #[must_use]
    pub fn find(&self, pc: Addr) -> Option<FuncRef> {
        let in_module = |module: u32| {
            let (table, bias) = self.module(module)?;
            let index = u32::try_from(table.index_of(bias.unload(pc))?).ok()?;
            Some(FuncRef { module, index })
        };
        // The last of the others whose code begins before it.
        let before = |module: &GoModule| Bias::ZERO.load(module.data().text) <= pc;
        let of_others = || self.more.and_then(|(modules, _)| u32::try_from(modules.partition_point(before)).ok());
        in_module(0).or_else(|| of_others().filter(|module| *module > 0).and_then(in_module))
    }

    /// Where a goroutine will go on that left off at `pc`: behind a call, or, if it has never run, at the first instruction of
    /// its function.
    #[must_use]
    pub fn resumption(&self, pc: Addr) -> Pc {
        match self.function(pc) {
            Some((func, bias)) if bias.load(func.entry()) == pc => Pc::Interrupted(pc),
            _ => Pc::Return(pc),
        }
    }

    /// A function, and what was added to the addresses that its tables state.
    #[must_use]
    pub fn func(&self, func: FuncRef) -> Option<(Func<'a>, Bias)> {
        let (table, bias) = self.module(func.module)?;
        Some((table.func(u64::from(func.index))?, bias))
    }

    /// The function whose code holds that address, and what was added to the addresses that its tables state.
    #[must_use]
    pub fn function(&self, pc: Addr) -> Option<(Func<'a>, Bias)> {
        self.func(self.find(pc)?)
    }

    /// The name of a function, as bytes of the file; of no function, none.
    #[must_use]
    pub fn raw_name(&self, func: impl Into<Option<FuncRef>>) -> Option<&'a [u8]> {
        self.func(func.into()?)?.0.raw_name()
    }
}
