//! The parts of a file that speak of places in its code: DWARF's line table and functions, symbols, a function's code. Any
//! bytes in any of them, in a file of otherwise good form; everything is asked for.
#![no_main]

use arbitrary::Arbitrary;
use gopsy_image::Image;
use gopsy_locate::{Locator, Window};
use gopsy_mem::LinkAddr;
use std::sync::Arc;

const TEXT: u64 = 0x40_1000;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    code: &'a [u8],
    info: &'a [u8],
    abbrev: &'a [u8],
    line: &'a [u8],
    line_str: &'a [u8],
    ranges: &'a [u8],
    rnglists: &'a [u8],
    symbols: &'a [u8],
    names: &'a [u8],
    asked: u8,
}

/// A section: its name, type, flags, address, contents, the section that it links to, the size of its entries.
type Section<'a> = (&'static str, u32, u64, u64, &'a [u8], u32, u64);

fn elf(input: &Input<'_>) -> Vec<u8> {
    let sections: [Section<'_>; 9] = [
        (".text", 1, 6, TEXT, input.code, 0, 0),
        (".debug_info", 1, 0, 0, input.info, 0, 0),
        (".debug_abbrev", 1, 0, 0, input.abbrev, 0, 0),
        (".debug_line", 1, 0, 0, input.line, 0, 0),
        (".debug_line_str", 1, 0, 0, input.line_str, 0, 0),
        (".debug_ranges", 1, 0, 0, input.ranges, 0, 0),
        (".debug_rnglists", 1, 0, 0, input.rnglists, 0, 0),
        (".symtab", 2, 0, 0, input.symbols, 9, 24),
        (".strtab", 3, 0, 0, input.names, 0, 0),
    ];
    let mut out = b"\x7fELF\x02\x01\x01".to_vec();
    out.resize(64, 0);
    let mut names = vec![0u8];
    let mut headers = vec![0u8; 64];
    let mut program = [0u8; 56].to_vec();
    out.extend([0; 56]);
    let mut add =
        |out: &mut Vec<u8>, (name, kind, flags, address, data, link, size): Section<'_>, names: &mut Vec<u8>| {
            headers.extend((names.len() as u32).to_le_bytes());
            headers.extend(kind.to_le_bytes());
            for word in [flags, address, out.len() as u64, data.len() as u64] {
                headers.extend(word.to_le_bytes());
            }
            headers.extend(link.to_le_bytes());
            headers.extend(0u32.to_le_bytes());
            for word in [1, size] {
                headers.extend(word.to_le_bytes());
            }
            names.extend(name.bytes());
            names.push(0);
            out.extend(data);
        };
    for section in sections {
        if section.0 == ".text" {
            program.clear();
            program.extend(1u32.to_le_bytes());
            program.extend(5u32.to_le_bytes());
            let (at, len) = (out.len() as u64, section.4.len() as u64);
            for word in [at, TEXT, TEXT, len, len, 1] {
                program.extend(word.to_le_bytes());
            }
        }
        add(&mut out, section, &mut names);
    }
    let own = names.clone();
    add(&mut out, ("", 3, 0, 0, &own, 0, 0), &mut names);
    let at = out.len() as u64;
    out.extend(headers);
    out[64..120].copy_from_slice(&program);
    out[16..20].copy_from_slice(&[2, 0, 62, 0]);
    out[32..40].copy_from_slice(&64u64.to_le_bytes());
    out[40..48].copy_from_slice(&at.to_le_bytes());
    for (place, half) in [(54, 56u16), (56, 1), (58, 64), (60, 11), (62, 10)] {
        out[place..place + 2].copy_from_slice(&half.to_le_bytes());
    }
    out
}

libfuzzer_sys::fuzz_target!(|input: Input<'_>| {
    let image = Image::parse(Arc::new(elf(&input))).expect("the headers are good");
    let pc = LinkAddr(TEXT + u64::from(input.asked));
    if let Ok(info) = image.code_info() {
        let rows = info.rows_within(LinkAddr(0), LinkAddr(u64::MAX));
        assert!(rows.iter().all(|r| r.start < r.end));
        if let Some(row) = info.row_at(pc) {
            assert!(row.start <= pc && pc < row.end);
        }
        assert!(info.rows_of(&|_| true, 1).iter().all(|r| r.line == Some(1)));
        let _ = (info.function_at(pc), info.damaged());
    }
    let symbols = image.symbol_table();
    assert!(symbols.covering(&image, pc).iter().all(|s| s.address <= pc));
    assert!(symbols.iter(&image).count() <= symbols.len());
    let locator = Locator::new(&image);
    let place = locator.place(pc);
    let whole = locator.listing(&place, Window::Whole);
    let part = locator.listing(&place, Window::Around(1));
    assert!(part.insns.len() <= 3 && part.insns.iter().all(|i| whole.insns.contains(i)));
    for words in ["f", "a.c:1", "main.(*T).M"] {
        let _ = locator.find(words);
    }
    assert!(locator.map_uses(true).is_err() && locator.race_calls(pc).is_err(), "there is no pclntab");
});
