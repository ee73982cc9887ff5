//! What is asked of a program's file, and of the files that its process had loaded beside it.

use super::Where;
use crate::beside::Beside;
use crate::opened::Opened;
use gopsy_locate::{AskedType, CodeOfLine, Found, Line, Locator, MAX_FOUND, MapType, MapUses, Place, Unseen, Window};
use gopsy_mem::{Addr, Memory};
use gopsy_program::{Interrupted, interrupted};
use gopsy_report::whereabouts::{
    Answer, Answered, LineAnswer, LineListing, OperandAt, PlaceAnswer, ThreadAt, TypeNames, Writers,
};
use gopsy_target::{Core, signal_name};
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Stretches of a line whose instructions are listed.
const LISTED_STRETCHES: usize = 4;

/// All that can be asked: the executable first, and for what it does not know the files beside it.
pub(super) struct Questions<'q, 'f> {
    own: Question<'q>,
    opened: &'f Opened,
    /// The files, listed when one of them is first needed.
    files: &'q OnceCell<Vec<Beside<'f>>>,
    others: OnceCell<Vec<Other<'q>>>,
}

/// A file beside the executable, and what answers for it.
struct Other<'q> {
    file: &'q Beside<'q>,
    question: OnceCell<Result<Question<'q>, String>>,
}

impl<'q, 'f> Questions<'q, 'f> {
    pub(super) fn new(
        verb: &'q Where,
        opened: &'f Opened,
        locator: Locator<'q>,
        files: &'q OnceCell<Vec<Beside<'f>>>,
        interrupted: &'q OnceCell<Vec<Interrupted>>,
    ) -> Questions<'q, 'f>
    where
        'f: 'q,
    {
        let own =
            Question { verb, opened, interrupted, file: None, locator, uses: OnceCell::new(), types: OnceCell::new() };
        Questions { own, opened, files, others: OnceCell::new() }
    }

    /// Whether code of the executable's machine is decoded.
    pub(super) fn decodes(&self) -> bool {
        self.own.locator.decodes()
    }

    /// The others, by address.
    fn others(&self) -> &[Other<'q>] {
        self.others.get_or_init(|| {
            let Some(core) = &self.opened.core else { return Vec::new() };
            let image = self.own.locator.image();
            let files = self.files.get_or_init(|| Beside::all(core, image, &self.opened.finder));
            files.iter().map(|file| Other { file, question: OnceCell::new() }).collect()
        })
    }

    /// Asks one of the others, or says why it cannot be asked.
    fn ask<'s>(&'s self, other: &'s Other<'q>) -> Result<&'s Question<'q>, &'s str> {
        let question = || {
            let locator = other.file.locator()?;
            Ok(Question {
                file: Some(&other.file.name),
                locator,
                uses: OnceCell::new(),
                types: OnceCell::new(),
                ..self.own
            })
        };
        other.question.get_or_init(question).as_ref().map_err(String::as_str)
    }

    /// The others that answer.
    fn answering(&self) -> impl Iterator<Item = &Question<'q>> {
        self.others().iter().filter_map(|other| self.ask(other).ok())
    }

    /// The files that were to be asked and could not, by path.
    pub(super) fn not_asked(&self) -> BTreeSet<&str> {
        let others = self.others.get().into_iter().flatten();
        let failed = others.filter(|other| matches!(other.question.get(), Some(Err(_))));
        failed.map(|other| other.file.name.as_str()).collect()
    }

    /// A place in the executable; what it does not know, in the first of the files beside it that does.
    pub(super) fn place(&self, words: &str) -> Answered {
        let found = self.own.locator.find(words);
        if let Found::Address(number) = found {
            return self.address(words, Addr(number));
        }
        let own = self.own.found(words.to_owned(), found);
        if !matches!(own, Answer::Nothing { .. }) {
            return self.own.answered(own);
        }
        let of_another = |other: &Question<'q>| match other.found(words.to_owned(), other.locator.find(words)) {
            Answer::Nothing { .. } => None,
            answer => Some(other.answered(answer)),
        };
        self.answering().find_map(of_another).unwrap_or_else(|| self.own.answered(own))
    }

    /// An address: of the process, if there is one.
    fn address(&self, words: &str, at: Addr) -> Answered {
        let nothing = |why| self.own.answered(Answer::Nothing { asked: words.to_owned(), why });
        if let Some(other) = self.others().iter().find(|other| other.file.holds(at)) {
            return match self.ask(other) {
                Ok(question) => question.answered(question.address(words.to_owned(), at)),
                Err(why) => nothing(format!(
                    "it lies in {}: {why}",
                    self.describe(at).unwrap_or_else(|| other.file.name.clone())
                )),
            };
        }
        let stated = self.own.locator.bias().unload(at);
        let place = self.own.locator.place(stated);
        // Nor is what lies in a file without code, that was mapped, of the executable, nor what lies in no file.
        let elsewhere = place.function.first().is_none() && !self.own.locator.image().is_mapped(stated);
        match self.describe(at).filter(|_| elsewhere) {
            Some(mapped) if self.is_in_file(at) => {
                nothing(format!("it lies in {mapped}: not in the program's own file"))
            }
            Some(memory) => nothing(format!("it lies in {memory}")),
            None => self.own.answered(self.own.at(words.to_owned(), place)),
        }
    }

    /// What of a process stands at an address, if not its executable.
    fn describe(&self, at: Addr) -> Option<String> {
        let core = self.opened.core.as_ref()?;
        let own = core.mapping_at(at).is_some_and(|m| core.program_mapping().is_some_and(|own| own.path == m.path));
        core.describe(at).filter(|_| !own)
    }

    fn is_in_file(&self, at: Addr) -> bool {
        self.opened.core.as_ref().is_some_and(|core| core.mapping_at(at).is_some())
    }

    /// Who uses maps of a type: of the executable, and of those files beside it that have Go code which does.
    pub(super) fn writers(&self, asked: &str) -> Vec<Answered> {
        let of_another = |other: &Question<'q>| {
            other.locator.table().ok()?;
            match other.uses(asked) {
                Answer::Writers(none) if !none.found.any() => None,
                answer => Some(other.answered(answer)),
            }
        };
        let own = self.own.answered(self.own.uses(asked));
        std::iter::once(own).chain(self.answering().filter_map(of_another)).collect()
    }
}

