//! `--redact`: a report that can be shown to others.
//!
//! Left out are argument words, the strings of panic values (what the runtime itself worded stays), labels, log lines,
//! home folders and user names in paths, hosts and addresses of the network, process ids. Functions, files below a
//! home, lines, messages of the runtime stay: without them nobody could help.
//!
//! The facts are redacted, not the forms: [`Redaction::program`] puts itself before a [`Program`], so that no form can
//! forget it. Rules run on the full facts; their sentences are redacted afterwards ([`Redaction::verdict`]). Both count the
//! places from which something was left out, and [`Redaction::note`] says how many there are.
//!
//! It is a help, not a proof: what a rule rephrased or a function name gives away is not found.

mod clean;

use clean::{Cleaner, left_out};
use gopsy_model as model;
use gopsy_model::{Brief, Crash, Goroutine, Headline, Identity, Known, Missing, Source, Stack, Str, Verdict};
use gopsy_program::{Evidence, Program, StackId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the caller knows about this machine that must not be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Private {
    /// Home folders.
    pub homes: Vec<String>,
    /// User names.
    pub users: Vec<String>,
    /// Names of this host.
    pub hosts: Vec<String>,
}

/// What was left out, by kind.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    arguments: AtomicU64,
    values: AtomicU64,
    labels: AtomicU64,
    logs: AtomicU64,
    paths: AtomicU64,
    hosts: AtomicU64,
    pids: AtomicU64,
    words: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64, number: u64) {
    counter.fetch_add(number, Ordering::Relaxed);
}

/// One redaction: it knows the secrets of one program and counts what it left out.
#[derive(Debug, Clone)]
pub struct Redaction {
    cleaner: Arc<Cleaner>,
    tally: Arc<Tally>,
}

impl Redaction {
    /// Learns what has to be left out of reports about this program.
    #[must_use]
    pub fn new(program: &Program, private: &Private) -> Self {
        let tally = Arc::new(Tally::default());
        let mut cleaner = Cleaner::new(private, Arc::clone(&tally));
        for headline in &program.crash().headlines {
            match headline {
                Headline::Panic(line) => {
                    cleaner.learn_value(&line.value);
                    if let Some(held) = line.held.value() {
                        cleaner.learn_value(&held.text);
                    }
                }
                Headline::ServedPanic { who, value } => {
                    cleaner.learn_value(value);
                    cleaner.learn_host(who);
                }
                _ => {}
            }
        }
        if let Some(id) = program.crashed() {
            for (_, value) in program.goroutine(id).labels.value().into_iter().flatten() {
                cleaner.learn_value(value);
            }
        }
        Redaction { cleaner: Arc::new(cleaner), tally }
    }

    /// The program without what is left out. Looks through all its stacks once, to count.
    #[must_use]
    pub fn program(&self, program: Program) -> Program {
        let crash = self.crash(program.crash());
        let mut identity = program.identity();
        if identity.pid.value().is_some() {
            count(&self.tally.pids, 1);
            identity.pid = Known::Missing(Missing::NotSupported(left_out().into()));
        }
        let without = |notes: Vec<String>| notes.iter().map(|note| self.text(note)).collect();
        let (alarms, notes) = (without(program.alarms()), without(program.notes()));
        for id in program.stacks() {
            let goroutine = program.goroutine(id);
            count(&self.tally.labels, goroutine.labels.value().map_or(0, Vec::len) as u64);
            if let Some(creation) = goroutine.created_by.value() {
                self.count_file(&creation.file);
            }
            self.count_stack(&program.stack(id));
        }
        Program::new(Redacted { program, crash, identity, alarms, notes, redaction: self.clone() })
    }

    /// The verdict without what is left out.
    #[must_use]
    pub fn verdict(&self, verdict: &Verdict) -> Verdict {
        let clean = |text: &String| self.text(text);
        let cleaned = |list: &[String]| list.iter().map(clean).collect::<Vec<_>>();
        let advice = |list: &[model::Advice]| list.iter().map(|a| model::Advice(self.text(&a.0))).collect::<Vec<_>>();
        let finding = |finding: &model::Finding| model::Finding {
            rule: finding.rule,
            sentence: self.text(&finding.sentence),
            claim: finding.claim.as_ref().map(|c| model::Claim { cause: c.cause, confidence: c.confidence }),
            evidence: finding
                .evidence
                .iter()
                .map(|e| model::Evidence { fact: self.text(&e.fact), source: e.source, trust: e.trust })
                .collect(),
            advice: advice(&finding.advice),
            known_issue: finding.known_issue.clone(),
            culprit: finding.culprit.as_ref().map(|c| self.culprit(c)),
        };
        Verdict {
            kind: verdict.kind,
            cause: verdict.cause,
            confidence: verdict.confidence,
            headline: self.headline(&verdict.headline),
            summary: self.text(&verdict.summary),
            culprit: verdict.culprit.as_ref().map(|c| self.culprit(c)),
            also: verdict
                .also
                .iter()
                .map(|a| model::Also { kind: a.kind, headline: self.headline(&a.headline), line: a.line })
                .collect(),
            advice: advice(&verdict.advice),
            known_issues: verdict.known_issues.clone(),
            findings: verdict.findings.iter().map(finding).collect(),
            unseen: cleaned(&verdict.unseen),
        }
    }

