//! The folder of a specimen, and the zoo as a whole.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::Expect;

/// One specimen: its source, its expectation and the place of its texts.
#[derive(Debug, Clone)]
pub struct Specimen {
    pub name: String,
    pub folder: PathBuf,
    pub expect: Expect,
    /// The source lines that carry the comment `// culprit`.
    pub marks: Vec<Mark>,
    texts: PathBuf,
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
                specimens.push(Specimen::load(&path, &root.join("texts"))?);
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
    fn load(folder: &Path, texts: &Path) -> Result<Self> {
        let name = folder
            .file_name()
            .and_then(|n| n.to_str())
            .with_context(|| format!("{}: the name is not UTF-8", folder.display()))?
            .to_owned();
        let file = folder.join("expect.toml");
        let written = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let expect = toml::from_str(&written).with_context(|| file.display().to_string())?;
        Ok(Self { texts: texts.join(&name), marks: marks_in(folder)?, folder: folder.to_owned(), name, expect })
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

/// All files below a folder, ordered by path.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn marks_in(folder: &Path) -> Result<Vec<Mark>> {
    let mut marks = Vec::new();
    for path in files_below(folder)? {
        let Some(file) = path.file_name().and_then(|n| n.to_str()) else {
            continue;
        };
        if ![".go", ".c", ".s"].iter().any(|e| file.ends_with(e)) {
            continue;
        }
        for (index, line) in fs::read_to_string(&path)?.lines().enumerate() {
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
