//! What a dead process knows beside its stacks: the values that were given to panic, deferred calls, what goroutines wait at,
//! what the runtime says of the whole process. A program says itself what is right: where its channels are it prints, its
//! values stand in its source. It is built plainly and stripped, with the releases at which the structures changed;
//! `GOPSY_ZOO=all` takes all of them.

#![allow(missing_docs, clippy::unwrap_used)]

use gopsy_model::{Headline, HeldValue, Status, WaitsAt};
use gopsy_program::{CoreEvidence, Evidence};
use gopsy_runtime::{SpanState, Timer};
use gopsy_testing::{BuildMode, NEWEST, Toolchain, core_in, core_pattern_problem, skip, versions};
use std::collections::{BTreeMap, HashSet};

/// Go 1.16 lays names of types out in its own way; floats are printed in another since 1.26, when sudogs grew too.
const VERSIONS: [&str; 5] = ["1.16", "1.20", "1.22", "1.24", NEWEST];

struct Built {
    name: String,
    folder: tempfile::TempDir,
}

/// A program that died in one way: its core, and what it printed.
struct Died {
    name: String,
    core: CoreEvidence,
    printed: String,
}

fn built() -> Vec<Built> {
    if let Some(problem) = core_pattern_problem() {
        skip("zoo", &problem);
        return Vec::new();
    }
    let mut built = Vec::new();
    for version in versions(&VERSIONS) {
        let toolchain = match Toolchain::find(version) {
            Ok(toolchain) => toolchain,
            Err(why) => {
                skip("zoo", &why);
                continue;
            }
        };
        for mode in [BuildMode::Plain, BuildMode::Stripped] {
            let folder = tempfile::tempdir().unwrap();
            toolchain.program(folder.path(), include_str!("known/main.go"), mode.flags(), false).unwrap();
            built.push(Built { name: format!("{} {}", toolchain.release, mode.as_str()), folder });
        }
    }
    built
}

impl Built {
    fn dies(&self, way: &str) -> Died {
        self.dies_with(way, "0x33")
    }

    /// The same with another choice of what its core holds.
    fn dies_with(&self, way: &str, filter: &str) -> Died {
        let line = format!("sh -c 'echo {filter} > /proc/self/coredump_filter && exec ./app {way}'");
        let died = gopsy_testing::dies(self.folder.path(), &line, &[("GOMEMLIMIT", "3GiB")]).unwrap();
        let core = CoreEvidence::open(&died.core, Some(&self.folder.path().join("app"))).unwrap();
        Died { name: format!("{} {way}", self.name), core, printed: String::from_utf8(died.stdout).unwrap() }
    }
}

/// The values that were printed, and what was given to panic.
fn panics(core: &CoreEvidence) -> Vec<(String, Option<HeldValue>)> {
    let of = |headline: &Headline| match headline {
        Headline::Panic(line) => Some((line.value.to_string(), line.held.value().cloned())),
        _ => None,
    };
    core.crash().headlines.iter().filter_map(of).collect()
}

#[test]
fn what_was_given_to_panic() {
    const FAILURE: &str = "&main.failure{Code: 7, Disk: main.disk{Name: \"sd\\\"a\", Parts: [1 2 3]}, \
                           Err: &errors.errorString{s: \"inner\"}, Any: 3.5, ok: true, F: 1.25, arr: [1 2 3]}";
    const PADDED: &str = "main.padded{on: true, n: -5, b: 1, half: -2, arr: [1 2 3], \
                          disk: main.disk{Name: \"sda\", Parts: []}, last: struct {}{}}";
    for program in built() {
        for (way, type_name, text) in [
            ("padded", "main.padded", PADDED),
            ("nil", "nil", "nil"),
            ("error", "*main.failure", FAILURE),
            ("struct", "main.plain", "main.plain{A: 1, B: -2, S: \"x\\ny\"}"),
            ("pointer", "*main.plain", "&main.plain{A: 1, B: -2, S: \"x\"}"),
            ("text", "main.text", "\"hello\""),
            ("stringer", "main.spoken", "3"),
            ("float", "float64", "2.5"),
        ] {
            let died = program.dies(way);
            let found = panics(&died.core);
            let [(_, Some(held))] = found.as_slice() else { panic!("{}: {found:?}", died.name) };
            assert_eq!((&*held.type_name, &*held.text), (type_name, text), "{}", died.name);
        }
        // Each panic of a chain has its own.
        let died = program.dies("again");
        let types: Vec<String> =
            panics(&died.core).into_iter().map(|(_, held)| held.unwrap().type_name.to_string()).collect();
        assert_eq!(types, ["*main.failure", "main.plain"], "{}", died.name);
    }
}

