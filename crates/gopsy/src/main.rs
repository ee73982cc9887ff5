//! gopsy: why did this Go program die, and what is it doing now?
//!
//! One file a verb under `verbs/`, thin: it opens targets, asks the houses below, and prints. Standard output is data,
//! standard error is talk; a broken pipe is success; exit status 0 done, 1 could not, 2 wrong usage.

mod beside;
mod opened;
mod output;
mod target;
mod verbs;

use clap::Parser;
use std::process::ExitCode;

/// Why did this Go program die, and what is it doing now?
///
/// gopsy reads what a Go program leaves behind when it dies: the text it printed, in whatever log it ended up, or its core.
/// It says what died, where, why, how sure that is, and what to do next; and of an executable what stands where in it.
#[derive(Parser)]
#[command(name = "gopsy", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Examples:
  gopsy explain crash.txt              what died, where and why
  kubectl logs -p web-0 | gopsy explain -
  gopsy stacks dump.txt                what the goroutines were doing
  gopsy where svc 0x49468b             what stands at an address, and who says so
  gopsy info core.71                   what a program or a core is
  gopsy about nil-dereference          what a verdict's word means
  gopsy doctor                         will the next crash leave enough behind?")]
struct Cli {
    #[command(flatten)]
    look: output::Look,
    #[command(subcommand)]
    verb: verbs::Verb,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = cli.verb.run(&cli.look);
    // What was said may rest on bytes that were never together.
    let changed = gopsy_target::changed_files();
    for path in &changed {
        output::talk(&format!(
            "warning: {} changed while it was read: what is said of it may be wrong",
            path.display()
        ));
    }
    match done {
        Ok(_) if !changed.is_empty() => ExitCode::from(1),
        Ok(code) => code,
        Err(e) if output::is_broken_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            output::complain(&e);
            ExitCode::from(1)
        }
    }
}
