//! Walking a stack.

use crate::{On, SignalFrame, Stacks};
use gopsy_image::{Func, Pclntab};
use gopsy_mem::{Addr, Bias, LinkAddr, Memory, MemoryExt};
use std::collections::VecDeque;

/// Of a deep stack the innermost frames are kept …
const MAX_INNER: usize = 1 << 14;
/// … and the outermost, which say who began it.
const MAX_OUTER: usize = 1 << 10;
/// Frames beyond this are not walked at all: a goroutine may have tens of millions (1 GB of stack).
const MAX_STEPS: u64 = 1 << 22;
/// A word: the return address that a call pushes.
const WORD: u64 = 8;

/// A program counter, with what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
pub struct RawFrame<'a> {
    /// Where it is.
    pub pc: Pc,
    /// Its stack pointer.
    pub sp: Addr,
    /// Its caller's stack pointer before the call (the canonical frame address; what Go prints as `fp`).
    pub fp: Addr,
    /// The function.
    pub func: Func<'a>,
    /// The stack on which it stands.
    pub on: On,
}

impl RawFrame<'_> {
    /// Distance of the pc from the function's entry, in bytes.
    #[must_use]
    pub fn offset(&self, bias: Bias) -> Option<u64> {
        bias.unload(self.pc.address()).offset_from(self.func.entry())
    }
}

/// How a walk ended.
#[derive(Debug, Clone, PartialEq, Eq)]
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
pub struct Walk<'a> {
    /// The frames, innermost first: all of them, or the inner end of a very deep stack.
    pub frames: Vec<RawFrame<'a>>,
    /// The outer end of a very deep stack.
    pub outer: VecDeque<RawFrame<'a>>,
    /// How many frames between the two were walked but not kept.
    pub skipped: u64,
    /// How it ended.
    pub end: End,
    /// The signal frames that were crossed, innermost first.
    pub signals: Vec<SignalFrame>,
}

impl<'a> Walk<'a> {
    fn push(&mut self, frame: RawFrame<'a>) {
        if self.frames.len() < MAX_INNER {
            self.frames.push(frame);
            return;
        }
        if self.outer.len() >= MAX_OUTER {
            self.outer.pop_front();
            self.skipped = self.skipped.saturating_add(1);
        }
        self.outer.push_back(frame);
    }
}

/// Walks stacks of one process.
#[derive(Clone, Copy)]
pub struct Walker<'a> {
    mem: &'a dyn Memory,
    table: Pclntab<'a>,
    bias: Bias,
}

/// Where the next frame is.
struct Cursor {
    pc: Pc,
    sp: Addr,
}

enum Step {
    To(Cursor),
    End(End),
}

impl<'a> Walker<'a> {
    /// A walker over `mem`, whose binary with this `table` was loaded with `bias`.
    #[must_use]
    pub fn new(mem: &'a dyn Memory, table: Pclntab<'a>, bias: Bias) -> Self {
        Walker { mem, table, bias }
    }

    /// The bias of the binary.
    #[must_use]
    pub fn bias(&self) -> Bias {
        self.bias
    }

