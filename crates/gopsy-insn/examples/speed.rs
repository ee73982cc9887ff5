//! How fast a program's text is decoded: `cargo run --release -p gopsy-insn --example speed -- <binary>`.

use gopsy_insn::{Decoder, Flow};
use gopsy_mem::LinkAddr;
use object::{Object, ObjectSection};
use std::time::Instant;

#[allow(clippy::print_stdout)] // It is what the example is for.
fn main() {
    let path = std::env::args().nth(1).expect("a binary");
    let file = std::fs::read(path).expect("a file that can be read");
    let elf = object::File::parse(&*file).expect("an ELF file");
    let text = elf.section_by_name(".text").expect("a text section");
    let bytes = text.data().expect("its bytes");
    let insns = || Decoder::new(bytes, LinkAddr(text.address()));
    let measure = |what: &str, work: &dyn Fn() -> usize| {
        let start = Instant::now();
        let count = work();
        let rate = bytes.len() as f64 / 1e6 / start.elapsed().as_secs_f64();
        println!("{what}: {rate:.0} MB/s ({count})");
    };
    println!("{} bytes of text", bytes.len());
    for _ in 0..3 {
        measure("instructions", &|| insns().count());
        measure("with their flow", &|| insns().filter(|i| i.flow() != Flow::Next).count());
        measure("with their operation", &|| insns().filter(|i| i.operation() != gopsy_insn::Operation::Other).count());
        measure("with their effects", &|| insns().map(|i| i.effects().registers.len()).sum());
        measure("as text", &|| insns().map(|i| i.text(gopsy_insn::Syntax::Gnu).len()).sum());
    }
}
