//! Whether layouts fit the memory that they are to be read by.
//!
//! A table of another release, or a binary of another build, gives values of the right size and the wrong meaning. So
//! nothing is believed because a table says it: what must be so in every Go program is held against the memory. Where the
//! layouts are those of exactly this build (debug information, or the table of exactly this release), the proof guards
//! against a wrong binary. Where they are those of a neighbouring release, only the members that the memory itself proves
//! are read at all; the others are withheld.
//!
//! Memory may be damaged: that is why its program is looked at. A member holds if nearly all goroutines or threads agree.

use crate::g::GSCAN;
use crate::{Basis, Layouts, M, Runtime, RuntimeError, Threads};
use gopsy_mem::{Addr, Bias, Memory, MemoryExt, Range};
use gopsy_model::{Source, Status};
use std::collections::HashSet;

/// So many goroutines at either end of the list are looked at.
const SAMPLE: usize = 512;
/// Goroutine numbers beyond this are not believed: at one a nanosecond it takes 13 days to get there.
const MAX_GOID: u64 = 1 << 50;
/// The largest stack that a program may ask for by `debug.SetMaxStack` without being absurd; the default is 1 GB.
const MAX_STACK: u64 = 1 << 40;

/// What the runtime's own goroutines wait for, by their first function, in all releases from 1.16 to 1.27.
const WAITS: [(&[u8], &[&str]); 7] = [
    (b"runtime.bgsweep", &["GC sweep wait"]),
    (b"runtime.bgscavenge", &["GC scavenge wait", "sleep"]),
    (b"runtime.forcegchelper", &["force gc (idle)"]),
    (b"runtime.runfinq", &["finalizer wait"]),
    (b"runtime.runFinalizers", &["finalizer wait"]),
    (b"runtime.runCleanups", &["cleanup wait"]),
    (b"runtime.gcBgMarkWorker", &["GC worker (idle)"]),
];
/// Those that goroutine 1 starts.
const BY_MAIN: [&[u8]; 3] = [b"runtime.bgsweep", b"runtime.bgscavenge", b"runtime.forcegchelper"];

/// What the memory is held against.
pub struct Witness<'a> {
    /// The name of the Go function that holds an address, and whether it is its entry.
    pub function: &'a dyn Fn(Addr) -> Option<(&'a [u8], bool)>,
    /// The threads that the kernel knew.
    pub tids: &'a HashSet<u64>,
    /// The thread that started this process, if it has one thread only: where it forked it, its own number is what the child's m has.
    pub parent: Option<u64>,
}

/// What a proof found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// Why the layouts are not those of this memory; `None` when they fit.
    pub refuted: Option<String>,
    /// The memory does not speak against them, but nothing in it bears them out: it is missing, or the process had hardly begun.
    pub silent: bool,
    /// The members that the memory proves, as `struct.member`.
    pub proved: HashSet<String>,
}

/// The memory is not of any of the layouts that were offered.
#[derive(Debug, Clone)]
pub struct Refuted {
    /// The first that was offered: the best known.
    pub first: Option<Box<Layouts>>,
    /// Of the first: nothing in the memory speaks against it either.
    pub silent: bool,
    /// Why none is, one reason for each.
    pub why: Vec<String>,
}

/// How many agree, and how many do not.
#[derive(Default, Clone, Copy)]
struct Votes {
    yes: usize,
    no: usize,
}

impl Votes {
    fn cast(&mut self, yes: bool) {
        let side = if yes { &mut self.yes } else { &mut self.no };
        *side = side.saturating_add(1);
    }

    /// Somebody agrees, and at most one in twenty does not.
    fn hold(self) -> bool {
        self.yes > 0 && self.no.saturating_mul(20) <= self.yes
    }

    fn none(self) -> bool {
        self.yes == 0 && self.no == 0
    }
}

/// The votes on the members of g.
#[derive(Default)]
struct OfG {
    status: Votes,
    goid: Votes,
    start: Votes,
    stack: Votes,
    sched: Votes,
    created: Votes,
    m: Votes,
    waits: Votes,
    parent: Votes,
    panic: Votes,
    syscall: Votes,
    signal: Votes,
    locked: Votes,
    waiting: Votes,
    channel: Votes,
    linked: Votes,
    element: Votes,
    semaphore: Votes,
}

/// The votes on the members of m.
#[derive(Default)]
struct OfM {
    id: Votes,
    tid: Votes,
    curg: Votes,
    gsignal: Votes,
    dying: Votes,
    throwing: Votes,
}

