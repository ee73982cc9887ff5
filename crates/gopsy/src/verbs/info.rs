//! `gopsy info`: what an executable or a core says of itself.

mod process;
mod runtime;

use crate::opened::{Opened, Platform};
use crate::output::{Look, print};
use crate::target::{Binary, called};
use anyhow::Result;
use clap::Args;
use gopsy_image::{BuildInfo, GoModule, Image, ImageError, hex};
use gopsy_mem::{Bias, LinkAddr};
use gopsy_program::Modules;
use gopsy_report::info::{Build, Info, Module, ModuleVersion, Program};
use gopsy_report::{terminal, wire};
use gopsy_runtime::StatedVersion;
use gopsy_target::Core;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Say what an executable or a core is: Go release, modules, how it was built, threads, what memory there is
///
/// Of a core the executable is found by itself; that it is the right one is proved by build ids or by the code. Known bugs
/// are those of gopsy's knowledge base that this release of Go still has.
#[derive(Args)]
#[command(after_help = "Examples:
  gopsy info svc
  gopsy info core.71 --bin ./svc
  gopsy info svc --json | jq -r '.program.settings[\"vcs.revision\"]'")]
pub(crate) struct InfoVerb {
    /// An executable, or a core
    #[arg(value_name = "TARGET")]
    target: String,
    /// List the modules that were linked in
    #[arg(long)]
    deps: bool,
    #[command(flatten)]
    binary: Binary,
    /// Write gopsy.info/1 (docs/wire/info.md)
    #[arg(long)]
    json: bool,
}

