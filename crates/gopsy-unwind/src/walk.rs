//! Walking a stack.

use crate::code::FuncRef;
use crate::near::Near;
use crate::replaced::is_uretprobe;
use crate::sites::{FuncRole, Site, Sites};
use crate::{Code, ForeignRef, Found, On, SignalFrame, Stacks, handover};
use gopsy_mem::{Addr, Memory, MemoryExt};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// Of a deep stack the innermost frames are kept …
const MAX_INNER: usize = 1 << 14;
/// … and the outermost, which say who began it.
const MAX_OUTER: usize = 1 << 10;
/// Of the frames between them so many places are counted. A recursion has a few.
const MAX_PLACES: usize = 1 << 10;
/// Frames beyond this are not walked at all. A goroutine may have tens of millions: the smallest frame of a function that
/// calls takes 16 bytes, and a stack may have 1 GiB of them.
pub(crate) const MAX_STEPS: u64 = 1 << 27;
/// A word: the return address that a call pushes.
pub(crate) const WORD: u64 = 8;
/// More signals than this do not interrupt each other.
pub(crate) const MAX_SIGNALS: usize = 64;

/// A program counter, with what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pc {
    /// Execution stood at this instruction: the thread's own pc, or one that a signal interrupted.
    Interrupted(Addr),
    /// Execution will go on here after a call. The call itself is the instruction before.
    Return(Addr),
}

impl Pc {
    /// The address itself.
    #[must_use]
    pub fn address(self) -> Addr {
        match self {
            Pc::Interrupted(pc) | Pc::Return(pc) => pc,
        }
    }

    /// The address to look up in tables: within the instruction that was being executed.
    #[must_use]
    pub fn lookup(self) -> Addr {
        match self {
            Pc::Interrupted(pc) => pc,
            Pc::Return(pc) => pc.checked_sub(1).unwrap_or(pc),
        }
    }
}

/// One activation of a function in the code.
#[derive(Debug, Clone, Copy)]
pub struct RawFrame {
    /// Where it is.
    pub pc: Pc,
    /// Its stack pointer.
    pub sp: Addr,
    /// Its caller's stack pointer before the call (the canonical frame address; what Go prints as `fp`), and how it is
    /// known; `None` when its caller was not found.
    pub end: Option<(Addr, Found)>,
    /// The function of pclntab; `None` for code that is in none.
    pub func: Option<FuncRef>,
    /// The file that holds it, for code that is not Go's.
    pub foreign: Option<ForeignRef>,
    /// The stack on which it stands.
    pub on: On,
    /// How its pc and stack pointer became known.
    pub found: Found,
}

/// How a walk ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum End {
    /// At the outermost frame: the whole stack was walked.
    Outermost,
    /// It could not go on; why.
    Broken(String),
    /// At the bound on frames.
    Limit,
    /// Where the caller asked it to.
    Stopped,
}

/// The frames of one stack, innermost first.
#[derive(Debug, Clone)]
pub struct Walk {
    /// The frames, innermost first: all of them, or the inner end of a very deep stack.
    pub frames: Vec<RawFrame>,
    /// The outer end of a very deep stack.
    pub outer: VecDeque<RawFrame>,
    /// How many frames between the two were walked but not kept.
    pub skipped: u64,
    /// One of them for each place where they stood, and how many of them stood there.
    unkept: FxHashMap<Pc, (RawFrame, u64)>,
    /// How it ended.
    pub end: End,
    /// The signal frames that were crossed, innermost first.
    pub signals: Vec<SignalFrame>,
    /// Frames that are known to be missing.
    pub lost: Vec<Lost>,
}

/// Frames that are missing from a walk that went on behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// How many frames of the walk stand before the gap.
    pub after: u64,
    /// Why they are missing.
    pub why: String,
}

impl Walk {
    pub(crate) fn empty() -> Walk {
        Walk {
            frames: Vec::new(),
            outer: VecDeque::new(),
            skipped: 0,
            unkept: FxHashMap::default(),
            end: End::Limit,
            signals: Vec::new(),
            lost: Vec::new(),
        }
    }

