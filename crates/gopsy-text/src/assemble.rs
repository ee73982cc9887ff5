//! From the lines that say why, to one [`Crash`] a death.
//!
//! A text may hold several deaths, and one death several headlines. A headline begins a new death when stacks were
//! already printed for the one before, unless the runtime itself says that it failed again while it was printing.

use crate::header::Header;
use crate::headline::Said;
use crate::scan;
use gopsy_model::{Crash, Headline, Known, PanicLine, RaceReport, Registers, Role, Running, Signal, StackDump, Str};
use std::collections::VecDeque;

/// Diagnostic lines kept for one death.
const MAX_DIAGNOSTICS: usize = 400;
/// Log lines before a death that are kept.
const MAX_RECENT: usize = 16;
/// Bytes kept of one such line.
const MAX_LINE: usize = 600;
/// Lines of other origin after which a new stack is a new dump.
const FAR: u64 = 40;
/// A headline belongs to a stack in another stream when so few lines are between them.
const NEAR: u64 = 12;
/// Deaths of one text that are told apart; more are joined to the last.
const MAX_CRASHES: usize = 20_000;

/// Collects what is said.
#[derive(Default)]
pub(crate) struct Assembler {
    pub(crate) crashes: Vec<Crash>,
    /// Number of the line that is being read.
    pub(crate) line: u64,
    /// Stacks have been printed for the current death.
    has_stacks: bool,
    /// A headline glued to other text, and how many lines ago it stood.
    suspect: Option<(Headline, u64)>,
    recent: VecDeque<Str>,
    /// Diagnostics that stand before a headline.
    before: Vec<Str>,
    /// Where they begin.
    before_line: u64,
    failed_before: Vec<Str>,
    /// Threads of a crash relay follow: their SIGQUIT is no headline.
    relay: bool,
    /// The runtime failed while it was failing.
    during: bool,
    first_ids: Vec<u64>,
    next_stack: usize,
    strangers_since_stack: u64,
    pub(crate) noise_lines: u64,
    pub(crate) races_left_out: u64,
    race_frames: usize,
    /// Deaths that were joined to the last one.
    pub(crate) crashes_joined: u64,
    profile: bool,
    pub(crate) in_debugger: bool,
}

impl Assembler {
    fn current(&mut self) -> &mut Crash {
        if self.crashes.is_empty() {
            self.begin();
        }
        match self.crashes.len().checked_sub(1) {
            Some(last) if last < self.crashes.len() => {}
            _ => self.crashes.push(Crash::default()),
        }
        let last = self.crashes.len().saturating_sub(1);
        #[expect(clippy::indexing_slicing, reason = "the lines above made sure that there is one")]
        &mut self.crashes[last]
    }

    /// Begins a new death.
    fn begin(&mut self) {
        let from = self.next_stack;
        if let Some(last) = self.crashes.last_mut() {
            last.stacks.end = from;
        }
        if self.crashes.len() >= MAX_CRASHES {
            self.crashes_joined = self.crashes_joined.saturating_add(1);
        } else {
            self.crashes.push(Crash {
                line: if self.before.is_empty() { self.line } else { self.before_line },
                stacks: from..from,
                log_before: self.recent.drain(..).collect(),
                diagnostics: std::mem::take(&mut self.before),
                ..Crash::default()
            });
            let failed = std::mem::take(&mut self.failed_before);
            if let Some(c) = self.crashes.last_mut() {
                c.test.failed = failed;
            }
        }
        self.has_stacks = false;
        self.relay = false;
        self.during = false;
        self.first_ids.clear();
        self.strangers_since_stack = 0;
    }

    /// A death begins with what is said of a system stack that was full.
    pub(crate) fn overrun(&mut self, line: &[u8], same_death: bool) {
        self.before_headline(same_death);
        self.diagnostic(line);
        self.keep_before();
    }

    /// The last stack became a part of the one before.
    pub(crate) fn joined(&mut self) {
        self.next_stack = self.next_stack.saturating_sub(1);
        let from = self.next_stack;
        let c = self.current();
        c.stacks.end = c.stacks.end.min(from).max(c.stacks.start);
    }

    /// Called before every headline of a death.
    pub(crate) fn before_headline(&mut self, same_death: bool) {
        self.suspect = None;
        let only_races = self.only_races() && !self.has_stacks;
        let only_outside =
            self.crashes.last().is_some_and(|c| matches!(c.headlines.last(), Some(Headline::Outside(_))));
        if self.crashes.is_empty()
            || (self.has_stacks && !same_death && !self.during && !self.relay)
            || only_races
            || only_outside
        {
            self.begin();
        } else {
            self.keep_before();
        }
        self.during = false;
    }

