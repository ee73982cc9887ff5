//! What was read from a text, asked for piece by piece.

use crate::frame;
use crate::grammar::Grammar;
use crate::header::{self, flag};
use crate::identity;
use crate::store::{NONE, StackRec, Store};
use gopsy_model::{
    Brief, Crash, Creation, Elision, Frame, FunctionName, Goroutine, Identity, Kind, Known, Missing, Role, Stack,
    Status,
};
use std::cell::OnceCell;

struct Part {
    store: Store,
    /// Number of its first stack among all stacks.
    first: usize,
}

/// A crash text that has been read: its goroutines, and what it says of each death.
///
/// Stacks are numbered over the whole text, in the order in which their streams have them.
pub struct Dump {
    parts: Vec<Part>,
    crashes: Vec<Crash>,
    notes: Vec<String>,
    lines: u64,
    stacks: usize,
    /// Guessed from every path of the text, once for all deaths in it.
    identity: OnceCell<Identity>,
}

impl Dump {
    pub(crate) fn new(grammars: Vec<Grammar>, notes: Vec<String>, lines: u64) -> Self {
        let mut dump =
            Dump { parts: Vec::new(), crashes: Vec::new(), notes, lines, stacks: 0, identity: OnceCell::new() };
        let mut noise = 0u64;
        let mut strangers = 0u64;
        let mut left_out = 0u64;
        for grammar in grammars {
            let first = dump.stacks;
            let store = grammar.store;
            noise = noise.saturating_add(grammar.crashes.noise_lines);
            strangers = strangers.saturating_add(grammar.strangers);
            if grammar.crashes.races_left_out > 0 {
                dump.notes
                    .push(format!("{} more race reports were counted and not kept", grammar.crashes.races_left_out));
            }
            if grammar.left_out > 0 {
                dump.notes.push(format!("{} goroutines of a profile were counted and not kept", grammar.left_out));
            }
            if grammar.crashes.crashes_joined > 0 {
                let joined = grammar.crashes.crashes_joined;
                dump.notes.push(format!("{joined} more deaths were not told apart from the last one"));
            }
            left_out = left_out.saturating_add(store.strings.left_out);
            for mut crash in grammar.crashes.crashes {
                let local = crash.stacks.clone();
                let (crashed, system) = failed_stack(&store, &crash);
                crash.crashed = crashed.map(|i| i.saturating_add(first));
                crash.system_stack = system.map(|i| i.saturating_add(first));
                crash.stacks = local.start.saturating_add(first)..local.end.saturating_add(first);
                dump.crashes.push(crash);
            }
            dump.stacks = dump.stacks.saturating_add(store.stacks.len());
            dump.parts.push(Part { store, first });
        }
        dump.crashes.sort_by_key(|c| c.line);
        if left_out > 0 {
            dump.notes.push(format!(
                "the text has more names, places and states than any program: {left_out} times one was not kept"
            ));
        }
        if strangers > 0 {
            dump.notes.push(format!(
                "{strangers} line{} among the frames of stacks belong{} to something else and {} passed over",
                if strangers == 1 { "" } else { "s" },
                if strangers == 1 { "s" } else { "" },
                if strangers == 1 { "was" } else { "were" },
            ));
        }
        dump
    }

    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The deaths that the text tells of, in its order. Empty if it tells of none.
    #[must_use]
    pub fn crashes(&self) -> &[Crash] {
        &self.crashes
    }

    /// How many lines were read.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// How many goroutines and thread stacks there are.
    #[must_use]
    pub fn stack_count(&self) -> usize {
        self.stacks
    }

