//! How the terminal is written to.

use clap::{Args, ValueEnum};
use gopsy_report::escape::{Breaks, terminal};
use gopsy_report::terminal::View;
use std::env;
use std::io::{self, IsTerminal, Write};

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How the output looks.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Look")]
pub(crate) struct Look {
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    color: Colour,
    /// Columns to write in (else those of the terminal, or 80)
    #[arg(long, global = true, value_name = "COLUMNS")]
    width: Option<usize>,
}

impl Look {
    /// What is written to is looked at: a terminal, a pipe, what the locale can show.
    pub(crate) fn view(&self) -> View {
        let tty = io::stdout().is_terminal();
        let colour = match self.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                let no_color = env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
                tty && !no_color && env::var_os("TERM").is_none_or(|t| t != "dumb")
            }
        };
        let columns = env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
        let width = self
            .width
            .or_else(|| if tty { terminal_size::terminal_size().map(|(w, _)| usize::from(w.0)) } else { None })
            .or(columns)
            .unwrap_or(80);
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|k| env::var(k).ok()).find(|v| !v.is_empty());
        // No locale at all is the rule in containers, whose terminals speak UTF-8 all the same.
        let unicode = locale.is_none_or(|l| {
            let l = l.to_uppercase();
            l.contains("UTF-8") || l.contains("UTF8") || !tty
        });
        View { width, colour, unicode }
    }
}

/// Writes to standard output.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Whether the reader of the output has gone away: `gopsy … | head` is no error.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// Says on standard error what went wrong; what came from outside is escaped.
pub(crate) fn complain(error: &anyhow::Error) {
    let text = format!("{error:#}");
    talk(&format!("gopsy: {text}"));
}

/// A line of talk on standard error. There is nobody to tell when that fails.
pub(crate) fn talk(text: &str) {
    let mut err = io::stderr().lock();
    let _ = writeln!(err, "{}", terminal(text, Breaks::Keep));
}
