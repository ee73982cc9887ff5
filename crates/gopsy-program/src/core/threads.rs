//! Where goroutines and threads stand, and their stacks.

use super::{CoreEvidence, Entry, foreign};
use crate::StackId;
use crate::key::KeyHasher;
use gopsy_mem::Addr;
use gopsy_model::{Known, Source, Stack, Status};
use gopsy_runtime::{G, M, Runtime};
use gopsy_target::{Core, Registers};
use gopsy_unwind::{Code, End, Found, On, Pc, RawFrame, Stacks, Walk, Walker};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;

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

/// The thread that started a process of one thread.
pub(super) fn parent(core: &Core) -> Option<u64> {
    core.process().filter(|_| core.threads().len() == 1).map(|process| u64::from(process.parent))
}

/// The thread of the parent's that forked this process, if that is what it is.
pub(super) fn forked_by(threads: &[M], core: &Core) -> Option<u64> {
    let tids = core.threads().iter().map(|thread| u64::from(thread.tid)).collect();
    gopsy_runtime::forked_by(threads, &tids, parent(core))
}

/// Which of the kernel's threads each of the runtime's is: the one whose number it has. One that has no number yet (`minit` tells
/// it when it has let signals in) is the one that stands on one of its stacks; before it knows those, the one that is left over. The only
/// thread of a forked process is the one of its parent's that forked it.
pub(super) fn kernel_threads(
    runtime: &Runtime<'_>,
    threads: &[M],
    core: &Core,
    forked: Option<u64>,
) -> Vec<Option<usize>> {
    // The first of a number that two have: only a damaged core has that.
    let numbered = core.threads().iter().enumerate().rev();
    let by_number: HashMap<u64, usize> = numbered.map(|(at, thread)| (u64::from(thread.tid), at)).collect();
    let mut found: Vec<Option<usize>> =
        threads.iter().map(|m| m.tid.value().and_then(|number| by_number.get(number).copied())).collect();
    if let Some(parent) = forked {
        let is_it = |m: &M| m.tid.value() == Some(&parent);
        found.iter_mut().zip(threads).filter(|(_, m)| is_it(m)).for_each(|(found, _)| *found = Some(0));
        return found;
    }
    // One that waits for a thread of C to be lent to has no thread, and a goroutine that is dead meanwhile (`oneNewExtraM`).
    let waits = |m: &M| {
        let status = || m.curg.value().and_then(|g| runtime.status(*g).into_value());
        m.curg.value() != Some(&Addr(0)) && status().is_none_or(|status| status == Status::Dead)
    };
    let is_new = |at: &usize| threads.get(*at).is_some_and(|m| m.tid.value() == Some(&0) && !waits(m));
    let mut new: Vec<usize> = (0..threads.len()).filter(is_new).collect();
    if new.is_empty() {
        return found;
    }
    let taken: HashSet<usize> = found.iter().flatten().copied().collect();
    let mut left: Vec<usize> = (0..core.threads().len()).filter(|number| !taken.contains(number)).collect();
    // By the end of each stack: where it begins, and whose it is.
    let mut stacks: BTreeMap<Addr, (Addr, usize)> = BTreeMap::new();
    for at in &new {
        let Stacks { system, signal, .. } = Stacks::of(runtime, None, threads.get(*at));
        stacks.extend([system, signal].into_iter().flatten().map(|stack| (stack.end, (stack.start, *at))));
    }
    let owner = |number: &usize| {
        let sp = core.threads().get(*number)?.registers.sp();
        let (_, (start, at)) = stacks.range((Bound::Excluded(sp), Bound::Unbounded)).next()?;
        (*start <= sp).then_some(*at)
    };
    // Of two that stand on the stacks of one it is neither.
    let mut standing: HashMap<usize, Option<usize>> = HashMap::new();
    for (at, number) in left.iter().filter_map(|number| Some((owner(number)?, *number))) {
        standing.entry(at).and_modify(|own| *own = None).or_insert(Some(number));
    }
    left.retain(|number| owner(number).is_none());
    new.retain(|at| !standing.contains_key(at));
    if let ([number], [at]) = (left.as_slice(), new.as_slice()) {
        standing.insert(*at, Some(*number));
    }
    for (at, number) in standing {
        found.get_mut(at).into_iter().for_each(|found| *found = number);
    }
    found
}

