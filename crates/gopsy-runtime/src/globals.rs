//! Where a program keeps the runtime's variables (`runtime.allgs`, `runtime.sched`, …) when it has neither a symbol table nor
//! DWARF: the runtime's own functions name them. pclntab, which every Go program has, says where those functions are;
//! their instructions are read, and a recipe says which operand is which variable.
//!
//! A recipe is a shape: what a function reads, writes, takes the address of and calls, in the order of its instructions. It
//! gives an address only where the function has exactly that shape, and where all ways in which the shape fits say the same.
//! Where several recipes know a variable, all are applied and must agree; one that is contradicted is not believed in
//! anything else either; two variables never share an address. What is left is withheld, with the reason. No Go version is
//! compared. `docs/globals.md` has what became of every variable in programs of every release from 1.16 on.
//!
//! linux/amd64. All addresses are link addresses: code names variables relative to itself, in a PIE too. A plugin names them
//! through a table that the loader fills (GOT): there everything is withheld. Applying all recipes takes less than a
//! millisecond in a release build, the looking up of names apart.
//!
//! In the table, `lea A` takes the address of a variable, `load8 A+8` reads 8 bytes 8 bytes behind it, `store` writes, `call`
//! calls (`lock` stands for `lock2` and `lockWithRank` too, `atomicstorep` for `atomicwb`, `nanotime` for `nanotime1`), `…` is
//! anything, `load4/lea` either. Constants, and calls of functions that no recipe names, do not count.
//!
//! | variables | function of package runtime | file of src/runtime | shape | builds |
//! |---|---|---|---|---|
//! | allglen A, allgptr B | `forEachGRace` | `proc.go` | start, load8 A, load8 B, end | Go 1.17 on, not under `-l` |
//! | allglen A, allgptr B | `atomicAllG` | `proc.go` | start, load8 A, load8 B, end | under `-l` |
//! | allgptr A | `allgadd` | `proc.go` | load8 A, …, lea A, call atomicstorep |  |
//! | allglen A, allglock B | `allgadd` | `proc.go` | lea A, lea B, call unlock |  |
//! | allglock A, allgs B | `forEachG` | `proc.go` | start, lea A, call lock, load8 B, load8 B+8, lea A, call unlock, end | Go 1.17 on |
//! | allglock A, allgs B | `allgadd` | `proc.go` | lea A, call lock, load8 B+8, load8 B, load8 B+16 | Go 1.16 to 1.20 |
//! | allglock A, allgs B | `allgadd` | `proc.go` | lea A, call lock, load8 B+16, load8 B+8, load8 B | Go 1.21 on |
//! | allm A | `mcommoninit` | `proc.go` | load8 A, …, lea A, call atomicstorep |  |
//! | m0 A, allm C | `mexit` | `proc.go` | start, lea A, …, lea B, call lock, lea C, …, lea B, call unlock |  |
//! | sched A | `schedinit` | `proc.go` | call lock, call nanotime, store8 A+8 | Go 1.16 to 1.19 |
//! | sched A | `schedinit` | `proc.go` | call lock, call nanotime, lea A+8 | Go 1.20 on |
//! | sched A | `sysmon` | `proc.go` | lea A+8, call netpoll |  |
//! | allp A | `preemptall` | `proc.go` | start, load8 A, load8 A+8, call preemptone, end |  |
//! | allpLock A, allp B | `timeSleepUntil` | `time.go` | start, lea A, call lock, load8 B, load8 B+8, lea A, call unlock, end |  |
//! | allpLock A | `retake` | `proc.go` | start, lea A, call lock |  |
//! | mheap_ A | `mallocinit` | `malloc.go` | lea A, call (*mheap).init |  |
//! | mheap_ A | `stackpoolalloc` | `stack.go` | lea A, call (*mheap).allocManual |  |
//! | physPageSize A, physHugePageSize B | `mallocinit` | `malloc.go` | load8 A, load8 B, store8 B |  |
//! | physPageSize A | `sysargs` | `os_linux.go` | store8 A, load8 A, store8 A |  |
//! | physHugePageSize A | `osinit` | `os_linux.go` | call getHugePageSize, store8 A |  |
//! | firstmoduledata A, modulesSlice B | `modulesinit` | `symtab.go` | start, call newobject, lea A, …, lea B, call atomicstorep |  |
//! | firstmoduledata A | `schedinit` | `proc.go` | lea A, call moduledataverify1 | not under `-l` |
//! | firstmoduledata A | `moduledataverify` | `symtab.go` | start, lea A, call moduledataverify1 | under `-l` |
//! | g0 A, m0 B | `rt0_go` | `asm_amd64.s` | start, lea A, …, lea A, lea B, call check |  |
//! | m0 A | `main` | `proc.go` | call systemstack, lea A | not under `-l` |
//! | m0 A | `main` | `proc.go` | call systemstack, call lockOSThread, lea A | under `-l` |
//! | runtimeInitTime A | `main` | `proc.go` | call nanotime, store8 A |  |
//! | maxstacksize A, maxstackceiling B, mainStarted C | `main` | `proc.go` | start, store8 A, store8 B, store1 C |  |
//! | panicking A, paniclk B | `startpanic_m` | `panic.go` | lea A, lea B, call lock |  |
//! | paniclk A, panicking B, deadlock C | `dopanic_m` | `panic.go` | lea A, call unlock, lea B, lea C, call lock, lea C, call lock |  |
//! | panicking A | `recordForPanic` | `print.go` | start, call printlock, load4/lea A |  |
//! | didothers A | `dopanic_m` | `panic.go` | load1 A, …, store1 A |  |
//! | printBacklogIndex A, printBacklog B | `recordForPanic` | `print.go` | load8 A, store8 A, load8 A, lea B, call memmove, lea B |  |
//! | itabTable A, itabLock B | `getitab` | `iface.go` | start, load8 A, call (*itabTableType).find, lea B, call lock, load8 A, call (*itabTableType).find, lea B, call unlock |  |
//! | itabTable A | `itabAdd` | `iface.go` | start, load8 A, …, lea A, call atomicstorep |  |
//! | itabLock A | `itabsinit` | `iface.go` | lea A, call lock, …, lea A, call unlock |  |
//! | semtable A | `semacquire1` | `sema.go` | lea A, …, call (*semaRoot).queue | not under `-l` before Go 1.19 |
//! | semtable A | `semrelease1` | `sema.go` | start, lea A | not under `-l` before Go 1.19 |
//! | semtable A | `semroot` | `sema.go` | start, lea A, end | Go 1.16 to 1.18, under `-l` |
//! | argc A, argv B | `args` | `runtime1.go` | start, store4 A, …, store8 B |  |
//! | argc A, argslice B, argv C | `goargs` | `runtime1.go` | start, load4 A, …, store8 B+8, store8 B+16, …, load4 A, load8 C |  |
//! | envs A | `goenvs_unix` | `runtime1.go` | store8 A+8, store8 A+16 |  |
//! | envs A | `gogetenv` | `env_posix.go` | start, load8 A, load8 A+8 | not under `-l` |
//! | buildVersion A, modinfo B | `schedinit` | `proc.go` | load8 A+8, store8 A+8, load4 C, store8 A, …, load8 B+8, store8 B+8, load4 C, store8 B | Go 1.16 to 1.20 |
//! | buildVersion A, modinfo B | `schedinit` | `proc.go` | load8 A+8, store8 A+8, load4 C, load8 A, store8 A, load8 B+8, store8 B+8, load4 C, load8 B, store8 B | Go 1.21 on |
//! | gStatusStrings A, waitReasonStrings B | `goroutineheader` | `traceback.go` | lea A, lea B, call nanotime | Go 1.17 on, not under `-l` |
//! | gStatusStrings A, waitReasonStrings B | `goroutineheader` | `traceback.go` | start, lea A, …, call nanotime, lea B, end | Go 1.16, not under `-l` |
//! | gStatusStrings A | `goroutineheader` | `traceback.go` | call readgstatus, lea A | under `-l` |
//! | waitReasonStrings A | `waitReason.String` | `runtime2.go` | start, lea A, end |  |
//! | signalsOK A, isarchive B, islibrary C, sigtable D | `initsig` | `signal_unix.go` | start, store1 A, load1 B, load1 C, lea D | Go 1.17 on |
//! | fwdSig A, signalsOK D | `sigfwdgo` | `signal_unix.go` | start, lea A, lea B, lea C, load1 D |  |
//! | isarchive A, sigtable B, fwdSig C | `initsig` | `signal_unix.go` | start, load1 A, lea B, call getsig, lea C | Go 1.16 |
//! | sigtable A | `signame` | `signal_unix.go` | start, lea A, end | under `-l` |
//! | sigtable A | `dopanic_m` | `panic.go` | start, lea A, call printlock | Go 1.17 on, not under `-l` |
//! | islibrary A, isarchive B, panicking C, iscgo D | `checkdead` | `proc.go` | start, …, load1 A, load1 B, load4/lea C, load1 D |  |
//! | iscgo A | `mcommoninit` | `proc.go` | call unlock, load1 A |  |
//! | faketime A | `checkdead` | `proc.go` | load8 A, …, call timeSleepUntil, …, store8 A |  |
//! | gcphase A, finlock B, finq C | `queuefinalizer` | `mfinal.go` | start, load4 A, lea B, call lock, load8 C |  |
//! | finc A, allfin B | `queuefinalizer` | `mfinal.go` | store8 A, load8 B, load8 A, store8 B |  |
//! | fingRunning A | `runfinq` | `mfinal.go` | store1 A, call reflectcall, store1 A | Go 1.16 to 1.19 |
//! | fingStatus A | `runfinq` | `mfinal.go` | lea A, call reflectcall, lea A | Go 1.20 to 1.24 |
//! | fingStatus A | `runFinalizers` | `mfinal.go` | lea A, call reflectcall, lea A | Go 1.25 on |
//! | finlock A, fing C | `runfinq` | `mfinal.go` | start, lea A, call lock, load4 B, store8 C, lea C, lea A, call unlock, lea A, call lock | Go 1.19 to 1.20 |
//! | finlock A, fing C | `runfinq` | `mfinal.go` | start, lea A, call lock, load4 B, load8 C, store8 C, lea A, call unlock, lea A, call lock | Go 1.21 to 1.24 |
//! | finlock A, fing C | `runFinalizers` | `mfinal.go` | start, lea A, call lock, load4 B, load8 C, store8 C, lea A, call unlock, lea A, call lock | Go 1.25 on |
//! | fingStatus A, fing B | `wakefing` | `mfinal.go` | start, lea A, load8 B, end | Go 1.20 on, under `-l` |
//! | finlock A, fing D | `wakefing` | `mfinal.go` | start, lea A, call lock, load1 B, load1 C, store1 B, store1 C, load8 D, lea A, call unlock, end | Go 1.16 to 1.19 |
//! | worldsema A, gcphase B | `gcMarkDone` | `mgc.go` | lea A, call semrelease, load4 B, …, lea A, call semacquire |  |
//! | worldsema A | `stopTheWorld` | `proc.go` | start, lea A, call semacquire |  |
//! | gcphase A | `gcMarkTermination` | `mgc.go` | start, lea A, load4 A | not under `-l` |
//! | gcphase A | `setGCPhase` | `mgc.go` | start, lea A, load4 A | under `-l` |
//! | gcBlackenEnabled B | `gcParkAssist` | `mgcmark.go` | start, lea A, call lock, load4 B |  |
//! | gcBlackenEnabled A | `gcBgMarkWorker` | `mgc.go` | call gopark, load4 A, call nanotime |  |
//! | work A | `gcDrain` | `mgcmark.go` | load8 A |  |
//! | work A | `gcMarkDone` | `mgc.go` | call semrelease, load4 B, load4 C, load4 D, load8 A | not under `-l` |
//! | gcController A | `gcStart` | `mgc.go` | lea A, call (*gcControllerState).startCycle |  |
//! | gcController A | `schedule` | `proc.go` | lea A, call (*gcControllerState).findRunnableGCWorker | Go 1.16 to 1.18 |
//! | gcController A | `findRunnable` | `proc.go` | lea A, call (*gcControllerState).findRunnableGCWorker | Go 1.19 on |
//! | gcController A | `gcinit` | `mgc.go` | lea A, call (*gcControllerState).init | Go 1.17 on, Go 1.18 under `-l` only |
//! | gcpercent A, memstats B | `gcSetTriggerRatio` | `mgc.go` | load4 A, load8 B+6016, …, load4 A, load8 B+6016 | Go 1.16 |
//! | gcpercent A, memstats B | `(*gcControllerState).revise` | `mgc.go` | load4 A, load8 B+6000, load8 B+6008 | Go 1.16 |
//! | gcpercent A | `setGCPercent.func1` | `mgc.go` | load4 A, store4 A | Go 1.16 |
//! | ncpu A | `osinit` | `os_linux.go` | call getproccount, store4 A | Go 1.16 to 1.24 |
//! | ncpu A | `schedinit` | `proc.go` | load4 A, call gogetenv | Go 1.16 to 1.24 |
//! | numCPUStartup A | `osinit` | `os_linux.go` | call getCPUCount, store4 A | Go 1.25 on |
//! | numCPUStartup A | `schedinit` | `proc.go` | load4 A, call defaultGOMAXPROCS | Go 1.25 on |
//! | gomaxprocs B | `GOMAXPROCS` | `debug.go` | start, lea A, call lock, load4 B |  |
//! | gomaxprocs A | `startTheWorldWithSema` | `proc.go` | call lock, load4 A, load4 B, store4 B | Go 1.16 to 1.20 |
//! | gomaxprocs A | `startTheWorldWithSema` | `proc.go` | call lock, load4 B, load4 A, store4 B | Go 1.21 on |
//! | crashingG A | `switchToCrashStack` | `proc.go` | start, lea A, …, load8/lea A | Go 1.22 on |
//! | crashing A | `sighandler` | `signal_unix.go` | store4 A | Go 1.16 to 1.21 |
//! | crashing A | `sighandler` | `signal_unix.go` | load4/lea A, call startpanic_m | Go 1.17 on |
//! | traceback_cache A | `gotraceback` | `runtime1.go` | start, load4 A, end | under `-l` |
//! | traceback_cache A | `goroutineheader` | `traceback.go` | start, load4 A | Go 1.22 on, not under `-l` |
//! | traceback_cache A, traceback_env B | `parsedebugvars` | `runtime1.go` | call runtime/debug.SetTraceback, load4 A, store4 B, end | Go 1.16 to 1.24 |
//! | traceback_cache A, traceback_env B | `finishDebugVarsSetup` | `runtime1.go` | call runtime/debug.SetTraceback, load4 A, store4 B, end | Go 1.25 on |
//! | heapRandSeed A | `mallocinit` | `malloc.go` | call bootstrapRand, store8 A | Go 1.26 on, not with `-race` |
//! | netpollInited A | `netpollGenericInit` | `netpoll.go` | start, load4 A, lea B, call lock, load4 A | not under `-l` |
//! | netpollInited A | `netpollGenericInit` | `netpoll.go` | start, lea A, lea B, lea C, lea B, call lock, lea A, lea A, lea B, call unlock | Go 1.23 on, under `-l` |