    /// What a person should know about how the text was read.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Go release and platform as far as paths betray them.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let files = || self.parts.iter().flat_map(|p| p.store.strings.all());
        self.identity.get_or_init(|| identity::guess(files())).clone()
    }

    fn find(&self, id: usize) -> Option<(&Store, &StackRec, usize)> {
        let at = self.parts.partition_point(|p| p.first <= id).checked_sub(1)?;
        let part = self.parts.get(at)?;
        let local = id.checked_sub(part.first)?;
        part.store.stacks.get(local).map(|rec| (&part.store, rec, local))
    }

    /// A hash of what makes two stacks the same: functions, files, lines, creator.
    #[must_use]
    pub fn stack_key(&self, id: usize) -> u64 {
        self.find(id).map_or(0, |(store, _, local)| store.key(local))
    }

    /// What grouping asks of every goroutine.
    #[must_use]
    pub fn brief(&self, id: usize) -> Brief {
        let no_state = || Brief::NO_STATE.into();
        let Some((store, rec, _)) = self.find(id) else {
            return Brief { state: no_state(), wait_minutes: None, copies: 1 };
        };
        let rare = store.rare(rec);
        // A leak profile has no states, and says that its goroutines can never wake up.
        let unprinted = || if rec.flags & flag::LEAKED != 0 { "leaked".into() } else { no_state() };
        let state = store.strings.get(rec.state).unwrap_or_else(unprinted);
        Brief { state, wait_minutes: rare.minutes, copies: rare.copies() }
    }

    /// How many frames a stack has, without reading them.
    #[must_use]
    pub fn frame_count(&self, id: usize) -> usize {
        self.find(id).map_or(0, |(store, _, local)| store.frames_of(local).len())
    }

    /// A goroutine or thread without its frames.
    #[must_use]
    pub fn goroutine(&self, id: usize) -> Goroutine {
        let Some((store, rec, _)) = self.find(id) else { return Goroutine::bare(Role::Bare) };
        let mut g = Goroutine::bare(rec.role);
        let rare = store.rare(rec);
        if let Some(number) = rec.number(&rare) {
            g.id = Known::printed(number);
        }
        if let Some(word) = store.strings.get(rec.state) {
            let (status, reason) = header::status(&word);
            g.wait_reason = match (&status, reason) {
                (Status::Waiting, Some(reason)) => Known::printed(reason.into()),
                (Status::Waiting, None) => Known::not_printed(),
                _ => Known::Missing(Missing::NotApplicable),
            };
            g.status = Known::printed(status);
        }
        if let Some(minutes) = rare.minutes {
            g.wait_minutes = Known::printed(minutes);
        }
        g.locked_to_thread = rec.flags & flag::LOCKED != 0;
        g.scan = rec.flags & flag::SCAN != 0;
        g.leaked = rec.flags & flag::LEAKED != 0;
        g.durable = rec.flags & flag::DURABLE != 0;
        g.gp = Known::printed_or_not(rare.gp);
        g.m = Known::printed_or_not(rare.m);
        g.mp = Known::printed_or_not(rare.mp);
        g.bubble = rare.bubble;
        g.copies = rare.copies();
        if let Some(range) = &rare.labels {
            g.labels = Known::printed(store.labels_of(range));
        }
        g.ancestor = rare.ancestor;
        if let Some(site) = store.sites.get(rec.created)
            && let Some(name) = store.strings.get(site.function)
        {
            let file = store.strings.get(site.file);
            g.created_by = Known::printed(Creation {
                function: FunctionName(name),
                line: if file.is_some() { Known::printed(site.line) } else { Known::not_printed() },
                file: Known::printed_or_not(file),
                goroutine: Known::printed_or_not(rare.creator),
            });
        }
        g
    }

    /// The frames of a goroutine or thread.
    #[must_use]
    pub fn stack(&self, id: usize) -> Stack {
        let Some((store, rec, local)) = self.find(id) else { return Stack::default() };
        let mut args = frame::MAX_STACK_ARGS;
        let frames = store.frames.get(store.frames_of(local)).unwrap_or(&[]);
        let frames = frames.iter().map(|f| frame_of(store, f, &mut args)).collect();
        let number = u32::try_from(local).unwrap_or(NONE);
        let start = store.gaps.partition_point(|g| g.stack < number);
        let elided = store
            .gaps
            .get(start..)
            .unwrap_or(&[])
            .iter()
            .take_while(|g| g.stack == number)
            .map(|g| Elision::of(g.after as usize, Known::printed_or_not((g.count > 0).then_some(g.count))))
            .collect();
        let unavailable = store.rare(rec).unavailable.and_then(|why| store.strings.get(why));
        Stack { frames, elided, unavailable, ..Stack::default() }
    }
}

