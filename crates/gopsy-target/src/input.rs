//! Texts from outside: files, pipes, profiles of running programs; and source files to show lines of.

use crate::file::folder_of;
use crate::headers::is_core;
use crate::unpack::{self, Format, Limits};
use crate::{Core, TargetError, http};
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Of a device that never ends (`/dev/urandom`) so much is read.
const MAX_OF_DEVICE: u64 = 64 << 20;
/// A source file larger than this is not shown.
const MAX_SOURCE: u64 = 8 << 20;
/// How long a profile may take to arrive.
const HTTP_TIMEOUT: Duration = Duration::from_secs(30);

/// Of what is compressed and comes through a pipe so much is read to see whether it holds a core: more than the longest block of
/// lz4 (4 MiB), zstd's and the others' are shorter.
const MAX_PEEK: u64 = (4 << 20) + (64 << 10);
/// An ELF file tells its kind in so many bytes.
const ELF_HEAD: u64 = 20;

/// How apport's reports of a crash begin (`problem_report.py`; keys that come first are written first).
const APPORT: &[u8] = b"ProblemType: Crash";

/// What a TARGET turned out to be.
pub enum Input {
    /// Bytes to be read as a text.
    Text(Box<dyn Read>),
    /// An ELF core file, perhaps compressed.
    Core(CoreFile),
    /// An executable: nothing died here.
    Executable(PathBuf),
    /// A folder: the texts and cores in it, by name.
    Folder(Vec<PathBuf>),
}

/// A core that nobody has read yet.
pub struct CoreFile {
    /// How to call it.
    path: PathBuf,
    /// Where files that belong to it may lie.
    folder: PathBuf,
    source: CoreSource,
}

enum CoreSource {
    /// A regular file.
    File(File),
    /// What comes through a pipe.
    Stream(Box<dyn Read>, Option<Format>),
}

impl CoreFile {
    /// Reads its headers and notes, as [`Core::open`]. What is compressed or comes through a pipe is unpacked first.
    ///
    /// # Errors
    /// When it cannot be read or is not a core of linux/amd64 or linux/arm64.
    pub fn open(self) -> Result<Core, TargetError> {
        let limits = Limits::default();
        let core = match self.source {
            CoreSource::File(file) => Core::of_file(file, &self.path, &limits)?,
            CoreSource::Stream(stream, format) => Core::of_stream(stream, format, &self.path, &limits)?,
        };
        Ok(core.lying_in(&self.folder))
    }
}

/// Why a TARGET cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The system refused.
    #[error("cannot read {what}: {error}")]
    Io {
        /// What was to be read.
        what: String,
        /// What the system said.
        error: io::Error,
    },
    /// A folder without texts or cores.
    #[error("no core and no crash text (.txt, .log, .out, .json, .gz, .zst) in the folder {0}")]
    EmptyFolder(PathBuf),
    /// A report of apport's (Ubuntu), which holds a core in base64.
    #[error(
        "{what} is a report of apport's: `apport-unpack {} FOLDER` writes the core that it holds (CoreDump) and the rest",
        .path.display()
    )]
    Apport {
        /// How to call it.
        what: String,
        /// Where it is.
        path: PathBuf,
    },
    /// An URL that gopsy does not fetch.
    #[error("cannot fetch {url}: {why}")]
    Http {
        /// The URL.
        url: String,
        /// Why not.
        why: String,
    },
}

/// Whether a TARGET is to be fetched.
#[must_use]
pub fn is_url(target: &str) -> bool {
    target.starts_with("http://") || target.starts_with("https://")
}

/// Looks at a TARGET and opens it: `-`, an URL, a file, a pipe, a folder.
///
/// # Errors
/// If it does not exist, may not be read, or is nothing that can be read.
pub fn open(target: &str) -> Result<Input, InputError> {
    if target == "-" {
        return stdin();
    }
    if is_url(target) {
        return fetch(target).map(|body| Input::Text(Box::new(body)));
    }
    open_file(Path::new(target))
}

/// As [`open`], for what is a path.
///
/// # Errors
/// As [`open`].
pub fn open_file(path: &Path) -> Result<Input, InputError> {
    let io_error = |error| InputError::Io { what: path.display().to_string(), error };
    let meta = fs::metadata(path).map_err(io_error)?;
    if meta.is_dir() {
        return folder(path);
    }
    let place = Place { what: &path.display().to_string(), path, folder: folder_of(path) };
    look_at(File::open(path).map_err(io_error)?, &place)
}

/// Standard input: a pipe, a terminal, a file.
fn stdin() -> Result<Input, InputError> {
    let place = Place { what: "standard input", path: Path::new("/dev/stdin"), folder: Path::new(".") };
    let file = io::stdin().as_fd().try_clone_to_owned().map_err(|error| place.refused(error))?;
    look_at(File::from(file), &place)
}

/// Where something was opened.
struct Place<'a> {
    /// What to call it.
    what: &'a str,
    path: &'a Path,
    /// Where files that belong to it may lie.
    folder: &'a Path,
}

impl Place<'_> {
    fn refused(&self, error: io::Error) -> InputError {
        InputError::Io { what: self.what.to_owned(), error }
    }

    fn core(&self, source: CoreSource) -> Input {
        // A shell's `<(…)` lies where nothing else does.
        let folder = if matches!(source, CoreSource::File(_)) { self.folder } else { Path::new(".") };
        Input::Core(CoreFile { path: self.path.to_owned(), folder: folder.to_owned(), source })
    }

    fn executable(&self) -> Input {
        Input::Executable(self.path.to_owned())
    }
}

