//! Files, mapped.

use crate::TargetError;
use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A regular file, mapped privately and read-only.
///
/// Folklore: a mapping whose file becomes shorter faults with SIGBUS where the pages are gone, and somebody may well clean
/// up a core while it is read. Nothing in safe Rust can take that back, so readers of cores ask [`MappedFile::unchanged`]
/// before every read: that turns the usual case into an error and leaves a race of some nanoseconds, in which gopsy dies
/// of SIGBUS but never answers wrongly. Copying instead would cost the memory that cores are famous for.
#[derive(Debug)]
pub struct MappedFile {
    map: memmap2::Mmap,
    file: File,
    stamp: Stamp,
    path: PathBuf,
}

/// What changes when a file is truncated or written to.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Stamp { len: metadata.len(), modified: metadata.modified().ok() }
    }
}

impl MappedFile {
    /// Maps a file. Only regular files are opened: opening a FIFO or a device can block or act.
    ///
    /// # Errors
    /// When it is not a regular file, or the system refuses.
    pub fn open(path: &Path) -> Result<Self, TargetError> {
        let io = |error| TargetError::Io { path: path.to_owned(), error };
        if !std::fs::metadata(path).map_err(io)?.is_file() {
            return Err(TargetError::NotRegular(path.to_owned()));
        }
        let file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Err(TargetError::NotRegular(path.to_owned()));
        }
        // SAFETY: the mapping is private and read-only and lives as long as `self`. What `Mmap::map` asks for besides is
        // that the file is not changed underneath: gopsy cannot promise it for a file of somebody else's. The bytes are
        // only ever read as plain integers and byte strings, for which every bit pattern is valid and which no code here
        // reads twice expecting the same; a truncation is treated above.
        #[expect(unsafe_code, reason = "mapping a file is the one thing this crate needs unsafe for")]
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(io)?;
        Ok(MappedFile { map, stamp: Stamp::of(&metadata), file, path: path.to_owned() })
    }

    /// Whether the file still has the length and the time of change that it had when it was opened.
    #[must_use]
    pub fn unchanged(&self) -> bool {
        self.file.metadata().is_ok_and(|m| Stamp::of(&m) == self.stamp)
    }

    /// Its path, as given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_truncated_file_is_noticed() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"hello").unwrap();
        let mapped = MappedFile::open(file.path()).unwrap();
        assert_eq!(mapped.as_ref(), b"hello");
        assert!(mapped.unchanged());
        file.as_file().set_len(2).unwrap();
        assert!(!mapped.unchanged());
    }

    #[test]
    fn only_regular_files_are_opened() {
        assert!(matches!(MappedFile::open(Path::new("/dev/null")), Err(TargetError::NotRegular(_))));
        assert!(matches!(MappedFile::open(Path::new("/")), Err(TargetError::NotRegular(_))));
        assert!(matches!(MappedFile::open(Path::new("/nonexistent/x")), Err(TargetError::Io { .. })));
    }
}