/// A core that holds the files that were mapped needs none of them.
#[test]
fn without_its_binary_a_core_may_tell_the_same() {
    for program in built() {
        let (app, gone) = (program.folder.path().join("app"), program.folder.path().join("gone"));
        let died = program.dies_with("error", "0x37");
        std::fs::rename(&app, &gone).unwrap();
        let alone = CoreEvidence::open(&core_in(program.folder.path()).unwrap(), None).unwrap();
        assert!(alone.notes().iter().any(|note| note.contains("the binary is not here")), "{:?}", alone.notes());
        assert_eq!(alone.crash().headlines.len(), 1, "{}", died.name);
        assert_eq!(panics(&alone), panics(&died.core), "{}", died.name);
        assert_eq!(alone.stack_count(), died.core.stack_count(), "{}", died.name);
        for id in 0..alone.stack_count() {
            let places = |core: &CoreEvidence| -> Vec<_> {
                let frames = core.stack(id).frames.into_iter();
                frames.map(|f| (f.function.into_value(), f.file.into_value(), f.line.into_value(), f.inlined)).collect()
            };
            assert_eq!(places(&alone), places(&died.core), "{} {id}", died.name);
        }
        std::fs::rename(&gone, &app).unwrap();
    }
}

#[test]
fn numbers_as_the_release_prints_them() {
    for program in built() {
        let minor: u32 = program.name.split('.').nth(1).unwrap().parse().unwrap();
        let (float, complex) =
            if minor >= 26 { ("2.5", "(1-2i)") } else { ("+2.500000e+000", "(+1.000000e+000-2.000000e+000i)") };
        for (way, printed) in [("float", float), ("complex", complex)] {
            let died = program.dies(way);
            assert_eq!(panics(&died.core).first().map(|(value, _)| value.as_str()), Some(printed), "{}", died.name);
        }
    }
}

#[test]
fn deferred_calls_that_did_not_run() {
    for program in built() {
        let died = program.dies("throw");
        let id = died.core.crash().crashed.unwrap();
        let deferred = died.core.goroutine(id).deferred;
        let names: Vec<&str> = deferred.iter().map(|call| call.function.as_str()).collect();
        assert_eq!(names.len(), 2, "{}: {names:?}", died.name);
        // A release that wraps the call names the wrapper, which stands at the statement.
        assert!(names.iter().all(|name| *name == "main.cleanup" || name.starts_with("main.throwing")), "{names:?}");
        // A panic has run what was deferred.
        let died = program.dies("error");
        let id = died.core.crash().crashed.unwrap();
        assert!(died.core.goroutine(id).deferred.is_empty(), "{}", died.name);
    }
}

