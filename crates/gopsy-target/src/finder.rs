//! Where the files lie that a process had mapped: the executable, its libraries, their debug information.
//!
//! A path of a core is a path of another machine, a container or last week. Whatever lies there here and now is taken only
//! if it is proved to be the file that ran; see [`Core::compare`].

mod debug;
mod debuginfod;
mod library;
mod root;

pub use debug::FoundDebug;
pub use debuginfod::{Artifact, Debuginfod, Fetch, Request};

use crate::attach::{Attachment, Comparison, Told};
use crate::core::Core;
use crate::file::MappedFile;
use crate::mapped::MappedElf;
use gopsy_image::{Bytes, Image, ImageError, hex};
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where debug files lie that belong to the machine's packages.
const DEBUG_DIR: &str = "/usr/lib/debug";
/// What the kernel writes behind the path of a file that was removed (`fs/d_path.c`).
const DELETED: &[u8] = b" (deleted)";

/// Where to look for files.
#[derive(Debug, Clone)]
pub struct Finder {
    /// The root of the file system in which the process ran, if that is not this machine's: a container's.
    pub root: Option<PathBuf>,
    /// Files, and folders of files, that somebody named.
    pub bins: Vec<PathBuf>,
    /// Folders of debug files, in the form of `/usr/lib/debug`.
    pub debug_dirs: Vec<PathBuf>,
    /// A folder to look in by name: where the core lies.
    pub beside: Option<PathBuf>,
    /// Who is asked for what is nowhere here.
    pub fetch: Option<Arc<dyn Fetch>>,
}

impl Default for Finder {
    fn default() -> Self {
        Finder { root: None, bins: Vec::new(), debug_dirs: vec![PathBuf::from(DEBUG_DIR)], beside: None, fetch: None }
    }
}

/// How a file was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By the path in the core.
    Path,
    /// By that path below the given root.
    Root,
    /// By its name, beside the core.
    Beside,
    /// It was named.
    Named,
    /// By its build id in a folder of debug files.
    BuildId,
    /// By the link in the executable (`.gnu_debuglink`).
    DebugLink,
    /// From a debuginfod server.
    Fetched,
    /// From the memory of the process.
    Memory,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            How::Path => "the path in the core",
            How::Root => "that path below the root",
            How::Beside => "beside the core",
            How::Named => "named",
            How::BuildId => "by build id",
            How::DebugLink => "by debug link",
            How::Fetched => "from debuginfod",
            How::Memory => "from the core's own memory",
        })
    }
}

const READ_INSTEAD: &str = "what the core holds of its memory is read instead: all of its code and constants";

/// A file that was mapped.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// How it was found.
    pub how: How,
    /// Whether it is the right one, and what tells.
    pub id: Comparison,
    /// The file itself.
    pub image: Arc<Image>,
    /// What a person should know of how it came to be the program.
    pub remarks: Vec<String>,
}

impl Found {
    /// Whether it is proved to be the file that was mapped.
    #[must_use]
    pub fn proved(&self) -> bool {
        self.id.answer == Attachment::Same
    }

    /// Whether it was cut off before the end of what is mapped when it runs.
    fn lacks_what_is_loaded(&self) -> bool {
        self.image.cut().is_some_and(|cut| cut.loaded)
    }
}

/// What to say of an executable that nothing proves to be the one.
#[must_use]
pub fn unproved(path: &Path, comparison: Comparison) -> String {
    let fits = match comparison.told {
        Told::Tables(_) => " (its Go tables lie where the core says, but another build may be as large)",
        _ => "",
    };
    format!(
        "the core does not hold the build id, so nothing proves that {} wrote it{fits}; no memory was taken from it",
        path.display()
    )
}

/// A path that was looked at in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// The path, or the URL.
    pub path: PathBuf,
    /// Why it was looked at.
    pub how: How,
    /// Why it was not taken.
    pub why: String,
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.path.display(), self.how, self.why)
    }
}

/// Every place that was looked at, in order.
#[derive(Debug, Clone, Default)]
pub struct Tried {
    /// The places.
    pub misses: Vec<Miss>,
    /// The first file of which nothing tells whether it is the right one. Its memory is not the core's, but its function
    /// table may be asked, if somebody says that it is the one.
    pub doubtful: Option<Box<Found>>,
    /// The first that is proved to be the one, but was cut off.
    cut: Option<Box<Found>>,
    /// What the first file is that is there and was not taken.
    refused: Option<Box<str>>,
}

