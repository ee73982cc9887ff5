//! `gopsy about`: what a verdict's word means.

use crate::output::{Look, print};
use anyhow::{Result, anyhow};
use clap::Args;
use std::process::ExitCode;

/// What a kind or a cause means, how it comes about, how to be sure, how to fix it
#[derive(Args)]
#[command(after_help = "Examples:
  gopsy about nil-dereference
  gopsy about unsynchronised-map
  gopsy about                     every word that a verdict can use")]
pub(crate) struct About {
    /// The word, as a verdict prints it; without one, all of them are listed
    slug: Option<String>,
}

impl About {
    /// Prints the page.
    pub(crate) fn run(&self, look: &Look) -> Result<ExitCode> {
        let view = look.view();
        let Some(slug) = &self.slug else {
            print(&list())?;
            return Ok(ExitCode::SUCCESS);
        };
        let wanted = slug.trim().to_lowercase();
        let pages = gopsy_explain::about(&wanted);
        if pages.is_empty() {
            let near = nearest(&wanted);
            let hint = if near.is_empty() {
                "`gopsy about` lists them all".to_owned()
            } else {
                format!("did you mean {}?", near.join(" or "))
            };
            return Err(anyhow!("no kind or cause is called {slug:?}; {hint}"));
        }
        for (i, page) in pages.iter().enumerate() {
            if i > 0 {
                print("\n")?;
            }
            let marked = pages.len() > 1;
            print(&gopsy_report::terminal::page(page.text, marked.then_some(page.list), &view))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn list() -> String {
    use gopsy_model::{Cause, Kind};
    let width = Kind::ALL
        .iter()
        .map(|k| k.as_str().len())
        .chain(Cause::ALL.iter().map(|c| c.as_str().len()))
        .max()
        .unwrap_or(0);
    let mut out = String::from("Kinds: what the runtime, the kernel or the race detector itself said\n");
    for kind in Kind::ALL {
        out.push_str(&format!("  {:width$}  {}\n", kind.as_str(), kind.meaning()));
    }
    out.push_str("\nCauses: why, as far as the evidence carries\n");
    for cause in Cause::ALL {
        out.push_str(&format!("  {:width$}  {}\n", cause.as_str(), cause.meaning()));
    }
    out
}

/// Slugs that share a word with what was asked, or begin like it.
fn nearest(wanted: &str) -> Vec<&'static str> {
    let mut found: Vec<&'static str> = gopsy_explain::pages()
        .map(|p| p.slug)
        .filter(|slug| {
            slug.split('-').any(|part| part.len() > 2 && wanted.split(['-', ' ', '_']).any(|w| w == part))
                || (wanted.len() > 2 && slug.starts_with(wanted))
        })
        .collect();
    found.dedup();
    found.truncate(4);
    found
}
