//! Reading members by name.

use crate::slots::Slot;
use crate::{Known, Layouts};
use gopsy_mem::{Addr, Bias, Fault, Memory, MemoryExt, Why};
use gopsy_model::{Missing, Source};

/// Strings of the target longer than this are cut.
const MAX_STRING: usize = 64 * 1024;
/// So much of a struct is read at once; `runtime.g` has 456 bytes in Go 1.27.
const RECORD: usize = 512;

/// The runtime of one process: its memory and where things stand in it.
#[derive(Clone, Copy)]
pub struct Runtime<'a> {
    pub(crate) mem: &'a dyn Memory,
    pub(crate) layouts: &'a Layouts,
    pub(crate) bias: Bias,
    source: Source,
}

/// A struct that was read at once, or as far as that could be done.
pub(crate) struct Record<'a> {
    runtime: Runtime<'a>,
    base: Addr,
    bytes: [u8; RECORD],
    len: usize,
}

impl Record<'_> {
    /// A member.
    pub(crate) fn word(&self, slot: Slot) -> Known<u64> {
        let held = |(offset, size): (u64, u64)| {
            let from = self.bytes.get(..self.len)?.get(usize::try_from(offset).ok()?..)?;
            from.get(..usize::try_from(size).ok()?)
        };
        match slot.place.and_then(held) {
            Some(bytes) => {
                self.runtime.have(bytes.iter().rev().fold(0u64, |value, byte| value.wrapping_shl(8) | u64::from(*byte)))
            }
            // A struct of which one page is missing is read member by member.
            None => self.runtime.slot(self.base, slot),
        }
    }
}

/// What a fault means for the question that met it.
#[must_use]
pub fn missing(fault: Fault) -> Missing {
    match fault.why {
        Why::NotHeld => Missing::NotInCore,
        Why::OtherBuild => Missing::WrongBuild,
        Why::Changed => Missing::Torn,
        Why::Unmapped | Why::Unreadable => Missing::Unreadable(fault.to_string().into()),
    }
}

impl<'a> Runtime<'a> {
    /// The runtime found in `mem`, whose binary was loaded with `bias`. `source` is what the answers will name.
    #[must_use]
    pub fn new(mem: &'a dyn Memory, layouts: &'a Layouts, bias: Bias, source: Source) -> Self {
        Runtime { mem, layouts, bias, source }
    }

    /// A value read where a layout says that it stands.
    pub(crate) fn have<T>(&self, value: T) -> Known<T> {
        Known::have(value, self.layouts.trust(), self.source)
    }

    /// An unsigned member of up to 8 bytes: `path` leads from the struct at `base` through nested ones.
    pub(crate) fn word(&self, base: Addr, path: &[(&str, &str)]) -> Known<u64> {
        match self.layouts.locate(path) {
            Ok((offset, size)) => self.load(base, offset, size),
            Err(why) => Known::Missing(why),
        }
    }

    /// A member of the g at that address.
    pub(crate) fn slot(&self, g: Addr, slot: Slot) -> Known<u64> {
        match slot.place {
            Some((offset, size)) => self.load(g, offset, Some(size)),
            None => Known::Missing(self.layouts.no_member("runtime.g", slot.name)),
        }
    }

    /// The g at that address, read at once.
    pub(crate) fn record(&self, base: Addr) -> Record<'a> {
        let mut record = Record { runtime: *self, base, bytes: [0; RECORD], len: 0 };
        let size = self.layouts.slots().size.min(RECORD);
        if let Some(bytes) = record.bytes.get_mut(..size)
            && self.mem.read(base, bytes).is_ok()
        {
            record.len = size;
        }
        record
    }

    pub(crate) fn load(&self, base: Addr, offset: u64, size: Option<u64>) -> Known<u64> {
        let Some(at) = base.checked_add(offset) else {
            return Known::Missing(Missing::Unreadable("an address beyond the end of memory".into()));
        };
        let value = match size {
            Some(1) => self.mem.u8(at).map(u64::from),
            Some(2) => self.mem.u16(at).map(u64::from),
            Some(4) => self.mem.u32(at).map(u64::from),
            Some(8) => self.mem.u64(at),
            _ => return Known::Missing(Missing::NotSupported("a member that is no single word".into())),
        };
        self.answer(value)
    }

    /// A pointer member.
    pub(crate) fn pointer(&self, base: Addr, path: &[(&str, &str)]) -> Known<Addr> {
        self.word(base, path).map(Addr)
    }

    /// The address of a member.
    pub(crate) fn place(&self, base: Addr, of: &str, name: &str) -> Option<Addr> {
        base.checked_add(self.layouts.field(of, name)?.offset)
    }

    pub(crate) fn answer<T>(&self, value: Result<T, Fault>) -> Known<T> {
        match value {
            Ok(value) => self.have(value),
            Err(fault) => Known::Missing(missing(fault)),
        }
    }

    /// The Go string whose header stands at `at`.
    pub(crate) fn string(&self, at: Addr) -> Result<String, Fault> {
        let data = self.mem.ptr(at)?;
        let len = self.mem.u64(at.checked_add(8).ok_or(Fault { address: at, why: Why::Unmapped })?)?;
        let bytes = self.mem.bytes(data, len, MAX_STRING)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Element `index` of a global array of strings, each `stride` bytes apart with its header `offset` bytes inside.
    pub(crate) fn string_in(&self, array: &str, stride: u64, offset: u64, index: u64) -> Known<gopsy_model::Str> {
        let Some(variable) = self.layouts.variable(array) else {
            return Known::Missing(self.layouts.no_variable(array));
        };
        let begin = index.checked_mul(stride);
        let inside =
            begin.and_then(|b| b.checked_add(stride)).is_some_and(|end| variable.size.is_some_and(|s| end <= s));
        let at =
            begin.and_then(|b| b.checked_add(offset)).and_then(|o| self.bias.load(variable.address).checked_add(o));
        match at.filter(|_| inside) {
            Some(at) => self.answer(self.string(at)).map(Into::into),
            None => Known::Missing(Missing::Unreadable(format!("{array} has no element {index}").into())),
        }
    }
}
