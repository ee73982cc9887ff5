//! `gopsy.where/1`.

use super::{Form, hex, is_false, json};
use crate::whereabouts::{Answer, Answered, LineAnswer, PlaceAnswer, Whereabouts, Writers};
use gopsy_locate::{
    CodeOfLine, Frame, Function, ListedInsn, Listing, MapUse, OnlyInlined, SourceLine, Statement, Witness,
};
use gopsy_mem::LinkAddr;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;

/// The name of the form.
const SCHEMA: &str = "gopsy.where/1";

#[derive(Serialize)]
struct Wire<'a> {
    schema: &'static str,
    target: &'a str,
    program: Option<&'a str>,
    /// Addresses are those of the process that a core is of.
    loaded: bool,
    answers: Vec<WireAnswer<'a>>,
    notes: &'a [String],
}

/// One answer; what does not apply is absent.
#[derive(Serialize, Default)]
struct WireAnswer<'a> {
    asked: &'a str,
    found: &'static str,
    /// Absent where it is the executable.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<WirePlace<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    functions: Option<Vec<WireFunction<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Vec<WireCode<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listings: Option<Vec<WireListing<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maps: Option<WireMaps<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    /// There may be more of what is listed.
    #[serde(skip_serializing_if = "is_false")]
    more: bool,
}

#[derive(Serialize)]
struct WirePlace<'a> {
    address: String,
    /// As the file states it; absent where it is the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    stated: Option<String>,
    section: Option<&'a str>,
    function: Vec<WireFunction<'a>>,
    line: Vec<WireLine<'a>>,
    frames: Vec<WireFrames<'a>>,
    instruction: Option<WireInstruction<'a>>,
    call_before: Option<WireCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    threads: Vec<WireThread<'a>>,
    notes: Vec<WireNote<'a>>,
    listing: WireListing<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    race: Option<Vec<WireRace<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    race_not_known: Option<&'a str>,
}

#[derive(Serialize)]
struct WireFunction<'a> {
    name: &'a str,
    entry: Option<String>,
    end: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    by: Vec<&'static str>,
}

#[derive(Serialize)]
struct WireLine<'a> {
    file: Option<&'a str>,
    line: Option<u64>,
    by: Vec<&'static str>,
}

#[derive(Serialize)]
struct WireFrames<'a> {
    frames: Vec<WireFrame<'a>>,
    by: Vec<&'static str>,
}

#[derive(Serialize)]
struct WireFrame<'a> {
    function: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u64>,
}

#[derive(Serialize)]
struct WireInstruction<'a> {
    address: String,
    bytes: u8,
    text: &'a str,
}

#[derive(Serialize)]
struct WireCall<'a> {
    address: String,
    target: Option<String>,
    frames: Vec<WireFrame<'a>>,
}

#[derive(Serialize)]
struct WireThread<'a> {
    tid: u64,
    signal: Option<&'a str>,
    interrupted: bool,
    registers: BTreeMap<&'a str, String>,
    operand: Option<WireOperand<'a>>,
}

#[derive(Serialize)]
struct WireOperand<'a> {
    address: String,
    what: &'a str,
}

#[derive(Serialize)]
struct WireNote<'a> {
    id: &'a str,
    text: &'a str,
}

#[derive(Serialize)]
struct WireListing<'a> {
    before: usize,
    instructions: Vec<WireListed<'a>>,
    behind: usize,
}

#[derive(Serialize)]
struct WireListed<'a> {
    address: String,
    bytes: u8,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    names: Option<String>,
    file: Option<&'a str>,
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inlined: Option<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    asked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    race: Option<&'static str>,
}

#[derive(Serialize)]
struct WireRace<'a> {
    address: String,
    hook: &'static str,
    file: Option<&'a str>,
    line: Option<u64>,
}

#[derive(Serialize)]
struct WireCode<'a> {
    start: String,
    end: String,
    file: &'a str,
    function: Option<&'a str>,
    inlined_call: bool,
    by: Vec<&'static str>,
}

