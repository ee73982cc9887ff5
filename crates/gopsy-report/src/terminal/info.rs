//! `gopsy info`.

use super::canvas::{Canvas, Ink, Line, View};
use super::count;
use crate::info::{Build, File, Info, ModuleVersion, Process, Program, Thread};
use crate::names::{bytes, plural, short_file, thousands};
use gopsy_model::KnownIssue;

/// Dependencies, threads, files and parts of the program that are shown before the rest is only counted.
const PARTS: usize = 6;
const THREADS: usize = 16;
const FILES: usize = 24;

/// Characters of a build setting: the defaults of GODEBUG for an old go.mod are hundreds. The JSON form has all.
const MAX_SETTING: usize = 120;

/// The page of a look at a program or a core.
#[must_use]
pub fn info(info: &Info, view: &View) -> String {
    let mut canvas = Canvas::new(view);
    let notes = canvas.shout(info.alarm.as_slice(), &info.notes);
    let right = match &info.program {
        Some(program) => {
            format!("{} {}", program.build.go_version.as_deref().unwrap_or("Go release not known"), program.platform)
        }
        None => String::new(),
    };
    let kind = match (&info.process, &info.program) {
        (Some(_), _) => "core",
        (None, Some(program)) if program.shared_object => "shared object",
        (None, _) => "executable",
    };
    canvas.sides(&Line::of(Ink::Bold, &info.target).dim(&format!("  {kind}")), &Line::new().dim(&right));
    if let Some(process) = &info.process {
        let arguments = info.runtime.as_ref().and_then(|runtime| runtime.arguments.as_deref());
        self::process(&mut canvas, process, arguments);
    }
    if let Some(why) = &info.no_program {
        canvas.gap();
        canvas.field("binary", &Line::of(Ink::Alarm, "not found").plain(&format!(": {why}")));
        canvas.field("", &Line::new().dim("name it with --bin"));
        if let Some(build) = &info.build {
            self::build(&mut canvas, build, info.list_dependencies);
            ids(&mut canvas, build);
        }
    }
    if let Some(program) = &info.program {
        if info.process.is_some() {
            canvas.gap();
        }
        self::program(&mut canvas, program, info.list_dependencies);
    }
    if let Some(process) = &info.process {
        runtime(&mut canvas, info);
        threads(&mut canvas, &process.threads);
        memory(&mut canvas, process);
        files(&mut canvas, &process.files);
    }
    known_bugs(&mut canvas, &info.known_bugs);
    if !notes.is_empty() {
        canvas.gap();
        for note in notes {
            canvas.field("note", &Line::new().dim(note));
        }
    }
    canvas.finish()
}

