//! `gopsy where`: what every source says of a place in a program's code, and who writes a map.

use crate::beside::Beside;
use crate::opened::{Opened, Platform};
use crate::output::{Look, print};
use crate::target::Binary;
use anyhow::{Result, anyhow};
use clap::Args;
use gopsy_locate::{CodeOfLine, Found, Line, Listing, Locator, MAX_FOUND, MapUse, MapUses, Place, SourceLine, Unseen};
use gopsy_locate::{Window, fits_type};
use gopsy_mem::Addr;
use gopsy_model::Culprit;
use gopsy_report::source::{self, PathMap};
use gopsy_report::whereabouts::{Answer, Answered, LineAnswer, LineListing, PlaceAnswer, SourceTexts, ThreadAt};
use gopsy_report::whereabouts::{Whereabouts, Writers};
use gopsy_report::{terminal, wire};
use gopsy_target::{Core, signal_name};
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::io;
use std::process::ExitCode;

/// Stretches of a line whose instructions are listed.
const LISTED_STRETCHES: usize = 4;

/// Say what every source says of a place in a program's code, or who writes a map
///
/// A place is an address (`0x49468b`), a function (`main.(*store).put`, or an end of its name), or a line
/// (`store.go:41`). pclntab with its inline trees, DWARF, the symbol table and the code itself are asked; what they agree
/// on is said once, and where they differ both are shown, with the reason. In a core, addresses are those of the process, and what
/// the executable does not have is looked for in the plugins and libraries that it had loaded.
///
/// --writes finds the calls that assign to, delete from, clear or iterate a map of a type, in stripped programs of amd64
/// too. Calls whose type is not proved are listed as such; what package reflect does is only counted.
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
            anyhow!(
                "the executable that wrote this core was not found: {why}\n\nhint: name it with --bin, or the root of its \
                 container's file system with --root"
            )
        })?;
        let bias = opened.bias()?;
        let locator = match &opened.core {
            Some(core) => Locator::loaded(image, bias, core),
            None => Locator::new(image),
        };
        let build = image.build_info().ok();
        let beside = opened.core.as_ref().map(|core| Beside::all(core, &opened.finder)).unwrap_or_default();
        let question = Question { verb: self, opened: &opened, beside: None, locator: &locator, uses: OnceCell::new() };
        let places = self.places.iter().map(|words| question.place(words, &beside));
        let answers: Vec<Answered> =
            places.chain(self.writes.iter().flat_map(|name| question.writers(name, &beside))).collect();
        let nothing = answers.iter().any(|answered| match &answered.answer {
            Answer::Nothing { .. } | Answer::Ambiguous { .. } | Answer::NotKnown { .. } => true,
            Answer::OnlyInlined { functions, .. } => functions.len() > 1,
            Answer::Place(_) | Answer::Line(_) | Answer::Writers(_) => false,
        });
        let of_core = opened.core.is_some();
        let version = build.as_ref().map(|b| b.version.as_str()).filter(|v| !v.is_empty());
        let platform = || Platform::of(image, build.as_ref(), of_core).in_words(image);
        let found = Whereabouts {
            target: self.target.clone(),
            program: version.map(|version| format!("{version} {}", platform())),
            is_core: of_core,
            // For people only: the wire form names lines, and does not hold them.
            sources: if self.json { SourceTexts::new() } else { self.sources(&answers, version) },
            answers,
            notes: notes(&opened, &locator),
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

/// What a reader should know of the whole file.
fn notes(opened: &Opened, locator: &Locator<'_>) -> Vec<String> {
    let mut notes = opened.notes.clone();
    if !locator.decodes() {
        notes.push("only instructions of amd64 are decoded so far: no code is shown".to_owned());
    }
    notes
}

/// What is asked of one file.
struct Question<'a> {
    verb: &'a Where,
    opened: &'a Opened,
    /// The file, if it is not the executable.
    beside: Option<&'a Beside<'a>>,
    locator: &'a Locator<'a>,
    /// All uses of maps, once they were looked for.
    uses: OnceCell<Result<MapUses, Unseen>>,
}

