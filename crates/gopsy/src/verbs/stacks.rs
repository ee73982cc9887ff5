//! `gopsy stacks`: what the goroutines are doing, counted.

use crate::output::{Look, print};
use crate::target::{self, Target, called};
use anyhow::{Result, anyhow};
use clap::Args;
use gopsy_program::{By, Filter, Group, Program, Shared};
use gopsy_report::terminal::{self, StacksPage};
use gopsy_report::wire;
use std::io;
use std::process::ExitCode;
use std::str::FromStr;

/// Groups that are shown unless --limit says otherwise.
const GROUPS: usize = 20;
/// Rows of a stack that are shown on a terminal.
const ROWS: usize = 8;

/// What to count by, as written on the command line.
#[derive(Debug, Clone)]
struct Count(By);

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Count(match text {
            "stack" => By::Stack,
            "state" => By::State,
            "wait" => By::Wait,
            "object" => By::Object,
            "creator" => By::Creator,
            _ => match text.strip_prefix("label=") {
                Some(key) if !key.is_empty() => By::Label(key.to_owned()),
                _ => return Err("one of stack, state, wait, object, creator, label=KEY".to_owned()),
            },
        }))
    }
}

/// Count the goroutines that do the same thing
///
/// Goroutines with the same functions, files, lines and creator are one group, whatever their numbers, waits, labels
/// and arguments are.
///
/// A running program answers for itself (net/http/pprof). With debug=2 it stands still while it writes every goroutine
/// (runtime.Stack, for all of them); with debug=1 it counts them by stack, without states and waits, and since Go 1.19
/// stands still only at the start and the end of that.
#[derive(Args)]
#[command(after_help = "Examples:
  gopsy stacks dump.txt
  gopsy stacks http://localhost:6060/debug/pprof/goroutine?debug=1
  gopsy stacks --by wait dump.txt
  gopsy stacks --grep ListenAndServe dump.txt
  gopsy stacks core --bin ./server               a core; its binary finds itself, or is named
  gopsy stacks before.txt --diff after.txt       what grew")]
pub(crate) struct Stacks {
    /// Texts, cores, folders, `-` for standard input, or the URL of a goroutine profile of a running program
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// What to count by: stack, state, wait, object (the channel or semaphore waited at), creator, label=KEY
    #[arg(long, default_value = "stack", value_name = "WHAT")]
    by: Count,
    /// Only the goroutine with this number, with its whole stack
    #[arg(long, value_name = "N")]
    goroutine: Option<u64>,
    /// Only goroutines in which this text occurs (functions, files, states, labels)
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// At most so many groups (0: all)
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Compare with another dump: what grew, shrank, appeared, vanished
    #[arg(long, value_name = "OTHER")]
    diff: Option<String>,
    /// Of a core also the threads that execute the runtime or C on their system stacks
    #[arg(long)]
    threads: bool,
    #[command(flatten)]
    binary: target::Binary,
    /// Write gopsy.stacks/1 (docs/wire/stacks.md)
    #[arg(long)]
    json: bool,
}

/// A target's goroutines in groups.
struct Counted {
    name: String,
    program: Program,
    groups: Vec<Group>,
    notes: Vec<String>,
}

/// Objects that goroutines of several groups wait at, so many of them are told.
const SHARED: usize = 5;

/// `chan int 0xc000012345 (0 of 0): 14 goroutines in 3 groups wait at it`
fn at_several(shared: &[Shared]) -> Vec<String> {
    let say = |s: &Shared| format!("{}: {} goroutines in {} groups wait at it", s.object, s.goroutines, s.groups);
    let mut notes: Vec<String> = shared.iter().take(SHARED).map(say).collect();
    if let Some(more) = shared.len().checked_sub(SHARED).filter(|more| *more > 0) {
        notes.push(format!("goroutines of several groups wait at {more} more"));
    }
    notes
}