fn program(canvas: &mut Canvas, program: &Program, list_dependencies: bool) {
    let size = bytes(program.size);
    canvas.field("binary", &Line::new().plain(&program.path).dim(&format!("   {size}")));
    if let Some(found) = &program.found {
        canvas.field("", &Line::new().dim(&format!("found: {found}")));
    }
    build(canvas, &program.build, list_dependencies);
    let mut kind = vec![match &program.interpreter {
        Some(interpreter) => format!("linked dynamically ({interpreter})"),
        None if program.shared_object => "shared object".to_owned(),
        None => "linked statically".to_owned(),
    }];
    kind.push(match (program.position_independent, program.shared_object) {
        (true, true) => "position-independent".to_owned(),
        (true, false) => "position-independent (PIE)".to_owned(),
        (false, _) => "at fixed addresses".to_owned(),
    });
    kind.push(match program.symbols {
        Some(count) => format!("{count} symbols"),
        None if program.cut => "no symbol table is there".to_owned(),
        None => "no symbol table (stripped)".to_owned(),
    });
    kind.push(match program.debug_size {
        Some(size) if program.debug_file.is_some() => format!("DWARF, {} in the debug file", bytes(size)),
        Some(size) => format!("DWARF, {} in the file", bytes(size)),
        None if program.cut => "no DWARF is there".to_owned(),
        None => "no DWARF".to_owned(),
    });
    let kind: Vec<Line> = kind.iter().map(|text| Line::new().plain(text)).collect();
    canvas.parts("kind", &kind);
    if let Some(file) = &program.debug_file {
        canvas.field("debug", &Line::new().plain(file));
    }
    ids(canvas, &program.build);
    let part = |(name, size): &(String, u64)| Line::new().dim(name).plain(&format!(" {}", bytes(*size)));
    let parts: Vec<Line> = program.parts.iter().take(PARTS).map(part).collect();
    if !parts.is_empty() {
        canvas.parts("sections", &parts);
    }
    let (generated, linked): (Vec<_>, Vec<_>) = program.modules.iter().partition(|module| module.generated);
    for (i, module) in linked.into_iter().enumerate() {
        let text = format!("{:#x}–{:#x}, {} functions", module.text.0, module.text.1, module.functions);
        let listed = match (module.types, module.itabs) {
            (Some(types), Some(itabs)) => format!(", {} and {} listed", plural(types, "type"), plural(itabs, "itab")),
            _ => ", its lists of types and itabs cannot be read".to_owned(),
        };
        let more = format!("   moduledata {:#x}, pclntab of {}{listed}", module.address, module.format);
        canvas.field(if i == 0 { "code" } else { "" }, &Line::new().plain(&text).dim(&more));
    }
    if !generated.is_empty() {
        let functions: u64 = generated.iter().map(|module| module.functions).fold(0, u64::saturating_add);
        let modules = u64::try_from(generated.len()).unwrap_or(u64::MAX);
        let text = plural(functions, "function");
        let more = format!("   generated while it ran, {}", plural(modules, "module"));
        canvas.field("", &Line::new().plain(&text).dim(&more));
    }
    if let Some(why) = &program.no_modules {
        canvas.field("code", &Line::of(Ink::Alarm, "Go's tables cannot be read").plain(&format!(": {why}")));
    }
}

/// What `go version -m` prints.
fn build(canvas: &mut Canvas, build: &Build, list_dependencies: bool) {
    let version = build.go_version.as_deref().unwrap_or("not known");
    canvas.field("go", &Line::new().plain(version).dim(&format!("   {}", build.go_version_by)));
    let main = match (&build.main_module, &build.main_package) {
        (Some(module), Some(package)) if module.path != *package => {
            format!("{} (main: {package})", in_words(module))
        }
        (Some(module), _) => in_words(module),
        (None, Some(package)) => package.clone(),
        (None, None) => String::new(),
    };
    if !main.is_empty() {
        canvas.field("module", &Line::new().plain(main.trim_end()));
    }
    let number = build.dependencies.len();
    if build.main_module.is_some() || number > 0 {
        let more = if number > 0 && !list_dependencies { "   --deps lists them" } else { "" };
        let deps = if number == 1 { "1 dependency".to_owned() } else { format!("{number} dependencies") };
        canvas.field("", &Line::new().plain(&deps).dim(more));
    }
    if list_dependencies {
        for module in &build.dependencies {
            canvas.field("", &Line::new().plain(&format!("  {}", in_words(module))));
        }
    }
    let setting = |(key, value): &(String, String)| {
        let shown: String = value.chars().take(MAX_SETTING).collect();
        let rest = if shown.len() < value.len() { "…" } else { "" };
        Line::new().dim(key).plain(&format!("={shown}{rest}"))
    };
    // What was not set says nothing (CGO_CFLAGS=).
    let settings: Vec<Line> = build.settings.iter().filter(|(_, value)| !value.is_empty()).map(setting).collect();
    if !settings.is_empty() {
        canvas.parts("build", &settings);
    }
}