    /// Gives the diagnostics that stand before to the current death.
    fn keep_before(&mut self) {
        if self.before.is_empty() {
            return;
        }
        let before = std::mem::take(&mut self.before);
        let c = self.current();
        let free = MAX_DIAGNOSTICS.saturating_sub(c.diagnostics.len());
        c.diagnostics.extend(before.into_iter().take(free));
    }

    pub(crate) fn headline(&mut self, headline: Headline) {
        let c = self.current();
        if c.headlines.len() < MAX_DIAGNOSTICS {
            c.headlines.push(headline);
        }
    }

    pub(crate) fn panic(&mut self, mut value: PanicLine) {
        let c = self.current();
        let depth = c.headlines.iter().filter(|h| matches!(h, Headline::Panic(_))).count();
        value.depth = u32::try_from(depth).unwrap_or(u32::MAX);
        self.headline(Headline::Panic(value));
    }

    pub(crate) fn before_race(&mut self) {
        self.suspect = None;
        let other = self.crashes.last().is_none_or(|c| c.headlines.iter().any(|h| !matches!(h, Headline::Race(_))));
        // While a death is printed, other threads go on: their reports may stand between its headline and its stacks.
        let between = self.crashes.last().is_some_and(is_told) && !self.has_stacks;
        if (other && !between) || self.has_stacks {
            self.begin();
        }
    }

    /// Whether the current death is none: reports of the race detector.
    fn only_races(&self) -> bool {
        self.crashes.last().is_some_and(|c| !c.races.is_empty() && !is_told(c))
    }

    pub(crate) fn race(&mut self, report: RaceReport, frames: usize) {
        self.race_frames = self.race_frames.saturating_add(frames);
        let full = self.race_frames > crate::race::MAX_ALL_FRAMES;
        let c = self.current();
        if full || c.races.len() >= crate::race::MAX_REPORTS {
            self.races_left_out = self.races_left_out.saturating_add(1);
            return;
        }
        let index = c.races.len();
        c.races.push(report);
        c.headlines.push(Headline::Race(index));
    }

    pub(crate) fn dump(&mut self, dump: StackDump) {
        let c = self.current();
        if !dump.words.is_empty() && c.dumps.len() < 64 {
            c.dumps.push(dump);
        }
    }

    pub(crate) fn running_test(&mut self, body: &[u8]) {
        let (name, elapsed) = match memchr::memmem::rfind(body, b" (") {
            Some(i) => (scan::upto(body, i), scan::from(body, i.saturating_add(2)).strip_suffix(b")")),
            None => (body, None),
        };
        let running = Running { name: text(name), elapsed: Known::printed_or_not(elapsed.map(text)) };
        let c = self.current();
        if c.test.running.len() < MAX_DIAGNOSTICS {
            c.test.running.push(running);
        }
    }

    /// Whether a register dump would be at home here.
    pub(crate) fn expects_registers(&self) -> bool {
        self.has_stacks || self.crashes.last().is_some_and(|c| !c.headlines.is_empty())
    }

    pub(crate) fn registers(&mut self, registers: Registers) {
        if self.relay {
            return;
        }
        let c = self.current();
        if c.registers.len() < 128 {
            c.registers.extend(registers);
        }
    }

    /// A goroutine header was read; it will be stack number `index`.
    pub(crate) fn header(&mut self, h: &Header<'_>, index: usize) {
        self.next_stack = index;
        if let Some((headline, age)) = self.suspect.take()
            && age <= 6
        {
            if self.crashes.is_empty() || self.has_stacks || self.only_races() {
                self.begin();
            }
            self.headline(headline);
        } else if self.crashes.is_empty()
            || (self.has_stacks && self.strangers_since_stack > FAR)
            || (self.has_stacks && self.strangers_since_stack > 0 && self.first_ids.contains(&h.id))
            || (!self.has_stacks && self.only_races())
        {
            self.begin();
        }
        if self.first_ids.len() < 8 {
            self.first_ids.push(h.id);
        }
        self.stack(index);
    }

    /// A stack without a header begins.
    pub(crate) fn bare(&mut self, role: Role, index: usize) {
        self.next_stack = index;
        if self.crashes.is_empty() || (self.has_stacks && role == Role::Bare && self.strangers_since_stack > FAR) {
            self.begin();
        }
        self.stack(index);
    }