    /// Of a thread that stands where it began: the innermost frame is all that there is.
    #[must_use]
    pub fn just_begun(mut self) -> Walk {
        self.frames.truncate(1);
        Walk { frames: self.frames, end: End::Outermost, ..Walk::empty() }
    }

    /// From where it is no more than likely that something stands: no frame is worth more than the first.
    #[must_use]
    pub fn from_a_likely_place(mut self) -> Walk {
        let unkept = self.unkept.values_mut().map(|(frame, _)| frame);
        for frame in self.frames.iter_mut().chain(&mut self.outer).chain(unkept) {
            frame.found = frame.found.max(Found::FramePointer);
        }
        self
    }

    pub(crate) fn push(&mut self, frame: RawFrame) {
        if self.frames.len() < MAX_INNER {
            self.frames.push(frame);
            return;
        }
        if self.outer.len() >= MAX_OUTER
            && let Some(frame) = self.outer.pop_front()
        {
            self.skipped = self.skipped.saturating_add(1);
            if self.unkept.len() < MAX_PLACES || self.unkept.contains_key(&frame.pc) {
                let (_, times) = self.unkept.entry(frame.pc).or_insert((frame, 0));
                *times = times.saturating_add(1);
            }
        }
        self.outer.push_back(frame);
    }

    /// What was walked but not kept: a frame for each place, and how many stood there. Of stacks that have very many places some are
    /// missing.
    pub(crate) fn unkept(&self) -> impl Iterator<Item = (&RawFrame, u64)> {
        self.unkept.values().map(|(frame, times)| (frame, *times))
    }
}

/// Walks stacks of one process.
#[derive(Clone, Copy)]
pub struct Walker<'a> {
    pub(crate) mem: &'a dyn Memory,
    pub(crate) code: &'a Code<'a>,
    pub(crate) sites: &'a Sites,
}

/// Where the next frame is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor {
    pub(crate) pc: Pc,
    pub(crate) sp: Addr,
    pub(crate) found: Found,
}

impl Cursor {
    fn new(pc: Pc, sp: Addr) -> Cursor {
        Cursor { pc, sp, found: Found::Table }
    }

    /// How what a frame's own words lead to is found: what is sure of the frame is sure of its caller, and no more.
    pub(crate) fn beyond(&self) -> Found {
        match self.found {
            Found::Context => Found::Table,
            Found::OnlyCall => Found::FramePointer,
            found => found,
        }
    }
}

pub(crate) enum Step {
    To(Cursor),
    End(End),
}

/// What is said of an address that is in no Go function.
pub(crate) fn no_go_function(pc: Addr) -> String {
    if is_uretprobe(pc) {
        return format!("the return address is {pc}, in the kernel's page of uprobes: a uretprobe replaced it");
    }
    format!("{pc} is in no Go function")
}

impl<'a> Walker<'a> {
    /// A walker over `mem`, in which that code was loaded. What the tables say of a pc is kept in `sites`, which belongs to
    /// that code.
    #[must_use]
    pub fn new(mem: &'a dyn Memory, code: &'a Code<'a>, sites: &'a Sites) -> Self {
        Walker { mem, code, sites }
    }

    /// The code that it knows.
    #[must_use]
    pub fn code(&self) -> &'a Code<'a> {
        self.code
    }

    /// The frames from `pc` and `sp` outwards.
    #[must_use]
    pub fn walk(&self, pc: Pc, sp: Addr, stacks: &Stacks) -> Walk {
        let mut walk = Walk::empty();
        let mut signals = Vec::new();
        walk.end = self.visit(pc, sp, stacks, &mut signals, &mut |frame| {
            walk.push(*frame);
            true
        });
        walk.signals = signals;
        walk
    }

    /// Shows the frames from `pc` and `sp` outwards to `visit`, one by one, until it says no; keeps none of them. The
    /// signal frames that were crossed are added to `signals`.
    pub fn visit(
        &self,
        pc: Pc,
        sp: Addr,
        stacks: &Stacks,
        signals: &mut Vec<SignalFrame>,
        visit: &mut dyn FnMut(&RawFrame) -> bool,
    ) -> End {
        let (mut cursor, mut near) = (Cursor::new(pc, sp), Near::default());
        for _ in 0..MAX_STEPS {
            // Nearly all frames of a deep stack are called plainly from the same stack.
            if let Some((frame, next)) = self.plain_step(&cursor, &mut near, stacks) {
                cursor = next;
                if !visit(&frame) {
                    return End::Stopped;
                }
                continue;
            }
            let mut stopped = false;
            match self.step(&cursor, &mut near, stacks, signals, &mut |frame| stopped = !visit(frame)) {
                Step::End(end) => return end,
                Step::To(_) if stopped => return End::Stopped,
                Step::To(next) => cursor = next,
            }
        }
        End::Limit
    }

