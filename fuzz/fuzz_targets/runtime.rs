//! The runtime's structures: a real core, of which words are replaced that are read of it. Such a word leads to another of them, into
//! itself, nowhere, or is a number that no list has; everything is asked for.
//!
//! The core is the recorded one, or that of `GOPSY_FUZZ_CORE` with the binary of `GOPSY_FUZZ_BINARY`.
#![no_main]

use gopsy_image::Image;
use gopsy_mem::{Addr, Bias, Fault, Memory, MemoryExt, Range};
use gopsy_model::Source;
use gopsy_runtime::{Layouts, Runtime, WaitsAt, Witness};
use gopsy_target::{Core, finder};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// So many goroutines, panics and the like are asked one by one.
const SAMPLE: usize = 64;
/// Goroutines that are asked where only a few are.
const FEW: usize = 8;
/// Bytes of memory in which goroutines are searched for.
const SEARCHED: u64 = 16 << 10;
/// Words of the core that are replaced at most.
const PATCHES: usize = 16;

struct Sound {
    core: Core,
    layouts: Layouts,
    bias: Bias,
    /// The words that are read of it when everything is asked, in order.
    words: Vec<u64>,
    /// Where the pointer to a type's description stands, with a pointer to a value behind it perhaps.
    values: Vec<Addr>,
    /// Where some goroutines stand.
    searched: Vec<Range>,
}

thread_local! {
    static SOUND: &'static Sound = Box::leak(Box::new(sound()));
}

fn sound() -> Sound {
    let recorded =
        |name: &str| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../crates/gopsy-program/tests/core").join(name);
    let given = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
    let core = given("GOPSY_FUZZ_CORE").unwrap_or_else(|| recorded("core.zst"));
    let mut core = Core::open(&core).expect("a core");
    let image = match given("GOPSY_FUZZ_BINARY") {
        Some(path) => finder::open(&path).expect("a binary"),
        None => {
            let file = std::fs::File::open(recorded("nilfield.zst")).expect("the recorded binary");
            let mut bytes = Vec::new();
            let mut unpacked = ruzstd::decoding::StreamingDecoder::new(file).expect("it is packed");
            std::io::Read::read_to_end(&mut unpacked, &mut bytes).expect("it can be unpacked");
            Image::parse(Arc::new(bytes)).expect("an ELF file")
        }
    };
    let image = Arc::new(image);
    core.attach(&image);
    let bias = core.bias(&image).expect("it says where it was loaded");
    let build = image.build_info().expect("build information");
    let release = gopsy_runtime::Release::parse(&build.version);
    let layouts = Layouts::candidates(&image, release.as_ref()).expect("layouts").next().expect("some");
    let types = gopsy_image::TypeSection::of(image.module_data().expect("moduledata")).loaded(bias);
    let words = |values: &[Addr]| {
        let changed = Changed { core: &core, patches: HashMap::new(), read: RefCell::new(BTreeSet::new()) };
        let asked = Asked { values, searched: &[] };
        ask(&changed, &Runtime::new(&changed, &layouts, bias, Source::Core), &asked, Part::All, false);
        changed.read.into_inner().into_iter().collect::<Vec<u64>>()
    };
    let leads_to_type = |at: &Addr| core.u64(*at).is_ok_and(|word| (types.types.0..types.etypes.0).contains(&word));
    let values: Vec<Addr> = words(&[]).into_iter().map(Addr).filter(leads_to_type).take(SAMPLE).collect();
    let words = words(&values);
    eprintln!("{} words, {} values", words.len(), values.len());
    let goroutines =
        Runtime::new(&core, &layouts, bias, Source::Core).possible_goroutines(&[]).expect("goroutines").addresses;
    let first = goroutines.into_iter().min().expect("a goroutine");
    Sound { searched: vec![Range::new(first, SEARCHED)], core, layouts, bias, words, values }
}

/// The memory of the core, but for some of its words.
struct Changed<'a> {
    core: &'a Core,
    patches: HashMap<u64, u64>,
    /// Which words were read, while nothing is replaced.
    read: RefCell<BTreeSet<u64>>,
}

impl Memory for Changed<'_> {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), Fault> {
        self.core.read(addr, buf)?;
        let end = addr.0.saturating_add(buf.len() as u64);
        if self.patches.is_empty() {
            self.read.borrow_mut().extend((addr.0 & !7..end).step_by(8));
            return Ok(());
        }
        for (at, value) in &self.patches {
            for (byte, at) in value.to_le_bytes().into_iter().zip(*at..) {
                if let Some(byte_at) = at.checked_sub(addr.0).and_then(|o| buf.get_mut(o as usize)) {
                    *byte_at = byte;
                }
            }
        }
        Ok(())
    }
}

/// What is asked at a time: everything, or one of its parts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    Process,
    /// Spans and semaphores, of which there are many.
    Heap,
    Threads,
    /// A few goroutines, from that one on.
    Goroutines(usize),
    Values,
}

/// The answers, in words where somebody compares them.
struct Said {
    compared: bool,
    words: Vec<String>,
}

impl Said {
    fn say(&mut self, answer: impl std::fmt::Debug) {
        if self.compared {
            self.words.push(format!("{answer:?}"));
        } else {
            std::hint::black_box(&answer);
        }
    }
}

/// What is asked for.
struct Asked<'a> {
    values: &'a [Addr],
    /// Where goroutines are searched for when their list is damaged.
    searched: &'a [Range],
}