/// A module, and what was linked in its place.
fn in_words(module: &ModuleVersion) -> String {
    let ModuleVersion { path, version, replace } = module;
    let other = replace.as_ref().map(|(path, version)| format!(" => {path} {version}")).unwrap_or_default();
    format!("{path} {version}{}", other.trim_end())
}

fn ids(canvas: &mut Canvas, build: &Build) {
    if let Some(id) = &build.build_id {
        canvas.field("build id", &Line::new().plain(id).dim("   GNU"));
    }
    if let Some(id) = &build.go_build_id {
        canvas.field(if build.build_id.is_none() { "build id" } else { "" }, &Line::new().plain(id).dim("   Go"));
    }
}

fn process(canvas: &mut Canvas, process: &Process, of_runtime: Option<&[String]>) {
    let name = process.name.as_deref().unwrap_or("name not known");
    let pid = process.pid.map_or_else(|| "pid not known".to_owned(), |pid| format!("pid {pid}"));
    let mut parts = vec![Line::of(Ink::Bold, name), Line::new().plain(&pid)];
    if let Some(parent) = process.parent {
        parts.push(Line::new().dim(&format!("parent {parent}")));
    }
    if let Some((user, group)) = process.owner {
        parts.push(Line::new().dim(&format!("uid {user}, gid {group}")));
    }
    canvas.parts("process", &parts);
    // The runtime has them word for word. The kernel keeps the first 79 bytes, joined by blanks, and a debugger writes its own.
    if let Some(all) = of_runtime.filter(|all| !all.is_empty()) {
        let words: Vec<String> = all.iter().map(|word| quoted(word)).collect();
        canvas.field("arguments", &Line::new().plain(&words.join(" ")));
    } else if let Some(arguments) = &process.arguments {
        canvas.field(
            "arguments",
            &Line::new().plain(arguments).dim("   as the core has them: 79 bytes at most, joined by blanks"),
        );
    }
    let signal = process.signal.as_deref().unwrap_or("none: it was not ended by one, or the core does not say");
    canvas.field("signal", &Line::new().plain(signal));
    let mut core = vec![Line::new().plain(&bytes(process.core_size))];
    core.extend(process.unpacked.iter().map(|u| Line::new().dim(u)));
    if process.by_gdb {
        core.push(Line::new().dim("written by gdb (gcore)"));
    }
    if process.by_delve {
        core.push(Line::new().dim("written by Delve (dump)"));
    }
    canvas.parts("core", &core);
    if let Some(bias) = process.bias.filter(|bias| *bias != 0) {
        canvas.field("loaded", &Line::new().plain(&format!("{bias:#x} above the addresses in the file")));
    }
}

/// Names of the environment in one line or two; the rest is counted.
const NAMES: usize = 24;

