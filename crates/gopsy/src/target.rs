//! From the words on the command line to Programs.

use anyhow::{Context, Result, anyhow};
use gopsy_image::Image;
use gopsy_program::{CoreEvidence, CoreOptions, CoreWithText, Fit, Program, TextEvidence, TextWithBinary};
use gopsy_target::MappedFile;
use gopsy_target::finder::Finder;
use gopsy_target::input::{self, Input};
use gopsy_text::{Dump, Options};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A TARGET that was read.
pub(crate) struct Target {
    /// As it was named.
    pub(crate) name: String,
    /// The deaths it tells of.
    pub(crate) programs: Vec<Program>,
    /// How it was read.
    pub(crate) notes: Vec<String>,
    /// How many lines it has.
    pub(crate) lines: u64,
    /// How many of a text's deaths were joined with cores.
    joined: usize,
}

/// Where a core's binary is looked for, beside where the core says that it was.
#[derive(clap::Args, Clone, Default)]
pub(crate) struct Binary {
    /// The binary of a core or a text, or a folder of binaries; it must be the very build (may be given several times)
    #[arg(long = "bin", value_name = "PATH")]
    bins: Vec<PathBuf>,
    /// The root of the file system in which the core's process ran: a container's
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

impl Binary {
    /// Where the files of a core are looked for.
    pub(crate) fn finder(&self) -> Finder {
        Finder { bins: self.bins.clone(), root: self.root.clone(), ..Finder::default() }
    }

    fn options(&self) -> CoreOptions {
        CoreOptions { finder: self.finder(), ..CoreOptions::default() }
    }
}

/// Reads all TARGETs; a folder stands for the texts and cores in it. What cannot be read is an error of its own.
pub(crate) fn read_all(names: &[String], keep_args: bool, binary: &Binary) -> Vec<Result<Target>> {
    let options = Options { keep_args, ..Options::default() };
    let stdin = ["-".to_owned()];
    let names = if names.is_empty() { &stdin[..] } else { names };
    let mut out = Vec::new();
    for name in names {
        match input::open(name) {
            Ok(Input::Text(reader)) => {
                out.push(text(name, reader, &options).map(|target| of_binary(target, &binary.bins)));
            }
            Ok(Input::Folder(files)) => out.extend(folder(Path::new(name), files, &options, binary)),
            Ok(Input::Core(_)) => out.push(core(name, binary)),
            Ok(Input::Executable(path)) => {
                let path = path.display();
                out.push(Err(anyhow!(
                    "{path} is an executable: nothing died in it. Name a crash text, a core or a goroutine profile; gopsy info and gopsy where read executables"
                )));
            }
            Err(e) => out.push(Err(e.into())),
        }
    }
    out
}

fn text(name: &str, reader: impl Read, options: &Options) -> Result<Target> {
    let dump: Dump = gopsy_text::read(reader, options).with_context(|| format!("cannot read {name}"))?;
    let notes = dump.notes().to_vec();
    let lines = dump.lines();
    Ok(Target { name: name.to_owned(), programs: TextEvidence::programs(dump), notes, lines, joined: 0 })
}

/// More binaries than this a text is not held against.
const MAX_BINARIES: usize = 32;

/// A text, with the binary that was named.
fn of_binary(mut target: Target, paths: &[PathBuf]) -> Target {
    if paths.is_empty() {
        return target;
    }
    let open = |path: PathBuf| {
        let image = Image::parse(Arc::new(MappedFile::open(&path).ok()?)).ok()?;
        Some((path.display().to_string(), Arc::new(image)))
    };
    let binaries: Vec<_> = input::executables(paths, MAX_BINARIES).into_iter().filter_map(open).collect();
    let join = |text| Program::new(TextWithBinary::join(text, binaries.iter().cloned()));
    target.programs = target.programs.into_iter().map(join).collect();
    // They are the same for all deaths of a text but for that.
    target.notes = target.programs.first().map(Program::notes).unwrap_or(target.notes);
    target
}

/// The texts and cores of a folder. A text that tells of the death of a core there is joined with it; the others are held against
/// the binaries that were named, or that lie there.
fn folder(path: &Path, files: Vec<PathBuf>, options: &Options, binary: &Binary) -> Vec<Result<Target>> {
    let (mut cores, mut texts, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for file in files {
        let name = file.to_string_lossy().into_owned();
        let read = match input::open(&name) {
            Ok(Input::Text(reader)) => text(&name, reader, options).map(|target| texts.push(target)),
            Ok(Input::Core(_)) => core(&name, binary).map(|target| cores.push(target)),
            Ok(_) => Ok(()),
            Err(e) => Err(e.into()),
        };
        failed.extend(read.err().map(Err));
    }
    for text in &mut texts {
        for core in &mut cores {
            join(core, text);
        }
    }
    let paths = if binary.bins.is_empty() { vec![path.to_owned()] } else { binary.bins.clone() };
    let alone = texts.into_iter().filter(|text| !text.programs.is_empty() || text.joined == 0);
    let alone = alone.map(|text| of_binary(text, &paths));
    cores.into_iter().chain(alone).map(Ok).chain(failed).collect()
}

/// Takes the death that a core is of out of a text, if the text tells of it.
fn join(core: &mut Target, text: &mut Target) {
    let Some(of_core) = core.programs.pop() else { return };
    let same = text.programs.iter().position(|program| matches!(CoreWithText::fit(&of_core, program), Fit::Same(_)));
    let name =
        Path::new(&text.name).file_name().map_or_else(|| text.name.clone(), |n| n.to_string_lossy().into_owned());
    let joined = match (same, gopsy_explain::main_crash(&text.programs)) {
        (Some(at), _) => {
            text.joined += 1;
            Program::new(CoreWithText::join(of_core, text.programs.remove(at), &name))
        }
        // Said of the core, too: who looks at the folder would take the text for its own.
        (None, Some(main)) => {
            if let Some(Fit::Other(why)) = text.programs.get(main).map(|program| CoreWithText::fit(&of_core, program)) {
                core.notes.push(format!("{name} tells of ANOTHER death: {why}"));
            }
            of_core
        }
        (None, None) => of_core,
    };
    if same.is_some() {
        core.notes = joined.notes();
    }
    core.programs.push(joined);
}

/// A core file: its program finds itself where the core says, or beside it.
fn core(name: &str, binary: &Binary) -> Result<Target> {
    let evidence = CoreEvidence::open_with(Path::new(name), &binary.options())
        .with_context(|| format!("cannot read the core {name}"))?;
    let program = Program::new(evidence);
    let notes = program.notes();
    Ok(Target { name: name.to_owned(), programs: vec![program], notes, lines: 0, joined: 0 })
}

/// What to call a target in sentences.
pub(crate) fn called(name: &str) -> &str {
    if name == "-" { "standard input" } else { name }
}
