//! From the words on the command line to Programs.

use anyhow::{Context, Result, anyhow};
use gopsy_program::{CoreEvidence, CoreOptions, Program, TextEvidence};
use gopsy_target::finder::Finder;
use gopsy_target::input::{self, Input};
use gopsy_text::{Dump, Options};
use std::io::Read;
use std::path::{Path, PathBuf};

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
}

/// Where a core's binary is looked for, beside where the core says that it was.
#[derive(clap::Args, Clone, Default)]
pub(crate) struct Binary {
    /// The binary of a core, or a folder of binaries; it must be the very build (may be given several times)
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

/// Reads all TARGETs; a folder stands for the texts in it. What cannot be read is an error of its own.
pub(crate) fn read_all(names: &[String], keep_args: bool, binary: &Binary) -> Vec<Result<Target>> {
    let options = Options { keep_args, ..Options::default() };
    let stdin = ["-".to_owned()];
    let names = if names.is_empty() { &stdin[..] } else { names };
    let mut out = Vec::new();
    for name in names {
        match input::open(name) {
            Ok(Input::Text(reader)) => out.push(text(name, reader, &options)),
            Ok(Input::Folder(files)) => {
                for file in files {
                    let name = file.to_string_lossy().into_owned();
                    out.push(match input::open(&name) {
                        Ok(Input::Text(reader)) => text(&name, reader, &options),
                        Ok(_) => continue,
                        Err(e) => Err(e.into()),
                    });
                }
            }
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
    Ok(Target { name: name.to_owned(), programs: TextEvidence::programs(dump), notes, lines })
}

/// A core file: its program finds itself where the core says, or beside it.
fn core(name: &str, binary: &Binary) -> Result<Target> {
    let evidence = CoreEvidence::open_with(Path::new(name), &binary.options())
        .with_context(|| format!("cannot read the core {name}"))?;
    let program = Program::new(evidence);
    let notes = program.notes();
    Ok(Target { name: name.to_owned(), programs: vec![program], notes, lines: 0 })
}

/// What to call a target in sentences.
pub(crate) fn called(name: &str) -> &str {
    if name == "-" { "standard input" } else { name }
}
