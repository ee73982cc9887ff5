//! `gopsy explain`: what died, where, why, how sure, what next.

use crate::output::{Look, print};
use crate::target::{self, Target, called};
use anyhow::Result;
use clap::Args;
use gopsy_model::Verdict;
use gopsy_program::{By, Filter, Program};
use gopsy_report::redact::{Private, Redaction};
use gopsy_report::source::{PathMap, SourceLines};
use gopsy_report::{Case, github, markdown, source, terminal, wire};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

/// Say what died, where, why, how sure that is, and what to do next
///
/// Reads crash texts of every Go release in whatever form they come: plain, inside a log of Kubernetes, Docker,
/// journald, a CI system, quoted, wrapped, compressed, as a goroutine profile, as a debugger's backtrace. Where a text
/// tells of several deaths, the one that ended the process is explained and the others are listed.
///
/// Reads cores of linux/amd64, too (Go 1.16 to 1.27), of the kernel, gdb and Delve, also compressed, cut off or through a pipe: the binary is looked for where the core
/// says and beside it, and proved to be the one; where nothing can prove it, that is said.
///
/// A folder that holds a core and the text of the same death is one case: each adds what the other lacks. A text with --bin is
/// held against the binary, line by line. Where they contradict each other, that is said, and nothing is taken over.
#[derive(Args)]
#[command(after_help = "Examples:
  gopsy explain crash.txt
  kubectl logs -p web-0 | gopsy explain -
  gopsy explain --json crash.txt | jq -r .verdict.cause
  go test ./... 2>&1 | tee test.log; gopsy explain --github test.log
  gopsy explain core.71 --bin ./svc                a core; its binary finds itself, or is named
  ssh web-0 cat core.zst | gopsy explain - --bin ./svc
  gopsy explain incident/                          a folder: a core and the text of the same death
  gopsy explain crash.txt --bin ./svc              a text, held against the binary
  gopsy explain --redact --markdown crash.txt      to paste into an issue")]
pub(crate) struct Explain {
    /// Crash texts, cores, folders of them, `-` for standard input, or the URL of a goroutine profile
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Write gopsy.explain/1 (docs/wire/explain.md); several deaths give several documents
    #[arg(long, group = "form")]
    json: bool,
    /// Write Markdown
    #[arg(long, group = "form")]
    markdown: bool,
    /// Write annotations for GitHub Actions, and the summary of the job to $GITHUB_STEP_SUMMARY
    #[arg(long, group = "form")]
    github: bool,
    /// Explain every death of a text, not only the one that ended the process
    #[arg(long)]
    all: bool,
    /// Leave out values, arguments, labels, user and host names
    #[arg(long)]
    redact: bool,
    #[command(flatten)]
    binary: target::Binary,
    /// Look for source files that the program calls A… under B… (may be given several times)
    #[arg(long, value_name = "A=B")]
    path_map: Vec<PathMap>,
}

impl Explain {
    /// Explains each target.
    pub(crate) fn run(&self, look: &Look) -> Result<ExitCode> {
        let mut status = ExitCode::SUCCESS;
        let mut first = true;
        for target in target::read_all(&self.targets, true, &self.binary) {
            match target {
                Ok(target) => {
                    if !self.target(target, look, &mut first)? {
                        status = ExitCode::from(1);
                    }
                }
                Err(e) => {
                    crate::output::complain(&e);
                    status = ExitCode::from(1);
                }
            }
        }
        Ok(status)
    }

    /// Explains one target; false if it tells of no death.
    fn target(&self, mut target: Target, look: &Look, first: &mut bool) -> Result<bool> {
        let Some(main) = gopsy_explain::main_crash(&target.programs) else {
            nothing_found(&target);
            return Ok(false);
        };
        let mut of_main = gopsy_explain::explain_among(&target.programs, main);
        let many = self.targets.len() > 1;
        for (i, program) in std::mem::take(&mut target.programs).into_iter().enumerate() {
            if !self.all && i != main {
                continue;
            }
            let verdict = if i == main { of_main.take() } else { None };
            let verdict = verdict.unwrap_or_else(|| gopsy_explain::explain(&program));
            if !*first && !self.json {
                print("\n")?;
            }
            if many && !self.json && !self.github {
                print(&format!(
                    "{}\n",
                    gopsy_report::escape::terminal(&target.name, gopsy_report::escape::Breaks::Escape)
                ))?;
            }
            *first = false;
            let notes = target.notes(Some(&program));
            self.one(program, verdict, notes, look)?;
        }
        Ok(true)
    }

