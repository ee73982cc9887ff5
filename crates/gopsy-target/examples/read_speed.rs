//! How fast a core is read: `cargo run --release -p gopsy-target --example read_speed -- CORE`.
//! The figures are recorded in `docs/core-sources.md`.

#![allow(clippy::print_stdout, missing_docs)]

use gopsy_mem::{Addr, Memory, MemoryExt, Range};
use gopsy_target::Core;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name a core")?;
    let from = Instant::now();
    let core = Core::open(Path::new(&path))?;
    println!("open: {:?}, {} threads, {} segments", from.elapsed(), core.threads().len(), core.segments().len());

    // The largest stretch that is held: Go's heap, where there is one.
    let heap = core.segments().iter().max_by_key(|s| s.held).ok_or("the core holds no memory")?;
    let (start, len) = (heap.range.start.0, heap.held);
    println!("largest stretch: {len} bytes");
    let report = |what: &str, reads: u64, from: Instant| {
        let nanos = from.elapsed().as_nanos() / u128::from(reads.max(1));
        println!("{what}: {nanos} ns each, {reads} reads");
    };

    let from = Instant::now();
    let mut sum = 0u64;
    for i in 0..10_000_000u64 {
        sum = sum.wrapping_add(core.u64(Addr(start + (i * 8) % 4096))?);
    }
    report("8 bytes, same window", 10_000_000, from);

    let from = Instant::now();
    let mut buf = [0u8; 512];
    let mut at = 0;
    while at + 512 <= len {
        core.read(Addr(start + at), &mut buf)?;
        at += 512;
    }
    report("512 bytes, in order", len / 512, from);

    for (what, within) in [("8 bytes, random in 16 MiB", 16 << 20), ("8 bytes, random in the whole stretch", len)] {
        let within = within.min(len).saturating_sub(8).max(1);
        let from = Instant::now();
        let mut state = 1u64;
        for _ in 0..1_000_000 {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            sum = sum.wrapping_add(core.u64(Addr(start + (state >> 16) % within))?);
        }
        report(what, 1_000_000, from);
    }

    // Sixty-four places that lie far apart, prefetched and read, again and again elsewhere.
    let from = Instant::now();
    let step = len / 64;
    for round in 0..1000u64 {
        let at = |i: u64| Range::new(Addr(start + i * step + (round * 8192) % step.max(1)), 8);
        let places: Vec<Range> = (0..64).map(at).collect();
        core.prefetch(&places);
        for place in places {
            sum = sum.wrapping_add(core.u64(place.start).unwrap_or(0));
        }
    }
    report("8 bytes, 64 places prefetched", 64_000, from);
    let status = std::fs::read_to_string("/proc/self/status")?;
    println!("{}", status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default());
    println!("sum {sum:x}");
    Ok(())
}
