//! One file a verb.

mod about;
mod completions;
mod doctor;
mod explain;
mod info;
mod man;
mod stacks;
mod where_;

use crate::output::Look;
use anyhow::Result;
use clap::Subcommand;
use std::process::ExitCode;

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Verb {
    Explain(explain::Explain),
    Stacks(stacks::Stacks),
    Where(where_::Where),
    Info(info::InfoVerb),
    About(about::About),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
    Man(man::Man),
}

impl Verb {
    /// Does it.
    pub(crate) fn run(&self, look: &Look) -> Result<ExitCode> {
        match self {
            Verb::Explain(verb) => verb.run(look),
            Verb::Stacks(verb) => verb.run(look),
            Verb::Where(verb) => verb.run(look),
            Verb::Info(verb) => verb.run(look),
            Verb::About(verb) => verb.run(look),
            Verb::Doctor(verb) => verb.run(look),
            Verb::Completions(verb) => verb.run(),
            Verb::Man(verb) => verb.run(),
        }
    }
}