    fn stack(&mut self, index: usize) {
        self.keep_before();
        let profile = self.profile;
        let c = self.current();
        c.stacks.end = index.saturating_add(1);
        if profile {
            c.stated_kind = Some(gopsy_model::Kind::Dump);
        }
        self.next_stack = index.saturating_add(1);
        self.has_stacks = true;
        self.strangers_since_stack = 0;
    }

    /// What a stack without a header is: that of the thread that took a signal, or just a stack.
    pub(crate) fn role_of_bare_stack(&self) -> Role {
        let signal = self
            .crashes
            .last()
            .is_some_and(|c| c.headlines.iter().any(|h| matches!(h, Headline::Signal(_) | Headline::Exception(_))));
        if signal && !self.has_stacks { Role::Signal } else { Role::Bare }
    }

    /// A debugger's backtrace is being read.
    pub(crate) fn debugger(&mut self) {
        self.in_debugger = true;
    }

    /// Whether a debugger's backtrace is being read.
    pub(crate) fn in_debugger(&self) -> bool {
        self.in_debugger
    }

    pub(crate) fn profile(&mut self) {
        self.begin();
        self.profile = true;
        self.current().stated_kind = Some(gopsy_model::Kind::Dump);
    }

    /// Everything else that a line can say.
    pub(crate) fn say(&mut self, said: &Said<'_>, line: &[u8], empty_stack: bool) {
        match said {
            Said::SignalNote(signal) => {
                let c = self.current();
                if c.signal.is_none() {
                    c.signal = Some(signal.clone());
                }
            }
            Said::Signal(signal) => {
                if self.relay {
                    return;
                }
                self.before_headline(empty_stack);
                self.headline(Headline::Signal(signal.clone()));
            }
            Said::Pc { pc, m, code, address } => self.pc(*pc, *m, *code, *address),
            Said::InForeignCode => self.signal(|s| s.in_foreign_code = true),
            Said::InstructionBytes(bytes) => self.signal(|s| s.instruction_bytes.clone_from(bytes)),
            Said::FaultAddress(address) => {
                let repeated =
                    self.crashes.last().is_some_and(|c| c.headlines.last() == Some(&Headline::FaultAddress(*address)));
                if !repeated || self.has_stacks {
                    self.before_headline(empty_stack);
                    self.headline(Headline::FaultAddress(*address));
                }
            }
            Said::Exception(e) => {
                self.before_headline(empty_stack);
                self.headline(Headline::Exception(e.clone()));
            }
            Said::Relay => self.relay = self.has_stacks,
            Said::DuringPanic => {
                self.during = true;
                self.diagnostic(line);
            }
            Said::Serving { who, value } => {
                self.before_headline(false);
                self.headline(Headline::ServedPanic { who: text(who), value: text(value) });
            }
            Said::Native => {
                self.before_headline(false);
                self.headline(Headline::Native(text(scan::trim(line))));
            }
            Said::Outside => {
                if self.crashes.is_empty() {
                    self.begin();
                }
                self.headline(Headline::Outside(text(scan::trim(line))));
            }
            Said::ExitStatus => {
                let status = text(scan::trim(line));
                if let Some(c) = self.crashes.last_mut() {
                    c.exit_status.get_or_insert(status);
                }
            }
            Said::Diagnostic => self.diagnostic(line),
            Said::TestFailed(name) => {
                let name = text(name);
                if self.failed_before.len() < MAX_DIAGNOSTICS {
                    self.failed_before.push(name);
                }
            }
            Said::PackageFailed(package) => {
                let package = text(package);
                if let Some(c) = self.crashes.last_mut() {
                    c.test.package.get_or_insert(package);
                }
            }
            Said::Panic { .. }
            | Said::Fatal(_)
            | Said::Race
            | Said::RuntimeStack
            | Said::Overrun
            | Said::Ancestor(_)
            | Said::StackDump(_)
            | Said::RunningTests
            | Said::Profile { .. } => {}
        }
    }

    fn pc(&mut self, pc: u64, m: Option<u64>, code: Option<i64>, address: Option<u64>) {
        if self.relay {
            return;
        }
        if let Some(Headline::Exception(e)) = self.current().headlines.last_mut() {
            e.pc = Known::printed(pc);
            return;
        }
        self.signal(|s| {
            s.pc = Known::printed(pc);
            s.m = Known::printed_or_not(m);
            s.code = Known::printed_or_not(code);
            s.address = Known::printed_or_not(address);
        });
    }