fn frame_of(store: &Store, rec: &crate::store::FrameRec, budget: &mut u32) -> Frame {
    let site = store.sites.get(rec.site).copied();
    let name = site.and_then(|s| store.strings.get(s.function));
    let file = site.and_then(|s| store.strings.get(s.file));
    let raw = if rec.args == NONE { None } else { Some(store.raw_args(rec.args)) };
    let regs = store.regs.regs(rec.regs);
    let foreign = file.as_deref().is_some_and(|f| {
        let ending = f.rsplit('.').next().unwrap_or("");
        matches!(ending, "cc" | "cpp" | "cxx" | "h" | "hpp" | "m" | "mm" | "rs")
    });
    Frame {
        function: Known::printed_or_not(name.map(FunctionName)),
        line: if file.is_some() { Known::printed_or_not(site.map(|s| s.line)) } else { Known::not_printed() },
        file: Known::printed_or_not(file),
        offset: Known::printed_or_not(site.and_then(|s| s.offset)),
        pc: Known::printed_or_not(regs.pc),
        sp: Known::printed_or_not(regs.sp),
        fp: Known::printed_or_not(regs.fp),
        inlined: raw == Some(b"..."),
        args: match raw {
            Some(b"...") => Known::Missing(Missing::OptimisedOut),
            Some(raw) => Known::printed(frame::parse_args(raw, budget)),
            None => Known::not_printed(),
        },
        foreign,
        module: if foreign { Known::not_printed() } else { Known::Missing(Missing::NotApplicable) },
    }
}

/// The stack that failed and the system stack that belongs to it, both as local numbers.
///
/// The runtime prints the goroutine that failed first. In a dump that was asked for nobody failed. When all are asleep
/// nobody did either: the first one printed stands for them all.
fn failed_stack(store: &Store, crash: &Crash) -> (Option<usize>, Option<usize>) {
    let role = |i: &usize| store.stacks.get(*i).map(|s| s.role);
    let system = crash.stacks.clone().find(|i| role(i) == Some(Role::System));
    // A stack without a header that stands first is the one that somebody cared about.
    let bare = role(&crash.stacks.start) == Some(Role::Bare);
    let nothing_said = crash.headlines.is_empty() && crash.signal.is_none();
    let asked_for = nothing_said && crash.stacks.len() > 1 && !bare && !first_is_running(store, crash);
    let quit =
        matches!(crash.headlines.first(), Some(gopsy_model::Headline::Signal(signal)) if &*signal.name == "SIGQUIT");
    if crash.stated_kind == Some(Kind::Dump) || asked_for || quit {
        return (None, system);
    }
    let own = |i: &usize| matches!(role(i), Some(Role::Goroutine | Role::Signal | Role::Bare));
    let first = crash.stacks.clone().find(|i| own(i));
    let running = |i: &usize| {
        store.stacks.get(*i).is_some_and(|s| {
            let word = store.strings.bytes(s.state);
            // In a system call it stands on its own stack, but in one of C.
            let ran = matches!(word, b"running" | b"stack growth" | b"copystack")
                || (word == b"syscall" && calls_c(store, *i));
            // Another thread's stack is not printed.
            let elsewhere =
                store.rare(s).unavailable.is_some_and(|why| store.strings.bytes(why).ends_with(OTHER_THREAD));
            s.numbered && ran && !elsewhere
        })
    };
    let is_g0 = |i: &usize| store.stacks.get(*i).is_some_and(|s| store.id(s) == Some(0));
    if let Some(i) = first
        && is_g0(&i)
    {
        // `goroutine 0 [idle]` is the system stack of the thread that took the signal; the goroutine that the thread
        // ran for is printed right behind it.
        let user = crash.stacks.clone().find(|j| *j > i && own(j)).filter(|j| running(j));
        return (user.or(Some(i)), Some(i));
    }
    let chosen = first.or(system);
    (chosen, system)
}

/// What the runtime prints for a stack of which it is told that another thread runs it (`tracebackothers` in
/// `runtime/traceback.go`).
const OTHER_THREAD: &[u8] = b"goroutine running on other thread; stack unavailable";

