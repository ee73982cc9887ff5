//! Compressed cores: zstd (systemd-coredump), lz4, gzip, xz; and cores that come through a pipe.
//!
//! A core is read here and there, so one that can be read only front to back is unpacked first: into a file without a name, which is
//! gone when gopsy ends, however it ends. Pages of zeros become holes. Memory is bounded by the window of the format; disk by
//! [`Limits`]. What damage leaves is read as a core that was cut off.

use crate::headers::is_core;
use rustix::fs::fstatvfs;
use ruzstd::decoding::BlockDecodingStrategy;
use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::rc::Rc;

/// The unit in which zeros are left out.
const PAGE: usize = 4096;
/// What is unpacked at once.
const PIECE: usize = 1 << 18;
/// How much may be written before the free space is looked at again.
const LOOK: u64 = 16 << 20;
/// The largest window that is unpacked: `zstd --long=27`, and the dictionary of `xz -9` with room to spare. systemd
/// compresses with zstd's level 3, whose window has 2 MiB.
const MAX_WINDOW: u64 = 128 << 20;

/// A form of compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 8878.
    Zstd,
    /// LZ4 frames.
    Lz4,
    /// RFC 1952.
    Gzip,
    /// The .xz format.
    Xz,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Zstd => "zstd",
            Format::Lz4 => "lz4",
            Format::Gzip => "gzip",
            Format::Xz => "xz",
        })
    }
}

/// How much may be unpacked.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The length of the unpacked file in bytes, holes included.
    pub len: u64,
    /// So many bytes of the file system stay free.
    pub reserve: u64,
    /// Where to unpack. The system's folder for temporary files (`TMPDIR`) if not given.
    pub folder: Option<PathBuf>,
}

impl Default for Limits {
    fn default() -> Self {
        // A terabyte of zeros takes minutes and no disk; folders for temporary files are often small.
        Limits { len: 1 << 40, reserve: 128 << 20, folder: None }
    }
}

/// Why unpacking stopped before the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// The compressed file is damaged or was cut off, or has a window that is too large.
    Damaged(String),
    /// [`Limits::len`] was reached.
    TooLong,
    /// [`Limits::reserve`] was reached.
    NoSpace,
    /// The system refused to write.
    Refused(String),
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stopped::Damaged(why) => write!(f, "it is damaged: {why}"),
            Stopped::TooLong => write!(f, "it is longer than is allowed"),
            Stopped::NoSpace => write!(f, "the folder for temporary files would be full"),
            Stopped::Refused(why) => write!(f, "the temporary file could not be written: {why}"),
        }
    }
}

/// What was unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The form of compression; none of what came through a pipe as it is.
    pub format: Option<Format>,
    /// The length of the compressed file in bytes; of a pipe, what came through it.
    pub packed: u64,
    /// The length of what was unpacked, holes included.
    pub len: u64,
    /// How much of it was written to disk.
    pub written: u64,
    /// In which folder.
    pub folder: PathBuf,
    /// Why that is not all.
    pub stopped: Option<Stopped>,
}

impl fmt::Display for Unpacked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unpacked { format, packed, len, written, folder, .. } = self;
        match format {
            Some(format) => write!(f, "{format}: {packed} bytes unpacked to {len}")?,
            None => write!(f, "a pipe: {len} bytes")?,
        }
        write!(f, ", {written} of them on disk, in a nameless file in {}", folder.display())?;
        match &self.stopped {
            Some(why) => write!(f, "; that is not all: {why}"),
            None => Ok(()),
        }
    }
}