mod events;
mod pattern;
mod recipes;

#[cfg(test)]
mod tests;

pub use pattern::{Step, Var};
pub use recipes::Recipe;

use events::{Callees, Event};
use gopsy_image::Machine;
use gopsy_mem::LinkAddr;
use gopsy_model::{Known, Missing, Source, Trust};
use std::collections::{BTreeMap, HashMap};

/// The code of a program, by the names of its functions.
pub trait Code {
    /// What its instructions are for. Recipes exist for [`Machine::X86_64`].
    fn machine(&self) -> Machine;

    /// All functions of that name (`runtime.schedinit`), in any order. There may be two: an assembly function that Go calls, and
    /// a Go function that assembly calls, have a wrapper of the same name in pclntab. Some hundred names are asked for: an
    /// index pays.
    fn functions(&self, name: &str) -> Vec<FunctionCode<'_>>;

    /// Whether the program may write there: the address lies in a segment that is loaded as writable, and not in the part of
    /// it that the loader makes read-only again (`PT_GNU_RELRO`), where a PIE has its type descriptors.
    fn is_variable(&self, at: LinkAddr) -> bool;
}

/// The code of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionCode<'a> {
    /// Where its first byte stands.
    pub entry: LinkAddr,
    /// All its bytes.
    pub bytes: &'a [u8],
}