#[test]
fn what_goroutines_wait_at() {
    for program in built() {
        let died = program.dies("waits");
        let printed: BTreeMap<&str, u64> = died
            .printed
            .split_whitespace()
            .map(|word| word.split_once("=0x").unwrap())
            .map(|(name, at)| (name, u64::from_str_radix(at, 16).unwrap()))
            .collect();
        let mut found: Vec<(String, Vec<String>)> = Vec::new();
        for id in died.core.goroutines() {
            let goroutine = died.core.goroutine(id);
            let objects = goroutine.waits_at.value().cloned().unwrap_or_default();
            if !objects.is_empty() {
                let mut words: Vec<String> = objects.iter().map(|object| told(object, &printed)).collect();
                words.sort();
                found.push((goroutine.wait_reason.value().unwrap().to_string(), words));
            }
        }
        let count = |reasons: &[&str], objects: &[&str]| {
            found.iter().filter(|(reason, words)| reasons.contains(&&**reason) && words == objects).count()
        };
        // Mutexes were plain semaphores to the runtime up to Go 1.19.
        let lock = ["sync.Mutex.Lock", "sync.RWMutex.Lock", "sync.WaitGroup.Wait", "semacquire"];
        assert_eq!(count(&["chan receive"], &["chan int c 0/0"]), 3, "{}: {found:?}", died.name);
        assert_eq!(count(&["chan send"], &["chan string full 2/2"]), 1, "{}: {found:?}", died.name);
        assert_eq!(
            count(&["select"], &["chan *main.item d 0/4", "chan string full 2/2"]),
            1,
            "{}: {found:?}",
            died.name
        );
        assert_eq!(count(&lock, &["semaphore mu+4"]), 3, "{}: {found:?}", died.name);
        assert_eq!(count(&lock, &["semaphore rw+8"]), 1, "{}: {found:?}", died.name);
        assert_eq!(count(&lock, &["semaphore wg+8"]), 1, "{}: {found:?}", died.name);
        // Those that wait at nothing that has an address, and those that sleep.
        assert_eq!(found.len(), 10, "{}: {found:?}", died.name);
    }
}

/// `chan int c 0/0`, `semaphore mu+4`: by the names that the program printed.
fn told(object: &WaitsAt, printed: &BTreeMap<&str, u64>) -> String {
    let name = |address: u64| {
        printed
            .iter()
            .filter(|(_, at)| **at <= address)
            .max_by_key(|(_, at)| **at)
            .map(|(name, at)| (*name, address - at))
    };
    match object {
        WaitsAt::Channel { address, element, len, capacity, closed } => {
            assert_eq!(closed.value(), Some(&false));
            let (name, 0) = name(*address).unwrap() else {
                panic!("{address:#x} is no channel of the program: {printed:?}")
            };
            format!("chan {} {name} {}/{}", element.value().unwrap(), len.value().unwrap(), capacity.value().unwrap())
        }
        WaitsAt::Semaphore { address } | WaitsAt::Condition { address } => {
            let (name, offset) = name(*address).unwrap();
            format!("semaphore {name}+{offset}")
        }
    }
}

#[test]
fn what_the_runtime_says_of_the_process() {
    for program in built() {
        let died = program.dies("waits");
        let runtime = died.core.runtime();
        assert_eq!(
            runtime.arguments().value().unwrap().iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
            ["./app", "waits"]
        );
        let names = runtime.environment_names().into_value().unwrap();
        assert!(names.iter().any(|name| &**name == "GOTRACEBACK") && names.iter().all(|name| !name.contains('=')));
        let processors = runtime.processors().into_value().unwrap();
        assert_eq!(runtime.gomaxprocs().into_value(), Some(processors.len() as u64), "{}", died.name);
        assert!(
            processors.iter().zip(0u64..).all(|(p, index)| p.id.value() == Some(&index) && p.status.value().is_some())
        );
        // The heap counts its own pages; so do its spans.
        let heap = runtime.heap();
        let spans = runtime.spans().into_value().unwrap();
        let in_use = spans.iter().filter(|span| span.state == SpanState::InUse);
        assert!(in_use.clone().all(|span| span.allocated <= span.room && span.object_size * span.room <= span.size));
        assert_eq!(heap.in_use.into_value(), Some(in_use.map(|span| span.size).sum()), "{}", died.name);
        assert!(heap.phase.value().is_some());
        // The timer of the goroutine that sleeps for an hour calls goroutineReady with its g.
        let sleeper = died
            .core
            .goroutines()
            .map(|id| died.core.goroutine(id))
            // The scavenger may sleep, too.
            .find(|g| {
                g.wait_reason.value().is_some_and(|reason| &**reason == "sleep")
                    && g.created_by.value().is_some_and(|by| by.function.as_str() == "main.waits")
            })
            .unwrap();
        let timers = runtime.timers().into_value().unwrap();
        assert!(!timers.is_empty(), "{}: {timers:?}", died.name);
        let own = timers.iter().find(|timer| timer.argument.value().map(|at| at.0) == sleeper.gp.value().copied());
        let own = own.unwrap_or_else(|| panic!("{}: no timer of {:?} in {timers:?}", died.name, sleeper.gp));
        let when = *own.when.value().unwrap();
        // Another fires an hour later; of the one that was to fire two hours later it is known that it was stopped.
        let later = |hours: i64| {
            let off = |timer: &&Timer| {
                timer.when.value().is_some_and(|at| (at - when - hours * 3_600_000_000_000).abs() < 1_000_000_000)
            };
            timers.iter().filter(off).map(|timer| timer.zombie.value().copied()).collect::<Vec<_>>()
        };
        assert_eq!((own.zombie.value(), later(1)), (Some(&false), vec![Some(false)]), "{}", died.name);
        assert!(matches!(later(2).as_slice(), [] | [Some(true)]), "{}: {:?}", died.name, later(2));
        // While all sleep the runtime may not have written down any time.
        let alive = runtime.last_seen_alive().unwrap_or(when - 3_600_000_000_000);
        assert!((3_400_000_000_000..3_601_000_000_000).contains(&(when - alive)), "{}: {when} {alive}", died.name);
    }
}