#[derive(Serialize)]
struct WireMaps<'a> {
    uses: Vec<WireUse<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    by_conversion: Vec<WireUse<'a>>,
    unresolved: Vec<WireUse<'a>>,
    cannot_be: usize,
    of_the_runtime: usize,
    not_read: usize,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    types: &'a [String],
}

#[derive(Serialize)]
struct WireUse<'a> {
    call: String,
    operation: &'static str,
    callee: &'a str,
    #[serde(rename = "type")]
    type_name: Option<&'a str>,
    type_path: Option<&'a str>,
    type_at: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    passed: bool,
    frames: Vec<WireFrame<'a>>,
}

/// Writes answers as `gopsy.where/1`.
pub fn whereabouts(out: impl io::Write, found: &Whereabouts, form: Form) -> io::Result<()> {
    let value = Wire {
        schema: SCHEMA,
        target: &found.target,
        program: found.program.as_deref(),
        loaded: found.is_core,
        answers: found.answers.iter().map(|answered| Of(answered).answer()).collect(),
        notes: &found.notes,
    };
    json::write(out, &value, form)
}

fn by(by: &[Witness]) -> Vec<&'static str> {
    by.iter().map(|w| w.as_str()).collect()
}

fn frame(frame: &Frame) -> WireFrame<'_> {
    WireFrame { function: frame.function.as_deref(), file: frame.at.file.as_deref(), line: frame.at.line }
}

/// A function without code of its own begins nowhere.
fn inlined(function: &OnlyInlined) -> WireFunction<'_> {
    WireFunction { name: &function.name, entry: None, end: None, by: Vec::new() }
}

/// An answer with the addresses of its file.
struct Of<'f>(&'f Answered);

impl<'f> Of<'f> {
    fn at(&self, at: LinkAddr) -> String {
        hex(self.0.shown(at))
    }