/// How a file is compressed, by its first bytes.
pub(crate) fn format(file: &File) -> io::Result<Option<Format>> {
    let mut head = [0u8; 6];
    let mut filled = 0usize;
    while let Some(free) = head.get_mut(filled..).filter(|free| !free.is_empty()) {
        match file.read_at(free, u64::try_from(filled).unwrap_or(0)) {
            Ok(0) => break,
            Ok(n) => filled = filled.saturating_add(n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(magic(head.get(..filled).unwrap_or(&[])))
}

/// How something is compressed that begins so.
pub(crate) fn magic(head: &[u8]) -> Option<Format> {
    match head {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Format::Zstd),
        [0x04, 0x22, 0x4d, 0x18, ..] => Some(Format::Lz4),
        [0x1f, 0x8b, ..] => Some(Format::Gzip),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Format::Xz),
        _ => None,
    }
}

/// Whether what is compressed begins as a core does. Moves the file's position.
pub(crate) fn file_holds_core(mut file: File) -> bool {
    let Ok(Some(format)) = format(&file) else { return false };
    file.rewind().is_ok() && holds_core(Box::new(file), format)
}

/// The same of what can be read only once.
pub(crate) fn holds_core(packed: Box<dyn Read>, format: Format) -> bool {
    let mut head = [0u8; 18];
    decoder(packed, Some(format)).read_exact(&mut head).is_ok() && is_core(&head) == Some(true)
}

/// What is to be unpacked, buffered.
type Source = BufReader<Box<dyn Read>>;

fn decoder(packed: Box<dyn Read>, format: Option<Format>) -> Box<dyn Read> {
    let source = BufReader::with_capacity(PIECE, packed);
    match format {
        None => Box::new(source),
        Some(Format::Zstd) => Box::new(Frames::new(source)),
        Some(Format::Lz4) => Box::new(Blocks { decoder: lz4_flex::frame::FrameDecoder::new(Tail::new(source)) }),
        Some(Format::Gzip) => Box::new(flate2::read::MultiGzDecoder::new(source)),
        Some(Format::Xz) => {
            let limit = u32::try_from(MAX_WINDOW >> 10).unwrap_or(0);
            Box::new(lzma_rust2::XzReader::new_mem_limit(source, true, limit))
        }
    }
}

/// Counts what is read.
struct Counted {
    source: Box<dyn Read>,
    count: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buf)?;
        self.count.set(self.count.get().saturating_add(u64::try_from(count).unwrap_or(u64::MAX)));
        Ok(count)
    }
}

/// Unpacks a compressed file.
///
/// # Errors
/// When no temporary file can be made.
pub(crate) fn unpack_file(mut file: File, format: Format, limits: &Limits) -> io::Result<(File, Unpacked)> {
    file.rewind()?;
    unpack(Box::new(file), Some(format), limits)
}

/// Unpacks what can be read only once, or keeps it as it is.
///
/// # Errors
/// When no temporary file can be made.
pub(crate) fn unpack(packed: Box<dyn Read>, format: Option<Format>, limits: &Limits) -> io::Result<(File, Unpacked)> {
    let count = Rc::new(Cell::new(0));
    let folder = limits.folder.clone().unwrap_or_else(std::env::temp_dir);
    let mut sparse = Sparse { file: tempfile::tempfile_in(&folder)?, at: 0, written: 0, looked: None };
    let mut decoder = decoder(Box::new(Counted { source: packed, count: Rc::clone(&count) }), format);
    let mut piece = vec![0u8; PIECE];
    let stopped = loop {
        let (filled, failed) = fill(&mut *decoder, &mut piece);
        if sparse.at == 0 && failed.is_none() && is_core(&piece) != Some(true) {
            // A compressed something else, which may be long: that it is no core is known now.
            break None;
        }
        let left = limits.len.saturating_sub(sparse.at);
        let count = filled.min(usize::try_from(left).unwrap_or(usize::MAX));
        match sparse.append(piece.get(..count).unwrap_or(&[]), limits.reserve) {
            Ok(true) => {}
            Ok(false) => break Some(Stopped::NoSpace),
            Err(error) => break Some(Stopped::Refused(error.to_string())),
        }
        if let Some(error) = failed {
            break Some(Stopped::Damaged(error.to_string()));
        }
        if count < filled {
            break Some(Stopped::TooLong);
        }
        if filled < piece.len() {
            break None;
        }
    };
    sparse.file.set_len(sparse.at)?;
    let Sparse { file, at: len, written, .. } = sparse;
    Ok((file, Unpacked { format, packed: count.get(), len, written, folder, stopped }))
}

/// Reads until the buffer is full or the stream ends. A failure comes with what was read before it.
fn fill(decoder: &mut dyn Read, buf: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut filled = 0usize;
    while let Some(free) = buf.get_mut(filled..).filter(|free| !free.is_empty()) {
        match decoder.read(free) {
            Ok(0) => break,
            Ok(n) => filled = filled.saturating_add(n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Some(error)),
        }
    }
    (filled, None)
}

/// A file that is written front to back, with holes for pages of zeros.
struct Sparse {
    file: File,
    at: u64,
    written: u64,
    /// How much was written when the free space was looked at.
    looked: Option<u64>,
}