impl CoreEvidence {
    /// The registers of a thread of the runtime, by its index.
    pub(super) fn registers_of(&self, thread: usize) -> Option<&Registers> {
        let number = (*self.kernel_threads.get(thread)?)?;
        self.core.threads().get(number).map(|thread| &thread.registers)
    }

    /// The walk of a thread through all its stacks by Go's own tables, kept.
    pub(super) fn of_thread(&self, thread: usize) -> Option<&Walk> {
        let walk = || {
            let m = self.threads.get(thread)?;
            let registers = self.registers_of(thread)?;
            let code = self.code();
            let walker = Walker::new(&self.core, &code, &self.sites);
            let walk = walker.walk(Pc::Interrupted(registers.pc()), registers.sp(), &self.stacks_of(Some(m)));
            Some(foreign::up_to_its_beginning(&self.core, walk, registers))
        };
        self.walks.get(thread)?.go.get_or_init(walk).as_ref()
    }

    /// The thread that runs a goroutine.
    pub(super) fn thread_of(&self, g: &G) -> Option<usize> {
        let m = g.m.value().filter(|m| !m.is_null())?;
        self.threads.iter().position(|t| t.address == *m && t.curg.value() == Some(&g.address))
    }

    /// The frames of a stack.
    pub(super) fn walk(&self, id: StackId) -> Stack {
        match self.entries.get(id) {
            Some(Entry::Goroutine(address)) => self.goroutine_stack(id, &self.runtime().g(*address)),
            Some(Entry::System(thread)) => self.system_stack(*thread),
            Some(Entry::Ancestor(g, index)) => match self.runtime().ancestors(*g).get(*index) {
                Some(ancestor) => gopsy_unwind::recorded(&ancestor.pcs, &self.code(), Source::Core),
                None => unavailable("nothing is recorded of it"),
            },
            Some(Entry::Thread(number)) => self.outsider_stack(*number),
            None => unavailable("there is no such goroutine"),
        }
    }

    /// A goroutine's frames, as the runtime begins them: in a system call, where it will return to; on a thread that
    /// executes it, where that stands; on a thread that executes the runtime on its system stack for it, and on none, where
    /// it left off.
    fn goroutine_stack(&self, id: StackId, g: &G) -> Stack {
        let code = self.code();
        let thread = self.thread_of(g);
        let walk = thread.and_then(|t| self.of_thread(t));
        let on_its_own =
            thread.zip(walk).filter(|(t, walk)| self.system_frames(*t, walk, &code).is_empty()).map(|(_, walk)| walk);
        // Set from when it enters a system call until it comes back (`traceback` in `runtime/traceback.go` asks for no more); its state
        // changes a little later, on the system stack (`entersyscallblock` in `runtime/proc.go`).
        let enters = || walk.is_some() && on_its_own.is_none();
        let syscall = g.syscall.value().filter(|s| {
            let in_call = g.status.value() == Some(&Status::Syscall) || (!s.sp.is_null() && enters());
            in_call && !s.pc.is_null()
        });
        // Of several that die at once each prints itself. Where it is not known whether a thread was dying, that it threw tells.
        let unknown = thread.and_then(|t| self.threads.get(t)).is_some_and(|m| m.dying.missing().is_some());
        let threw = || walk.is_some_and(|walk| threw(walk, &code).is_some());
        let dying = thread.is_some_and(|t| self.is_dying(t)) || (unknown && threw());
        let printed = self.crash.crashed == Some(id) || dying;
        let outside = walk.is_some_and(|walk| self.stands_outside(walk, &code));
        let unseen = walk.is_some_and(|walk| self.left_off_unseen(walk, &code));
        // It has left off nowhere: what its g says is long past.
        if outside
            && syscall.is_none()
            && !self.ran_elsewhere(g, thread)
            && let Some(stack) = self.by_registers(thread)
        {
            return stack;
        }
        let (pc, sp) = match (syscall, on_its_own) {
            (None, Some(walk)) if !outside && !unseen => {
                let above = |f: &&RawFrame| f.on != On::Goroutine || (printed && is_dying(f, &code));
                let skip = walk.frames.iter().take_while(above).count();
                return gopsy_unwind::frames(walk, skip, &code, Source::Core);
            }
            (Some(saved), _) => (Pc::Return(saved.pc), saved.sp),
            (None, _) if self.ran_elsewhere(g, thread) => {
                return unavailable("it ran, and where its thread stood is not in the core");
            }
            (None, _) => match &g.sched {
                Known::Have { value, .. } => (code.resumption(value.pc), value.sp),
                Known::Missing(why) => return unavailable(&format!("where it left off is not known: {why}")),
            },
        };
        let stacks = Stacks::of(&self.runtime(), Some(g), thread.and_then(|t| self.threads.get(t)));
        let walk = Walker::new(&self.core, &code, &self.sites).walk(pc, sp, &stacks);
        let inferred = unseen && syscall.is_none();
        let walk = if inferred { walk.from_a_likely_place() } else { walk };
        let names = walk.frames.iter().map(|f| code.raw_name(f.func));
        let skip = if printed { own_dying(names) } else { 0 };
        let mut stack = gopsy_unwind::frames(&walk, skip, &code, Source::Core);
        if inferred {
            let why =
                "where it left off for its thread's system stack: of that the core holds too little to follow it back";
            stack.remarks.push(why.into());
        }
        stack
    }

