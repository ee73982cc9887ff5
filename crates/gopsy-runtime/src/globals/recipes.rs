//! The recipes: which function gives which variable away, and by which shape.
//!
//! The sources are those of Go 1.16 to 1.27 (`src/runtime`). A shape that belongs to some releases only fits no function of
//! the others: no version is compared. `docs/globals.md` has what became of each on real programs.

use super::pattern::Step::{self, Call, End, Gap, Lea, Load, Start, Store, Touch};
use super::pattern::Var::{self, A, B, C, D};

/// One way to a variable or a few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// The function whose code is read, as pclntab names it.
    pub function: &'static str,
    /// The file of `src/runtime` that it stands in.
    pub source: &'static str,
    /// The shape that it must have.
    pub steps: &'static [Step],
    /// What the addresses of the shape are.
    pub finds: &'static [(Var, &'static str)],
    /// When it fits only some builds: which.
    pub note: &'static str,
}

const fn recipe(
    function: &'static str,
    source: &'static str,
    steps: &'static [Step],
    finds: &'static [(Var, &'static str)],
) -> Recipe {
    Recipe { function, source, steps, finds, note: "" }
}

impl Recipe {
    /// With a note on the builds that it fits.
    const fn only(self, note: &'static str) -> Recipe {
        Recipe { note, ..self }
    }
}

// Which of them is called depends on what the compiler inlined: `lock` is `lockWithRank` is `lock2`.
const LOCK: Step = Call(&["runtime.lock", "runtime.lock2", "runtime.lockWithRank"]);
const UNLOCK: Step = Call(&["runtime.unlock", "runtime.unlock2", "runtime.unlockWithRank"]);
const NANOTIME: Step = Call(&["runtime.nanotime", "runtime.nanotime1"]);
/// An atomic store of a pointer, `atomicstorep`, whose first half is the write barrier `atomicwb`.
const STORE_POINTER: Step = Call(&["runtime.atomicstorep", "runtime.atomicwb"]);
const SEMACQUIRE: Step = Call(&["runtime.semacquire", "runtime.semacquire1"]);
const SEMRELEASE: Step = Call(&["runtime.semrelease", "runtime.semrelease1"]);