fn runtime(canvas: &mut Canvas, info: &Info) {
    let (runtime, why) = (&info.runtime, &info.no_runtime);
    if runtime.is_none() && why.is_none() {
        return;
    }
    canvas.gap();
    let basis = runtime.as_ref().map(|r| format!("  read by {}", r.layouts)).unwrap_or_default();
    canvas.raw(0, &Line::of(Ink::Bold, "Runtime").dim(&basis));
    if let Some(why) = why {
        canvas.wrap(2, 2, &Line::of(Ink::Alarm, "not read").plain(&format!(": {why}")));
    }
    let Some(runtime) = runtime else { return };
    let counts = |states: &[(String, u64)]| {
        states.iter().map(|(word, count)| format!("{} {word}", thousands(*count))).collect::<Vec<_>>().join(" · ")
    };
    if let Some(goroutines) = &runtime.goroutines {
        let all: u64 = goroutines.iter().map(|(_, count)| count).sum();
        let states = if goroutines.is_empty() { String::new() } else { format!(": {}", counts(goroutines)) };
        let mut line = Line::new().plain(&format!("{}{states}", thousands(all)));
        if let Some(dead @ 1..) = runtime.dead_goroutines {
            line = line.dim(&format!("   and {} dead, kept for reuse", thousands(dead)));
        }
        canvas.field("goroutine", &line);
    }
    if let Some(stacks) = runtime.stacks {
        canvas.field("stacks", &Line::new().plain(&bytes(stacks)));
    }
    let mut parts: Vec<String> = runtime.gomaxprocs.map(|n| format!("GOMAXPROCS {n}")).into_iter().collect();
    if !runtime.processors.is_empty() {
        parts.push(counts(&runtime.processors));
    }
    parts.extend(runtime.timers.map(|n| plural(n, "timer")));
    field(canvas, "procs", &parts);
    let mut parts: Vec<String> =
        runtime.queued.map(|n| format!("{} in queues of single processors", thousands(n))).into_iter().collect();
    parts.extend(runtime.queued_for_all.map(|n| format!("{} in the queue of all", thousands(n))));
    field(canvas, "queued", &parts);
    let mut parts: Vec<String> = runtime.idle_threads.map(|n| format!("{} idle", thousands(n))).into_iter().collect();
    parts.extend(runtime.spinning_threads.map(|n| format!("{} looking for work", thousands(n))));
    field(canvas, "threads", &parts);
    // The phase "off" is that of a collector that has nothing to do now; switched off is GOGC.
    let phase = |phase: &String| if phase == "off" { "not running".to_owned() } else { phase.clone() };
    let mut parts: Vec<String> = runtime.gc_phase.iter().map(phase).collect();
    parts.extend(runtime.gc_cycles.map(|n| plural(n, "cycle")));
    parts.extend(runtime.gc_percent.map(|n| if n < 0 { "GOGC off".to_owned() } else { format!("GOGC {n}") }));
    let unlimited = i64::MAX.unsigned_abs();
    parts.extend(runtime.memory_limit.filter(|n| *n != unlimited).map(|n| format!("GOMEMLIMIT {}", bytes(n))));
    field(canvas, "collector", &parts);
    let mut parts: Vec<String> = runtime.heap_in_use.map(|n| format!("{} in use", bytes(n))).into_iter().collect();
    parts.extend(runtime.heap_live.map(|n| format!("{} live", bytes(n))));
    if let (Some(objects), Some(spans)) = (runtime.objects, runtime.spans) {
        parts.push(format!("{} in {}", plural(objects, "object"), plural(spans, "span")));
    }
    field(canvas, "heap", &parts);
    let mut parts: Vec<String> = runtime.stack_limit.map(|n| format!("{} a stack", bytes(n))).into_iter().collect();
    parts.extend(runtime.thread_limit.map(|n| plural(n, "thread")));
    field(canvas, "limits", &parts);
    if let Some(names) = runtime.environment.as_ref().filter(|names| !names.is_empty()) {
        let more = names.len().saturating_sub(NAMES);
        let shown = names.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>().join(" ");
        let line = Line::new().plain(&shown);
        let line = if more > 0 { line.dim(&format!(" … and {more} more; --json lists all")) } else { line };
        canvas.field("environ", &line.dim("   names only, as at the start"));
    }
    for why in &runtime.missing {
        canvas.field("", &Line::new().dim(&format!("not known: {why}")));
    }
}

/// A word as a shell takes it: in quotes if it is empty, or has what divides words.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_=+./:,@%^~".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn field(canvas: &mut Canvas, name: &str, parts: &[String]) {
    if !parts.is_empty() {
        canvas.parts(name, &parts.iter().map(|part| Line::new().plain(part)).collect::<Vec<_>>());
    }
}