/// What can be asked.
fn ask(memory: &dyn Memory, runtime: &Runtime<'_>, asked: &Asked<'_>, part: Part, compared: bool) -> Vec<String> {
    let mut said = Said { compared, words: Vec::new() };
    let asks = |one: Part| part == Part::All || part == one;
    let floats = || gopsy_runtime::FloatFormat::Shortest;
    if asks(Part::Process) {
        said.say((runtime.arguments(), runtime.environment_names(), runtime.limits(), runtime.heap()));
        said.say((runtime.processors(), runtime.scheduler(), runtime.timers()));
        said.say((runtime.backlog(), runtime.last_seen_alive()));
    }
    if asks(Part::Heap) {
        said.say(runtime.spans().value().map(Vec::len));
        said.say(runtime.semaphores().value().map(HashMap::len));
    }
    if asks(Part::Threads)
        && let Ok(threads) = runtime.threads()
    {
        let distinct = threads.list.iter().map(|m| m.address).collect::<HashSet<_>>().len();
        assert_eq!(distinct, threads.list.len(), "a thread twice");
        said.say(runtime.culprit(&threads.list, None));
        threads.list.iter().take(SAMPLE).for_each(|m| said.say(m));
    }
    let (from, count) = match part {
        Part::All => (0, SAMPLE),
        Part::Goroutines(from) => (from, FEW),
        _ => (0, 0),
    };
    if count > 0 {
        let goroutines = match runtime.possible_goroutines(asked.searched) {
            Ok(goroutines) => goroutines.addresses,
            Err(error) => return vec![error.to_string()],
        };
        assert_eq!(goroutines.iter().collect::<HashSet<_>>().len(), goroutines.len(), "a goroutine twice");
        let from = if goroutines.is_empty() { 0 } else { from % goroutines.len() };
        for at in goroutines.into_iter().skip(from).take(count) {
            ask_goroutine(&mut said, runtime, at, &floats);
        }
    }
    for at in asked.values.iter().filter(|_| asks(Part::Values)) {
        if let (Ok(descriptor), Ok(data)) = (memory.ptr(*at), memory.ptr(Addr(at.0.wrapping_add(8)))) {
            said.say(runtime.value(descriptor, data, &|entry| Some(entry.to_string().into())));
        }
    }
    said.words
}

fn ask_goroutine(said: &mut Said, runtime: &Runtime<'_>, at: Addr, floats: &dyn Fn() -> gopsy_runtime::FloatFormat) {
    let g = runtime.g(at);
    said.say((&g, runtime.standing(at), runtime.stack(at)));
    said.say((runtime.signal(at), runtime.bubble(at), runtime.ancestors(at)));
    said.say(runtime.defers(at));
    if let Some(panic) = g.panic.value() {
        for panic in runtime.panics(*panic, floats).into_iter().take(SAMPLE) {
            let arguments = Addr(panic.address.0.wrapping_add(16));
            said.say((&panic, runtime.held_value(panic.address, arguments, &|_| None)));
        }
    }
    if let Some(labels) = g.labels.value() {
        said.say(runtime.labels(*labels));
    }
    let waiting = runtime.waiting(at);
    for object in waiting.value().into_iter().flatten().take(SAMPLE) {
        if let WaitsAt::Channel(channel) = object {
            said.say(runtime.channel(*channel));
        }
    }
    said.say(waiting);
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let sound = SOUND.with(|sound| *sound);
    let mut patches = HashMap::new();
    let word = |index: &[u8]| {
        let index = usize::from(u16::from_le_bytes([index[0], index[1]]));
        sound.words[index * 7 % sound.words.len()]
    };
    let Some((how, changes)) = input.split_first() else { return };
    for patch in changes.chunks_exact(8).take(PATCHES) {
        let (at, number) = (word(&patch[..2]), u64::from(patch[4]));
        let value = match patch[5] % 10 {
            0 => word(&patch[2..4]),
            1 => at,
            2 => at.wrapping_add(8 * (number % 32)).wrapping_sub(8 * (u64::from(patch[6]) % 32)),
            3 => 1 << (number % 64),
            4 => number,
            5 => u64::MAX - number,
            6 => 0,
            7 => 0xdead_0000_0000 | number,
            8 => word(&patch[2..4]).wrapping_add(number),
            _ => u64::from_le_bytes([patch[0], patch[1], patch[2], patch[3], patch[4], patch[6], patch[7], 0]),
        };
        patches.insert(at, value);
    }
    if patches.is_empty() {
        return;
    }
    let changed = Changed { core: &sound.core, patches, read: RefCell::default() };
    let runtime = Runtime::new(&changed, &sound.layouts, sound.bias, Source::Core);
    // What takes longest comes least, however much the fuzzer likes it.
    let seldom = input.iter().fold(0u8, |sum, byte| sum.rotate_left(3) ^ byte) & 15 == 0;
    let part = match how & 63 {
        0 if seldom => Part::All,
        1 if seldom => Part::Heap,
        0..=17 => Part::Process,
        18..=33 => Part::Threads,
        34..=43 => Part::Values,
        _ => Part::Goroutines(usize::from(changes[0])),
    };
    let compared = changes[1] & 15 == 0;
    let asked = Asked { values: &sound.values, searched: &sound.searched };
    let said = ask(&changed, &runtime, &asked, part, compared);
    if compared {
        assert!(said == ask(&changed, &runtime, &asked, part, compared), "two answers to one question");
    }
    if changes[1] & 15 == 1 {
        drop(runtime.prove(&Witness { function: &|_| None, tids: &HashSet::new(), parent: None }));
    }
});
