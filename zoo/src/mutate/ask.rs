//! Everything that `gopsy explain` and `gopsy stacks` ask of a core, and more.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use gopsy_image::{Bytes, Image};
use gopsy_program::{AnyCore, By, CoreError, CoreEvidence, CoreOptions, Evidence, Filter, Program};
use gopsy_report::redact::{Private, Redaction};
use gopsy_report::terminal::{self, StacksPage, View};
use gopsy_report::{Case, github, markdown, wire};
use gopsy_runtime::Release;
use gopsy_target::Core;
use gopsy_target::finder::Finder;

/// So many stacks are asked for one by one. A damaged count may make thousands of them.
const STACKS: usize = 2000;

/// What came of asking.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Whether there was a program to ask.
    pub(super) read: bool,
    /// All that it said, in one number.
    pub(super) said: u64,
    /// What no bytes should bring about.
    pub(super) wrong: Vec<String>,
}

/// Opens a core with its binary, and reads it by the layouts of another release if one is named.
pub(super) fn open(core: Bytes, image: &Arc<Image>, layouts_of: Option<Release>) -> Result<AnyCore, CoreError> {
    // Nothing else of this machine has a part in it.
    let finder = Finder { debug_dirs: Vec::new(), ..Finder::default() };
    let options = CoreOptions { finder, layouts_of };
    AnyCore::join(Core::parse(core)?, Arc::clone(image), Path::new("app"), &options)
}

/// How a case is asked.
#[derive(Default)]
pub(super) struct Manner<'a> {
    /// What the whole core says, where only a part of it is there.
    pub(super) whole: Option<&'a Program>,
    /// The release by whose layouts it is read, if not its own.
    pub(super) layouts_of: Option<Release>,
    /// Whether every form is written in which it can be.
    pub(super) written: bool,
}

/// Asks for everything.
pub(super) fn everything(core: Bytes, image: &Arc<Image>, manner: Manner<'_>) -> Answer {
    let Manner { whole, layouts_of, written } = manner;
    let evidence = match open(core, image, layouts_of) {
        Ok(AnyCore::Read(evidence)) => *evidence,
        Ok(AnyCore::Unread(unread)) => return only_threads(Program::new(*unread), written),
        Err(error) if error.to_string().is_empty() => {
            return Answer { wrong: vec!["a core is refused without a word".to_owned()], ..Answer::default() };
        }
        Err(_) => return Answer::default(),
    };
    let mut sum = DefaultHasher::new();
    runtime(&evidence, &mut sum);
    if let Ok(data) = image.module_data() {
        format!("{:?} {:?}", data.listed_types(&**image).map(|t| t.len()), data.itabs(&**image).map(|i| i.len()))
            .hash(&mut sum);
    }
    let threads: Vec<u32> = evidence.thread_ids().take(STACKS).collect();
    for thread in threads {
        format!("{:?}", evidence.thread_stack(thread)).hash(&mut sum);
    }
    let keys: Vec<u64> = (0..evidence.stack_count().min(STACKS)).map(|id| evidence.stack_key(id)).collect();
    let program = Program::new(evidence);
    let mut wrong = Vec::new();
    let one = |id: usize| {
        let mut hasher = DefaultHasher::new();
        format!("{:?} {:?} {:?}", program.goroutine(id), program.stack(id), program.brief(id)).hash(&mut hasher);
        hasher.finish()
    };
    let ids = 0..program.stack_count().min(STACKS);
    let said: Vec<u64> = ids.clone().map(one).collect();
    said.hash(&mut sum);
    // What was said last is kept; from the other end most of it is worked out again.
    for id in ids.rev() {
        if said.get(id) != Some(&one(id)) {
            wrong.push(format!("stack {id} is another when it is asked for again"));
        }
        if keys.get(id) != Some(&program.stack_key(id)) {
            wrong.push(format!("the key of stack {id} is another when it is asked for again"));
        }
    }
    if program.crashed().is_some_and(|id| id >= program.stack_count()) {
        wrong.push("the stack that failed is none".to_owned());
    }
    if let Some(whole) = whole {
        wrong.extend(super::false_statements(whole, &program));
    }
    explained(program, written, &mut wrong);
    Answer { read: true, said: sum.finish(), wrong }
}