    /// Any sentence without what is left out.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        self.cleaner.text(text)
    }

    /// What was left out of the program and the verdict, as a sentence; `None` if nothing was.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let tally = &self.tally;
        let kinds = [
            (&tally.arguments, "argument lists"),
            (&tally.values, "values"),
            (&tally.labels, "labels"),
            (&tally.logs, "log lines"),
            (&tally.paths, "home folders"),
            (&tally.hosts, "hosts and addresses"),
            (&tally.pids, "process ids"),
            (&tally.words, "hexadecimal words"),
        ];
        let said: Vec<String> = kinds
            .iter()
            .map(|(counter, what)| (counter.load(Ordering::Relaxed), what))
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| format!("{what} {}", crate::names::thousands(number)))
            .collect();
        (!said.is_empty()).then(|| format!("left out (--redact), in so many places: {}", said.join(", ")))
    }

    fn headline(&self, headline: &str) -> String {
        self.cleaner.headline(headline)
    }

    fn culprit(&self, culprit: &model::Culprit) -> model::Culprit {
        model::Culprit {
            file: culprit.file.as_ref().map(|f| self.cleaner.path(f).unwrap_or_else(|| f.clone())),
            why: culprit.why.as_ref().map(|w| self.text(w)),
            ..culprit.clone()
        }
    }

    fn crash(&self, crash: &Crash) -> Crash {
        let mut crash = crash.clone();
        count(&self.tally.logs, crash.log_before.len() as u64);
        crash.log_before.clear();
        crash.registers.clear();
        crash.dumps.clear();
        let text = |text: &Str| Str::from(self.text(text));
        for headline in &mut crash.headlines {
            match headline {
                // The verdict's headline is the same value: it is counted there.
                Headline::Panic(line) => {
                    line.value = self.cleaner.value(&line.value).0.into();
                    line.held = Known::not_printed();
                }
                Headline::ServedPanic { who, value } => {
                    *who = left_out().into();
                    *value = self.cleaner.value(value).0.into();
                }
                Headline::Native(said) | Headline::Outside(said) => *said = text(said),
                Headline::Fatal(_)
                | Headline::Signal(_)
                | Headline::FaultAddress(_)
                | Headline::Exception(_)
                | Headline::Race(_) => {}
            }
        }
        for line in &mut crash.diagnostics {
            *line = text(line);
        }
        for race in &mut crash.races {
            let stacks = race.accesses.iter_mut().map(|a| &mut a.stack);
            for stack in stacks.chain(race.sections.iter_mut().map(|s| &mut s.stack)) {
                self.count_stack(stack);
                self.strip(stack);
            }
        }
        crash
    }

    fn count_stack(&self, stack: &Stack) {
        for frame in &stack.frames {
            count(&self.tally.arguments, u64::from(has_arguments(frame)));
            self.count_file(&frame.file);
        }
    }

    fn count_file(&self, file: &Known<Str>) {
        let private = file.value().is_some_and(|f| self.cleaner.path(f).is_some());
        count(&self.tally.paths, u64::from(private));
    }

    fn strip(&self, stack: &mut Stack) {
        for frame in &mut stack.frames {
            if has_arguments(frame) {
                frame.args = Known::Missing(Missing::NotSupported(left_out().into()));
            }
            self.strip_file(&mut frame.file);
        }
    }

    fn strip_file(&self, file: &mut Known<Str>) {
        if let Known::Have { value, .. } = file
            && let Some(cleaned) = self.cleaner.path(value)
        {
            *value = cleaned;
        }
    }
}

fn has_arguments(frame: &model::Frame) -> bool {
    frame.args.value().is_some_and(|args| !args.list.is_empty())
}

/// A program seen through a redaction.
struct Redacted {
    program: Program,
    crash: Crash,
    identity: Identity,
    alarms: Vec<String>,
    notes: Vec<String>,
    redaction: Redaction,
}

impl Evidence for Redacted {
    fn source(&self) -> Source {
        self.program.source()
    }

    fn crash(&self) -> &Crash {
        &self.crash
    }

    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn stack_count(&self) -> usize {
        self.program.stack_count()
    }

    fn goroutine(&self, id: StackId) -> Goroutine {
        let mut goroutine = self.program.goroutine(id);
        if goroutine.labels.value().is_some_and(|labels| !labels.is_empty()) {
            goroutine.labels = Known::Missing(Missing::NotSupported(left_out().into()));
        }
        if let Known::Have { value, .. } = &mut goroutine.created_by {
            self.redaction.strip_file(&mut value.file);
        }
        for call in &mut goroutine.deferred {
            self.redaction.strip_file(&mut call.file);
        }
        goroutine
    }

    fn stack(&self, id: StackId) -> Stack {
        let mut stack = self.program.stack(id);
        self.redaction.strip(&mut stack);
        stack
    }

    fn alarms(&self) -> Vec<String> {
        self.alarms.clone()
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn stack_key(&self, id: StackId) -> u64 {
        self.program.stack_key(id)
    }

    fn brief(&self, id: StackId) -> Brief {
        self.program.brief(id)
    }
}
