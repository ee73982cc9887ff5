//! The folder of a specimen, and the zoo as a whole.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::Expect;

const EXPECT: &str = "expect.toml";

/// One specimen: its source, its expectation and the place of its texts.
#[derive(Debug, Clone)]
pub struct Specimen {
    pub name: String,
    pub folder: PathBuf,
    pub expect: Expect,
    /// The source lines that carry the comment `// culprit`.
    pub marks: Vec<Mark>,
    sources: Vec<Source>,
    texts: PathBuf,
}

/// A file that a specimen is built from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source {
    /// Where it stands in the program's folder.
    pub(crate) name: PathBuf,
    /// Where it stands in the zoo.
    pub(crate) path: PathBuf,
}

/// A source line that a person should open first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    pub file: String,
    pub line: u64,
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// All specimens, ordered by name.
#[derive(Debug, Clone)]
pub struct Zoo {
    pub specimens: Vec<Specimen>,
}

impl Zoo {
    /// Loads every specimen under `root/specimens`.
    pub fn load(root: &Path) -> Result<Self> {
        let folder = root.join("specimens");
        let mut specimens = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                specimens.push(Specimen::load(&path, root)?);
            }
        }
        specimens.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { specimens })
    }

    /// The zoo that this crate was built from.
    pub fn own() -> Result<Self> {
        Self::load(Path::new(env!("CARGO_MANIFEST_DIR")))
    }

    pub fn get(&self, name: &str) -> Option<&Specimen> {
        self.specimens.iter().find(|s| s.name == name)
    }
}

impl Specimen {
    fn load(folder: &Path, root: &Path) -> Result<Self> {
        let name = folder
            .file_name()
            .and_then(|n| n.to_str())
            .with_context(|| format!("{}: the name is not UTF-8", folder.display()))?
            .to_owned();
        let file = folder.join(EXPECT);
        let written = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let expect: Expect = toml::from_str(&written).with_context(|| file.display().to_string())?;
        let sources = sources(folder, root, &expect.run.shares)?;
        let marks = marks_in(&sources)?;
        Ok(Self { texts: root.join("texts").join(&name), marks, sources, folder: folder.to_owned(), name, expect })
    }

    /// What it is built from, its own files and the shared ones, ordered by name.
    pub(crate) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The file that says how it is run and what is expected of it.
    pub(crate) fn expectation(&self) -> PathBuf {
        self.folder.join(EXPECT)
    }

    /// A race build needs cgo as well.
    pub fn needs_cgo(&self) -> bool {
        let run = &self.expect.run;
        run.needs.iter().any(|n| n == "cgo") || run.build.iter().any(|b| b == "-race")
    }

    /// Where the text of this Go version is kept.
    pub fn text_path(&self, version: &str) -> PathBuf {
        self.texts.join(format!("go{version}.txt"))
    }

    /// The recorded text. A program may print bytes that are not UTF-8.
    pub fn text(&self, version: &str) -> Result<String> {
        let path = self.text_path(version);
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// All files below a folder.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

fn sources(folder: &Path, root: &Path, shares: &[String]) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let shared = root.join("shared");
    let folders = shares.iter().map(|share| (shared.join(share), shared.as_path()));
    for (folder, from) in folders.chain([(folder.to_owned(), folder)]) {
        for path in files_below(&folder)? {
            let name = path.strip_prefix(from)?.to_owned();
            if name != Path::new(EXPECT) {
                sources.push(Source { name, path });
            }
        }
    }
    sources.sort();
    Ok(sources)
}

fn marks_in(sources: &[Source]) -> Result<Vec<Mark>> {
    let mut marks = Vec::new();
    for Source { path, .. } in sources {
        let Some(file) = path.file_name().and_then(|n| n.to_str()) else {
            continue;
        };
        if ![".go", ".c", ".s"].iter().any(|e| file.ends_with(e)) {
            continue;
        }
        for (index, line) in fs::read_to_string(path)?.lines().enumerate() {
            if is_marked(line) {
                let file = file.to_owned();
                let line = index as u64 + 1;
                marks.push(Mark { file, line });
            }
        }
    }
    marks.sort();
    Ok(marks)
}

fn is_marked(line: &str) -> bool {
    line.split_once("// culprit").is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with([' ', ':']))
}

#[cfg(test)]
mod tests {
    use super::is_marked;

    #[test]
    fn a_mark_is_the_whole_word() {
        assert!(is_marked("\tx := *p // culprit"));
        assert!(is_marked("\tx := *p // culprit: p is nil"));
        assert!(!is_marked("\tx := *p // culprits are many"));
        assert!(!is_marked("\tx := *p"));
    }
}
