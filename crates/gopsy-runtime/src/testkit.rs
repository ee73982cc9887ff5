//! A tiny runtime in memory, with made-up layouts: nothing here may depend on where a real release has its members.

use crate::{Basis, Layouts, Runtime};
use gopsy_image::{Field, StructLayout, TypeSection, Variable};
use gopsy_mem::{Addr, Bias, LinkAddr, Memory, SliceMemory};
use gopsy_model::Source;
use std::collections::HashMap;

pub(crate) const G1: u64 = 0xc000_1000;
pub(crate) const G0: u64 = 0xc000_2000;
pub(crate) const M0: u64 = 0xc000_3000;
pub(crate) const PANIC: u64 = 0xc000_4000;
pub(crate) const TYPES: u64 = 0x50_0000;
/// What the loader added.
pub(crate) const BIAS: u64 = 0x1000_0000;

const ALLGS: u64 = 0x60_0000;
const ALLM: u64 = 0x60_0020;
const REASONS: u64 = 0x60_0040;
const SIGTABLE: u64 = 0x60_0080;
pub(crate) const BACKLOG: u64 = 0x60_0300;

pub(crate) fn layouts() -> Layouts {
    let of = |size, fields: &[(&str, u64, u64)]| StructLayout {
        size,
        fields: fields.iter().map(|(n, o, s)| ((*n).to_owned(), Field { offset: *o, size: Some(*s) })).collect(),
    };
    let structs = [
        ("runtime.stack", of(16, &[("hi", 0, 8), ("lo", 8, 8)])),
        ("runtime.gobuf", of(16, &[("pc", 0, 8), ("sp", 8, 8)])),
        (
            "runtime.g",
            of(
                0x200,
                &[
                    ("stack", 0x10, 16),
                    ("sched", 0x20, 16),
                    ("goid", 0x30, 8),
                    ("atomicstatus", 0x38, 4),
                    ("waitreason", 0x3c, 1),
                    ("m", 0x40, 8),
                    ("_panic", 0x48, 8),
                    ("sig", 0x50, 4),
                    ("sigcode0", 0x58, 8),
                    ("sigcode1", 0x60, 8),
                    ("sigpc", 0x68, 8),
                ],
            ),
        ),
        (
            "runtime.m",
            of(
                0x100,
                &[
                    ("g0", 0, 8),
                    ("curg", 8, 8),
                    ("procid", 0x10, 8),
                    ("dying", 0x18, 4),
                    ("throwing", 0x1c, 4),
                    ("alllink", 0x20, 8),
                    ("id", 0x28, 8),
                ],
            ),
        ),
        (
            "runtime._panic",
            of(
                0x40,
                &[("link", 0, 8), ("arg", 8, 16), ("recovered", 0x18, 1), ("repanicked", 0x19, 1), ("goexit", 0x1a, 1)],
            ),
        ),
        ("runtime.sigTabT", of(24, &[("flags", 0, 4), ("name", 8, 16)])),
    ];
    let variables = [
        ("runtime.allgs", ALLGS, 24),
        ("runtime.allm", ALLM, 8),
        ("runtime.waitReasonStrings", REASONS, 32),
        ("runtime.sigtable", SIGTABLE, 48),
        ("runtime.printBacklog", BACKLOG, 16),
        ("runtime.printBacklogIndex", BACKLOG + 16, 8),
    ];
    let variables = variables.map(|(n, a, s)| (n.to_owned(), Variable { address: LinkAddr(a), size: Some(s) }));
    Layouts::made_of(
        structs.map(|(n, l)| (n.to_owned(), l)).into_iter().collect(),
        HashMap::from(variables),
        Some(TypeSection {
            types: LinkAddr(TYPES),
            etypes: LinkAddr(TYPES + 0x2000),
            two_byte_lengths: false,
            map_strides: false,
        }),
        Basis::DebugInfo,
    )
}

pub(crate) fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// One thread that runs goroutine 7, which is dying of SIGSEGV.
pub(crate) fn memory() -> SliceMemory {
    let mut g = vec![0u8; 0x200];
    let mut at = |offset: usize, value: u64| g[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    at(0x10, 0x7000_2000);
    at(0x18, 0x7000_0000);
    at(0x20, 0x40_1234);
    at(0x28, 0x7000_1f00);
    at(0x30, 7);
    at(0x38, 2 | 0x1000 | 1 << 32);
    at(0x40, M0);
    at(0x48, PANIC);
    at(0x50, 1);
    at(0x58, (-6i64).cast_unsigned());
    at(0x60, 0x30);
    at(0x68, 0x40_1111);
    let mut g0 = vec![0u8; 0x200];
    g0[0x40..0x48].copy_from_slice(&M0.to_le_bytes());
    let loaded = |address| Addr(address + BIAS);
    SliceMemory::new()
        .with(Addr(G1), g)
        .with(Addr(G0), g0)
        .with(Addr(M0), words(&[G0, G1, 4242, 1, 0, 3]))
        .with(loaded(ALLGS), words(&[0xc000_5000, 1, 1]))
        .with(Addr(0xc000_5000), words(&[G1]))
        .with(loaded(ALLM), words(&[M0]))
        .with(loaded(REASONS), words(&[loaded(0x60_0100).0, 4, loaded(0x60_0100).0 + 4, 12]))
        .with(loaded(0x60_0100), b"zerochan receive".to_vec())
        .with(loaded(SIGTABLE), words(&[0, 0, 0, 0, loaded(0x60_0200).0, 9]))
        .with(loaded(0x60_0200), b"SIGX: why".to_vec())
}

pub(crate) fn check<T>(memory: &dyn Memory, question: impl FnOnce(Runtime<'_>) -> T) -> T {
    let layouts = layouts();
    question(Runtime::new(memory, &layouts, Bias::between(LinkAddr(0), Addr(BIAS)), Source::Core))
}