    /// The frame at the cursor and where the next is, for a frame without anything of its own. What this refuses, and
    /// why, is for [`Walker::step`] to say.
    #[inline]
    pub(crate) fn plain_step(&self, at: &Cursor, near: &mut Near, stacks: &Stacks) -> Option<(RawFrame, Cursor)> {
        let range = stacks.goroutine.filter(|range| range.contains(at.sp))?;
        let site = near.site(self.sites, at.pc, self.code)?;
        let delta = site.delta.filter(|_| site.is_plain())?;
        let slot = at.sp.checked_add(delta).filter(|slot| *slot < range.end)?;
        let end = slot.checked_add(WORD).filter(|end| *end <= range.end)?;
        let back = near.ptr(self.mem, slot).ok().filter(|back| !back.is_null() && !is_uretprobe(*back))?;
        let frame = RawFrame {
            pc: at.pc,
            sp: at.sp,
            end: Some((end, Found::Table)),
            func: Some(site.func),
            foreign: None,
            on: On::Goroutine,
            found: at.found,
        };
        Some((frame, Cursor { pc: Pc::Return(back), sp: end, found: at.beyond() }))
    }

    /// Shows the frame at the cursor and finds the next.
    fn step(
        &self,
        at: &Cursor,
        near: &mut Near,
        stacks: &Stacks,
        signals: &mut Vec<SignalFrame>,
        visit: &mut dyn FnMut(&RawFrame),
    ) -> Step {
        let broken = |why: String| Step::End(End::Broken(why));
        let Some(site) = near.site(self.sites, at.pc, self.code) else {
            return broken(no_go_function(at.pc.address()));
        };
        let Site { func, role, delta, top_frame, sp_write, feigns_mstart, .. } = site;
        let Some((on, stack)) = stacks.holding(at.sp) else {
            return broken(format!("the stack pointer {} is in none of the thread's stacks", at.sp));
        };
        let Some(delta) = delta else {
            return broken("the function's table says nothing about its stack pointer".to_owned());
        };
        let frame_end = |sp: Addr| sp.checked_add(delta).and_then(|a| a.checked_add(WORD));
        let Some(fp) = frame_end(at.sp).filter(|fp| *fp <= stack.end) else {
            return broken(format!("a frame at {} would reach beyond the end of its stack", at.sp));
        };
        visit(&RawFrame {
            pc: at.pc,
            sp: at.sp,
            end: Some((fp, Found::Table)),
            func: Some(func),
            foreign: None,
            on,
            found: at.found,
        });
        // Up to Go 1.17 handlers are no top frames.
        if role == FuncRole::Handler {
            return self.cross_signal(fp, stacks, signals);
        }
        if top_frame || (role == FuncRole::Mcall && on == On::System) {
            return Step::End(End::Outermost);
        }
        if feigns_mstart && on == On::System {
            self.feigned_mstart(fp, visit);
        }
        // Where the goroutine waits for its thread to come back from the system stack.
        let waiting = stacks.sched.filter(|s| on == On::System && !s.sp.is_null());
        let back_at = match (role, waiting) {
            (FuncRole::Morestack, _) if fp.checked_sub(WORD).is_some_and(|s| handover::has_not_switched(self, s)) => {
                Some(fp)
            }
            (FuncRole::Morestack, Some(sched)) if stacks.holding(sched.sp).is_none_or(|s| s.0 != On::System) => {
                return Step::To(Cursor::new(Pc::Return(sched.pc), sched.sp));
            }
            (FuncRole::ToCrashStack, _) => match stacks.behind_crash_stack(at.sp) {
                Some(left) => return Step::To(Cursor::new(Pc::Return(left.pc), left.sp)),
                None => None,
            },
            (FuncRole::Morestack, _) if on == On::System && stacks.without_goroutine => {
                return Step::End(End::Outermost);
            }
            // It returns on the goroutine's stack, where it was called, as if its frame stood there.
            (FuncRole::Systemstack, Some(sched)) => match stacks.holding(sched.sp) {
                Some((On::Goroutine, range)) => frame_end(sched.sp).filter(|fp| *fp <= range.end),
                _ => None,
            },
            (FuncRole::Asmcgocall, _) if on != On::Goroutine => {
                let old = handover::asmcgocall(self, stacks, &site, at.sp, delta);
                old.and_then(|sp| frame_end(sp).filter(|fp| stacks.holding(sp).is_some_and(|(_, s)| *fp <= s.end)))
            }
            _ if sp_write && role != FuncRole::Cgocallback => None,
            _ => Some(fp),
        };
        let Some(fp) = back_at else {
            return broken("the function switches stacks in a way that its table does not tell".to_owned());
        };
        match fp.checked_sub(WORD).map(|slot| near.ptr(self.mem, slot)) {
            Some(Ok(back)) if back.is_null() => broken("a return address is 0".to_owned()),
            Some(Ok(back)) if is_uretprobe(back) => match self.real_return(&site, fp, stacks, stack) {
                Some(real) => Step::To(Cursor { pc: Pc::Return(real), sp: fp, found: at.found.max(Found::OnlyCall) }),
                None => broken(no_go_function(back)),
            },
            Some(Ok(back)) if role == FuncRole::Injected => {
                Step::To(Cursor { pc: Pc::Interrupted(back), sp: fp, found: at.beyond() })
            }
            Some(Ok(back)) => Step::To(Cursor { pc: self.back_from(role, back), sp: fp, found: at.beyond() }),
            Some(Err(fault)) => broken(fault.to_string()),
            None => broken("a frame at address 0".to_owned()),
        }
    }

