//! Panics: `runtime._panic` and the text that the runtime prints for one (`runtime/panic.go`, `runtime/error.go`).

use crate::reader::missing;
use crate::{FloatFormat, Functions, Known, Runtime};
use gopsy_mem::{Addr, MemoryExt};
use gopsy_model::{HeldValue, Missing, Str};
use std::collections::HashSet;

/// Panics within panics; the runtime itself sets no bound.
const MAX_PANICS: usize = 1024;
/// The ring has 512 bytes in all releases from 1.16 to 1.27.
const MAX_BACKLOG: usize = 64 * 1024;

/// One panic of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panic {
    /// Where the struct stands: in the frame of its `runtime.gopanic`.
    pub address: Addr,
    /// The value as the runtime prints it. Of an error or a Stringer it is the text: `preprintpanics` has replaced the
    /// value by it before the process died.
    pub value: Known<Str>,
    /// `[recovered]`.
    pub recovered: bool,
    /// `[recovered, repanicked]` (Go 1.25+).
    pub repanicked: bool,
    /// `runtime.Goexit` in progress, not a panic; the runtime prints nothing for it.
    pub goexit: bool,
}

impl Runtime<'_> {
    /// The panics of a goroutine in the order in which the runtime prints them, the oldest first. How it prints floating-point
    /// numbers, `floats` knows.
    #[must_use]
    pub fn panics(&self, innermost: Addr, floats: &dyn Fn() -> FloatFormat) -> Vec<Panic> {
        let mut chain = Vec::new();
        let mut seen = HashSet::new();
        let mut next = Some(innermost);
        while let Some(at) = next.filter(|at| !at.is_null() && chain.len() < MAX_PANICS && seen.insert(*at)) {
            let flag = |name| self.word(at, &[("runtime._panic", name)]).value().is_some_and(|v| *v != 0);
            chain.push(Panic {
                address: at,
                value: self.panic_value(at, floats),
                recovered: flag("recovered"),
                repanicked: flag("repanicked"),
                goexit: flag("goexit"),
            });
            next = self.pointer(at, &[("runtime._panic", "link")]).into_value();
        }
        chain.reverse();
        // Without its flags a panic of several cannot be told: it may have been recovered, or be the same as the next.
        let flags_known = self.layouts.field("runtime._panic", "recovered").is_some();
        if !flags_known && chain.len() > 1 {
            for panic in &mut chain {
                let why = "one of several panics, of which it is not known whether they were recovered";
                panic.value = Known::Missing(Missing::NotSupported(why.into()));
            }
        }
        // printpanics: a panic whose predecessor is marked as repanicked is the same panic again and is not printed.
        let mut printed: Vec<Panic> = Vec::new();
        let mut repeated = false;
        for panic in chain {
            let skip = repeated;
            repeated = panic.repanicked;
            if !skip && !panic.goexit {
                printed.push(panic);
            }
        }
        printed
    }

    /// The value that was given to a panic, when `arguments` are those of its `runtime.gopanic`: where a caller has put them, or
    /// where a function that got them in registers may have saved them. They are believed if they are what the panic holds, or
    /// if that is the text which the runtime has put in their place. `functions` names the functions in it.
    #[must_use]
    pub fn held_value(&self, panic: Addr, arguments: Addr, functions: Functions<'_>) -> Option<HeldValue> {
        let words = |at: Addr| Some((self.mem.ptr(at).ok()?, self.mem.ptr(at.checked_add(8)?).ok()?));
        let (descriptor, data) = words(arguments)?;
        let (now, _) = words(self.place(panic, "runtime._panic", "arg")?)?;
        if descriptor.is_null() && now.is_null() {
            return Some(HeldValue { type_name: "nil".into(), text: "nil".into() });
        }
        let as_text = || self.type_at(now).is_ok_and(|of| of.name == "string");
        if descriptor != now && !as_text() {
            return None;
        }
        let type_name = self.type_at(descriptor).ok()?.name.into();
        Some(HeldValue { type_name, text: self.value(descriptor, data, functions)?.into() })
    }

    fn panic_value(&self, panic: Addr, floats: &dyn Fn() -> FloatFormat) -> Known<Str> {
        match self.place(panic, "runtime._panic", "arg") {
            Some(at) => self.printed_value(at, floats),
            None => Known::Missing(self.layouts.no_member("runtime._panic", "arg")),
        }
    }

    /// What the runtime printed last before it began to die: `runtime.printBacklog`, a ring of 512 bytes
    /// (`recordForPanic` in `runtime/print.go`). It holds the `fatal error: …` of `throw` and `fatal` and the lines before
    /// it, also what the program printed by `print`; never a `panic: …`, nor anything that is printed while dying.
    #[must_use]
    pub fn backlog(&self) -> Known<String> {
        let variable = |name| self.layouts.variable(name).ok_or_else(|| self.layouts.no_variable(name));
        let (ring, index) = match (variable("runtime.printBacklog"), variable("runtime.printBacklogIndex")) {
            (Ok(ring), Ok(index)) => (ring, index),
            (Err(why), _) | (_, Err(why)) => return Known::Missing(why),
        };
        let size = ring.size.unwrap_or(0);
        let bytes = self.mem.bytes(self.bias.load(ring.address), size, MAX_BACKLOG);
        let next = self.mem.u64(self.bias.load(index.address));
        let (bytes, next) = match (bytes, next) {
            (Ok(bytes), Ok(next)) => (bytes, next),
            (Err(fault), _) | (_, Err(fault)) => return Known::Missing(missing(fault)),
        };
        // The oldest byte stands where the next one would be written.
        let (newer, older) = bytes.split_at(usize::try_from(next).unwrap_or(0).min(bytes.len()));
        let text: Vec<u8> = older.iter().chain(newer).copied().skip_while(|b| *b == 0).collect();
        self.have(String::from_utf8_lossy(&text).into_owned())
    }
}
