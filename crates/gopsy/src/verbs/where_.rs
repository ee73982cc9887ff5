//! `gopsy where`: what every source says of a place in a program's code, and who writes a map.

mod questions;

use crate::opened::{Opened, Platform};
use crate::output::{Look, print};
use crate::target::{Binary, called};
use anyhow::{Result, anyhow};
use clap::Args;
use gopsy_locate::{CodeOfLine, Listing, Locator, SourceLine};
use gopsy_model::Culprit;
use gopsy_report::source::{self, PathMap};
use gopsy_report::whereabouts::{Answer, Answered, SourceTexts, Whereabouts};
use gopsy_report::{terminal, wire};
use gopsy_runtime::StatedVersion;
use questions::Questions;
use std::cell::OnceCell;
use std::io;
use std::process::ExitCode;

/// Say what every source says of a place in a program's code, or who writes a map
///
/// A place is an address (`0x49468b`), a function (`main.(*store).put`, or an end of its name), or a line
/// (`store.go:41`). pclntab with its inline trees, DWARF, the symbol table and the code itself are asked; what they agree
/// on is said once, and where they differ both are shown, with the reason. In a core, addresses are those of the process, and what
/// the executable does not have is looked for in the plugins and libraries that it had loaded.
///
/// --writes finds the calls that assign to, delete from, clear or iterate a map of a type, in stripped programs of amd64
/// too. The type is written as in source code, packages by name, by path or not at all; types that look the same are listed each
/// for itself, and behind them those that the same map may have by conversion. Calls whose type is not proved are listed as
/// such; what package reflect does is only counted.
#[derive(Args)]
#[command(after_help = "Examples:
  gopsy where svc 0x49468b                     an address from a log or a profile
  gopsy where core.71 0x55d0c0a94690           an address of the process
  gopsy where svc '(*store).put' --race        with what -race put into it
  gopsy where svc store.go:41                  all code of a line, also inlined
  gopsy where svc --writes 'map[string]*main.sess'