/// What is known of one variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Its address, as the file states it.
    Found {
        /// Where it stands.
        address: LinkAddr,
        /// Every recipe that fits; all of them say so.
        by: Vec<&'static Recipe>,
    },
    /// Nothing is said.
    Withheld(Withheld),
}

/// Why nothing is said of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Withheld {
    /// The program's instructions are not those of x86-64.
    OtherMachine,
    /// The program has none of the functions.
    NoFunction,
    /// The functions are there, but none has a shape that is known.
    NoFit,
    /// Two recipes say different things, or two variables would stand at the same address.
    Contradiction(Vec<(LinkAddr, &'static Recipe)>),
}

/// Where a program keeps the runtime's variables, found without a symbol table and without DWARF.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Globals {
    answers: BTreeMap<&'static str, Answer>,
}

impl Globals {
    /// Applies all recipes to a program.
    #[must_use]
    pub fn find(code: &dyn Code) -> Globals {
        if code.machine() != Machine::X86_64 {
            let names = recipes::RECIPES.iter().flat_map(|recipe| recipe.finds).map(|(_, name)| *name);
            return Globals { answers: names.map(|name| (name, Answer::Withheld(Withheld::OtherMachine))).collect() };
        }
        let callees = callees(code);
        let mut functions: HashMap<&'static str, Vec<Vec<Event>>> = HashMap::new();
        let mut told: BTreeMap<&'static str, Said> = BTreeMap::new();
        let mut present: BTreeMap<&'static str, bool> = BTreeMap::new();
        for recipe in recipes::RECIPES {
            let bodies = functions.entry(recipe.function).or_insert_with(|| {
                let all = code.functions(recipe.function).into_iter();
                all.map(|f| events::of(f.bytes, f.entry, code, &callees)).collect()
            });
            for (_, name) in recipe.finds {
                let there = present.entry(name).or_default();
                *there |= !bodies.is_empty();
            }
            for body in bodies.iter() {
                for (name, address) in apply(recipe, body, code) {
                    told.entry(name).or_default().push((address, recipe));
                }
            }
        }
        // A recipe that is contradicted once has read another function than it thinks: nothing that it says counts.
        let doubtful: Vec<&'static Recipe> =
            told.values().filter(|said| !agree(said)).flatten().map(|(_, recipe)| *recipe).collect();
        let mut answers: BTreeMap<_, _> = present
            .into_iter()
            .map(|(name, there)| (name, weigh(told.remove(name).unwrap_or_default(), there, &doubtful)))
            .collect();
        withhold_shared(&mut answers);
        Globals { answers }
    }

