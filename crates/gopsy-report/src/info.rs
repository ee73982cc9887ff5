//! What an executable or a core says of itself: plain data for the pages of `gopsy info`.

use gopsy_model::KnownIssue;

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct Info {
    /// What was asked about.
    pub target: String,
    /// The executable; or, of a core, why it is not at hand.
    pub program: Option<Program>,
    /// Why there is no executable.
    pub no_program: Option<String>,
    /// What the core says of how the executable was built that is not at hand.
    pub build: Option<Build>,
    /// The process that a core is of.
    pub process: Option<Process>,
    /// What the Go runtime of that process says of itself.
    pub runtime: Option<Runtime>,
    /// Why it says nothing.
    pub no_runtime: Option<String>,
    /// Documented bugs of Go that this release still has.
    pub known_bugs: Vec<KnownIssue>,
    /// Dependencies are to be listed, not only counted.
    pub list_dependencies: bool,
    /// What must be said before all else; one of the notes.
    pub alarm: Option<String>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// An executable file.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// Where it is.
    pub path: String,
    /// How it was found, for a core.
    pub found: Option<String>,
    /// Its length in bytes.
    pub size: u64,
    /// GOOS and GOARCH in Go's words as far as they are known, or what the machine is called otherwise.
    pub platform: String,
    /// How it was built.
    pub build: Build,
    /// It may be loaded anywhere (PIE).
    pub position_independent: bool,
    /// Other programs load it: a library, a plugin.
    pub shared_object: bool,
    /// The program that loads it, if it is linked dynamically.
    pub interpreter: Option<String>,
    /// How many symbols it has; `None` if it has no symbol table.
    pub symbols: Option<u64>,
    /// How many bytes of the file, or of its debug file, are DWARF; `None` if there is none.
    pub debug_size: Option<u64>,
    /// Where its debug file is and how it was found, if what is said of DWARF and symbols is that file's.
    pub debug_file: Option<String>,
    /// The file was cut off: what it lacks it may have had.
    pub cut: bool,
    /// The largest parts of what is loaded: name and bytes in memory.
    pub parts: Vec<(String, u64)>,
    /// Go's modules: one, but with plugins, shared libraries and generated code.
    pub modules: Vec<Module>,
    /// Why Go's tables cannot be read.
    pub no_modules: Option<String>,
}

/// How an executable was built.
#[derive(Debug, Clone, Default)]
pub struct Build {
    /// The Go release.
    pub go_version: Option<String>,
    /// How the release is known; or what is known instead.
    pub go_version_by: String,
    /// Import path of the main package.
    pub main_package: Option<String>,
    /// The main module and its version.
    pub main_module: Option<ModuleVersion>,
    /// The other modules and their versions.
    pub dependencies: Vec<ModuleVersion>,
    /// Build settings in the order of the file.
    pub settings: Vec<(String, String)>,
    /// GNU build id, in hexadecimal.
    pub build_id: Option<String>,
    /// Go's build id.
    pub go_build_id: Option<String>,
}

/// A module of Go's: path and version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModuleVersion {
    /// Its path.
    pub path: String,
    /// Its version.
    pub version: String,
    /// Path and version of what was linked in its place.
    pub replace: Option<(String, String)>,
}

/// One moduledata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Where it stands.
    pub address: u64,
    /// Its code, from the first address to the first behind.
    pub text: (u64, u64),
    /// How many functions pclntab lists.
    pub functions: u64,
    /// The releases that write its pclntab.
    pub format: String,
    /// How many types without a name of their own it lists; `None` where the list cannot be read.
    pub types: Option<u64>,
    /// How many itabs it lists; `None` where the list cannot be read.
    pub itabs: Option<u64>,
    /// No linker made it, but the program, while it ran.
    pub generated: bool,
}