/// All recipes.
pub(crate) const RECIPES: &[Recipe] = &[
    recipe(
        "runtime.forEachGRace",
        "proc.go",
        &[Start, Load(8, A, 0), Load(8, B, 0), End],
        &[(A, "runtime.allglen"), (B, "runtime.allgptr")],
    )
    .only("Go 1.17 on, not under `-l`"),
    recipe(
        "runtime.atomicAllG",
        "proc.go",
        &[Start, Load(8, A, 0), Load(8, B, 0), End],
        &[(A, "runtime.allglen"), (B, "runtime.allgptr")],
    )
    .only("under `-l`"),
    recipe("runtime.allgadd", "proc.go", &[Load(8, A, 0), Gap, Lea(A, 0), STORE_POINTER], &[(A, "runtime.allgptr")]),
    recipe(
        "runtime.allgadd",
        "proc.go",
        &[Lea(A, 0), Lea(B, 0), UNLOCK],
        &[(A, "runtime.allglen"), (B, "runtime.allglock")],
    ),
    recipe(
        "runtime.forEachG",
        "proc.go",
        &[Start, Lea(A, 0), LOCK, Load(8, B, 0), Load(8, B, 8), Lea(A, 0), UNLOCK, End],
        &[(A, "runtime.allglock"), (B, "runtime.allgs")],
    )
    .only("Go 1.17 on"),
    recipe(
        "runtime.allgadd",
        "proc.go",
        &[Lea(A, 0), LOCK, Load(8, B, 8), Load(8, B, 0), Load(8, B, 16)],
        &[(A, "runtime.allglock"), (B, "runtime.allgs")],
    )
    .only("Go 1.16 to 1.20"),
    recipe(
        "runtime.allgadd",
        "proc.go",
        &[Lea(A, 0), LOCK, Load(8, B, 16), Load(8, B, 8), Load(8, B, 0)],
        &[(A, "runtime.allglock"), (B, "runtime.allgs")],
    )
    .only("Go 1.21 on"),
    recipe("runtime.mcommoninit", "proc.go", &[Load(8, A, 0), Gap, Lea(A, 0), STORE_POINTER], &[(A, "runtime.allm")]),
    recipe(
        "runtime.mexit",
        "proc.go",
        &[Start, Lea(A, 0), Gap, Lea(B, 0), LOCK, Lea(C, 0), Gap, Lea(B, 0), UNLOCK],
        &[(A, "runtime.m0"), (C, "runtime.allm")],
    ),
    recipe("runtime.schedinit", "proc.go", &[LOCK, NANOTIME, Store(8, A, 8)], &[(A, "runtime.sched")])
        .only("Go 1.16 to 1.19"),
    recipe("runtime.schedinit", "proc.go", &[LOCK, NANOTIME, Lea(A, 8)], &[(A, "runtime.sched")]).only("Go 1.20 on"),
    recipe("runtime.sysmon", "proc.go", &[Lea(A, 8), Call(&["runtime.netpoll"])], &[(A, "runtime.sched")]),
    recipe(
        "runtime.preemptall",
        "proc.go",
        &[Start, Load(8, A, 0), Load(8, A, 8), Call(&["runtime.preemptone"]), End],
        &[(A, "runtime.allp")],
    ),
    recipe(
        "runtime.timeSleepUntil",
        "time.go",
        &[Start, Lea(A, 0), LOCK, Load(8, B, 0), Load(8, B, 8), Lea(A, 0), UNLOCK, End],
        &[(A, "runtime.allpLock"), (B, "runtime.allp")],
    ),
    recipe("runtime.retake", "proc.go", &[Start, Lea(A, 0), LOCK], &[(A, "runtime.allpLock")]),
    recipe("runtime.mallocinit", "malloc.go", &[Lea(A, 0), Call(&["runtime.(*mheap).init"])], &[(A, "runtime.mheap_")]),
    recipe(
        "runtime.stackpoolalloc",
        "stack.go",
        &[Lea(A, 0), Call(&["runtime.(*mheap).allocManual"])],
        &[(A, "runtime.mheap_")],
    ),
    recipe(
        "runtime.mallocinit",
        "malloc.go",
        &[Load(8, A, 0), Load(8, B, 0), Store(8, B, 0)],
        &[(A, "runtime.physPageSize"), (B, "runtime.physHugePageSize")],
    ),
    recipe(
        "runtime.sysargs",
        "os_linux.go",
        &[Store(8, A, 0), Load(8, A, 0), Store(8, A, 0)],
        &[(A, "runtime.physPageSize")],
    ),
    recipe(
        "runtime.osinit",
        "os_linux.go",
        &[Call(&["runtime.getHugePageSize"]), Store(8, A, 0)],
        &[(A, "runtime.physHugePageSize")],
    ),
    recipe(
        "runtime.modulesinit",
        "symtab.go",
        &[Start, Call(&["runtime.newobject"]), Lea(A, 0), Gap, Lea(B, 0), STORE_POINTER],
        &[(A, "runtime.firstmoduledata"), (B, "runtime.modulesSlice")],
    ),
    recipe(
        "runtime.schedinit",
        "proc.go",
        &[Lea(A, 0), Call(&["runtime.moduledataverify1"])],
        &[(A, "runtime.firstmoduledata")],
    )
    .only("not under `-l`"),
    recipe(
        "runtime.moduledataverify",
        "symtab.go",
        &[Start, Lea(A, 0), Call(&["runtime.moduledataverify1"])],
        &[(A, "runtime.firstmoduledata")],
    )
    .only("under `-l`"),
    recipe(
        "runtime.rt0_go",
        "asm_amd64.s",
        &[Start, Lea(A, 0), Gap, Lea(A, 0), Lea(B, 0), Call(&["runtime.check"])],
        &[(A, "runtime.g0"), (B, "runtime.m0")],
    ),
    recipe("runtime.main", "proc.go", &[Call(&["runtime.systemstack"]), Lea(A, 0)], &[(A, "runtime.m0")])
        .only("not under `-l`"),
    recipe(
        "runtime.main",
        "proc.go",
        &[Call(&["runtime.systemstack"]), Call(&["runtime.lockOSThread"]), Lea(A, 0)],
        &[(A, "runtime.m0")],
    )
    .only("under `-l`"),
    recipe("runtime.main", "proc.go", &[NANOTIME, Store(8, A, 0)], &[(A, "runtime.runtimeInitTime")]),
    recipe(
        "runtime.main",
        "proc.go",
        &[Start, Store(8, A, 0), Store(8, B, 0), Store(1, C, 0)],
        &[(A, "runtime.maxstacksize"), (B, "runtime.maxstackceiling"), (C, "runtime.mainStarted")],
    ),
    recipe(
        "runtime.startpanic_m",
        "panic.go",
        &[Lea(A, 0), Lea(B, 0), LOCK],
        &[(A, "runtime.panicking"), (B, "runtime.paniclk")],
    ),
    recipe(
        "runtime.dopanic_m",
        "panic.go",
        &[Lea(A, 0), UNLOCK, Lea(B, 0), Lea(C, 0), LOCK, Lea(C, 0), LOCK],
        &[(A, "runtime.paniclk"), (B, "runtime.panicking"), (C, "runtime.deadlock")],
    ),
    recipe(
        "runtime.recordForPanic",
        "print.go",
        &[Start, Call(&["runtime.printlock"]), Touch(4, A)],
        &[(A, "runtime.panicking")],
    ),
    recipe("runtime.dopanic_m", "panic.go", &[Load(1, A, 0), Gap, Store(1, A, 0)], &[(A, "runtime.didothers")]),
    recipe(
        "runtime.recordForPanic",
        "print.go",
        &[Load(8, A, 0), Store(8, A, 0), Load(8, A, 0), Lea(B, 0), Call(&["runtime.memmove"]), Lea(B, 0)],
        &[(A, "runtime.printBacklogIndex"), (B, "runtime.printBacklog")],
    ),
    recipe(
        "runtime.getitab",
        "iface.go",
        &[
            Start,
            Load(8, A, 0),
            Call(&["runtime.(*itabTableType).find"]),
            Lea(B, 0),
            LOCK,
            Load(8, A, 0),
            Call(&["runtime.(*itabTableType).find"]),
            Lea(B, 0),
            UNLOCK,
        ],
        &[(A, "runtime.itabTable"), (B, "runtime.itabLock")],
    ),
    recipe(
        "runtime.itabAdd",
        "iface.go",
        &[Start, Load(8, A, 0), Gap, Lea(A, 0), STORE_POINTER],
        &[(A, "runtime.itabTable")],
    ),
    recipe("runtime.itabsinit", "iface.go", &[Lea(A, 0), LOCK, Gap, Lea(A, 0), UNLOCK], &[(A, "runtime.itabLock")]),
    recipe(
        "runtime.semacquire1",
        "sema.go",
        &[Lea(A, 0), Gap, Call(&["runtime.(*semaRoot).queue"])],
        &[(A, "runtime.semtable")],
    )
    .only("not under `-l` before Go 1.19"),
    recipe("runtime.semrelease1", "sema.go", &[Start, Lea(A, 0)], &[(A, "runtime.semtable")])
        .only("not under `-l` before Go 1.19"),
    recipe("runtime.semroot", "sema.go", &[Start, Lea(A, 0), End], &[(A, "runtime.semtable")])
        .only("Go 1.16 to 1.18, under `-l`"),
    recipe(
        "runtime.args",
        "runtime1.go",
        &[Start, Store(4, A, 0), Gap, Store(8, B, 0)],
        &[(A, "runtime.argc"), (B, "runtime.argv")],
    ),
    recipe(
        "runtime.goargs",
        "runtime1.go",
        &[Start, Load(4, A, 0), Gap, Store(8, B, 8), Store(8, B, 16), Gap, Load(4, A, 0), Load(8, C, 0)],
        &[(A, "runtime.argc"), (B, "runtime.argslice"), (C, "runtime.argv")],
    ),
    recipe("runtime.goenvs_unix", "runtime1.go", &[Store(8, A, 8), Store(8, A, 16)], &[(A, "runtime.envs")]),
    recipe("runtime.gogetenv", "env_posix.go", &[Start, Load(8, A, 0), Load(8, A, 8)], &[(A, "runtime.envs")])
        .only("not under `-l`"),
    recipe(
        "runtime.schedinit",
        "proc.go",
        &[
            Load(8, A, 8),
            Store(8, A, 8),
            Load(4, C, 0),
            Store(8, A, 0),
            Gap,
            Load(8, B, 8),
            Store(8, B, 8),
            Load(4, C, 0),
            Store(8, B, 0),
        ],
        &[(A, "runtime.buildVersion"), (B, "runtime.modinfo")],
    )
    .only("Go 1.16 to 1.20"),
    recipe(
        "runtime.schedinit",
        "proc.go",
        &[
            Load(8, A, 8),
            Store(8, A, 8),
            Load(4, C, 0),
            Load(8, A, 0),
            Store(8, A, 0),
            Load(8, B, 8),
            Store(8, B, 8),
            Load(4, C, 0),
            Load(8, B, 0),
            Store(8, B, 0),
        ],
        &[(A, "runtime.buildVersion"), (B, "runtime.modinfo")],
    )
    .only("Go 1.21 on"),
    recipe(
        "runtime.goroutineheader",
        "traceback.go",
        &[Lea(A, 0), Lea(B, 0), NANOTIME],
        &[(A, "runtime.gStatusStrings"), (B, "runtime.waitReasonStrings")],
    )
    .only("Go 1.17 on, not under `-l`"),
    recipe(
        "runtime.goroutineheader",
        "traceback.go",
        &[Start, Lea(A, 0), Gap, NANOTIME, Lea(B, 0), End],
        &[(A, "runtime.gStatusStrings"), (B, "runtime.waitReasonStrings")],
    )
    .only("Go 1.16, not under `-l`"),
    recipe(
        "runtime.goroutineheader",
        "traceback.go",
        &[Call(&["runtime.readgstatus"]), Lea(A, 0)],
        &[(A, "runtime.gStatusStrings")],
    )
    .only("under `-l`"),
    recipe("runtime.waitReason.String", "runtime2.go", &[Start, Lea(A, 0), End], &[(A, "runtime.waitReasonStrings")]),
    recipe(
        "runtime.initsig",
        "signal_unix.go",
        &[Start, Store(1, A, 0), Load(1, B, 0), Load(1, C, 0), Lea(D, 0)],
        &[(A, "runtime.signalsOK"), (B, "runtime.isarchive"), (C, "runtime.islibrary"), (D, "runtime.sigtable")],
    )
    .only("Go 1.17 on"),
    recipe(
        "runtime.sigfwdgo",
        "signal_unix.go",
        &[Start, Lea(A, 0), Lea(B, 0), Lea(C, 0), Load(1, D, 0)],
        &[(A, "runtime.fwdSig"), (D, "runtime.signalsOK")],
    ),
    recipe(
        "runtime.initsig",
        "signal_unix.go",
        &[Start, Load(1, A, 0), Lea(B, 0), Call(&["runtime.getsig"]), Lea(C, 0)],
        &[(A, "runtime.isarchive"), (B, "runtime.sigtable"), (C, "runtime.fwdSig")],
    )
    .only("Go 1.16"),
    recipe("runtime.signame", "signal_unix.go", &[Start, Lea(A, 0), End], &[(A, "runtime.sigtable")])
        .only("under `-l`"),
    recipe(
        "runtime.dopanic_m",
        "panic.go",
        &[Start, Lea(A, 0), Call(&["runtime.printlock"])],
        &[(A, "runtime.sigtable")],
    )
    .only("Go 1.17 on, not under `-l`"),
    recipe(
        "runtime.checkdead",
        "proc.go",
        &[Start, Gap, Load(1, A, 0), Load(1, B, 0), Touch(4, C), Load(1, D, 0)],
        &[(A, "runtime.islibrary"), (B, "runtime.isarchive"), (C, "runtime.panicking"), (D, "runtime.iscgo")],
    ),
    recipe("runtime.mcommoninit", "proc.go", &[UNLOCK, Load(1, A, 0)], &[(A, "runtime.iscgo")]),
    recipe(
        "runtime.checkdead",
        "proc.go",
        &[Load(8, A, 0), Gap, Call(&["runtime.timeSleepUntil"]), Gap, Store(8, A, 0)],
        &[(A, "runtime.faketime")],
    ),
    recipe(
        "runtime.queuefinalizer",
        "mfinal.go",
        &[Start, Load(4, A, 0), Lea(B, 0), LOCK, Load(8, C, 0)],
        &[(A, "runtime.gcphase"), (B, "runtime.finlock"), (C, "runtime.finq")],
    ),
    recipe(
        "runtime.queuefinalizer",
        "mfinal.go",
        &[Store(8, A, 0), Load(8, B, 0), Load(8, A, 0), Store(8, B, 0)],
        &[(A, "runtime.finc"), (B, "runtime.allfin")],
    ),
    recipe(
        "runtime.runfinq",
        "mfinal.go",
        &[Store(1, A, 0), Call(&["runtime.reflectcall"]), Store(1, A, 0)],
        &[(A, "runtime.fingRunning")],
    )
    .only("Go 1.16 to 1.19"),
    recipe(
        "runtime.runfinq",
        "mfinal.go",
        &[Lea(A, 0), Call(&["runtime.reflectcall"]), Lea(A, 0)],
        &[(A, "runtime.fingStatus")],
    )
    .only("Go 1.20 to 1.24"),
    recipe(
        "runtime.runFinalizers",
        "mfinal.go",
        &[Lea(A, 0), Call(&["runtime.reflectcall"]), Lea(A, 0)],
        &[(A, "runtime.fingStatus")],
    )
    .only("Go 1.25 on"),
    recipe(
        "runtime.runfinq",
        "mfinal.go",
        &[Start, Lea(A, 0), LOCK, Load(4, B, 0), Store(8, C, 0), Lea(C, 0), Lea(A, 0), UNLOCK, Lea(A, 0), LOCK],
        &[(A, "runtime.finlock"), (C, "runtime.fing")],
    )
    .only("Go 1.19 to 1.20"),
    recipe(
        "runtime.runfinq",
        "mfinal.go",
        &[Start, Lea(A, 0), LOCK, Load(4, B, 0), Load(8, C, 0), Store(8, C, 0), Lea(A, 0), UNLOCK, Lea(A, 0), LOCK],
        &[(A, "runtime.finlock"), (C, "runtime.fing")],
    )
    .only("Go 1.21 to 1.24"),
    recipe(
        "runtime.runFinalizers",
        "mfinal.go",
        &[Start, Lea(A, 0), LOCK, Load(4, B, 0), Load(8, C, 0), Store(8, C, 0), Lea(A, 0), UNLOCK, Lea(A, 0), LOCK],
        &[(A, "runtime.finlock"), (C, "runtime.fing")],
    )
    .only("Go 1.25 on"),
    recipe(
        "runtime.wakefing",
        "mfinal.go",
        &[Start, Lea(A, 0), Load(8, B, 0), End],
        &[(A, "runtime.fingStatus"), (B, "runtime.fing")],
    )
    .only("Go 1.20 on, under `-l`"),
    recipe(
        "runtime.wakefing",
        "mfinal.go",
        &[
            Start,
            Lea(A, 0),
            LOCK,
            Load(1, B, 0),
            Load(1, C, 0),
            Store(1, B, 0),
            Store(1, C, 0),
            Load(8, D, 0),
            Lea(A, 0),
            UNLOCK,
            End,
        ],
        &[(A, "runtime.finlock"), (D, "runtime.fing")],
    )
    .only("Go 1.16 to 1.19"),
    recipe(
        "runtime.gcMarkDone",
        "mgc.go",
        &[Lea(A, 0), SEMRELEASE, Load(4, B, 0), Gap, Lea(A, 0), SEMACQUIRE],
        &[(A, "runtime.worldsema"), (B, "runtime.gcphase")],
    ),
    recipe("runtime.stopTheWorld", "proc.go", &[Start, Lea(A, 0), SEMACQUIRE], &[(A, "runtime.worldsema")]),
    recipe("runtime.gcMarkTermination", "mgc.go", &[Start, Lea(A, 0), Load(4, A, 0)], &[(A, "runtime.gcphase")])
        .only("not under `-l`"),
    recipe("runtime.setGCPhase", "mgc.go", &[Start, Lea(A, 0), Load(4, A, 0)], &[(A, "runtime.gcphase")])
        .only("under `-l`"),
    recipe(
        "runtime.gcParkAssist",
        "mgcmark.go",
        &[Start, Lea(A, 0), LOCK, Load(4, B, 0)],
        &[(B, "runtime.gcBlackenEnabled")],
    ),
    recipe(
        "runtime.gcBgMarkWorker",
        "mgc.go",
        &[Call(&["runtime.gopark"]), Load(4, A, 0), NANOTIME],
        &[(A, "runtime.gcBlackenEnabled")],
    ),
    recipe("runtime.gcDrain", "mgcmark.go", &[Load(8, A, 0)], &[(A, "runtime.work")]),
    recipe(
        "runtime.gcMarkDone",
        "mgc.go",
        &[SEMRELEASE, Load(4, B, 0), Load(4, C, 0), Load(4, D, 0), Load(8, A, 0)],
        &[(A, "runtime.work")],
    )
    .only("not under `-l`"),
    recipe(
        "runtime.gcStart",
        "mgc.go",
        &[Lea(A, 0), Call(&["runtime.(*gcControllerState).startCycle"])],
        &[(A, "runtime.gcController")],
    ),
    recipe(
        "runtime.schedule",
        "proc.go",
        &[Lea(A, 0), Call(&["runtime.(*gcControllerState).findRunnableGCWorker"])],
        &[(A, "runtime.gcController")],
    )
    .only("Go 1.16 to 1.18"),
    recipe(
        "runtime.findRunnable",
        "proc.go",
        &[Lea(A, 0), Call(&["runtime.(*gcControllerState).findRunnableGCWorker"])],
        &[(A, "runtime.gcController")],
    )
    .only("Go 1.19 on"),
    recipe(
        "runtime.gcinit",
        "mgc.go",
        &[Lea(A, 0), Call(&["runtime.(*gcControllerState).init"])],
        &[(A, "runtime.gcController")],
    )
    .only("Go 1.17 on, Go 1.18 under `-l` only"),
    // `memstats` by its members heap_marked, heap_live and heap_scan.
    recipe(
        "runtime.gcSetTriggerRatio",
        "mgc.go",
        &[Load(4, A, 0), Load(8, B, 6016), Gap, Load(4, A, 0), Load(8, B, 6016)],
        &[(A, "runtime.gcpercent"), (B, "runtime.memstats")],
    )
    .only("Go 1.16"),
    recipe(
        "runtime.(*gcControllerState).revise",
        "mgc.go",
        &[Load(4, A, 0), Load(8, B, 6000), Load(8, B, 6008)],
        &[(A, "runtime.gcpercent"), (B, "runtime.memstats")],
    )
    .only("Go 1.16"),
    recipe("runtime.setGCPercent.func1", "mgc.go", &[Load(4, A, 0), Store(4, A, 0)], &[(A, "runtime.gcpercent")])
        .only("Go 1.16"),
    recipe("runtime.osinit", "os_linux.go", &[Call(&["runtime.getproccount"]), Store(4, A, 0)], &[(A, "runtime.ncpu")])
        .only("Go 1.16 to 1.24"),
    recipe("runtime.schedinit", "proc.go", &[Load(4, A, 0), Call(&["runtime.gogetenv"])], &[(A, "runtime.ncpu")])
        .only("Go 1.16 to 1.24"),
    recipe(
        "runtime.osinit",
        "os_linux.go",
        &[Call(&["runtime.getCPUCount"]), Store(4, A, 0)],
        &[(A, "runtime.numCPUStartup")],
    )
    .only("Go 1.25 on"),
    recipe(
        "runtime.schedinit",
        "proc.go",
        &[Load(4, A, 0), Call(&["runtime.defaultGOMAXPROCS"])],
        &[(A, "runtime.numCPUStartup")],
    )
    .only("Go 1.25 on"),
    recipe("runtime.GOMAXPROCS", "debug.go", &[Start, Lea(A, 0), LOCK, Load(4, B, 0)], &[(B, "runtime.gomaxprocs")]),
    recipe(
        "runtime.startTheWorldWithSema",
        "proc.go",
        &[LOCK, Load(4, A, 0), Load(4, B, 0), Store(4, B, 0)],
        &[(A, "runtime.gomaxprocs")],
    )
    .only("Go 1.16 to 1.20"),
    recipe(
        "runtime.startTheWorldWithSema",
        "proc.go",
        &[LOCK, Load(4, B, 0), Load(4, A, 0), Store(4, B, 0)],
        &[(A, "runtime.gomaxprocs")],
    )
    .only("Go 1.21 on"),
    recipe("runtime.switchToCrashStack", "proc.go", &[Start, Lea(A, 0), Gap, Touch(8, A)], &[(A, "runtime.crashingG")])
        .only("Go 1.22 on"),
    recipe("runtime.sighandler", "signal_unix.go", &[Store(4, A, 0)], &[(A, "runtime.crashing")])
        .only("Go 1.16 to 1.21"),
    recipe(
        "runtime.sighandler",
        "signal_unix.go",
        &[Touch(4, A), Call(&["runtime.startpanic_m"])],
        &[(A, "runtime.crashing")],
    )
    .only("Go 1.17 on"),
    recipe("runtime.gotraceback", "runtime1.go", &[Start, Load(4, A, 0), End], &[(A, "runtime.traceback_cache")])
        .only("under `-l`"),
    recipe("runtime.goroutineheader", "traceback.go", &[Start, Load(4, A, 0)], &[(A, "runtime.traceback_cache")])
        .only("Go 1.22 on, not under `-l`"),
    recipe(
        "runtime.parsedebugvars",
        "runtime1.go",
        &[Call(&["runtime/debug.SetTraceback"]), Load(4, A, 0), Store(4, B, 0), End],
        &[(A, "runtime.traceback_cache"), (B, "runtime.traceback_env")],
    )
    .only("Go 1.16 to 1.24"),
    recipe(
        "runtime.finishDebugVarsSetup",
        "runtime1.go",
        &[Call(&["runtime/debug.SetTraceback"]), Load(4, A, 0), Store(4, B, 0), End],
        &[(A, "runtime.traceback_cache"), (B, "runtime.traceback_env")],
    )
    .only("Go 1.25 on"),
    recipe(
        "runtime.mallocinit",
        "malloc.go",
        &[Call(&["runtime.bootstrapRand"]), Store(8, A, 0)],
        &[(A, "runtime.heapRandSeed")],
    )
    .only("Go 1.26 on, not with `-race`"),
    recipe(
        "runtime.netpollGenericInit",
        "netpoll.go",
        &[Start, Load(4, A, 0), Lea(B, 0), LOCK, Load(4, A, 0)],
        &[(A, "runtime.netpollInited")],
    )
    .only("not under `-l`"),
    recipe(
        "runtime.netpollGenericInit",
        "netpoll.go",
        &[Start, Lea(A, 0), Lea(B, 0), Lea(C, 0), Lea(B, 0), LOCK, Lea(A, 0), Lea(A, 0), Lea(B, 0), UNLOCK],
        &[(A, "runtime.netpollInited")],
    )
    .only("Go 1.23 on, under `-l`"),
];
