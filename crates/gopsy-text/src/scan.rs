//! Small tools for reading bytes that may end anywhere.
//!
//! Nothing here can fail or overflow: what lies outside of a slice reads as nothing.

/// The byte at `i`, or 0 behind the end.
pub(crate) fn at(b: &[u8], i: usize) -> u8 {
    b.get(i).copied().unwrap_or(0)
}

/// `b[i..]`, or nothing.
pub(crate) fn from(b: &[u8], i: usize) -> &[u8] {
    b.get(i..).unwrap_or(&[])
}

/// `b[..i]`, or all of it.
pub(crate) fn upto(b: &[u8], i: usize) -> &[u8] {
    b.get(..i).unwrap_or(b)
}

/// `b[i..j]`, or nothing.
pub(crate) fn between(b: &[u8], i: usize, j: usize) -> &[u8] {
    b.get(i..j).unwrap_or(&[])
}

/// Position of `needle`.
pub(crate) fn find(b: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(b, needle)
}

/// Whether `needle` occurs.
pub(crate) fn has(b: &[u8], needle: &[u8]) -> bool {
    find(b, needle).is_some()
}

/// Position right behind the first `needle`.
pub(crate) fn find_end(b: &[u8], needle: &[u8]) -> Option<usize> {
    find(b, needle).map(|i| i.saturating_add(needle.len()))
}

/// Without blanks and carriage returns at the end.
pub(crate) fn trim_end(b: &[u8]) -> &[u8] {
    let mut b = b;
    while let [rest @ .., b' ' | b'\t' | b'\r'] = b {
        b = rest;
    }
    b
}

/// Without blanks at the start, and how many there were.
pub(crate) fn trim_start(b: &[u8]) -> (&[u8], usize) {
    let mut rest = b;
    while let [b' ' | b'\t' | b'\r', tail @ ..] = rest {
        rest = tail;
    }
    (rest, b.len().saturating_sub(rest.len()))
}

/// Without blanks on both sides.
pub(crate) fn trim(b: &[u8]) -> &[u8] {
    trim_start(trim_end(b)).0
}

/// The bytes as text; what is not UTF-8 is replaced.
pub(crate) fn text(b: &[u8]) -> String {
    String::from_utf8_lossy(b).into_owned()
}

/// A whole decimal number.
pub(crate) fn dec(b: &[u8]) -> Option<u64> {
    let mut c = Cursor::new(b);
    let n = c.dec()?;
    c.at_end().then_some(n)
}

/// A whole hexadecimal number with `0x`.
pub(crate) fn hex(b: &[u8]) -> Option<u64> {
    let mut c = Cursor::new(b);
    let n = c.hex()?;
    c.at_end().then_some(n)
}

/// A whole hexadecimal number without `0x`.
pub(crate) fn bare_hex(b: &[u8]) -> Option<u64> {
    let mut c = Cursor::new(b);
    let n = c.hex_digits()?;
    c.at_end().then_some(n)
}

/// A place in a slice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(b: &'a [u8]) -> Self {
        Cursor { rest: b }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn peek(&self) -> u8 {
        at(self.rest, 0)
    }

    pub(crate) fn skip(&mut self, n: usize) {
        self.rest = from(self.rest, n);
    }

    /// Takes `s` if it stands here.
    pub(crate) fn eat(&mut self, s: &[u8]) -> bool {
        match self.rest.strip_prefix(s) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes bytes as long as `f` holds.
    pub(crate) fn take_while(&mut self, f: impl Fn(u8) -> bool) -> &'a [u8] {
        let n = self.rest.iter().position(|&c| !f(c)).unwrap_or(self.rest.len());
        let taken = upto(self.rest, n);
        self.rest = from(self.rest, n);
        taken
    }

    pub(crate) fn blanks(&mut self) -> usize {
        self.take_while(|c| c == b' ' || c == b'\t').len()
    }

    /// A decimal number that fits 64 bits.
    pub(crate) fn dec(&mut self) -> Option<u64> {
        let mut c = *self;
        let digits = c.take_while(|c| c.is_ascii_digit());
        if digits.is_empty() {
            return None;
        }
        let mut n: u64 = 0;
        for &d in digits {
            n = n.checked_mul(10)?.checked_add(u64::from(d.wrapping_sub(b'0')))?;
        }
        *self = c;
        Some(n)
    }

    /// Hexadecimal digits, at most 64 bits of them.
    pub(crate) fn hex_digits(&mut self) -> Option<u64> {
        let mut n: u64 = 0;
        let mut digits = 0usize;
        for &d in self.rest {
            let v = match d {
                b'0'..=b'9' => d.wrapping_sub(b'0'),
                b'a'..=b'f' => d.wrapping_sub(b'a').wrapping_add(10),
                b'A'..=b'F' => d.wrapping_sub(b'A').wrapping_add(10),
                _ => break,
            };
            n = (n << 4) | u64::from(v);
            digits = digits.saturating_add(1);
        }
        if digits == 0 || digits > 16 {
            return None;
        }
        self.skip(digits);
        Some(n)
    }

    /// `0x` and hexadecimal digits.
    pub(crate) fn hex(&mut self) -> Option<u64> {
        let mut c = *self;
        if !c.eat(b"0x") {
            return None;
        }
        let n = c.hex_digits()?;
        *self = c;
        Some(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(dec(b"3503687081"), Some(3_503_687_081));
        assert_eq!(dec(b"99999999999999999999"), None);
        assert_eq!(dec(b""), None);
        assert_eq!(hex(b"0xffffffffffffffff"), Some(u64::MAX));
        assert_eq!(hex(b"0x"), None);
        assert_eq!(hex(b"0x12345678901234567"), None);
        assert_eq!(bare_hex(b"00007fffffffe000"), Some(0x7fff_ffff_e000));
    }

    #[test]
    fn edges_read_as_nothing() {
        assert_eq!(from(b"ab", 3), b"");
        assert_eq!(between(b"ab", 2, 1), b"");
        assert_eq!(at(b"", 0), 0);
        assert_eq!(trim(b" \t a \r"), b"a");
    }
}