impl Stacks {
    /// Counts each target.
    pub(crate) fn run(&self, look: &Look) -> Result<ExitCode> {
        let mut status = ExitCode::SUCCESS;
        let keep_args = self.goroutine.is_some();
        let other = match &self.diff {
            Some(other) => {
                let mut read = target::read_all(std::slice::from_ref(other), false, &self.binary);
                let one = read.pop().unwrap_or_else(|| Err(anyhow!("nothing to read in {other}")))?;
                Some(self.count(one)?)
            }
            None => None,
        };
        for (i, target) in target::read_all(&self.targets, keep_args, &self.binary).into_iter().enumerate() {
            let done = target.and_then(|t| self.count(t)).and_then(|counted| {
                if i > 0 && !self.json {
                    print("\n")?;
                }
                match &other {
                    Some(other) => self.compare(&counted, other, look),
                    None => self.show(&counted, look),
                }
            });
            if let Err(e) = done {
                if crate::output::is_broken_pipe(&e) {
                    return Err(e);
                }
                crate::output::complain(&e);
                status = ExitCode::from(1);
            }
        }
        Ok(status)
    }

    fn count(&self, target: Target) -> Result<Counted> {
        let main = gopsy_explain::main_crash(&target.programs);
        let mut notes = target.notes(main.and_then(|main| target.programs.get(main)));
        let Target { name, mut programs, lines, .. } = target;
        let Some(program) = main.map(|i| programs.swap_remove(i)).filter(|p| p.stack_count() > 0) else {
            return Err(anyhow!("no goroutine in {} ({lines} lines read)", called(&name)));
        };
        let filter = Filter { goroutine: self.goroutine, grep: self.grep.clone() };
        let goroutines = program.goroutines();
        if goroutines.is_empty() && !self.threads {
            notes.push("no goroutine is known: these are the stacks of the threads".to_owned());
        }
        let ids = if self.threads || goroutines.is_empty() { 0..program.stack_count() } else { goroutines };
        // What failed is shown, whatever it is.
        let failed = program.crashed().filter(|id| !ids.contains(id));
        let hidden = program.stack_count().saturating_sub(ids.len() + usize::from(failed.is_some()));
        let groups = gopsy_program::group(&program, ids.chain(failed), &self.by.0, &filter);
        if groups.is_empty() {
            return Err(anyhow!("no goroutine of {} fits", called(&name)));
        }
        if self.by.0 == By::Object {
            notes.extend(at_several(&gopsy_program::shared(&program, &groups)));
        }
        if hidden > 0 {
            let (threads, stand) = if hidden == 1 {
                ("thread", "stands on its system stack")
            } else {
                ("threads", "stand on their system stacks")
            };
            notes.push(format!("{hidden} {threads} {stand} (--threads)"));
        }
        Ok(Counted { name, program, groups, notes })
    }

    fn limit(&self) -> Option<usize> {
        match self.limit {
            Some(0) => None,
            Some(n) => Some(n),
            None if self.json => None,
            None => Some(GROUPS),
        }
    }

    fn rows(&self) -> usize {
        if self.goroutine.is_some() { usize::MAX } else { ROWS }
    }

    fn show(&self, counted: &Counted, look: &Look) -> Result<()> {
        let Counted { name, program, groups, notes } = counted;
        if self.json {
            let out = io::stdout().lock();
            let input = wire::Stacks { target: called(name), by: &self.by.0, groups, limit: self.limit(), notes };
            wire::stacks(out, program, &input, wire::Form::Pretty)?;
            return Ok(());
        }
        let page = StacksPage { program, groups, limit: self.limit(), rows: self.rows(), notes };
        print(&terminal::stacks(&page, &look.view()))?;
        Ok(())
    }

    fn compare(&self, before: &Counted, after: &Counted, look: &Look) -> Result<()> {
        if self.json {
            return Err(anyhow!("--json does not go with --diff: compare the keys of two gopsy.stacks/1 documents"));
        }
        let changes = gopsy_program::diff(&before.groups, &after.groups);
        let sides = ((&before.program, &before.groups[..]), (&after.program, &after.groups[..]));
        print(&terminal::diff(sides.0, sides.1, &changes, self.limit(), self.rows(), &look.view()))?;
        Ok(())
    }
}