    /// Whether a thread's goroutine has left off for the system stack, of which so much is lost that it cannot be seen how.
    fn left_off_unseen(&self, walk: &Walk, code: &Code<'_>) -> bool {
        let last = walk.frames.last();
        matches!(walk.end, End::Broken(_))
            && walk.frames.iter().all(|f| f.on != On::Goroutine)
            && last.is_some_and(|f| self.sites.was_called_on_system_stack(f, code))
    }

    /// Whether a thread stands where Go's own tables do not lead on: in C, in `racecall`, or in what calls the vDSO. Where they do, a
    /// goroutine has left off (`mcall`, `systemstack`), or has not begun yet (`execute`).
    pub(super) fn stands_outside(&self, walk: &Walk, code: &Code<'_>) -> bool {
        let interrupted = walk.frames.iter().find(|f| f.on != On::Signal);
        interrupted_racecall(walk, code).is_some()
            || interrupted.is_none_or(|f| self.sites.visits_system_stack(f, code))
    }

    /// Why a goroutine has no stack whose thread stands where a walk ends.
    fn no_way_from(&self, walk: &Walk) -> String {
        let last = walk.frames.last().map(|frame| frame.pc.address());
        let at = last.and_then(|pc| Some(format!("at {pc}, in {}", self.core.describe(pc)?)));
        let at =
            at.map_or_else(|| "where its thread stands".to_owned(), |at| format!("where its thread stands, {at},"));
        format!("it ran, and the way from {at} to its stack is not known")
    }

    /// The stack of a goroutine whose thread stands in code that Go's tables do not lead out of: in C, or between Go and C. `None`
    /// if it has left off for the system stack, on which that code was called.
    fn by_registers(&self, thread: Option<usize>) -> Option<Stack> {
        let m = thread.and_then(|thread| self.threads.get(thread));
        let Some(registers) = thread.and_then(|thread| self.registers_of(thread)) else {
            return Some(unavailable("it ran, and where its thread stood is not in the core"));
        };
        let (walk, code) = (self.foreign_walk(m, registers), self.code());
        let reached = walk.frames.iter().position(|f| f.on == On::Goroutine);
        let before = walk.frames.get(..reached.unwrap_or(walk.frames.len())).and_then(<[RawFrame]>::last);
        let leaves = |f: &RawFrame| matches!(code.raw_name(f.func), Some(b"runtime.systemstack" | b"runtime.mcall"));
        // What a search has found may be left over.
        if before.is_some_and(|f| f.foreign.is_none() && f.found != Found::Scan && leaves(f)) {
            return None;
        }
        let begin = match (interrupted_racecall(&walk, &code), reached) {
            (Some(at), _) | (None, Some(at)) => at,
            (None, None) => return Some(unavailable(&self.no_way_from(&walk))),
        };
        Some(gopsy_unwind::frames_with(&walk, begin, &code, &self.foreign, Source::Core))
    }