fn threads(canvas: &mut Canvas, threads: &[Thread]) {
    canvas.gap();
    canvas.raw(0, &Line::of(Ink::Bold, &plural(count(threads.len()), "thread")));
    for thread in threads.iter().take(THREADS) {
        let at = thread.at.as_deref().unwrap_or("in no code that is known");
        let signal = thread.signal.as_deref().map(|s| format!("  {s}")).unwrap_or_default();
        let place = thread.line.as_ref().map(|(f, l)| format!("  {}:{l}", short_file(f))).unwrap_or_default();
        let head = Line::new().plain(&format!("{:<7}", thread.tid)).dim(&format!(" pc {:#x}  ", thread.pc));
        canvas.wrap(2, 10, &head.plain(at).dim(&place).add(Ink::Alarm, &signal));
    }
    if threads.len() > THREADS {
        canvas.raw(2, &Line::new().dim(&format!("… and {} more; --json lists all", threads.len() - THREADS)));
    }
}

fn memory(canvas: &mut Canvas, process: &Process) {
    canvas.gap();
    canvas.raw(0, &Line::of(Ink::Bold, "Memory"));
    for amount in &process.memory {
        let there = amount.held.saturating_add(amount.backed).saturating_add(amount.unwritten);
        let missing = amount.named.saturating_sub(there);
        let text = format!("{:<13} {:>10}   in the core {}", amount.kind, bytes(amount.named), bytes(amount.held));
        let mut line = Line::new().plain(&text);
        if amount.backed > 0 {
            line = line.plain(&format!(", from files {}", bytes(amount.backed)));
        }
        if amount.unwritten > 0 {
            line = line.plain(&format!(", never written or not to be dumped {}", bytes(amount.unwritten)));
        }
        if missing > 0 {
            line = line.plain(", ").add(Ink::Alarm, &format!("missing {}", bytes(missing)));
        }
        canvas.wrap(2, 28, &line);
    }
    if process.reserved > 0 {
        let text = format!("{:<13} {:>10}   address space without memory", "reserved", bytes(process.reserved));
        canvas.wrap(2, 28, &Line::new().dim(&text));
    }
    for why in &process.lost {
        canvas.wrap(2, 4, &Line::new().dim(why));
    }
}

fn files(canvas: &mut Canvas, files: &[File]) {
    if files.is_empty() {
        return;
    }
    canvas.gap();
    let mapped = if files.len() == 1 { "  that was mapped" } else { "  that were mapped" };
    canvas.raw(0, &Line::of(Ink::Bold, &plural(count(files.len()), "file")).dim(mapped));
    for file in files.iter().take(FILES) {
        let held = match file.held {
            0 => "none of it in the core".to_owned(),
            held if held >= file.size => "all in the core".to_owned(),
            held => format!("{} of it in the core", bytes(held)),
        };
        let line = Line::new().plain(&file.path).dim(&format!("  {}, {held}", bytes(file.size)));
        canvas.wrap(2, 6, &line);
        if let Some(at_hand) = &file.at_hand {
            canvas.wrap(6, 8, &Line::new().dim(&format!("at hand: {at_hand}")));
        }
        if let Some(why) = &file.missing {
            canvas.wrap(6, 8, &Line::of(Ink::Alarm, "not at hand").dim(&format!(": {why}")));
        }
    }
    if files.len() > FILES {
        canvas.raw(2, &Line::new().dim(&format!("… and {} more; --json lists all", files.len() - FILES)));
    }
}

fn known_bugs(canvas: &mut Canvas, bugs: &[KnownIssue]) {
    if bugs.is_empty() {
        return;
    }
    canvas.gap();
    let title = format!("{} of this Go release", plural(count(bugs.len()), "known bug"));
    canvas.raw(0, &Line::of(Ink::Bold, &title).dim("  of those that gopsy knows"));
    for bug in bugs {
        let fixed = bug.fixed_in.as_deref().map(|f| format!("  fixed in {f}")).unwrap_or_default();
        canvas.wrap(2, 6, &Line::new().dim(&bug.id).plain("  ").plain(&bug.title).dim(&fixed));
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_told_apart() {
        let words = ["./app", "-n=3", "a b", "", "it's", "*"].map(quoted);
        assert_eq!(words, ["./app", "-n=3", "'a b'", "''", r"'it'\''s'", "'*'"]);
    }
}
