//! Stacks printed as words, where the runtime could not walk them.

use crate::scan;
use gopsy_model::{StackDump, StackWord};

/// Words of printed stacks that are kept.
const MAX_WORDS: usize = 1 << 14;

/// `stack: frame={sp:0x…, fp:0x…} stack=[0x…,0x…)`.
pub(crate) fn bounds(text: &[u8], dump: &mut StackDump) {
    let number = |key: &[u8]| scan::find_end(text, key).and_then(|i| scan::Cursor::new(scan::from(text, i)).hex());
    dump.sp = number(b"sp:");
    dump.fp = number(b"fp:");
    let low = number(b"stack=[");
    let high = scan::find_end(text, b"stack=[").and_then(|i| {
        let rest = scan::from(text, i);
        let comma = memchr::memchr(b',', rest)?;
        scan::Cursor::new(scan::from(rest, comma.saturating_add(1))).hex()
    });
    dump.bounds = low.zip(high);
}

/// One line of words: `0x7ffe:  0x01  <0x02 <runtime.throw+0x71>` (to 1.25), `000000c0000d9d20: 0000…` and, since
/// 1.26, words in two halves with annotations on lines of their own.
pub(crate) fn line(raw: &[u8], dump: &mut StackDump) -> bool {
    let body = scan::trim(raw);
    if body.starts_with(b"^") {
        return annotate(raw, dump);
    }
    let Some(colon) = memchr::memchr(b':', scan::upto(body, 20)) else {
        // Column heading of 1.26+: `7 6 5 4  3 2 1 0   f e d c`.
        return body.starts_with(b"7 6 5 4") || body.is_empty() && dump.words.is_empty();
    };
    let head = scan::upto(body, colon);
    let Some(mut address) = scan::hex(head).or_else(|| (head.len() >= 8).then(|| scan::bare_hex(head)).flatten())
    else {
        return false;
    };
    let mut rest = scan::Cursor::new(scan::from(body, colon.saturating_add(1)));
    let mut half: Option<u64> = None;
    let mut any = false;
    loop {
        rest.blanks();
        let mark = match rest.peek() {
            c @ (b'<' | b'>' | b'!') if !is_symbol(rest.rest()) => {
                rest.skip(1);
                Some(char::from(c))
            }
            _ => None,
        };
        if rest.peek() == b'<' && is_symbol(rest.rest()) {
            let end = memchr::memchr(b'>', rest.rest()).unwrap_or(0);
            if let Some(last) = dump.words.last_mut() {
                last.symbol = Some(scan::text(scan::between(rest.rest(), 1, end)).into());
            }
            rest.skip(end.saturating_add(1));
            continue;
        }
        let before = rest.rest().len();
        let prefixed = rest.rest().starts_with(b"0x");
        let Some(n) = rest.hex().or_else(|| rest.hex_digits()) else { break };
        let digits = before.saturating_sub(rest.rest().len());
        let value = if prefixed || digits == 16 {
            n
        } else if digits == 8 {
            match half.take() {
                None => {
                    half = Some(n);
                    continue;
                }
                Some(high) => (high << 32) | n,
            }
        } else {
            break;
        };
        any = true;
        if dump.words.len() < MAX_WORDS {
            dump.words.push(StackWord { address, value, symbol: None, mark });
        }
        address = address.wrapping_add(8);
    }
    any
}

/// `<runtime.chanrecv1+43>`: a symbol, not a mark before a word.
fn is_symbol(b: &[u8]) -> bool {
    scan::at(b, 0) == b'<' && !scan::at(b, 1).is_ascii_digit() && memchr::memchr(b'>', b).is_some()
}

/// Where the first and the second word of a line begin since Go 1.26 (`hexdumper`, runtime/hexdump.go): behind the
/// address, a colon and a blank.
const SECOND_WORD: usize = 30;

/// `^ <F+0x12>`, `^ SP`, `^ bad`: an annotation below a line of two words (Go 1.26+). Its column says which is meant;
/// where a carrier ate the columns, nothing is said of either.
fn annotate(raw: &[u8], dump: &mut StackDump) -> bool {
    let (body, column) = scan::trim_start(raw);
    let word = scan::trim(scan::from(body, 1));
    if column < 10 {
        return true;
    }
    let behind_last = dump.words.len();
    let in_line = if behind_last.is_multiple_of(2) { 2 } else { 1 };
    let index = behind_last.saturating_sub(in_line).saturating_add(usize::from(column > SECOND_WORD && in_line == 2));
    let Some(at) = dump.words.get_mut(index) else { return true };
    match word {
        b"SP" => at.mark = Some('<'),
        b"FP" => at.mark = Some('>'),
        b"bad" => at.mark = Some('!'),
        _ if word.starts_with(b"<") => {
            let end = memchr::memchr(b'>', word).unwrap_or(word.len());
            at.symbol = Some(scan::text(scan::between(word, 1, end)).into());
        }
        _ => {}
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> StackDump {
        let mut dump = StackDump::default();
        bounds(lines[0].as_bytes(), &mut dump);
        for text in &lines[1..] {
            assert!(line(text.as_bytes(), &mut dump), "{text}");
        }
        dump
    }

    #[test]
    fn both_styles() {
        let old = read(&[
            "stack: frame={sp:0xc0000d9e20, fp:0x0} stack=[0xc0000d6000,0xc0000da000)",
            "000000c0000d9d80: 000000c0000d9db0 0000000000407ccb <runtime.chanrecv1+43>",
            "0x000000c0000d9e18:  0x00007fffffffe000 <0x000000c000052960",
        ]);
        assert_eq!((old.sp, old.bounds), (Some(0xc0_000d_9e20), Some((0xc0_000d_6000, 0xc0_000d_a000))));
        assert_eq!(old.words[1].symbol.as_deref(), Some("runtime.chanrecv1+43"));
        assert_eq!((old.words[2].address, old.words[2].value), (0xc0_000d_9e18, 0x7fff_ffff_e000));
        assert_eq!(old.words[3].mark, Some('<'));
        let new = read(&[
            "stack: frame={sp:0x38736182bcf0, fp:0x38736182bda8} stack=[0x38736182b000,0x38736182c000)",
            "                   7 6 5 4  3 2 1 0   f e d c  b a 9 8  0123456789abcdef",
            "000038736182bc50: 00000000 0047825f  00000000 00476e4b  _.G.....KnG.....",
            "                  ^ <runtime.entersyscall+0x1f>",
            "                                     ^ <runtime.cgocall+0x4b>",
            "000038736182bcf0: 00000000 00480bfd  00007f50 3498fa00  ..H........4P...",
            "                  ^ SP",
            "                  ^ <syscall.prlimit1+0x3d>",
        ]);
        let symbols: Vec<Option<&str>> = new.words.iter().map(|w| w.symbol.as_deref()).collect();
        assert_eq!(
            symbols,
            [Some("runtime.entersyscall+0x1f"), Some("runtime.cgocall+0x4b"), Some("syscall.prlimit1+0x3d"), None]
        );
        assert_eq!((new.words[3].value, new.words[2].mark), (0x7f50_3498_fa00, Some('<')));
    }
}
