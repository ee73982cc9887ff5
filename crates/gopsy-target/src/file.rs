//! Files, mapped.

use crate::TargetError;
use rustix::fs::OFlags;
use std::fs::{File, Metadata, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A regular file, mapped privately and read-only.
///
/// For executables and debug files, which are parsed as one slice. Cores are not mapped (see `content`).
///
/// Folklore: a mapping whose file becomes shorter faults with SIGBUS where the pages are gone. Nothing in safe Rust can
/// take that back. Executables are replaced by a rename and seldom truncated, so this is borne with;
/// [`MappedFile::unchanged`] tells the rest.
#[derive(Debug)]
pub struct MappedFile {
    map: memmap2::Mmap,
    file: File,
    stamp: Stamp,
    path: PathBuf,
}

/// Opens a regular file for reading, and nothing else: opening a FIFO or a device can block or act. Without waiting, in
/// case that another kind of file took its place after it was looked at.
pub(crate) fn open_regular(path: &Path) -> Result<(File, Metadata), TargetError> {
    let io = |error| TargetError::Io { path: path.to_owned(), error };
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(TargetError::NotRegular(path.to_owned()));
    }
    let no_wait = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(no_wait).open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err(TargetError::NotRegular(path.to_owned())) }
}

/// What changes when a file is truncated or written to.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) len: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Stamp { len: metadata.len(), modified: metadata.modified().ok() }
    }
}

impl MappedFile {
    /// Maps a file. Only regular files are opened.
    ///
    /// # Errors
    /// When it is not a regular file, or the system refuses.
    pub fn open(path: &Path) -> Result<Self, TargetError> {
        let (file, metadata) = open_regular(path)?;
        let io = |error| TargetError::Io { path: path.to_owned(), error };
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
