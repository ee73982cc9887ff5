//! Texts that Windows tools wrote: UTF-16, read as UTF-8.

use std::io::{self, Read};

/// The byte order of a text in UTF-16, by its first bytes: a byte order mark, or characters of which every other byte
/// is zero.
pub(crate) fn order(start: &[u8]) -> Option<Order> {
    match start {
        [0xff, 0xfe, ..] => Some(Order::Little),
        [0xfe, 0xff, ..] => Some(Order::Big),
        [a, 0, b, 0] if *a != 0 && *b != 0 => Some(Order::Little),
        [0, a, 0, b] if *a != 0 && *b != 0 => Some(Order::Big),
        _ => None,
    }
}

/// Which byte comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

/// A reader that turns UTF-16 into UTF-8; what is no character becomes U+FFFD.
pub(crate) struct Utf8<R> {
    inner: R,
    order: Order,
    /// A first byte whose second has not come yet.
    half: Option<u8>,
    /// A high surrogate whose low one has not come yet.
    high: Option<u16>,
    out: Vec<u8>,
    given: usize,
    raw: Vec<u8>,
}

impl<R: Read> Utf8<R> {
    pub(crate) fn new(inner: R, order: Order) -> Self {
        Utf8 { inner, order, half: None, high: None, out: Vec::new(), given: 0, raw: vec![0; 1 << 14] }
    }

    fn push(&mut self, c: char) {
        let mut buffer = [0u8; 4];
        self.out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
    }

    fn unit(&mut self, unit: u16) {
        if let Some(high) = self.high.take() {
            if let Some(Ok(c)) = char::decode_utf16([high, unit]).next() {
                self.push(c);
                return;
            }
            self.push(char::REPLACEMENT_CHARACTER);
        }
        match unit {
            0xd800..=0xdbff => self.high = Some(unit),
            0xfeff => {}
            _ => self.push(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER)),
        }
    }

    /// Converts some more. False at the end.
    fn fill(&mut self) -> io::Result<bool> {
        self.out.clear();
        self.given = 0;
        while self.out.is_empty() {
            let mut raw = std::mem::take(&mut self.raw);
            let read = self.inner.read(&mut raw);
            let n = *read.as_ref().unwrap_or(&0);
            for &byte in raw.get(..n).unwrap_or(&[]) {
                match self.half.take() {
                    None => self.half = Some(byte),
                    Some(first) => self.unit(match self.order {
                        Order::Little => u16::from_le_bytes([first, byte]),
                        Order::Big => u16::from_be_bytes([first, byte]),
                    }),
                }
            }
            self.raw = raw;
            if read? == 0 {
                if self.high.take().is_some() | self.half.take().is_some() {
                    self.push(char::REPLACEMENT_CHARACTER);
                    return Ok(true);
                }
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.given >= self.out.len() && !self.fill()? {
            return Ok(0);
        }
        let rest = self.out.get(self.given..).unwrap_or(&[]);
        let n = rest.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        self.given = self.given.saturating_add(n);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, read_bytes};

    const TEXT: &str =
        "panic: gr\u{fc}n \u{1f980}\r\n\r\ngoroutine 1 [running]:\r\nmain.main()\r\n\t/src/main.go:3 +0x1\r\n";

    #[test]
    fn both_orders_with_and_without_a_mark() {
        for mark in ["\u{feff}", ""] {
            let text = format!("{mark}{TEXT}");
            let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            for bytes in [little, big] {
                let dump = read_bytes(&bytes, &Options::default());
                assert_eq!(dump.stack_count(), 1, "{mark:?}");
                assert!(format!("{:?}", dump.crashes()[0].headlines).contains("gr\u{fc}n \u{1f980}"));
            }
        }
    }

    #[test]
    fn a_compressed_one_is_read_as_well() {
        let bytes: Vec<u8> = TEXT.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut gzip, &bytes).unwrap();
        let zstd =
            ruzstd::encoding::compress_to_vec(bytes.as_slice(), ruzstd::encoding::CompressionLevel::Uncompressed);
        for packed in [gzip.finish().unwrap(), zstd] {
            let dump = read_bytes(&packed, &Options::default());
            assert_eq!(dump.stack_count(), 1, "{:?}", dump.notes());
            assert_eq!(dump.notes().len(), 2, "{:?}", dump.notes());
        }
    }

    #[test]
    fn cut_anywhere() {
        let bytes: Vec<u8> = TEXT.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for n in 0..bytes.len() {
            let _ = read_bytes(&bytes[..n], &Options::default());
        }
        let mut out = String::new();
        Utf8::new(&[0x00, 0xd8, 0x41][..], Order::Little).read_to_string(&mut out).unwrap();
        assert_eq!(out, "\u{fffd}");
    }
}