    /// The function at `pc`.
    #[must_use]
    pub fn function(&self, pc: Pc) -> Option<Func<'a>> {
        self.table.find(self.bias.unload(pc.lookup()))
    }

    /// The frames from `pc` and `sp` outwards.
    #[must_use]
    pub fn walk(&self, pc: Pc, sp: Addr, stacks: &Stacks) -> Walk<'a> {
        self.walk_until(pc, sp, stacks, &|_| false)
    }

    /// The frames from `pc` and `sp` outwards, up to the first for which `stop` holds (it is included).
    #[must_use]
    pub fn walk_until(&self, pc: Pc, sp: Addr, stacks: &Stacks, stop: &dyn Fn(&RawFrame<'a>) -> bool) -> Walk<'a> {
        let mut walk =
            Walk { frames: Vec::new(), outer: VecDeque::new(), skipped: 0, end: End::Limit, signals: Vec::new() };
        let mut cursor = Cursor { pc, sp };
        for _ in 0..MAX_STEPS {
            match self.step(&cursor, stacks, &mut walk) {
                Step::To(next) => cursor = next,
                Step::End(end) => {
                    walk.end = end;
                    break;
                }
            }
            if walk.outer.back().or(walk.frames.last()).is_some_and(stop) {
                walk.end = End::Stopped;
                break;
            }
        }
        walk
    }

    /// Pushes the frame at the cursor and finds the next.
    fn step(&self, at: &Cursor, stacks: &Stacks, walk: &mut Walk<'a>) -> Step {
        let broken = |why: String| Step::End(End::Broken(why));
        let Some(func) = self.function(at.pc) else {
            return broken(format!("{} is in no Go function", at.pc.address()));
        };
        let Some((mut on, mut stack)) = stacks.holding(at.sp) else {
            return broken(format!("the stack pointer {} is in none of the thread's stacks", at.sp));
        };
        let name = func.raw_name().unwrap_or(b"");
        let mut sp = at.sp;
        if on == On::System
            && let Some(sched) = stacks.sched.filter(|s| !s.sp.is_null())
        {
            match name {
                // It never returns to its caller: newstack goes on at the goroutine's saved pc.
                b"runtime.morestack" => return Step::To(Cursor { pc: Pc::Return(sched.pc), sp: sched.sp }),
                // It returns on the goroutine's stack, where it was called.
                b"runtime.systemstack" => match stacks.holding(sched.sp) {
                    Some((On::Goroutine, range)) => (on, stack, sp) = (On::Goroutine, range, sched.sp),
                    _ => return broken("g.sched does not point into the goroutine's stack".to_owned()),
                },
                _ => {}
            }
        }
        let switched = sp != at.sp;
        let Some(delta) = self.sp_delta(&func, at.pc) else {
            return broken("the function's table says nothing about its stack pointer".to_owned());
        };
        let fp = sp.checked_add(u64::from(delta)).and_then(|a| a.checked_add(WORD)).filter(|fp| *fp <= stack.end);
        let Some(fp) = fp else {
            return broken(format!("a frame at {sp} would reach beyond the end of its stack"));
        };
        walk.push(RawFrame { pc: at.pc, sp, fp, func, on });
        if func.flags().top_frame() {
            return self.cross_signal(name, fp, stacks, walk);
        }
        // cgocallback writes SP too, but keeps its frame valid on both stacks.
        if func.flags().sp_write() && !switched && name != b"runtime.cgocallback" {
            return broken("the function switches stacks in a way that its table does not tell".to_owned());
        }
        match fp.checked_sub(WORD).map(|slot| self.mem.ptr(slot)) {
            Some(Ok(back)) if back.is_null() => broken("a return address is 0".to_owned()),
            // Frames whose callee a signal handler pushed: their pc was interrupted, not called from.
            Some(Ok(back)) if is_injected(name) => Step::To(Cursor { pc: Pc::Interrupted(back), sp: fp }),
            Some(Ok(back)) => Step::To(Cursor { pc: Pc::Return(back), sp: fp }),
            Some(Err(fault)) => broken(fault.to_string()),
            None => broken("a frame at address 0".to_owned()),
        }
    }

    /// A top frame is the end, unless it is that of a signal handler: then the kernel's signal frame follows.
    fn cross_signal(&self, name: &[u8], fp: Addr, stacks: &Stacks, walk: &mut Walk<'a>) -> Step {
        if !is_handler(name) {
            return Step::End(End::Outermost);
        }
        match SignalFrame::read(self.mem, fp) {
            // A signal frame on the same stack must lie further out, or the walk could turn in a circle.
            Ok(Some(frame))
                if frame.sp > fp || stacks.holding(frame.sp).map(|s| s.0) != stacks.holding(fp).map(|s| s.0) =>
            {
                if walk.signals.iter().any(|s| s.sp == frame.sp) {
                    return Step::End(End::Broken("the signal frames run in a circle".to_owned()));
                }
                walk.signals.push(frame);
                Step::To(Cursor { pc: Pc::Interrupted(frame.pc), sp: frame.sp })
            }
            Ok(_) => Step::End(End::Broken("no signal frame stands above the signal handler".to_owned())),
            Err(fault) => Step::End(End::Broken(fault.to_string())),
        }
    }

    /// pcsp at the pc itself, as the runtime has it; for a return address behind the function's end, at the call.
    fn sp_delta(&self, func: &Func<'a>, pc: Pc) -> Option<u32> {
        let stated: LinkAddr = self.bias.unload(pc.address());
        let at = if stated < func.end() { stated } else { self.bias.unload(pc.lookup()) };
        if func.has_pcsp() { func.sp_delta(at) } else { None }
    }
}

/// `isInjectedCall` (`runtime/traceback.go`), by name: the numbers of these functions change between releases.
fn is_injected(name: &[u8]) -> bool {
    matches!(name, b"runtime.sigpanic" | b"runtime.asyncPreempt" | b"runtime.debugCallV2" | b"runtime.debugCallV1")
}

fn is_handler(name: &[u8]) -> bool {
    matches!(name, b"runtime.sigtramp" | b"runtime.cgoSigtramp" | b"runtime.sigprofNonGoWrapper")
}
