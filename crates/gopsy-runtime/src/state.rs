//! What the runtime knows of the whole process: its arguments, the names of its environment, its limits, the collector, the
//! heap.

use crate::heap::PAGE;
use crate::{Known, Runtime};
use gopsy_mem::{Addr, MemoryExt};
use gopsy_model::{Missing, Str};

/// More strings than this are not listed.
const MAX_STRINGS: u64 = 1 << 14;

/// What the collector does (`gcphase`, `runtime/mgc.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GcPhase {
    /// Not marking; perhaps sweeping.
    Off,
    /// Marking beside the program.
    Mark,
    /// Ending the marking; the world is stopped.
    MarkTermination,
}

impl GcPhase {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            GcPhase::Off => "off",
            GcPhase::Mark => "marking",
            GcPhase::MarkTermination => "mark termination",
        }
    }
}

/// The collector and the heap. Bytes, unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heap {
    /// What the collector was doing.
    pub phase: Known<GcPhase>,
    /// How many collections have begun.
    pub cycles: Known<u64>,
    /// `GOGC`; negative for off.
    pub gc_percent: Known<i64>,
    /// `GOMEMLIMIT`; `i64::MAX` for none (Go 1.19+).
    pub memory_limit: Known<u64>,
    /// What was marked by the last collection and allocated since.
    pub live: Known<u64>,
    /// The pages that hold objects.
    pub in_use: Known<u64>,
}

/// What the runtime does not let a program exceed: it throws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one goroutine's stack (`debug.SetMaxStack`; `goroutine stack exceeds`).
    pub stack: Known<u64>,
    /// Threads (`debug.SetMaxThreads`; `thread exhaustion`).
    pub threads: Known<u64>,
}

impl Runtime<'_> {
    /// The command line.
    #[must_use]
    pub fn arguments(&self) -> Known<Vec<Str>> {
        self.strings("runtime.argslice", |text| text)
    }

    /// The names of the environment. Its values may be secrets, and nobody needs them to name a cause.
    #[must_use]
    pub fn environment_names(&self) -> Known<Vec<Str>> {
        self.strings("runtime.envs", |text| text.split('=').next().unwrap_or_default())
    }

    /// What a program may not exceed.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            stack: self.global("runtime.maxstacksize", 8),
            threads: self.member_of("runtime.sched", "runtime.schedt", "maxmcount"),
        }
    }

    /// The collector and the heap.
    #[must_use]
    pub fn heap(&self) -> Heap {
        let phase = |raw| match raw {
            0 => Some(GcPhase::Off),
            1 => Some(GcPhase::Mark),
            2 => Some(GcPhase::MarkTermination),
            _ => None,
        };
        let controller = |name| self.member_of("runtime.gcController", "runtime.gcControllerState", name);
        Heap {
            phase: self.enumerated(self.global("runtime.gcphase", 4), phase, "the collector"),
            // Up to Go 1.18 the type has no name.
            cycles: self
                .member_of("runtime.work", "runtime.workType", "cycles")
                .or_else(|| self.member_of("runtime.work", "var runtime.work", "cycles")),
            // int32; in Go 1.16 not yet the controller's.
            gc_percent: controller("gcPercent")
                .or_else(|| self.global("runtime.gcpercent", 4))
                .map(|percent| u32::try_from(percent).map_or(i64::MAX, |percent| i64::from(percent.cast_signed()))),
            memory_limit: controller("memoryLimit"),
            live: controller("heapLive").or_else(|| self.member_of("runtime.memstats", "runtime.mstats", "heap_live")),
            in_use: self
                .member_of("runtime.mheap_", "runtime.mheap", "pagesInUse")
                .map(|pages| pages.saturating_mul(PAGE)),
        }
    }

    /// A variable that is one word of that many bytes.
    pub(crate) fn global(&self, name: &str, size: u64) -> Known<u64> {
        match self.layouts.variable(name) {
            Some(variable) => self.load(self.bias.load(variable.address), 0, Some(size)),
            None => Known::Missing(self.layouts.no_variable(name)),
        }
    }

    /// A member of a variable that is a struct.
    pub(crate) fn member_of(&self, variable: &str, of: &str, name: &str) -> Known<u64> {
        match self.layouts.variable(variable) {
            Some(at) => self.word(self.bias.load(at.address), &[(of, name)]),
            None => Known::Missing(self.layouts.no_variable(variable)),
        }
    }

    pub(crate) fn enumerated<T>(&self, raw: Known<u64>, of: impl Fn(u64) -> Option<T>, what: &str) -> Known<T> {
        match raw {
            Known::Have { value, .. } => match of(value) {
                Some(known) => self.have(known),
                None => Known::Missing(Missing::Unreadable(format!("{what} is in no state that exists").into())),
            },
            Known::Missing(why) => Known::Missing(why),
        }
    }

    /// Array and length of a variable that is a slice.
    pub(crate) fn slice(&self, name: &str, most: u64) -> Result<(Addr, u64), Missing> {
        let variable = self.layouts.variable(name).ok_or_else(|| self.layouts.no_variable(name))?;
        self.slice_at(self.bias.load(variable.address), most, name)
    }

    /// Array and length of the slice whose header stands there.
    pub(crate) fn slice_at(&self, at: Addr, most: u64, name: &str) -> Result<(Addr, u64), Missing> {
        let whole = || Some((self.mem.ptr(at), self.mem.u64(at.checked_add(8)?), self.mem.u64(at.checked_add(16)?)));
        match whole() {
            Some((Ok(array), Ok(len), Ok(capacity))) if len <= capacity && len <= most => Ok((array, len)),
            Some((Err(fault), ..) | (_, Err(fault), _) | (.., Err(fault))) => Err(crate::missing(fault)),
            _ => Err(Missing::Unreadable(format!("{name} has an impossible length").into())),
        }
    }

    /// The strings of a variable that is a slice of them, as far as they can be read.
    fn strings(&self, name: &str, part: impl Fn(&str) -> &str) -> Known<Vec<Str>> {
        let (array, len) = match self.slice(name, MAX_STRINGS) {
            Ok(slice) => slice,
            Err(why) => return Known::Missing(why),
        };
        let mut found = Vec::new();
        for index in 0..len {
            let Some(at) = array.checked_add(index.saturating_mul(16)) else { break };
            match self.string(at) {
                Ok(text) => found.push(part(&text).into()),
                Err(fault) => return Known::Missing(crate::missing(fault)),
            }
        }
        self.have(found)
    }
}