impl Layouts {
    /// The first of the candidates that the memory does not refute, cut down to what it proves where they are not those of
    /// this very build.
    ///
    /// # Errors
    /// When the memory refutes every one.
    pub fn choose(
        candidates: impl IntoIterator<Item = Layouts>,
        memory: &dyn Memory,
        bias: Bias,
        source: Source,
        witness: &Witness<'_>,
    ) -> Result<Layouts, Refuted> {
        let mut refuted = Refuted { first: None, silent: false, why: Vec::new() };
        for mut layouts in candidates {
            let proof = Runtime::new(memory, &layouts, bias, source).prove(witness);
            let Some(why) = proof.refuted else {
                if matches!(layouts.basis(), Basis::Nearest(_)) {
                    layouts.restrict(&|of, member| proof.proved.contains(&format!("{of}.{member}")));
                }
                return Ok(layouts);
            };
            refuted.why.push(format!("{}: {why}", layouts.basis()));
            if refuted.first.is_none() {
                (refuted.first, refuted.silent) = (Some(Box::new(layouts)), proof.silent);
            }
        }
        Err(refuted)
    }
}

/// The thread that forked this process, if that is what it is: its only thread has none of the numbers, and the one of who started it has
/// an m. Of the others there is the memory, and no thread.
#[must_use]
pub fn forked_by(threads: &[M], tids: &HashSet<u64>, parent: Option<u64>) -> Option<u64> {
    let mut numbers = threads.iter().filter_map(|m| m.tid.value().copied());
    let parent = parent.filter(|_| tids.len() == 1 && !numbers.clone().any(|tid| tids.contains(&tid)))?;
    numbers.any(|tid| tid == parent).then_some(parent)
}

