//! Reports of the race detector.

use crate::{Known, Stack, Str};

/// How memory was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccessKind {
    /// A read.
    Read,
    /// A write.
    Write,
}

/// One side of a data race.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Read or write.
    pub kind: AccessKind,
    /// Through sync/atomic.
    pub atomic: bool,
    /// `Previous read at …`: the access that was remembered, not the one that was caught.
    pub previous: bool,
    /// The address.
    pub address: Known<u64>,
    /// The goroutine; 0 stands for the main goroutine in the detector's own count (`by main goroutine`).
    pub goroutine: Known<u64>,
    /// The frames; missing when the detector could not restore them.
    pub stack: Stack,
}

/// A part of a report that is not one of the two accesses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaceSection {
    /// Its heading (`Goroutine 7 (running) created at:`, `Heap block of size …`, `Mutex M1 … created at:`).
    pub heading: Str,
    /// The goroutine it is about, if it is about one.
    pub goroutine: Known<u64>,
    /// Its frames.
    pub stack: Stack,
}

/// `WARNING: DATA RACE` and what follows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RaceReport {
    /// The accesses in the order of the text.
    pub accesses: Vec<Access>,
    /// Creation stacks, heap blocks, mutexes.
    pub sections: Vec<RaceSection>,
}
