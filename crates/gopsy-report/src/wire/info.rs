//! `gopsy.info/1`.

use super::{Form, hex, json};
use crate::info::{Amount, Build, File, Info, Module, ModuleVersion, Process, Program, Runtime, Thread};
use gopsy_model::KnownIssue;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;

/// The name of the form.
const SCHEMA: &str = "gopsy.info/1";

#[derive(Serialize)]
struct Wire<'a> {
    schema: &'static str,
    target: &'a str,
    program: Option<WireProgram<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_program: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build: Option<WireBuild<'a>>,
    process: Option<WireProcess<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime: Option<WireRuntime<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_runtime: Option<&'a str>,
    known_bugs: Vec<WireBug<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct WireProgram<'a> {
    path: &'a str,
    found: Option<&'a str>,
    size: u64,
    platform: &'a str,
    #[serde(flatten)]
    build: WireBuild<'a>,
    cut: bool,
    position_independent: bool,
    shared_object: bool,
    interpreter: Option<&'a str>,
    symbols: Option<u64>,
    debug_size: Option<u64>,
    debug_file: Option<&'a str>,
    sections: Vec<WirePart<'a>>,
    modules: Vec<WireModule<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_modules: Option<&'a str>,
}

#[derive(Serialize)]
struct WireBuild<'a> {
    go_version: Option<&'a str>,
    go_version_by: &'a str,
    main_package: Option<&'a str>,
    main_module: Option<WireModuleVersion<'a>>,
    dependencies: Vec<WireModuleVersion<'a>>,
    settings: BTreeMap<&'a str, &'a str>,
    build_id: Option<&'a str>,
    go_build_id: Option<&'a str>,
}

#[derive(Serialize)]
struct WireRuntime<'a> {
    layouts: &'a str,
    goroutines: Option<BTreeMap<String, u64>>,
    dead_goroutines: Option<u64>,
    stacks: Option<u64>,
    gomaxprocs: Option<u64>,
    processors: BTreeMap<String, u64>,
    queued: Option<u64>,
    queued_for_all: Option<u64>,
    idle_threads: Option<u64>,
    spinning_threads: Option<u64>,
    stack_limit: Option<u64>,
    thread_limit: Option<u64>,
    gc_phase: Option<&'a str>,
    gc_cycles: Option<u64>,
    gc_percent: Option<i64>,
    memory_limit: Option<u64>,
    heap_live: Option<u64>,
    heap_in_use: Option<u64>,
    spans: Option<u64>,
    objects: Option<u64>,
    timers: Option<u64>,
    arguments: Option<&'a [String]>,
    environment: Option<&'a [String]>,
    missing: &'a [String],
}

fn runtime(runtime: &Runtime) -> WireRuntime<'_> {
    let counts = |states: &[(String, u64)]| states.iter().map(|(word, count)| (word.clone(), *count)).collect();
    WireRuntime {
        layouts: &runtime.layouts,
        goroutines: runtime.goroutines.as_deref().map(counts),
        dead_goroutines: runtime.dead_goroutines,
        stacks: runtime.stacks,
        gomaxprocs: runtime.gomaxprocs,
        processors: counts(&runtime.processors),
        queued: runtime.queued,
        queued_for_all: runtime.queued_for_all,
        idle_threads: runtime.idle_threads,
        spinning_threads: runtime.spinning_threads,
        stack_limit: runtime.stack_limit,
        thread_limit: runtime.thread_limit,
        gc_phase: runtime.gc_phase.as_deref(),
        gc_cycles: runtime.gc_cycles,
        gc_percent: runtime.gc_percent,
        memory_limit: runtime.memory_limit,
        heap_live: runtime.heap_live,
        heap_in_use: runtime.heap_in_use,
        spans: runtime.spans,
        objects: runtime.objects,
        timers: runtime.timers,
        arguments: runtime.arguments.as_deref(),
        environment: runtime.environment.as_deref(),
        missing: &runtime.missing,
    }
}

#[derive(Serialize)]
struct WireModuleVersion<'a> {
    path: &'a str,
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    replace: Option<WireReplacement<'a>>,
}

#[derive(Serialize)]
struct WireReplacement<'a> {
    path: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct WirePart<'a> {
    name: &'a str,
    size: u64,
}

#[derive(Serialize)]
struct WireModule<'a> {
    address: String,
    text: String,
    etext: String,
    functions: u64,
    format: &'a str,
    types: Option<u64>,
    itabs: Option<u64>,
    generated: bool,
}

#[derive(Serialize)]
struct WireProcess<'a> {
    core_size: u64,
    unpacked: Option<&'a str>,
    by_gdb: bool,
    by_delve: bool,
    pid: Option<u64>,
    parent: Option<u64>,
    name: Option<&'a str>,
    arguments: Option<&'a str>,
    uid: Option<u64>,
    gid: Option<u64>,
    signal: Option<&'a str>,
    bias: Option<String>,
    threads: Vec<WireThread<'a>>,
    memory: Vec<WireAmount<'a>>,
    reserved: u64,
    lost: &'a [String],
    files: Vec<WireFile<'a>>,
}