impl Runtime<'_> {
    /// Holds the layouts against the memory.
    #[must_use]
    pub fn prove(&self, witness: &Witness<'_>) -> Proof {
        let (threads, listed) = match (self.threads(), self.goroutines()) {
            (Ok(threads), Ok(listed)) => (threads, listed),
            (Err(error), _) | (_, Err(error)) => {
                let silent = matches!(error, RuntimeError::Unreadable { not_saved: true, .. });
                return Proof { refuted: Some(error.to_string()), silent, ..Proof::default() };
            }
        };
        let of_m = self.prove_threads(&threads, witness);
        let ms = threads.list.iter().map(|m| m.address).collect();
        let mut of_g = self.prove_goroutines(&sample(&listed.addresses), &ms, witness);
        self.prove_semaphores(&mut of_g);
        let m0 = self.layouts.variable("runtime.m0").map(|v| self.bias.load(v.address));
        let ends_at_m0 = threads.list.last().is_some_and(|last| m0.is_none_or(|m0| m0 == last.address));
        // Each must be borne out by somebody, but for those that say nothing of programs where nobody left off, or runs.
        let must = [
            (of_m.tid, "threads have numbers that the kernel did not give"),
            (of_m.id, "threads share a number"),
            (of_g.status, "goroutines are in states that do not exist"),
            (of_g.goid, "goroutines share a number or have impossible ones"),
            (of_g.start, "goroutines begin elsewhere than at a function"),
            (of_g.stack, "goroutines have impossible stacks"),
            (of_g.created, "goroutines were created outside of Go code"),
        ];
        let may = [
            (of_g.sched, "goroutines left off outside of their stack"),
            (of_g.m, "goroutines run on threads that do not know it"),
        ];
        let endless = threads.broken.as_ref().map_or(!ends_at_m0, |broken| !broken.not_saved);
        let chain = endless.then_some("the list of threads has no end where it must");
        let denied = must.iter().find(|(votes, _)| !votes.hold() && !votes.none());
        let denied = denied.or_else(|| may.iter().find(|(votes, _)| votes.yes > 0 && !votes.hold()));
        let denied = chain.or(denied.map(|(_, why)| *why));
        let missing = match must.iter().any(|(votes, _)| votes.none()) {
            true => Some("no goroutine or thread bears them out"),
            false => threads.broken.is_some().then_some("part of the list of threads is not in the core"),
        };
        let silent = denied.is_none() && missing.is_some();
        let refuted = denied.or(missing).map(str::to_owned);
        let proved = if refuted.is_some() { HashSet::new() } else { proved(&of_g, &of_m) };
        Proof { refuted, silent, proved }
    }

    fn prove_threads(&self, threads: &Threads, witness: &Witness<'_>) -> OfM {
        let (mut votes, mut ids, mut dying) = (OfM::default(), HashSet::new(), 0usize);
        let forked = forked_by(&threads.list, witness.tids, witness.parent);
        for m in &threads.list {
            let points_back =
                |g: Addr| self.pointer(g, &[("runtime.g", "m")]).into_value().is_some_and(|back| back == m.address);
            votes.id.cast(m.id.value().is_some_and(|id| *id < MAX_GOID && ids.insert(*id)));
            let tid = m.tid.value().copied().unwrap_or(u64::MAX);
            // A thread that has not started yet has no number, and one that was just made may be missing in a core.
            if tid != 0 && forked.is_none_or(|parent| parent == tid) {
                votes.tid.cast(forked.is_some() || witness.tids.contains(&tid));
            }
            if let Some(g) = m.curg.value().filter(|g| !g.is_null()) {
                votes.curg.cast(points_back(*g));
            }
            if let Some(g) = m.gsignal.value().filter(|g| !g.is_null()) {
                votes.gsignal.cast(points_back(*g));
            }
            match (m.dying.value(), m.throwing.value()) {
                (Some(0), Some(0)) => {}
                (Some(1..=3), throwing) => {
                    dying = dying.saturating_add(1);
                    // Of a panic it is 0, as any word may be: that proves nothing.
                    if throwing != Some(&0) {
                        votes.throwing.cast(matches!(throwing, Some(1 | 2)));
                    }
                }
                (Some(0), _) => votes.throwing.cast(false),
                _ => votes.dying.cast(false),
            }
        }
        // Several may crash at once, but not most.
        if dying > 0 && dying.saturating_mul(2) <= threads.list.len().max(2) {
            votes.dying.cast(true);
        }
        votes
    }

    fn prove_goroutines(&self, addresses: &[Addr], ms: &HashSet<Addr>, witness: &Witness<'_>) -> OfG {
        let (mut votes, mut goids) = (OfG::default(), HashSet::new());
        let function = |pc: Addr| (witness.function)(pc);
        // A return address may stand behind the last instruction of its function.
        let returns_to = |pc: Addr| pc.checked_sub(1).and_then(function).is_some();
        for address in addresses {
            let Some(raw) = self.word(*address, &[("runtime.g", "atomicstatus")]).into_value() else { continue };
            let status = raw & !GSCAN;
            votes.status.cast(matches!(status, 0..=4 | 6 | 8..=11));
            if !matches!(status, 1..=4 | 8..=10) {
                continue;
            }
            let g = self.g(*address);
            let start = g.start_pc.value().and_then(|pc| function(*pc)).filter(|(_, entry)| *entry).map(|(n, _)| n);
            votes.goid.cast(g.id.value().is_some_and(|id| (1..MAX_GOID).contains(id) && goids.insert(*id)));
            // Those that C's threads bring along begin nowhere (`oneNewExtraM`).
            if !g.start_pc.value().is_some_and(|pc| pc.is_null()) {
                votes.start.cast(start.is_some());
            }
            votes.created.cast(g.go_pc.value().is_some_and(|pc| pc.is_null() || returns_to(*pc)));
            let stack = g.stack.value().copied().filter(|s| s.len() <= MAX_STACK && s.start.0 % 8 == 0);
            votes.stack.cast(stack.is_some());
            let on_stack = |at: Addr| stack.is_some_and(|s| s.contains(at) || s.end == at);
            // Where it left off says something only of those that do not run.
            if matches!(status, 1 | 4 | 9 | 10) {
                votes.sched.cast(g.sched.value().is_some_and(|s| on_stack(s.sp) && function(s.pc).is_some()));
            }
            if status == 3 {
                votes.syscall.cast(g.syscall.value().is_some_and(|s| on_stack(s.sp) && returns_to(s.pc)));
            }
            if let Some(m) = g.m.value().filter(|m| !m.is_null()) {
                let back = self.pointer(*m, &[("runtime.m", "curg")]).into_value();
                votes.m.cast(ms.contains(m) && back == Some(*address));
            }
            if let Some(m) = g.locked_m.value().filter(|m| !m.is_null()) {
                let back = self.pointer(*m, &[("runtime.m", "lockedg")]).into_value();
                votes.locked.cast(ms.contains(m) && back == Some(*address));
            }
            if let Some(panic) = g.panic.value().filter(|p| !p.is_null()) {
                votes.panic.cast(stack.is_some_and(|s| self.is_panic(*panic, s)));
            }
            if let Some(signal) = self.signal(*address) {
                let faulted = signal.pc.value().is_some_and(|pc| function(*pc).is_some());
                votes.signal.cast(signal.number <= 64 && faulted);
            }
            if status == 4 {
                self.prove_wait(*address, &mut votes);
            }
            let Some(start) = start else { continue };
            if status == 4
                && let Some((_, reasons)) = WAITS.iter().find(|(name, _)| *name == start)
            {
                votes.waits.cast(g.wait_reason.value().is_some_and(|r| reasons.contains(&&**r)));
            }
            if BY_MAIN.contains(&start) || start == b"runtime.main" {
                let parent = u64::from(start != b"runtime.main");
                votes.parent.cast(g.parent.value() == Some(&parent));
            }
        }
        votes
    }

    /// The votes on what a goroutine that waits hangs on.
    fn prove_wait(&self, g: Addr, votes: &mut OfG) {
        let waiting = self.pointer(g, &[("runtime.g", "waiting")]).into_value();
        let Some(sudog) = waiting.filter(|sudog| !sudog.is_null()) else { return };
        let of_g = |sudog: Addr| self.sudog_pointer(sudog, "g") == Ok(g);
        votes.waiting.cast(of_g(sudog));
        let Some(channel) = self.sudog_pointer(sudog, "c").ok().filter(|channel| !channel.is_null()) else { return };
        if let Some(queued) = self.is_queued(sudog, channel) {
            votes.channel.cast(queued);
        }
        votes.element.cast(self.channel(channel).element.value().is_some());
        if let Ok(linked) = self.sudog_pointer(sudog, "waitlink")
            && !linked.is_null()
        {
            votes.linked.cast(of_g(linked));
        }
    }

    /// The votes on the table of semaphores: who stands in it waits.
    fn prove_semaphores(&self, votes: &mut OfG) {
        for g in self.semaphores().into_value().unwrap_or_default().keys().take(SAMPLE) {
            votes.semaphore.cast(self.status(*g).value() == Some(&Status::Waiting));
        }
    }

    /// Whether what stands there can be a `_panic` of a goroutine with that stack: it lies on it, its value has a type of
    /// this program, and the panic before it, if any, lies on the stack too.
    fn is_panic(&self, at: Addr, stack: Range) -> bool {
        let link = self.pointer(at, &[("runtime._panic", "link")]).into_value();
        let descriptor = self.place(at, "runtime._panic", "arg").and_then(|arg| self.mem.ptr(arg).ok());
        let typed = descriptor.is_some_and(|d| d.is_null() || self.type_at(d).is_ok());
        stack.contains(at) && link.is_some_and(|l| l.is_null() || stack.contains(l)) && typed
    }
}