    /// What is known of a variable (`runtime.allgs`); `None` when there is no recipe for it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Answer> {
        self.answers.get(name)
    }

    /// Where a variable stands.
    #[must_use]
    pub fn address(&self, name: &str) -> Known<LinkAddr> {
        match self.get(name) {
            Some(Answer::Found { address, .. }) => Known::have(*address, Trust::Inferred, Source::Binary),
            Some(Answer::Withheld(why)) => Known::Missing(Missing::NotSupported(format!("{name}: {why}").into())),
            None => Known::Missing(Missing::NotSupported(format!("{name}: there is no recipe for it").into())),
        }
    }

    /// All variables for which there are recipes, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Answer)> {
        self.answers.iter().map(|(name, answer)| (*name, answer))
    }

    /// All recipes.
    #[must_use]
    pub fn recipes() -> &'static [Recipe] {
        recipes::RECIPES
    }
}

/// The entries of the functions that recipes wait to see called.
fn callees(code: &dyn Code) -> Callees {
    let calls = recipes::RECIPES.iter().flat_map(|recipe| recipe.steps).filter_map(|step| match step {
        Step::Call(names) => Some(names.iter().copied()),
        _ => None,
    });
    let mut callees = Callees::new();
    for name in calls.flatten() {
        callees.extend(code.functions(name).into_iter().map(|f| (f.entry, name)));
    }
    callees
}