    /// Whether where a goroutine left off is long past: it ran on a thread that cannot be asked.
    fn ran_elsewhere(&self, g: &G, thread: Option<usize>) -> bool {
        let asked = match thread {
            Some(thread) => self.of_thread(thread).is_some(),
            None => self.all_threads,
        };
        !asked && matches!(g.status.value(), None | Some(Status::Running))
    }

    /// What a thread does on its system stack: a range of the frames of its walk. Empty when the thread executes a goroutine
    /// on that goroutine's stack, and for the runtime's own dying after a throw on a goroutine's stack.
    pub(super) fn system_frames(&self, thread: usize, walk: &Walk, code: &Code<'_>) -> std::ops::Range<usize> {
        // A handler that was killed itself, by a signal that it could not take, is what failed.
        if self.killed == Some(thread) && walk.frames.first().is_some_and(|f| f.on == On::Signal) {
            return 0..walk.frames.iter().take_while(|f| f.on != On::Goroutine).count();
        }
        // What Go does on the signal stack came later. What its handler interrupted may be a handler of C's on that stack, or one of
        // C's called it: then that was interrupted which the kernel's frame says.
        let in_handler = |f: &RawFrame| f.on == On::Signal && f.foreign.is_none();
        let last = walk.frames.iter().rposition(in_handler).map_or(0, |last| last.saturating_add(1));
        let outside = walk.frames.iter().rposition(|f| f.on == On::Signal).map_or(0, |last| last.saturating_add(1));
        let of_kernel = || walk.frames.iter().skip(last).position(|f| f.found == Found::Context);
        let interrupted = match last {
            0 => outside,
            _ => of_kernel().map_or(outside, |more| last.saturating_add(more)),
        };
        let begin = match threw(walk, code) {
            Some(at) if at >= interrupted => at,
            _ => interrupted,
        };
        let rest = || walk.frames.iter().skip(begin);
        let in_c = |f: &RawFrame| f.on == On::Signal && f.foreign.is_some();
        let len = rest().take_while(|f| matches!(f.on, On::System | On::Other) || in_c(f)).count();
        // A handler that ran on this very stack is the outermost that the runtime prints of it.
        let handler =
            rest().take(len).position(|f| is_handler(code.raw_name(f.func))).map_or(len, |at| at.saturating_add(1));
        let len = len.min(handler);
        let only_dying = walk.frames.iter().skip(begin).take(len).all(|f| is_dying(f, code));
        let of_goroutine = interrupted_racecall(walk, code).is_some();
        if only_dying || of_goroutine { 0..0 } else { begin..begin.saturating_add(len) }
    }

    /// Whether a thread stands on its system stack.
    pub(super) fn on_system_stack(&self, thread: usize) -> bool {
        let code = self.code();
        let in_go = self.of_thread(thread).is_some_and(|walk| !self.system_frames(thread, walk, &code).is_empty());
        in_go || self.with_foreign(thread).is_some()
    }