fn proved(g: &OfG, m: &OfM) -> HashSet<String> {
    // What `prove` refuses layouts for.
    let basic = ["stack", "sched", "atomicstatus", "goid", "startpc", "gopc"].map(|f| ("runtime.g", f, true));
    let of_g = [
        ("m", g.m.hold()),
        ("waitreason", g.waits.hold() && g.waits.yes >= 2),
        ("parentGoid", g.parent.hold() && g.parent.yes >= 3),
        ("_panic", g.panic.hold()),
        ("syscallsp", g.syscall.hold()),
        ("syscallpc", g.syscall.hold()),
        ("sig", g.signal.hold()),
        ("sigcode0", g.signal.hold()),
        ("sigcode1", g.signal.hold()),
        ("sigpc", g.signal.hold()),
        ("lockedm", g.locked.hold()),
        ("waiting", g.waiting.hold()),
    ]
    .map(|(f, holds)| ("runtime.g", f, holds));
    let of_waits = [
        ("runtime.sudog", "g", g.waiting.hold() || g.semaphore.hold()),
        ("runtime.sudog", "c", g.channel.hold()),
        ("runtime.sudog", "waitlink", g.linked.hold()),
        ("runtime.maybeTraceablePtr", "vu", g.channel.hold() || g.semaphore.hold()),
        ("runtime.hchan", "elemtype", g.channel.hold() && g.element.hold()),
        ("runtime.sudog", "elem", g.semaphore.hold()),
        ("runtime.sudog", "prev", g.semaphore.hold()),
        ("runtime.sudog", "next", g.semaphore.hold()),
        ("runtime.semaRoot", "treap", g.semaphore.hold()),
    ];
    let of_m = [
        ("g0", true),
        ("id", true),
        ("procid", true),
        ("alllink", true),
        ("curg", m.curg.hold()),
        ("gsignal", m.gsignal.hold()),
        ("dying", m.dying.hold()),
        ("throwing", m.throwing.hold()),
        ("lockedg", g.locked.hold()),
    ]
    .map(|(f, holds)| ("runtime.m", f, holds));
    let of_panic = ["arg", "link"].map(|f| ("runtime._panic", f, g.panic.hold()));
    // These have not moved in any release from 1.16 to 1.27.
    let always = [("runtime.stack", "lo"), ("runtime.stack", "hi"), ("runtime.gobuf", "sp"), ("runtime.gobuf", "pc")];
    let constant = always.into_iter().chain([("runtime.sigTabT", "name")]);
    let voted = basic.into_iter().chain(of_g).chain(of_m).chain(of_panic).chain(of_waits);
    let voted = voted.filter(|(.., holds)| *holds).map(|(of, f, _)| (of, f));
    voted.chain(constant).map(|(of, f)| format!("{of}.{f}")).collect()
}

fn sample(all: &[Addr]) -> Vec<Addr> {
    let tail = all.len().saturating_sub(SAMPLE).max(SAMPLE.min(all.len()));
    all.iter().take(SAMPLE).chain(all.iter().skip(tail)).copied().filter(|g| !g.is_null()).collect()
}