/// A process, by its core.
#[derive(Debug, Clone, Default)]
pub struct Process {
    /// The length of the core in bytes, unpacked.
    pub core_size: u64,
    /// How it was compressed, and whether it came out whole.
    pub unpacked: Option<String>,
    /// gdb (gcore) wrote it.
    pub by_gdb: bool,
    /// Delve wrote it.
    pub by_delve: bool,
    /// Process id.
    pub pid: Option<u64>,
    /// The process that started it.
    pub parent: Option<u64>,
    /// Its name, at most 15 bytes.
    pub name: Option<String>,
    /// The first 79 bytes of its arguments.
    pub arguments: Option<String>,
    /// User and group.
    pub owner: Option<(u64, u64)>,
    /// What ended it, or that gdb stopped it, in words.
    pub signal: Option<String>,
    /// How far the executable was moved when it was loaded.
    pub bias: Option<u64>,
    /// The threads; the one that died first.
    pub threads: Vec<Thread>,
    /// Memory by kind.
    pub memory: Vec<Amount>,
    /// Address space without memory, in bytes.
    pub reserved: u64,
    /// Why memory is missing, and what the file lost.
    pub lost: Vec<String>,
    /// Files that were mapped.
    pub files: Vec<File>,
}

/// What a Go runtime says of its process. What is not known is named, with the reason, in `missing`.
#[derive(Debug, Clone, Default)]
pub struct Runtime {
    /// From where the layouts of its structures are known.
    pub layouts: String,
    /// How many goroutines are in each state, most first.
    pub goroutines: Option<Vec<(String, u64)>>,
    /// Dead ones that are kept for reuse.
    pub dead_goroutines: Option<u64>,
    /// Bytes of the stacks of those that are not dead, as far as they are known.
    pub stacks: Option<u64>,
    /// `GOMAXPROCS`.
    pub gomaxprocs: Option<u64>,
    /// How many processors are in each state, most first.
    pub processors: Vec<(String, u64)>,
    /// Goroutines that stand in the processors' own queues.
    pub queued: Option<u64>,
    /// Goroutines that stand in the queue of all processors.
    pub queued_for_all: Option<u64>,
    /// Threads that wait for work.
    pub idle_threads: Option<u64>,
    /// Threads that look for work.
    pub spinning_threads: Option<u64>,
    /// Bytes that a goroutine's stack may have at most.
    pub stack_limit: Option<u64>,
    /// How many threads there may be at most.
    pub thread_limit: Option<u64>,
    /// What the collector was doing.
    pub gc_phase: Option<String>,
    /// How many collections have begun.
    pub gc_cycles: Option<u64>,
    /// `GOGC`; negative for off.
    pub gc_percent: Option<i64>,
    /// `GOMEMLIMIT` in bytes; `i64::MAX` for none.
    pub memory_limit: Option<u64>,
    /// Bytes that were live after the last collection, and were allocated since.
    pub heap_live: Option<u64>,
    /// Bytes of the pages that hold objects.
    pub heap_in_use: Option<u64>,
    /// How many runs of pages hold them.
    pub spans: Option<u64>,
    /// How many objects the last sweep has found in them, and were allocated since.
    pub objects: Option<u64>,
    /// Timers in the processors' heaps, without those that were stopped.
    pub timers: Option<u64>,
    /// The command line.
    pub arguments: Option<Vec<String>>,
    /// The names of the environment.
    pub environment: Option<Vec<String>>,
    /// What is not known, and why.
    pub missing: Vec<String>,
}

/// A thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Linux thread id.
    pub tid: u64,
    /// The signal it was taking.
    pub signal: Option<String>,
    /// Program counter.
    pub pc: u64,
    /// Stack pointer.
    pub sp: u64,
    /// What stands at the program counter, if it is known.
    pub at: Option<String>,
    /// The line there.
    pub line: Option<(String, u64)>,
}

/// How much memory of one kind there was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount {
    /// The kind.
    pub kind: String,
    /// How many bytes the process could read.
    pub named: u64,
    /// How many of them the core holds.
    pub held: u64,
    /// How many of the rest files supply that are at hand.
    pub backed: u64,
    /// How many of the rest were never written to, or were not to be dumped: the core does not tell which.
    pub unwritten: u64,
}

/// A file that was mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path on the machine where the process ran.
    pub path: String,
    /// Where it was mapped first.
    pub start: u64,
    /// How many bytes were mapped.
    pub size: u64,
    /// How many of them the core holds.
    pub held: u64,
    /// GNU build id, in hexadecimal, if the core holds it.
    pub build_id: Option<String>,
    /// The file at hand that is proved to be it, and what proves it.
    pub at_hand: Option<String>,
    /// Why there is none.
    pub missing: Option<String>,
}
