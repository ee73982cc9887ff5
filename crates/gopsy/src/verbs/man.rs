//! `gopsy man`: its manual pages.

use crate::Cli;
use anyhow::{Result, anyhow};
use clap::{Args, CommandFactory};
use std::process::ExitCode;

/// Print a manual page
#[derive(Args)]
#[command(after_help = "Examples:
  gopsy man > /usr/local/share/man/man1/gopsy.1
  gopsy man explain > /usr/local/share/man/man1/gopsy-explain.1
  gopsy man explain | man -l -")]
pub(crate) struct Man {
    /// The command whose page it is; gopsy's own without
    verb: Option<String>,
}

impl Man {
    /// Prints it, in troff's language.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let mut gopsy = Cli::command();
        gopsy.build();
        let page = match &self.verb {
            Some(verb) => {
                let command = gopsy.find_subcommand(verb);
                let command = command.ok_or_else(|| anyhow!("gopsy has no command {verb:?}: see gopsy --help"))?;
                clap_mangen::Man::new(command.clone()).title(format!("gopsy-{verb}"))
            }
            None => clap_mangen::Man::new(gopsy),
        };
        let mut text = Vec::new();
        page.render(&mut text)?;
        crate::output::print(&String::from_utf8_lossy(&text))?;
        Ok(ExitCode::SUCCESS)
    }
}
