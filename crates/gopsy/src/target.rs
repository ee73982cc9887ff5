//! From the words on the command line to Programs.

use anyhow::{Context, Result, anyhow};
use gopsy_image::Image;
use gopsy_program::{AnyCore, CoreError, CoreOptions, CoreWithText, Fit, Program, TextEvidence, TextWithBinary};
use gopsy_target::finder::{self, Debuginfod, Fetch, Finder};
use gopsy_target::input::{self, CoreFile, Input};
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
    /// What there is to say of it, beside what each of its deaths says.
    notes: Vec<String>,
    /// How many lines it has.
    pub(crate) lines: u64,
    /// How many of its deaths another TARGET tells of, too.
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
    /// Ask debuginfod servers for files that are not here: this one, or those of DEBUGINFOD_URLS. They learn which builds are
    /// looked for
    #[arg(long, value_name = "URL", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    debuginfod: Option<String>,
}

impl Target {
    /// What a person should know of how that death was read, what comes before all else first; of none, of the whole.
    pub(crate) fn notes(&self, program: Option<&Program>) -> Vec<String> {
        let of_program = |program: &Program| program.alarms().into_iter().chain(program.notes());
        program.into_iter().flat_map(of_program).chain(self.notes.iter().cloned()).collect()
    }
}

impl Binary {
    /// Where the files of a core are looked for.
    pub(crate) fn finder(&self) -> Result<Finder> {
        let fetch = self.debuginfod.as_deref().map(debuginfod).transpose()?;
        Ok(Finder { bins: self.bins.clone(), root: self.root.clone(), fetch, ..Finder::default() })
    }

    fn options(&self) -> Result<CoreOptions> {
        Ok(CoreOptions { finder: self.finder()?, ..CoreOptions::default() })
    }
}

/// The servers of `--debuginfod`: that one, or those of the environment.
fn debuginfod(named: &str) -> Result<Arc<dyn Fetch>> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache =
        Debuginfod::cache_folder(variable("DEBUGINFOD_CACHE_PATH"), variable("XDG_CACHE_HOME"), variable("HOME"))
            .context("--debuginfod: no folder to keep files in: set DEBUGINFOD_CACHE_PATH")?;
    let (words, from) = match named {
        "" => (std::env::var("DEBUGINFOD_URLS").unwrap_or_default(), "DEBUGINFOD_URLS "),
        url => (url.to_owned(), ""),
    };
    let servers = Debuginfod::new(&words, cache).map_err(|why| anyhow!("--debuginfod: {from}{why}"))?;
    Ok(Arc::new(servers))
}

