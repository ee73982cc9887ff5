//! From bytes to lines: decompression, chunks, bounds.

use crate::dump::Dump;
use crate::scan;
use crate::stream::Streams;
use std::io::{self, Read};

/// How much of a text is read, and what is kept.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Keep the arguments of frames. Grouping does not need them.
    pub keep_args: bool,
    /// Read at most so many (decompressed) bytes; the rest is counted as cut and told in the notes.
    pub max_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options { keep_args: true, max_bytes: 64 << 30 }
    }
}

/// Bytes that are held around the line that is being read.
const BUFFER: usize = 1 << 19;
/// Bytes that are held of a text that is shorter: most are, and clearing the whole buffer would cost more than reading.
const SMALL: usize = 1 << 15;
/// Of these, so many behind it: where a carrier is learnt, its headline may stand there.
const BEHIND: usize = 1 << 16;
/// And so many before it.
const AHEAD: usize = 1 << 14;
/// A line longer than this is read in pieces.
const LONGEST_LINE: usize = 1 << 24;

/// Reads a text from memory.
#[must_use]
pub fn read_bytes(bytes: &[u8], options: &Options) -> Dump {
    // A reader over memory does not fail.
    read(bytes, options).unwrap_or_else(|_| Dump::new(Vec::new(), Vec::new(), 0))
}

/// Reads a text to its end, decompressing gzip and zstd by their magic, and UTF-16 by its byte order.
///
/// # Errors
/// Only those of the reader itself. Damaged compression ends the text where it stands, and a note says so.
pub fn read(reader: impl Read, options: &Options) -> io::Result<Dump> {
    let whole = Begun::new(reader);
    if whole.head().starts_with(&[0x1f, 0x8b]) {
        let (dump, damaged) = characters(flate2::read::MultiGzDecoder::new(whole), options, true)?;
        return Ok(noted(dump, "gzip", damaged));
    }
    if whole.head() == [0x28, 0xb5, 0x2f, 0xfd] {
        return match ruzstd::decoding::StreamingDecoder::new(whole) {
            Ok(decoder) => {
                let (dump, damaged) = characters(decoder, options, true)?;
                Ok(noted(dump, "zstd", damaged))
            }
            Err(e) => {
                let mut dump = Dump::new(Vec::new(), Vec::new(), 0);
                dump.note(format!("the text looks like zstd but cannot be decompressed: {e}"));
                Ok(dump)
            }
        };
    }
    characters(whole, options, false).map(|(dump, _)| dump)
}

/// A reader of which the first bytes are known.
struct Begun<R> {
    head: [u8; 4],
    filled: usize,
    given: usize,
    /// What ended the head; whoever reads to there meets it.
    error: Option<io::Error>,
    rest: R,
}

impl<R: Read> Begun<R> {
    fn new(mut rest: R) -> Self {
        let (mut head, mut filled, mut error) = ([0u8; 4], 0usize, None);
        while let Some(free) = head.get_mut(filled..).filter(|free| !free.is_empty()) {
            match rest.read(free) {
                Ok(0) => break,
                Ok(n) => filled = filled.saturating_add(n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    error = Some(e);
                    break;
                }
            }
        }
        Begun { head, filled, given: 0, error, rest }
    }

    fn head(&self) -> &[u8] {
        scan::upto(&self.head, self.filled)
    }
}

impl<R: Read> Read for Begun<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut head = scan::between(&self.head, self.given, self.filled);
        if !head.is_empty() {
            let n = head.read(out)?;
            self.given = self.given.saturating_add(n);
            return Ok(n);
        }
        match self.error.take() {
            Some(e) => Err(e),
            None => self.rest.read(out),
        }
    }
}

/// From bytes to UTF-8, which a text nearly always is.
fn characters(reader: impl Read, options: &Options, lenient: bool) -> io::Result<(Dump, Option<String>)> {
    let whole = Begun::new(reader);
    let Some(order) = crate::utf16::order(whole.head()) else { return lines(whole, options, lenient) };
    let (mut dump, damaged) = lines(crate::utf16::Utf8::new(whole, order), options, lenient)?;
    dump.note("read as UTF-16".to_owned());
    Ok((dump, damaged))
}

