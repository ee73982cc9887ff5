//! Any bytes as code: instructions follow each other without a gap, end with the bytes, and answer every question.
#![no_main]

use gopsy_insn::{Decoder, Flow, Syntax};
use gopsy_mem::Addr;

libfuzzer_sys::fuzz_target!(|input: (u64, &[u8])| {
    let (at, bytes) = input;
    let (mut next, mut covered) = (at, 0);
    for insn in Decoder::new(bytes, Addr(at)) {
        assert_eq!(insn.address(), Addr(next));
        assert!((1..=15).contains(&insn.len()));
        assert_eq!(insn.is_invalid(), insn.flow() == Flow::Invalid);
        assert!(!insn.is_invalid() || insn.len() == 1);
        assert!(insn.immediates().count() <= 2);
        if let Some((mem, access)) = insn.mem() {
            assert!(matches!(mem.scale, 1 | 2 | 4 | 8));
            assert!(mem.absolute.is_none() || mem.base.is_none() && mem.index.is_none() && mem.segment.is_none());
            // What an operand spells out is among what the instruction uses.
            let effects = insn.effects();
            let used = effects.memory.iter().any(|used| used.mem.absolute == mem.absolute && used.access == access);
            assert!(used || !access.reads() && !access.writes(), "{}", insn.text(Syntax::Intel));
        }
        let _ = (insn.operation(), insn.is_locked(), insn.is_nop());
        assert!(!insn.text(Syntax::Gnu).is_empty() && !insn.text(Syntax::Intel).is_empty());
        next = insn.next_address().0;
        covered += usize::from(insn.len());
    }
    assert_eq!(covered, bytes.len());
});
