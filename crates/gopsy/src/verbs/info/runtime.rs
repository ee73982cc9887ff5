//! What the Go runtime of a core says of its process.

use gopsy_image::{GoModule, Image};
use gopsy_model::{Known, Status};
use gopsy_program::CoreError;
use gopsy_report::info::Runtime;
use gopsy_runtime as go;
use gopsy_target::Core;
use std::collections::HashMap;
use std::path::Path;

/// Reads it; with the remarks on how it was read.
pub(super) fn runtime(
    core: &Core,
    image: &Image,
    path: &Path,
    modules: &[GoModule],
) -> Result<(Runtime, Vec<String>), CoreError> {
    gopsy_program::ask_runtime(core, image, path, modules, |runtime, basis| {
        read(runtime, &core.written_memory(), basis.to_string())
    })
}

/// What is known, and why the rest is not.
#[derive(Default)]
struct Missing(Vec<String>);

impl Missing {
    fn known<T>(&mut self, what: &str, value: Known<T>) -> Option<T> {
        match value {
            Known::Have { value, .. } => Some(value),
            Known::Missing(why) => {
                self.0.push(format!("{what} ({why})"));
                None
            }
        }
    }
}

fn read(runtime: &go::Runtime<'_>, memory: &[gopsy_mem::Range], layouts: String) -> Runtime {
    let mut missing = Missing::default();
    let goroutines = goroutines(runtime, memory, &mut missing);
    let processors = missing.known("the processors", runtime.processors()).unwrap_or_default();
    let mut of_processors = HashMap::new();
    for p in &processors {
        count(&mut of_processors, p.status.value().map_or("in no known state", |s| s.as_str()).to_owned());
    }
    let queues: Result<Vec<_>, _> = processors.iter().map(|p| p.queue.clone().into_result()).collect();
    let queued = match queues {
        Ok(queues) if !queues.is_empty() => Some(number(queues.iter().map(Vec::len).sum())),
        Ok(_) => None,
        Err(why) => {
            missing.0.push(format!("the queues of the processors ({why})"));
            None
        }
    };
    let (scheduler, limits) = (runtime.scheduler(), runtime.limits());
    let heap = runtime.heap();
    let spans = missing.known("the spans of the heap", runtime.spans());
    let holding = || spans.iter().flatten().filter(|span| span.state == go::SpanState::InUse);
    let objects = holding().map(|span| span.allocated).fold(0, u64::saturating_add);
    let waiting = |timer: &&go::Timer| timer.zombie.value() != Some(&true);
    let timers = missing.known("the timers", runtime.timers()).map(|all| number(all.iter().filter(waiting).count()));
    let texts = |list: Vec<gopsy_model::Str>| list.iter().map(ToString::to_string).collect::<Vec<String>>();
    Runtime {
        layouts,
        dead_goroutines: goroutines.as_ref().map(|all| all.dead),
        stacks: goroutines.as_ref().map(|all| all.stacks),
        goroutines: goroutines.map(|all| most_first(all.states)),
        gomaxprocs: missing.known("GOMAXPROCS", runtime.gomaxprocs()),
        queued,
        queued_for_all: missing.known("the scheduler's queue", scheduler.queue).map(|queue| number(queue.len())),
        idle_threads: missing.known("how many threads are idle", scheduler.idle_threads),
        spinning_threads: missing.known("how many threads look for work", scheduler.spinning_threads),
        stack_limit: missing.known("how large a stack may be", limits.stack),
        thread_limit: missing.known("how many threads there may be", limits.threads),
        processors: most_first(of_processors),
        gc_phase: missing.known("what the collector does", heap.phase).map(|phase| phase.as_str().to_owned()),
        gc_cycles: missing.known("how many collections there were", heap.cycles),
        gc_percent: missing.known("GOGC", heap.gc_percent),
        memory_limit: missing.known("GOMEMLIMIT", heap.memory_limit),
        heap_live: missing.known("how much of the heap is live", heap.live),
        heap_in_use: missing.known("how much of the heap is in use", heap.in_use),
        spans: spans.is_some().then(|| number(holding().count())),
        objects: spans.is_some().then_some(objects),
        timers,
        arguments: missing.known("the arguments", runtime.arguments()).map(texts),
        environment: missing.known("the environment", runtime.environment_names()).map(texts),
        missing: missing.0,
    }
}

/// How many goroutines there are.
#[derive(Default)]
struct Goroutines {
    states: HashMap<String, u64>,
    dead: u64,
    stacks: u64,
}

fn goroutines(runtime: &go::Runtime<'_>, memory: &[gopsy_mem::Range], missing: &mut Missing) -> Option<Goroutines> {
    let listed = match runtime.possible_goroutines(memory) {
        Ok(listed) => listed,
        Err(error) => {
            missing.0.push(error.to_string());
            return None;
        }
    };
    missing.0.extend(listed.remarks);
    let (mut all, mut without) = (Goroutines::default(), 0u64);
    for g in listed.addresses {
        let standing = runtime.standing(g);
        if standing.status == Some(Status::Dead) {
            all.dead = all.dead.saturating_add(1);
            continue;
        }
        let word = standing.status.map_or_else(|| "in no known state".to_owned(), |s| s.as_str().to_owned());
        count(&mut all.states, word);
        match standing.stack {
            Some(stack) => all.stacks = all.stacks.saturating_add(stack.len()),
            None => without = without.saturating_add(1),
        }
    }
    if without > 0 {
        missing.0.push(format!("the stacks of {without} of the goroutines"));
    }
    Some(all)
}

fn number(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn count(states: &mut HashMap<String, u64>, word: String) {
    let count = states.entry(word).or_default();
    *count = count.saturating_add(1);
}

fn most_first(states: HashMap<String, u64>) -> Vec<(String, u64)> {
    let mut states: Vec<_> = states.into_iter().collect();
    states.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    states
}