    /// Changes the signal that was named last.
    fn signal(&mut self, change: impl FnOnce(&mut Signal)) {
        if self.relay {
            return;
        }
        let c = self.current();
        let last = c.headlines.iter_mut().rev().find_map(|h| match h {
            Headline::Signal(s) => Some(s),
            _ => None,
        });
        if let Some(s) = last.or(c.signal.as_mut()) {
            change(s);
        }
    }

    fn diagnostic(&mut self, line: &[u8]) {
        let line = text(scan::upto(scan::trim(line), MAX_LINE));
        let about_stack = line.contains("unexpected return pc") || line.contains("unknown pc") || line.contains("g: ");
        if self.has_stacks && about_stack {
            let c = self.current();
            if c.diagnostics.len() < MAX_DIAGNOSTICS {
                c.diagnostics.push(line);
            }
        } else if self.before.len() < MAX_DIAGNOSTICS {
            if self.before.is_empty() {
                self.before_line = self.line;
            }
            self.before.push(line);
        }
    }

    /// A headline glued to other text: it counts when a goroutine follows soon.
    pub(crate) fn suspect(&mut self, said: &Said<'_>, line: &[u8]) {
        let headline = match said {
            Said::Panic { value, .. } => {
                let value = scan::upto(value, MAX_LINE);
                Headline::Panic(PanicLine::of(text(value)))
            }
            Said::Fatal(message) => Headline::Fatal(text(scan::upto(message, MAX_LINE))),
            Said::Serving { who, value } => {
                Headline::ServedPanic { who: text(who), value: text(scan::upto(value, MAX_LINE)) }
            }
            Said::Signal(s) => Headline::Signal(s.clone()),
            _ => return,
        };
        self.noise(line);
        self.suspect = Some((headline, 0));
    }

    /// A line of other origin.
    pub(crate) fn noise(&mut self, line: &[u8]) {
        self.noise_lines = self.noise_lines.saturating_add(1);
        self.strangers_since_stack = self.strangers_since_stack.saturating_add(1);
        if let Some((_, age)) = &mut self.suspect {
            *age = age.saturating_add(1);
        }
        let line = scan::trim(line);
        if line.is_empty() {
            return;
        }
        if self.recent.len() >= MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(text(scan::upto(line, MAX_LINE)));
    }

    /// Gives away the last death if it was told within a few lines before `now` and has no stacks.
    pub(crate) fn take_lonely(&mut self, now: u64) -> Option<Crash> {
        let last = self.crashes.last()?;
        let near = now.saturating_sub(last.line) <= NEAR;
        if !is_told(last) || !near || self.has_stacks || !last.stacks.is_empty() || !last.races.is_empty() {
            return None;
        }
        let lonely = self.crashes.pop();
        // What comes now may belong to the death before.
        self.has_stacks = self.crashes.last().is_some_and(|c| !c.stacks.is_empty());
        lonely
    }

    /// Begins with what was told elsewhere.
    pub(crate) fn adopt(&mut self, mut crash: Crash) {
        if self.crashes.is_empty() {
            crash.stacks = 0..0;
            self.crashes.push(crash);
        }
    }

    /// The stream ended with `stacks` stacks.
    pub(crate) fn finish(&mut self, stacks: usize) {
        self.next_stack = stacks;
        if !self.before.is_empty() || (!self.failed_before.is_empty() && self.crashes.is_empty()) {
            if self.crashes.is_empty() {
                self.begin();
            } else {
                self.keep_before();
            }
        }
        let failed = std::mem::take(&mut self.failed_before);
        if let Some(last) = self.crashes.last_mut() {
            last.stacks.end = stacks;
            last.test.failed.extend(failed);
        }
        // Nothing that was said about nothing.
        self.crashes.retain(|c| {
            !c.headlines.is_empty() || !c.stacks.is_empty() || !c.diagnostics.is_empty() || !c.races.is_empty()
        });
    }
}

/// Whether the runtime said why.
fn is_told(crash: &Crash) -> bool {
    let told = |h: &Headline| {
        matches!(h, Headline::Panic(_) | Headline::Fatal(_) | Headline::FaultAddress(_) | Headline::Signal(_))
    };
    crash.headlines.iter().any(told)
}

fn text(b: &[u8]) -> Str {
    String::from_utf8_lossy(b).into()
}