/// Asks for the threads of a core of which the goroutines cannot be read.
fn only_threads(program: Program, written: bool) -> Answer {
    let (mut sum, mut wrong) = (DefaultHasher::new(), Vec::new());
    if let Some(note) = program.notes().iter().find(|note| note.ends_with(": ")) {
        wrong.push(format!("a note does not say why: {note:?}"));
    }
    for id in 0..program.stack_count().min(STACKS) {
        format!("{:?}", program.stack(id)).hash(&mut sum);
    }
    explained(program, written, &mut wrong);
    Answer { read: false, said: sum.finish(), wrong }
}

/// What `gopsy info` asks of the runtime, and what no verb does.
fn runtime(evidence: &CoreEvidence, sum: &mut impl Hasher) {
    let runtime = evidence.runtime();
    format!("{:?} {:?}", runtime.arguments(), runtime.environment_names()).hash(sum);
    format!("{:?} {:?} {:?}", runtime.gomaxprocs(), runtime.processors(), runtime.heap()).hash(sum);
    format!("{:?} {:?}", runtime.scheduler(), runtime.limits()).hash(sum);
    format!("{:?} {:?}", runtime.backlog(), runtime.last_seen_alive()).hash(sum);
    let goroutines = runtime.possible_goroutines(&[]).map(|g| g.addresses).unwrap_or_default();
    for g in goroutines.into_iter().take(STACKS) {
        format!("{:?} {:?} {:?}", runtime.defers(g), runtime.ancestors(g), runtime.signal(g)).hash(sum);
    }
}

fn explained(program: Program, written: bool, wrong: &mut Vec<String>) {
    let verdict = gopsy_explain::explain(&program);
    let mut notes = program.notes();
    let by = [By::Stack, By::State, By::Wait, By::Object, By::Creator, By::Label("name".to_owned())];
    let ids = 0..program.stack_count();
    let groups = by.each_ref().map(|by| gopsy_program::group(&program, ids.clone(), by, &Filter::default()));
    for (by, groups) in by.iter().zip(&groups) {
        if groups.iter().map(|g| g.entries).sum::<u64>() != ids.len() as u64 {
            wrong.push(format!("the groups by {by:?} have not all goroutines"));
        }
    }
    if !written {
        return;
    }
    let grep = Filter { grep: Some("main".to_owned()), ..Filter::default() };
    let _ = gopsy_program::group(&program, ids.clone(), &By::Stack, &grep);
    let view = View { width: 80, colour: false, unicode: true };
    let of_json = |what: &str, json: &[u8], wrong: &mut Vec<String>| {
        if let Err(error) = serde_json::from_slice::<serde_json::Value>(json) {
            wrong.push(format!("{what} is no JSON: {error}"));
        }
    };
    for (by, groups) in by.iter().zip(&groups) {
        let page = StacksPage { program: &program, groups, limit: Some(20), rows: 8, notes: &notes };
        plain("stacks", &terminal::stacks(&page, &view), wrong);
        let input = wire::Stacks { target: "core", by, groups, limit: None, notes: &notes };
        let mut json = Vec::new();
        if wire::stacks(&mut json, &program, &input, wire::Form::Compact).is_ok() {
            of_json("stacks", &json, wrong);
        }
    }
    let case = Case { program: &program, verdict: &verdict, source: None, groups: &groups[0], notes: &notes };
    plain("explain", &terminal::explain(&case, &view), wrong);
    plain("markdown", &markdown::explain(&case), wrong);
    plain("annotations", &github::annotations(&case, &|_| None).join("\n"), wrong);
    let mut json = Vec::new();
    if wire::explain(&mut json, &program, &verdict, ids.clone(), &notes, wire::Form::Pretty).is_ok() {
        of_json("explain", &json, wrong);
    }
    let redaction = Redaction::new(&program, &Private::default());
    let program = redaction.program(program);
    let verdict = redaction.verdict(&verdict);
    notes = notes.iter().map(|note| redaction.text(note)).collect();
    let case = Case { program: &program, verdict: &verdict, source: None, groups: &[], notes: &notes };
    plain("redacted", &terminal::explain(&case, &view), wrong);
}

/// No text may hold what a terminal obeys.
fn plain(what: &str, text: &str, wrong: &mut Vec<String>) {
    if let Some(bad) = text.chars().find(|c| c.is_control() && *c != '\n') {
        wrong.push(format!("{what} has the control character {bad:?}"));
    }
}