impl Tried {
    /// What whoever wants to know more can do, in sentences.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        let mut name = "name it with --bin, or the root of its container's file system with --root".to_owned();
        if !self.misses.iter().any(|miss| miss.how == How::Fetched) {
            name.push_str(", or ask servers with --debuginfod");
        }
        // `b.WorkDir` of cmd/go/internal/work.
        let passing = |part: &OsStr| part.as_encoded_bytes().starts_with(b"go-build");
        let gone = self.misses.iter().any(|miss| miss.path.iter().any(passing)).then(|| {
            "`go run` and `go test` build there and remove it when they end: `go build` and `go test -c` leave the binary, -work the \
             folder"
                .to_owned()
        });
        [Some(name), gone].into_iter().flatten().collect()
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, miss) in self.misses.iter().enumerate() {
            write!(f, "{}{miss}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl Finder {
    /// This finder, which looks in the folder of a core, too, unless it was told another.
    #[must_use]
    pub fn near(&self, core: &Core) -> Finder {
        let beside = self.beside.clone().or_else(|| core.folder().map(Path::to_owned));
        Finder { beside, ..self.clone() }
    }

    /// Looks for the executable that wrote a core. The first that is proved to be the one is taken; where there is none, what the
    /// core itself holds of it, if that is all; else the first of which nothing tells whether it is the one. Where the executable has
    /// no Go, but a library has that it loaded, the core takes that for the program.
    ///
    /// # Errors
    /// Everything that was tried, each with its reason.
    pub fn program(&self, core: &mut Core) -> Result<Found, Tried> {
        let executable = core.program();
        let found = self.locate(core, &executable);
        let is_go = match &found {
            Ok(found) => library::has_go(&found.image),
            Err(_) => library::is_go(core, &executable),
        };
        let found = if is_go { found } else { library::instead(self, core, &executable, found) };
        found.inspect(|found| self.supply_debug(&found.image, &found.path))
    }

    /// A file that was mapped, or what the core itself holds of it.
    fn locate(&self, core: &Core, file: &MappedElf) -> Result<Found, Tried> {
        let mut tried = match self.find(core, file) {
            Ok(found) if !found.lacks_what_is_loaded() => return Ok(found),
            Ok(found) => {
                let refused = found.remarks.first().map(|remark| remark.as_str().into());
                Tried { misses: Vec::new(), doubtful: Some(Box::new(found)), cut: None, refused }
            }
            Err(tried) => tried,
        };
        match in_memory(core, file) {
            Ok(mut found) => {
                // Of what was named the alarm says it.
                let instead = || {
                    let refused = tried.refused.take().unwrap_or_else(|| "the binary is not here".into());
                    format!("{refused}; {READ_INSTEAD}")
                };
                found.remarks.extend(self.bins.is_empty().then(instead));
                Ok(found)
            }
            Err(miss) => {
                tried.misses.push(miss);
                tried.doubtful.take().map(|found| *found).ok_or(tried)
            }
        }
    }

    /// What must be said before all else: that a program was taken which is not the one that was named.
    #[must_use]
    pub fn alarm(&self, found: &Found) -> Option<String> {
        if self.bins.is_empty() || found.how == How::Named {
            return None;
        }
        let path = found.path.display();
        let taken = match found.how {
            How::Memory => READ_INSTEAD.to_owned(),
            _ if found.proved() => format!("{path} is"),
            _ => format!("{path} may be"),
        };
        Some(format!("what was named is NOT the binary that wrote this core; {taken}"))
    }

    /// Looks for a file that was mapped. The first that is proved to be the one is taken; one that was cut off only where there is no
    /// other.
    ///
    /// # Errors
    /// Everything that was tried, each with its reason.
    pub fn find(&self, core: &Core, file: &MappedElf) -> Result<Found, Tried> {
        self.find_whole(core, file).or_else(|mut tried| tried.cut.take().map(|found| *found).ok_or(tried))
    }

    fn find_whole(&self, core: &Core, file: &MappedElf) -> Result<Found, Tried> {
        let mut tried = Tried::default();
        let mut seen: Vec<PathBuf> = Vec::new();
        for (how, path) in self.candidates(file) {
            let path = match path {
                Ok(path) if seen.contains(&path) => continue,
                Ok(path) => path,
                Err(miss) => {
                    tried.misses.push(miss);
                    continue;
                }
            };
            match look(core, file, &path, how, &mut tried) {
                Some(found) => return Ok(found),
                None => seen.push(path),
            }
        }
        if let (Some(fetch), Some(id)) = (&self.fetch, &file.build_id) {
            let request = Request { build_id: id.clone(), artifact: Artifact::Executable };
            match fetch.fetch(&request) {
                Ok(path) => {
                    if let Some(found) = look(core, file, &path, How::Fetched, &mut tried) {
                        return Ok(found);
                    }
                }
                Err(why) => tried.misses.push(Miss { path: PathBuf::from(request.path()), how: How::Fetched, why }),
            }
        }
        Err(tried)
    }

    /// The paths to look at, in order: what somebody named comes first.
    fn candidates(&self, file: &MappedElf) -> Vec<(How, Result<PathBuf, Miss>)> {
        let bytes = file.path.strip_suffix(DELETED).unwrap_or(&file.path);
        let path = Path::new(OsStr::from_bytes(bytes));
        let name = path.file_name().filter(|_| !bytes.is_empty());
        let mut out = Vec::new();
        for bin in &self.bins {
            match name {
                Some(name) if bin.is_dir() => out.push((How::Named, Ok(bin.join(name)))),
                _ => out.push((How::Named, Ok(bin.clone()))),
            }
        }
        if path.is_absolute() {
            out.push((How::Path, Ok(path.to_owned())));
        } else if !bytes.is_empty() {
            let why = "it is not an absolute path".to_owned();
            out.push((How::Path, Err(Miss { path: path.to_owned(), how: How::Path, why })));
        }
        if let Some(root) = &self.root {
            out.push((How::Root, below(root, path, How::Root)));
        }
        if let (Some(beside), Some(name)) = (&self.beside, name) {
            out.push((How::Beside, Ok(beside.join(name))));
        }
        if let Some(id) = &file.build_id {
            out.extend(self.by_build_id(id, "").into_iter().map(|path| (How::BuildId, path)));
        }
        out
    }

    /// That path in each folder of debug files, the one below the root first.
    fn in_debug_dirs<'a>(&'a self, path: &'a Path, how: How) -> impl Iterator<Item = Result<PathBuf, Miss>> {
        let in_root = self.root.iter().map(move |root| below(root, &Path::new(DEBUG_DIR).join(path), how));
        in_root.chain(self.debug_dirs.iter().map(move |dir| Ok(dir.join(path))))
    }

    /// `.build-id/ab/cdef…` in each of them.
    fn by_build_id(&self, id: &[u8], ending: &str) -> Vec<Result<PathBuf, Miss>> {
        let text = hex(id);
        match text.split_at_checked(2).filter(|(_, rest)| !rest.is_empty()) {
            Some((a, b)) => {
                let path = PathBuf::from(format!(".build-id/{a}/{b}{ending}"));
                self.in_debug_dirs(&path, How::BuildId).collect()
            }
            None => Vec::new(),
        }
    }
}