/// What a recipe says of one function: nothing, when it does not fit, or fits in ways that differ.
fn apply(recipe: &Recipe, events: &[Event], code: &dyn Code) -> Vec<(&'static str, LinkAddr)> {
    let Some(fits) = pattern::fits(recipe.steps, events) else { return Vec::new() };
    let mut said = Vec::new();
    for (var, name) in recipe.finds {
        let mut addresses = fits.iter().map(|binding| var.of(*binding));
        let Some(Some(first)) = addresses.next() else { continue };
        // What was seen may be a word behind it.
        if code.is_variable(first) && addresses.all(|other| other == Some(first)) {
            said.push((*name, first));
        }
    }
    // A shape that is only half clear is not the one that was meant.
    if said.len() == recipe.finds.len() { said } else { Vec::new() }
}

type Said = Vec<(LinkAddr, &'static Recipe)>;

fn agree(said: &Said) -> bool {
    said.first().is_none_or(|(first, _)| said.iter().all(|(other, _)| other == first))
}

fn weigh(said: Said, there: bool, doubtful: &[&'static Recipe]) -> Answer {
    let sound: Said = said.iter().filter(|(_, recipe)| !doubtful.contains(recipe)).copied().collect();
    match sound.first() {
        Some((address, _)) => {
            let mut by: Vec<&'static Recipe> = sound.iter().map(|(_, recipe)| *recipe).collect();
            by.dedup();
            Answer::Found { address: *address, by }
        }
        None if !said.is_empty() => Answer::Withheld(Withheld::Contradiction(said)),
        None if there => Answer::Withheld(Withheld::NoFit),
        None => Answer::Withheld(Withheld::NoFunction),
    }
}

/// No two variables stand at one address: where they seem to, at least one recipe read another function than it thinks.
fn withhold_shared(answers: &mut BTreeMap<&'static str, Answer>) {
    let mut at: HashMap<LinkAddr, Vec<(&'static str, &'static Recipe)>> = HashMap::new();
    for (name, answer) in answers.iter() {
        if let Answer::Found { address, by } = answer {
            at.entry(*address).or_default().extend(by.iter().take(1).map(|recipe| (*name, *recipe)));
        }
    }
    for (address, sharers) in at.into_iter().filter(|(_, sharers)| sharers.len() > 1) {
        let said: Vec<_> = sharers.iter().map(|(_, recipe)| (address, *recipe)).collect();
        for (name, _) in sharers {
            answers.insert(name, Answer::Withheld(Withheld::Contradiction(said.clone())));
        }
    }
}

impl std::fmt::Display for Withheld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Withheld::OtherMachine => f.write_str("there are recipes for x86-64 only"),
            Withheld::NoFunction => f.write_str("the program has none of the functions that use it"),
            Withheld::NoFit => {
                f.write_str("the functions that use it have another shape than in the releases that are known")
            }
            Withheld::Contradiction(said) => {
                f.write_str("what the program's functions say contradicts itself:")?;
                said.iter().try_for_each(|(address, recipe)| write!(f, " {address} by {}", recipe.function))
            }
        }
    }
}

impl std::fmt::Display for Recipe {
    /// The shape: `start, lea A, call lock, load8 B, …`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, step) in self.steps.iter().enumerate() {
            write!(f, "{}{step}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