#[derive(Serialize)]
struct WireThread<'a> {
    tid: u64,
    signal: Option<&'a str>,
    pc: String,
    sp: String,
    at: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u64>,
}

#[derive(Serialize)]
struct WireAmount<'a> {
    kind: &'a str,
    named: u64,
    held: u64,
    backed: u64,
    unwritten: u64,
}

#[derive(Serialize)]
struct WireFile<'a> {
    path: &'a str,
    start: String,
    size: u64,
    held: u64,
    build_id: Option<&'a str>,
    at_hand: Option<&'a str>,
    missing: Option<&'a str>,
}

#[derive(Serialize)]
struct WireBug<'a> {
    id: &'a str,
    title: &'a str,
    why: &'a str,
    fixed_in: Option<&'a str>,
    source: &'a [String],
}

/// Writes what a program or a core is as `gopsy.info/1`.
pub fn info(out: impl io::Write, info: &Info, form: Form) -> io::Result<()> {
    let value = Wire {
        schema: SCHEMA,
        target: &info.target,
        program: info.program.as_ref().map(program),
        no_program: info.no_program.as_deref(),
        build: info.build.as_ref().map(build),
        process: info.process.as_ref().map(process),
        runtime: info.runtime.as_ref().map(runtime),
        no_runtime: info.no_runtime.as_deref(),
        known_bugs: info.known_bugs.iter().map(bug).collect(),
        notes: &info.notes,
    };
    json::write(out, &value, form)
}

fn program(program: &Program) -> WireProgram<'_> {
    WireProgram {
        path: &program.path,
        found: program.found.as_deref(),
        size: program.size,
        platform: &program.platform,
        build: build(&program.build),
        cut: program.cut,
        position_independent: program.position_independent,
        shared_object: program.shared_object,
        interpreter: program.interpreter.as_deref(),
        symbols: program.symbols,
        debug_size: program.debug_size,
        debug_file: program.debug_file.as_deref(),
        sections: program.parts.iter().map(|(name, size)| WirePart { name, size: *size }).collect(),
        modules: program.modules.iter().map(module).collect(),
        no_modules: program.no_modules.as_deref(),
    }
}

fn build(build: &Build) -> WireBuild<'_> {
    WireBuild {
        go_version: build.go_version.as_deref(),
        go_version_by: &build.go_version_by,
        main_package: build.main_package.as_deref(),
        main_module: build.main_module.as_ref().map(module_version),
        dependencies: build.dependencies.iter().map(module_version).collect(),
        settings: build.settings.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect(),
        build_id: build.build_id.as_deref(),
        go_build_id: build.go_build_id.as_deref(),
    }
}

fn module_version(module: &ModuleVersion) -> WireModuleVersion<'_> {
    let replace = module.replace.as_ref().map(|(path, version)| WireReplacement { path, version });
    WireModuleVersion { path: &module.path, version: &module.version, replace }
}

fn module(module: &Module) -> WireModule<'_> {
    WireModule {
        address: hex(module.address),
        text: hex(module.text.0),
        etext: hex(module.text.1),
        functions: module.functions,
        format: &module.format,
        types: module.types,
        itabs: module.itabs,
        generated: module.generated,
    }
}

fn process(process: &Process) -> WireProcess<'_> {
    WireProcess {
        core_size: process.core_size,
        unpacked: process.unpacked.as_deref(),
        by_gdb: process.by_gdb,
        by_delve: process.by_delve,
        pid: process.pid,
        parent: process.parent,
        name: process.name.as_deref(),
        arguments: process.arguments.as_deref(),
        uid: process.owner.map(|(uid, _)| uid),
        gid: process.owner.map(|(_, gid)| gid),
        signal: process.signal.as_deref(),
        bias: process.bias.map(hex),
        threads: process.threads.iter().map(thread).collect(),
        memory: process.memory.iter().map(amount).collect(),
        reserved: process.reserved,
        lost: &process.lost,
        files: process.files.iter().map(file).collect(),
    }
}

fn thread(thread: &Thread) -> WireThread<'_> {
    WireThread {
        tid: thread.tid,
        signal: thread.signal.as_deref(),
        pc: hex(thread.pc),
        sp: hex(thread.sp),
        at: thread.at.as_deref(),
        file: thread.line.as_ref().map(|(file, _)| file.as_str()),
        line: thread.line.as_ref().map(|(_, line)| *line),
    }
}

fn amount(amount: &Amount) -> WireAmount<'_> {
    WireAmount {
        kind: &amount.kind,
        named: amount.named,
        held: amount.held,
        backed: amount.backed,
        unwritten: amount.unwritten,
    }
}

fn file(file: &File) -> WireFile<'_> {
    WireFile {
        path: &file.path,
        start: hex(file.start),
        size: file.size,
        held: file.held,
        build_id: file.build_id.as_deref(),
        at_hand: file.at_hand.as_deref(),
        missing: file.missing.as_deref(),
    }
}

fn bug(bug: &KnownIssue) -> WireBug<'_> {
    WireBug { id: &bug.id, title: &bug.title, why: &bug.why, fixed_in: bug.fixed_in.as_deref(), source: &bug.source }
}
