//! The source around a frame.
//!
//! Paths in a crash text are those of the machine that built the program, and a hostile text names what it likes. So
//! nothing is opened here: candidates are made, and the caller's reader (which opens regular files only) says which of
//! them exists. A file that was only found by the end of its path must also look like the one that was compiled.

use gopsy_model::{Culprit, FunctionName};
use gopsy_program::key::base_name;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Lines around the culprit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLines {
    /// The file that was read.
    pub path: PathBuf,
    /// Was it found under the very name that the program carries (or the one `--path-map` makes of it)?
    pub as_printed: bool,
    /// Line numbers and lines.
    pub lines: Vec<(i64, String)>,
    /// The number of the line in question.
    pub line: i64,
}

/// One replacement of `--path-map FROM=TO`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathMap {
    /// How the path begins in the program.
    pub from: String,
    /// How it begins here.
    pub to: String,
}

impl std::str::FromStr for PathMap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((from, to)) if !from.is_empty() => Ok(PathMap { from: from.to_owned(), to: to.to_owned() }),
            _ => Err(format!("{text:?} is not of the form FROM=TO")),
        }
    }
}

/// What Go programs are made of: Go, assembly, C and its kin, and generators that leave their mark with `//line`.
const EXTENSIONS: &[&str] = &["go", "s", "c", "h", "cc", "cpp", "m", "y", "rl", "templ", "goc"];

/// Elements of the longest end of a path that is looked for.
const DEEPEST: usize = 64;

/// A file that could be the one of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where it may be.
    pub path: PathBuf,
    /// The name is the printed one, not only an end of it.
    pub as_printed: bool,
}

/// Where the file of a frame may be, best first: as the maps say, as printed, then ever shorter ends of the path,
/// relative to the working folder. Empty for what is no source file, for devices and for network paths.
#[must_use]
pub fn candidates(file: &str, maps: &[PathMap]) -> Vec<Candidate> {
    let normal = file.replace('\\', "/");
    let extension = base_name(file).rsplit_once('.').map_or("", |(_, extension)| extension);
    let extension = extension.to_ascii_lowercase();
    let climbs = normal.split('/').any(|element| element == "..");
    if !EXTENSIONS.contains(&extension.as_str()) || normal.contains('\0') || normal.contains("//") || climbs {
        return Vec::new();
    }
    let mut out: Vec<Candidate> = Vec::new();
    let mut add = |path: &str, as_printed: bool| {
        let path = Path::new(path);
        let special = ["/dev", "/proc", "/sys"].iter().any(|root| path.starts_with(root));
        if !special && !out.iter().any(|c| c.path == path) {
            out.push(Candidate { path: path.to_path_buf(), as_printed });
        }
    };
    for map in maps {
        // Whole elements only: `/src` must not match `/srcs`.
        let from = map.from.trim_end_matches(['/', '\\']).replace('\\', "/");
        if let Some(rest) = normal.strip_prefix(&from)
            && rest.starts_with('/')
        {
            add(&format!("{}{rest}", map.to.trim_end_matches(['/', '\\'])), true);
        }
    }
    if normal.starts_with('/') {
        add(file, true);
    }
    let mut rest = normal.trim_start_matches('/');
    if rest.get(1..2) == Some(":") {
        rest = rest.get(2..).unwrap_or("").trim_start_matches('/');
    }
    // Each end is looked for in the file system: a path of thousands of elements is nobody's.
    for _ in DEEPEST..rest.split('/').count() {
        rest = rest.split_once('/').map_or(rest, |(_, shorter)| shorter);
    }
    loop {
        add(rest, false);
        match rest.split_once('/') {
            Some((_, shorter)) => rest = shorter,
            None => break,
        }
    }
    out
}

/// A file, split into its lines.
type Lines = Rc<Vec<String>>;

/// Source files that were read, so that many lines of one file cost one reading.
pub struct Files<'r> {
    read: &'r dyn Fn(&Path) -> Option<String>,
    known: RefCell<HashMap<PathBuf, Option<Lines>>>,
}

impl<'r> Files<'r> {
    /// Files as `read` gives them: the text of a regular file, or nothing.
    #[must_use]
    pub fn new(read: &'r dyn Fn(&Path) -> Option<String>) -> Self {
        Files { read, known: RefCell::default() }
    }

    fn of(&self, path: &Path) -> Option<Lines> {
        if let Some(known) = self.known.borrow().get(path) {
            return known.clone();
        }
        let lines = (self.read)(path).map(|text| Rc::new(text.lines().map(str::to_owned).collect()));
        self.known.borrow_mut().insert(path.to_owned(), lines.clone());
        lines
    }