    /// The frames of a thread on its system stack.
    fn system_stack(&self, thread: usize) -> Stack {
        let Some(walk) = self.with_foreign(thread).or_else(|| self.of_thread(thread)) else {
            return unavailable("the core has no registers of its thread");
        };
        let code = self.code();
        let range = self.system_frames(thread, walk, &code);
        let mut own = walk.clone();
        own.frames.truncate(range.end);
        let leaves = own.outer.iter().position(|f| f.on == On::Goroutine);
        if range.end < walk.frames.len() {
            own.end = End::Outermost;
            own.outer.clear();
            own.skipped = 0;
        } else if let Some(leaves) = leaves {
            // Where the goroutine's own frames are more than are kept, some of those left out are its.
            own.end = if leaves > 0 { End::Outermost } else { End::Limit };
            own.outer.truncate(leaves);
        }
        gopsy_unwind::frames_with(&own, range.start, &code, &self.foreign, Source::Core)
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
        let end = walker.visit(code.resumption(sched.pc), sched.sp, &stacks, &mut signals, &mut |frame| {
            hasher.number(self.sites.source_key(frame.pc, &code));
            true
        });
        match end {
            End::Outermost => {}
            // The whole walk may know more, and say so.
            End::Broken(_) => return None,
            End::Limit | End::Stopped => hasher.absent(),
        }
        let created = standing.go_pc.filter(|pc| !pc.is_null())?;
        hasher.number(self.sites.source_key(Pc::Return(created), &code));
        Some(hasher.finish())
    }
}

/// Where in a walk a thread was interrupted in `racecall`, with nothing of C above it: it is a goroutine that stands there, on its
/// thread's system stack (`runtime/race_amd64.s`).
fn interrupted_racecall(walk: &Walk, code: &Code<'_>) -> Option<usize> {
    let at = walk.frames.iter().rposition(|f| f.on == On::Signal).map_or(0, |last| last.saturating_add(1));
    let frame = walk.frames.get(at)?;
    (frame.foreign.is_none() && code.raw_name(frame.func) == Some(b"racecall")).then_some(at)
}

/// Where in a walk the runtime threw.
pub(super) fn threw(walk: &Walk, code: &Code<'_>) -> Option<usize> {
    let name = |f: &RawFrame| matches!(code.raw_name(f.func), Some(b"runtime.throw" | b"runtime.fatal"));
    walk.frames.iter().position(name)
}

/// With how many frames a goroutine that left off for its system stack does nothing but die, by the names of its frames: where
/// that stack is lost, it cannot be seen that it does not die there of something else.
fn own_dying<'a>(mut names: impl Iterator<Item = Option<&'a [u8]>>) -> usize {
    let (mut count, mut decided) = (0usize, false);
    loop {
        match names.next().flatten() {
            Some(name) if DYING.contains(&name) => {
                count = count.saturating_add(1);
                decided |= matches!(name, b"runtime.fatalpanic" | b"runtime.fatalthrow");
            }
            Some(b"runtime.throw" | b"runtime.fatal") => return count,
            _ => return if decided { count } else { 0 },
        }
    }
}

/// Whether the function of that name is one with which the kernel calls a signal handler.
pub(super) fn is_handler(name: Option<&[u8]>) -> bool {
    matches!(name, Some(b"runtime.sigtramp" | b"runtime.cgoSigtramp"))
}

/// Whether a frame is one of the runtime's own dying, by its name.
pub(super) fn is_dying(frame: &RawFrame, code: &Code<'_>) -> bool {
    code.raw_name(frame.func).is_some_and(|name| DYING.contains(&name))
}

fn unavailable(why: &str) -> Stack {
    Stack { unavailable: Some(why.into()), ..Stack::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_dies_of_its_own_has_frames_of_dying() {
        let count = |names: &[&'static str]| own_dying(names.iter().map(|name| Some(name.as_bytes())));
        assert_eq!(count(&["runtime.systemstack_switch", "runtime.fatalthrow", "runtime.throw", "main.f"]), 2);
        assert_eq!(count(&["runtime.systemstack_switch", "runtime.throw", "main.f"]), 1);
        assert_eq!(count(&["runtime.systemstack_switch", "runtime.fatalpanic", "runtime.gopanic"]), 2);
        // What it left off for fails on the system stack: there it stands, and the runtime prints it.
        assert_eq!(count(&["runtime.systemstack_switch", "runtime.mallocgc", "main.f"]), 0);
        assert_eq!(count(&["runtime.systemstack_switch"]), 0);
    }
}
