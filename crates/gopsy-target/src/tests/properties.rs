//! What holds of any core: a model of a few stretches of memory, written, perhaps cut off, read back.

use crate::testkit::CoreFile;
use crate::{Core, TargetError};
use gopsy_mem::{Addr, Memory, Range, Why};
use proptest::prelude::*;
use std::sync::Arc;

/// A stretch: the gap before it, its length, how much of it is in the core.
fn stretches() -> impl Strategy<Value = Vec<(u64, u64, u64)>> {
    let stretch = (0u64..3, 1u64..0x9000, 0u64..0x9000).prop_map(|(gap, len, held)| (gap * 0x1000, len, held.min(len)));
    prop::collection::vec(stretch, 1..12)
}

/// What stands at an address: nothing of it is the same 256 bytes further on.
fn byte(at: u64) -> u8 {
    (at ^ (at >> 8).wrapping_mul(31) ^ (at >> 16)) as u8
}

/// The file, and the ranges of addresses that it names and that it holds.
fn build(stretches: &[(u64, u64, u64)]) -> (Vec<u8>, Vec<(Range, Range)>) {
    let (mut at, mut built, mut ranges) = (0x10_0000u64, CoreFile::new().thread(1, 0), Vec::new());
    for (gap, len, held) in stretches {
        at += gap;
        let data: Vec<u8> = (at..at + held).map(byte).collect();
        built = built.memory(at, *len, 6, &data);
        ranges.push((Range::new(Addr(at), *len), Range::new(Addr(at), *held)));
        at += len;
    }
    (built.bytes(), ranges)
}

/// Where a read of whole stretches fails first, and why.
fn expected(ranges: &[(Range, Range)], at: u64, len: u64) -> Option<(u64, Why)> {
    (at..at + len).find_map(|a| match ranges.iter().find(|(named, _)| named.contains(Addr(a))) {
        Some((_, held)) if held.contains(Addr(a)) => None,
        Some(_) => Some((a, Why::NotHeld)),
        None => Some((a, Why::Unmapped)),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_read_is_the_models_from_memory_and_from_a_file(
        stretches in stretches(),
        reads in prop::collection::vec((0u64..0x6_0000, 1u64..0x8000), 1..40),
    ) {
        let (bytes, ranges) = build(&stretches);
        let named = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(named.path(), &bytes).unwrap();
        for core in [Core::parse(Arc::new(bytes)).unwrap(), Core::open(named.path()).unwrap()] {
            core.prefetch(&reads.iter().map(|(at, len)| Range::new(Addr(0xf_f000 + at), *len)).collect::<Vec<_>>());
            for (at, len) in &reads {
                let at = 0xf_f000 + at;
                let mut buf = vec![0; *len as usize];
                let got = core.read(Addr(at), &mut buf).map_err(|fault| (fault.address.0, fault.why));
                prop_assert_eq!(got.err(), expected(&ranges, at, *len));
                if got.is_ok() {
                    prop_assert!((at..).zip(&buf).all(|(at, b)| byte(at) == *b));
                }
            }
        }
    }

    #[test]
    fn a_core_that_was_cut_answers_as_the_whole_one_or_not_at_all(
        stretches in stretches(),
        cut in 0.0f64..1.0,
        reads in prop::collection::vec((0u64..0x6_0000, 1u64..0x100), 1..40),
    ) {
        let (bytes, ranges) = build(&stretches);
        let len = (bytes.len() as f64 * cut) as usize;
        match Core::parse(Arc::new(bytes[..len].to_vec())) {
            Ok(core) => {
                prop_assert!(core.truncated());
                for (at, len) in &reads {
                    let at = 0xf_f000 + at;
                    let mut buf = vec![0; *len as usize];
                    match core.read(Addr(at), &mut buf) {
                        Ok(()) => {
                            prop_assert_eq!(expected(&ranges, at, *len), None);
                            prop_assert!((at..).zip(&buf).all(|(at, b)| byte(at) == *b));
                        }
                        Err(fault) => prop_assert!(matches!(fault.why, Why::NotHeld | Why::Unmapped)),
                    }
                }
            }
            Err(error) => prop_assert!(len < 64 && matches!(error, TargetError::NotCore | TargetError::Damaged(_))),
        }
    }
}
