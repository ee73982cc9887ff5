//! Where goroutines and threads stand, and their stacks.

use super::{CoreEvidence, Entry};
use crate::StackId;
use crate::key::KeyHasher;
use gopsy_model::{Known, Source, Stack, Status};
use gopsy_runtime::{G, M};
use gopsy_unwind::{Code, End, On, Pc, RawFrame, Stacks, Walk, Walker};

/// What the runtime does on the goroutine's own stack after it has decided to die. The runtime leaves these frames out by
/// starting its traceback at the caller of `fatalpanic` and its kin; here they are left out by name. So is everything
/// that stands on the thread's system and signal stacks.
const DYING: &[&[u8]] = &[
    b"runtime.raise",
    b"runtime.dieFromSignal",
    b"runtime.crash",
    b"runtime.fatalpanic",
    b"runtime.fatalthrow",
    b"runtime.systemstack",
    b"runtime.systemstack_switch",
];

impl CoreEvidence {
    /// The stacks of a thread from where it stands outwards, up to the first frame for which `stop` holds.
    pub(super) fn thread_walk(&self, m: &M, g: Option<&G>, stop: &dyn Fn(&RawFrame) -> bool) -> Option<Walk> {
        let tid = u32::try_from(*m.tid.value()?).ok()?;
        let registers = self.core.threads().iter().find(|t| t.tid == tid).map(|t| &t.registers)?;
        let stacks = Stacks::of(&self.runtime(), g, Some(m));
        let code = self.code();
        let walker = Walker::new(&self.core, &code, &self.sites);
        Some(walker.walk_until(Pc::Interrupted(registers.pc()), registers.sp(), &stacks, stop))
    }

    /// The thread that runs a goroutine.
    pub(super) fn thread_of(&self, g: &G) -> Option<&M> {
        let m = g.m.value().filter(|m| !m.is_null())?;
        self.threads.iter().find(|t| t.address == *m && t.curg.value() == Some(&g.address))
    }

    /// The frames of a stack.
    pub(super) fn walk(&self, id: StackId) -> Stack {
        match self.entries.get(id) {
            Some(Entry::Goroutine(address)) => self.goroutine_stack(id, &self.runtime().g(*address)),
            Some(Entry::System(thread)) => self.system_stack(*thread),
            None => unavailable("there is no such goroutine"),
        }
    }

    fn goroutine_stack(&self, id: StackId, g: &G) -> Stack {
        let thread = self.thread_of(g);
        // In a system call: where it will return to. On a thread: where that stands. Else where it left off.
        let syscall = g.syscall.value().filter(|s| !s.pc.is_null() && g.status.value() == Some(&Status::Syscall));
        let saved = match (syscall, thread) {
            (Some(saved), _) => Some(*saved),
            (None, Some(_)) => None,
            (None, None) => match &g.sched {
                Known::Have { value, .. } => Some(*value),
                Known::Missing(why) => return unavailable(&format!("where it left off is not known: {why}")),
            },
        };
        let code = self.code();
        let walk = match (saved, thread) {
            (Some(saved), _) => {
                let walker = Walker::new(&self.core, &code, &self.sites);
                walker.walk(Pc::Return(saved.pc), saved.sp, &Stacks::of(&self.runtime(), Some(g), thread))
            }
            (None, Some(thread)) => match self.thread_walk(thread, Some(g), &|_| false) {
                Some(walk) => walk,
                None => return unavailable("the core has no registers of its thread"),
            },
            (None, None) => return unavailable("nothing says where it stands"),
        };
        let dying = |f: &&RawFrame| !alive(f, &code);
        let skip = if self.crash.crashed == Some(id) { walk.frames.iter().take_while(dying).count() } else { 0 };
        gopsy_unwind::frames(&walk, skip, &code, Source::Core)
    }

    /// A thread's system stack, from the throw outwards.
    fn system_stack(&self, thread: usize) -> Stack {
        let walk = self.threads.get(thread).and_then(|m| self.thread_walk(m, None, &|_| false));
        let Some(mut walk) = walk else { return unavailable("the core has no registers of its thread") };
        let code = self.code();
        // As the runtime prints it: from the throw on, and this stack alone.
        let begin = throw_on_system_stack(&walk, &code).unwrap_or(0);
        let end = walk.frames.iter().skip(begin).position(|f| f.on != On::System);
        if let Some(end) = end {
            walk.frames.truncate(begin.saturating_add(end));
            walk.outer.clear();
            walk.end = End::Outermost;
        }
        gopsy_unwind::frames(&walk, begin, &code, Source::Core)
    }

    /// The key of a goroutine that no thread runs: where it stands is in its g, and only the places count.
    pub(super) fn parked_key(&self, id: StackId) -> Option<u64> {
        let Some(Entry::Goroutine(address)) = self.entries.get(id) else { return None };
        let standing = self.runtime().standing(*address);
        if standing.m.is_none_or(|m| !m.is_null()) || standing.status == Some(Status::Syscall) {
            return None;
        }
        let sched = standing.sched?;
        let stacks = Stacks { goroutine: standing.stack, ..Stacks::default() };
        let (code, mut hasher, mut signals) = (self.code(), KeyHasher::new(), Vec::new());
        let walker = Walker::new(&self.core, &code, &self.sites);
        let end = walker.visit(Pc::Return(sched.pc), sched.sp, &stacks, &mut signals, &mut |frame| {
            hasher.number(self.sites.source_key(frame.pc, &code));
            true
        });
        if end != End::Outermost {
            hasher.absent();
        }
        let created = standing.go_pc.filter(|pc| !pc.is_null())?;
        hasher.number(self.sites.source_key(Pc::Return(created), &code));
        Some(hasher.finish())
    }
}

/// Where in a walk the runtime threw, if it did so on the thread's system stack: it then prints that stack by itself.
pub(super) fn throw_on_system_stack(walk: &Walk, code: &Code<'_>) -> Option<usize> {
    let threw = |f: &RawFrame| matches!(code.raw_name(f.func), Some(b"runtime.throw" | b"runtime.fatal"));
    let at = walk.frames.iter().position(threw)?;
    walk.frames.get(at).filter(|f| f.on == On::System).map(|_| at)
}

/// Whether a frame is one of the runtime's own dying, by its name.
pub(super) fn is_dying(frame: &RawFrame, code: &Code<'_>) -> bool {
    code.raw_name(frame.func).is_some_and(|name| DYING.contains(&name))
}

/// Whether a frame is what the goroutine itself was doing when it died.
pub(super) fn alive(frame: &RawFrame, code: &Code<'_>) -> bool {
    frame.on == On::Goroutine && !is_dying(frame, code)
}

fn unavailable(why: &str) -> Stack {
    Stack { unavailable: Some(why.into()), ..Stack::default() }
}