impl InfoVerb {
    /// Looks at one target.
    pub(crate) fn run(&self, look: &Look) -> Result<ExitCode> {
        let mut opened = Opened::open_any(&self.target, &self.binary)?;
        let mut info =
            Info { target: called(&self.target).to_owned(), list_dependencies: self.deps, ..Info::default() };
        let stated = opened.program.as_ref().ok().and_then(|(_, image)| StatedVersion::of(image));
        match &opened.program {
            Ok((path, image)) => {
                let build = image.build_info();
                let platform = Platform::of(image, build.as_ref().ok(), opened.core.is_some());
                let mut program = program(path, image, build, stated.as_ref(), platform.in_words(image));
                program.found = opened.how.clone();
                if let Some(version) = &program.build.go_version {
                    known_bugs(&mut info, version, &platform);
                }
                info.program = Some(program);
            }
            Err(why) => {
                info.no_program = Some(why.to_string());
                if let Some(core) = &opened.core {
                    let build = build_of_core(core);
                    if let Some(version) = &build.go_version {
                        known_bugs(&mut info, version, &Platform::of_core(core));
                    }
                    info.build = Some(build);
                }
            }
        }
        if opened.core.is_some() {
            info.process = process::process(&mut opened);
        }
        if let Ok((path, image)) = &opened.program {
            // The files of plugins are attached by now.
            let process = opened.core.as_ref().and_then(|core| Some((core, core.bias(image)?)));
            let more = process.map(|(core, bias)| Modules::of(core, image, bias, stated.as_ref())).unwrap_or_default();
            info.notes.extend(more.broken.map(|why| format!("the list of Go modules is not whole: {why}")));
            if let Some(program) = &mut info.program {
                (program.modules, program.no_modules) = modules(image, process, &more.list);
            }
            match opened.core.as_ref().map(|core| runtime::runtime(core, image, path, &more.list)) {
                Some(Ok((runtime, notes))) => {
                    info.runtime = Some(runtime);
                    info.notes.extend(notes);
                }
                Some(Err(error)) => info.no_runtime = Some(error.to_string()),
                None => {}
            }
        }
        info.alarm = opened.alarm.clone();
        info.notes.splice(0..0, opened.alarm.take());
        info.notes.extend(std::mem::take(&mut opened.notes));
        if self.json {
            wire::info(io::stdout().lock(), &info, wire::Form::Pretty)?;
        } else {
            print(&terminal::info(&info, &look.view()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The bugs that a release of the Go project still has. Others have mended some of them.
fn known_bugs(info: &mut Info, version: &str, platform: &Platform) {
    if !gopsy_runtime::Release::parse(version).is_some_and(|release| release.exact) {
        let why = "is no release of the Go project: which of its known bugs it has is not known";
        return info.notes.push(format!("{version} {why}"));
    }
    let fact = |part: &Option<String>| part.clone().unwrap_or_default();
    info.known_bugs = gopsy_explain::known_bugs(version, &fact(&platform.os), &fact(&platform.arch));
    if info.known_bugs.is_empty() {
        info.notes
            .push(format!("none of the bugs of Go that gopsy can recognise is in {version}; it does not know all"));
    }
    if platform.os.is_none() {
        info.notes.push("GOOS is not recorded: known bugs of one system only are left out".to_owned());
    }
}

fn program(
    path: &Path,
    image: &Image,
    build: Result<BuildInfo, ImageError>,
    stated: Option<&StatedVersion>,
    platform: String,
) -> Program {
    let (go_version, go_version_by) = match (stated, &build) {
        (Some(StatedVersion { text, by }), _) => (Some(text.clone()), by.to_string()),
        (None, Ok(_)) => (None, format!("the build information names none; {}", by_tables(image))),
        (None, Err(error)) => (None, format!("{error}; {}", by_tables(image))),
    };
    let symbols = image.symbol_table();
    let own = debug_size(image);
    let of_debug_file = (own == 0).then(|| image.debug_file()).flatten();
    let debug = of_debug_file.map_or(own, |file| debug_size(&file.image));
    Program {
        path: path.to_string_lossy().into_owned(),
        size: u64::try_from(image.file().len()).unwrap_or(u64::MAX),
        platform,
        build: Build {
            build_id: image.build_id().map(|id| hex(&id.bytes)),
            go_build_id: image.go_build_id().map(|id| String::from_utf8_lossy(&id.bytes).into_owned()),
            ..built(build.unwrap_or_default(), go_version, go_version_by)
        },
        position_independent: image.relocatable(),
        shared_object: image.is_shared_object(),
        interpreter: image.interpreter().map(|i| String::from_utf8_lossy(i).into_owned()),
        symbols: (!symbols.is_empty() && !symbols.only_dynamic()).then(|| u64::try_from(symbols.len()).unwrap_or(0)),
        debug_size: (debug > 0).then_some(debug),
        debug_file: of_debug_file.filter(|_| debug > 0 || !symbols.is_empty()).map(|file| file.found.clone()),
        cut: image.cut().is_some(),
        parts: parts(image),
        ..Program::default()
    }
}

/// How many bytes of a file are DWARF.
fn debug_size(image: &Image) -> u64 {
    image
        .sections()
        .iter()
        .filter(|s| s.name.starts_with(".debug_") || s.name.starts_with(".zdebug_"))
        // What a debugger's script needs stays where all DWARF is gone.
        .filter(|s| s.name != ".debug_gdb_scripts" && !s.no_bits)
        .map(|s| s.size)
        .fold(0, u64::saturating_add)
}

/// What a core says of an executable that is not at hand.
fn build_of_core(core: &Core) -> Build {
    let file = core.program();
    let found = core.build_info(&file);
    let by = if found.is_some() { "build information in the core" } else { "its build information is not in the core" };
    let version = found.as_ref().map(|build| build.version.clone());
    Build {
        build_id: file.build_id.map(|id| hex(&id)),
        go_build_id: file.go_build_id.map(|id| String::from_utf8_lossy(&id).into_owned()),
        ..built(found.unwrap_or_default(), version, by.to_owned())
    }
}

fn built(build: BuildInfo, go_version: Option<String>, go_version_by: String) -> Build {
    let module = |m: gopsy_image::Module| ModuleVersion {
        path: m.path,
        version: m.version,
        replace: m.replace.map(|other| (other.path, other.version)),
    };
    Build {
        go_version,
        go_version_by,
        main_package: build.path,
        main_module: build.main.map(module),
        dependencies: build.dependencies.into_iter().map(module).collect(),
        settings: build.settings,
        ..Build::default()
    }
}

/// What Go's tables tell of the release.
fn by_tables(image: &Image) -> String {
    match image.module() {
        Ok(module) => {
            let layouts = module.data().releases.join(" or ");
            format!("its tables are those of {}, its moduledata that of {layouts}", module.format().releases())
        }
        Err(ImageError::Cut(_)) => "nor are Go's tables there".to_owned(),
        Err(_) => "it has no tables of Go".to_owned(),
    }
}

/// The sections that are loaded, the largest first.
fn parts(image: &Image) -> Vec<(String, u64)> {
    // In a file that was cut off the names may be lost.
    let loaded = image.sections().iter().filter(|s| s.address.0 != 0 && s.size > 0 && !s.name.is_empty());
    let mut parts: Vec<(String, u64)> = loaded.map(|s| (s.name.clone(), s.size)).collect();
    parts.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    parts
}

/// Go's modules: of a file the first, of a process all. Or why there is none.
fn modules(image: &Image, process: Option<(&Core, Bias)>, more: &[GoModule]) -> (Vec<Module>, Option<String>) {
    let first = match image.module() {
        Ok(first) => module(image, first),
        Err(error) => return (Vec::new(), Some(error.to_string())),
    };
    let Some((core, bias)) = process else { return (vec![first], None) };
    let shift = |at: u64| bias.load(LinkAddr(at)).0;
    let (address, text) = (shift(first.address), (shift(first.text.0), shift(first.text.1)));
    let mut found = vec![Module { address, text, ..first }];
    found.extend(more.iter().map(|one| module(core, one)));
    (found, None)
}

fn module(stated: &dyn gopsy_image::Stated, module: &GoModule) -> Module {
    let data = module.data();
    Module {
        address: data.address.0,
        text: (data.text.0, data.etext.0),
        functions: module.pclntab(stated).len(),
        format: module.format().releases().to_owned(),
        types: data.listed_types(stated).ok().map(|types| number(types.len())),
        itabs: data.itabs(stated).ok().map(|itabs| number(itabs.len())),
        generated: !data.linked,
    }
}

fn number(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
