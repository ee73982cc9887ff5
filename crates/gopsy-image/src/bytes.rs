//! Total reads from byte slices: an answer or `None`, whatever the offset.

/// The part of `data` from `at` on, `len` bytes long.
pub(crate) fn slice(data: &[u8], at: u64, len: u64) -> Option<&[u8]> {
    let start = usize::try_from(at).ok()?;
    let end = start.checked_add(usize::try_from(len).ok()?)?;
    data.get(start..end)
}

/// The part of `data` from `at` on.
pub(crate) fn tail(data: &[u8], at: u64) -> Option<&[u8]> {
    data.get(usize::try_from(at).ok()?..)
}

fn array<const N: usize>(data: &[u8], at: u64) -> Option<[u8; N]> {
    tail(data, at)?.first_chunk().copied()
}

pub(crate) fn u8(data: &[u8], at: u64) -> Option<u8> {
    array(data, at).map(u8::from_le_bytes)
}

pub(crate) fn u16(data: &[u8], at: u64) -> Option<u16> {
    array(data, at).map(u16::from_le_bytes)
}

pub(crate) fn u32(data: &[u8], at: u64) -> Option<u32> {
    array(data, at).map(u32::from_le_bytes)
}

pub(crate) fn i32(data: &[u8], at: u64) -> Option<i32> {
    array(data, at).map(i32::from_le_bytes)
}

pub(crate) fn u64(data: &[u8], at: u64) -> Option<u64> {
    array(data, at).map(u64::from_le_bytes)
}

/// A number of so many bytes, four or eight.
pub(crate) fn word(data: &[u8], at: u64, len: usize) -> Option<u64> {
    if len == 8 { u64(data, at) } else { u32(data, at).map(u64::from) }
}

/// The bytes from `at` up to the next NUL, which must exist.
pub(crate) fn c_string(data: &[u8], at: u64) -> Option<&[u8]> {
    let rest = tail(data, at)?;
    rest.get(..memchr::memchr(0, rest)?)
}

/// An unsigned LEB128 number as Go's `encoding/binary` writes it, and how many bytes it took. More than ten bytes, or
/// bits beyond the 64th, are `None`.
pub(crate) fn uvarint(data: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (i, byte) in data.iter().take(10).enumerate() {
        let low = u64::from(byte & 0x7f);
        let shift = u32::try_from(i.checked_mul(7)?).ok()?;
        let part = low.checked_shl(shift)?;
        if part.checked_shr(shift) != Some(low) {
            return None;
        }
        value |= part;
        if byte & 0x80 == 0 {
            return Some((value, i.saturating_add(1)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints() {
        assert_eq!(uvarint(&[0x7f]), Some((127, 1)));
        assert_eq!(uvarint(&[0x80, 0x01]), Some((128, 2)));
        assert_eq!(uvarint(&[0xff; 9]), None);
        assert_eq!(uvarint(&[0xff; 20]), None);
        let max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(uvarint(&max), Some((u64::MAX, 10)));
        let over = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(uvarint(&over), None);
        assert_eq!(uvarint(&[]), None);
    }

    #[test]
    fn reads_are_total() {
        let data = [1, 2, 3, 4];
        assert_eq!(u32(&data, 0), Some(0x0403_0201));
        assert_eq!(u32(&data, 1), None);
        assert_eq!(u64(&data, u64::MAX), None);
        assert_eq!(slice(&data, u64::MAX, u64::MAX), None);
        assert_eq!(c_string(&data, 0), None);
    }
}