    /// As [`lines`].
    #[must_use]
    pub fn lines(
        &self,
        culprit: &Culprit,
        go_version: Option<&str>,
        maps: &[PathMap],
        around: u32,
    ) -> Option<SourceLines> {
        let line = culprit.line.filter(|l| *l > 0)?;
        let file = culprit.file.as_deref()?;
        let number = usize::try_from(line).ok()?;
        for candidate in candidates(file, maps) {
            let Some(all) = self.of(&candidate.path) else { continue };
            if self.release_of(&candidate.path).is_some_and(|release| go_version != Some(release.as_str())) {
                continue;
            }
            // Generated files (`//line` in a parser) need not name the function; their printed name must do.
            let named = names(&culprit.function);
            let trusted = candidate.as_printed && (named.is_none() || !file.ends_with(".go"));
            let fits = trusted || named.is_some_and(|name| fits(file, &all, number, name, receiver(&culprit.function)));
            if number > all.len() || !fits {
                continue;
            }
            let around = around as usize;
            let from = number.saturating_sub(around).max(1);
            let to = number.saturating_add(around).min(all.len());
            let lines = (from..=to).filter_map(|n| {
                let text = all.get(n - 1)?.trim_end();
                Some((i64::try_from(n).ok()?, text.chars().take(MAX_LINE).collect()))
            });
            return Some(SourceLines {
                path: candidate.path,
                as_printed: candidate.as_printed,
                lines: without_margin(lines.collect()),
                line,
            });
        }
        None
    }

    /// The release of the Go installation that a file belongs to, if it does.
    fn release_of(&self, file: &Path) -> Option<String> {
        let src = file.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "src"))?;
        let version = self.of(&src.parent()?.join("VERSION"))?;
        let release = version.first()?.trim();
        release.starts_with("go").then(|| release.to_owned())
    }
}

/// The lines `around` the culprit's, from the first candidate that exists and fits.
///
/// `read` gives the text of a regular file, or nothing; it is asked for candidates only, and for the `VERSION` beside
/// the `src` of a Go installation: a file of another release than `go_version` (`go1.26.8`) is not the one.
#[must_use]
pub fn lines(
    culprit: &Culprit,
    go_version: Option<&str>,
    maps: &[PathMap],
    around: u32,
    read: &dyn Fn(&Path) -> Option<String>,
) -> Option<SourceLines> {
    Files::new(read).lines(culprit, go_version, maps, around)
}

/// Longer lines are generated code.
const MAX_LINE: usize = 400;

/// The name by which a function is declared in its file: `run` for `main.(*T).run.func1`; `None` for what has no name
/// there (`main.glob..func1`, `main.init.0`).
fn names(function: &str) -> Option<&str> {
    let start = FunctionName(function.into()).package().map_or(0, str::len);
    let local = function.get(start..)?;
    let name =
        local.split(['.', '\u{b7}', '(', ')', '*', '[', ']', '-']).filter(|part| !part.is_empty()).rfind(|part| {
            let word = part.trim_end_matches(|c: char| c.is_ascii_digit());
            !matches!(word, "func" | "gowrap" | "deferwrap" | "range" | "fm" | "" | "…")
        })?;
    (name != "glob" && name != "init").then_some(name)
}

/// The type of a method with a pointer receiver: `T` for `main.(*T[...]).run.func1`. In other forms (`main.T.run`) it
/// cannot be told from a function around a closure.
fn receiver(function: &str) -> Option<&str> {
    let (_, behind) = function.rsplit_once("(*")?;
    behind.split(['[', ')']).next().filter(|name| !name.is_empty())
}

/// Does the line stand inside of the function? `main.go` is everywhere, and a file may be of another version than the
/// program.
fn fits(file: &str, lines: &[String], number: usize, name: &str, receiver: Option<&str>) -> bool {
    let above = lines.get(..number).unwrap_or(lines);
    if !file.ends_with(".go") {
        // In C and assembly the name must stand somewhere above.
        return above.iter().any(|line| has_word(line, name));
    }
    // The declaration around the line: the nearest line above that begins at the margin. `func (s *Store) Put(`,
    // `var Put = func(`; a closing brace there means that the line stands outside of it.
    for (i, line) in above.iter().enumerate().rev() {
        let first = line.chars().next();
        let inner = first.is_none_or(char::is_whitespace) || line.starts_with("//") || line.trim_end().ends_with(':');
        let signature = line.starts_with(')') && line.trim_end().ends_with('{');
        let closing = matches!(first, Some('}' | ')'));
        if inner || signature || (closing && i + 1 == number) {
            continue;
        }
        return !closing && has_word(line, name) && receiver.is_none_or(|of| has_word(line, of));
    }
    false
}

fn has_word(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(i, _)| {
        let before = line.get(..i).unwrap_or("").chars().next_back();
        let after = line.get(i + name.len()..).unwrap_or("").chars().next();
        let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !inside(before) && !inside(after)
    })
}

/// Takes away the indent that all lines share.
fn without_margin(mut lines: Vec<(i64, String)>) -> Vec<(i64, String)> {
    for (_, line) in &mut lines {
        *line = line.replace('\t', "    ");
    }
    let margin = lines
        .iter()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(_, line)| line.len() - line.trim_start_matches(' ').len())
        .min()
        .unwrap_or(0);
    for (_, line) in &mut lines {
        line.drain(..margin.min(line.len()));
    }
    lines
}