/// What is asked of one file.
struct Question<'q> {
    verb: &'q Where,
    opened: &'q Opened,
    /// Where signals interrupted the threads of the core, when that is first asked.
    interrupted: &'q OnceCell<Vec<Interrupted>>,
    /// The file, if it is not the executable.
    file: Option<&'q str>,
    locator: Locator<'q>,
    /// All uses of maps, once they were looked for.
    uses: OnceCell<Result<MapUses, Unseen>>,
    /// The types of maps that the file lists, once they were looked for.
    types: OnceCell<Option<Vec<Arc<MapType>>>>,
}

impl Question<'_> {
    fn answered(&self, answer: Answer) -> Answered {
        Answered { file: self.file.map(str::to_owned), bias: self.locator.bias(), answer }
    }

    fn address(&self, asked: String, at: Addr) -> Answer {
        self.at(asked, self.locator.place(self.locator.bias().unload(at)))
    }

    fn found(&self, asked: String, found: Found) -> Answer {
        match found {
            Found::Address(number) => self.address(asked, Addr(number)),
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

    fn at(&self, asked: String, place: Place) -> Answer {
        let window = if self.verb.all { Window::Whole } else { Window::Around(self.verb.context) };
        let listing = self.locator.listing(&place, window);
        let pc = self.locator.bias().load(place.pc);
        let threads = self.opened.core.as_ref().map(|core| self.threads(core, &place, pc));
        let race = self.verb.race.then(|| self.locator.race_calls(place.pc).map_err(|why| why.to_string()));
        Answer::Place(Box::new(PlaceAnswer { asked, place, listing, threads: threads.unwrap_or_default(), race }))
    }

    /// The threads that stand at a place, or stood there when a signal came.
    fn threads(&self, core: &Core, place: &Place, pc: Addr) -> Vec<ThreadAt> {
        let operand = |register: &dyn Fn(&str) -> Option<u64>| {
            self.locator.memory_operand(place, register).map(|(at, size)| operand(core, at, size))
        };
        let standing = core.threads().iter().filter(|t| t.registers.pc() == pc).map(|t| ThreadAt {
            tid: u64::from(t.tid),
            signal: core.signal_of(t).map(|s| signal_name(u64::from(s))),
            interrupted: false,
            registers: t.registers.iter().collect(),
            operand: operand(&|name| t.registers.get(name)),
        });
        // Only an instruction is interrupted. A program that cannot be joined to its core has been told of by now.
        let handling = || match &self.opened.program {
            Ok((path, image)) => interrupted(core, image, path, &self.opened.finder).unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        let handling = place.instruction.as_ref().map_or(&[][..], |_| self.interrupted.get_or_init(handling));
        // Who stands here again, or still, is told once.
        let gone = |t: &&Interrupted| !core.threads().iter().any(|own| own.tid == t.tid && own.registers.pc() == pc);
        let stood = handling.iter().filter(|t| t.pc == pc).filter(gone).map(|t| ThreadAt {
            tid: u64::from(t.tid),
            signal: (t.signal != 0).then(|| signal_name(u64::from(t.signal))),
            interrupted: true,
            registers: t.registers.clone(),
            operand: operand(&|name| t.registers.iter().find(|(of, _)| *of == name).map(|(_, value)| *value)),
        });
        standing.chain(stood).collect()
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

    fn uses(&self, asked: &str) -> Answer {
        let all = match self.uses.get_or_init(|| self.locator.map_uses(self.verb.reads)) {
            Ok(found) => found,
            Err(why) => {
                let why = format!("who uses maps was not looked for: {why}");
                return Answer::NotKnown { asked: asked.to_owned(), why };
            }
        };
        let listed = self.types.get_or_init(|| self.locator.listed_map_types());
        let found = all.of_type(&AskedType::new(asked), listed.as_deref());
        let used = || all.uses.iter().filter_map(|u| u.of_type.as_deref());
        let names = TypeNames::of(used().chain(listed.iter().flatten().map(AsRef::as_ref)), |at| {
            self.locator.bias().load(at).0
        });
        let types: BTreeSet<&str> = used().filter(|_| found.uses.is_empty()).map(|of| names.name(of)).collect();
        let types = types.into_iter().map(str::to_owned).collect();
        Answer::Writers(Writers { asked: asked.to_owned(), types, found, names, not_read: all.not_read })
    }
}

/// What a core has where an instruction reads or writes so many bytes; the first of them, where those are more than a word.
fn operand(core: &Core, at: Addr, size: u16) -> OperandAt {
    let mut word = [0; 8];
    let bytes = word.get_mut(..usize::from(size).clamp(1, 8)).unwrap_or_default();
    let what = match core.read(at, bytes) {
        Err(fault) => fault.to_string(),
        Ok(()) => {
            let holds =
                if size == 0 { "it is there".to_owned() } else { format!("it holds {:#x}", u64::from_le_bytes(word)) };
            core.describe(at).map_or_else(|| holds.clone(), |part| format!("{holds}, in {part}"))
        }
    };
    OperandAt { address: at.0, what }
}