impl Question<'_> {
    fn answered(&self, answer: Answer) -> Answered {
        Answered { file: self.beside.map(|file| file.name.clone()), bias: self.locator.bias(), answer }
    }

    /// A place in the executable; what it does not know, in the first of the files beside it that does.
    fn place(&self, words: &str, beside: &[Beside<'_>]) -> Answered {
        let asked = words.to_owned();
        let found = self.locator.find(words);
        if let Found::Address(number) = found {
            let own = self.address(asked.clone(), number);
            let at = Addr(number);
            let Some(other) = beside.iter().find(|file| file.holds(at)) else { return self.answered(own) };
            let of_other = self.ask(other, |question| question.answered(question.address(asked.clone(), number)));
            return of_other.unwrap_or_else(|why| {
                let why = format!("it lies in {}: {why}", self.describe(at).unwrap_or_else(|| other.name.clone()));
                self.answered(Answer::Nothing { asked, why })
            });
        }
        let own = self.found(asked, found);
        if !matches!(own, Answer::Nothing { .. }) {
            return self.answered(own);
        }
        let of_another = |file| {
            let ask = |question: &Question<'_>| match question.found(words.to_owned(), question.locator.find(words)) {
                Answer::Nothing { .. } => None,
                answer => Some(question.answered(answer)),
            };
            self.ask(file, ask).ok().flatten()
        };
        beside.iter().find_map(of_another).unwrap_or_else(|| self.answered(own))
    }

    /// Asks one of the files beside the executable, if it is at hand.
    fn ask<T>(&self, file: &Beside<'_>, question: impl FnOnce(&Question<'_>) -> T) -> Result<T, String> {
        let (image, bias) = file.image().map_err(str::to_owned)?;
        let core = self.opened.core.as_ref().ok_or("there is no process")?;
        let locator = Locator::loaded(image, *bias, core);
        let of_file = Question {
            verb: self.verb,
            opened: self.opened,
            beside: Some(file),
            locator: &locator,
            uses: OnceCell::new(),
        };
        Ok(question(&of_file))
    }

    fn found(&self, asked: String, found: Found) -> Answer {
        match found {
            Found::Address(number) => self.address(asked, number),
            Found::Functions(functions) => match functions.as_slice() {
                [one] => self.at(asked, self.locator.place(one.entry)),
                several => {
                    let more = several.len() >= MAX_FOUND;
                    Answer::Ambiguous { asked, functions, more }
                }
            },
            Found::OnlyInlined(functions) => Answer::OnlyInlined { asked, functions },
            Found::Code(line, code) if code.is_empty() => {
                let why = format!(
                    "no code of {}:{}: the line has none, or the file is not part of the program",
                    line.file, line.number
                );
                Answer::Nothing { asked, why: self.with_unread(why, true) }
            }
            Found::Code(line, code) => self.line(asked, line, code),
            Found::Nothing => {
                let why = "no function has this name or ends so, nor is one inlined anywhere. An address begins with 0x, a line is FILE:LINE";
                Answer::Nothing { asked, why: self.with_unread(why.to_owned(), false) }
            }
        }
    }

    /// Nothing was found, and what could not be asked.
    fn with_unread(&self, mut why: String, lines: bool) -> String {
        for (i, (witness, error)) in self.locator.unread(lines).iter().enumerate() {
            why.push_str(if i == 0 { ". Not asked: " } else { "; " });
            why.push_str(&format!("{} ({error})", witness.words()));
        }
        why
    }

    /// An address: of the process, if there is one.
    fn address(&self, asked: String, number: u64) -> Answer {
        let place = self.locator.place(self.locator.bias().unload(Addr(number)));
        // What lies in another file that was mapped is not this one's.
        match self.describe(Addr(number)).filter(|_| self.beside.is_none() && place.function.first().is_none()) {
            Some(other) => Answer::Nothing { asked, why: format!("it lies in {other}: not in the program's own file") },
            None => self.at(asked, place),
        }
    }

    /// What of a process stands at an address, if not its executable.
    fn describe(&self, at: Addr) -> Option<String> {
        let own = |core: &Core| {
            let mapped = core.mapping_at(at);
            mapped.is_some_and(|m| core.executable().is_some_and(|own| own.path == m.path))
        };
        self.opened.core.as_ref().filter(|core| !own(core)).and_then(|core| core.describe(at))
    }

    fn at(&self, asked: String, place: Place) -> Answer {
        let window = if self.verb.all { Window::Whole } else { Window::Around(self.verb.context) };
        let listing = self.locator.listing(&place, window);
        let pc = self.locator.bias().load(place.pc);
        let threads = self.opened.core.as_ref().map(|core| {
            let here = core.threads().iter().filter(|t| t.registers.pc() == pc);
            here.map(|t| ThreadAt {
                tid: u64::from(t.tid),
                signal: core.signal_of(t).map(|s| signal_name(u64::from(s))),
                registers: t.registers.iter().collect(),
            })
            .collect()
        });
        let race = self.verb.race.then(|| self.locator.race_calls(place.pc).map_err(|why| why.to_string()));
        Answer::Place(Box::new(PlaceAnswer { asked, place, listing, threads: threads.unwrap_or_default(), race }))
    }

    fn line(&self, asked: String, line: Line, code: Vec<CodeOfLine>) -> Answer {
        let own = code.iter().filter(|c| !c.inlined_call);
        let stretch = |c: &CodeOfLine| LineListing {
            function: c.function.clone(),
            listing: self.locator.listing(&self.locator.place(c.start), Window::Between(c.start, c.end)),
        };
        let listings = own.take(LISTED_STRETCHES).map(stretch).filter(|l| !l.listing.insns.is_empty()).collect();
        Answer::Line(LineAnswer { asked, line, code, listings })
    }

    /// Who uses maps of a type: of the executable, and of those files beside it that have Go code which does.
    fn writers(&self, asked: &str, beside: &[Beside<'_>]) -> Vec<Answered> {
        let of_another = |file| {
            let ask = |question: &Question<'_>| {
                question.locator.table().ok()?;
                match question.uses(asked) {
                    Answer::Writers(none) if none.uses.is_empty() => None,
                    answer => Some(question.answered(answer)),
                }
            };
            self.ask(file, ask).ok().flatten()
        };
        let own = self.answered(self.uses(asked));
        std::iter::once(own).chain(beside.iter().filter_map(of_another)).collect()
    }

    fn uses(&self, asked: &str) -> Answer {
        let MapUses { uses, not_read } = match self.uses.get_or_init(|| self.locator.map_uses(self.verb.reads)) {
            Ok(found) => found,
            Err(why) => {
                let why = format!("who uses maps was not looked for: {why}");
                return Answer::NotKnown { asked: asked.to_owned(), why };
            }
        };
        let known = |u: &&MapUse| u.type_name.is_some();
        let fits = |u: &&MapUse| u.type_name.as_deref().is_some_and(|name| fits_type(name, asked));
        let fitting: Vec<MapUse> = uses.iter().filter(fits).cloned().collect();
        let types: BTreeSet<String> = uses.iter().filter_map(|u| u.type_name.clone()).collect();
        let (own, others): (Vec<&MapUse>, Vec<&MapUse>) =
            uses.iter().filter(|u| !known(u)).partition(|u| u.is_of_the_runtime());
        Answer::Writers(Writers {
            asked: asked.to_owned(),
            types: if fitting.is_empty() { types.into_iter().collect() } else { Vec::new() },
            uses: fitting,
            unresolved: others.into_iter().cloned().collect(),
            of_the_runtime: own.len(),
            not_read: *not_read,
        })
    }
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
                let frames = writers.uses.iter().chain(&writers.unresolved).filter_map(|u| u.frames.first());
                lines.extend(frames.map(|f| (f.function.clone(), f.at.clone())));
            }
            _ => {}
        }
    }
    lines
}