    /// Go 1.16 puts a return address to mstart above systemstack's frame, so that its traceback ends there, and prints it.
    fn feigned_mstart(&self, fp: Addr, visit: &mut dyn FnMut(&RawFrame)) {
        let Some(Ok(back)) = fp.checked_sub(WORD).map(|slot| self.mem.ptr(slot)) else { return };
        let pc = Pc::Interrupted(back);
        let Some(Site { func, top_frame: true, delta: Some(delta), .. }) = self.sites.at(pc, self.code) else { return };
        if let Some(end) = fp.checked_add(delta).and_then(|a| a.checked_add(WORD)) {
            let (end, found) = (Some((end, Found::Table)), Found::Table);
            visit(&RawFrame { pc, sp: fp, end, func: Some(func), foreign: None, on: On::System, found });
        }
    }

    /// What a return address means. Above `cgocallback` stands the pc that the goroutine was saved with, which is the first
    /// byte of `systemstack_switch` from Go 1.17 to 1.20 (`gosave_systemstack_switch` in `runtime/asm_amd64.s`).
    pub(crate) fn back_from(&self, role: FuncRole, back: Addr) -> Pc {
        if role == FuncRole::Cgocallback { self.code.resumption(back) } else { Pc::Return(back) }
    }

    /// A signal handler's frame is a top frame; the kernel's signal frame follows.
    fn cross_signal(&self, fp: Addr, stacks: &Stacks, signals: &mut Vec<SignalFrame>) -> Step {
        match SignalFrame::read(self.mem, fp) {
            // A signal frame on the same stack must lie further out, or the walk could turn in a circle.
            Ok(Some(frame))
                if frame.sp > fp || stacks.holding(frame.sp).map(|s| s.0) != stacks.holding(fp).map(|s| s.0) =>
            {
                if signals.len() >= MAX_SIGNALS || signals.iter().any(|s| s.sp == frame.sp) {
                    return Step::End(End::Broken("the signal frames run in a circle".to_owned()));
                }
                signals.push(frame);
                Step::To(Cursor { pc: Pc::Interrupted(frame.pc), sp: frame.sp, found: Found::Context })
            }
            Ok(_) => Step::End(End::Broken("no signal frame stands above the signal handler".to_owned())),
            Err(fault) => Step::End(End::Broken(fault.to_string())),
        }
    }
}
