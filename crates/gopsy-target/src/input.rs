//! Texts from outside: files, pipes, profiles of running programs; and source files to show lines of.

use crate::http;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Of a device that never ends (`/dev/urandom`) so much is read.
const MAX_OF_DEVICE: u64 = 64 << 20;
/// A source file larger than this is not shown.
const MAX_SOURCE: u64 = 8 << 20;
/// How long a profile may take to arrive.
const HTTP_TIMEOUT: Duration = Duration::from_secs(30);

/// What a TARGET turned out to be.
pub enum Input {
    /// Bytes to be read as a text.
    Text(Box<dyn Read>),
    /// An ELF core file, perhaps compressed.
    Core(PathBuf),
    /// An executable: nothing died here.
    Executable(PathBuf),
    /// A folder: the texts and cores in it, by name.
    Folder(Vec<PathBuf>),
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
        return Ok(Input::Text(Box::new(io::stdin().lock())));
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
    let mut file = File::open(path).map_err(io_error)?;
    if meta.is_file() {
        let mut head = [0u8; 20];
        let n = file.read(&mut head).map_err(io_error)?;
        match is_core(head.get(..n).unwrap_or(&[])) {
            Some(true) => return Ok(Input::Core(path.to_owned())),
            Some(false) => return Ok(Input::Executable(path.to_owned())),
            None if file.try_clone().is_ok_and(crate::unpack::holds_core) => return Ok(Input::Core(path.to_owned())),
            None => {}
        }
        file.seek(SeekFrom::Start(u64::try_from(n).unwrap_or(0))).map_err(io_error)?;
        let start = io::Cursor::new(head.get(..n).unwrap_or(&[]).to_vec());
        return Ok(Input::Text(Box::new(start.chain(file))));
    }
    use std::os::unix::fs::FileTypeExt;
    if meta.file_type().is_char_device() {
        use std::io::IsTerminal;
        return Ok(if file.is_terminal() {
            Input::Text(Box::new(file))
        } else {
            Input::Text(Box::new(file.take(MAX_OF_DEVICE)))
        });
    }
    Ok(Input::Text(Box::new(file)))
}

/// Whether a file that begins so is a core; `None` if it is no ELF file.
pub(crate) fn is_core(head: &[u8]) -> Option<bool> {
    let (order, kind) = (head.get(5)?, head.get(16..18)?.first_chunk()?);
    // e_type, in the byte order that e_ident names.
    let kind = if *order == 2 { u16::from_be_bytes(*kind) } else { u16::from_le_bytes(*kind) };
    head.starts_with(b"\x7fELF").then_some(kind == 4)
}

/// The texts and cores of a folder, by name; other files are passed over. A text is told by its ending, a core by what it is.
fn folder(path: &Path) -> Result<Input, InputError> {
    let io_error = |error| InputError::Io { what: path.display().to_string(), error };
    let mut texts = Vec::new();
    for entry in fs::read_dir(path).map_err(io_error)? {
        let file = entry.map_err(io_error)?.path();
        let ending = file.extension().and_then(|e| e.to_str()).unwrap_or("");
        let text = matches!(ending, "txt" | "log" | "out" | "json" | "gz" | "zst");
        if fs::metadata(&file).is_ok_and(|m| m.is_file()) && (text || begins_as(&file) == Some(Elf::Core)) {
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