    fn one(&self, program: Program, mut verdict: Verdict, mut notes: Vec<String>, look: &Look) -> Result<()> {
        let identity = program.identity();
        let go_version = identity.go_version.value();
        let found =
            verdict.culprit.as_ref().and_then(|c| source::lines(c, go_version.map(|v| &**v), &self.path_map, 2, &read));
        let program = if self.redact {
            let redaction = Redaction::new(&program, &private());
            let program = redaction.program(program);
            verdict = redaction.verdict(&verdict);
            notes = notes.iter().map(|n| redaction.text(n)).collect();
            notes.extend(redaction.note());
            program
        } else {
            program
        };
        if self.json {
            let out = io::stdout().lock();
            // Nothing of a text is lost; where each death is written, each has its own.
            let ids = if self.all { program.stacks() } else { 0..program.stack_count() };
            wire::explain(out, &program, &verdict, ids, &notes, wire::Form::Pretty)?;
            return Ok(());
        }
        let groups = if gopsy_report::others_matter(verdict.kind) {
            // Threads at work in the runtime say nothing to who looks for other goroutines.
            let (stacks, goroutines) = (program.stacks(), program.goroutines());
            let ids = stacks.start.max(goroutines.start)..stacks.end.min(goroutines.end);
            gopsy_program::group(&program, ids, &By::Stack, &Filter::default())
        } else {
            Vec::new()
        };
        let source: Option<&SourceLines> = if self.redact { None } else { found.as_ref() };
        let case = Case { program: &program, verdict: &verdict, source, groups: &groups, notes: &notes };
        if self.markdown {
            print(&markdown::explain(&case))?;
        } else if self.github {
            self.annotate(&case, look)?;
        } else {
            print(&terminal::explain(&case, &look.view()))?;
        }
        Ok(())
    }

    /// Annotations and, guarded, the report itself on standard output; the summary where GitHub wants it.
    fn annotate(&self, case: &Case<'_>, look: &Look) -> Result<()> {
        let here = env::var("GITHUB_WORKSPACE").map(Into::into).or_else(|_| env::current_dir()).unwrap_or_default();
        let relative = |file: &str| {
            source::candidates(file, &self.path_map).into_iter().map(|c| c.path).find(|p| here.join(p).is_file()).map(
                |p| {
                    let path = p.strip_prefix(&here).unwrap_or(&p);
                    path.to_string_lossy().into_owned()
                },
            )
        };
        for line in github::annotations(case, &relative) {
            print(&format!("{line}\n"))?;
        }
        let report = terminal::explain(case, &terminal::View { colour: false, ..look.view() });
        print(&gopsy_report::escape::github_guard(&report))?;
        if let Some(path) = env::var_os("GITHUB_STEP_SUMMARY").filter(|p| !p.is_empty()) {
            let mut file = fs::OpenOptions::new().append(true).create(true).open(path)?;
            file.write_all(github::summary(case).as_bytes())?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> Option<String> {
    gopsy_target::input::read_source(path)
}

/// What of this machine must not stand in a redacted report.
fn private() -> Private {
    let var = |name: &str| env::var(name).ok().filter(|v| v.len() > 1);
    Private {
        homes: var("HOME").into_iter().collect(),
        users: [var("USER"), var("LOGNAME")].into_iter().flatten().filter(|u| u != "root").collect(),
        hosts: var("HOSTNAME")
            .or_else(|| fs::read_to_string("/etc/hostname").ok().map(|h| h.trim().to_owned()))
            .filter(|h| h.len() > 1)
            .into_iter()
            .collect(),
    }
}

fn nothing_found(target: &Target) {
    let name = called(&target.name);
    let mut text = match target.lines {
        0 => format!("gopsy: {name} is empty"),
        n => format!("gopsy: no death of a Go program in {name} ({n} line{} read)", if n == 1 { "" } else { "s" }),
    };
    text.push_str("\n  What it would need: the lines from `panic:`, `fatal error:` or `SIG…:` on, with the goroutines behind them.");
    text.push_str("\n  If the program died without a word, look at its exit status and at the kernel's log (dmesg): it may have been killed.");
    for note in target.notes(None).iter().take(4) {
        text.push_str(&format!("\n  note: {note}"));
    }
    crate::output::talk(&text);
}
