//! Files, mapped.

mod guard;

use crate::TargetError;
use guard::Guard;
use rustix::fs::OFlags;
use std::collections::BTreeSet;
use std::fs::{File, Metadata, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

/// A regular file, mapped privately and read-only.
///
/// For executables and debug files, which are parsed as one slice. Cores are not mapped (see `content`).
///
/// Folklore: a mapping whose file becomes shorter faults with SIGBUS where the pages are gone (a linker that writes an executable anew, a
/// copy over it). They read as zeros then, and [`changed_files`] has the file's name.
#[derive(Debug)]
pub struct MappedFile {
    // Before the mapping: it must be gone first.
    guard: Guard,
    map: memmap2::Mmap,
    file: File,
    stamp: Stamp,
    path: PathBuf,
}

/// The folder in which a file lies. That of a bare name is this one.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
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
        // reads twice expecting the same; of a truncation takes care what guards it.
        #[expect(unsafe_code, reason = "mapping a file is the one thing this crate needs unsafe for")]
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(io)?;
        let too_many = || io(std::io::Error::other("too many files are mapped already"));
        let guard = Guard::over(&map).ok_or_else(too_many)?;
        Ok(MappedFile { guard, map, stamp: Stamp::of(&metadata), file, path: path.to_owned() })
    }

    /// Whether the file still has the length and the time of change that it had when it was opened.
    #[must_use]
    pub fn unchanged(&self) -> bool {
        !self.guard.lost() && self.file.metadata().is_ok_and(|m| Stamp::of(&m) == self.stamp)
    }

    /// Its path, as given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The files that were found to have changed while they were mapped.
static CHANGED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The files that changed while they were mapped, of those that are mapped no more: what was read of them may be wrong.
#[must_use]
pub fn changed_files() -> Vec<PathBuf> {
    CHANGED.lock().map(|changed| changed.iter().cloned().collect()).unwrap_or_default()
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        if !self.unchanged()
            && let Ok(mut changed) = CHANGED.lock()
        {
            changed.insert(std::mem::take(&mut self.path));
        }
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
    fn what_a_truncation_took_reads_as_zeros() {
        const PAGE: usize = 4096;
        let mut files: Vec<_> = (0..3).map(|_| tempfile::NamedTempFile::new().unwrap()).collect();
        files.iter_mut().for_each(|file| file.write_all(&[7; 5 * PAGE]).unwrap());
        let mapped: Vec<_> = files.iter().map(|file| MappedFile::open(file.path()).unwrap()).collect();
        assert!(mapped.iter().all(|m| m.as_ref() == [7; 5 * PAGE]));
        files[1].as_file().set_len(PAGE as u64 + 10).unwrap();
        let (held, lost) = mapped[1].as_ref().split_at(PAGE + 10);
        assert!(held.iter().all(|byte| *byte == 7) && lost.iter().all(|byte| *byte == 0));
        assert!(mapped[1].guard.lost() && !mapped[1].unchanged());
        // What the file has again is not seen any more.
        files[1].as_file().set_len(5 * PAGE as u64).unwrap();
        assert!(!mapped[1].unchanged());
        assert!([0, 2].iter().all(|i| !mapped[*i].guard.lost() && mapped[*i].unchanged()));
        drop(mapped);
        let changed = changed_files();
        assert_eq!(
            files.iter().map(|f| changed.contains(&f.path().to_owned())).collect::<Vec<_>>(),
            [false, true, false]
        );
    }

    #[test]
    fn only_regular_files_are_opened() {
        assert!(matches!(MappedFile::open(Path::new("/dev/null")), Err(TargetError::NotRegular(_))));
        assert!(matches!(MappedFile::open(Path::new("/")), Err(TargetError::NotRegular(_))));
        assert!(matches!(MappedFile::open(Path::new("/nonexistent/x")), Err(TargetError::Io { .. })));
    }
}