impl Sparse {
    /// Whether there was room.
    fn append(&mut self, bytes: &[u8], reserve: u64) -> io::Result<bool> {
        let mut from = 0usize;
        let empty = |page: &[u8]| page.iter().all(|b| *b == 0);
        while let Some(rest) = bytes.get(from..).filter(|rest| !rest.is_empty()) {
            let is_hole = empty(rest.get(..PAGE).unwrap_or(rest));
            let pages = rest.chunks(PAGE).take_while(|page| empty(page) == is_hole);
            let len = pages.map(<[u8]>::len).fold(0, usize::saturating_add);
            let count = u64::try_from(len).unwrap_or(u64::MAX);
            if !is_hole {
                if !self.room(reserve)? {
                    return Ok(false);
                }
                self.file.write_all_at(rest.get(..len).unwrap_or(&[]), self.at)?;
                self.written = self.written.saturating_add(count);
            }
            self.at = self.at.saturating_add(count);
            from = from.saturating_add(len);
        }
        Ok(true)
    }

    fn room(&mut self, reserve: u64) -> io::Result<bool> {
        if self.looked.is_some_and(|looked| self.written.saturating_sub(looked) < LOOK) {
            return Ok(true);
        }
        self.looked = Some(self.written);
        let system = fstatvfs(&self.file)?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize) >= reserve.saturating_add(LOOK))
    }
}

/// zstd's frames, one after the other: compressors that work in parallel write many, and some are to be skipped.
struct Frames {
    source: Source,
    decoder: ruzstd::decoding::FrameDecoder,
    begun: bool,
    /// What ended the frame before its time; told when what was decoded before it has been given.
    failed: Option<io::Error>,
}

/// A last block without content, and room for a checksum. (RFC 8878, 3.1.1.2)
const LAST_BLOCK: &[u8] = &[1, 0, 0, 0, 0, 0, 0];

impl Frames {
    fn new(source: Source) -> Self {
        let mut decoder = ruzstd::decoding::FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW);
        Frames { source, decoder, begun: false, failed: None }
    }

    /// Begins the next frame. `false` at the end of the file.
    fn begin(&mut self) -> io::Result<bool> {
        use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut (&mut self.source).take(u64::from(length)), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error.to_string())),
            }
        }
    }

    fn decode(&mut self, len: usize) {
        let strategy = BlockDecodingStrategy::UptoBytes(len);
        if let Err(error) = self.decoder.decode_blocks(&mut self.source, strategy) {
            self.failed = Some(io::Error::other(error.to_string()));
            // The decoder keeps a window of what it decoded until its frame ends.
            let _ = self.decoder.decode_blocks(LAST_BLOCK, BlockDecodingStrategy::All);
        }
    }
}

impl Read for Frames {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while !buf.is_empty() {
            if !self.begun {
                self.begun = self.begin()?;
                if !self.begun {
                    return Ok(0);
                }
            }
            if self.failed.is_none() && !self.decoder.is_finished() && self.decoder.can_collect() < buf.len() {
                self.decode(buf.len());
            }
            let count = self.decoder.read(buf)?;
            if count > 0 {
                return Ok(count);
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if self.decoder.is_finished() {
                self.begun = false;
                let (said, found) = (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum());
                if said.is_some() && said != found {
                    return Err(io::Error::other("its checksum is wrong"));
                }
            }
        }
        Ok(0)
    }
}

/// A reader that remembers its last eight bytes.
struct Tail {
    source: Source,
    tail: [u8; 8],
}

impl Tail {
    fn new(source: Source) -> Self {
        Tail { source, tail: [0xff; 8] }
    }

    /// Whether the last frame has its end mark, four zeros, with or without a checksum behind them.
    fn ended(&self) -> bool {
        let [a, b, c, d, rest @ ..] = self.tail;
        [a, b, c, d] == [0; 4] || rest == [0; 4]
    }
}

impl Read for Tail {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buf)?;
        for byte in buf.get(..count).unwrap_or(&[]).iter().rev().take(8).rev() {
            self.tail.rotate_left(1);
            if let Some(last) = self.tail.last_mut() {
                *last = *byte;
            }
        }
        Ok(count)
    }
}

/// lz4's frames. The decoder takes a file that was cut off between two blocks, or in the length of one, for one that
/// ended; the end mark tells them apart.
struct Blocks {
    decoder: lz4_flex::frame::FrameDecoder<Tail>,
}

impl Read for Blocks {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.decoder.read(buf)?;
            if count > 0 || buf.is_empty() {
                return Ok(count);
            }
            if !self.decoder.get_ref().ended() {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it was cut off"));
            }
            if self.decoder.get_mut().source.fill_buf()?.is_empty() {
                return Ok(0);
            }
        }
    }
}