/// Whether a goroutine is in a call of C.
fn calls_c(store: &Store, stack: usize) -> bool {
    const NEAR: usize = 16;
    let frames = store.frames.get(store.frames_of(stack)).unwrap_or(&[]);
    let names = frames.iter().take(NEAR).filter_map(|f| Some(store.strings.bytes(store.sites.get(f.site)?.function)));
    names.into_iter().any(|name| name.starts_with(b"runtime.cgocall") || name.starts_with(b"runtime.asmcgocall"))
}

fn first_is_running(store: &Store, crash: &Crash) -> bool {
    let index = crash.stacks.start;
    let Some(first) = store.stacks.get(index).filter(|_| !crash.stacks.is_empty()) else { return false };
    // The goroutine that writes the profile is running, of course.
    let top = store.frames.get(store.frames_of(index)).and_then(|f| f.first());
    let name = top.and_then(|f| store.sites.get(f.site)).map_or(&[][..], |s| store.strings.bytes(s.function));
    first.numbered && store.strings.bytes(first.state) == b"running" && !name.starts_with(b"runtime/pprof.")
}

/// For tests and tools: the text of a stack's function names, innermost first.
impl std::fmt::Debug for Dump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dump")
            .field("lines", &self.lines)
            .field("stacks", &self.stacks)
            .field("crashes", &self.crashes.len())
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Dump, Options, read_bytes};
    use gopsy_model::{Headline, Role};

    fn read(text: &str) -> Dump {
        read_bytes(text.as_bytes(), &Options::default())
    }

    fn names(d: &Dump, id: usize) -> Vec<String> {
        let name = |f: &gopsy_model::Frame| f.function.value().map_or(String::new(), |n| n.0.to_string());
        d.stack(id).frames.iter().map(name).collect()
    }

    const PLAIN: &str = "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 7 [running]:\nmain.f(0x1, 0x2)\n\t/src/app/main.go:12 +0x1d\nmain.main()\n\t/src/app/main.go:3 +0x20\n\ngoroutine 8 [chan receive, 5 minutes]:\nmain.g(...)\n\t/src/app/main.go:20\ncreated by main.main in goroutine 7\n\t/src/app/main.go:2 +0x11\nexit status 2\n";

    #[test]
    fn a_plain_panic() {
        let d = read(PLAIN);
        assert_eq!((d.stack_count(), d.crashes().len()), (2, 1));
        let c = &d.crashes()[0];
        assert!(
            matches!(&c.headlines[0], Headline::Panic(p) if &*p.value == "runtime error: index out of range [5] with length 3")
        );
        assert_eq!((c.crashed, c.stacks.clone()), (Some(0), 0..2));
        assert_eq!(names(&d, 0), ["main.f", "main.main"]);
        let g = d.goroutine(1);
        assert_eq!((g.id.value(), g.wait_minutes.value()), (Some(&8), Some(&5)));
        let by = g.created_by.into_value().unwrap();
        assert_eq!((&*by.function.0, by.goroutine.into_value(), by.line.into_value()), ("main.main", Some(7), Some(2)));
        assert!(d.stack(1).frames[0].inlined);
        assert_eq!(c.exit_status.as_deref(), Some("exit status 2"));
    }

    #[test]
    fn a_prefix_changes_nothing() {
        for prefix in ["Jan 02 03:04:05 host prog[123]: ", "app-1     | ", "> ", "    ", "[pod/a-b/c] "] {
            let dressed: String = PLAIN.lines().map(|l| format!("{prefix}{l}\n")).collect();
            let d = read(&dressed);
            assert_eq!((d.stack_count(), d.crashes().len()), (2, 1), "{prefix:?}");
            assert_eq!(d.crashes()[0].headlines.len(), 1, "{prefix:?} {:?}", d.crashes());
            assert_eq!(names(&d, 0), ["main.f", "main.main"], "{prefix:?}");
        }
    }

    #[test]
    fn wraps_are_mended() {
        let d = read(
            "panic: x\n\ngoroutine 1 [running]:\na/b.f({0xce18a0,\n0x400b5d4190}, 0x1)\n\n/src/a/b/c.go:114\n+0x2ac\nmain.main()\n\t/src/main.go:1\n0 +0x1d\n",
        );
        assert_eq!(names(&d, 0), ["a/b.f", "main.main"]);
        assert_eq!(d.stack(0).frames[1].line.value(), Some(&10));
    }

    #[test]
    fn one_line() {
        let d = read(
            "fatal error: unexpected signal [signal SIGSEGV: segmentation violation code=0x1 addr=0xc41ffc7fff pc=0x41439e] goroutine 2395 [running]: runtime.throw(0xae6fb8, 0x2a) /usr/go/src/runtime/panic.go:605 +0x95 fp=0xc4203e8be8 sp=0xc4203e8bc8 pc=0x42c815 a.F(0x1) /b/x.go:85 +0x1",
        );
        assert_eq!(names(&d, 0), ["runtime.throw", "a.F"]);
        assert!(d.crashes()[0].signal.as_ref().is_some_and(|s| s.address.value() == Some(&0xc4_1ffc_7fff)));
    }

    #[test]
    fn one_line_that_begins_with_a_remark() {
        let d = read(
            "unexpected fault address 0x0 unexpected fault address 0x0 fatal error: fault [signal SIGSEGV: segmentation violation code=0x80 addr=0x0 pc=0x76b998] goroutine 13 [running]: runtime.throw(0xabfb11, 0x5) /usr/local/go/src/runtime/panic.go:605 +0x95 fp=0xc420060c40 sp=0xc420060c20 pc=0x42c725 a.F(...) /b/x.go:85",
        );
        assert_eq!(d.crashes().len(), 1);
        let c = &d.crashes()[0];
        assert!(matches!(c.headlines[..], [Headline::FaultAddress(0), Headline::Fatal(_)]), "{:?}", c.headlines);
        assert!(c.signal.as_ref().is_some_and(|s| s.code.value() == Some(&0x80)));
        assert_eq!(names(&d, 0), ["runtime.throw", "a.F"]);
    }

    #[test]
    fn ancestors_are_stacks_of_their_own() {
        let d = read(
            "panic: x\n\ngoroutine 18 [running]:\nmain.inner(0x0?)\n\t/src/main.go:3 +0x3c\ncreated by main.outer in goroutine 17\n\t/src/main.go:4 +0x45\n[originating from goroutine 17]:\nmain.outer(...)\n\t/src/main.go:4 +0x45\ncreated by main.main\n\t/src/main.go:5 +0x65\n[originating from goroutine 1]:\nmain.main(...)\n\t/src/main.go:5 +0x65\n",
        );
        assert_eq!(d.stack_count(), 3);
        let g = d.goroutine(1);
        assert_eq!((g.role, g.ancestor, g.id.value()), (Role::Ancestor, Some(17), None));
        assert_eq!((names(&d, 1), d.crashes()[0].crashed), (vec!["main.outer".to_owned()], Some(0)));
    }

    const FULL: &str = "runtime: morestack on g0, stack [0x1000 0x2000], sp=0x1008, called from\nmain.deep(0x1)\n\t/src/main.go:8 \
        +0x1\n...127 frames elided...\nmain.hook()\n\t/src/main.go:9 +0x1\nruntime.systemstack(0x0)\n\t/go/src/runtime/asm.s:5 +0x4a\n\n\
        fatal error: morestack on g0\n\nruntime stack:\nruntime.throw({0x1, 0x2})\n\t/go/src/runtime/panic.go:1 \
        +0x48\nruntime.badmorestackg0.func1()\n\t/go/src/runtime/proc.go:2 +0xe5\nruntime.switchToCrashStack0()\n\t/go/src/runtime/asm.s:3 \
        +0x32\n";
    const OWN: &str = "\ngoroutine 1 [running]:\nruntime.systemstack_switch()\n\t/go/src/runtime/asm.s:4 +0x8\nmain.main()\n\t/src/main.go:20 +0x1d\n";

    /// The runtime prints the stack that was full before it says so, and what stands on the one for crashes behind: they are one.
    #[test]
    fn a_system_stack_that_was_full_is_one_stack() {
        let expected = [
            "runtime.throw",
            "runtime.badmorestackg0.func1",
            "runtime.switchToCrashStack0",
            "main.deep",
            "main.hook",
            "runtime.systemstack",
        ];
        for (text, stacks, crashed) in [(format!("{FULL}{OWN}"), 2, Some(1)), (FULL.to_owned(), 1, Some(0))] {
            let d = read(&text);
            assert_eq!((d.stack_count(), d.crashes().len()), (stacks, 1));
            let c = &d.crashes()[0];
            assert_eq!(
                (c.headlines.as_slice(), c.diagnostics.len()),
                (&[Headline::Fatal("morestack on g0".into())][..], 1)
            );
            assert_eq!((c.system_stack, c.crashed, c.stacks.clone()), (Some(0), crashed, 0..stacks));
            assert_eq!((names(&d, 0), d.goroutine(0).role), (expected.map(str::to_owned).to_vec(), Role::System));
            let elided = d.stack(0).elided;
            assert_eq!(
                elided.iter().map(|e| (e.after, e.count.value().copied())).collect::<Vec<_>>(),
                [(4, Some(127))]
            );
        }
        // Behind another death it is a second one.
        let d = read(&format!("{PLAIN}{FULL}{OWN}"));
        let stacks: Vec<_> = d.crashes().iter().map(|c| c.stacks.clone()).collect();
        assert_eq!((stacks, names(&d, 2)), (vec![0..2, 2..4], expected.map(str::to_owned).to_vec()));
        // Another system stack is none of its.
        let d = read(&format!("{}{OWN}", FULL.replace("runtime.switchToCrashStack0", "runtime.mstart")));
        assert_eq!((d.stack_count(), d.crashes().len(), names(&d, 0).len(), names(&d, 1).len()), (3, 1, 3, 3));
        // Of a program that said no more the next one's headline is none.
        let (said, _) = FULL.split_once("fatal error").unwrap();
        let d = read(&format!("{said}{PLAIN}"));
        let stacks: Vec<_> = d.crashes().iter().map(|c| c.stacks.clone()).collect();
        assert_eq!((stacks, d.crashes()[0].headlines.len()), (vec![0..1, 1..3], 0));
    }

    #[test]
    fn bare_stacks_and_noise() {
        let d = read("hello (world)\nfoo.bar baz\n");
        assert_eq!((d.stack_count(), d.crashes().len()), (0, 0));
        // What random bytes hold now and then.
        let d = read("q.x(1)\n/\u{7f}z/k:4\nplain.f()\nhttp/1.1:200\n");
        assert_eq!((d.stack_count(), d.crashes().len()), (0, 0));
        let d = read(
            "Exception 0xc0000005 0x8 0x2b 0x2b\nPC=0x2b\n\nsyscall.Syscall(0x7ff9c7e502b0, 0x2)\n        c:/go/src/runtime/syscall_windows.go:128 +0x5c\nmain.main()\n        D:/x/server1.go:11 +0x13a\nrax     0x0\n",
        );
        assert_eq!(d.goroutine(0).role, Role::Signal);
        assert_eq!(names(&d, 0), ["syscall.Syscall", "main.main"]);
        assert_eq!(d.crashes()[0].registers.len(), 1);
    }

    /// The goroutine behind `goroutine 0` is the one that its thread ran for if it runs, or is in C; another is only the first
    /// of all.
    #[test]
    fn whom_a_thread_ran_for() {
        let crashed = |state: &str, frame: &str| {
            let text = format!(
                "SIGABRT: abort\nPC=0x46b121 m=0 sigcode=0\n\ngoroutine 0 [idle]:\nruntime.futex()\n\t/go/src/runtime/sys.s:579 \
                 +0x21\n\ngoroutine 1 [{state}]:\n{frame}(0x1)\n\t/go/src/a.go:7 +0x5\nmain.main()\n\t/src/main.go:9 +0x5\n"
            );
            let dump = read(&text);
            dump.crashes()[0].crashed.and_then(|id| dump.goroutine(id).id.into_value())
        };
        assert_eq!(crashed("running", "main.work"), Some(1));
        assert_eq!(crashed("syscall", "runtime.cgocall"), Some(1));
        assert_eq!(crashed("syscall", "syscall.Syscall"), Some(0));
        let other = "\tgoroutine running on other thread; stack unavailable\ncreated by main.main";
        assert_eq!(crashed("running", other), Some(0));
        assert_eq!(crashed("GC worker (idle)", "runtime.systemstack_switch"), Some(0));
    }
}
