//! `gopsy completions`: what a shell needs to complete gopsy's words.

use crate::Cli;
use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::process::ExitCode;

/// Print the completions of a shell
#[derive(Args)]
#[command(after_help = "Example:
  gopsy completions bash > /etc/bash_completion.d/gopsy
  gopsy completions zsh > \"${fpath[1]}/_gopsy\"")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints them.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "gopsy", &mut text);
        crate::output::print(&String::from_utf8_lossy(&text))?;
        Ok(ExitCode::SUCCESS)
    }
}