/// Reads all TARGETs; a folder stands for the texts and cores in it. What cannot be read is an error of its own.
pub(crate) fn read_all(names: &[String], keep_args: bool, binary: &Binary) -> Vec<Result<Target>> {
    let options = Options { keep_args, ..Options::default() };
    let cores = match binary.options() {
        Ok(cores) => cores,
        Err(error) => return vec![Err(error)],
    };
    let stdin = ["-".to_owned()];
    let names = if names.is_empty() { &stdin[..] } else { names };
    let (mut out, mut named) = (Vec::new(), None);
    for name in names {
        match input::open(name) {
            Ok(Input::Text(reader)) => {
                let named = named.get_or_insert_with(|| Binaries::named(&binary.bins));
                out.push(text(name, reader, &options).map(|target| named.fit(target)));
            }
            Ok(Input::Folder(files)) => {
                let named = named.get_or_insert_with(|| Binaries::named(&binary.bins));
                out.extend(folder(Path::new(name), files, &options, &cores, named));
            }
            Ok(Input::Core(file)) => out.push(core(name, file, &cores)),
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
    let (of_all, lines) = (dump.notes().to_vec(), dump.lines());
    let programs = TextEvidence::programs(dump);
    // Each death says the same.
    let notes = if programs.is_empty() { of_all } else { Vec::new() };
    Ok(Target { name: name.to_owned(), programs, notes, lines, joined: 0 })
}

/// More binaries than this a text is not held against.
const MAX_BINARIES: usize = 32;

/// Executables that texts are held against.
#[derive(Default)]
struct Binaries {
    /// With the name by which each is called.
    opened: Vec<(String, Arc<Image>)>,
    /// Why the others could not be read.
    failed: Vec<String>,
    /// Somebody has named them: that none fits is said.
    named: bool,
}

impl Binaries {
    /// Those that were named.
    fn named(paths: &[PathBuf]) -> Self {
        Binaries { named: !paths.is_empty(), ..Binaries::at(paths) }
    }

    /// Those at these paths.
    fn at(paths: &[PathBuf]) -> Self {
        let mut binaries = Binaries::default();
        for path in input::executables(paths, MAX_BINARIES) {
            match finder::open(&path) {
                Ok(image) => binaries.opened.push((path.display().to_string(), Arc::new(image))),
                Err(why) => binaries.failed.push(format!("cannot read {}: {why}", path.display())),
            }
        }
        binaries
    }

    /// A text, with its binary if that is one of these.
    fn fit(&self, mut text: Target) -> Target {
        if self.named {
            text.notes.extend(self.failed.iter().cloned());
        }
        if !self.opened.is_empty() {
            let join = |text| Program::new(TextWithBinary::join(text, self.opened.iter().cloned(), self.named));
            text.programs = text.programs.into_iter().map(join).collect();
        }
        text
    }
}

/// The texts and cores of a folder. A text that tells of the death of a core there is joined with it; the others are held against
/// the binaries that were named, or that lie there.
fn folder(
    path: &Path,
    files: Vec<PathBuf>,
    options: &Options,
    of_cores: &CoreOptions,
    named: &Binaries,
) -> Vec<Result<Target>> {
    let (mut cores, mut texts, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for file in files {
        let name = file.display().to_string();
        let read = match input::open_file(&file) {
            Ok(Input::Text(reader)) => text(&name, reader, options).map(|target| texts.push(target)),
            Ok(Input::Core(file)) => core(&name, file, of_cores).map(|target| cores.push(target)),
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
    texts.retain(|text| !text.programs.is_empty() || text.joined == 0);
    // Who looks at the folder would take them for one death.
    for core in cores.iter_mut().filter(|core| core.joined == 0) {
        let others: Vec<String> = texts.iter().filter(|t| t.joined == 0).filter_map(|t| another(core, t)).collect();
        core.notes.extend(others);
    }
    let beside = match texts.as_slice() {
        [] => None,
        _ => (!named.named).then(|| Binaries::at(&[path.to_owned()])),
    };
    let binaries = beside.as_ref().unwrap_or(named);
    let alone = texts.into_iter().map(|text| binaries.fit(text));
    cores.into_iter().chain(alone).map(Ok).chain(failed).collect()
}

/// Takes the death that a core is of out of a text, if the text tells of it.
fn join(core: &mut Target, text: &mut Target) {
    let Some(of_core) = core.programs.pop() else { return };
    let same = text.programs.iter().enumerate().find_map(|(at, of_text)| match CoreWithText::fit(&of_core, of_text) {
        Fit::Same(agreed) => Some((at, agreed)),
        Fit::Other(_) | Fit::Unknown => None,
    });
    core.programs.push(match same {
        Some((at, agreed)) => {
            (core.joined, text.joined) = (core.joined + 1, text.joined + 1);
            let of_text = text.programs.remove(at);
            Program::new(CoreWithText::join(of_core, of_text, agreed, &file_name(&text.name)))
        }
        None => of_core,
    });
}

/// What contradicts that a text tells of the death of a core.
fn another(core: &Target, text: &Target) -> Option<String> {
    let main = gopsy_explain::main_crash(&text.programs).and_then(|main| text.programs.get(main))?;
    match CoreWithText::fit(core.programs.first()?, main) {
        Fit::Other(why) => Some(format!("{} tells of ANOTHER death: {why}", file_name(&text.name))),
        Fit::Same(_) | Fit::Unknown => None,
    }
}

fn file_name(path: &str) -> String {
    Path::new(path).file_name().map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// A core file: its program finds itself where the core says, or beside it.
fn core(name: &str, file: CoreFile, options: &CoreOptions) -> Result<Target> {
    let opened = file.open().map_err(CoreError::from).and_then(|core| AnyCore::find(core, options));
    let opened = opened.map_err(|error| {
        let hint = match &error {
            CoreError::Machine(_) => {
                format!(
                    "\n\nhint: gopsy info {name} says what is there: the signal, the threads, what is missing and why"
                )
            }
            _ => String::new(),
        };
        anyhow!("cannot read the core {}: {error}{hint}", called(name))
    })?;
    let programs = vec![opened.program()];
    Ok(Target { name: name.to_owned(), programs, notes: Vec::new(), lines: 0, joined: 0 })
}

/// What to call a target in sentences.
pub(crate) fn called(name: &str) -> &str {
    if name == "-" { "standard input" } else { name }
}
