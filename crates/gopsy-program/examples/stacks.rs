//! Reads a crash text and counts its goroutines by stack, with nothing around it: what `gopsy stacks` costs before it
//! prints. For profiles; the benchmark in `bench/` measures the binary.

use gopsy_program::{By, Filter, TextEvidence, group};
use gopsy_text::Options;
use std::fs::File;
use std::process::ExitCode;

#[allow(clippy::print_stdout, clippy::print_stderr)]
fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: stacks TEXT");
        return ExitCode::FAILURE;
    };
    let read =
        File::open(&path).and_then(|file| gopsy_text::read(file, &Options { keep_args: false, ..Options::default() }));
    let dump = match read {
        Ok(dump) => dump,
        Err(e) => {
            eprintln!("{}: {e}", path.display());
            return ExitCode::FAILURE;
        }
    };
    for program in TextEvidence::programs(dump) {
        let groups = group(&program, program.stacks(), &By::Stack, &Filter::default());
        println!("{} goroutines, {} groups", program.stacks().len(), groups.len());
        for g in &groups {
            println!("{:8} {:?}", g.count, g.states);
        }
    }
    ExitCode::SUCCESS
}
