//! Reads one hostile text of a given size and says what it cost: `hostile CASE [MEGABYTES]`.
//!
//! The text is made while it is read, so that the peak resident size is that of the parser alone. With `print` behind
//! the size, the text itself is written to stdout, for whoever else shall read it.
#![allow(clippy::print_stdout)]

#[path = "../tests/cases/mod.rs"]
mod cases;

use gopsy_text::{Options, read};
use std::time::Instant;

fn main() {
    let mut args = std::env::args().skip(1);
    let wanted = args.next().unwrap_or_default();
    let megabytes: u64 = args.next().and_then(|n| n.parse().ok()).unwrap_or(100);
    for case in cases::CASES.iter().filter(|c| c.name == wanted) {
        if args.next().as_deref() == Some("print") {
            // A reader that has enough closes its end.
            let _ = std::io::copy(&mut case.text(megabytes << 20), &mut std::io::stdout().lock());
            return;
        }
        let start = Instant::now();
        let mut text = case.text(megabytes << 20);
        let dump = read(&mut text, &Options::default()).expect("the reader does not fail");
        println!(
            "{}|{}|{}|{}|{:.2} s|{} MB",
            case.name,
            dump.lines(),
            dump.stack_count(),
            dump.crashes().len(),
            start.elapsed().as_secs_f64(),
            peak_megabytes()
        );
    }
    if wanted.is_empty() {
        for case in cases::CASES {
            println!("{}", case.name);
        }
    }
}

fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0");
    peak.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) / 1024
}