What --writes says of a program (with -s -w):

  map[string]*main.sess                                      go1.24.11 linux/amd64
    4 places in 4 functions
      assign    main.(*store).put  prog/main.go:19
                s.byID[id] = v // assign byID
      delete    main.(*store).evict  prog/main.go:24
                delete(s.byID, id) // delete byID
      clear     main.(*store).reset  prog/main.go:29
                for k := range s.byID { // clear byID
      iterate   main.(*store).names  prog/main.go:37
                for k := range s.byID { // iterate byID")]
pub(crate) struct Where {
    /// An executable, or a core (its executable is found by itself)
    #[arg(value_name = "TARGET")]
    target: String,
    /// Addresses with 0x, functions, lines as FILE:LINE
    #[arg(value_name = "PLACE", required_unless_present = "writes")]
    places: Vec<String>,
    /// Who assigns to, deletes from, clears or iterates maps of this type (the whole type or an end of it)
    #[arg(long, value_name = "TYPE")]
    writes: Vec<String>,
    /// With --writes: also who reads
    #[arg(long, requires = "writes")]
    reads: bool,
    /// List the function's calls into the race detector, with the lines that they are for
    #[arg(long)]
    race: bool,
    /// Instructions to list on both sides of a place
    #[arg(long, value_name = "N", default_value_t = 8, conflicts_with = "all")]
    context: usize,
    /// List the whole function
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    binary: Binary,
    /// Look for source files that the program calls A… under B… (may be given several times)
    #[arg(long, value_name = "A=B")]
    path_map: Vec<PathMap>,
    /// Write gopsy.where/1 (docs/wire/where.md)
    #[arg(long)]
    json: bool,
}

impl Where {
    /// Answers all questions about one target.
    pub(crate) fn run(&self, look: &Look) -> Result<ExitCode> {
        let opened = Opened::open(&self.target, &self.binary)?;
        let (_, image) = opened.program.as_ref().map_err(|why| {
            let hints = why.hints().into_iter().map(|hint| format!("\nhint: {hint}")).collect::<String>();
            anyhow!("the executable that wrote this core was not found: {why}\n{hints}")
        })?;
        let bias = opened.bias()?;
        let locator = match &opened.core {
            Some(core) => Locator::loaded(image, bias, core),
            None => Locator::new(image),
        };
        let build = image.build_info().ok();
        let (beside, interrupted) = (OnceCell::new(), OnceCell::new());
        let all = Questions::new(self, &opened, locator, &beside, &interrupted);
        let mut answers: Vec<Answered> = self.places.iter().map(|words| all.place(words)).collect();
        let mut nothing = answers.iter().any(|answered| !is_found(answered));
        for name in &self.writes {
            let of_type = all.writers(name);
            // A plugin may have what the executable has not; but who could not look must not be passed over.
            nothing |=
                !of_type.iter().any(is_found) || of_type.iter().any(|a| matches!(a.answer, Answer::NotKnown { .. }));
            answers.extend(of_type);
        }
        let of_core = opened.core.is_some();
        let stated = StatedVersion::of(image);
        let version = stated.as_ref().map(|stated| stated.text.as_str());
        let platform = || Platform::of(image, build.as_ref(), of_core).in_words(image);
        let found = Whereabouts {
            target: called(&self.target).to_owned(),
            program: version.map(|version| format!("{version} {}", platform())),
            is_core: of_core,
            // For people only: the wire form names lines, and does not hold them.
            sources: if self.json { SourceTexts::new() } else { self.sources(&answers, version) },
            answers,
            alarm: opened.alarm.clone(),
            notes: notes(&opened, &all),
        };
        if self.json {
            wire::whereabouts(io::stdout().lock(), &found, wire::Form::Pretty)?;
        } else {
            print(&terminal::whereabouts(&found, &look.view()))?;
        }
        Ok(ExitCode::from(u8::from(nothing)))
    }

    /// The text of every line that an answer names, where it can be read.
    fn sources(&self, answers: &[Answered], version: Option<&str>) -> SourceTexts {
        let files = source::Files::new(&gopsy_target::input::read_source);
        let mut texts = SourceTexts::new();
        for (function, at) in lines_of(answers) {
            let (Some(file), Some(line)) = (at.file, at.line) else { continue };
            if texts.contains_key(&(file.clone(), line)) {
                continue;
            }
            let culprit = Culprit {
                function: function.unwrap_or_default().into(),
                file: Some(file.as_str().into()),
                line: i64::try_from(line).ok(),
                goroutine: None,
                why: None,
            };
            let lines = files.lines(&culprit, version, &self.path_map, 0);
            if let Some((_, text)) = lines.and_then(|found| found.lines.into_iter().next()) {
                texts.insert((file, line), text);
            }
        }
        texts
    }
}

/// Whether what was asked for is somewhere, and one thing.
fn is_found(answered: &Answered) -> bool {
    match &answered.answer {
        Answer::Nothing { .. } | Answer::Ambiguous { .. } | Answer::NotKnown { .. } => false,
        Answer::OnlyInlined { functions, .. } => functions.len() == 1,
        Answer::Place(answer) => !answer.place.notes.iter().any(|note| note.id == "not-mapped"),
        Answer::Writers(writers) => writers.found.any(),
        Answer::Line(_) => true,
    }
}

/// What a reader should know of all answers.
fn notes(opened: &Opened, all: &Questions<'_, '_>) -> Vec<String> {
    let mut notes: Vec<String> = opened.alarm.iter().chain(&opened.notes).cloned().collect();
    if !all.decodes() {
        notes.push("only instructions of amd64 are decoded so far: no code is shown".to_owned());
    }
    let missing = all.not_asked();
    if !missing.is_empty() {
        let missing: Vec<&str> = missing.into_iter().collect();
        notes.push(format!(
            "not asked, for they are not here or not proved to be what was mapped: {}",
            missing.join(", ")
        ));
    }
    notes
}

/// Every line that the answers name, with a function that it belongs to.
fn lines_of(answers: &[Answered]) -> Vec<(Option<String>, SourceLine)> {
    fn listed(listing: &Listing, function: Option<&str>, lines: &mut Vec<(Option<String>, SourceLine)>) {
        let of = |insn: &gopsy_locate::ListedInsn| insn.inlined.as_deref().or(function).map(str::to_owned);
        lines.extend(listing.insns.iter().map(|insn| (of(insn), insn.line.clone())));
    }
    let mut lines = Vec::new();
    for answered in answers {
        match &answered.answer {
            Answer::Place(answer) => {
                let function = answer.place.function.first().map(|f| f.name.clone());
                listed(&answer.listing, function.as_deref(), &mut lines);
                let calls = answer.race.iter().flatten().flatten();
                lines.extend(calls.map(|call| (function.clone(), call.line.clone())));
            }
            Answer::Line(answer) => {
                for one in &answer.listings {
                    listed(&one.listing, one.function.as_deref(), &mut lines);
                }
                let line = |c: &CodeOfLine| SourceLine { file: Some(c.file.clone()), line: Some(answer.line.number) };
                lines.extend(answer.code.iter().map(|c| (c.function.clone(), line(c))));
            }
            Answer::Writers(writers) => {
                let of = &writers.found;
                let uses = of.uses.iter().chain(&of.by_conversion).chain(&of.unresolved);
                let frames = uses.filter_map(|u| u.frames.first());
                lines.extend(frames.map(|f| (f.function.clone(), f.at.clone())));
            }
            _ => {}
        }
    }
    lines
}
