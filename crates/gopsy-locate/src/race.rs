//! Calls that `-race` puts into a program (`cmd/compile/internal/ssagen/ssa.go`, `walk/race.go`; `runtime/race_amd64.s`).

use crate::SourceLine;
use crate::body::Body;
use crate::{Locator, Unseen};
use gopsy_image::Func;
use gopsy_mem::LinkAddr;

/// What a call tells the race detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RaceHook {
    /// A function begins.
    FunctionEntry,
    /// A function ends.
    FunctionExit,
    /// Memory is read.
    Read,
    /// Memory is written.
    Write,
    /// Several bytes are read.
    ReadRange,
    /// Several bytes are written.
    WriteRange,
}

impl RaceHook {
    fn of(function: &str) -> Option<RaceHook> {
        Some(match function {
            "runtime.racefuncenter" => RaceHook::FunctionEntry,
            "runtime.racefuncexit" => RaceHook::FunctionExit,
            "runtime.raceread" => RaceHook::Read,
            "runtime.racewrite" => RaceHook::Write,
            "runtime.racereadrange" => RaceHook::ReadRange,
            "runtime.racewriterange" => RaceHook::WriteRange,
            _ => return None,
        })
    }

    /// The word, which is also the one of the wire form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RaceHook::FunctionEntry => "function-entry",
            RaceHook::FunctionExit => "function-exit",
            RaceHook::Read => "read",
            RaceHook::Write => "write",
            RaceHook::ReadRange => "read-range",
            RaceHook::WriteRange => "write-range",
        }
    }
}

/// A call into the race detector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaceCall {
    /// The call.
    pub at: LinkAddr,
    /// What it tells.
    pub hook: RaceHook,
    /// The line of the code that is instrumented.
    pub line: SourceLine,
}

impl Locator<'_> {
    /// What a call of that address tells the race detector, if anything.
    pub(crate) fn race_hook(&self, target: LinkAddr) -> Option<RaceHook> {
        let func = self.func(target).filter(|f| f.entry() == target)?;
        RaceHook::of(&func.name()?)
    }

    /// The calls into the race detector from the function at that address, by address. Where there are none, it may be that the
    /// function is not instrumented, or that it has nothing to tell.
    ///
    /// # Errors
    /// Why nobody could look.
    pub fn race_calls(&self, pc: LinkAddr) -> Result<Vec<RaceCall>, Unseen> {
        self.looks_for_calls()?;
        let func = self.func(pc).ok_or(Unseen::NoFunction)?;
        let body = self.body(&func).ok_or(Unseen::NoCode)?;
        Ok(self.race_calls_of(&func, &body))
    }

    fn race_calls_of(&self, func: &Func<'_>, body: &Body) -> Vec<RaceCall> {
        let calls = body.calls().filter_map(|(at, target)| Some((at, self.race_hook(target)?)));
        calls.map(|(at, hook)| RaceCall { at, hook, line: SourceLine::of(func, at) }).collect()
    }
}