/// What is in an open file.
fn look_at(mut file: File, place: &Place<'_>) -> Result<Input, InputError> {
    let refused = |error| place.refused(error);
    let kind = file.metadata().map_err(refused)?.file_type();
    if kind.is_char_device() {
        return Ok(Input::Text(if file.is_terminal() { Box::new(file) } else { Box::new(file.take(MAX_OF_DEVICE)) }));
    }
    // What somebody has read some of already (standard input) is read on from there.
    let comes_again = kind.is_file() && file.stream_position().map_err(refused)? == 0;
    let mut head = Vec::new();
    file.by_ref().take(ELF_HEAD).read_to_end(&mut head).map_err(refused)?;
    if head.starts_with(APPORT) {
        return Err(InputError::Apport { what: place.what.to_owned(), path: place.path.to_owned() });
    }
    let looked = if comes_again { look_at_file(file, &head, place) } else { look_at_stream(file, head, place) };
    looked.map_err(refused)
}

/// What is in a file that begins so.
fn look_at_file(mut file: File, head: &[u8], place: &Place<'_>) -> io::Result<Input> {
    Ok(match is_core(head) {
        Some(true) => place.core(CoreSource::File(file)),
        Some(false) => place.executable(),
        None if file.try_clone().is_ok_and(unpack::file_holds_core) => place.core(CoreSource::File(file)),
        None => {
            file.rewind()?;
            Input::Text(Box::new(file))
        }
    })
}

/// What comes through a pipe or a socket, and begins so: what was read of it does not come again.
fn look_at_stream(mut stream: File, mut head: Vec<u8>, place: &Place<'_>) -> io::Result<Input> {
    let format = unpack::magic(&head);
    if format.is_some() {
        stream.by_ref().take(MAX_PEEK).read_to_end(&mut head)?;
    }
    let is_core = match format {
        Some(format) => unpack::holds_core(Box::new(io::Cursor::new(head.clone())), format).then_some(true),
        None => is_core(&head),
    };
    let stream: Box<dyn Read> = Box::new(io::Cursor::new(head).chain(stream));
    Ok(match is_core {
        Some(true) => place.core(CoreSource::Stream(stream, format)),
        Some(false) => place.executable(),
        None => Input::Text(stream),
    })
}

/// The texts and cores of a folder, by name; other files are passed over. A text is told by its ending, a core by what it is.
fn folder(path: &Path) -> Result<Input, InputError> {
    let io_error = |error| InputError::Io { what: path.display().to_string(), error };
    let mut texts = Vec::new();
    for entry in fs::read_dir(path).map_err(io_error)? {
        let file = entry.map_err(io_error)?.path();
        let ending = file.extension().and_then(|e| e.to_str()).unwrap_or("");
        let text = matches!(ending, "txt" | "log" | "out" | "json" | "gz" | "zst");
        // In these forms there are cores only.
        let packed = || matches!(ending, "lz4" | "xz") && File::open(&file).is_ok_and(unpack::file_holds_core);
        let core = || begins_as(&file) == Some(Elf::Core) || packed();
        if fs::metadata(&file).is_ok_and(|m| m.is_file()) && (text || core()) {
            texts.push(file);
        }
    }
    texts.sort();
    if texts.is_empty() { Err(InputError::EmptyFolder(path.to_owned())) } else { Ok(Input::Folder(texts)) }
}

/// What an ELF file is.
#[derive(PartialEq, Eq)]
enum Elf {
    Core,
    /// An executable, a shared object, an object file.
    Other,
}

fn begins_as(path: &Path) -> Option<Elf> {
    let mut head = [0u8; 20];
    File::open(path).and_then(|mut file| file.read_exact(&mut head)).ok()?;
    Some(if is_core(&head)? { Elf::Core } else { Elf::Other })
}

/// These files, and of those of them that are folders the executables in them; by name, and no more than that many.
#[must_use]
pub fn executables(paths: &[PathBuf], most: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in paths {
        let Ok(entries) = fs::read_dir(path) else {
            found.push(path.clone());
            continue;
        };
        let executable = |path: &PathBuf| path.is_file() && begins_as(path) == Some(Elf::Other);
        let mut inside: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(executable).collect();
        inside.sort();
        found.extend(inside);
    }
    found.truncate(most);
    found
}

/// Fetches a goroutine profile of a running program.
fn fetch(url: &str) -> Result<impl Read + use<>, InputError> {
    let refuse = |why: String| InputError::Http { url: url.to_owned(), why };
    let response = http::agent(HTTP_TIMEOUT, HTTP_TIMEOUT).get(url).call().map_err(|e| refuse(e.to_string()))?;
    if response.body().mime_type() == Some("application/octet-stream") {
        let why = "it is in pprof's binary form; ask for its text: ?debug=1 counts by stack, ?debug=2 writes every goroutine \
                   and lets the program stand still meanwhile";
        return Err(refuse(why.to_owned()));
    }
    Ok(response.into_body().into_reader())
}

/// The text of a source file: only of a regular file (no link, device or FIFO), and only if it is not too large.
#[must_use]
pub fn read_source(path: &Path) -> Option<String> {
    let meta = fs::symlink_metadata(path).ok()?;
    if !meta.is_file() || meta.len() > MAX_SOURCE {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_SOURCE).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