/// The program as the core itself has it.
fn in_memory(core: &Core, file: &MappedElf) -> Result<Found, Miss> {
    let (path, how) = (PathBuf::from(OsStr::from_bytes(&file.path)), How::Memory);
    let miss = |why: String| Miss { path: path.clone(), how, why };
    let bytes = core.rebuilt(file).map_err(|gaps| match gaps.mapped {
        0 => miss("the core names no file that was mapped there".to_owned()),
        _ => miss(format!("the core holds {} of the {} bytes of its code and constants", gaps.held, gaps.mapped)),
    })?;
    let image = Image::of_memory(Arc::new(bytes)).map_err(|error| miss(error.to_string()))?;
    let id = Comparison { answer: Attachment::Same, told: Told::Memory };
    Ok(Found { path, how, id, image: Arc::new(image), remarks: Vec::new() })
}

/// A path below a root, or why there is none.
fn below(root: &Path, path: &Path, how: How) -> Result<PathBuf, Miss> {
    root::resolve(root, path).map_err(|error| Miss {
        path: root.join(path.strip_prefix("/").unwrap_or(path)),
        how,
        why: in_words(&error),
    })
}

fn in_words(error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::NotFound { "not there".to_owned() } else { error.to_string() }
}

/// Looks at one candidate.
fn look(core: &Core, file: &MappedElf, path: &Path, how: How, tried: &mut Tried) -> Option<Found> {
    let miss = |tried: &mut Tried, why: String| tried.misses.push(Miss { path: path.to_owned(), how, why });
    let image = match open(path) {
        Ok(image) => Arc::new(image),
        Err(why) => {
            miss(tried, why);
            return None;
        }
    };
    let id = core.compare(file, &image);
    let remarks = || image.cut().map(|cut| format!("{}: {cut}", path.display())).into_iter().collect();
    let found = || Found { path: path.to_owned(), how, id, image: Arc::clone(&image), remarks: remarks() };
    match (id.answer, image.cut()) {
        (Attachment::Same, None) => return Some(found()),
        (Attachment::Same, Some(cut)) => {
            miss(tried, cut.to_string());
            tried.cut.get_or_insert_with(|| Box::new(found()));
        }
        (Attachment::Other, _) => {
            miss(tried, id.to_string());
            tried.refused.get_or_insert_with(|| {
                format!("{} is not the binary that wrote this core: {id}", path.display()).into()
            });
        }
        (Attachment::CannotTell, _) => {
            miss(tried, id.to_string());
            tried.doubtful.get_or_insert_with(|| Box::new(found()));
        }
    }
    None
}

/// Opens an executable or a shared object.
///
/// # Errors
/// Why not, in words.
pub fn open(path: &Path) -> Result<Image, String> {
    open_as(path, Image::parse)
}

/// As [`open`], also of 32 bits ([`Image::parse_any`]).
///
/// # Errors
/// Why not, in words.
pub fn open_any(path: &Path) -> Result<Image, String> {
    open_as(path, Image::parse_any)
}

fn open_as(path: &Path, parse: fn(Bytes) -> Result<Image, ImageError>) -> Result<Image, String> {
    let mapped = MappedFile::open(path).map_err(|error| match error {
        crate::TargetError::Io { error, .. } => in_words(&error),
        crate::TargetError::NotRegular(_) => "not a regular file".to_owned(),
        other => other.to_string(),
    })?;
    parse(Arc::new(mapped)).map_err(|error| error.to_string())
}