fn noted(mut dump: Dump, what: &str, damaged: Option<String>) -> Dump {
    match damaged {
        None => dump.note(format!("decompressed ({what})")),
        Some(e) => dump.note(format!("decompressed ({what}) up to damage: {e}")),
    }
    dump
}

/// Reads lines and gives them to the streams. With `lenient`, a failing reader ends the text.
fn lines(mut reader: impl Read, options: &Options, lenient: bool) -> io::Result<(Dump, Option<String>)> {
    let mut streams = Streams::new(options.keep_args);
    let mut buffer: Vec<u8> = vec![0; SMALL];
    // buffer[..from] was read, buffer[from..to] is to be read.
    let (mut from, mut to) = (0usize, 0usize);
    let mut total = 0u64;
    let mut cut_lines = 0u64;
    let mut damaged = None;
    let mut end = false;
    let mut capped = false;
    let mut first = true;
    while !end || from < to {
        // Fill up.
        while !end && to < buffer.len() {
            let allowed = usize::try_from(options.max_bytes.saturating_sub(total)).unwrap_or(usize::MAX);
            if allowed == 0 {
                (end, capped) = (true, true);
                break;
            }
            let stop = buffer.len().min(to.saturating_add(allowed));
            let Some(free) = buffer.get_mut(to..stop) else { break };
            match reader.read(free) {
                Ok(0) => end = true,
                Ok(n) => {
                    to = to.saturating_add(n);
                    total = total.saturating_add(n as u64);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if lenient => {
                    damaged = Some(e.to_string());
                    end = true;
                }
                Err(e) => return Err(e),
            }
        }
        if first {
            first = false;
            if scan::upto(&buffer, to).starts_with(&[0xef, 0xbb, 0xbf]) {
                from = 3;
            }
        }
        // Give lines as long as enough is known of what follows.
        while from < to {
            let ahead = to.saturating_sub(from);
            if !end && ahead < AHEAD {
                break;
            }
            let rest = scan::between(&buffer, from, to);
            let (length, next) = match memchr::memchr(b'\n', rest) {
                Some(n) => (n, n.saturating_add(1)),
                None if end => (rest.len(), rest.len()),
                None if rest.len() >= LONGEST_LINE => {
                    // Cut at a blank, so that no word is torn.
                    cut_lines = cut_lines.saturating_add(1);
                    let n = memchr::memrchr(b' ', rest).filter(|&n| n > LONGEST_LINE / 2).unwrap_or(rest.len());
                    (n, n)
                }
                None => break,
            };
            let line = scan::upto(rest, length);
            let after = scan::upto(scan::from(rest, next), AHEAD);
            let before = scan::between(&buffer, from.saturating_sub(BEHIND), from);
            streams.line(streams.lines.saturating_add(1), line, before, after);
            from = from.saturating_add(next);
        }
        if end && from >= to {
            break;
        }
        if buffer.len() < BUFFER {
            buffer.resize(BUFFER, 0);
            continue;
        }
        // Make room: keep what stands behind the line.
        let keep = from.saturating_sub(BEHIND);
        buffer.copy_within(keep..to, 0);
        from = from.saturating_sub(keep);
        to = to.saturating_sub(keep);
        if to >= buffer.len() {
            let larger = buffer.len().saturating_mul(2).min(LONGEST_LINE.saturating_add(BUFFER));
            if larger <= buffer.len() {
                // The longest line fills it: drop what stands behind.
                buffer.copy_within(from..to, 0);
                to = to.saturating_sub(from);
                from = 0;
            }
            buffer.resize(larger.max(buffer.len()), 0);
        }
    }
    drop(buffer);
    let line_count = streams.lines;
    let (grammars, notes) = streams.finish();
    let mut dump = Dump::new(grammars, notes, line_count);
    if cut_lines > 0 {
        dump.note(format!("lines longer than {} MB were read in {cut_lines} more pieces", LONGEST_LINE >> 20));
    }
    if capped {
        dump.note(format!("only the first {total} bytes were read"));
    }
    Ok((dump, damaged))
}