    fn answer(&self) -> WireAnswer<'f> {
        WireAnswer { file: self.0.file.as_deref(), ..self.what(&self.0.answer) }
    }

    fn what(&self, answer: &'f Answer) -> WireAnswer<'f> {
        match answer {
            Answer::Place(answer) => WireAnswer {
                asked: &answer.asked,
                found: "place",
                place: Some(self.place(answer)),
                ..WireAnswer::default()
            },
            Answer::Ambiguous { asked, functions, more } => WireAnswer {
                asked,
                found: "several-functions",
                more: *more,
                functions: Some(functions.iter().map(|f| self.function(f, &[])).collect()),
                ..WireAnswer::default()
            },
            Answer::OnlyInlined { asked, functions } => match functions.as_slice() {
                [one] => WireAnswer {
                    asked,
                    found: "only-inlined",
                    function: Some(&one.name),
                    code: Some(one.code.iter().map(|c| self.code(c)).collect()),
                    more: one.more,
                    ..WireAnswer::default()
                },
                several => WireAnswer {
                    asked,
                    found: "several-functions",
                    functions: Some(several.iter().map(inlined).collect()),
                    more: several.iter().any(|f| f.more),
                    ..WireAnswer::default()
                },
            },
            Answer::NotKnown { asked, why } => {
                WireAnswer { asked, found: "not-known", why: Some(why), ..WireAnswer::default() }
            }
            Answer::Line(LineAnswer { asked, code, listings, .. }) => WireAnswer {
                asked,
                found: "line",
                code: Some(code.iter().map(|c| self.code(c)).collect()),
                listings: Some(listings.iter().map(|l| self.listing(&l.listing)).collect()),
                ..WireAnswer::default()
            },
            Answer::Nothing { asked, why } => {
                WireAnswer { asked, found: "nothing", why: Some(why), ..WireAnswer::default() }
            }
            Answer::Writers(writers) => WireAnswer {
                asked: &writers.asked,
                found: "map-uses",
                maps: Some(self.maps(writers)),
                ..WireAnswer::default()
            },
        }
    }

    fn place(&self, answer: &'f PlaceAnswer) -> WirePlace<'f> {
        let place = &answer.place;
        let (address, stated) = (self.at(place.pc), hex(place.pc.0));
        let line =
            |s: &'f Statement<SourceLine>| WireLine { file: s.says.file.as_deref(), line: s.says.line, by: by(&s.by) };
        WirePlace {
            stated: Some(stated).filter(|s| *s != address),
            address,
            section: place.section.as_deref(),
            function: place.function.statements().iter().map(|s| self.function(&s.says, &s.by)).collect(),
            line: place.line.statements().iter().map(line).collect(),
            frames: place
                .frames
                .statements()
                .iter()
                .map(|s| WireFrames { frames: s.says.iter().map(frame).collect(), by: by(&s.by) })
                .collect(),
            instruction: place.instruction.as_ref().map(|i| WireInstruction {
                address: self.at(i.start),
                bytes: i.len,
                text: &i.text,
            }),
            call_before: place.call_before.as_ref().map(|c| WireCall {
                address: self.at(c.at),
                target: c.target.as_ref().map(ToString::to_string),
                frames: c.frames.iter().map(frame).collect(),
            }),
            data: place.data.as_ref().map(ToString::to_string),
            threads: answer
                .threads
                .iter()
                .map(|t| WireThread {
                    tid: t.tid,
                    signal: t.signal.as_deref(),
                    interrupted: t.interrupted,
                    registers: t.registers.iter().map(|(name, value)| (*name, hex(*value))).collect(),
                    operand: t.operand.as_ref().map(|o| WireOperand { address: hex(o.address), what: &o.what }),
                })
                .collect(),
            notes: place.notes.iter().map(|n| WireNote { id: n.id, text: &n.text }).collect(),
            listing: self.listing(&answer.listing),
            race_not_known: answer.race.as_ref().and_then(|race| race.as_ref().err()).map(String::as_str),
            race: answer.race.as_ref().and_then(|race| race.as_ref().ok()).map(|calls| {
                let call = |c: &'f gopsy_locate::RaceCall| WireRace {
                    address: self.at(c.at),
                    hook: c.hook.as_str(),
                    file: c.line.file.as_deref(),
                    line: c.line.line,
                };
                calls.iter().map(call).collect()
            }),
        }
    }

    fn function(&self, function: &'f Function, witnesses: &[Witness]) -> WireFunction<'f> {
        WireFunction {
            name: &function.name,
            entry: Some(self.at(function.entry)),
            end: function.end.map(|end| self.at(end)),
            by: by(witnesses),
        }
    }

    fn code(&self, code: &'f CodeOfLine) -> WireCode<'f> {
        WireCode {
            start: self.at(code.start),
            end: self.at(code.end),
            file: &code.file,
            function: code.function.as_deref(),
            inlined_call: code.inlined_call,
            by: by(&code.by),
        }
    }

    fn listing(&self, listing: &'f Listing) -> WireListing<'f> {
        let listed = |i: &'f ListedInsn| WireListed {
            address: self.at(i.at),
            bytes: i.len,
            text: &i.text,
            names: i.names.as_ref().map(ToString::to_string),
            file: i.line.file.as_deref(),
            line: i.line.line,
            inlined: i.inlined.as_deref(),
            asked: i.asked,
            race: i.race.map(|hook| hook.as_str()),
        };
        WireListing {
            before: listing.before,
            instructions: listing.insns.iter().map(listed).collect(),
            behind: listing.behind,
        }
    }

    fn maps(&self, writers: &'f Writers) -> WireMaps<'f> {
        let one = |u: &'f MapUse| WireUse {
            call: self.at(u.call),
            operation: u.operation.as_str(),
            callee: &u.callee,
            type_name: u.of_type.as_ref().map(|of| of.name.as_str()),
            type_path: u.of_type.as_ref().and_then(|of| of.path.as_deref()),
            type_at: u.of_type.as_ref().map(|of| self.at(of.descriptor)),
            passed: u.passed,
            frames: u.frames.iter().map(frame).collect(),
        };
        WireMaps {
            uses: writers.found.uses.iter().map(one).collect(),
            by_conversion: writers.found.by_conversion.iter().map(one).collect(),
            unresolved: writers.found.unresolved.iter().map(one).collect(),
            cannot_be: writers.found.cannot_be,
            of_the_runtime: writers.found.of_the_runtime,
            not_read: writers.not_read,
            types: &writers.types,
        }
    }
}