#[test]
fn what_the_collector_counted() {
    for program in built() {
        let died = program.dies("collected");
        let heap = died.core.runtime().heap();
        let printed = |name: &str| -> u64 {
            died.printed.split_whitespace().find_map(|word| word.strip_prefix(name)).unwrap().parse().unwrap()
        };
        assert_eq!(heap.cycles.value(), Some(&printed("cycles=")), "{}", died.name);
        assert!(printed("cycles=") >= 5, "{}", died.name);
        assert_eq!(heap.gc_percent.value(), Some(&173), "{}", died.name);
        // What was allocated since the last collection is counted by whole spans.
        let live = heap.live.into_value().unwrap();
        assert!(
            live >= 40 << 20 && live.abs_diff(printed("live=")) < 1 << 20,
            "{}: {live} {}",
            died.name,
            died.printed
        );
        assert!(heap.in_use.into_value().is_some_and(|bytes| bytes >= live), "{}", died.name);
        let minor: u32 = program.name.split('.').nth(1).unwrap().parse().unwrap();
        assert_eq!(heap.memory_limit.into_value(), (minor >= 19).then_some(3 << 30), "{}", died.name);
    }
}

#[test]
fn who_is_ready_stands_in_a_queue() {
    for program in built() {
        let died = program.dies("queues");
        let runtime = died.core.runtime();
        let ready: HashSet<u64> = died
            .core
            .goroutines()
            .map(|id| died.core.goroutine(id))
            .filter(|g| g.status.value() == Some(&Status::Runnable))
            .filter_map(|g| g.gp.into_value())
            .collect();
        let processors = runtime.processors().into_value().unwrap();
        let [processor] = processors.as_slice() else { panic!("{}: {processors:?}", died.name) };
        let (own, all) = (processor.queue.value().unwrap(), runtime.scheduler().queue.into_value().unwrap());
        assert!(
            own.len() <= 257 && all.len() >= 300 && ready.len() >= 600,
            "{}: {} {}",
            died.name,
            own.len(),
            all.len()
        );
        let queued: HashSet<u64> = own.iter().chain(&all).map(|g| g.0).collect();
        assert_eq!(queued.len(), own.len() + all.len(), "{}", died.name);
        assert!(queued == ready, "{}: {} {}", died.name, queued.len(), ready.len());
        let limits = runtime.limits();
        let limits = (limits.stack.into_value(), limits.threads.into_value());
        assert_eq!(limits, (Some(1 << 20), Some(1234)), "{}", died.name);
    }
}
