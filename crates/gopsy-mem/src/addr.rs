//! Addresses that cannot be mixed up.

use std::fmt;

/// An address in the running (or dead) process: where something really stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Addr(pub u64);

/// An address as stated in a file: virtual addresses of ELF headers, pclntab, moduledata and DWARF before loading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LinkAddr(pub u64);

/// What the loader added to the addresses of a file: 0 for a plain executable, anything for a PIE or a shared object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Bias(u64);

impl Addr {
    /// The address `n` bytes further on, or `None` beyond the end of the address space.
    #[must_use]
    pub fn checked_add(self, n: u64) -> Option<Addr> {
        self.0.checked_add(n).map(Addr)
    }

    /// The address `n` bytes before, or `None` below zero.
    #[must_use]
    pub fn checked_sub(self, n: u64) -> Option<Addr> {
        self.0.checked_sub(n).map(Addr)
    }

    /// How many bytes this address stands behind `base`, or `None` if it stands before it.
    #[must_use]
    pub fn offset_from(self, base: Addr) -> Option<u64> {
        self.0.checked_sub(base.0)
    }

    /// Whether it is the null address.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.0 == 0
    }
}

impl LinkAddr {
    /// The address `n` bytes further on, or `None` beyond the end of the address space.
    #[must_use]
    pub fn checked_add(self, n: u64) -> Option<LinkAddr> {
        self.0.checked_add(n).map(LinkAddr)
    }

    /// How many bytes this address stands behind `base`, or `None` if it stands before it.
    #[must_use]
    pub fn offset_from(self, base: LinkAddr) -> Option<u64> {
        self.0.checked_sub(base.0)
    }
}

impl Bias {
    /// A file that was loaded where its headers say.
    pub const ZERO: Bias = Bias(0);

    /// The bias that turns `stated` into `loaded`. Modulo 2⁶⁴: a file may be loaded below its stated address.
    #[must_use]
    pub fn between(stated: LinkAddr, loaded: Addr) -> Bias {
        Bias(loaded.0.wrapping_sub(stated.0))
    }

    /// Where something that the file states really stands.
    #[must_use]
    pub fn load(self, stated: LinkAddr) -> Addr {
        Addr(stated.0.wrapping_add(self.0))
    }

    /// What the file calls an address of the process.
    #[must_use]
    pub fn unload(self, loaded: Addr) -> LinkAddr {
        LinkAddr(loaded.0.wrapping_sub(self.0))
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Display for LinkAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A half-open range `[start, end)` of loaded addresses. Empty when `end <= start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Range {
    /// The first address inside.
    pub start: Addr,
    /// The first address behind it.
    pub end: Addr,
}

impl Range {
    /// The range of `len` bytes at `start`, cut off at the end of the address space.
    #[must_use]
    pub fn new(start: Addr, len: u64) -> Range {
        Range { start, end: Addr(start.0.saturating_add(len)) }
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(self) -> u64 {
        self.end.0.saturating_sub(self.start.0)
    }

    /// Whether nothing is inside.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether the address is inside.
    #[must_use]
    pub fn contains(self, addr: Addr) -> bool {
        self.start <= addr && addr < self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bias_goes_both_ways_and_below_the_stated_address() {
        let stated = LinkAddr(0x40_0000);
        for loaded in [Addr(0x5555_5555_4000), Addr(0x1000), Addr(0x40_0000)] {
            let bias = Bias::between(stated, loaded);
            assert_eq!(bias.load(stated), loaded);
            assert_eq!(bias.unload(loaded), stated);
        }
        assert_eq!(Bias::between(stated, Addr(0x40_0000)), Bias::ZERO);
    }

    #[test]
    fn ranges_are_half_open_and_saturate() {
        let r = Range::new(Addr(0x10), 0x10);
        assert!(r.contains(Addr(0x10)) && r.contains(Addr(0x1f)) && !r.contains(Addr(0x20)));
        assert_eq!(Range::new(Addr(u64::MAX - 1), 100).len(), 1);
        assert!(Range { start: Addr(5), end: Addr(3) }.is_empty());
    }
}
